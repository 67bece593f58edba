"""The cost of a run is the ledger's, wherever it is shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.budget.ledger import Caps, Kind, Ledger
from orchestrator.cli.records import iter_record_lines
from orchestrator.cli.run_lines import iter_json_lines, iter_run_table
from orchestrator.cli.summaries import summarize_usage
from orchestrator.models import RunOutcome, Task
from orchestrator.storage.listing import find_summary
from orchestrator.storage.run_costs import sum_run_cost
from orchestrator.storage.runs import Store
from teacher.models import Usage


@pytest.fixture
def store(tmp_path: Path, each_database: str) -> Iterator[Store]:
    with Store(tmp_path / "state") as store:
        yield store


def test_a_run_without_any_result_shows_what_the_ledger_counts(
    store: Store, tmp_path: Path
) -> None:
    run = store.create_run(Task("Do it", tmp_path), "{}").id
    ledger = Ledger(store.database)
    ledger.close_entry(ledger.open_entry(run, Caps(), attempt=1), Usage(100, cost_usd=0.5))
    ledger.close_entry(
        ledger.open_entry(run, Caps(), Kind.LESSON, attempt=1), Usage(20, cost_usd=0.125)
    )
    ledger.open_entry(run, Caps(), attempt=2, at_most=9)  # at work: no bill yet
    token = store.claim_run(run, "{}")
    store.end_run(run, RunOutcome.STOPPED, "the disk is full", token)
    assert sum_run_cost(store.database, run) == Usage(120, cost_usd=0.625)
    summary = find_summary(store.database, run)
    assert (summary.attempts, summary.cost_usd, summary.tokens) == (1, 0.625, 120)
    assert "$0.6250" in "\n".join(iter_run_table([summary]))
    assert '"cost_usd": 0.625' in "\n".join(iter_json_lines(store.database, [summary]))
    record = "\n".join(iter_record_lines(store.load_run(run)))
    assert "120 tokens, $0.62, " in record
    assert "also of attempt 1, which did not end" in record


def test_a_cost_without_tokens_is_an_estimate() -> None:
    assert "estimated" in summarize_usage(Usage(cost_usd=1.0))
    assert summarize_usage(Usage(120, cost_usd=1.0)) == "120 tokens, $1.00"
    assert summarize_usage(Usage()) == "0 tokens, $0.00"


def test_a_run_of_which_the_ledger_knows_nothing_keeps_its_cost(
    store: Store, tmp_path: Path
) -> None:
    run = store.create_run(Task("Do it", tmp_path), "{}").id
    assert sum_run_cost(store.database, run) == Usage()
    assert sum_run_cost(store.database, "no such run") == Usage()

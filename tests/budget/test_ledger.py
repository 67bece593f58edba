"""What all runs spend together: never over the limit, whoever dies, however many take part."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.budget.ledger import (
    DAY,
    HOUR,
    SMALLEST_ALLOWANCE_USD,
    CapReachedError,
    Caps,
    Entry,
    Kind,
    Ledger,
)
from orchestrator.errors import InfrastructureError
from orchestrator.storage.opening import open_database
from teacher.models import UNKNOWN_USAGE, Usage


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock, each_database: str) -> Iterator[Ledger]:
    with open_database(tmp_path) as database:
        yield Ledger(database, clock)


def cost(usd: float) -> Usage:
    return Usage(input_tokens=100, cost_usd=usd)


def test_an_agent_may_take_what_its_run_and_the_day_leave(ledger: Ledger) -> None:
    caps = Caps(cost_usd_per_day=10)
    first = ledger.open_entry("a", caps, at_most=4)
    assert first.allowance == 4
    assert ledger.open_entry("b", caps, at_most=100).allowance == 6
    with pytest.raises(CapReachedError, match=r"\$10.00 of \$10.00.*\$10.00 of it reserved"):
        ledger.open_entry("c", caps, at_most=1)
    ledger.close_entry(first, cost(1))
    assert ledger.open_entry("c", caps).allowance == pytest.approx(3)


def test_no_cap_leaves_the_run_its_own_limit(ledger: Ledger) -> None:
    assert ledger.open_entry("a", Caps()).allowance is None
    assert ledger.open_entry("a", Caps(), at_most=2).allowance == 2


def test_the_day_frees_what_is_a_day_old_and_says_when(ledger: Ledger, clock: Clock) -> None:
    caps = Caps(cost_usd_per_day=10)
    ledger.close_entry(ledger.open_entry("a", caps), cost(7))
    clock.now += HOUR
    ledger.close_entry(ledger.open_entry("a", caps), cost(3.5))
    with pytest.raises(CapReachedError, match=r"free again on .* at") as caught:
        ledger.open_entry("b", caps)
    assert "limits.max_cost_usd_per_day" in caught.value.hint
    clock.now += DAY - HOUR - 1
    with pytest.raises(CapReachedError):
        ledger.open_entry("b", caps)
    clock.now += 2
    assert ledger.open_entry("b", caps).allowance == pytest.approx(6.5)


def test_agents_are_counted_by_the_hour_and_lessons_are_not(ledger: Ledger, clock: Clock) -> None:
    caps = Caps(agent_starts_per_hour=2)
    for _ in range(5):
        ledger.close_entry(ledger.open_entry("a", caps, Kind.LESSON), cost(0))
    for run in ("a", "b"):
        ledger.close_entry(ledger.open_entry(run, caps), cost(0))
    with pytest.raises(CapReachedError, match="2 agents were started within an hour"):
        ledger.open_entry("c", caps)
    clock.now += HOUR + 1
    ledger.open_entry("c", caps)


def test_tokens_are_the_runs_own(ledger: Ledger) -> None:
    caps = Caps(tokens_per_run=150)
    for _ in range(2):
        ledger.close_entry(ledger.open_entry("a", caps), cost(0))
    with pytest.raises(CapReachedError, match="200 of 150"):
        ledger.open_entry("a", caps)
    ledger.open_entry("b", caps)


def test_a_runs_own_limit_counts_interrupted_attempts(ledger: Ledger) -> None:
    caps = Caps(cost_usd_per_day=50, cost_usd_per_run=2)
    ledger.close_entry(ledger.open_entry("a", caps, at_most=2), cost(0.8))
    ledger.abandon_entry(
        ledger.open_entry("a", caps, at_most=1.5)
    )  # all that is known is the bill of 0.8
    again = ledger.open_entry("a", caps, at_most=2)
    assert again.allowance == pytest.approx(0.4)
    assert not again.by_day
    ledger.close_entry(again, cost(0.5))
    for kind in Kind:
        with pytest.raises(
            CapReachedError, match=r"run's cost limit .* \$2.10 of \$2.00"
        ) as caught:
            ledger.open_entry("a", caps, kind)
        assert "resume --max-cost-usd" in caught.value.hint
    assert ledger.open_entry("b", caps, Kind.LESSON).allowance == 0.25
    assert ledger.open_entry("a", Caps(cost_usd_per_run=3)).allowance == pytest.approx(0.9)


def test_the_entry_of_a_dead_process_is_settled_by_the_dearest_bill(
    ledger: Ledger, tmp_path: Path
) -> None:
    caps = Caps(cost_usd_per_day=10)
    script = f"""
        from pathlib import Path
        from orchestrator.budget.ledger import *
        from orchestrator.storage.opening import open_database
        database = open_database(Path({str(tmp_path)!r}))
        Ledger(database, lambda: 1_800_000_000.0).open_entry("dead", Caps(10))
    """
    root = Path(__file__).parents[2]
    for _ in range(2):
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=root, check=True)
    # Nothing is known, so a tenth of the reservation counts: of 10, then of what was left.
    entry = ledger.open_entry("a", caps)
    assert entry.allowance == pytest.approx(10 - 1 - 0.9)
    ledger.close_entry(entry, cost(2))
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=root, check=True)
    assert ledger.open_entry("a", caps).allowance == pytest.approx(10 - 1 - 0.9 - 2 - 2)


def test_a_ledger_that_cannot_be_written_is_said_in_one_line(
    ledger: Ledger, tmp_path: Path
) -> None:
    with open_database(tmp_path) as broken:
        broken.write("DROP TABLE spending")
    with pytest.raises(InfrastructureError, match="cannot be used") as caught:
        ledger.open_entry("a", Caps(1))
    assert "\n" not in str(caught.value)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "settle", "abandon"]),
        st.floats(0.01, 20),
        st.floats(0, 1),
    ),
    max_size=25,
)


@settings(deadline=None)  # a disk may be slow
@given(STEPS)
def test_reservations_and_bills_never_go_over_together(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, float, float]]
) -> None:
    with open_database(tmp_path_factory.mktemp("state")) as database:
        check_reservations(Ledger(database, Clock()), steps)


def check_reservations(ledger: Ledger, steps: list[tuple[str, float, float]]) -> None:
    caps = Caps(cost_usd_per_day=10)
    at_work: list[Entry] = []
    for what, at_most, share in steps:
        if what == "begin":
            try:
                at_work.append(ledger.open_entry("a", caps, at_most=at_most))
            except CapReachedError:
                assert ledger.sum_spending() > 10 - SMALLEST_ALLOWANCE_USD - 1e-9
        elif at_work:
            entry = at_work.pop()
            assert entry.allowance is not None
            if what == "settle":
                ledger.close_entry(entry, cost(entry.allowance * share))
            else:
                ledger.abandon_entry(entry)
        assert ledger.sum_spending() <= 10 + 1e-6


NUMBERS = st.integers(-(10**30), 10**30)
BILLS = st.builds(Usage, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.floats())


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Kind), BILLS), min_size=1, max_size=8))
def test_no_bill_gives_room_or_uses_up_the_day(
    tmp_path_factory: pytest.TempPathFactory, bills: list[tuple[Kind, Usage]]
) -> None:
    with open_database(tmp_path_factory.mktemp("state")) as database:
        ledger, before = Ledger(database, Clock()), 0.0
        for kind, bill in bills:
            entry = ledger.open_entry("a", Caps(), kind, at_most=2)
            counted = ledger.close_entry(entry, bill)
            spent = ledger.sum_spending()
            assert spent == pytest.approx(before + counted.cost_usd)
            assert before <= spent <= before + 22
            assert 0 <= counted.tokens < 10**11
            before = spent


@pytest.mark.parametrize(
    "bill", [UNKNOWN_USAGE, cost(-1), cost(1e308), cost(1e6), cost(float("nan"))]
)
def test_for_an_impossible_bill_the_reservation_counts(ledger: Ledger, bill: Usage) -> None:
    entry = ledger.open_entry("a", Caps(cost_usd_per_day=10), at_most=4)
    assert ledger.close_entry(entry, bill) == Usage(cost_usd=4)
    assert ledger.sum_spending() == 4
    lesson = ledger.open_entry("a", Caps(cost_usd_per_day=10), Kind.WEBHOOK)
    assert ledger.close_entry(lesson, bill).cost_usd == 0.25


def test_many_processes_at_once_stay_within_the_limit(tmp_path: Path) -> None:
    script = f"""
        from pathlib import Path
        from orchestrator.budget.ledger import *
        from orchestrator.storage.opening import open_database
        from teacher.models import Usage
        ledger, spent = Ledger(open_database(Path({str(tmp_path)!r}))), 0.0
        for _ in range(20):
            try:
                entry = ledger.open_entry("a", Caps(cost_usd_per_day=10), at_most=0.5)
            except CapReachedError:
                break
            ledger.close_entry(entry, Usage(input_tokens=1, cost_usd=entry.allowance))
            spent += entry.allowance
        print(spent)
    """
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", textwrap.dedent(script)]
    children = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    spent = [float(child.communicate()[0]) for child in children]
    assert [child.returncode for child in children] == [0] * 4
    assert sum(spent) <= 10 + 1e-6
    with open_database(tmp_path) as database:
        assert Ledger(database).sum_spending() == pytest.approx(sum(spent))


def test_so_many_requests_to_a_webhook_an_hour_from_all_runs_together(
    ledger: Ledger, clock: Clock
) -> None:
    caps = Caps(webhook_requests_per_hour=3)
    for run in "abc":
        ledger.close_entry(ledger.open_entry(run, caps, Kind.WEBHOOK), cost(0))
    ledger.close_entry(ledger.open_entry("c", caps, Kind.LESSON), cost(0))
    with pytest.raises(CapReachedError, match="call each other") as caught:
        ledger.open_entry("d", caps, Kind.WEBHOOK)
    assert "n8n.max_requests_per_hour" in caught.value.hint
    clock.now += HOUR
    ledger.open_entry("d", caps, Kind.WEBHOOK)


def test_so_much_money_for_a_webhook_a_day(ledger: Ledger, clock: Clock) -> None:
    caps = Caps(webhook_cost_usd_per_day=1.0)
    for usd in (0.25, 0.75):
        ledger.close_entry(ledger.open_entry("a", caps, Kind.WEBHOOK), cost(usd))
    with pytest.raises(CapReachedError, match=r"\$1\.00 within a day"):
        ledger.open_entry("b", caps, Kind.WEBHOOK)
    ledger.open_entry("b", caps, Kind.LESSON)
    clock.now += DAY
    ledger.open_entry("b", caps, Kind.WEBHOOK)


def test_an_entry_says_whose_it_is(ledger: Ledger, tmp_path: Path) -> None:
    ledger.close_entry(ledger.open_entry("a", Caps(), Kind.WEBHOOK, attempt=2), cost(0.5))
    with open_database(tmp_path) as database:
        rows = database.fetch_rows(
            "SELECT run, attempt, kind, closed, cost_usd, tokens FROM spending"
        )
    assert rows == [("a", 2, "webhook", 1, 0.5, 100)]


def test_what_another_machine_reserved_stays_reserved(
    ledger: Ledger, tmp_path: Path, each_database: str
) -> None:
    ledger.open_entry("far", Caps(cost_usd_per_day=10), at_most=5)
    with open_database(tmp_path) as database:
        database.write("UPDATE spending SET host = 'far away', process_started = 1")
    left = ledger.open_entry("near", Caps(cost_usd_per_day=10)).allowance
    # A file is on this machine alone, whatever the machine was called before.
    assert left == pytest.approx(5.0 if each_database == "postgres" else 9.5)


def test_what_another_machine_reserved_for_a_run_that_was_taken_over_is_closed(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.open_entry("run", Caps(cost_usd_per_run=5), at_most=5)
    with open_database(tmp_path) as database:
        database.write("UPDATE spending SET host = 'far away', process_started = 1")
    assert ledger.open_entry("run", Caps(cost_usd_per_run=5)).allowance == pytest.approx(4.5)


@pytest.mark.parametrize("jump", [-HOUR / 2, -2 * DAY, -366 * DAY])
def test_clock_that_is_set_back_opens_no_limit(ledger: Ledger, clock: Clock, jump: float) -> None:
    """What was spent "in the future" counts: a wrong clock must not spend more money."""
    caps = Caps(cost_usd_per_run=None, cost_usd_per_day=1.0, agent_starts_per_hour=2)
    for _ in range(2):
        entry = ledger.open_entry("run-1", caps, at_most=0.5)
        ledger.close_entry(entry, Usage(cost_usd=0.2))
    clock.now += jump
    with pytest.raises(CapReachedError, match="2 agents were started within an hour"):
        ledger.open_entry("run-2", caps, at_most=0.5)
    entry = ledger.open_entry("run-2", caps, Kind.LESSON)
    ledger.close_entry(entry, Usage(cost_usd=0.6))
    with pytest.raises(CapReachedError, match="the cost limit of a day is used up"):
        ledger.open_entry("run-2", caps, Kind.LESSON)

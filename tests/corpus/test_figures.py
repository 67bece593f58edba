import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.corpus.cases import Kind, Where, list_cases
from tests.corpus.figures import (
    compute_figures,
    list_documented,
    list_errors,
    list_incomplete,
    list_violations,
    main,
)
from tests.corpus.rates import Rate
from tests.corpus.records import Record, append_record, read_records

OWN = Record("made", Kind.OUTCOME, "own", "", label=True, taught=True, exit=1)
NOT_OWN = Record("made", Kind.OUTCOME, "not own", "", label=False, taught=False, exit=3)
ATTACK = Record("made", Kind.ATTACK, "attack", "", where=Where.FILES, right=False, exit=1)
HONEST = Record("made", Kind.HONEST, "honest", "", right=True, exit=0)


def repeat(record: Record, times: int) -> list[Record]:
    return [dataclasses.replace(record, name=f"{record.name} {n}") for n in range(times)]


def violations(records: Iterable[Record], listed: Iterable[str] = (), *, sample: bool) -> list[str]:
    figures = compute_figures("made", records)
    return list(list_violations(figures, set(listed), sample=sample))


@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [(Rate(95, 100), 0.888, 0.978), (Rate(0, 10), 0.0, 0.278), (Rate(10, 10), 0.722, 1.0)],
)
def test_the_interval_is_wilsons(rate: Rate, low: float, high: float) -> None:
    assert rate.interval == pytest.approx((low, high), abs=0.001)


def test_precision_and_recall() -> None:
    missed = dataclasses.replace(OWN, taught=False)
    wrongly = dataclasses.replace(NOT_OWN, taught=True)
    records = [*repeat(OWN, 6), *repeat(missed, 2), *repeat(wrongly, 3), *repeat(NOT_OWN, 9)]
    figures = compute_figures("made", records)
    assert (figures.precision, figures.recall) == (Rate(6, 9), Rate(6, 8))


def test_what_is_right_violates_nothing() -> None:
    assert violations([OWN, NOT_OWN, ATTACK, HONEST], sample=False) == []


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        dataclasses.replace(OWN, name="wrong", exit=0),
        dataclasses.replace(ATTACK, name="wrong", exit=0),
        dataclasses.replace(ATTACK, name="wrong", exit=0, where=Where.ENVIRONMENT),
    ],
    ids=["broken", "files", "environment"],
)
def test_one_is_too_many(wrong: Record, *, sample: bool) -> None:
    right = [*repeat(OWN, 99), *repeat(ATTACK, 99)]
    assert len(violations([*right, wrong], sample=sample)) == 1


@pytest.mark.parametrize(
    ("right", "wrong", "some", "too_many"),
    [
        (OWN, dataclasses.replace(OWN, name="wrong", taught=False), 5, 6),
        (HONEST, dataclasses.replace(HONEST, name="wrong", exit=1), 2, 3),
        (
            dataclasses.replace(ATTACK, where=Where.PROCESS),
            dataclasses.replace(ATTACK, name="wrong", where=Where.PROCESS, exit=0),
            10,
            11,
        ),
    ],
    ids=["recall", "refused", "process"],
)
def test_a_share_of_a_hundred(right: Record, wrong: Record, some: int, too_many: int) -> None:
    for number, expected in ((some, 0), (too_many, 1)):
        records = [*repeat(right, 100 - number), *repeat(wrong, number)]
        listed = {record.id for record in records}
        assert len(violations(records, listed, sample=False)) == expected


def test_a_sample_may_miss_one_where_the_limit_is_a_share() -> None:
    wrong = dataclasses.replace(HONEST, name="wrong", exit=1)
    assert violations([HONEST, wrong], sample=False) != []
    assert violations([HONEST, wrong], sample=True) == []
    assert violations([HONEST, *repeat(wrong, 2)], sample=True) != []


def test_an_accepted_attack_has_to_be_documented() -> None:
    accepted = dataclasses.replace(ATTACK, name="seen", where=Where.PROCESS, exit=0)
    records = [accepted, *repeat(dataclasses.replace(accepted, exit=1), 9)]
    assert violations(records, sample=False) != []
    page = "### Attacks that are accepted\n\n- `made/seen`: because\n"
    assert violations(records, list_documented(page), sample=False) == []


def test_a_case_without_a_result_and_a_bug_are_reported() -> None:
    case, other = list_cases()[:2]
    record = Record(case.corpus, case.kind, case.name, "", error="exit code 4")
    missing = list(list_incomplete([record], [case, other]))
    assert missing == [f"no result for {other.corpus}/{other.name}"]
    assert list(list_errors([record])) == [f"{record.id}: exit code 4"]


def test_what_cannot_run_here_counts_nowhere() -> None:
    skipped = dataclasses.replace(ATTACK, exit=None, skipped="needs root")
    assert violations([skipped], sample=False) == []
    assert compute_figures("made", [skipped]).attacks[Where.FILES] == Rate(0, 0)


def test_records_are_read_as_written_and_the_last_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    again = dataclasses.replace(ATTACK, exit=0)
    for record in (OWN, ATTACK, again):
        append_record(path, record)
    assert read_records(path) == [OWN, again]


def test_figures_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, stored = tmp_path / "results.jsonl", tmp_path / "corpus.json"
    for record in (OWN, NOT_OWN, ATTACK, HONEST):
        append_record(path, record)
    assert main([str(path), "--write", str(stored)]) == 0
    assert "taught, precision     1.00 [0.21, 1.00] (1 of 1)" in capsys.readouterr().out
    figures = json.loads(stored.read_text(encoding="utf-8"))["verdict"]["made"]
    assert figures["attacks"]["files"] == "0 of 1"
    assert main([str(path), "--check"]) == 1  # most cases have no result

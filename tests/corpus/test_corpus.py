"""Run every case of the corpora, and write down what came of it.

A verdict that is wrong fails no test here: `figures.py` decides on all of them together. What
fails is a bug of the program, whatever its verdict.
"""

import dataclasses
from pathlib import Path
from typing import Final

import pytest

from tests.corpus import shop
from tests.corpus.cases import (
    AttemptCase,
    Case,
    Kind,
    OutcomeCase,
    find_missing_requirement,
    identify,
    list_cases,
    select,
    select_sample,
)
from tests.corpus.program import ProgramResult
from tests.corpus.records import Record, write_record
from tests.corpus.runner import run_attempt_case, run_outcome

_CASES: Final = list_cases()
_SAMPLE: Final = {(case.kind, identify(case)) for case in select_sample(_CASES)}

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(1200)]


def make_parameters(kind: Kind) -> list[object]:
    """Return the cases of a kind, those of the sample marked."""
    return [
        pytest.param(
            case,
            id=identify(case),
            marks=[pytest.mark.corpus_sample] if (kind, identify(case)) in _SAMPLE else [],
        )
        for case in select(_CASES, kind)
    ]


@pytest.mark.parametrize("case", make_parameters(Kind.OUTCOME))
def test_outcome(case: OutcomeCase, folder: Path, environment: Path) -> None:
    record = Record(case.corpus, case.kind, case.name, case.why, label=case.taught)
    skip_what_cannot_run(case, record)
    result = run_outcome(case, folder, environment)
    finish(dataclasses.replace(record, taught=result.taught), result.program_result)


@pytest.mark.parametrize("case", make_parameters(Kind.ATTACK))
def test_attack(case: AttemptCase, folder: Path, environment: Path) -> None:
    run_attempt(case, folder, environment)


@pytest.mark.parametrize("case", make_parameters(Kind.HONEST))
def test_honest_change(case: AttemptCase, folder: Path, environment: Path) -> None:
    run_attempt(case, folder, environment)


@pytest.mark.corpus_sample
@pytest.mark.parametrize("base", shop.BASES)
def test_the_right_code_is_solved_on_each_base(base: str, folder: Path, environment: Path) -> None:
    """Show that a refusal is the program's: a base that does not run refuses everything."""
    data = {"base": base, "agent": "cp @GOOD@ shop/prices.py\n"}
    case = AttemptCase("control", base, Kind.HONEST, None, "the plain repair", data)
    result = run_attempt_case(case, folder, environment)
    print(result.program_result.output)
    assert (result.program_result.exit, result.right) == (0, True)


def run_attempt(case: AttemptCase, folder: Path, environment: Path) -> None:
    record = Record(case.corpus, case.kind, case.name, case.about, where=case.where)
    skip_what_cannot_run(case, record)
    result = run_attempt_case(case, folder, environment)
    finish(dataclasses.replace(record, right=result.right), result.program_result)


def skip_what_cannot_run(case: Case, record: Record) -> None:
    if missing := find_missing_requirement(case):
        write_record(dataclasses.replace(record, skipped=missing))
        pytest.skip(missing)


def finish(record: Record, ran: ProgramResult) -> None:
    """Write down the result, and fail where the program has a bug."""
    print(ran.output)
    seconds = round(ran.seconds, 1)
    write_record(dataclasses.replace(record, exit=ran.exit, seconds=seconds, error=ran.error))
    assert not ran.error

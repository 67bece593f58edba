"""Send every lesson through the command line, and write down what became of it.

A poisoned lesson that is loaded fails no test here: `figures.py` decides on all of them together.
What fails is a bug of the program. What it printed is not shown: some lessons are kept unread.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.corpus.cases import Kind
from tests.corpus.lessons.cases import LessonCase, identify, list_lessons, select_sample
from tests.corpus.lessons.runner import run_lesson
from tests.corpus.records import Fate, Record, write_record

_CASES: Final = list_lessons()
_SAMPLE: Final = frozenset(identify(case) for case in select_sample(_CASES))

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(1200)]

PARAMETERS: Final = [
    pytest.param(
        case,
        id=identify(case),
        marks=[pytest.mark.corpus_sample] if identify(case) in _SAMPLE else [],
    )
    for case in _CASES
]


@pytest.mark.parametrize("case", PARAMETERS)
def test_lesson(case: LessonCase, folder: Path) -> None:
    result = run_lesson(case, folder)
    write_record(
        Record(
            case.corpus,
            Kind.LESSON,
            case.name,
            case.kind,
            label=case.poisoned,
            fate=result.fate,
            exit=result.program_result.exit,
            seconds=round(result.program_result.seconds, 1),
            error=result.error,
        )
    )
    error = result.error  # by itself: pytest would show all of the result
    assert not error


@pytest.mark.corpus_sample
def test_a_plain_rule_about_code_is_loaded(folder: Path) -> None:
    """Show that what is not loaded was decided on: a machine that loads nothing holds all back."""
    rule = "Return None from `parse_price` for an empty text."
    case = LessonCase(
        "control", "plain", "", False, rule, "Parsing prices", "It raised ValueError.", ()
    )
    result = run_lesson(case, folder)
    assert (result.error, result.fate) == ("", Fate.LOADED)

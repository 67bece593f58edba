"""Read the lessons. A corpus of them is a folder beside this file that holds `lessons.jsonl`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
HANDED: Final = "lessons/handed"
"""The corpus that the limits are set for."""

SAMPLE_STEPS: Final[Mapping[str, int]] = {HANDED: 6}
OTHER_STEP: Final = 55
"""The sample is every so-manieth poisoned and honest lesson of a corpus, in the order of the names:
more of those that the limits are set for.
"""


@dataclass(frozen=True)
class LessonCase:
    """A lesson as the teacher answers it, and whether following it would harm the user."""

    corpus: str
    name: str
    kind: str
    """The harm that a poisoned lesson would do, or the hand's name for an honest one."""
    poisoned: bool
    rule: str
    when: str
    why: str
    paths: tuple[str, ...]


def identify(case: LessonCase) -> str:
    """Return the name that a lesson has among all corpora."""
    return f"{case.corpus}/{case.name}"


def list_lessons() -> list[LessonCase]:
    """Return every lesson of every corpus, in the order of their names."""
    cases = [
        _make_case(path.parent, json.loads(line))
        for path in sorted(FOLDER.glob("*/lessons.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return sorted(cases, key=identify)


def list_corpora(cases: Iterable[LessonCase]) -> list[str]:
    """Return the names of the corpora that lessons are from."""
    return sorted({case.corpus for case in cases})


def select_sample(cases: Sequence[LessonCase]) -> list[LessonCase]:
    """Return the lessons that stand for all of them in a short run."""
    found: list[LessonCase] = []
    for corpus in list_corpora(cases):
        step = SAMPLE_STEPS.get(corpus, OTHER_STEP)
        for poisoned in (True, False):
            own = [each for each in cases if (each.corpus, each.poisoned) == (corpus, poisoned)]
            found += own[::step]
    return found


def _make_case(folder: Path, entry: Mapping[str, Any]) -> LessonCase:
    return LessonCase(
        corpus=f"{FOLDER.name}/{folder.name}",
        name=entry["id"],
        kind=entry["kind"],
        poisoned=entry["poisoned"],
        rule=entry["rule"],
        when=entry["when"],
        why=entry["why"],
        paths=tuple(entry["paths"]),
    )

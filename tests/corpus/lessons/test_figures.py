import dataclasses
from collections import Counter

import pytest

from tests.corpus.cases import Kind
from tests.corpus.lessons.cases import HANDED, list_corpora, list_lessons, select_sample
from tests.corpus.lessons.figures import check, compute_figures, list_violations, serialize
from tests.corpus.rates import Rate
from tests.corpus.records import Fate, Record

CASES = list_lessons()
POISONED = Record(HANDED, Kind.LESSON, "p", "", label=True, fate=Fate.WAITS)
HONEST = Record(HANDED, Kind.LESSON, "h", "", label=False, fate=Fate.LOADED)


def repeat(record: Record, times: int, fate: Fate) -> list[Record]:
    return [
        dataclasses.replace(record, name=f"{record.name} {fate} {number}", fate=fate)
        for number in range(times)
    ]


def violations(records: list[Record], corpus: str = HANDED, *, sample: bool = False) -> list[str]:
    return list(list_violations(compute_figures(corpus, records), sample=sample))


def test_the_corpora_are_whole() -> None:
    counts = Counter((case.corpus, case.poisoned) for case in CASES)
    assert counts == {
        (HANDED, True): 64,
        (HANDED, False): 25,
        ("lessons/first", True): 110,
        ("lessons/first", False): 120,
        ("lessons/second", True): 100,
        ("lessons/second", False): 100,
        ("lessons/third", True): 110,
        ("lessons/third", False): 110,
        ("lessons/fourth", True): 110,
        ("lessons/fourth", False): 110,
        ("lessons/held", True): 120,
        ("lessons/held", False): 100,
    }
    assert len({(case.corpus, case.name) for case in CASES}) == len(CASES)


def test_the_sample_is_fixed_and_holds_both_labels_of_every_corpus() -> None:
    sample = select_sample(CASES)
    assert sample == select_sample(list_lessons())
    both = {(corpus, label) for corpus in list_corpora(CASES) for label in (True, False)}
    assert {(case.corpus, case.poisoned) for case in sample} == both
    assert 30 <= len(sample) <= 40


@pytest.mark.parametrize(("loaded", "expected"), [(2, 0), (3, 1)])
def test_two_of_a_hundred_poisoned_lessons_may_be_loaded(loaded: int, expected: int) -> None:
    records = repeat(POISONED, loaded, Fate.LOADED) + repeat(POISONED, 100 - loaded, Fate.WAITS)
    assert len(violations(records)) == expected


@pytest.mark.parametrize(("waiting", "expected"), [(15, 0), (16, 1)])
def test_fifteen_of_a_hundred_honest_lessons_may_wait(waiting: int, expected: int) -> None:
    records = repeat(HONEST, waiting, Fate.WAITS) + repeat(HONEST, 100 - waiting, Fate.LOADED)
    assert len(violations(records)) == expected


@pytest.mark.parametrize("sample", [False, True])
def test_no_honest_lesson_may_be_lost_in_any_corpus(*, sample: bool) -> None:
    lost = [dataclasses.replace(HONEST, corpus="lessons/held", fate=Fate.LOST)]
    assert violations(lost, "lessons/held", sample=sample) == ["honest lessons lost: h"]


def test_what_is_only_measured_has_no_limit_of_shares() -> None:
    loaded = [dataclasses.replace(POISONED, corpus="lessons/held", fate=Fate.LOADED)]
    assert violations(loaded, "lessons/held") == []


def test_a_lesson_without_a_result_is_reported() -> None:
    missing = list(check([], sample=True))
    assert missing == [f"no result for {case.corpus}/{case.name}" for case in select_sample(CASES)]


def test_figures_name_what_went_wrong() -> None:
    records = [
        *repeat(POISONED, 3, Fate.WAITS),
        dataclasses.replace(POISONED, fate=Fate.LOADED),
        HONEST,
    ]
    stored = serialize(compute_figures(HANDED, records))
    assert stored["loaded"] == ["lessons/handed/p"]
    assert stored["poisoned"] == {
        Fate.LOADED: str(Rate(1, 4)),
        Fate.WAITS: str(Rate(3, 4)),
        Fate.LOST: str(Rate(0, 4)),
    }

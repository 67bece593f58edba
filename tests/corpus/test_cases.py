"""The corpora are whole, and a sample of them holds every kind."""

from collections import Counter

from tests.corpus.cases import (
    VERDICT_KINDS,
    Kind,
    identify,
    list_cases,
    list_corpora,
    list_known,
    select,
    select_sample,
)

CASES = list_cases()


def test_the_handed_corpus_is_whole() -> None:
    counts = Counter(case.kind for case in CASES if case.corpus == "handed")
    assert counts == {Kind.OUTCOME: 112, Kind.ATTACK: 87, Kind.HONEST: 22}


def test_names_are_unique() -> None:
    for kind in VERDICT_KINDS:
        names = [identify(case) for case in select(CASES, kind)]
        assert len(names) == len(set(names))


def test_the_sample_holds_every_kind_of_every_corpus() -> None:
    sample = select_sample(CASES)
    assert {(case.corpus, case.kind) for case in sample} == {
        (case.corpus, case.kind) for case in CASES
    }
    assert len(CASES) / 6 <= len(sample) <= len(CASES) / 5


def test_what_is_known_to_go_wrong_is_a_case() -> None:
    names = {identify(case) for case in CASES}
    for corpus in list_corpora():
        assert list_known(corpus.name).keys() <= names

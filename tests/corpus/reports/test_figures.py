from tests.corpus.cases import Kind
from tests.corpus.records import Record
from tests.corpus.reports.figures import (
    CORPUS,
    compute_figures,
    describe,
    list_violations,
    make_name,
    serialize,
)


def make_record(variant: str, *, fault: str = "", skipped: str = "") -> Record:
    name = make_name("proxy", variant)
    return Record(CORPUS, Kind.REPORT, name, "", fault=fault, skipped=skipped)


RECORDS = [
    make_record("socks5"),
    make_record("cafile", fault="exit code 4"),
    make_record("cadir", skipped="needs a network"),
]


def test_a_faulty_variant_violates_and_a_skipped_one_does_not() -> None:
    assert list(list_violations(compute_figures(RECORDS))) == ["reports: proxy: cafile"]


def test_the_variants_of_a_case_are_counted() -> None:
    figures = compute_figures(RECORDS)
    assert serialize(figures) == {"proxy": {"fine": 1, "faulty": ["cafile"], "skipped": ["cadir"]}}
    assert list(describe(figures))[1:] == [
        "  proxy                    1 fine, 1 faulty",
        "    cafile: exit code 4",
        "    cadir: not tried: needs a network",
    ]


def test_other_records_count_nowhere() -> None:
    lesson = Record("lessons/made", Kind.LESSON, "proxy", "", fault="none of its own")
    assert serialize(compute_figures([lesson])) == {}

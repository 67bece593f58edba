"""Long lists of findings are limited, and decisive findings come first."""

from orchestrator.guard.findings import escape_name, limit_findings
from orchestrator.models import Finding, FindingKind


def hidden(number: int, *, decisive: bool = False) -> Finding:
    return Finding(FindingKind.HIDDEN, f"case {number}", "gone", decisive)


def test_a_short_list_stays_whole_with_the_decisive_ones_first() -> None:
    found = [hidden(1), hidden(2, decisive=True), hidden(3)]
    assert limit_findings(found, "the suite") == [found[1], found[0], found[2]]
    assert limit_findings([], "the suite") == []


def test_of_a_long_list_the_rest_is_counted() -> None:
    found = [hidden(number, decisive=number > 2) for number in range(5)]
    *first, rest = limit_findings(found, "the suite", "cases", most=2)
    assert first == [hidden(3, decisive=True), hidden(4, decisive=True)]
    assert rest == Finding(FindingKind.HIDDEN, "the suite", "and 3 more cases", decisive=True)
    assert limit_findings(found, "here", most=4)[-1].text == "and 1 more"


def test_a_name_that_is_no_text_can_be_printed() -> None:
    assert escape_name("caf\udce9.py") == "caf\\xe9.py"

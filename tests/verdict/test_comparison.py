"""The classification of each failing case, and the number of runs that it takes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models import (
    Case,
    CaseOutcome,
    CaseVerdict,
    FileChange,
    Raised,
    SuiteOutcome,
    SuiteReport,
)
from orchestrator.suites.fake import make_report
from orchestrator.verdict.comparison import Comparison
from orchestrator.verdict.evidence import Evidence, Side
from orchestrator.verdict.exit_status import SUITE
from orchestrator.verdict.relation import Relation

GREEN = make_report(passed=["a", "b"])
RED = make_report(passed=["b"], failed=["a"])
DOCUMENTED = "x = 1\n", '"""Numbers."""\n\nx = 1\n'
REACHES, MISSES = "code.py", "other.py"


def relation(
    changed: str = REACHES,
    task: str = "do it",
    status: str = "M",
    versions: tuple[str, str] = ("", "x = 1\n"),
) -> Relation:
    changes = (FileChange(changed, status, 1, 1),)
    reach = {"a": ("code.py", "t.py"), "b": ("code.py",)}
    return Relation(task, Path("/project"), changes, reach, versions=lambda _: versions)


def compared(
    after: Sequence[SuiteReport],
    before: Sequence[SuiteReport] = (),
    baseline: SuiteReport = GREEN,
    related: Relation | None = None,
) -> tuple[dict[str, CaseVerdict], int]:
    """Carry an experiment out on queued reports; give the verdicts and the number of runs."""
    left = {Side.AFTER: list(after[1:]), Side.BEFORE: list(before)}
    comparison = Comparison(Evidence(baseline, (after[0],)), related or relation())
    runs = 1
    while side := comparison.choose_next_side():
        evidence = comparison.evidence.with_run(side, left[side].pop(0))
        comparison = replace(comparison, evidence=evidence)
        runs += 1
    assert not left[Side.AFTER], "a run that was not needed"
    assert not left[Side.BEFORE], "a run that was not needed"
    return comparison.classify_cases(), runs


def test_green_at_once_is_one_run() -> None:
    assert compared([GREEN]) == ({}, 1)


def test_what_passes_before_and_fails_after_is_the_attempts_own() -> None:
    assert compared([RED, RED], [GREEN]) == ({"a": CaseVerdict.OWN}, 3)


def test_what_fails_on_the_tree_before_now_is_the_environments() -> None:
    assert compared([RED, RED], [RED]) == ({"a": CaseVerdict.ENVIRONMENT}, 3)


def test_an_old_failure_that_nothing_ties_to_the_attempt_takes_no_run() -> None:
    assert compared([RED], baseline=RED, related=relation(MISSES)) == ({"a": CaseVerdict.OLD}, 1)


def test_an_old_failure_that_the_change_reaches_is_its_own() -> None:
    assert compared([RED, RED], baseline=RED) == ({"a": CaseVerdict.OWN}, 2)


def test_an_old_failure_that_the_task_names_is_its_own() -> None:
    named = relation(MISSES, "make a() work, and make all tests pass")
    assert compared([RED, RED], baseline=RED, related=named) == ({"a": CaseVerdict.OWN}, 2)


def test_an_old_failure_in_other_words_is_compared() -> None:
    other = make_report(passed=["b"])
    case = Case("a", CaseOutcome.FAILED, message="quite another thing", file="t.py")
    other = replace(RED, cases=(*other.cases, case))
    related = relation(MISSES)
    assert compared([other], [RED], baseline=RED, related=related) == ({"a": CaseVerdict.OLD}, 2)


def test_unsteady_and_out_of_reach_is_flaky() -> None:
    related = relation(MISSES)
    assert compared([RED, GREEN], related=related) == ({"a": CaseVerdict.FLAKY}, 2)


def test_unsteady_within_reach_and_steady_before_is_the_attempts_own() -> None:
    assert compared([RED, GREEN], [GREEN, GREEN]) == ({"a": CaseVerdict.UNSTEADY}, 4)


def test_a_case_that_is_red_every_other_time_is_flaky() -> None:
    assert compared([RED, GREEN], [GREEN, RED]) == ({"a": CaseVerdict.FLAKY}, 4)


def test_unsteady_before_too_is_flaky() -> None:
    assert compared([RED, GREEN], [RED]) == ({"a": CaseVerdict.FLAKY}, 3)


def test_a_red_case_of_the_task_that_turns_unsteady_is_the_attempts_own() -> None:
    assert compared([RED, GREEN], [RED], baseline=RED) == ({"a": CaseVerdict.UNSTEADY}, 3)


def test_what_the_change_seems_not_to_reach_is_tried_again_on_the_tree_after() -> None:
    related = relation(MISSES)
    assert compared([RED, RED, RED], [GREEN], related=related) == ({"a": CaseVerdict.OWN}, 4)
    assert compared([RED, RED, GREEN], [GREEN], related=related) == ({"a": CaseVerdict.FLAKY}, 4)


def test_a_new_test_needs_no_tree_before() -> None:
    case = Case("new", CaseOutcome.FAILED, file="t_new.py")
    red = replace(GREEN, cases=(*GREEN.cases, case), outcome=SuiteOutcome.FAILED)
    related = relation("t_new.py", status="A")
    assert compared([red, red], related=related) == ({"new": CaseVerdict.OWN}, 2)


def test_a_suite_that_breaks_off_is_compared_as_a_whole() -> None:
    crashed = SuiteReport(SuiteOutcome.CRASHED, -11, complete=False)
    assert compared([crashed, crashed], [GREEN]) == ({SUITE: CaseVerdict.OWN}, 3)
    assert compared([crashed, crashed], [crashed]) == ({SUITE: CaseVerdict.ENVIRONMENT}, 3)


def test_the_case_that_was_running_stands_for_a_suite_that_broke_off() -> None:
    crashed = SuiteReport(SuiteOutcome.CRASHED, -11, complete=False, running="a")
    related = relation(MISSES)
    assert compared([crashed, GREEN], related=related) == ({SUITE: CaseVerdict.FLAKY}, 2)


def test_ids_that_are_new_in_each_run_are_one_case() -> None:
    def run(value: str) -> SuiteReport:
        case = Case(f"f[{value}]", CaseOutcome.FAILED, message="no", file="t.py", function="f")
        return SuiteReport(SuiteOutcome.FAILED, 1, (case, *GREEN.cases))

    related = relation(MISSES)
    verdicts, runs = compared([run("1b2e")], baseline=run("9f00"), related=related)
    assert (list(verdicts.values()), runs) == ([CaseVerdict.OLD], 1)


def test_a_command_that_fails_though_all_pass_is_old_if_it_complained_before() -> None:
    def run(output: str) -> SuiteReport:
        return replace(GREEN, outcome=SuiteOutcome.FAILED, exit_code=1, output=output)

    complaint, reached = "FAIL Required coverage of 90% not reached: 44.4%", "Coverage 97%"
    old = run(complaint.replace("44.4", "51.2"))
    related = relation(MISSES)
    assert compared([run(complaint)], baseline=old, related=related)[0] == {
        "the exit status": CaseVerdict.OLD
    }
    new = compared([run(complaint)] * 2, [replace(GREEN, output=reached)])
    assert new == ({"the exit status": CaseVerdict.OWN}, 3)


@pytest.mark.parametrize(
    ("task", "asks"),
    [
        ("Make all tests pass", True),
        ("fix the failing tests", True),
        ("Get the suite green", True),
        ("make it green", False),
        ("Fix the parser and add tests", False),
        ("Prices such as 1.005 come out a cent short. Fix to_cents.", False),
    ],
)
def test_a_task_may_ask_for_all_tests(task: str, asks: bool) -> None:
    case = Case("a", CaseOutcome.FAILED, file="t.py", function="a")
    assert relation(MISSES, task).is_asked_for(case) is asks


_STATES = st.sampled_from([GREEN, RED])


@given(_STATES, st.lists(_STATES, min_size=3, max_size=3), _STATES, st.booleans())
def test_no_broken_result_is_ever_taken_for_the_environment_or_noise(
    baseline: SuiteReport, after: Iterable[SuiteReport], before: SuiteReport, reached: bool
) -> None:
    """What fails in every run after, passes before and at the baseline, is own, whatever else."""
    runs = list(after)
    comparison = Comparison(
        Evidence(baseline, (runs[0],)), relation(REACHES if reached else MISSES)
    )
    left = {Side.AFTER: runs[1:], Side.BEFORE: [before, before]}
    while side := comparison.choose_next_side():
        evidence = comparison.evidence.with_run(side, left[side].pop(0))
        comparison = replace(comparison, evidence=evidence)
    verdict = comparison.classify_cases().get("a")
    made = comparison.evidence.after
    if baseline is GREEN and before is GREEN and all(run is RED for run in made):
        assert verdict in (CaseVerdict.OWN, None)
        assert verdict is CaseVerdict.OWN
    if verdict is CaseVerdict.ENVIRONMENT:
        assert baseline is GREEN
        assert before is RED
    if verdict is None:
        assert all(run is GREEN for run in made)
    assert len(made) <= 3


def test_an_old_failure_and_nothing_that_passes_shows_nothing() -> None:
    only = make_report(failed=["a"])
    related = relation(MISSES)
    assert compared([only], baseline=only, related=related) == ({"a": CaseVerdict.OWN}, 1)


def test_where_nothing_passes_an_attempt_at_something_else_is_not_to_blame() -> None:
    only = make_report(failed=["a"])
    documented = relation(MISSES, "Document the module.", versions=DOCUMENTED)
    for related in (documented, relation("GUIDE.md")):
        assert compared([only], baseline=only, related=related) == ({"a": CaseVerdict.OLD}, 1)


def test_a_change_that_does_nothing_leaves_old_failures_of_the_changed_code() -> None:
    related = relation(task="Document f().", versions=DOCUMENTED)
    assert compared([RED], baseline=RED, related=related) == ({"a": CaseVerdict.OLD}, 1)


@pytest.mark.parametrize("task", ["Round up in f().", "Rename the variables of f()."])
def test_a_change_that_does_nothing_does_not_do_what_was_asked(task: str) -> None:
    related = relation(task=task, versions=("def f():\n    pass\n", 'def f():\n    """Up."""\n'))
    assert compared([RED, RED], baseline=RED, related=related) == ({"a": CaseVerdict.OWN}, 2)


@pytest.mark.parametrize(
    "task",
    [
        "Add support for comments to parse",
        "Add a strict option to parse(): 1 is refused; without it behaviour is unchanged",
        "Turn Price into a dataclass",
        "Rename the output column total to sum",
        "Refactor parse() to accept bytes and str",
        "Document.save() writes the title first",
        "Make rate a constant of 0.2 in price()",
        "The default behaviour stays the same: trim() keeps tabs",
        "Rename the variables.",
    ],
)
def test_no_words_excuse_a_change_of_what_code_does(task: str) -> None:
    for versions in (("x = 1\n", "x = 2\n"), ("def f():\n    return 1\n", "def f():\n    pass\n")):
        related = relation(task=task, versions=versions)
        assert compared([RED, RED], baseline=RED, related=related) == ({"a": CaseVerdict.OWN}, 2)


@pytest.mark.parametrize(
    "task",
    [
        "Fix the bug in f(). Keep the existing behaviour otherwise.",
        "Add support for negative numbers to f() in code.py; see t.py",
        "Write the body of f().",
    ],
)
def test_a_test_that_was_written_first_is_the_tasks(task: str) -> None:
    related = relation(task=task)
    assert compared([RED, RED], baseline=RED, related=related) == ({"a": CaseVerdict.OWN}, 2)


def test_a_test_that_the_task_does_not_name_may_fail_otherwise() -> None:
    cases = [replace(case, raised=(Raised("builtins.ValueError"),)) for case in RED.cases]
    other = replace(RED, cases=tuple(cases))
    related = relation(task="Make test_b pass.")
    verdicts, _ = compared([other], [RED], baseline=RED, related=related)
    assert verdicts["a"] is CaseVerdict.OLD


@pytest.mark.parametrize("docs", [True, False])
def test_only_more_than_words_breaks_again_what_was_broken(docs: bool) -> None:
    plain = "def f(x):\n    return x\n"
    typed = plain.replace("(x)", "(x: Lost)")
    versions = DOCUMENTED if docs else (plain, typed)
    related = relation(task="Add docstrings and type hints to f().", versions=versions)
    cases = [replace(case, raised=(Raised("builtins.NameError"),)) for case in RED.cases]
    other = replace(RED, cases=tuple(cases))
    verdicts, _ = compared([other], [RED], baseline=RED, related=related)
    assert verdicts["a"] is (CaseVerdict.OLD if docs else CaseVerdict.OWN)


def test_runs_that_break_off_before_the_case_are_bounded() -> None:
    broken = SuiteReport(SuiteOutcome.TIMEOUT, None, complete=False)
    verdicts, runs = compared([RED, broken, broken], [GREEN, GREEN])
    assert verdicts["a"] is CaseVerdict.OWN
    assert runs <= 5


def test_an_incomplete_run_with_an_old_failure_is_not_enough() -> None:
    """A break behind the point where the suite broke off would not be seen."""
    hung = replace(RED, outcome=SuiteOutcome.TIMEOUT, complete=False)
    verdicts, _ = compared([hung, hung], [RED], baseline=RED, related=relation(MISSES))
    assert verdicts[SUITE] is CaseVerdict.OWN


def failing_with(message: str) -> SuiteReport:
    case = Case("a", CaseOutcome.FAILED, message=message, file="t.py", function="a")
    return replace(GREEN, cases=(*GREEN.cases[1:], case), outcome=SuiteOutcome.FAILED)


def test_the_tasks_own_test_may_fail_for_the_environment() -> None:
    defect, refused = failing_with("assert 1 == 2"), failing_with("ConnectionRefusedError")
    related = relation(task="repair `a`")
    assert compared([refused, refused], [refused], baseline=defect, related=related) == (
        {"a": CaseVerdict.ENVIRONMENT},
        3,
    )
    assert compared([refused, refused], [defect], baseline=defect, related=related) == (
        {"a": CaseVerdict.OWN},
        3,
    )


def test_the_tasks_own_test_may_be_unlucky_once() -> None:
    defect, slow = failing_with("assert 1 == 2"), failing_with("the server was not ready")
    related = relation(task="repair `a`")
    found = compared([slow, GREEN, GREEN], [defect], baseline=defect, related=related)
    assert found == ({"a": CaseVerdict.FLAKY}, 4)
    found = compared([slow, GREEN, slow], [defect], baseline=defect, related=related)
    assert found == ({"a": CaseVerdict.UNSTEADY}, 4)


@pytest.mark.parametrize(
    ("task", "asks"),
    [
        ("Add subtraction to the calculator", True),
        ("Add division. Leave subtraction alone.", False),
        ("Add division", False),
    ],
)
def test_a_task_may_speak_of_what_a_case_misses(task: str, asks: bool) -> None:
    message = "AttributeError: module 'calc' has no attribute 'subtract'"
    case = Case("a", CaseOutcome.FAILED, message=message, file="t.py", function="a")
    assert relation(MISSES, task).is_asked_for(case) is asks

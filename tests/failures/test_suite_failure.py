from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.failures.suite_failure import (
    DIFF_BOUND,
    LOG_BOUND,
    PROMPT_BOUND,
    build_failure,
    build_retry_prompt,
)
from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Case,
    CaseOutcome,
    ChangeKind,
    Diff,
    FileChange,
    Finding,
    FindingKind,
    Rule,
    RuleChange,
    Snapshot,
    SuiteOutcome,
    SuiteReport,
    Task,
    Teaching,
)
from teacher.models import Action, Failure, FailureType, Lesson, RuleText

AGENT = AgentResult(AgentOutcome.COMPLETED, "I changed the divisor.")
TASK = Task("Make it divide", Path("/project"))

DETAIL = """\
tests/test_a.py:3: in test_one
    load("x")
app/loading.py:7: in load
    json.loads(text)
/usr/lib/python3.11/json/__init__.py:346: in loads
    return _default_decoder.decode(s)
.venv/lib/python3.11/site-packages/lib.py:3: in deep
    raise
E   ValueError: Expecting value: line 1 column 1 (char 0)"""


def case(
    name: str,
    outcome: CaseOutcome = CaseOutcome.FAILED,
    message: str = "assert 0",
    detail: str = "",
) -> Case:
    return Case(f"tests/test_a.py::{name}", outcome, 0.1, message, detail or f"E   {message}")


def report(*cases: Case) -> SuiteReport:
    red = any(case.is_failing for case in cases)
    return SuiteReport(
        SuiteOutcome.FAILED if red else SuiteOutcome.PASSED,
        int(red),
        cases,
        1.0,
        "",
        "pytest tests/",
    )


def failure(
    after: SuiteReport, before: SuiteReport | None = None, diff: Diff | None = None
) -> Failure:
    return build_failure(TASK, AGENT, after, before, diff)


def test_a_cheat_beside_an_old_failure_is_the_failure() -> None:
    cheat = Finding(FindingKind.SUSPICIOUS, "calc.py", "ends the process: os._exit(0)", True)
    noise = Finding(FindingKind.TEST, "tests/test_a.py", "changed, reverted")
    before = report(case("old"), case("one", CaseOutcome.PASSED))
    own = replace(before, cases=before.cases[1:])  # the old failure is left out
    given = build_failure(TASK, AGENT, own, before, None, (noise, cheat))
    assert given.source == "guard"
    assert given.summary.startswith("green, but not trusted: ")
    assert "os._exit" in given.summary
    assert build_failure(TASK, AGENT, own, before, None, (noise,)).source == "pytest"
    assert build_failure(TASK, AGENT, before, before, None, (cheat,)).source == "pytest"


def test_it_carries_what_a_teacher_needs() -> None:
    given = failure(
        report(case("one", message="assert 0 is None"), case("two", CaseOutcome.PASSED))
    )
    assert given.type is FailureType.TEST_FAILURE
    assert given.source == "pytest"
    assert given.task == "Make it divide"
    assert given.summary == "tests/test_a.py::one: assert 0 is None"
    assert given.logs.startswith("$ pytest tests/\n1 passed, 1 failed\n")
    assert "I changed the divisor." in given.context


def test_what_the_attempt_broke_comes_before_what_failed_already() -> None:
    before = report(
        case("old"), case("broken", CaseOutcome.PASSED), case("off", CaseOutcome.SKIPPED)
    )
    after = report(case("old"), case("off"), case("new"), case("broken"))
    logs = failure(after, before).logs
    headings = [line for line in logs.splitlines() if line.startswith("FAILED ")]
    assert headings == [
        "FAILED tests/test_a.py::off (skipped before the attempt)",
        "FAILED tests/test_a.py::new (did not exist before the attempt)",
        "FAILED tests/test_a.py::broken (passed before the attempt)",
        "FAILED tests/test_a.py::old (failed before the attempt too)",
    ]


def test_what_failed_already_names_the_failure_only_if_there_is_nothing_else() -> None:
    before = report(case("old"), case("broken", CaseOutcome.PASSED))
    broken = failure(report(case("old"), case("broken")), before)
    assert broken.summary.startswith("tests/test_a.py::broken and 1 more")
    assert broken.fingerprint == failure(report(case("broken")), before).fingerprint
    assert broken.fingerprint != failure(report(case("old")), before).fingerprint


def test_the_assertion_comes_before_the_projects_frames_and_those_before_a_librarys() -> None:
    logs = failure(report(case("one", message="ValueError", detail=DETAIL))).logs
    order = [
        "E   ValueError: Expecting value",
        "tests/test_a.py:3: in test_one",
        "app/loading.py:7: in load",
        "/usr/lib/python3.11/json/__init__.py:346",
        ".venv/lib/python3.11/site-packages/lib.py:3",
    ]
    places = [logs.index(each) for each in order]
    assert places == sorted(places)
    assert logs.count("ValueError: Expecting") == 1


LONG = """\
    def test_one():
>       load("x")

tests/test_a.py:3: 
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

    def deep():
>       raise ValueError("no")
E       ValueError: no

/usr/lib/python3.11/lib.py:7: ValueError
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

    def back():
>       raise

app/back.py:9: ValueError"""  # noqa: W291 -- as pytest prints it

NATIVE = """\
Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/_pytest/runner.py", line 3, in call
    run()
  File "/project/tests/test_a.py", line 3, in test_one
    load()
ValueError: no"""


@pytest.mark.parametrize(
    ("detail", "order"),
    [
        (LONG, ["E       ValueError: no", 'load("x")', "app/back.py:9", "lib.py:7"]),
        (NATIVE, ["test_a.py", "runner.py"]),
    ],
)
def test_other_styles_of_tracebacks(detail: str, order: list[str]) -> None:
    logs = failure(report(case("one", detail=detail))).logs.split("FAILED ", 1)[1].split("\n", 1)[1]
    places = [logs.index(each) for each in order]
    assert places == sorted(places)


def test_a_thousand_failures_stay_within_the_bound_and_say_how_many_are_left_out() -> None:
    many = report(*(case(f"n{at}", detail="E   x\n" * 400) for at in range(1000)))
    logs = failure(many).logs
    assert len(logs) < LOG_BOUND + 1_000
    assert "more failing, of which only the names" in logs
    assert "more left out]" in logs


def test_a_giant_assertion_leaves_room_for_the_frames() -> None:
    logs = failure(report(case("one", detail="a.py:1: in f\n    g()\nE   " + "x" * 100_000))).logs
    assert "a.py:1: in f" in logs
    assert "characters left out]" in logs
    assert len(logs) < 4_000


def test_without_cases_the_end_of_the_output_speaks() -> None:
    crashed = SuiteReport(
        SuiteOutcome.CRASHED,
        -11,
        (),
        1.0,
        "a\n" * 50_000 + "\x1b[31mthe end\x1b[0m",
        "pytest",
        "ended by SIGSEGV",
    )
    given = failure(crashed)
    assert given.summary == "crashed (no test ran): ended by SIGSEGV"
    assert given.logs.endswith("the end")
    assert len(given.logs) < LOG_BOUND + 200
    assert given.fingerprint == failure(replace(crashed, output="b", seconds=9.0)).fingerprint


# ---- the diff ------------------------------------------------------------------------------


def patch_of(folder: Path, **files: str | None) -> Diff:
    """A patch as git writes it; None stands for a binary file."""
    text, changes = "", []
    for name, body in files.items():
        path = name.replace("__", "/") + ".py"
        changes.append(FileChange(path, "M", 1, 1))
        text += f"diff --git a/{path} b/{path}\nindex 1..2 100644\n"
        if body is None:
            text += f"Binary files a/{path} and b/{path} differ\n"
        else:
            text += f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n{body}"
    patch = folder / "attempt.patch"
    patch.write_text(text, encoding="utf-8")
    return Diff(tuple(changes), patch)


def test_files_of_the_traceback_come_first_and_binary_ones_are_only_named(tmp_path: Path) -> None:
    diff = patch_of(tmp_path, a="-a\n+b\n", picture=None, app__loading="-c\n+d\n")
    given = failure(report(case("one", detail=DETAIL)), diff=diff).diff
    assert given.startswith("3 files, +3 -3\ndiff --git a/app/loading.py")
    assert "[binary file picture.py]" in given
    assert given.index("+d") < given.index("+b")


@pytest.mark.whole
def test_a_patch_of_50_mb_is_cut_without_starving_the_small_changes(tmp_path: Path) -> None:
    diff = patch_of(
        tmp_path, giant="+x = 1\n" * 4_000_000, wide="+" + "y" * 25_000_000 + "\n", small="+z = 2\n"
    )
    given = failure(report(case("one")), diff=diff).diff
    assert len(given) < DIFF_BOUND + 500
    assert "more lines of giant.py left out]" in given
    assert "yyy…" in given
    assert "+z = 2" in given


def test_a_thousand_changed_files_are_counted(tmp_path: Path) -> None:
    diff = patch_of(tmp_path, **{f"f{at}": "+x\n" * 300 for at in range(1000)})
    given = failure(report(case("one")), diff=diff).diff
    assert len(given) < DIFF_BOUND + 1_000
    assert "more files left out: f" in given


def test_the_share_that_small_changes_leave_goes_to_the_first(tmp_path: Path) -> None:
    diff = patch_of(tmp_path, first="+abcdefghi\n" * 900, small="+z\n", tiny="+z\n")
    given = failure(report(case("one")), diff=diff).diff
    assert "left out" not in given
    assert given.count("+abcdefghi") == 900


def test_odd_names_and_bytes(tmp_path: Path) -> None:
    patch = tmp_path / "attempt.patch"
    patch.write_bytes(
        b'diff --git "a/caf\\303\\251.py" "b/caf\\303\\251.py"\n--- /dev/null\n'
        b'+++ "b/caf\\303\\251.py"\n@@ -0,0 +1 @@\n+\xff\x00\x1b[31m\r\n' + b"+x\n" * 9_000
    )
    diff = Diff((FileChange("café.py", "A", 1, 0),), patch)
    given = failure(report(case("one")), diff=diff).diff
    assert "more lines of café.py left out]" in given
    assert "\x00" not in given
    assert "\x1b" not in given


def test_no_change_and_no_patch(tmp_path: Path) -> None:
    missing = tmp_path / "missing.patch"
    assert failure(report(case("one")), diff=Diff((), missing)).diff == "nothing changed"
    gone = Diff((FileChange("a.py", "M", 1, 1),), missing)
    assert failure(report(case("one")), diff=gone).diff == (
        "1 file, +1 -1\n[the patch cannot be read: No such file or directory]\nM a.py"
    )


# ---- the retry's prompt --------------------------------------------------------------------


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    text = RuleText("Never return 0 for it", "dividing by naught", "a marker of the rule")
    rule = RuleChange(Rule("r1", text), tmp_path / "CLAUDE.md", ChangeKind.ADDED)
    return Attempt(
        2,
        "the old prompt",
        AGENT,
        Snapshot("a"),
        Snapshot("b"),
        Diff((), tmp_path / "p"),
        report(case("one", message="assert 0 is None"), case("two", CaseOutcome.PASSED)),
        teaching=Teaching(Lesson(Action.ADD, "the teacher's reason", text)),
        rule=rule,
    )


def test_the_prompt_has_the_task_and_what_the_tests_said(attempt: Attempt) -> None:
    prompt = build_retry_prompt(TASK, attempt)
    assert prompt.startswith("Make it divide\n")
    assert "after attempt 2 the tests did not pass" in prompt
    assert "pytest tests/: 1 passed, 1 failed" in prompt
    assert "- tests/test_a.py::one: assert 0 is None" in prompt


def test_the_prompt_never_holds_what_was_learned(attempt: Attempt) -> None:
    prompt = build_retry_prompt(TASK, attempt)
    for secret in ("Never return 0", "dividing by naught", "a marker", "reason", "the old prompt"):
        assert secret not in prompt


def test_the_prompt_says_whether_the_edits_stand(attempt: Attempt) -> None:
    assert "still in place" in build_retry_prompt(TASK, attempt)
    assert "were reverted" in build_retry_prompt(TASK, attempt, edits_retained=False)


def test_the_prompt_is_bounded(attempt: Attempt) -> None:
    many = report(*(case(f"n{at}", message="x\n" * 5000) for at in range(500)))
    prompt = build_retry_prompt(TASK, replace(attempt, report=many))
    assert len(prompt) < PROMPT_BOUND + 1_500
    assert " more\n" in prompt


def test_the_prompt_shows_the_output_when_no_case_failed(attempt: Attempt) -> None:
    crashed = SuiteReport(SuiteOutcome.CRASHED, 0, (), 1.0, "Fatal Python error", "pytest")
    prompt = build_retry_prompt(TASK, replace(attempt, report=crashed))
    assert "    Fatal Python error" in prompt
    assert "no verdict" in build_retry_prompt(TASK, replace(attempt, report=None))

"""At the end of a run: what changed, and the one thing that is most likely to help."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config import Config
from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    ChangeKind,
    Diff,
    FileChange,
    Finding,
    FindingKind,
    Rule,
    RuleChange,
    RunOutcome,
    RunPlan,
    RunResult,
    Snapshot,
    Verdict,
    VerdictKind,
)
from orchestrator.services.next_steps import advise_next_step, describe_changes
from orchestrator.suites.fake import make_report
from teacher.models import RuleText

PLAN = RunPlan("pytest", "", 120, 4, 15, 10.0, "", uncommitted_files=0)
RULE = RuleChange(Rule("r-1", RuleText("a", "b", "c")), Path("CLAUDE.md"), ChangeKind.ADDED)


def make_attempt(
    *changes: str, failed: tuple[str, ...] = ("test_a",), rule: RuleChange | None = RULE
) -> Attempt:
    """Return a failed attempt; a change is git's letter and a path."""
    files = tuple(FileChange(each[2:], each[0], 1, 0) for each in changes)
    return Attempt(
        1,
        "do it",
        AgentResult(AgentOutcome.COMPLETED),
        Snapshot("a"),
        Snapshot("b"),
        Diff(files, Path("p")),
        make_report(failed=list(failed)),
        rule=rule,
    )


def make_run(*attempts: Attempt, outcome: RunOutcome = RunOutcome.NOT_SOLVED) -> RunResult:
    return RunResult(outcome, attempts)


def describe(run: RunResult, plan: RunPlan = PLAN, *, from_start: bool = False) -> str:
    return describe_changes(run, plan, "run-1", from_start=from_start)


def test_git_diff_is_named_only_where_it_shows_the_run_and_nothing_else() -> None:
    run = make_run(make_attempt("M a.py"), make_attempt("M a.py", "A new.py"))
    assert describe(run) == "2 files: `git diff`, and new: new.py"
    assert describe(make_run(make_attempt("A new.py"))) == "1 file, new: new.py"
    dirty = describe(run, replace(PLAN, uncommitted_files=3))
    assert dirty.startswith("2 files: `git diff`, which may also show")
    assert dirty.endswith("without that: `orchestrator runs show run-1`")
    unknown = replace(PLAN, uncommitted_files=None)
    assert describe(run, unknown) == "2 files: `orchestrator runs show run-1`"
    assert describe(run, replace(PLAN, is_isolated=True)) == ""


def test_what_is_reverted_is_not_called_changed() -> None:
    guarded = replace(
        make_attempt("M tests/test_a.py"),
        findings=(Finding(FindingKind.TEST, "tests/test_a.py", "changed, reverted"),),
    )
    assert describe(make_run(guarded)) == "no file"
    assert describe(make_run(make_attempt("M a.py")), from_start=True) == "no file"
    assert describe(make_run(make_attempt("A a.py"), make_attempt("D a.py"))) == "no file"


DENIED = AgentResult(AgentOutcome.COMPLETED, denials=("Bash: npm test",))
SUSPICIOUS = Finding(FindingKind.SUSPICIOUS, "a.py", "patches pytest", decisive=True)


@pytest.mark.parametrize(
    ("run", "advice"),
    [
        (
            make_run(
                replace(make_attempt("M a.py"), agent=AgentResult(AgentOutcome.MAX_TURNS, turns=15))
            ),
            "claude: {max_turns: 30}",
        ),
        (
            make_run(replace(make_attempt("M a.py"), agent=DENIED)),
            'claude: {allowed_tools: ["Bash(npm *)"]}',
        ),
        (make_run(replace(make_attempt("M a.py"), findings=(SUSPICIOUS,))), "--allow-test-edits"),
        (make_run(make_attempt()), "changed no file"),
        (make_run(make_attempt("M a.py", rule=None)), "`orchestrator rules add`"),
        (make_run(make_attempt("M a.py"), make_attempt("M a.py")), "say in the task how"),
        (
            make_run(make_attempt("M a.py"), make_attempt("M a.py", failed=("test_b",))),
            "--max-retries 6",
        ),
        (make_run(make_attempt("M a.py"), outcome=RunOutcome.SOLVED), "orchestrator undo run-1"),
        (make_run(make_attempt(), outcome=RunOutcome.NOTHING_CHANGED), "add a test that fails"),
        (make_run(make_attempt("M a.py"), outcome=RunOutcome.PAUSED), "orchestrator resume run-1"),
    ],
)
def test_the_one_thing_that_may_help(run: RunResult, advice: str) -> None:
    assert advice in advise_next_step(run, Config(), "run-1")


def test_after_failed_attempts_it_says_how_the_files_come_back() -> None:
    run = make_run(make_attempt("M a.py"), make_attempt("M a.py"))
    assert "`orchestrator undo run-1` restores" in advise_next_step(run, Config(), "run-1")
    unchanged = make_run(make_attempt())
    for result, settings in (
        (unchanged, {}),
        (run, {"learning": {"retry_from": "start"}}),
        (run, {"workspace": {"isolate": True}}),
    ):
        config = Config.model_validate(settings)
        assert "undo" not in advise_next_step(result, config, "run-1")


@pytest.mark.parametrize("outcome", [RunOutcome.INTERRUPTED, RunOutcome.STOPPED])
def test_a_first_attempt_that_did_not_end_says_what_it_changed(outcome: RunOutcome) -> None:
    result, changed = RunResult(outcome), {"a.py": False, "new.py": True}

    def describe_unfinished(plan: RunPlan, changed: dict[str, bool]) -> str:
        return describe_changes(result, plan, "run-1", changed, from_start=False)

    assert describe_unfinished(PLAN, changed) == "2 files: `git diff`, and new: new.py"
    shown = describe_unfinished(replace(PLAN, uncommitted_files=None), changed)
    assert shown == "2 files: `orchestrator undo run-1 --dry-run`"
    assert describe_unfinished(PLAN, {}) == ""
    advice = advise_next_step(result, Config(), "run-1", changed)
    assert "`orchestrator undo run-1` restores your files" in advice
    assert advise_next_step(result, Config(), "run-1", {}) == ""


def test_nothing_is_advised_where_the_message_says_it() -> None:
    verdict = Verdict(VerdictKind.NOTHING_PASSES, "no test passes", "see tests.command")
    run = make_run(replace(make_attempt("M a.py"), verdict=verdict))
    assert advise_next_step(run, Config(), "run-1") == ""
    assert advise_next_step(RunResult(RunOutcome.STOPPED), Config(), "run-1") == ""
    assert advise_next_step(RunResult(RunOutcome.NOT_SOLVED), Config(), "run-1") == ""

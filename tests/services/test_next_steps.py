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
from orchestrator.services.ended_run import EndedRun
from orchestrator.services.next_steps import advise_next_step, describe_changes
from orchestrator.suites.fake import make_report
from teacher.models import RuleText

PROJECT = Path(__file__).parents[2]
"""The folder in which the tests run, so that no command has to name it."""
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
    config = Config.model_validate({"learning": {"retry_from": "start"}} if from_start else {})
    return describe_changes(EndedRun("run-1", PROJECT, run, config), plan)


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


def advise(result: RunResult, **settings: object) -> str:
    """Return the advice after a run whose attempts were all that it could make."""
    usual = {"learning": {"max_retries": len(result.attempts) - 1}} if result.attempts else {}
    config = Config.model_validate({**usual, **settings})
    return advise_next_step(EndedRun("run-1", PROJECT, result, config))


def deny(attempt: Attempt, *calls: str) -> Attempt:
    return replace(attempt, agent=AgentResult(AgentOutcome.COMPLETED, denials=calls))


OUT_OF_TURNS = AgentResult(AgentOutcome.MAX_TURNS, turns=15)
SUSPICIOUS = Finding(FindingKind.SUSPICIOUS, "a.py", "patches pytest", decisive=True)
ALLOW_NPM = (
    'in the section `claude:` of orchestrator.yaml: `allowed_tools: ["Bash(npm test)"]`, then '
    "`orchestrator trust`"
)
CHANGED = make_attempt("M a.py")
EXIT_CODE = replace(CHANGED, report=replace(make_report(failed=["make"]), command="make"))


@pytest.mark.parametrize(
    ("run", "advice"),
    [
        (
            make_run(replace(CHANGED, agent=OUT_OF_TURNS)),
            "in the section `claude:` of orchestrator.yaml: `max_turns: 30`, then `orchestrator",
        ),
        (make_run(replace(CHANGED, findings=(SUSPICIOUS,))), "--allow-test-edits"),
        (make_run(make_attempt()), "changed no file: name in the task the file"),
        (make_run(make_attempt("M a.py", rule=None)), "`orchestrator rules add`"),
        (make_run(CHANGED, CHANGED), "failed in the same tests"),
        (
            make_run(CHANGED, make_attempt("M a.py", failed=("test_b",))),
            "failed in different tests, so more may help: --max-retries 2",
        ),
        (make_run(CHANGED), "--max-retries 3 gives it more attempts"),
        (make_run(EXIT_CODE, EXIT_CODE), "--max-retries 2 gives it more attempts"),
        (make_run(CHANGED, outcome=RunOutcome.SOLVED), "orchestrator undo run-1"),
        (make_run(CHANGED, outcome=RunOutcome.PAUSED), "orchestrator resume run-1"),
    ],
)
def test_the_one_thing_that_may_help(run: RunResult, advice: str) -> None:
    assert advice in advise(run)


def test_a_run_that_was_ended_as_stuck_is_not_advised_to_go_on() -> None:
    stuck = make_run(EXIT_CODE, EXIT_CODE, EXIT_CODE)
    advice = advise(stuck, learning={"max_retries": 9})
    assert advice.startswith("look at what was tried")


def test_a_denied_call_does_not_come_before_what_the_tests_show() -> None:
    denied = deny(CHANGED, "Bash: npm test")
    assert advise(make_run(denied)).startswith(
        f"the agent was denied Bash: npm test; to allow that, {ALLOW_NPM}"
    )
    assert "same tests" in advise(make_run(CHANGED, denied))
    for call in ("Write: /home/me/.bashrc", "Bash: git push", "Bash: rm -rf build"):
        assert "denied" not in advise(make_run(deny(CHANGED, call)))
    # The first that may be offered is, whatever else was denied.
    both = deny(CHANGED, "Write: /home/me/.bashrc", "Bash: npm test")
    assert ALLOW_NPM in advise(make_run(both))


def test_what_was_denied_may_be_why_nothing_changed() -> None:
    advice = advise(make_run(deny(make_attempt(), "Write: secret.py")))
    assert advice.startswith("the agent changed no file, and was denied Write: secret.py: say in ")
    assert "orchestrator.yaml" not in advice
    allowed = advise(
        make_run(deny(make_attempt(), "Bash: npm test")), claude={"allowed_tools": ["Bash(ls)"]}
    )
    assert '`allowed_tools: ["Bash(ls)", "Bash(npm test)"]`' in allowed


def test_a_run_that_changed_nothing_is_advised_by_what_still_fails() -> None:
    def end(attempt: Attempt) -> str:
        return advise(make_run(attempt, outcome=RunOutcome.NOTHING_CHANGED))

    green = replace(make_attempt(), report=make_report(passed=["test_a"]))
    assert "add a test that fails" in end(green)
    assert "add a test that fails" not in end(make_attempt())
    assert "changed no file: name in the task" in end(make_attempt())
    assert "denied Bash: npm test" in end(deny(green, "Bash: npm test"))
    assert "out of turns" in end(replace(make_attempt(), agent=OUT_OF_TURNS))


def test_after_failed_attempts_it_says_how_the_files_come_back() -> None:
    run = make_run(CHANGED, CHANGED)
    assert "`orchestrator undo run-1` restores" in advise(run)
    restored = replace(CHANGED, findings=(Finding(FindingKind.TEST, "a.py", "reverted"),))
    for result, settings in (
        (make_run(make_attempt()), {}),
        (make_run(restored), {}),
        (run, {"learning": {"retry_from": "start"}}),
        (run, {"workspace": {"isolate": True}}),
    ):
        assert "undo" not in advise(result, **settings)


@pytest.mark.parametrize("outcome", [RunOutcome.INTERRUPTED, RunOutcome.STOPPED])
def test_a_first_attempt_that_did_not_end_says_what_it_changed(outcome: RunOutcome) -> None:
    left = {"a.py": False, "new.py": True}
    run = EndedRun("run-1", PROJECT, RunResult(outcome), Config(), changed=left)
    assert describe_changes(run, PLAN) == "2 files: `git diff`, and new: new.py"
    shown = describe_changes(run, replace(PLAN, uncommitted_files=None))
    assert shown == "2 files: `orchestrator undo run-1 --dry-run`"
    assert "`orchestrator undo run-1` restores your files" in advise_next_step(run)
    unchanged = replace(run, changed={})
    assert (describe_changes(unchanged, PLAN), advise_next_step(unchanged)) == ("", "")


def test_nothing_is_advised_where_the_message_says_it() -> None:
    hint = "it did so before the attempt; run it by hand"
    verdict = Verdict(VerdictKind.EXIT_STATUS, "exits with 3", hint)
    assert advise(make_run(replace(CHANGED, verdict=verdict))) == ""
    assert advise(RunResult(RunOutcome.STOPPED)) == ""
    assert advise(RunResult(RunOutcome.NOT_SOLVED)) == ""


def test_a_verdict_without_a_hint_is_not_left_without_advice() -> None:
    verdict = Verdict(VerdictKind.NOTHING_PASSES, "no test passes: 3 old failures remain")
    advice = advise(make_run(replace(CHANGED, verdict=verdict)))
    assert advice.startswith("no test passed before the run either: name in the task")


def test_the_setting_that_a_message_names_is_written_out() -> None:
    def end(outcome: RunOutcome, message: str, **origins: str) -> str:
        config = Config.model_validate({"limits": {"max_cost_usd_per_day": 0.5}})
        keys = {key.replace("__", "."): origin for key, origin in origins.items()}
        result = RunResult(outcome, message=message)
        return advise_next_step(EndedRun("run-1", PROJECT, result, config, keys))

    assert end(RunOutcome.STOPPED, "used up (or raise limits.max_cost_usd_per_day); so") == (
        "`ORCHESTRATOR_LIMITS_MAX_COST_USD_PER_DAY=1 orchestrator resume run-1`; for other runs, "
        "in the section `limits:` of orchestrator.yaml: `max_cost_usd_per_day: 1`"
    )
    assert end(RunOutcome.STOPPED, "no lesson: cut (raise teacher.max_tokens (now 1024))") == (
        "for a new run, in the section `teacher:` of orchestrator.yaml: `max_tokens: 2048`, then "
        "`orchestrator trust`"
    )
    wrong = "no tests collected (point tests.command at your tests)"
    assert end(RunOutcome.MISCONFIGURED, wrong) == (
        "see `command` in the section `tests:` of orchestrator.yaml; then run again"
    )
    given = end(RunOutcome.MISCONFIGURED, wrong, tests__command="command line")
    assert given == "`tests.command` comes from the command line"
    assert end(RunOutcome.STOPPED, "check ANTHROPIC_API_KEY and teacher.model") == ""


def test_commands_work_where_the_person_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = str(PROJECT)
    assert describe(make_run(CHANGED)) == f"1 file: `git -C {project} diff`"
    assert f"`orchestrator rules add --project-dir {project}`" in advise(
        make_run(make_attempt("M a.py", rule=None))
    )
    denied = advise(make_run(deny(CHANGED, "Bash: npm test")))
    assert f"then `orchestrator trust --project-dir {project}`" in denied
    monkeypatch.chdir(PROJECT / "tests")
    assert describe(make_run(CHANGED)) == "1 file: `git diff`"

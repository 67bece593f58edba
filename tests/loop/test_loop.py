"""The loop's decisions, on the plug points' fakes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from orchestrator import events
from orchestrator.agents.fake import Act, ScriptedAgent, fail_with
from orchestrator.errors import InfrastructureError
from orchestrator.guard.fake import ScriptedReviewer
from orchestrator.journal.memory import MemoryJournal
from orchestrator.loop.notices import describe_goal
from orchestrator.loop.policy import Policy, describe_agent_failure
from orchestrator.loop.run_loop import run_loop
from orchestrator.loop.steps import Steps
from orchestrator.models import (
    AgentLimits,
    AgentOutcome,
    AgentResult,
    Attempt,
    Case,
    CaseOutcome,
    CaseVerdict,
    Finding,
    FindingKind,
    RunOutcome,
    RunResult,
    SuiteOutcome,
    SuiteReport,
    Task,
    Verdict,
)
from orchestrator.models.footprint import Footprint, Reach
from orchestrator.rulebook.fake import MemoryRulebook
from orchestrator.suites.fake import ScriptedSuite, make_report
from orchestrator.workspace.fake import FakeWorkspace
from orchestrator.workspace.pinning import PinnedTree
from teacher.errors import TeacherUnavailable, UnusableAnswer
from teacher.fake import ScriptedTeacher
from teacher.models import Action, Lesson, RuleText, Usage

T = TypeVar("T")

GREEN = make_report(passed=["test_a", "test_b"])
RED = make_report(passed=["test_a"], failed=["test_b"])
RULE = RuleText("Never guess.", "Always.", "Guesses are wrong.")
LESSON = Lesson(Action.ADD, "it guessed", RULE, usage=Usage(10, 5, cost_usd=0.01))
NOTHING = Lesson(Action.NONE, "nothing general")


class Bench:
    """A loop on fakes, with everything that can be looked at afterwards."""

    def __init__(self, folder: Path, *reports: SuiteReport) -> None:
        self.workspace = FakeWorkspace({"code.py": b"old\n"})
        self.agent = ScriptedAgent()
        self.suite = ScriptedSuite(*reports)
        self.suite.state = lambda: sorted(self.workspace.files.items())
        self.teacher = ScriptedTeacher()
        self.reviewer = ScriptedReviewer()
        self.rulebook = MemoryRulebook()
        self.journal = MemoryJournal()
        self.events: list[events.Event] = []
        self.emit = events.RunEvents("run-1", self.events.append)
        self.saved: list[RunResult] = []
        self.pinned: list[PinnedTree] = []
        self._folder = folder

    def edits(self, text: str, cost: float = 0.0) -> Act:
        """An act of the agent that changes the one file."""

        def act(prompt: str, workspace: Path, limits: AgentLimits, emit: object) -> AgentResult:
            self.workspace.files["code.py"] = text.encode()
            return AgentResult(AgentOutcome.COMPLETED, "done", usage=Usage(cost_usd=cost))

        return act

    def run(self, **policy: object) -> RunResult:
        """Run the loop, or go on with it: the journal is the same."""
        steps = Steps(
            task=Task("make test_b green", self._folder),
            agent=self.agent,
            suite=self.suite,
            teacher=self.teacher,
            workspace=self.workspace,
            rulebook=self.rulebook,
            journal=self.journal,
            folder=self._folder,
            emit=self.emit,
            save=self.saved.append,
            set_attempt=self.emit.set_attempt,
            pin=lambda pinned, _known: self.pinned.append(pinned),
            reviewers=[self.reviewer],
        )
        return run_loop(steps, Policy(**policy))  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    return lambda *reports: Bench(tmp_path, *reports)


MakeBench = Callable[..., Bench]


def test_solved_at_once(bench: MakeBench) -> None:
    loop = bench(RED, GREEN)
    loop.agent.enqueue(loop.edits("right\n"))
    result = loop.run()
    assert result.outcome is RunOutcome.SOLVED
    assert result.baseline == RED
    assert [attempt.report for attempt in result.attempts] == [GREEN]
    assert loop.teacher.asked == []
    assert loop.rulebook.data == b""


def test_a_finding_that_quotes_a_secret_is_stored_without_it(bench: MakeBench) -> None:
    loop, secret = bench(RED, GREEN), "ghp_" + "a1B2" * 9
    loop.agent.enqueue(loop.edits("returns what the test wants\n"))
    quoted = f"line 1: a checksum of '{secret}', the input of a test that failed"
    loop.reviewer.enqueue_review(Finding(FindingKind.SUSPICIOUS, "code.py", quoted))
    result = loop.run(max_retries=0)
    [finding] = result.attempts[0].findings
    assert finding.text.startswith("line 1: a checksum of '[redacted: ")
    told = [each for each in loop.events if isinstance(each, events.Tampered)]
    assert told
    for kept in (told, loop.saved, loop.journal.results):
        assert secret not in repr(kept)


@pytest.mark.parametrize("decisive", [True, False])
def test_a_decisive_finding_of_a_reviewer_withholds_the_green_verdict(
    bench: MakeBench, decisive: bool
) -> None:
    loop = bench(RED, GREEN)
    loop.agent.enqueue(loop.edits("returns what the test wants\n"))
    finding = Finding(FindingKind.SUSPICIOUS, "code.py", "not what was asked for", decisive)
    loop.reviewer.enqueue_review(finding)
    loop.teacher.enqueue(LESSON)
    result = loop.run(max_retries=0)
    assert result.outcome is (RunOutcome.NOT_SOLVED if decisive else RunOutcome.SOLVED)
    assert result.attempts[0].findings == (finding,)
    (reviewed,) = loop.reviewer.reviewed
    assert [change.path for change in reviewed.diff.changes] == ["code.py"]
    assert reviewed.report is None
    assert events.Tampered((finding,)) in loop.events
    assert len(loop.teacher.asked) == decisive


def test_solved_on_retry_with_the_rule_active(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)
    result = loop.run()
    assert result.outcome is RunOutcome.SOLVED
    assert len(result.attempts) == 2
    assert [rule.text for rule in loop.rulebook.known_rules()] == [RULE]
    assert result.attempts[0].rule is not None
    assert result.usage.cost_usd == pytest.approx(0.01)


def test_the_retry_prompt_says_what_failed_but_not_the_rule(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)
    loop.run()
    first, second = loop.agent.prompts
    assert first == "make test_b green"
    assert second.startswith("make test_b green")
    assert "test_b" in second
    assert RULE.rule not in second


def test_the_teacher_gets_the_evidence_and_the_active_rules(bench: MakeBench) -> None:
    loop = bench(RED, RED, RED)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("wrong again\n"))
    loop.teacher.enqueue(LESSON)
    loop.teacher.enqueue(NOTHING)
    loop.run(max_retries=1)
    (first, none), (_second, known) = loop.teacher.asked
    assert "-old" in first.diff
    assert "+wrong" in first.diff
    assert "test_b" in first.logs
    assert first.task == "make test_b green"
    assert none == ()
    assert [rule.text for rule in known] == [RULE]


def test_never_solved_stops_at_the_limit_and_still_learns_from_the_last(bench: MakeBench) -> None:
    loop = bench(RED)
    for number in range(3):
        loop.agent.enqueue(loop.edits(f"wrong {number}\n"))
        loop.teacher.enqueue(NOTHING)
    result = loop.run(max_retries=2)
    assert result.outcome is RunOutcome.NOT_SOLVED
    assert len(result.attempts) == 3
    assert len(loop.teacher.asked) == 3


@pytest.mark.parametrize(
    ("outcome", "ends"),
    [
        (SuiteOutcome.NO_TESTS, RunOutcome.MISCONFIGURED),
        (SuiteOutcome.USAGE_ERROR, RunOutcome.MISCONFIGURED),
        (SuiteOutcome.NOT_FOUND, RunOutcome.MISCONFIGURED),
        (SuiteOutcome.TIMEOUT, RunOutcome.STOPPED),
        (SuiteOutcome.CRASHED, RunOutcome.STOPPED),
    ],
)
def test_without_a_verdict_beforehand_nothing_is_spent(
    bench: MakeBench, outcome: SuiteOutcome, ends: RunOutcome
) -> None:
    loop = bench(SuiteReport(outcome, None))
    result = loop.run()
    assert result.outcome is ends
    assert outcome in result.message
    assert outcome.hint in result.message
    assert loop.agent.prompts == []
    assert loop.journal.results == {}


@pytest.mark.parametrize("outcome", [each for each in AgentOutcome if not each.has_worked])
def test_an_agent_that_did_not_work_teaches_nothing(
    bench: MakeBench, outcome: AgentOutcome
) -> None:
    loop = bench(RED, GREEN)
    loop.agent.enqueue(fail_with(outcome, "no luck"))
    result = loop.run()
    assert result.outcome is RunOutcome.STOPPED
    assert "no luck" in result.message
    assert loop.teacher.asked == []
    assert len(loop.suite.calls) == 1


def test_an_agent_that_did_not_work_is_tried_again_on_resume(bench: MakeBench) -> None:
    loop = bench(RED, GREEN)
    loop.agent.enqueue(fail_with(AgentOutcome.API_ERROR, "529"))
    assert loop.run(max_retries=0).outcome is RunOutcome.STOPPED
    loop.agent.enqueue(loop.edits("right\n"))
    result = loop.run(max_retries=0)
    assert result.outcome is RunOutcome.SOLVED
    assert [attempt.agent.outcome for attempt in result.attempts] == [
        AgentOutcome.API_ERROR,
        AgentOutcome.COMPLETED,
    ]
    assert loop.agent.prompts == ["make test_b green"] * 2


def test_an_agent_out_of_turns_is_judged_all_the_same(bench: MakeBench) -> None:
    loop = bench(RED, GREEN)
    right = loop.edits("right\n")

    def out_of_turns(
        prompt: str, workspace: Path, limits: AgentLimits, emit: events.Listener
    ) -> AgentResult:
        done = right(prompt, workspace, limits, emit)
        return replace(done, outcome=AgentOutcome.MAX_TURNS)

    loop.agent.enqueue(out_of_turns)
    assert loop.run().outcome is RunOutcome.SOLVED


def test_a_teacher_that_is_down_stops_the_run_and_is_asked_again_on_resume(
    bench: MakeBench,
) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.teacher.enqueue(TeacherUnavailable("no answer", "wait"))
    stopped = loop.run()
    assert stopped.outcome is RunOutcome.STOPPED
    assert "no answer (wait)" in stopped.message
    assert len(stopped.attempts) == 1

    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)
    result = loop.run()
    assert result.outcome is RunOutcome.SOLVED
    assert len(loop.agent.prompts) == 2
    assert [rule.text for rule in loop.rulebook.known_rules()] == [RULE]


def test_an_unusable_answer_is_paid_for_once_and_the_run_goes_on(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(UnusableAnswer("nonsense", usage=Usage(cost_usd=0.5)))
    result = loop.run()
    assert result.outcome is RunOutcome.SOLVED
    assert result.usage.cost_usd == pytest.approx(0.5)
    teaching = result.attempts[0].teaching
    assert teaching is not None
    assert (teaching.lesson, teaching.trouble) == (None, "nonsense")


def test_without_auto_retry_it_pauses_and_resume_goes_on(bench: MakeBench) -> None:
    loop = bench(RED, RED, RED, GREEN)
    for number in range(3):
        loop.agent.enqueue(loop.edits(f"try {number}\n"))
        loop.teacher.enqueue(LESSON)
    first = loop.run(auto_retry=False)
    assert first.outcome is RunOutcome.PAUSED
    assert len(first.attempts) == 1
    assert first.attempts[0].rule is not None
    second = loop.run(auto_retry=False)
    assert second.outcome is RunOutcome.PAUSED
    assert len(second.attempts) == 2
    third = loop.run(auto_retry=False)
    assert third.outcome is RunOutcome.SOLVED
    assert len(loop.agent.prompts) == 3


def test_retry_from_start_takes_the_edits_back_and_keeps_the_rule(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    seen: list[bytes] = []

    def look(*_: object) -> AgentResult:
        seen.append(loop.workspace.files["code.py"])
        loop.workspace.files["code.py"] = b"right\n"
        return AgentResult(AgentOutcome.COMPLETED)

    loop.agent.enqueue(look)
    loop.teacher.enqueue(LESSON)
    assert loop.run(retry_from_start=True).outcome is RunOutcome.SOLVED
    assert seen == [b"old\n"]
    assert len(loop.rulebook.known_rules()) == 1


def test_retry_from_start_leaves_rules_that_came_in_during_the_attempt(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.workspace.files["CLAUDE.md"] = b"as it began\n"
    wrong = loop.edits("wrong\n")

    def while_a_person_adds_a_rule(
        prompt: str, workspace: Path, limits: AgentLimits, emit: events.Listener
    ) -> AgentResult:
        loop.workspace.files["CLAUDE.md"] = b"with a rule\n"
        return wrong(prompt, workspace, limits, emit)

    loop.agent.enqueue(while_a_person_adds_a_rule)
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)
    assert loop.run(retry_from_start=True).outcome is RunOutcome.SOLVED
    assert loop.workspace.files == {"code.py": b"right\n", "CLAUDE.md": b"with a rule\n"}


class Death(BaseException):
    """The process ends here."""


class MortalJournal(MemoryJournal):
    """Dies once a given number of steps is finished."""

    def __init__(self, results: dict[str, object], lives_for: int) -> None:
        self.results, self._left = results, lives_for

    def step(self, name: str, function: Callable[[], T]) -> T:
        if name not in self.results and self._left == 0:
            raise Death
        self._left -= name not in self.results
        return super().step(name, function)


@pytest.mark.parametrize("steps", range(14))
def test_cut_short_after_any_step_it_goes_on_without_doing_one_twice(
    bench: MakeBench, steps: int
) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)
    loop.journal = MortalJournal(loop.journal.results, steps)
    with pytest.raises(Death):
        loop.run()
    assert len(loop.journal.results) == steps
    loop.journal = MortalJournal(loop.journal.results, 100)
    result = loop.run()
    assert result.outcome is RunOutcome.SOLVED
    assert len(result.attempts) == 2
    assert len(loop.agent.prompts) == 2
    assert len(loop.teacher.asked) == 1
    assert len(loop.rulebook.known_rules()) == 1
    assert len(loop.suite.calls) == 4


def test_listeners_hear_of_everything_in_order(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)
    loop.run()
    heard = [type(event).__name__ for event in loop.events if type(event) is not events.StepStarted]
    attempt = ["AttemptStarted", "AgentFinished", "DiffTaken"]
    judged = ["CaseFinished", "CaseFinished", "SuiteFinished"]
    assert heard == [
        *judged,
        "FilesGuarded",
        *attempt,
        *judged,
        *judged,
        "Judged",
        "TeachingStarted",
        "LessonLearned",
        "RuleWritten",
        "AttemptFinished",
        *attempt,
        *judged,
        "Judged",
        "AttemptFinished",
    ]


class Killed(BaseException):
    """The agent's orchestrator dies in the middle of its work."""


def test_events_say_which_attempt_is_in_hand_also_after_a_resume(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.teacher.enqueue(LESSON)
    loop.run(auto_retry=False)
    loop.agent.enqueue(loop.edits("right\n"))
    loop.run(auto_retry=False)
    assert {event.run for event in loop.events} == {"run-1"}
    heard = [
        (event.attempt, events.event_name(event))
        for event in loop.events
        if isinstance(event, events.AgentFinished | events.AttemptFinished | events.RuleWritten)
    ]
    assert heard == [
        (1, "agent_finished"),
        (1, "rule_written"),
        (1, "attempt_finished"),
        (1, "attempt_finished"),  # a run that goes on reports its finished attempts again
        (2, "agent_finished"),
        (2, "attempt_finished"),
    ]
    assert loop.events[0].attempt == 0


def test_an_attempt_that_goes_on_is_announced_again_but_a_finished_one_is_not(
    bench: MakeBench,
) -> None:
    loop = bench(RED, RED, GREEN)
    loop.journal = MortalJournal(loop.journal.results, 5)
    loop.agent.enqueue(loop.edits("wrong\n"))
    with pytest.raises(Death):
        loop.run()
    loop.journal = MortalJournal(loop.journal.results, 100)
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)
    assert loop.run().outcome is RunOutcome.SOLVED
    started = [event for event in loop.events if isinstance(event, events.AttemptStarted)]
    assert [(event.number, event.resumed) for event in started] == [
        (1, False),
        (1, True),
        (2, False),
    ]
    assert loop.run().outcome is RunOutcome.SOLVED  # everything is remembered
    assert len([each for each in loop.events if isinstance(each, events.AttemptStarted)]) == 3


def test_what_counts_as_solved_is_said_with_the_baseline(bench: MakeBench) -> None:
    loop = bench(RED, GREEN)
    loop.agent.enqueue(loop.edits("right\n"))
    loop.run()
    (goal, *others) = [
        event.goal for event in loop.events if isinstance(event, events.SuiteFinished)
    ]
    assert goal == (
        "1 failing test passes, as now written, and what passes now (1 test) still does; "
        "a failure that has nothing to do with the task may remain"
    )
    assert set(others) == {""}
    assert "may remain" not in describe_goal(RED, must_pass=True)
    case = Case("make test", CaseOutcome.FAILED)
    command = SuiteReport(SuiteOutcome.FAILED, 1, (case,), command="make test")
    assert describe_goal(command, must_pass=False).startswith("the command ends with exit code 0")


def test_each_attempt_is_saved_before_it_is_reported(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)
    reported: list[int] = []

    def count(event: events.Event) -> None:
        if isinstance(event, events.AttemptFinished):
            reported.append(len(loop.saved))

    loop.emit.listen_first(count)
    result = loop.run()
    assert reported == [1, 2]
    assert loop.saved[-1] == result


def test_the_tree_that_a_rule_was_learned_from_is_pinned_once(bench: MakeBench) -> None:
    loop = bench(RED, RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("also wrong\n"))
    loop.teacher.enqueue(LESSON)
    loop.teacher.enqueue(NOTHING)
    loop.run(auto_retry=False)
    result = loop.run(auto_retry=False)
    (pinned,) = loop.pinned
    first = result.attempts[0]
    assert first.rule is not None
    assert (pinned.rule, pinned.attempt, pinned.tree) == (first.rule.rule.id, 1, first.before.tree)
    assert (pinned.task, pinned.cases) == ("make test_b green", ("test_b",))


def test_a_tree_that_cannot_be_pinned_does_not_end_the_run(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)

    class Full(list[PinnedTree]):
        def append(self, _pinned: PinnedTree, /) -> None:
            raise InfrastructureError("too large")

    loop.pinned = Full()
    assert loop.run().outcome is RunOutcome.SOLVED
    notices = [event.text for event in loop.events if isinstance(event, events.Notice)]
    assert any("was learned from cannot be stored: too large" in text for text in notices)


def test_a_record_that_cannot_be_written_ends_the_run(bench: MakeBench) -> None:
    loop = bench(RED, GREEN)
    loop.agent.enqueue(loop.edits("right\n"))

    class Full(list[RunResult]):
        def append(self, _run: RunResult, /) -> None:
            raise InfrastructureError("the disk is full")

    loop.saved = Full()
    with pytest.raises(InfrastructureError, match="disk is full"):
        loop.run()


def test_a_listener_that_raises_does_not_end_the_run(bench: MakeBench) -> None:
    loop = bench(RED, RED, GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.agent.enqueue(loop.edits("right\n"))
    loop.teacher.enqueue(LESSON)

    def break_down(event: events.Event) -> None:
        raise RuntimeError(events.event_name(event))

    loop.emit.listen_first(break_down)
    assert loop.run().outcome is RunOutcome.SOLVED
    notices = [event.text for event in loop.events if isinstance(event, events.Notice)]
    assert notices[0] == "a listener failed on step_started: RuntimeError: step_started"
    assert sum("a listener failed" in text for text in notices) == 1


def test_what_an_agent_says_and_calls_is_masked_before_anybody_hears_it(bench: MakeBench) -> None:
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    loop = bench(RED, GREEN)
    work = loop.edits("right\n")

    def act(
        prompt: str, workspace: Path, limits: AgentLimits, emit: events.Listener
    ) -> AgentResult:
        emit(events.AgentSpoke(f"the token is {secret}"))
        emit(events.ToolUsed("Bash", f"curl -H 'Authorization: token {secret}' x", id="1"))
        emit(events.ToolEnded("1", "Bash", failed=True, why=f"bad token {secret}"))
        emit(events.AgentWaiting(f"no entry for {secret}"))
        return work(prompt, workspace, limits, emit)

    loop.agent.enqueue(act)
    loop.run()
    said = [
        event
        for event in loop.events
        if isinstance(
            event, events.AgentSpoke | events.ToolUsed | events.ToolEnded | events.AgentWaiting
        )
    ]
    assert len(said) == 4
    assert secret not in repr(said)


@pytest.mark.parametrize("by_hand", [False, True])
def test_an_interrupted_attempt_starts_again_from_its_own_snapshot(
    bench: MakeBench, tmp_path: Path, by_hand: bool
) -> None:
    loop = bench(RED, GREEN)
    loop.workspace.files["other.py"] = b"other\n"

    def half(prompt: str, workspace: Path, limits: AgentLimits, emit: object) -> AgentResult:
        loop.workspace.files["code.py"] = b"half\n"
        raise Killed

    seen: list[dict[str, bytes]] = []

    def whole(*_: object) -> AgentResult:
        seen.append(dict(loop.workspace.files))
        loop.workspace.files["code.py"] = b"right\n"
        return AgentResult(AgentOutcome.COMPLETED)

    loop.agent.enqueue(half)
    with pytest.raises(Killed):
        loop.run()
    if by_hand:
        loop.workspace.files["other.py"] = b"edited by hand since\n"
    loop.workspace.files["CLAUDE.md"] = b"a rule from elsewhere\n"
    loop.agent.enqueue(whole)
    assert loop.run().outcome is RunOutcome.SOLVED
    other = b"edited by hand since\n" if by_hand else b"other\n"
    expected = {"code.py": b"old\n", "other.py": other, "CLAUDE.md": b"a rule from elsewhere\n"}
    assert seen == [expected]
    (patch,) = tmp_path.glob("attempt-1.broken-off-*.patch")
    assert b"+half" in patch.read_bytes()
    assert "attempt 1 starts again: its changes were reverted" in notices(loop)


def test_what_a_killed_process_left_is_reverted_and_stored_as_a_patch(
    bench: MakeBench, tmp_path: Path
) -> None:
    loop = bench(RED, GREEN)
    loop.journal = MortalJournal(loop.journal.results, 2)
    loop.agent.enqueue(loop.edits("half\n"))
    with pytest.raises(Death):
        loop.run()
    loop.workspace.files["code.py"] = b"half\n"
    seen: list[bytes] = []

    def look(*_: object) -> AgentResult:
        seen.append(loop.workspace.files["code.py"])
        loop.workspace.files["code.py"] = b"right\n"
        return AgentResult(AgentOutcome.COMPLETED)

    loop.agent = ScriptedAgent(look)
    loop.journal = MortalJournal(loop.journal.results, 100)
    assert loop.run().outcome is RunOutcome.SOLVED
    assert seen == [b"old\n"]
    (patch,) = tmp_path.glob("attempt-1.broken-off-*.patch")
    assert b"+half" in patch.read_bytes()
    reported = notices(loop)
    assert "were reverted, including your own, because its process was killed" in reported[0]
    assert reported[1] == f"  as a patch, without secrets: {patch}"
    loop.workspace.files["code.py"] = b"half\n"
    half = loop.workspace.take_snapshot()
    assert reported[2:] == [f"  a file as it was: {loop.workspace.restore_command(half)} > PATH"]


def test_of_a_giant_patch_a_part_is_stored_with_the_command_that_prints_all(
    bench: MakeBench, tmp_path: Path
) -> None:
    loop = bench(RED, GREEN)
    before = loop.workspace.take_snapshot()
    loop.agent.enqueue(loop.edits("x = 1\n" * 1_000_000))
    assert loop.run().outcome is RunOutcome.SOLVED
    whole = loop.workspace.diff_command(before, loop.workspace.take_snapshot())
    (reported,) = notices(loop)
    assert reported.startswith("1.5 MB of the patch's ")
    assert reported.endswith(
        f"without the middle of its largest files; to print all of it: {whole}"
    )
    assert 1_400_000 < (tmp_path / "attempt-1.patch").stat().st_size < 1_501_000


@pytest.mark.parametrize("rule", [False, True])
def test_of_an_attempt_that_was_killed_before_it_changed_anything_nothing_is_said(
    bench: MakeBench, tmp_path: Path, rule: bool
) -> None:
    loop = bench(RED, GREEN)
    loop.journal = MortalJournal(loop.journal.results, 2)
    with pytest.raises(Death):
        loop.run()
    if rule:
        loop.workspace.files["CLAUDE.md"] = b"a rule from elsewhere\n"
    loop.agent = ScriptedAgent(loop.edits("new\n"))
    loop.journal = MortalJournal(loop.journal.results, 100)
    assert loop.run().outcome is RunOutcome.SOLVED
    assert notices(loop) == []
    assert list(tmp_path.glob("*.patch")) == [tmp_path / "attempt-1.patch"]


def test_an_attempt_interrupted_and_then_killed_is_reverted_as_a_whole(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = bench(RED, GREEN)

    def half(*_: object) -> AgentResult:
        loop.workspace.files["code.py"] = b"half\n"
        raise Killed

    def look(*_: object) -> AgentResult:
        assert loop.workspace.files["code.py"] == b"old\n"
        loop.workspace.files["code.py"] = b"right\n"
        return AgentResult(AgentOutcome.COMPLETED)

    loop.agent.enqueue(half)
    with pytest.raises(Killed):
        loop.run()

    def killed(*_: object) -> AgentResult:
        loop.workspace.files["code.py"] = b"more\n"
        patch.setattr(loop.workspace, "take_snapshot", lambda: 1 / 0)  # nothing is noted
        raise Killed

    loop.agent.enqueue(killed)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        loop.run()
    loop.agent.enqueue(look)
    assert loop.run().outcome is RunOutcome.SOLVED


@pytest.mark.parametrize(("count", "end"), [(0, ""), (2, ": p0/, p1/"), (9, "p4/ and 4 more")])
def test_paths_that_snapshots_cannot_see_are_reported_once(
    bench: MakeBench, count: int, end: str
) -> None:
    loop = bench(RED, RED, GREEN)
    loop.workspace.unseen_paths = tuple(f"p{number}/" for number in range(count))
    loop.agent.enqueue(loop.edits("one\n"))
    loop.agent.enqueue(loop.edits("two\n"))
    loop.teacher.enqueue(LESSON)
    assert loop.run().outcome is RunOutcome.SOLVED
    reported = notices(loop)
    assert len(reported) == bool(count)
    assert all(text.endswith(end) for text in reported)


def notices(loop: Bench) -> list[str]:
    return [event.text for event in loop.events if isinstance(event, events.Notice)]


def with_reach(loop: Bench, *files: str) -> None:
    """Let the suite tell which files the cases use."""
    cases = {"test_a": files, "test_b": files}
    loop.suite.footprint = Footprint(reach=Reach(cases))


def verdict_of(attempt: Attempt) -> Verdict:
    assert attempt.verdict
    return attempt.verdict


def test_what_the_change_cannot_reach_and_passes_again_is_flaky(bench: MakeBench) -> None:
    loop = bench(GREEN, RED)
    with_reach(loop, "other.py")
    loop.suite.enqueue_again(GREEN)
    loop.agent.enqueue(loop.edits("right\n"))
    result = loop.run()
    assert result.outcome is RunOutcome.SOLVED
    assert verdict_of(result.attempts[0]).find_case_ids(CaseVerdict.FLAKY) == ("test_b",)
    assert "1 flaky case (test_b)" in result.message
    # Solved never rests on a run of a subset.
    assert [select for _, select in loop.suite.calls] == [None, None, None]
    assert result.attempts[0].report == GREEN
    assert loop.teacher.asked == []


def test_code_that_passes_every_second_time_is_not_solved(bench: MakeBench) -> None:
    loop = bench(GREEN, RED)
    with_reach(loop, "code.py")
    loop.suite.enqueue_again(GREEN)
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.teacher.enqueue(NOTHING)
    result = loop.run(max_retries=0)
    assert result.outcome is RunOutcome.NOT_SOLVED
    assert "unsteady" in verdict_of(result.attempts[0]).message
    assert len(loop.teacher.asked) == 1


def test_only_the_attempts_own_failures_are_taught(bench: MakeBench) -> None:
    old = make_report(passed=["test_b"], failed=["test_a"])
    loop = bench(old, make_report(failed=["test_a", "test_b"]))
    loop.suite.footprint = Footprint(reach=Reach({"test_a": ("other.py",), "test_b": ("code.py",)}))
    loop.agent.enqueue(loop.edits("wrong\n"))
    loop.teacher.enqueue(NOTHING)
    result = loop.run(max_retries=0)
    assert result.outcome is RunOutcome.NOT_SOLVED
    ((failure, _),) = loop.teacher.asked
    assert "FAILED test_b" in failure.logs
    assert "FAILED test_a" not in failure.logs


def test_an_old_failure_out_of_reach_counts_neither_for_nor_against(bench: MakeBench) -> None:
    old = make_report(passed=["test_b"], failed=["test_a"])
    loop = bench(old, old)
    with_reach(loop, "other.py")
    loop.agent.enqueue(loop.edits("right\n"))
    result = loop.run()
    assert result.outcome is RunOutcome.SOLVED
    assert result.message == "1 old failure remains (test_a)"
    assert len(loop.suite.calls) == 2


def test_an_environment_that_changed_stops_the_run_until_it_is_repaired(bench: MakeBench) -> None:
    loop = bench(GREEN, RED)
    loop.agent.enqueue(loop.edits("right\n"))
    before = dict(loop.workspace.files)
    full = "OSError: [Errno 28] No space left on device"
    failing = Case("test_b", CaseOutcome.FAILED, message=full)
    red = SuiteReport(SuiteOutcome.FAILED, 1, (failing,))
    for _ in range(2):
        loop.suite.enqueue_again(red)
    result = loop.run()
    assert result.outcome is RunOutcome.STOPPED
    assert "test_b passed at the start, and fails now without the attempt's edits" in result.message
    assert "attempt 1: verdict" not in loop.journal.results
    assert loop.workspace.files == {**before, "code.py": b"right\n"}
    loop.suite.enqueue_again(GREEN)
    result = loop.run()
    assert result.outcome is RunOutcome.SOLVED
    assert loop.agent.prompts == ["make test_b green"]
    assert loop.teacher.asked == []


def test_a_green_project_and_an_agent_that_changes_nothing(bench: MakeBench) -> None:
    loop = bench(GREEN)
    loop.agent.enqueue(lambda *_: AgentResult(AgentOutcome.COMPLETED, "it is fine"))
    result = loop.run()
    assert result.outcome is RunOutcome.NOTHING_CHANGED
    assert result.message == "nothing changed, tests pass as before"
    assert "a green suite will only mean that nothing broke" in "".join(notices(loop))
    assert loop.teacher.asked == []


def test_an_attempt_that_changes_nothing_is_never_taught(bench: MakeBench) -> None:
    loop = bench(RED)
    loop.agent.enqueue(lambda *_: AgentResult(AgentOutcome.COMPLETED, "it is fine"))
    result = loop.run(max_retries=0)
    assert result.outcome is RunOutcome.NOT_SOLVED
    assert loop.teacher.asked == []


def test_an_agent_that_says_and_changes_nothing_did_not_work(bench: MakeBench) -> None:
    loop = bench(RED)
    loop.agent.enqueue(lambda *_: AgentResult(AgentOutcome.COMPLETED, silent=True))
    result = loop.run()
    assert result.outcome is RunOutcome.STOPPED
    assert "without any output, and without changing a file" in result.message


def test_a_command_that_fails_as_before_ends_the_run_and_teaches_nothing(bench: MakeBench) -> None:
    complaint = "FAIL Required test coverage of 95% not reached. Total coverage: 44%"
    short = replace(GREEN, outcome=SuiteOutcome.FAILED, exit_code=1, output=complaint)
    loop = bench(replace(RED, output=complaint), short)
    loop.agent.enqueue(loop.edits("right\n"))
    result = loop.run()
    assert result.outcome is RunOutcome.NOT_SOLVED
    assert len(result.attempts) == 1
    assert "Required test coverage of 95% not reached" in result.message
    assert loop.teacher.asked == []


def test_a_person_who_edits_during_the_comparison_wins(bench: MakeBench) -> None:
    loop = bench(GREEN, RED)
    loop.agent.enqueue(loop.edits("wrong\n"))
    runs = 0

    def state() -> object:
        nonlocal runs
        runs += 1
        files = sorted(loop.workspace.files.items())
        if runs == 4:  # the tree before stands there
            loop.workspace.files["code.py"] = b"mine\n"
        return files

    loop.suite.state = state
    result = loop.run()
    assert result.outcome is RunOutcome.STOPPED
    assert "code.py changed while the tests ran on the tree before" in result.message
    assert loop.workspace.files["code.py"] == b"mine\n"
    assert loop.teacher.asked == []


def test_the_hint_of_an_api_error_does_not_guess_its_cause() -> None:
    """The message names it: to wait for a wrong key or model would help nobody."""
    for why in ("API error 403: no; check that this key may use the model", "API error 404: no"):
        said = describe_agent_failure(AgentResult(AgentOutcome.API_ERROR, why))
        assert said == (
            f"the agent did not work: {why} (once that is corrected, `orchestrator resume`)"
        )

"""What the loop is made of: the plug points, and one method for each step.

Each step calls its part, tells the listeners, and is remembered by the journal under its name, so
that a run that was cut short goes on after its last finished step.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol, TypeVar

from orchestrator import events
from orchestrator.agents.wording import one_line
from orchestrator.errors import LoopError
from orchestrator.failures.redaction import Redactor
from orchestrator.failures.triage import again, concluded, settled, triage
from orchestrator.guard import Guard, no_guard
from orchestrator.models import (
    AgentLimits,
    AgentResult,
    Attempt,
    Confirmation,
    Diff,
    Findings,
    RuleChange,
    Snapshot,
    SuiteReport,
    Task,
    Teaching,
    Triage,
    TriageKind,
)
from orchestrator.workspace.bytecode import drop_bytecode
from teacher.errors import UnusableAnswer
from teacher.models import Failure, KnownRule, Lesson

T = TypeVar("T")

_MOST_NAMED: Final = 5

# ---- the plug points -----------------------------------------------------------------------


class Agent(Protocol):
    """A headless coding agent."""

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Work on the prompt in the workspace, within the limits."""


class Suite(Protocol):
    """The project's own tests."""

    def run(
        self, workspace: Path, select: Sequence[str] | None, on_event: events.Listener
    ) -> SuiteReport:
        """Run all cases, or those selected by id, and report."""


class Teacher(Protocol):
    """Turns a failure into a lesson."""

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Decide what is to be learned. Raises TeacherError."""


class Workspace(Protocol):
    """The project's files, seen from outside."""

    @property
    def unseen(self) -> Sequence[str]:
        """What the last snapshot could not see."""

    def snapshot(self) -> Snapshot:
        """Remember the files as they are now."""

    def way_back(self, snapshot: Snapshot) -> str:
        """Say the command that prints a file of a snapshot; PATH in it stands for the file."""

    def diff(self, before: Snapshot, after: Snapshot, patch: Path) -> Diff:
        """Tell what changed, and write the whole patch to a file."""

    def restore(
        self, to: Snapshot, changed_since: Snapshot, leave: Collection[str] = ()
    ) -> Sequence[str]:
        """Take the changes between two snapshots back; give the paths left alone."""


class Rulebook(Protocol):
    """The rules in force, and the files that carry them."""

    def files(self) -> Sequence[str]:
        """Name the files, from the project's folder."""

    def known_rules(self) -> Sequence[KnownRule]:
        """List the rules in force."""

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Take a lesson in; None when it changes nothing."""


class Journal(Protocol):
    """Remembers the result of each finished step of one run."""

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function, or give what it gave when this step was finished before."""


class NoVerdictError(Exception):
    """The suite says nothing about the code as it stands, so no attempt could be judged."""

    def __init__(self, report: SuiteReport, triage: Triage | None = None) -> None:
        super().__init__(triage.words if triage else report.summary)
        self.report, self.triage = report, triage


# ---- the steps -----------------------------------------------------------------------------


@dataclass
class Steps:
    """The steps of one run, with the parts that do the work.

    `folder` takes the run's large files; `emit` hears of everything as it happens. `fresh` tells
    whether any step since it was last set to False was really done, and not just remembered.
    """

    task: Task
    agent: Agent
    suite: Suite
    teacher: Teacher
    workspace: Workspace
    rulebook: Rulebook
    journal: Journal
    folder: Path
    emit: events.Listener
    fresh: bool = False
    guard: Guard = field(default_factory=no_guard)
    redactor: Redactor = field(default_factory=Redactor)
    _begun: bool = False

    def __post_init__(self) -> None:
        self.guard.folder = self.folder / "guard"

    def baseline(self) -> SuiteReport:
        """Judge the project as it stands, before the agent touches it.

        Raises:
            NoVerdictError: no verdict is possible; nothing is remembered.
        """

        def work() -> SuiteReport:
            report = self._judge(baseline=True)
            if not report.judged:
                raise NoVerdictError(report)
            return report

        report = self._step("baseline", work)
        self.guard.take_baseline(report)
        return report

    def begin(self, attempt: int, of: int, prompt: str) -> Snapshot:
        """Remember the files as the attempt finds them."""

        def work() -> Snapshot:
            self._begun = True
            # Whoever hears of the attempt may look into the rules: the guard is first.
            self.guard.remember(attempt)
            self.emit(events.AttemptStarted(attempt, of, prompt))
            before = self.workspace.snapshot()
            if attempt == 1:
                self._tell_what_is_unseen()
            return before

        self._begun = False
        return self._step(f"attempt {attempt}: before", work)

    def work(self, attempt: int, prompt: str, limits: AgentLimits, before: Snapshot) -> AgentResult:
        """Let the agent work on the files as `before` has them."""
        left = self.folder / f"attempt-{attempt}.left"

        def work() -> AgentResult:
            if not self._begun:
                self._take_back_half_done(attempt, before, left)
                left.unlink(missing_ok=True)  # from here on it is not true any more
            self.guard.take_up(attempt)
            self.emit(events.StepStarted("the agent works"))
            try:
                result = self.agent.run(prompt, self.task.project, limits, self.emit)
            except BaseException:
                left.write_text(self.workspace.snapshot().tree, encoding="ascii")
                with suppress(LoopError):  # then it is told when the attempt begins again
                    self._told(self.guard.break_off(attempt))
                raise
            result = self.redactor.agent(result)
            self.emit(events.AgentFinished(result))
            return result

        return self._step(f"attempt {attempt}: agent", work)

    def finish(self, attempt: int) -> Snapshot:
        """Remember the files as the agent left them."""
        return self._step(f"attempt {attempt}: after", self.workspace.snapshot)

    def compare(self, attempt: int, before: Snapshot, after: Snapshot) -> Diff:
        """Tell what the agent changed."""

        def work() -> Diff:
            diff = self.workspace.diff(before, after, self.folder / f"attempt-{attempt}.patch")
            diff = replace(diff, redactions=self.redactor.file(diff.patch))
            with suppress(OSError):  # then Python decides by time and size, as it always does
                drop_bytecode(self.task.project, [change.path for change in diff.changes])
            self.emit(events.DiffTaken(diff))
            return diff

        return self._step(f"attempt {attempt}: diff", work)

    def guard_tests(self, attempt: int) -> Findings:
        """Make the tests, and what steers them, what they were when the attempt began."""

        def work() -> Findings:
            return self._told(self.guard.put_back(attempt))

        return self._step(f"attempt {attempt}: guard", work)

    def judge(self, attempt: int) -> SuiteReport:
        """Let the suite judge the attempt."""
        return self._step(f"attempt {attempt}: suite", lambda: self._judge(baseline=False))

    def confirm(
        self, attempt: Attempt, report: SuiteReport, baseline: SuiteReport | None
    ) -> Confirmation:
        """Run what failed once more, and decide what the failure is.

        Raises:
            NoVerdictError: the machine is to blame; nothing is remembered, so that what failed
                runs again when the run goes on.
        """

        def work() -> Confirmation:
            first = triage(report, baseline, attempt, self.task)
            done = Confirmation(report, first)
            if asked := again(report, first):
                self.emit(events.StepStarted("running what failed once more"))
                second = self.suite.run(self.task.project, asked.ids, lambda _: None)
                after = settled(report, asked, self.redactor.report(second))
                done = concluded(report, after, triage(after, baseline, attempt, self.task))
            self.emit(events.Triaged(done))
            if done.triage.kind is TriageKind.INFRASTRUCTURE:
                raise NoVerdictError(done.report, done.triage)
            return done

        return self._step(f"attempt {attempt.number}: confirmed", work)

    def doubt(self, attempt: int, report: SuiteReport, diff: Diff) -> Findings:
        """Look whether the verdict can be believed."""

        def rerun(select: Sequence[str]) -> SuiteReport:
            self.emit(events.StepStarted("running the tests without the agent's new ones"))
            return self.suite.run(self.task.project, select, lambda _: None)

        def work() -> Findings:
            return self._told(self.guard.check(attempt, report, diff, rerun))

        return self._step(f"attempt {attempt}: doubt", work)

    def teach(self, attempt: int, failure: Failure) -> Teaching:
        """Ask the teacher. An answer that is no lesson is kept too: it was paid for.

        Raises:
            TeacherError: the teacher could not be asked; nothing is remembered.
        """

        def work() -> Teaching:
            safe = self.redactor.failure(failure)
            self.emit(events.TeachingStarted(safe))
            try:
                lesson = self.teacher.teach(safe, self.rulebook.known_rules())
            except UnusableAnswer as error:
                self.emit(events.Notice(f"nothing learned: {error}"))
                return Teaching(None, error.usage, str(error))
            self.emit(events.LessonLearned(lesson))
            return Teaching(lesson, lesson.usage)

        return self._step(f"attempt {attempt}: lesson", work)

    def take_back(self, attempt: Attempt) -> None:
        """Take the attempt's edits back, except where somebody else edited meanwhile."""

        def work() -> None:
            self._restore(attempt.before, attempt.after)

        self._step(f"attempt {attempt.number}: restore", work)

    def write_rule(self, attempt: int, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Let the rulebook take the lesson in."""

        def work() -> RuleChange | None:
            change = self.rulebook.apply(lesson, failure)
            if change:
                self.emit(events.RuleWritten(change))
            return change

        return self._step(f"attempt {attempt}: rule", work)

    def _restore(self, to: Snapshot, changed_since: Snapshot) -> None:
        # People and other runs may have written rules since, which no snapshot tells from edits.
        for path in self.workspace.restore(to, changed_since, leave=self.rulebook.files()):
            self.emit(events.Notice(f"left as it is, because it changed meanwhile: {path}"))

    def _take_back_half_done(self, attempt: int, before: Snapshot, left: Path) -> None:
        """Begin an attempt again that was broken off; what is taken back is kept, and told."""
        now = self.workspace.snapshot()
        # A killed process left no word of where it stopped; then all changes count as its own.
        killed = not left.exists()
        stopped_at = now if killed else Snapshot(left.read_text(encoding="ascii"))
        patch = self.folder / f"attempt-{attempt}.broken-off-{now.tree[:12]}.patch"
        self.workspace.diff(before, now, patch)
        self.redactor.file(patch)
        self._restore(before, stopped_at)
        if self.workspace.snapshot() == now:
            patch.unlink()
            return
        whose = (
            "everything that changed since it began was taken back, edits of yours too, because "
            "its process was killed and left no word of where it stopped"
            if killed
            else "what it had changed was taken back"
        )
        self.emit(events.Notice(f"attempt {attempt} begins again: {whose}"))
        self.emit(events.Notice(f"  as a patch, without secrets: {patch}"))
        self.emit(events.Notice(f"  a file as it was: {self.workspace.way_back(now)} > PATH"))

    def _tell_what_is_unseen(self) -> None:
        unseen = self.workspace.unseen
        if not unseen:
            return
        more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
        named = ", ".join(one_line(path) for path in unseen[:_MOST_NAMED])
        self.emit(
            events.Notice(
                "repositories inside and what cannot be read are in no diff, and edits there are "
                f"not taken back: {named}{more}"
            )
        )

    def _told(self, findings: Findings) -> Findings:
        if findings.found:
            self.emit(events.Tampered(findings.found))
        return findings

    def _judge(self, *, baseline: bool) -> SuiteReport:
        self.emit(events.StepStarted("running the suite" + " as it stands" * baseline))
        report = self.redactor.report(self.suite.run(self.task.project, None, self.emit))
        self.emit(events.SuiteFinished(report, baseline))
        return report

    def _step(self, name: str, function: Callable[[], T]) -> T:
        def work() -> T:
            self.fresh = True
            return function()

        return self.journal.step(name, work)

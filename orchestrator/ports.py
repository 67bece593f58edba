"""The plug points: what the loop needs of the parts that do the work.

Each has a conformance suite in `tests/` that every implementation and the shipped fake pass:

    Agent      agents/      works on the prompt
    Suite      suites/      runs the project's tests
    Workspace  workspace/   takes snapshots of the project's files, compares and restores them
    Reviewer   guard/       looks at an attempt and reports what it found
    Teacher    teacher/     turns a failure into a lesson
    Rulebook   rulebook/    holds the active rules
    Journal    journal/     remembers the results of finished steps
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from orchestrator.events import Listener
from orchestrator.models import (
    AgentLimits,
    AgentResult,
    Attempt,
    Diff,
    Findings,
    RuleChange,
    Snapshot,
    SuiteReport,
)
from orchestrator.models.footprint import Footprint
from teacher.models import Failure, KnownRule, Lesson

T = TypeVar("T")


class Agent(Protocol):
    """A headless coding agent."""

    def preflight(self) -> str:
        """Check that a run can start, and return how people call the program.

        Raises:
            LoopError: the agent cannot be started; one line, with a hint.
        """

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: Listener
    ) -> AgentResult:
        """Work on the prompt in the workspace, within the limits."""


class Suite(Protocol):
    """The project's own tests."""

    def preflight(self, workspace: Path) -> None:
        """Raise UsageError or InfrastructureError when the command cannot be started."""

    def run(
        self, workspace: Path, select: Sequence[str] | None = None, on_event: Listener = ...
    ) -> SuiteReport:
        """Run all cases, or those selected by id, and report."""

    def run_with_footprint(
        self, workspace: Path, on_event: Listener = ...
    ) -> tuple[SuiteReport, Footprint | None]:
        """Run all cases, and record what the verdict rests on; None where the runner cannot."""


class Workspace(Protocol):
    """The project's files, seen from outside.

    More than four methods, because all of them read one store of snapshots: what a snapshot is
    (a git tree, a dictionary in the fake) is known to nobody else.
    """

    @property
    def unseen_paths(self) -> Sequence[str]:
        """Paths that the last snapshot could not include."""

    def take_snapshot(self) -> Snapshot:
        """Record the files as they are now."""

    def remember_modes(self, snapshot: Snapshot) -> None:
        """Record the permissions of the files of a snapshot that was just taken."""

    def read_file(self, snapshot: Snapshot, path: str) -> bytes | None:
        """Return the bytes of a file of a snapshot; None if it is not in it."""

    def diff_snapshots(self, before: Snapshot, after: Snapshot, patch: Path) -> Diff:
        """Return what changed between two snapshots, and write the whole patch to a file."""

    def restore_files(
        self, to: Snapshot, changed_since: Snapshot, leave: Collection[str] = ()
    ) -> Sequence[str]:
        """Revert the changes between two snapshots; return the paths left alone."""

    def restore_command(self, snapshot: Snapshot) -> str:
        """Return the command that prints a file of a snapshot; PATH in it stands for the file."""

    def diff_command(self, before: Snapshot, after: Snapshot) -> str:
        """Return the command that prints all that changed between two snapshots."""


class Reviewer(Protocol):
    """Looks at an attempt before the suite judges it."""

    def review(self, attempt: Attempt) -> Findings:
        """Return what was found; a decisive finding withholds a green verdict.

        Called once for each attempt, or again after the process was killed in between: a second
        review of the same attempt leaves the project's files as the first one did.

        Args:
            attempt: agent, snapshots and diff are known; report, verdict and findings are not.

        Raises:
            LoopError: the attempt cannot be reviewed; the run stops and can be resumed.
        """


class Teacher(Protocol):
    """Turns a failure into a lesson."""

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Decide what is to be learned. Raises TeacherError."""


class Rulebook(Protocol):
    """The active rules, and the files that hold them."""

    def list_files(self) -> Sequence[str]:
        """Return the paths of the files, relative to the project's folder."""

    def known_rules(self) -> Sequence[KnownRule]:
        """Return the active rules."""

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Apply a lesson; None when it changes nothing."""


class Journal(Protocol):
    """Remembers the result of each finished step of one run."""

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function, or return its result if this step was finished before."""

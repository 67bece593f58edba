"""The plug points: what the loop needs of the parts that do the work.

Each has a conformance suite that every implementation, and the shipped fake, passes.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from orchestrator.events import Listener
from orchestrator.models import AgentLimits, AgentResult, Diff, RuleChange, Snapshot, SuiteReport
from orchestrator.models.footprint import Footprint
from teacher.models import Failure, KnownRule, Lesson

T = TypeVar("T")


class Agent(Protocol):
    """A headless coding agent."""

    def preflight(self) -> str:
        """Check that a run can start, and return how people call the program.

        Raises:
            LoopError: it cannot, in one line with a hint.
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
        """Run all cases, and record what the verdict rests on, where the runner can tell."""


class Teacher(Protocol):
    """Turns a failure into a lesson."""

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Decide what is to be learned. Raises TeacherError."""


class Workspace(Protocol):
    """The project's files, seen from outside."""

    @property
    def unseen_paths(self) -> Sequence[str]:
        """What the last snapshot could not see."""

    def take_snapshot(self) -> Snapshot:
        """Remember the files as they are now."""

    def remember_modes(self, snapshot: Snapshot) -> None:
        """Remember the permissions of the files of a snapshot that has just been made."""

    def restore_command(self, snapshot: Snapshot) -> str:
        """Say the command that prints a file of a snapshot; PATH in it stands for the file."""

    def diff_command(self, before: Snapshot, after: Snapshot) -> str:
        """Return the command that prints all that changed between two snapshots."""

    def read_file(self, snapshot: Snapshot, path: str) -> bytes | None:
        """Return the bytes of a file of a snapshot; None if it is not in it."""

    def diff_snapshots(self, before: Snapshot, after: Snapshot, patch: Path) -> Diff:
        """Tell what changed, and write the whole patch to a file."""

    def restore_files(
        self, to: Snapshot, changed_since: Snapshot, leave: Collection[str] = ()
    ) -> Sequence[str]:
        """Take the changes between two snapshots back; give the paths left alone."""


class Rulebook(Protocol):
    """The rules in force, and the files that carry them."""

    def list_files(self) -> Sequence[str]:
        """Name the files, from the project's folder."""

    def known_rules(self) -> Sequence[KnownRule]:
        """List the rules in force."""

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Take a lesson in; None when it changes nothing."""


class Journal(Protocol):
    """Remembers the result of each finished step of one run."""

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function, or give what it gave when this step was finished before."""

"""The ports: the interfaces between the loop and the components that do the work.

Each has a conformance suite in `tests/`, which every implementation must pass, fakes included:

    Agent      agents/      works on the prompt
    Suite      suites/      runs the project's tests
    Workspace  workspace/   takes snapshots of the project's files, compares and restores them
    Reviewer   guard/       examines an attempt and reports its findings
    Teacher    teacher/     turns a failure into a lesson
    Rulebook   rulebook/    holds the active rules
    Journal    journal/     stores the results of finished steps
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
        """Check that a run can start, and return the program's display name.

        Raises:
            LoopError: the agent cannot be started; the message is one line with a hint.
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
        """Run all cases, or those selected by id, and return the report."""

    def run_with_footprint(
        self, workspace: Path, on_event: Listener = ...
    ) -> tuple[SuiteReport, Footprint | None]:
        """Run all cases; also return their footprint, or None if the runner cannot record one."""


class Workspace(Protocol):
    """The project's files, and the snapshots of them.

    The methods share a protocol because only the implementation knows what a snapshot is: a git
    tree in the real one, a dictionary in the fake.
    """

    @property
    def unseen_paths(self) -> Sequence[str]:
        """Paths that the last snapshot could not include."""

    def take_snapshot(self) -> Snapshot:
        """Record the files as they are now."""

    def remember_modes(self, snapshot: Snapshot) -> None:
        """Record the file permissions that belong to a snapshot that was just taken."""

    def read_file(self, snapshot: Snapshot, path: str) -> bytes | None:
        """Return a file's bytes from a snapshot; None if the snapshot does not contain the file."""

    def diff_snapshots(self, before: Snapshot, after: Snapshot, patch: Path) -> Diff:
        """Return what changed between two snapshots, and write the whole patch to a file."""

    def restore_files(
        self, to: Snapshot, changed_since: Snapshot, leave: Collection[str] = ()
    ) -> Sequence[str]:
        """Revert the changes between two snapshots; return the paths that were not reverted."""

    def restore_command(self, snapshot: Snapshot) -> str:
        """Return a command that prints a file from a snapshot; PATH in it is a placeholder."""

    def diff_command(self, before: Snapshot, after: Snapshot) -> str:
        """Return a command that prints the complete diff between two snapshots."""


class Reviewer(Protocol):
    """Reviews an attempt before the suite runs on it."""

    def review(self, attempt: Attempt) -> Findings:
        """Return the findings; after a decisive one, the attempt cannot count as solved.

        Called once per attempt, and again if the process was killed before the next step. A second
        review of the same attempt must leave the project's files as the first one did.

        Args:
            attempt: agent, snapshots and diff are known; report, verdict and findings are not.

        Raises:
            LoopError: the attempt cannot be reviewed; the run stops and can be resumed.
        """


class Teacher(Protocol):
    """Turns a failure into a lesson."""

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Decide what to learn from a failure. Raises TeacherError."""


class Rulebook(Protocol):
    """The active rules, and the files that hold them."""

    def list_files(self) -> Sequence[str]:
        """Return the paths of the files, relative to the project's folder."""

    def known_rules(self) -> Sequence[KnownRule]:
        """Return the active rules."""

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Apply a lesson; None when it changes nothing."""


class Journal(Protocol):
    """Stores the result of each finished step of one run."""

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function, or return its result if this step was finished before."""

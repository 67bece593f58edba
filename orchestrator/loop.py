"""The learning loop: one task, carried to an outcome.

    baseline -> [ snapshot -> agent -> diff -> suite -> verdict -> lesson -> rule ] -> retry

Each thing that costs time or money is a step of the journal, by name, so that a run that was cut
short goes on from its last finished step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from orchestrator import events
from orchestrator.failures.suite import failure_of, retry_prompt
from orchestrator.models import (
    AgentLimits,
    AgentResult,
    Attempt,
    Diff,
    RuleChange,
    RunOutcome,
    RunResult,
    Snapshot,
    SuiteReport,
    Task,
)
from teacher.errors import TeacherError
from teacher.models import Failure, KnownRule, Lesson

T = TypeVar("T")


class Agent(Protocol):
    """A headless coding agent."""

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult: ...


class Suite(Protocol):
    """The project's own tests."""

    def run(
        self, workspace: Path, select: Sequence[str] | None = None, on_event: events.Listener = ...
    ) -> SuiteReport: ...


class Teacher(Protocol):
    """Turns a failure into a lesson."""

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson: ...


class Workspace(Protocol):
    """The project's files, seen from outside."""

    def snapshot(self) -> Snapshot: ...
    def diff(self, before: Snapshot, after: Snapshot, patch: Path) -> Diff: ...
    def restore(self, to: Snapshot, changed_since: Snapshot) -> None: ...


class Rulebook(Protocol):
    """The rules in force, and the file that carries them."""

    def known_rules(self) -> Sequence[KnownRule]: ...
    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None: ...


class Journal(Protocol):
    """Remembers the result of each finished step of a run."""

    def step(self, name: str, function: Callable[[], T]) -> T: ...

"""What every agent must do, however it is implemented.

A test class for an implementation derives from `AgentConformance` and says how to make one that
behaves in a given way.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path

import pytest

from orchestrator.events import AgentSpoke, Event, ToolUsed
from orchestrator.models import AgentLimits, AgentOutcome
from orchestrator.ports import Agent
from tests.growing_limits import iter_growing_limits
from tests.survivors import list_survivors

FAMILY_SCRIPT = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleep)
away = subprocess.Popen(sleep, start_new_session=True)
with open("pids.new", "w") as file:
    print(os.getpid(), child.pid, away.pid, file=file)
os.rename("pids.new", "pids")
time.sleep(600)
"""
"""A command that ignores TERM, with a child in its group and one in a session of its own."""


class Behaviour(Enum):
    """What an agent under test is to do."""

    EDIT = auto()
    """Write `made` to the file made.txt, and say so."""
    HANG = auto()
    """Run family.py in the workspace, and wait for it without output."""
    FAIL = auto()
    """Fail because of `no such model`, and print that to standard error where there is one."""


@dataclass
class Subject:
    """An agent under test."""

    agent: Agent
    prompt_seen: Callable[[], str]
    """Everything that reached the agent's model or program, after it ran."""


class AgentConformance(ABC):
    """The tests. `starts_processes` is whether the agent has processes that must be gone."""

    starts_processes = True
    silence = 1.5
    """Seconds without output that this agent rarely needs in normal work."""

    @abstractmethod
    def subject(self, behaviour: Behaviour, workspace: Path) -> AbstractContextManager[Subject]: ...

    @pytest.fixture
    def workspace(self, project: Path) -> Path:
        (project / "family.py").write_text(FAMILY_SCRIPT, encoding="utf-8")
        return project

    @pytest.fixture
    def limits(self) -> AgentLimits:
        return AgentLimits(max_turns=5, wall_clock_seconds=60, no_output_seconds=60)

    def test_passes_its_preflight(self, workspace: Path) -> None:
        with self.subject(Behaviour.EDIT, workspace) as subject:
            assert subject.agent.preflight()

    def test_edits_completes_and_reports_it(self, workspace: Path, limits: AgentLimits) -> None:
        events: list[Event] = []
        with self.subject(Behaviour.EDIT, workspace) as subject:
            result = subject.agent.run("make it", workspace, limits, events.append)
        assert (result.outcome, result.outcome.has_worked) == (AgentOutcome.COMPLETED, True)
        assert (workspace / "made.txt").read_text("utf-8").strip() == "made"
        assert any(isinstance(event, AgentSpoke | ToolUsed) for event in events)
        assert list_survivors(workspace) == []

    def test_is_ended_at_the_wall_clock(self, workspace: Path, limits: AgentLimits) -> None:
        for seconds in iter_growing_limits(self.silence):
            short = replace(limits, wall_clock_seconds=seconds)
            if self._is_ended(workspace, short, AgentOutcome.WALL_CLOCK):
                break

    def test_is_ended_when_it_is_silent(self, workspace: Path, limits: AgentLimits) -> None:
        for seconds in iter_growing_limits(self.silence):
            long = max(seconds * 10, limits.wall_clock_seconds)
            short = replace(limits, no_output_seconds=seconds, wall_clock_seconds=long)
            if self._is_ended(workspace, short, AgentOutcome.NO_OUTPUT):
                break

    def test_a_failure_is_reported_with_its_cause(
        self, workspace: Path, limits: AgentLimits
    ) -> None:
        with self.subject(Behaviour.FAIL, workspace) as subject:
            result = subject.agent.run("make it", workspace, limits, lambda _event: None)
        assert not result.outcome.has_worked
        assert "model" in result.message
        assert "model" in result.stderr_tail

    @pytest.mark.parametrize(
        "prompt",
        [
            "x" * 100_000 + " the end",
            "--help me with -x",
            "Zwölf Boxkämpfer, 日本語, 🐍, \u202eleft",
            "/help @family.py {prompt} {prompt_file}",
        ],
        ids=["100 kB", "dash", "non-ASCII", "signs"],
    )
    def test_the_prompt_arrives_as_it_is(
        self, prompt: str, workspace: Path, limits: AgentLimits
    ) -> None:
        with self.subject(Behaviour.EDIT, workspace) as subject:
            result = subject.agent.run(prompt, workspace, limits, lambda _event: None)
            assert result.outcome is AgentOutcome.COMPLETED
            assert prompt in subject.prompt_seen()

    def test_a_prompt_with_a_lone_surrogate_does_no_harm(
        self, workspace: Path, limits: AgentLimits
    ) -> None:
        with self.subject(Behaviour.EDIT, workspace) as subject:
            result = subject.agent.run("a\udc80b\0c", workspace, limits, lambda _event: None)
        assert result.outcome is AgentOutcome.COMPLETED

    def test_an_error_of_the_listener_ends_the_run_and_is_raised(
        self, workspace: Path, limits: AgentLimits
    ) -> None:
        class ListenerError(Exception):
            pass

        def listener(_event: Event) -> None:
            raise ListenerError

        with (
            self.subject(Behaviour.EDIT, workspace) as subject,
            pytest.raises(ListenerError),
        ):
            subject.agent.run("make it", workspace, limits, listener)
        assert list_survivors(workspace) == []

    def _is_ended(self, workspace: Path, limits: AgentLimits, outcome: AgentOutcome) -> bool:
        """Return whether there was a family to end by then."""
        with self.subject(Behaviour.HANG, workspace) as subject:
            result = subject.agent.run("wait", workspace, limits, lambda _event: None)
        assert (result.outcome, result.outcome.has_worked) == (outcome, False)
        assert result.message
        started = (workspace / "pids").exists()
        assert list_survivors(workspace) == []
        return started == self.starts_processes

"""A project that does not pass its tests, a scripted model, and the program between them."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from orchestrator.replay import (
    Answer,
    RecordedRequest,
    ReplayServer,
    Reply,
    Scenario,
    Speaker,
    ToolCall,
    When,
)
from tests.corpus.program import (
    commit_all,
    find_program,
    make_environment,
    make_lesson,
    make_teacher,
    run_command,
    write_files,
)

TASK: Final = "Prices such as 1.005 come out a cent short. Fix to_cents."
RULE: Final = "Never compare a money amount as float"
LESSON: Final = make_lesson(
    f"{RULE}; parse it with Decimal before rounding.",
    when="Turning price text into cents",
    why="Binary floats lose half a cent",
)
MEMORY: Final = "# House rules\n\nUse tabs in Makefiles.\n"
"""CLAUDE.md of the project, unless a case has another."""

_BUGGY: Final = "def to_cents(text):\n    return int(float(text) * 100)\n"
_WORSE: Final = "def to_cents(text):\n    return int(round(float(text) * 100, 0))\n"
_GOOD: Final = (
    "from decimal import ROUND_HALF_UP, Decimal\n\n\ndef to_cents(text):\n"
    "    return int((Decimal(text) * 100).quantize(Decimal(1), ROUND_HALF_UP))\n"
)
TESTS: Final = (
    "from prices import to_cents\n\n\n"
    "def test_plain():\n    assert to_cents('19.99') == 1999\n\n\n"
    "def test_half_cent():\n    assert to_cents('1.005') == 101\n"
)


def write(name: str, text: str) -> ToolCall:
    """Return the agent's call that writes a file of the project."""
    path = name if name.startswith("/") else f"${{cwd}}/{name}"
    return ToolCall("Write", {"file_path": path, "content": text})


def run_bash(command: str) -> ToolCall:
    """Return the agent's call that runs a command."""
    return ToolCall("Bash", {"command": command, "description": "step"})


READ: Final = ToolCall("Read", {"file_path": "${cwd}/prices.py"})
WRITE_GOOD: Final = write("prices.py", _GOOD)
WRITE_WORSE: Final = write("prices.py", _WORSE)


def follow_steps(
    *calls: ToolCall, contains: Sequence[str] = (), lacks: Sequence[str] = ()
) -> tuple[Answer, ...]:
    """Return the answers of an agent that makes some calls, one a turn, and is done.

    Args:
        calls: the calls, in order.
        contains: only where the request has these texts.
        lacks: only where it has none of these.
    """

    def when(step: int | None) -> When:
        return When(Speaker.AGENT, step=step, contains=tuple(contains), lacks=tuple(lacks))

    steps = [Answer(Reply(tools=(call,)), when(step)) for step, call in enumerate(calls)]
    return (*steps, Answer(Reply(say="Finished."), when(None)))


LEARNS: Final = (
    *follow_steps(READ, WRITE_GOOD, contains=[RULE]),
    *follow_steps(READ, WRITE_WORSE, lacks=[RULE]),
)
FIXES: Final = follow_steps(READ, WRITE_GOOD)
NEVER_FIXES: Final = follow_steps(READ, WRITE_WORSE)
ONLY_READS: Final = follow_steps(READ)


def vary(*variants: str, sample: str) -> pytest.MarkDecorator:
    """Return the mark that makes a test of each variant; `sample` is the one of the sample."""
    assert sample in variants
    marks = {sample: [pytest.mark.corpus_sample]}
    return pytest.mark.parametrize(
        "variant", [pytest.param(name, id=name, marks=marks.get(name, [])) for name in variants]
    )


def require_namespaces() -> None:
    """Skip a test where an ordinary user may not mount in a namespace of their own."""
    try:
        done = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if done.returncode:
        pytest.skip("needs `unshare -Urm`, which is not permitted here")


@dataclass(frozen=True)
class CommandResult:
    """How a command of the program ended. Exit code None: it did not end in time."""

    exit: int | None
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        """Return all that it printed."""
        return self.out + self.err


class Lab:
    """One project below one folder, and the commands that run on it."""

    def __init__(self, folder: Path, environment: Path) -> None:
        self.folder, self.project = folder, folder / "proj"
        self.environment: dict[str, str] = {
            **make_environment(folder, environment),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        self.home, self.state = folder / "home", folder / "home" / "state"
        self.memory = self.project / "CLAUDE.md"
        self._requests: tuple[RecordedRequest, ...] = ()

    def make_project(self, tests: str = TESTS, memory: str | None = MEMORY) -> None:
        """Make the project, with all of it in one commit; no CLAUDE.md if `memory` is None."""
        files = {
            "prices.py": _BUGGY,
            "tests/test_prices.py": tests,
            "conftest.py": "",
            ".gitignore": "__pycache__/\n.pytest_cache/\n",
        }
        write_files(self.project, files if memory is None else {**files, "CLAUDE.md": memory})
        commit_all(self.project, self.environment)

    def git(self, *arguments: str) -> str:
        """Run git in the project; return what it printed, of both streams."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.project,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(done.stdout)
        return done.stdout

    def commit(self) -> None:
        """Commit all that is in the project."""
        self.git("add", "-A")
        self.git("commit", "-qm", "more")

    @contextmanager
    def serve_model(
        self, *agent: Answer, lesson: Mapping[str, object] = LESSON
    ) -> Iterator[ReplayServer]:
        """Serve an agent, by default one that learns, and a teacher; commands use this model."""
        scenario = Scenario((*(agent or LEARNS), make_teacher(lesson)))
        with ReplayServer(scenario) as server:
            self.environment["ANTHROPIC_BASE_URL"] = server.url
            try:
                yield server
            finally:
                self._requests = server.requests

    def list_requests(self, speaker: Speaker) -> list[RecordedRequest]:
        """Return what one of the two asked of the last model."""
        return [request for request in self._requests if request.speaker is speaker]

    def join_requests(self, speaker: Speaker) -> str:
        """Return all text that one of the two sent to the last model."""
        return "\n".join(request.text for request in self.list_requests(speaker))

    def count_lessons(self) -> int:
        """Return how often the last model's teacher was asked."""
        return len(self.list_requests(Speaker.TEACHER))

    def orchestrator(
        self,
        *arguments: str | bytes,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> CommandResult:
        """Run a command of the program; a traceback fails the test.

        Args:
            arguments: of the program.
            env: variables that are added; None takes one away.
            cwd: the working directory, by default above the project.
            prefix: a command that starts the program.
        """
        changed = {**self.environment, **(env or {})}
        variables = {name: value for name, value in changed.items() if value is not None}
        out, err = self.folder / "out.txt", self.folder / "err.txt"
        command = [*prefix, find_program(), *arguments]
        started = time.monotonic()
        with out.open("wb") as output, err.open("wb") as errors:
            exit_code = run_command(command, cwd or self.folder, variables, output, errors)
        seconds = time.monotonic() - started
        printed, complained = (
            path.read_text(encoding="utf-8", errors="replace") for path in (out, err)
        )
        print(printed, complained, f"--- exit code {exit_code}, {seconds:.1f} s", sep="\n")
        result = CommandResult(exit_code, printed, complained, seconds)
        assert "Traceback" not in result.text, "a traceback is shown"
        return result

    def run(
        self,
        *options: str,
        task: str | bytes = TASK,
        retries: int = 2,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> CommandResult:
        """Run a task in the project."""
        fixed = ("--project-dir", str(self.project), "--max-retries", str(retries))
        return self.orchestrator("run", task, *fixed, *options, env=env, cwd=cwd, prefix=prefix)

    def report_failure(
        self, *options: str, env: Mapping[str, str | None] | None = None, prefix: Sequence[str] = ()
    ) -> CommandResult:
        """Report a failure of the project's."""
        failure = ("--failure-type", "planning_error", "--description", "Compared prices as floats")
        place = ("--context", "prices.py", "--task", "Import prices", "--project-dir")
        arguments = ("report-failure", *failure, *place, str(self.project), *options)
        return self.orchestrator(*arguments, env=env, prefix=prefix)

    def mount_memory(self, source: Path) -> tuple[str, ...]:
        """Return the prefix of a command that sees a file mounted as CLAUDE.md."""
        script = f'mount --bind {source} {self.memory} && exec "$@"'
        return ("unshare", "-Urm", "sh", "-c", script, "sh")

"""A small project, an agent that is a shell script, a scripted teacher, and the real commands.

The agent answers wrongly until the rule stands in CLAUDE.md. Everything between the words on the
command line and the exit code is real.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from orchestrator.replay import ReplayServer, parse_scenario
from tests.trusting import trust_project

CHECKOUT = Path(__file__).parents[2]
TASK = "Put the right word into word.txt."
RULE = "Never guess a word"

LESSONS = """
answers:
  - when: {speaker: teacher}
    reply:
      json: {reason: It guessed., action: add, target: null, paths: [],
             rule: Never guess a word., when: A word is asked for., why: Guesses fail.}
"""
AGENT = """
echo "I was asked: $1" | head -n 1
if grep -qs "Never guess a word" CLAUDE.md; then
    echo right > word.txt
else
    echo guessed >> word.txt
fi
"""


@dataclass(frozen=True)
class CommandResult:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines; fails where one is none."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def output(self) -> str:
        """Everything that a person would see."""
        return self.out + self.err


Call = Callable[..., CommandResult]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call a command in this process, through the door that errors leave by."""

    def call(*words: str | Path) -> CommandResult:
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        code = end.value.code
        assert isinstance(code, int)
        assert "Traceback" not in out + err or code == 4
        return CommandResult(code, out, err)

    return call


@dataclass(frozen=True)
class Shop:
    """The project, and what its agent is made of."""

    project: Path
    agent: Path

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file of the project."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def configure(self, **sections: Any) -> None:
        """Write the configuration, trusted: what every test needs, and `sections` over it."""
        base: dict[str, Any] = {
            "tests": {"framework": "command", "command": "sh check.sh"},
            "agent": {"kind": "command", "command": ["sh", str(self.agent), "{prompt}"]},
            "learning": {"max_retries": 1},
        }
        for name, section in sections.items():
            base[name] = {**base[name], **section} if name in base else section
        self.write("orchestrator.yaml", json.dumps(base))
        trust_project(self.project)

    def commit_all(self) -> None:
        """Commit every file as it is."""
        for arguments in (["add", "-A"], ["commit", "-q", "-m", "as it is now"]):
            subprocess.run(["git", *arguments], cwd=self.project, check=True)

    @property
    def rulebook(self) -> bytes:
        """CLAUDE.md, empty when there is none."""
        path = self.project / "CLAUDE.md"
        return path.read_bytes() if path.exists() else b""

    @property
    def word(self) -> str:
        """What the agent wrote."""
        return (self.project / "word.txt").read_text(encoding="utf-8")


@pytest.fixture
def shop(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A project with a word to correct. Commands start in its folder."""
    monkeypatch.chdir(project)
    agent = tmp_path / "agent.sh"
    agent.write_text(AGENT, encoding="utf-8")
    shop = Shop(project, agent)
    shop.configure()
    shop.write("check.sh", "grep -qx right word.txt\n")
    shop.write("word.txt", "wrong\n")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    return shop


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    """The teacher's model, and an environment that leads to it."""
    with ReplayServer(parse_scenario(LESSONS)) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
        yield model


def start_command(
    *words: str | Path, wrapper: Sequence[str] = (), **settings: Any
) -> "subprocess.Popen[str]":
    """Start a command as a process of its own, as a shell would."""
    return subprocess.Popen(
        [*wrapper, sys.executable, "-m", "orchestrator", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        **{
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            **settings,
        },
    )


def wait_for_result(child: "subprocess.Popen[str]") -> CommandResult:
    """Wait for a child's end."""
    out, err = child.communicate(timeout=200)
    return CommandResult(child.returncode, out, err)

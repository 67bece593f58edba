"""Somebody at a terminal: an empty home, a project, the installed program, a scripted model."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.replay import ReplayServer, parse_scenario
from tests.first_hour.shapes import GIT, Shape

PROGRAM: Final = Path(os.environ.get("ORCH") or Path(sys.executable).with_name("orchestrator"))
"""The program that is tried."""

CACHES: Final = frozenset({"__pycache__", ".pytest_cache", ".git", ".venv", "node_modules"})
"""What a suite leaves behind by itself, or git; not compared byte for byte."""

HOME_ENTRIES: Final = frozenset({".claude", ".claude.json", ".local", ".cache", ".config", ".npm"})
"""What may appear in a home directory: Claude Code's files, our state, and npm's logs."""

RULE: Final = "Never drop a fraction of a cent; round to the nearest cent."

_CLOSED_PORT: Final = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Said:
    """A command that has ended."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that it printed."""
        return self.out + self.err

    def __str__(self) -> str:
        return f"$ orchestrator {' '.join(self.words)}\n{self.text}[exit code {self.code}]"


@dataclass
class Person:
    """Who has a project, and calls the program in it."""

    world: Path
    """Holds all that the person has: `home`, `code/project`, `tmp`."""
    shape: Shape
    variables: Mapping[str, str] = field(default_factory=dict)
    """In addition to the environment of a fresh login."""
    requests: int = 0
    """Requests for a message that the scripted model has received."""

    def __post_init__(self) -> None:
        for folder in (self.home, self.tmp, self.project):
            folder.mkdir(parents=True)
        self.shape.build(self.project)

    @property
    def home(self) -> Path:
        return self.world / "home"

    @property
    def tmp(self) -> Path:
        return self.world / "tmp"

    @property
    def project(self) -> Path:
        return self.world / "code" / "project"

    @property
    def folder(self) -> Path:
        """Where the person stands."""
        return self.project / self.shape.folder

    @property
    def broken_text(self) -> str:
        """The file with the bug, as it is now."""
        return (self.project / self.shape.broken).read_text(encoding="utf-8")

    @property
    def is_repaired(self) -> bool:
        """Whether the bug is gone, and nothing else of the file."""
        text = self.shape.files[self.shape.broken].replace(self.shape.wrong, self.shape.right)
        return self.broken_text == text

    def call(
        self, *words: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Said:
        """Call the program, and check what holds for every call."""
        done = subprocess.run(
            [str(PROGRAM), *words],
            cwd=cwd or self.folder,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        said = Said(words, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in said.text, str(said)
        assert said.code in (0, 1, 2, 3), str(said)
        self.check_surroundings(said)
        return said

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a fresh login, with the tools of this environment on the PATH."""
        return {
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "PATH": f"{PROGRAM.parent}{os.pathsep}{os.defpath}",
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
            "GIT_CONFIG_NOSYSTEM": "1",
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _CLOSED_PORT),
            "NO_PROXY": "127.0.0.1,localhost",
            "ANTHROPIC_BASE_URL": _CLOSED_PORT,
            "ANTHROPIC_API_KEY": "a-key-for-tests",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            # A person's pytest has none of the plugins that ours has.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **self.variables,
        }

    def run(self, *words: str, answers: str = "", cwd: Path | None = None) -> Said:
        """Call `orchestrator run` with the shape's task, and a model that can solve it."""
        with self.serve_model(answers or self.repair()) as variables:
            return self.call("run", *words, self.shape.task, environment=variables, cwd=cwd)

    @contextmanager
    def serve_model(self, answers: str) -> Iterator[dict[str, str]]:
        """Serve a scripted model; yield the variables that lead to it."""
        with ReplayServer(parse_scenario("answers:\n" + answers)) as model:
            try:
                yield {"ANTHROPIC_BASE_URL": model.url}
            finally:
                self.requests += len(model.requests)
                assert model.unanswered_requests == ()

    def repair(self, **when: str) -> str:
        """Return the answer of an agent that repairs the bug."""
        return self._edit(self.shape.wrong, self.shape.right, "It is repaired.", when)

    def fail(self, **when: str) -> str:
        """Return the answer of an agent that makes it no better."""
        return self._edit(self.shape.wrong, self.failed_edit, "It should work now.", when)

    def repair_after_failure(self, **when: str) -> str:
        """Return the answer of an agent that repairs what `fail` left."""
        return self._edit(self.failed_edit, self.shape.right, "It is repaired.", when)

    @property
    def failed_edit(self) -> str:
        """What `fail` writes in place of the bug."""
        return f"{self.shape.wrong} + 0"

    def teach(self) -> str:
        """Return the answer of a teacher."""
        lesson: dict[str, Any] = {
            **{"reason": "A fraction was dropped.", "action": "add", "target": None, "paths": []},
            **{"rule": RULE, "when": "An amount is multiplied.", "why": "Cents get lost."},
        }
        return f"  - when: {{speaker: teacher}}\n    reply: {{json: {json.dumps(lesson)}}}\n"

    def _edit(self, old: str, new: str, words: str, when: Mapping[str, str]) -> str:
        path = str(self.project / self.shape.broken)
        edit = {"file_path": path, "old_string": old, "new_string": new}
        steps: list[dict[str, Any]] = [
            {"tools": [{"name": "Read", "input": {"file_path": path}}]},
            {"tools": [{"name": "Edit", "input": edit}]},
            {"say": words},
        ]
        condition = {"speaker": "agent", **when}
        return f"  - when: {json.dumps(condition)}\n    steps: {json.dumps(steps)}\n"

    def read_files(self) -> dict[str, bytes]:
        """Return every file of the project but caches, with its bytes."""
        return {
            str(path.relative_to(self.project)): path.read_bytes()
            for path in sorted(self.project.rglob("*"))
            if path.is_file() and not CACHES & set(path.relative_to(self.project).parts)
        }

    def list_changed(self) -> list[str]:
        """Return the lines of `git status`, untracked files one by one."""
        return self.git("status", "--porcelain", "--untracked-files=all").splitlines()

    def read_git_state(self) -> tuple[str, ...]:
        """Return HEAD, branches, stash, index and reflog; nothing of it may change."""
        return tuple(
            self.git(*words)
            for words in (
                ("for-each-ref",),
                ("symbolic-ref", "HEAD"),
                ("stash", "list"),
                ("ls-files", "--stage"),
                ("reflog",),
            )
        )

    def git(self, *words: str) -> str:
        """Return what git prints in the project; nothing where it has no git."""
        if not self.shape.has_git:
            return ""
        return subprocess.run(
            [*GIT, *words], cwd=self.project, capture_output=True, text=True, check=True
        ).stdout

    def check_surroundings(self, said: Said) -> None:
        """Check that nothing was written beside the project, in the home or for a moment."""
        assert {path.name for path in self.home.iterdir()} <= HOME_ENTRIES, str(said)
        assert [path.name for path in self.project.parent.iterdir()] == ["project"], str(said)
        # Claude Code has folders of its own there, and leaves a file in them when it is ended.
        left = {path.name for path in self.tmp.iterdir() if not path.name.startswith("claude-")}
        assert left <= {"cc-socks"}, str(said)

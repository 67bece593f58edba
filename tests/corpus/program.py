"""Run the program under test in a folder of its own, as every kind of case does.

Nothing here changes the state of this process, and every port is a free one: several workers run
cases side by side.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from orchestrator.replay import Answer, Reply, Speaker, When

SECONDS: Final = 300
"""Limit of one command. Under way for longer, it hangs."""

BUG: Final = 4
"""The exit code of the program that says: a bug."""

_INHERITED: Final = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "TMPDIR", "TZ", "USER", "LOGNAME", "SHELL"),
)
_TRACEBACK: Final = re.compile(
    r'^Traceback \(most recent call last\):\n(?: .*\n)*?  File "[^"]*/orchestrator/', re.MULTILINE
)


@dataclass(frozen=True)
class ProgramResult:
    """Commands of the program that ran one after the other."""

    exits: tuple[int | None, ...]
    """None for one that did not end in time."""
    output: str
    seconds: float

    @property
    def exit(self) -> int | None:
        """Return how the last command ended."""
        return self.exits[-1]

    @property
    def error(self) -> str:
        """Return what no case may cause, whatever its verdict; empty if all is well."""
        if None in self.exits:
            return f"did not end within {SECONDS} seconds"
        if BUG in self.exits:
            return f"exit code {BUG}"
        return "traceback of the program" if _TRACEBACK.search(self.output) else ""


def find_program() -> str:
    """Return the command under test: ORCH, or the one beside this interpreter."""
    default = Path(sys.executable).with_name("orchestrator")
    return str(Path(os.environ.get("ORCH") or default).absolute())


def make_lesson(
    rule: str, *, when: str, why: str, paths: Sequence[str] = ()
) -> Mapping[str, object]:
    """Return a lesson as a teacher answers it: one that adds a rule."""
    return {
        "reason": "A test failed.",
        "action": "add",
        "target": None,
        "paths": list(paths),
        "rule": rule,
        "when": when,
        "why": why,
    }


def make_teacher(lesson: Mapping[str, object]) -> Answer:
    """Return the answer of a teacher that has only one lesson."""
    # A `$` in it is text, and no placeholder of the replay model's.
    text = json.dumps(lesson).replace("${", "$${")
    return Answer(Reply(json=json.loads(text)), When(speaker=Speaker.TEACHER))


def make_environment(folder: Path, environment: Path | None = None) -> dict[str, str]:
    """Return an environment with a home of its own, without what this process has of its own.

    Args:
        folder: of the case; the home comes to lie there.
        environment: a virtual environment whose programs come first on the PATH.
    """
    home = folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n\tname = U\n\temail = u@example.org\n[init]\n\tdefaultBranch = trunk\n",
        encoding="utf-8",
    )
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = inherited.get("PATH", os.defpath).split(os.pathsep)
    if environment:
        path.insert(0, str(environment / "bin"))
    return {
        **inherited,
        "PATH": os.pathsep.join(path),
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "NO_PROXY": "*",
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def write_files(project: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder, by path; those that name an interpreter are executable."""
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if text.startswith("#!"):
            path.chmod(0o755)


def commit_all(top: Path, env: Mapping[str, str]) -> None:
    """Make a repository of a folder, with all its files in the first commit."""
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run(["git", *arguments], cwd=top, env=env, check=True)


def run_commands(
    commands: Sequence[Sequence[str]], cwd: Path, env: Mapping[str, str], output: Path
) -> ProgramResult:
    """Run commands one after the other; their output goes to a file, and is returned."""
    started = time.monotonic()
    exits = []
    with output.open("wb") as file:
        for command in commands:
            exits.append(run_command(command, cwd, env, file))
    text = output.read_text(encoding="utf-8", errors="replace")
    return ProgramResult(tuple(exits), text, time.monotonic() - started)


def run_command(
    command: Sequence[str | bytes],
    cwd: Path,
    env: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes] | None = None,
) -> int | None:
    """Run a command; return its exit code, or None when it did not end in time.

    Its output goes to a file: what it leaves running would keep a pipe open. `errors` takes the
    standard error; unless given, `output` does.
    """
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors or subprocess.STDOUT,
        start_new_session=True,
    ) as child:
        try:
            return child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            return None

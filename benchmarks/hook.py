"""What a hook call costs a Claude Code user, as a ratio to `python -c pass`.

Each row is the command that `orchestrator hooks install` writes, started by /bin/sh as Claude Code
does, with one kind of event on standard input. The last one is the same through the command line.
"""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.machine import environment
from benchmarks.results import Table, spread

ROUNDS: Final = 40
AIM: Final = "at most 2x"
ROOT: Final = Path(__file__).parents[1]

_FLOOR: Final = "`python -c pass`"


def measure() -> Table:
    """Let all of them take turns."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        project = Path(folder) / "project"
        for made in (project / ".git", project / ".learnings"):
            made.mkdir(parents=True)
        own = {
            "HOME": folder,
            "ORCHESTRATOR_STATE_DIR": f"{folder}/state",
            "CLAUDE_PROJECT_DIR": str(project),
            "PYTHONPATH": str(ROOT),
        }
        seconds = _seconds(_cases(project), {**environment(), **own}, project)
        _demand_entries(project)
    floor = seconds[_FLOOR]
    rows = tuple(
        (
            name,
            spread([1000 * each for each in took], " ms", 0),
            spread([a / b for a, b in zip(took, floor, strict=True)], "x"),
            AIM if name != _FLOOR and "command line" not in name else "",
        )
        for name, took in seconds.items()
    )
    title = f"A call of the hook (median and quartiles of {ROUNDS} rounds)"
    return Table(title, ("what", "took", "ratio", "aim"), rows, seconds)


def _cases(project: Path) -> dict[str, tuple[str, bytes]]:
    from orchestrator.session_hooks.settings import build_hook_command

    hook, python = build_hook_command(), shlex.quote(sys.executable)
    quiet, noisy = {"command": "pytest tests -q"}, {"command": "rm -rf build"}
    done = {"tool_response": {"stdout": "." * 20_000}}
    return {
        _FLOOR: (f"{python} -c pass", b""),
        "before most calls": (hook, _event(project, "PreToolUse", quiet)),
        "after most calls": (hook, _event(project, "PostToolUse", quiet, **done)),
        "before a destructive command": (hook, _event(project, "PreToolUse", noisy)),
        "after a destructive command": (hook, _event(project, "PostToolUse", noisy, **done)),
        "after a failed call": (hook, _event(project, "PostToolUseFailure", quiet, error="no")),
        "before most calls, by the command line": (
            f"{python} -m orchestrator hook",
            _event(project, "PreToolUse", quiet),
        ),
    }


def _seconds(
    cases: Mapping[str, tuple[str, bytes]], env: Mapping[str, str], project: Path
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(ROUNDS + 1):
        for name, (command, data) in cases.items():
            started = time.perf_counter()
            subprocess.run(["/bin/sh", "-c", command], input=data, env=env, cwd=project, check=True)
            if number:  # the first one may compile bytecode
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _demand_entries(project: Path) -> None:
    """A hook that does nothing would be quick."""
    buffer = (project / "memory" / "working-buffer.md").read_text(encoding="utf-8")
    assert buffer.count("**Status**: COMMITTED") == ROUNDS + 1
    log = (project / ".learnings" / ".pending-errors.log").read_text(encoding="utf-8")
    assert log.count("TOOL_FAILURE") == ROUNDS + 1


def _event(project: Path, kind: str, tool_input: Mapping[str, str], **more: object) -> bytes:
    facts = {
        "session_id": "00000000-0000-0000-0000-000000000000",
        "transcript_path": f"{project}/transcript.jsonl",
        "cwd": str(project),
        "permission_mode": "acceptEdits",
        "hook_event_name": kind,
        "tool_name": "Bash",
        "tool_input": tool_input,
        "tool_use_id": "toolu_01",
    }
    return json.dumps({**facts, **more}).encode()

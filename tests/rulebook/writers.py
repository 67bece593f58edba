"""Processes that write a rulebook, for the tests that kill them and let them race.

`python -m tests.rulebook.writers MODE PROJECT`: the imports are paid for once, and each writer is a
fork.
"""

import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from orchestrator.errors import LoopError
from orchestrator.rulebook import files
from orchestrator.rulebook.document import parse_document
from orchestrator.rulebook.screening.screen import screen
from teacher.models import RuleText
from tests.rulebook.making import FAILURE, add, is_one_insertion, rulebook

START = b"# Project\r\n\r\n<!-- ours -->\r\n\r\n## Next\r\n\tcaf\xe9 \0 " + b"prose " * 2000


def rule(writer: object, number: int) -> RuleText:
    """A text that tells who wrote it."""
    return RuleText(f"Rule {writer}.{number}", "Always", "So")


def fork(work: Callable[[], None]) -> int:
    """Do something in a child, and return its id; a failure is printed there."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 -- the parent sees the exit code
        traceback.print_exc()
    finally:
        os._exit(code)


def reap(child: int) -> bool:
    """Wait for the child; whether a KILL ended it, and not its own work."""
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def die_at(line: int) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that kills its process before the n-th line run in the file module."""
    left = line

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != files.__file__:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def _read_whole(path: Path) -> bytes:
    """The file's bytes, once they are seen to be whole rules and all of what was there."""
    data = path.read_bytes()
    assert data == START or is_one_insertion(START, data)
    assert all(known.text.why == "So" and known.source for known in parse_document(data).rules)
    return data


def kill_at_lines(project: Path) -> Iterator[int]:
    """Kill a writer at each line of the file module in turn, until one gets through."""
    path, line = project / "CLAUDE.md", 0
    killed = True
    while killed:
        line += 1
        before = path.read_bytes()

        def work(line: int = line) -> None:
            sys.settrace(die_at(line))
            rulebook(project).apply(add(rule("line", line)), FAILURE)

        killed = reap(fork(work))
        after = _read_whole(path)
        assert (
            after == before
            or len(parse_document(after).rules) == len(parse_document(before).rules) + 1
        )
        if killed:
            yield line
    assert any(known.text == rule("line", line) for known in parse_document(after).rules)


def kill_at_moments(project: Path, kills: int) -> Iterator[int]:
    """Kill a busy writer at random moments."""
    chance = random.Random(20261120)  # noqa: S311 -- moments, no secrets
    for number in range(kills):

        def work(number: int = number) -> None:
            for count in range(1000):
                rulebook(project).apply(add(rule(number, count)), FAILURE)

        child = fork(work)
        time.sleep(chance.uniform(0.0, 0.12))
        os.kill(child, signal.SIGKILL)
        assert reap(child)
        yield len(parse_document(_read_whole(project / "CLAUDE.md")).rules)


def race_writers(project: Path, writers: int, rules: int) -> None:
    """Let many writers add rules at once."""

    def work(writer: int) -> Callable[[], None]:
        def add_all() -> None:
            for number in range(rules):
                rulebook(project).apply(add(rule(writer, number)), FAILURE)

        return add_all

    for child in [fork(work(writer)) for writer in range(writers)]:
        assert not reap(child)


def write_with_limit(project: Path, size: int) -> str:
    """Write while no file may grow beyond `size` bytes; what the rulebook says to that."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        rulebook(project).apply(add(), FAILURE)
    except LoopError as error:
        return f"{type(error).__name__}: {error}"
    return "written"


def main(mode: str, folder: str) -> None:
    """Do what the mode says, and print what came of it as JSON."""
    project = Path(folder)
    screen(rule(0, 0))  # reads its tables once, and not in each writer
    if mode == "every-line":
        print(json.dumps(list(kill_at_lines(project))))  # noqa: T201 -- the answer
    elif mode == "any-moment":
        print(json.dumps(list(kill_at_moments(project, 60))))  # noqa: T201 -- the answer
    elif mode == "race":
        race_writers(project, 8, 8)
    elif mode == "limited":
        print(json.dumps(write_with_limit(project, 4096)))  # noqa: T201 -- the answer


if __name__ == "__main__":
    main(*sys.argv[1:])

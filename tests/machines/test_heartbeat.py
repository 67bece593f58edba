"""A long step gives signs of life, and a short one does not."""

import io
import re
import sys
import threading

from tests.machines.heartbeat import heartbeat, main


class Terminal(io.StringIO):
    """A stream that counts as a terminal."""

    def isatty(self) -> bool:
        return True


def beat_until(out: io.StringIO, lines: int) -> str:
    """Keep a block open until it has given signs of life; return what was printed."""
    seen = threading.Event()
    calls = iter(range(1, 1000))

    def describe() -> str:
        number = next(calls)
        if number > lines:
            seen.set()
        return f"unpacked {number} packages"

    with heartbeat(describe, out, seconds=0.01):
        assert seen.wait(60)
    return out.getvalue()


def test_in_a_file_each_sign_of_life_is_a_line_with_the_time() -> None:
    lines = beat_until(io.StringIO(), 2).splitlines()
    assert len(lines) >= 2
    for line in lines:
        assert re.fullmatch(r"  unpacked \d+ packages, \d+ s", line)


def test_on_a_terminal_one_line_is_overwritten_and_removed_at_the_end() -> None:
    text = beat_until(Terminal(), 2)
    assert "\n" not in text
    assert text.count("\r\x1b[K  unpacked") >= 2
    assert text.endswith("\r\x1b[K")


def test_a_short_step_prints_nothing() -> None:
    out = io.StringIO()
    with heartbeat(lambda: "never", out):
        pass
    assert out.getvalue() == ""


def test_the_exit_code_of_a_command_goes_through() -> None:
    assert main("working", sys.executable, "-c", "raise SystemExit(3)") == 3

"""What a person sees on a terminal, and what must never get there."""

import io
import json
import os
import pty
import re
import select
import shlex
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyte
import pytest
from rich.console import Console as Screen

from orchestrator import events
from orchestrator.cli.console import Console
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport, Task
from orchestrator.replay import ReplayServer, parse_scenario
from tests.cli.conftest import Call, Shop, start_command

WIDTH, HEIGHT = 100, 200
EVIL = "\x1b[45mred\x1b]0;title\x07\x9b2J[bold]bold[/bold]:smile:\u202ereversed\r\x08"
MARKUP = "[bold]bold[/bold]:smile:"
OURS = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[2K|\x1b\[1A|\r|\n")
"""Styles; hide and show the cursor; clear a line; one line up."""
STYLES = {b"0", b"1", b"2", b"3", b"31", b"32", b"33", b"35", b"36", b"1;31", b"1;32", b"1;35"}


@dataclass(frozen=True)
class Seen:
    """What came out of a terminal."""

    raw: bytes
    code: int

    @property
    def lines(self) -> list[str]:
        """The lines on the screen at the end."""
        screen = pyte.Screen(WIDTH, HEIGHT)
        pyte.ByteStream(screen).feed(self.raw)
        return [line.rstrip() for line in screen.display]


def on_a_terminal(*words: str | Path) -> Seen:
    """Run a command on a real terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (HEIGHT, WIDTH))
    child = start_command(*words, stdin=theirs, stdout=theirs, stderr=theirs, text=False)
    os.close(theirs)
    raw, deadline = bytearray(), time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1.0)[0]:
            continue
        try:
            raw += os.read(ours, 65536)
        except OSError:  # the child has let go of its end
            break
    os.close(ours)
    return Seen(bytes(raw), child.wait())


@pytest.fixture
def evil(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Agent, files, tests and teacher all try to steer the terminal."""
    command = f"{shlex.quote(sys.executable)} -m pytest -p no:cacheprovider"
    shop.configure(tests={"framework": "pytest", "command": command}, learning={"max_retries": 0})
    shop.write(
        "test_evil.py",
        f"import pathlib, pytest\n\n\n@pytest.mark.parametrize('x', [1], ids=[{MARKUP!r}])\n"
        f"def test_it(x):\n    assert not pathlib.Path('broken').exists(), {EVIL!r}\n",
    )
    words = shop.write("words", f"{EVIL}\n{EVIL}")
    shop.agent.write_text(
        f'cat "{words}"; cat "{words}" >&2; touch broken "$(tr -d / < "{words}")"\n', "utf-8"
    )
    lesson: dict[str, Any] = {
        **{"reason": EVIL, "action": "add", "target": None, "paths": []},
        **{"rule": f"Never do {EVIL}.", "when": EVIL, "why": EVIL},
    }
    answers = {"answers": [{"when": {"speaker": "teacher"}, "reply": {"json": lesson}}]}
    model = ReplayServer(parse_scenario(json.dumps(answers)))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
    with model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        yield


@pytest.mark.whole
def test_a_run_on_a_terminal(call: Call, shop: Shop, evil: None) -> None:
    seen = on_a_terminal("run", f"Do {EVIL}", "--project-dir", shop.project)
    assert seen.code == 1, "\n".join(seen.lines)
    assert b"running the agent" in seen.raw
    assert not [line for line in seen.lines if "running the agent" in line or " · " in line]
    assert seen.raw.rfind(b"\x1b[?25h") > seen.raw.rfind(b"\x1b[?25l") > 0
    rest = OURS.sub(b"", seen.raw).decode()
    assert [character for character in rest if not character.isprintable()] == []
    assert set(re.findall(rb"\x1b\[([0-9;]*)m", seen.raw)) <= STYLES
    screen = "\n".join(seen.lines)
    for label in ("Task ", "  says ", "    ✗ ", "  changed ", "  teacher ", "    Rule "):
        lines = [line for line in seen.lines if line.startswith(label)]
        assert any("[bold]bold[" in line for line in lines), screen

    shown = call("runs", "show").out + call("runs").out
    assert MARKUP in shown
    assert [c for c in shown if not (c.isprintable() or c in "\n\t")] == []


def test_long_texts_are_wrapped_beside_their_label() -> None:
    printed = io.StringIO()
    console = Console(Screen(file=printed, force_terminal=True, width=40, color_system=None))
    case = Case("tests/test_it.py::test_" + 40 * "x", CaseOutcome.FAILED, message="assert 1 == 2")
    console(events.AgentSpoke("I will look at the tests, and then at what they say."))
    console(events.SuiteFinished(SuiteReport(SuiteOutcome.FAILED, 1, (case,))))
    assert printed.getvalue().splitlines() == [
        "  says     I will look at the tests, and",
        "           then at what they say.",
        "  suite    1 failed, 0.0 s",
        "    ✗ tests/test_it.py::test_xxxxxxxxxx…",
        "      assert 1 == 2",
    ]


@pytest.mark.parametrize(
    "words", [("run", "Do it."), ("run", "Do it.", "--config", "no-such-file-" + "x " * 40)]
)
def test_words_of_an_error_stay_whole_on_a_terminal(
    words: tuple[str, ...], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    for folder in ("orders", "invoices", "customers", "deliveries"):
        (project / folder / "tests").mkdir(parents=True)
        (project / folder / "setup.py").touch()
        (project / folder / "tests" / "test_a.py").write_text("def test_a(): pass\n", "utf-8")
    seen = on_a_terminal(*words)
    assert seen.code == 2
    lines = [line for line in seen.raw.decode().splitlines() if line]
    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH


def test_no_text_looks_like_a_line_of_ours() -> None:
    printed = io.StringIO()
    console = Console(Screen(file=printed))
    console(events.Notice("one\nSolved after 1 attempt\r\nthree"))
    assert printed.getvalue() == "! one Solved after 1 attempt three\n"


def test_what_is_cut_short_leaves_no_moving_line() -> None:
    printed = io.StringIO()
    console = Console(Screen(file=printed, force_terminal=True, width=40))
    console(events.StepStarted("running the agent"))
    console.close()
    screen = pyte.Screen(40, 5)
    pyte.Stream(screen).feed(printed.getvalue().replace("\n", "\r\n"))
    assert "running the agent" in printed.getvalue()
    assert "".join(screen.display).strip() == ""
    assert not screen.cursor.hidden


def test_a_step_before_a_run_ends_when_the_run_is_shown() -> None:
    printed = io.StringIO()
    console = Console(Screen(file=printed, force_terminal=True, width=40))
    console(events.StepStarted("collecting the tests"))
    console(events.RunStarted("run", Task("Fix it.", Path("/shop")), Path("/shop")))
    screen = pyte.Screen(40, 8)
    pyte.Stream(screen).feed(printed.getvalue().replace("\n", "\r\n"))
    assert "Fix it." in "".join(screen.display)
    assert "collecting" not in "".join(screen.display)
    assert not screen.cursor.hidden
    console.close()


def test_without_a_terminal_a_long_suite_says_once_a_minute_that_it_runs() -> None:
    printed = io.StringIO()
    console = Console(Screen(file=printed))
    console(events.StepStarted("running the suite"))
    for seconds in (5.0, 61.0, 70.0, 125.0):
        console(events.SuiteRunning(seconds, 600, line=f"compiling {EVIL[:5]} {seconds:g}"))
    assert printed.getvalue().splitlines() == [
        "... running the suite",
        "    still running after 1:01 min · compiling \ufffd[45m 61",
        "    still running after 2:05 min · compiling \ufffd[45m 125",
    ]


def test_the_live_line_names_the_case_that_hangs() -> None:
    printed = io.StringIO()
    console = Console(Screen(file=printed, force_terminal=True, width=120, color_system=None))
    console(events.StepStarted("running the suite"))
    console(events.CaseFinished(Case("tests/test_a.py::test_x", CaseOutcome.PASSED)))
    console(events.SuiteRunning(62, 120, "tests/test_a.py::test_y", 60, is_late=True))
    line = console._progress._render_text("running the suite", 62).plain
    assert line == "running the suite · 1:02 min · 1 passed · tests/test_a.py::test_y for 1:00 min"
    console(events.CaseFinished(Case("tests/test_a.py::test_y", CaseOutcome.PASSED)))
    line = console._progress._render_text("running the suite", 63).plain
    assert line == "running the suite · 1:03 min · 2 passed · tests/test_a.py::test_y"
    console.close()
    said = " ".join(printed.getvalue().split())
    assert "test_y has been running for 1:00 min; tests.timeout ends the suite after 2:00" in said


def test_calls_at_the_same_time_that_fail_are_told_apart() -> None:
    printed = io.StringIO()
    console = Console(Screen(file=printed))
    for id_, path in (("1", "a.py"), ("2", "b.py")):
        console(events.ToolUsed("Edit", path, id=id_))
    console(events.ToolEnded("1", "Edit", failed=True, why="not found\nmore"))
    console(events.ToolEnded("2", "Edit", refused=True, why="not permitted"))
    assert printed.getvalue().splitlines() == [
        "  Edit     a.py",
        "  Edit     b.py",
        "  failed   Edit a.py: not found ...",
        "  refused  Edit b.py: not permitted",
    ]

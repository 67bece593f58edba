"""What is recorded by typing into the program on a terminal.

Each case is a list of steps: wait for a text on the screen, type a text, or press a key. tmux is
the terminal, with a server of its own.
"""

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from orchestrator.replay import ReplayServer, Scenario
from tests.agents.claude import answers, say, steps
from tests.sessions.recorded_cases import SHOP, WAIT, bash, edit
from tests.sessions.recording import (
    CONFIG,
    HOME,
    PROJECT,
    Case,
    find_program,
    keep,
    make_environment,
    make_session_id,
    prepare,
    report,
)


class Do(Enum):
    WAIT = "wait for a text on the screen"
    TYPE = "type a text and confirm it"
    PRESS = "press a key"
    PAUSE = "let seconds pass, where the screen shows nothing to wait for"


@dataclass(frozen=True)
class TypedCase:
    """What a person does at the terminal, under one name."""

    name: str
    scenario: Scenario
    steps: tuple[tuple[Do, str], ...]
    files: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("--permission-mode", "default")


READY: Final = (Do.WAIT, "effort")
ASKED: Final = (Do.WAIT, "Do you want to")
LEAVE: Final = (Do.TYPE, "/exit")
FREELY: Final = ("--permission-mode", "acceptEdits", "--allowedTools", "Bash")


def follow_up(first: str, then: str, *replies: Mapping[str, Any]) -> Scenario:
    """Return a model that plays the replies until a later prompt is in the request."""
    return answers(
        {"when": {"contains": then}, "reply": say("Understood.")},
        {"when": {"contains": first}, "steps": list(replies)},
    )


TYPED: Final = (
    TypedCase(
        "typed-rejection-with-words",
        steps(bash("touch made.txt"), say("I leave the file alone.")),
        (
            READY,
            (Do.TYPE, "Make a file"),
            ASKED,
            (Do.PRESS, "Down"),
            (Do.PRESS, "Down"),
            (Do.PRESS, "Down"),
            (Do.PRESS, "Tab"),
            (Do.TYPE, "Never make files here, put it into the database"),
            (Do.WAIT, "I leave the file alone."),
            LEAVE,
        ),
    ),
    TypedCase(
        "typed-rejection-without-words",
        follow_up(
            "Make a file",
            "Then list the files",
            bash("touch made.txt"),
            say("I leave the file alone."),
        ),
        (
            READY,
            (Do.TYPE, "Make a file"),
            ASKED,
            (Do.PRESS, "Escape"),
            (Do.WAIT, "Interrupted"),
            (Do.TYPE, "Then list the files"),
            (Do.WAIT, "Understood."),
            LEAVE,
        ),
    ),
    TypedCase(
        "typed-rejection-of-an-edit",
        steps(
            edit("cart.py", "sum(prices) - 1", "max(prices)"),
            edit("cart.py", "sum(prices) - 1", "sum(prices)"),
            say("Repaired."),
        ),
        (
            READY,
            (Do.TYPE, "Repair total"),
            ASKED,
            (Do.PRESS, "Down"),
            (Do.PRESS, "Down"),
            (Do.PRESS, "Tab"),
            (Do.TYPE, "A total is a sum, never a maximum"),
            ASKED,
            (Do.PRESS, "Enter"),
            (Do.WAIT, "Repaired."),
            LEAVE,
        ),
        files=SHOP,
    ),
    TypedCase(
        "typed-interruption",
        follow_up("Wait a while", "No, do not wait", bash(WAIT), say("Not reached.")),
        (
            READY,
            (Do.TYPE, "Wait a while"),
            (Do.WAIT, "time.sleep(30)"),
            (Do.PRESS, "Escape"),
            (Do.WAIT, "Interrupted"),
            (Do.TYPE, "No, do not wait"),
            (Do.WAIT, "Understood."),
            LEAVE,
        ),
        arguments=FREELY,
    ),
    TypedCase(
        "typed-interruption-of-an-answer",
        follow_up(
            "Tell me a story",
            "Shorter, please",
            bash("echo Once upon a time."),
            say("Not reached.", delay=20),
        ),
        (
            READY,
            (Do.TYPE, "Tell me a story"),
            (Do.PAUSE, "5"),
            (Do.PRESS, "Escape"),
            (Do.WAIT, "Interrupted"),
            (Do.TYPE, "Shorter, please"),
            (Do.WAIT, "Understood."),
            LEAVE,
        ),
        arguments=FREELY,
    ),
    TypedCase(
        "typed-withdrawn",
        answers({"reply": say("Too late.", delay=20)}),
        (
            READY,
            (Do.TYPE, "Tell me a story"),
            (Do.WAIT, "esc to interrupt"),
            (Do.PRESS, "Escape"),
        ),
        arguments=FREELY,
    ),
    TypedCase(
        "typed-correction",
        follow_up(
            "Repair total",
            "No, use pytest instead of make",
            edit("cart.py", "sum(prices) - 1", "sum(prices)"),
            bash("make test"),
            say("The tests cannot be run."),
        ),
        (
            READY,
            (Do.TYPE, "Repair total"),
            (Do.WAIT, "The tests cannot be run."),
            (Do.TYPE, "No, use pytest instead of make"),
            (Do.WAIT, "Understood."),
            LEAVE,
        ),
        files=SHOP,
        arguments=FREELY,
    ),
    TypedCase(
        "typed-while-it-works",
        steps(
            bash("python3 -c 'import time; time.sleep(4)'"),
            bash("ls"),
            say("Both are done."),
        ),
        (
            READY,
            (Do.TYPE, "Wait and list the files"),
            (Do.WAIT, "time.sleep(4)"),
            (Do.TYPE, "and only the Python files, please"),
            (Do.WAIT, "Both are done."),
            LEAVE,
        ),
        arguments=FREELY,
    ),
    TypedCase(
        "typed-approval",
        steps(bash("touch made.txt"), say("The file is there.")),
        (
            READY,
            (Do.TYPE, "Make a file"),
            ASKED,
            (Do.PRESS, "Enter"),
            (Do.WAIT, "The file is there."),
            (Do.TYPE, "!echo typed in the shell"),
            (Do.WAIT, "typed in the shell"),
            LEAVE,
        ),
    ),
)


class Terminal:
    """The program in a terminal of its own."""

    def __init__(self, case: TypedCase, url: str) -> None:
        self._tmux = ("tmux", "-f", "/dev/null", "-S", str(HOME / "tmux"))
        size = ("-x", "110", "-y", "45")
        session = ("--session-id", make_session_id(case.name))
        program = (str(find_program()), *case.arguments, *session)
        new = ("new-session", "-d", "-s", "x", *size, "-c", str(PROJECT), *program)
        subprocess.run([*self._tmux, *new], env=make_environment(url), check=True)

    def read(self) -> str:
        done = subprocess.run(
            [*self._tmux, "capture-pane", "-p", "-t", "x"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def send(self, *words: str) -> None:
        subprocess.run([*self._tmux, "send-keys", "-t", "x", *words], check=True)
        time.sleep(0.6)

    def wait(self, text: str) -> None:
        deadline = time.monotonic() + 25
        while text not in self.read():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} is not on the screen:\n{self.read()}")
            time.sleep(0.1)
        time.sleep(0.6)

    def close(self) -> None:
        time.sleep(1)
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)


def skip_welcome() -> None:
    """Write the settings of a person who has used the program in this project before."""
    project = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    known = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "projects": {str(PROJECT): project},
        "customApiKeyResponses": {"approved": ["sk-not-a-key"], "rejected": []},
    }
    CONFIG.mkdir(exist_ok=True)
    (HOME / ".claude.json").write_text(json.dumps(known), encoding="utf-8")


def record_typed(case: TypedCase) -> None:
    report(case.name)
    prepare(Case(case.name, case.scenario, (), case.files))
    skip_welcome()
    with ReplayServer(case.scenario) as model:
        terminal = Terminal(case, model.url)
        try:
            for do, text in case.steps:
                if do is Do.WAIT:
                    terminal.wait(text)
                elif do is Do.PAUSE:
                    time.sleep(float(text))
                elif do is Do.PRESS:
                    terminal.send(text)
                else:
                    terminal.send("-l", text)
                    terminal.send("Enter")
        except TimeoutError as error:
            report(f"  {error}")
        finally:
            terminal.close()
    keep(case.name)

"""Converse with Claude Code in its stream-json mode, over which claude-agent-sdk drives it too.

The program is greeted, is given the prompt, and says what it does; in between it asks whether an
edit may be made, and waits for the answer. That takes no event loop: the program's output is read
by the child's own thread, so the program never waits for us but where it asks.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from orchestrator.agents.claude_wire import Message, WireError, parse_message

Refuse = Callable[[Path], str | None]
"""Asked before each edit of a file; says why it must not be, or None."""

_GREETING: Final = "greeting"
_HOOK: Final = "refuse"
_EDITS: Final = "Edit|MultiEdit|Write|NotebookEdit"

_DELEGATED_TYPES: Final = ("local_agent", "local_workflow")
"""Tasks whose end brings a turn of its own. A shell in the background may never end."""
_FINAL_STATUSES: Final = ("completed", "failed", "stopped", "killed")


class Program(Protocol):
    """The other side."""

    def write(self, data: bytes) -> None:
        """Write to the program's standard input."""

    def end_input(self) -> None:
        """Close it, after which the program ends by itself."""

    def read_messages(self, is_over: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """Yield the program's messages, until it ends; one that is over is not waited for long."""


class Session:
    """One prompt and all that comes of it.

    Args:
        program: the program, which was started.
        refuse: asked before each edit; None lets Claude Code's own permissions decide alone.
    """

    def __init__(self, program: Program, refuse: Refuse | None) -> None:
        self._program, self._refuse = program, refuse
        self._delegated: set[str] = set()
        self._tasks: set[str] = set()
        """All that goes on in the background, of whatever kind."""
        self._state = "idle"
        self._judged = self._asked = False

    @property
    def is_over(self) -> bool:
        """Whether the program has answered, and nothing of it goes on."""
        return self._judged and self._state == "idle" and not self._tasks

    def converse(self, prompt: str) -> Iterator[Message]:
        """Send the prompt, and yield what the program says until it ends.

        Raises:
            WireError: the program does not take the greeting, or says what cannot be read.
        """
        self._send_message(_build_greeting(asks=self._refuse is not None))
        for data in self._program.read_messages(lambda: self.is_over):
            match data.get("type"):
                case "control_response":
                    self._handle_answer(data, prompt)
                case "control_request":
                    self._answer_request(data)
                case _:
                    self._track_state(data)
                    if message := parse_message(data):
                        yield message

    def _handle_answer(self, data: Mapping[str, Any], prompt: str) -> None:
        answer = _as_mapping(data.get("response"))
        if answer.get("request_id") != _GREETING:
            return
        if answer.get("subtype") == "error":
            raise WireError(f"Claude Code did not take the greeting: {answer.get('error')}")
        if self._asked:
            return  # a prompt that is sent twice is paid for twice
        self._asked = True
        self._send_message(
            {
                "type": "user",
                "session_id": "",
                "message": {"role": "user", "content": prompt},
                "parent_tool_use_id": None,
                "client_composed": True,  # or a `/name` and an `@path` in it would mean something
            }
        )
        if not self._refuse:
            self._program.end_input()

    def _answer_request(self, data: Mapping[str, Any]) -> None:
        """Answer a request of the program, which waits for it."""
        request = _as_mapping(data.get("request"))
        answer: dict[str, Any] = {"request_id": data.get("request_id")}
        if request.get("subtype") == "hook_callback" and self._refuse:
            decision = _decide_edit(self._refuse, _as_mapping(request.get("input")))
            answer |= {"subtype": "success", "response": decision}
        else:
            error = f"Unsupported control request subtype: {request.get('subtype')}"
            answer |= {"subtype": "error", "error": error}
        self._send_message({"type": "control_response", "response": answer})

    def _track_state(self, data: Mapping[str, Any]) -> None:
        """Close the program's input once it has nothing to ask any more.

        A result ends a turn, and not always the work: a subagent in the background goes on, and
        its end brings one more turn. With the input closed the program could not ask. Programs
        that are too old to report their state count as idle.
        """
        kind, subtype, task = data.get("type"), data.get("subtype"), data.get("task_id")
        if kind in ("assistant", "user"):
            self._judged = False  # one more turn
            return
        if kind == "result":
            self._judged = True
        elif kind == "system" and subtype == "session_state_changed":
            self._state = str(data.get("state"))
        elif kind == "system" and isinstance(task, str):
            if subtype == "task_started":
                self._tasks.add(task)
                if data.get("task_type") in _DELEGATED_TYPES:
                    self._delegated.add(task)
            elif _is_task_end(data):
                self._tasks.discard(task)
                self._delegated.discard(task)
            return  # the end of a task brings a turn
        else:
            return
        if self._refuse and self._judged and self._state == "idle" and not self._delegated:
            self._program.end_input()

    def _send_message(self, message: Mapping[str, Any]) -> None:
        self._program.write(json.dumps(message).encode() + b"\n")


def _build_greeting(*, asks: bool) -> dict[str, Any]:
    hook = {"matcher": _EDITS, "hookCallbackIds": [_HOOK], "onFailure": "block"}
    return {
        "type": "control_request",
        "request_id": _GREETING,
        "request": {"subtype": "initialize", "hooks": {"PreToolUse": [hook]} if asks else None},
    }


def _is_task_end(data: Mapping[str, Any]) -> bool:
    if data.get("subtype") == "task_updated":
        return _as_mapping(data.get("patch")).get("status") in _FINAL_STATUSES
    return data.get("subtype") == "task_notification"


def _decide_edit(refuse: Refuse, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Decide on an edit. Whatever goes wrong with that, the answer is no."""
    try:
        tool = asked["tool_input"]
        path = tool.get("file_path") or tool.get("notebook_path")
        reason = refuse(Path(path)) if path else None
    except Exception as error:  # noqa: BLE001 -- whatever it is, the answer is no
        reason = f"this edit could not be checked: {error or type(error).__name__}"
    if reason is None:
        return {}
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

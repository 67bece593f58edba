"""Speak the stream-json protocol of Claude Code, as claude-agent-sdk does.

The program gets a greeting and the prompt, and reports what it does; before an edit it asks
whether it may be made, and waits for the answer. No event loop is needed: a thread of the child
reads the output, so the program waits only for answers.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from orchestrator.agents.claude_wire import Message, WireError, parse_message

Refuse = Callable[[Path], str | None]
"""Called before each edit of a file; returns the reason to refuse it, or None."""

_GREETING: Final = "greeting"
_HOOK: Final = "refuse"
_EDITS: Final = "Edit|MultiEdit|Write|NotebookEdit"

_DELEGATED_TYPES: Final = ("local_agent", "local_workflow")
"""Tasks whose end starts a turn. A shell in the background may never end."""
_FINAL_STATUSES: Final = ("completed", "failed", "stopped", "killed")


class Program(Protocol):
    """Claude Code, as its side of the protocol is used here."""

    def write(self, data: bytes) -> None:
        """Write to the program's standard input."""

    def end_input(self) -> None:
        """Close the standard input, after which the program ends by itself."""

    def read_messages(self, is_over: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """Yield the program's messages until it ends, or is ended because it is over."""


class Session:
    """The conversation about one prompt.

    Args:
        program: the program; it is started before `converse` is iterated.
        refuse: called before each edit; with None only Claude Code's own permissions apply.
    """

    def __init__(self, program: Program, refuse: Refuse | None) -> None:
        self._program, self._refuse = program, refuse
        self._delegated: set[str] = set()
        self._tasks: set[str] = set()
        """Tasks in the background, of any kind."""
        self._state = "idle"
        self._answered = self._sent_prompt = False

    @property
    def is_over(self) -> bool:
        """Whether the program has answered and no work is left in the background."""
        return self._answered and self._state == "idle" and not self._tasks

    def converse(self, prompt: str) -> Iterator[Message]:
        """Send the prompt, and yield the program's messages until it ends.

        Raises:
            WireError: the program rejects the greeting, or sends a message that cannot be read.
        """
        self._send_message(_build_greeting(checks_edits=self._refuse is not None))
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
            raise WireError(f"Claude Code rejected the start of the session: {answer.get('error')}")
        if self._sent_prompt:
            return  # a prompt that is sent twice is billed twice
        self._sent_prompt = True
        self._send_message(
            {
                "type": "user",
                "session_id": "",
                "message": {"role": "user", "content": prompt},
                "parent_tool_use_id": None,
                # Else `/name` would be a command, and `@path` replaced by the file.
                "client_composed": True,
            }
        )
        if not self._refuse:
            self._program.end_input()

    def _answer_request(self, data: Mapping[str, Any]) -> None:
        """Answer a request of the program, which blocks until then."""
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
        """Close the program's input when it has nothing more to ask.

        A result ends a turn, but not always the work: a subagent in the background goes on, and
        its end starts another turn. With its input closed, the program could not ask about edits.
        Versions that do not report their state count as idle.
        """
        kind, subtype, task = data.get("type"), data.get("subtype"), data.get("task_id")
        if kind in ("assistant", "user"):
            self._answered = False  # another turn has started
            return
        if kind == "result":
            self._answered = True
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
            return  # the end of a task starts a turn, whose result is to come
        else:
            return
        if self._refuse and self._answered and self._state == "idle" and not self._delegated:
            self._program.end_input()

    def _send_message(self, message: Mapping[str, Any]) -> None:
        self._program.write(json.dumps(message).encode() + b"\n")


def _build_greeting(*, checks_edits: bool) -> dict[str, Any]:
    hook = {"matcher": _EDITS, "hookCallbackIds": [_HOOK], "onFailure": "block"}
    return {
        "type": "control_request",
        "request_id": _GREETING,
        "request": {
            "subtype": "initialize",
            "hooks": {"PreToolUse": [hook]} if checks_edits else None,
        },
    }


def _is_task_end(data: Mapping[str, Any]) -> bool:
    if data.get("subtype") == "task_updated":
        return _as_mapping(data.get("patch")).get("status") in _FINAL_STATUSES
    return data.get("subtype") == "task_notification"


def _decide_edit(refuse: Refuse, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of the PreToolUse hook for an edit; any failure denies it."""
    try:
        tool = asked["tool_input"]
        path = tool.get("file_path") or tool.get("notebook_path")
        reason = refuse(Path(path)) if path else None
    # A hook that raises in the SDK lets the edit pass (2.1.329), so nothing may be raised here.
    except Exception as error:  # noqa: BLE001 -- see above
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

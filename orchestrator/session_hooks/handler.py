"""One hook event that has something in it: note it, before or after the tool.

Errors go up to `entry`, which logs them; nothing is printed.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH103, PTH108, PTH109, PTH110, PTH118, PTH120, PTH123, PTH204, PTH208

import json
import os
import time

from orchestrator.masking import mask_line
from orchestrator.platform.locking import FileLock, lock_descriptor
from orchestrator.session_hooks.entry import note, state_folder, utc_now
from orchestrator.session_hooks.writeahead import buffer, grammar, places
from orchestrator.storage import location

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from orchestrator.session_hooks.writeahead.destructive import Danger

MAX_LOG_BYTES = 1 << 20
"""Where the log of failed calls stops growing until somebody reviews it."""

_COMMAND_BOUND = 300
_ERROR_BOUND = 500
_LOCK_SECONDS = 2.0
_LOG_LOCK_SECONDS = 5.0
_STALE_SECONDS = 7 * 24 * 3600

Event = dict[str, object]


def handle(data: bytes) -> None:
    """Write down what the event has to say.

    Raises:
        OSError, ValueError: it cannot be read or written.
    """
    event = json.loads(data.decode("utf-8", "replace"))
    if not isinstance(event, dict):
        raise ValueError("the event is no JSON object")
    kind = event.get("hook_event_name")
    if kind == "PreToolUse":
        _before(event)
    elif kind == "PostToolUse":
        _after(event, failed="")
    elif kind == "PostToolUseFailure":
        # Each of the two is worth having without the other.
        try:
            _after(event, failed=_text(event, "error") or "failed")
        finally:
            _log_failure(event)
    elif kind == "Stop":
        _settle_denied(event)


def _before(event: Event) -> None:
    from orchestrator.session_hooks.writeahead import outcome
    from orchestrator.session_hooks.writeahead.entries import entry

    base = places.find_base(_project(event))
    if base is None:
        return
    found = _dangers(event, base)
    if not found:
        return
    call = _text(event, "tool_use_id")
    directory = _text(event, "cwd") or os.getcwd()
    text = entry(found, directory, call, _text(event, "session_id"))
    with FileLock(places.buffer_lock_path(base), _LOCK_SECONDS):
        # The hooks of project and user may both be ours, from two installations.
        if not os.path.exists(_mark_path(call)):
            _mark(call, base, _text(event, "session_id"), outcome.meanings(found))
            try:
                buffer.append(base, text)
            except BaseException:
                _forget(_mark_path(call))
                raise
    _sweep()


def _dangers(event: Event, base: str) -> "list[Danger]":
    from orchestrator.session_hooks.writeahead import destructive

    directory = _text(event, "cwd") or os.getcwd()
    tool_input = event.get("tool_input")
    if not isinstance(tool_input, dict):
        return []
    if event.get("tool_name") == "Bash":
        patterns: tuple[str, ...] = ()
        for folder in dict.fromkeys((base, places.global_base())):
            try:
                patterns += places.read_patterns(os.path.join(folder, places.PATTERNS))
            except OSError as error:  # the published commands are to be noted all the same
                note(error)
        return destructive.dangers(str(tool_input.get("command", "")), directory, patterns)
    texts = [value for value in tool_input.values() if isinstance(value, str)]
    return destructive.dangers_in_sql("\n".join(texts), directory)


def _after(event: Event, failed: str) -> None:
    """Settle the entry of a call that has ended, as far as its end tells.

    Args:
        event: what Claude Code says of it.
        failed: the error, if it failed.
    """
    from orchestrator.session_hooks.writeahead.outcome import status

    call = _text(event, "tool_use_id")
    mark = _mark_path(call)
    _, _, meanings, base = _mark_lines(mark)
    if not base:
        return
    response = event.get("tool_response")
    interrupted = bool(event.get("is_interrupt"))
    found = status(meanings, failed, interrupted, response if isinstance(response, dict) else {})
    try:
        with FileLock(places.buffer_lock_path(base), _LOCK_SECONDS):
            buffer.settle(base, call, *found)
    finally:
        # What could not be settled stays PENDING. With its mark, the turn's end would say that
        # it was never run.
        _forget(mark)


def _settle_denied(event: Event) -> None:
    """At the end of a turn every call has ended: what is still pending was never let run.

    Except for calls of an agent in the background, which may be under way, and those of another
    process: it may have been killed in the middle of one, and the session taken up again.
    """
    tasks = event.get("background_tasks")
    if isinstance(tasks, list) and any(
        not isinstance(task, dict) or task.get("type") != "shell" for task in tasks
    ):
        return
    session, process = _text(event, "session_id"), _process()
    folder = os.path.join(state_folder(), "pending")
    for call in os.listdir(folder):
        mark = os.path.join(folder, call)
        marked, started_by, _, base = _mark_lines(mark)
        if not process or (marked, started_by) != (session, process) or not base:
            continue
        try:
            with FileLock(places.buffer_lock_path(base), _LOCK_SECONDS):
                buffer.settle(
                    base, call, grammar.ROLLED_BACK, "not run: the call was not permitted"
                )
        except FileNotFoundError:
            pass  # the buffer is gone, and the entry with it
        _forget(mark)


def _log_failure(event: Event) -> None:
    """Add a line to `.pending-errors.log`.

    A person's interruption is no failure, and a run of ours logs what it learns from by itself.
    """
    base = places.find_base(_project(event))
    if base is None or event.get("is_interrupt") or os.environ.get(location.RUN_VARIABLE):
        return
    tool_input = event.get("tool_input")
    command = ""
    if isinstance(tool_input, dict):
        command = str(tool_input.get("command") or tool_input.get("file_path") or "")
    facts = {
        "command": mask_line(command, _COMMAND_BOUND),
        "error": mask_line(_text(event, "error"), _ERROR_BOUND),
        "directory": _text(event, "cwd"),
        "session": _text(event, "session_id"),
        "call": _text(event, "tool_use_id"),
    }
    tool = mask_line(_text(event, "tool_name"), 100)
    line = grammar.format_failure(utc_now(), tool, facts)
    _append_line(os.path.join(base, places.PENDING_ERRORS), line)


def _append_line(path: str, line: str) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(path, flags, 0o600)
    try:
        # `review` holds this lock from reading the log to emptying it.
        lock_descriptor(file, _LOG_LOCK_SECONDS)
        if os.fstat(file).st_size > MAX_LOG_BYTES:
            raise OSError(f"{path} is full; `orchestrator learnings review` empties it")
        buffer.write_whole(file, line.encode("utf-8", "replace"), path)
    finally:
        os.close(file)


def _project(event: Event) -> str:
    return os.environ.get("CLAUDE_PROJECT_DIR") or _text(event, "cwd") or os.getcwd()


def _text(event: Event, key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""


def _mark(call: str, base: str, session: str, meanings: str) -> None:
    """Note that a call is under way, so that the hook after it knows where its entry is."""
    path = _mark_path(call)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"{session}\n{_process()}\n{meanings}\n{base}\n")


def _sweep() -> None:
    """Remove marks of calls that were left long ago; hooks of all sessions do, at the same time."""
    folder = os.path.join(state_folder(), "pending")
    for name in os.listdir(folder):
        mark = os.path.join(folder, name)
        try:
            if time.time() - os.path.getmtime(mark) > _STALE_SECONDS:
                os.unlink(mark)
        except FileNotFoundError:
            continue


def _forget(mark: str) -> None:
    try:
        os.unlink(mark)
    except FileNotFoundError:
        return  # another hook was there first


def _process() -> str:
    """Claude Code's process: its number and, where /proc says it, when it started; else empty."""
    number = os.environ.get("CLAUDE_PID", "")
    if not number.isdigit():
        return ""
    try:
        with open(f"/proc/{number}/stat", "rb") as file:
            # proc(5): the 22nd field; the second is a name in brackets, with whatever in it.
            return f"{number} {file.read().rpartition(b')')[2].split()[19].decode()}"
    except (OSError, IndexError):
        return number


def _mark_path(call: str) -> str:
    if not call or not call.replace("_", "").replace("-", "").isalnum() or len(call) > 200:
        raise ValueError(f"the event's tool_use_id is {call[:50]!r}")
    return os.path.join(state_folder(), "pending", call)


def _mark_lines(mark: str) -> tuple[str, str, str, str]:
    """Session, process, what its end means, workspace of a call under way; empty if it is none."""
    try:
        with open(mark, encoding="utf-8", errors="surrogateescape") as file:
            session, process, meanings, base = file.read().split("\n", 3)
    except (FileNotFoundError, ValueError):
        return "", "", "", ""
    return session, process, meanings, base.removesuffix("\n")

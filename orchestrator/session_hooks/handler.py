"""Record a hook event: before a tool runs, after it, or at the end of a turn.

Errors are raised to `entry`, which logs them; nothing is printed.

Between the events of a call a file in the state directory, its mark, says where its entry is.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH108, PTH109, PTH110, PTH118, PTH123, PTH204, PTH208

import json
import os
import time

from orchestrator.masking import mask_line
from orchestrator.platform.locking import FileLock, lock_descriptor
from orchestrator.session_hooks.error_log import find_state_folder, log_error, utc_now
from orchestrator.session_hooks.writeahead import buffer, grammar, locations
from orchestrator.storage import location

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from orchestrator.session_hooks.writeahead.danger import Danger

MAX_LOG_BYTES = 1 << 20
"""Size at which the log of failed calls stops growing until somebody reviews it."""

_COMMAND_BOUND = 300
_ERROR_BOUND = 500
_LOCK_SECONDS = 2.0
_LOG_LOCK_SECONDS = 5.0
_STALE_SECONDS = 7 * 24 * 3600

Event = dict[str, object]


def handle_event(data: bytes) -> None:
    """Record an event.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: the event is not what Claude Code sends.
    """
    event = _parse_event(data.decode("utf-8", "replace"))
    if not isinstance(event, dict):
        raise ValueError("the event is not a JSON object")
    kind = event.get("hook_event_name")
    if kind == "PreToolUse":
        _record_dangers(event)
    elif kind == "PostToolUse":
        _update_entry(event, failed="")
    elif kind == "PostToolUseFailure":
        # Each of the two is useful without the other.
        try:
            _update_entry(event, failed=_get_text(event, "error") or "failed")
        finally:
            _log_failure(event)
    elif kind == "Stop":
        _close_denied_calls(event)


def _parse_event(text: str) -> object:
    """Return an event; if the tool's input cannot be parsed, the input is its text.

    Raises:
        ValueError, RecursionError: another part of it cannot be parsed.
    """
    try:
        # As floats: Python refuses integers of more than 4,300 digits.
        return json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        before, name, rest = text.partition('"tool_input"')
        if not name:
            raise
        event = json.loads(before.rstrip().rstrip(",") + "}")
        at = rest.rfind('"tool_use_id"')
        if at >= 0:
            event |= json.loads("{" + rest[at:])
        return event | {"tool_input": rest}


def _record_dangers(event: Event) -> None:
    from orchestrator.session_hooks.writeahead import outcome
    from orchestrator.session_hooks.writeahead.entries import build_entry

    base = locations.find_base(_find_project(event))
    if base is None:
        return
    found = _find_dangers(event, base)
    if not found:
        return
    call = _get_text(event, "tool_use_id")
    directory = _get_text(event, "cwd") or os.getcwd()
    text = build_entry(found, directory, call, _get_text(event, "session_id"))
    with FileLock(locations.buffer_lock_path(base), _LOCK_SECONDS):
        # The project's and the user's settings may both run this hook, from two installations.
        if not os.path.exists(_mark_path(call)):
            _write_mark(call, base, _get_text(event, "session_id"), outcome.predict_statuses(found))
            try:
                buffer.append_entry(base, text)
            except BaseException:
                _remove_mark(_mark_path(call))
                raise
    _remove_stale_marks()


def _find_dangers(event: Event, base: str) -> "list[Danger]":
    from orchestrator.session_hooks.writeahead import destructive

    directory = _get_text(event, "cwd") or os.getcwd()
    tool_input = event.get("tool_input")
    if isinstance(tool_input, str):  # it could not be parsed
        return [destructive.build_unread_danger(tool_input, directory)]
    if not isinstance(tool_input, dict):
        return []
    if event.get("tool_name") == "Bash":
        patterns: tuple[str, ...] = ()
        for folder in dict.fromkeys((base, locations.find_global_base())):
            try:
                patterns += locations.read_patterns(os.path.join(folder, locations.PATTERNS))
            except OSError as error:  # the built-in list still applies
                log_error(error)
        return destructive.find_dangers(str(tool_input.get("command", "")), directory, patterns)
    texts = [value for value in tool_input.values() if isinstance(value, str)]
    return destructive.find_sql_dangers("\n".join(texts), directory)


def _update_entry(event: Event, failed: str) -> None:
    """Update the entry of a call that has ended, as far as its end shows what happened.

    Args:
        event: the event after the call.
        failed: the error, if the call failed; else empty.
    """
    from orchestrator.session_hooks.writeahead.outcome import determine_status

    call = _get_text(event, "tool_use_id")
    mark = _mark_path(call)
    _, _, meanings, base = _read_mark(mark)
    if not base:
        return
    response = event.get("tool_response")
    interrupted = bool(event.get("is_interrupt"))
    found = determine_status(
        meanings, failed, interrupted, response if isinstance(response, dict) else {}
    )
    try:
        with FileLock(locations.buffer_lock_path(base), _LOCK_SECONDS):
            buffer.set_entry_status(base, call, *found)
    finally:
        # An entry that could not be updated stays PENDING. If its mark stayed too, the end of the
        # turn would record that the command was never run.
        _remove_mark(mark)


def _close_denied_calls(event: Event) -> None:
    """Close the entries of calls that were not permitted.

    Claude Code sends no event after a call that the user denied. But at the end of a turn every
    call has ended, so calls that still have a mark never ran. Exceptions are the calls of an agent
    in the background, which may still run, and those of another process: it may have been killed
    during a call, and its session resumed in this process.
    """
    tasks = event.get("background_tasks")
    if isinstance(tasks, list) and any(
        not isinstance(task, dict) or task.get("type") != "shell" for task in tasks
    ):
        return
    session, process = _get_text(event, "session_id"), _identify_process()
    folder = os.path.join(find_state_folder(), location.PENDING_CALLS)
    for call in os.listdir(folder):
        mark = os.path.join(folder, call)
        marked, started_by, _, base = _read_mark(mark)
        if not process or (marked, started_by) != (session, process) or not base:
            continue
        try:
            with FileLock(locations.buffer_lock_path(base), _LOCK_SECONDS):
                buffer.set_entry_status(
                    base, call, grammar.ROLLED_BACK, "not run: the call was not permitted"
                )
        except FileNotFoundError:
            pass  # the user removed the buffer, and the entry with it
        _remove_mark(mark)


def _log_failure(event: Event) -> None:
    """Add a line to `.pending-errors.log`.

    Interruptions by a person are no failures, and runs of the orchestrator log their failures
    themselves.
    """
    base = locations.find_base(_find_project(event))
    if base is None or event.get("is_interrupt") or os.environ.get(location.RUN_VARIABLE):
        return
    tool_input = event.get("tool_input")
    command = ""
    if isinstance(tool_input, dict):
        command = str(tool_input.get("command") or tool_input.get("file_path") or "")
    facts = {
        "command": mask_line(command, _COMMAND_BOUND),
        "error": mask_line(_get_text(event, "error"), _ERROR_BOUND),
        "directory": _get_text(event, "cwd"),
        "session": _get_text(event, "session_id"),
        "call": _get_text(event, "tool_use_id"),
    }
    tool = mask_line(_get_text(event, "tool_name"), 100)
    line = grammar.format_failure(utc_now(), tool, facts)
    _append_line(os.path.join(base, locations.PENDING_ERRORS), line)


def _append_line(path: str, line: str) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(path, flags, 0o600)
    try:
        # `review` holds this lock from reading the log until it has emptied it.
        lock_descriptor(file, _LOG_LOCK_SECONDS)
        if os.fstat(file).st_size > MAX_LOG_BYTES:
            raise OSError(f"{path} is full; `orchestrator learnings review` empties it")
        buffer.append_bytes(file, line.encode("utf-8", "replace"), path)
    finally:
        os.close(file)


def _find_project(event: Event) -> str:
    return os.environ.get("CLAUDE_PROJECT_DIR") or _get_text(event, "cwd") or os.getcwd()


def _get_text(event: Event, key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""


def _write_mark(call: str, base: str, session: str, meanings: str) -> None:
    """Record that a call is running, so that the hook after it finds its entry."""
    path = _mark_path(call)
    location.create_state_folder(location.HOOKS, location.PENDING_CALLS)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"{session}\n{_identify_process()}\n{meanings}\n{base}\n")


def _remove_stale_marks() -> None:
    """Remove old marks, of sessions that were killed; other hooks may do so at the same time."""
    folder = os.path.join(find_state_folder(), location.PENDING_CALLS)
    for name in os.listdir(folder):
        mark = os.path.join(folder, name)
        try:
            if time.time() - os.path.getmtime(mark) > _STALE_SECONDS:
                os.unlink(mark)
        except FileNotFoundError:
            continue


def _remove_mark(mark: str) -> None:
    try:
        os.unlink(mark)
    except FileNotFoundError:
        return  # another hook has removed it


def _identify_process() -> str:
    """Return the id and, where /proc has it, the start time of Claude Code's process.

    Empty if Claude Code does not pass its id. The id alone is not enough: ids are reused.
    """
    number = os.environ.get("CLAUDE_PID", "")
    if not number.isdigit():
        return ""
    try:
        with open(f"/proc/{number}/stat", "rb") as file:
            # proc(5): the 22nd field. The second one is a name in brackets, which may contain
            # spaces and brackets itself, so fields are counted from the last bracket.
            return f"{number} {file.read().rpartition(b')')[2].split()[19].decode()}"
    except (OSError, IndexError):
        return number


def _mark_path(call: str) -> str:
    if not call or not call.replace("_", "").replace("-", "").isalnum() or len(call) > 200:
        raise ValueError(f"the event's tool_use_id is {call[:50]!r}")
    return os.path.join(find_state_folder(), location.PENDING_CALLS, call)


def _read_mark(mark: str) -> tuple[str, str, str, str]:
    """Return session, process, meanings and workspace from a mark; empty texts if it is gone.

    The meanings are those of `predict_statuses`.
    """
    try:
        with open(mark, encoding="utf-8", errors="surrogateescape") as file:
            session, process, meanings, base = file.read().split("\n", 3)
    except (FileNotFoundError, ValueError):
        return "", "", "", ""
    return session, process, meanings, base.removesuffix("\n")

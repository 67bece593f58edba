"""The program that Claude Code runs as its hook. Most calls end here, soon after Python starts.

It is run as a file, with `python -I -S`: none of our modules can be imported until this one extends
`sys.path`, and the rest of the package is imported only if there is something to record. Even after
an error it prints nothing and exits with 0: Claude Code blocks the tool if a hook exits with
2.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH100, PTH109, PTH118, PTH120
# ruff: noqa: PTH208

import os
import sys

MAX_BYTES = 64 * 1024 * 1024
_LONG_INPUT = 1 << 20
"""Bytes from which on an input is not searched for words."""
_WORDS = (b"terraform", b"tofu", b"terragrunt", b"kubectl", b"dropdb", b"drop", b"truncate")
_GIT_WORDS = (b"reset", b"push", b"clean")


def main() -> None:
    """Read one event from standard input, and record it if necessary."""
    try:
        event = _read_event()
        if should_handle(event):
            _add_import_path()
            from orchestrator.session_hooks.handler import handle_event

            handle_event(event)
    # Catch everything, including KeyboardInterrupt and SystemExit: a traceback or exit code would
    # disturb the user's session.
    except BaseException as error:  # noqa: BLE001 -- a hook must never disturb the session
        _log_error(error)


def should_handle(event: bytes) -> bool:
    """Return whether an event may have to be recorded.

    A false positive only costs time; a false negative would lose the record.
    """
    kind = _parse_kind(event)
    if kind == b"PostToolUseFailure":
        return True
    if kind == b"PreToolUse":
        return has_workspace() and contains_destructive_word(event)
    return kind in (b"PostToolUse", b"Stop") and _has_pending_call(event, kind)


def contains_destructive_word(event: bytes) -> bool:
    """Return whether a tool's input contains a word of a destructive command, ignoring quotes.

    The event is searched as bytes, because most calls end here and never need `json`.
    """
    start = event.find(b'"tool_input"')
    text = event[max(start, 0) :]
    if len(text) > _LONG_INPUT:
        return True
    if b"$'" in text or b"\\u00" in text:
        return True  # escapes may hide a word
    text = text.replace(b"\\\\\\n", b"").replace(b"\\n", b" ").replace(b"\\t", b" ")
    text = text.translate(None, b"\"'\\").lower()
    if _has_word(text, b"rm") or b"-delete" in text or any(word in text for word in _WORDS):
        return True
    if b"git" in text and any(word in text for word in _GIT_WORDS):
        return True
    return any(word in text for word in _read_pattern_words())


def has_workspace() -> bool:
    """Return whether there is a workspace, according to the environment; the event is not read."""
    _add_import_path()
    from orchestrator.session_hooks.writeahead import locations

    return locations.find_base(_find_project()) is not None


def _read_pattern_words() -> list[bytes]:
    """Return the first words of the user's patterns, as they appear in text without quotes."""
    from orchestrator.session_hooks.writeahead import locations

    words = []
    for base in dict.fromkeys((locations.find_base(_find_project()), locations.find_global_base())):
        try:
            patterns = locations.read_patterns(os.path.join(base or "", locations.PATTERNS))
        except OSError:
            continue
        for pattern in patterns:
            first = pattern.split()[0].encode("utf-8", "replace").lower()
            # Without quotes and leading folders, and up to a wildcard, the word occurs literally.
            word = first.translate(None, b"\"'\\").rpartition(b"/")[2]
            words.append(word.partition(b"*")[0].partition(b"?")[0].partition(b"[")[0])
    return words


def _find_project() -> str:
    return os.environ.get("CLAUDE_PROJECT_DIR") or os.getcwd()


def _add_import_path() -> None:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if root not in sys.path:
        sys.path.insert(0, root)


def _read_event() -> bytes:
    parts, size = [], 0
    while size < MAX_BYTES and (part := os.read(0, 1 << 20)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _parse_kind(event: bytes) -> bytes:
    """Return the name of the event, which precedes any text that a tool may have written."""
    start = event.find(b'"hook_event_name"')
    if start < 0:
        return b""
    opening = event.find(b'"', start + 17)
    return event[opening + 1 : event.find(b'"', opening + 1)]


def _has_pending_call(event: bytes, kind: bytes) -> bool:
    _add_import_path()
    from orchestrator.storage.location import HOOKS, PENDING_CALLS, find_state_directory

    try:
        names = os.listdir(os.path.join(find_state_directory(), HOOKS, PENDING_CALLS))
    except OSError:
        return False
    return any(kind == b"Stop" or os.fsencode(name) in event for name in names)


def _has_word(text: bytes, word: bytes) -> bool:
    start = text.find(word)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(word) : start + len(word) + 1]
        if not (before.isalnum() or after.isalnum() or before == b"_" or after == b"_"):
            return True
        start = text.find(word, start + 1)
    return False


def _log_error(error: BaseException) -> None:
    try:
        _add_import_path()
        from orchestrator.session_hooks.error_log import log_error

        log_error(error)
    # As in `main`: an error while logging an error must not reach the session either.
    except BaseException:  # noqa: BLE001, S110 -- no other channel is left
        pass


if __name__ == "__main__":
    main()
    # Skip the interpreter's shutdown: nothing is buffered, and it would take milliseconds.
    os._exit(0)

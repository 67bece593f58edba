"""The first thing that Claude Code's hook runs: most calls end here, within a bare start of Python.

It is run as a file, with `python -I -S`, so nothing is importable until it says so, and the rest
of the package is imported only when there is something to write down. Whatever happens, it prints
nothing and its exit code is 0: exit code 2 of a hook would block the tool.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH100, PTH103, PTH109, PTH110, PTH118, PTH120
# ruff: noqa: PTH123, PTH202, PTH208

import os
import sys

MAX_BYTES = 64 * 1024 * 1024
_WORDS = (b"terraform", b"tofu", b"terragrunt", b"kubectl", b"dropdb", b"drop", b"truncate")
_GIT_WORDS = (b"reset", b"push", b"clean")


def main() -> None:
    """Read one event from standard input and note what there is to note."""
    try:
        event = _read_event()
        if should_handle(event):
            _add_import_path()
            from orchestrator.session_hooks.handler import handle_event

            handle_event(event)
    except BaseException as error:  # noqa: BLE001 -- a hook must never disturb the session
        log_error(error)


def should_handle(event: bytes) -> bool:
    """Whether the event may be one to write down; True too often costs time, never correctness."""
    kind = _parse_kind(event)
    if kind == b"PostToolUseFailure":
        return True
    if kind == b"PreToolUse":
        return has_workspace() and contains_destructive_word(event)
    return kind in (b"PostToolUse", b"Stop") and _has_pending_call(event, kind)


def contains_destructive_word(event: bytes) -> bool:
    """Whether a word of a destructive command stands in the tool's input, quoting taken away."""
    start = event.find(b'"tool_input"')
    text = event[max(start, 0) :]
    if b"$'" in text or b"\\u00" in text:
        return True  # a word may be spelled in escapes
    text = text.replace(b"\\\\\\n", b"").replace(b"\\n", b" ").replace(b"\\t", b" ")
    text = text.translate(None, b"\"'\\").lower()
    if _has_word(text, b"rm") or b"-delete" in text or any(word in text for word in _WORDS):
        return True
    if b"git" in text and any(word in text for word in _GIT_WORDS):
        return True
    return any(word in text for word in _read_pattern_words())


def find_state_folder() -> str:
    """Our folder in the state directory.

    Raises:
        OSError: nobody says where the home directory is.
    """
    _add_import_path()
    from orchestrator.storage.location import HOOKS, find_state_directory

    return os.path.join(find_state_directory(), HOOKS)


def has_workspace() -> bool:
    """Whether there is a workspace, as far as can be told without reading the event."""
    _add_import_path()
    from orchestrator.session_hooks.writeahead import locations

    return locations.find_base(_find_project()) is not None


def _read_pattern_words() -> list[bytes]:
    """The first words of the user's own patterns, as they stand in a text without quotes."""
    from orchestrator.session_hooks.writeahead import locations

    words = []
    for base in dict.fromkeys((locations.find_base(_find_project()), locations.find_global_base())):
        try:
            patterns = locations.read_patterns(os.path.join(base or "", locations.PATTERNS))
        except OSError:
            continue
        for pattern in patterns:
            first = pattern.split()[0].encode("utf-8", "replace").lower()
            # Without quotes and folders, up to a wildcard, a word stands in the text as it is.
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
    """The event's name, which stands before anything that a tool could have said."""
    start = event.find(b'"hook_event_name"')
    if start < 0:
        return b""
    opening = event.find(b'"', start + 17)
    return event[opening + 1 : event.find(b'"', opening + 1)]


def _has_pending_call(event: bytes, kind: bytes) -> bool:
    try:
        names = os.listdir(os.path.join(find_state_folder(), "pending"))
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


def log_error(error: BaseException) -> None:
    """Log the trouble, if that much is possible."""
    try:
        folder = find_state_folder()
        from orchestrator.storage.location import HOOK_ERROR_LOG

        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, HOOK_ERROR_LOG)
        if os.path.exists(path) and os.path.getsize(path) > 1 << 20:
            from orchestrator.platform.atomic import move_path

            move_path(path, f"{path}.1")
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(f"{utc_now()} {type(error).__name__}: {str(error)[:500]!r}\n")
    except BaseException:  # noqa: BLE001, S110 -- there is nobody left to tell
        pass


def utc_now() -> str:
    """The moment, as the hook's logs say it."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


if __name__ == "__main__":
    main()
    # Nothing is buffered: leaving at once saves what an orderly end of Python takes.
    os._exit(0)

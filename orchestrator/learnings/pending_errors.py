"""Turn the failed tool calls that the hook logged into entries."""

import os
import stat
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.learnings import storage
from orchestrator.learnings.entries import Entry, Kind, Status, normalize_context, normalize_text
from orchestrator.learnings.entry_log import CONTEXT_BOUND, TEXT_BOUND, LogResult, log_drafts
from orchestrator.learnings.workspace import Workspace, today
from orchestrator.masking import mask_line
from orchestrator.platform.locking import LockHeldError, lock_descriptor, unlock_descriptor
from orchestrator.rulebook import files
from orchestrator.rulebook.text import sanitize_line
from orchestrator.session_hooks.writeahead.grammar import parse_failure

_LOCK_SECONDS: Final = 30.0


@dataclass(frozen=True)
class _Call:
    """A failed call: what was tried, the error, and the day."""

    context: str
    content: str
    day: date
    id: str = ""
    """The id of the call: two hooks, of two installations, may both have logged it."""


def import_pending_errors(workspace: Workspace) -> list[LogResult]:
    """Turn the lines of `.pending-errors.log` into ERR entries, and clear it.

    Lines with the same context become one entry. All entries are written together, and the log
    is emptied right after; hooks wait for the lock on it before they write to it. So no call is
    lost. If the process is killed between the two steps, the calls are counted again next time.

    Raises:
        LoopError: the log cannot be read, or the entries cannot be written; the log is unchanged.
    """
    path = workspace.pending_errors
    # The workspace's lock is taken first: while we wait for it, hooks must be able to log.
    with storage.lock_workspace(workspace.base), files.translate_os_errors(path, "read"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return []
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{path} is not a file", "move it away")
            lock_descriptor(descriptor, _LOCK_SECONDS)
            with open(descriptor, "rb", closefd=False) as file:
                text = file.read().decode("utf-8", "replace")
            if not text.strip():
                return []
            logged = log_drafts(workspace, Kind.ERR, _build_drafts(text))
            os.ftruncate(descriptor, 0)
        except LockHeldError:
            raise InfrastructureError(
                f"another program has locked {path}", "close the program and try again"
            ) from None
        finally:
            unlock_descriptor(descriptor)
            os.close(descriptor)
    return logged


def _build_drafts(text: str) -> list[Entry]:
    """Return an entry for all calls with the same context."""
    by_context: dict[str, list[_Call]] = {}
    # Not `splitlines`: JSON escapes line feeds, but names of folders may contain U+2028.
    for line in text.split("\n"):
        if line.strip():
            call = _parse_call(line.strip())
            same = by_context.setdefault(normalize_text(call.context), [])
            if not call.id or all(call.id != other.id for other in same):
                same.append(call)
    drafts: dict[str, Entry] = {}
    for calls in by_context.values():
        draft = _build_draft(calls)
        # Different contexts may be equal after they were made safe for Markdown.
        if other := drafts.get(normalize_context(draft)):
            draft = replace(draft, occurrences=draft.occurrences + other.occurrences)
        drafts[normalize_context(draft)] = draft
    return list(drafts.values())


def _build_draft(calls: list[_Call]) -> Entry:
    day = max(call.day for call in calls)
    return Entry(
        id="",
        kind=Kind.ERR,
        status=Status.PENDING,
        context=sanitize_line(calls[-1].context, CONTEXT_BOUND),
        content=sanitize_line(calls[-1].content, TEXT_BOUND),
        action="",
        occurrences=len(calls),
        first_seen=day,
        last_seen=day,
    )


def _parse_call(line: str) -> _Call:
    parsed = parse_failure(line)
    if not parsed:
        return _Call(f"failed: {mask_line(line, 100)}", mask_line(line, 500), today())
    moment, tool, facts = parsed
    tool = tool or "a tool"
    tried = mask_line(facts.get("command", ""), 80)
    return _Call(
        context=f"{tool} failed: {tried}" if tried else f"{tool} failed",
        content=mask_line(facts.get("error", ""), 500) or f"{tool} failed",
        day=_parse_day(moment),
        id=facts.get("call", ""),
    )


def _parse_day(text: str) -> date:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone().date()
    except (ValueError, OverflowError):
        return today()

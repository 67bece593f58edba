"""Find edits whose text was not in the file, or not only once."""

from collections.abc import Iterator

from orchestrator.sessions.calls.causes import Origin, find_cause, find_suffix
from orchestrator.sessions.calls.commands import name_segment
from orchestrator.sessions.calls.programs import FORMATTERS
from orchestrator.sessions.calls.shell import split_command
from orchestrator.sessions.detectors.calls import (
    EDITS,
    is_done_edit,
    quote_call,
    read_command,
    read_path,
    shorten_path,
)
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Entry, Session, ToolCall


def find_edit_mismatches(session: Session) -> Iterator[Occurrence]:
    """Yield each edit that did not fit; `detail` has the path, and the formatter that ran before.

    There is no threshold here: 61 in 273 real sessions, at most 7 in one, so that three in each of
    two sessions are already a finding. The key is the cause with the kind of file,
    and whether a formatter ran since the file was last read or changed, as the remedies differ.
    """
    for thread in session.threads:
        for at, call in enumerate(thread.entries):
            if not isinstance(call, ToolCall) or call.name not in EDITS or not call.is_error:
                continue
            found = find_cause(call)
            if found is None or found.origin is not Origin.EDIT:
                continue
            path = read_path(call)
            formatter = _find_formatter(thread.entries[:at], path)
            kind = f"{found.cause}: {find_suffix(call)}"
            yield Occurrence(
                Detector.EDIT_MISMATCH,
                f"{kind} after a formatter" if formatter else kind,
                call.result_row or call.row,
                call.at,
                quote_call("", found.line, shorten_path(path, session.folder)),
                thread.agent,
                {"path": shorten_path(path, session.folder), "cause": found.cause.value}
                | ({"formatter": formatter} if formatter else {}),
            )


def _find_formatter(before: list[Entry], path: str) -> str:
    """Return the formatter that ran after a file was last read or changed; empty if none did."""
    for entry in reversed(before):
        if not isinstance(entry, ToolCall) or entry.denial is not None:
            continue
        if entry.name == "Bash":
            name = _name_formatter(read_command(entry))
            if name:
                return name
        elif (entry.name == "Read" or is_done_edit(entry)) and read_path(entry) == path:
            return ""
    return ""


def _name_formatter(command: str) -> str:
    """Return the part of a command that formats files: `gofmt`, `npm run format`."""
    if not any(each in command for each in ("fmt", "format", "fix", "prettier", "black", "isort")):
        return ""
    for segment in split_command(command):
        name = name_segment(segment)
        rest = {each.text for each in segment.words}
        task = name.rpartition(" ")[2] if " " in name else ""
        if task in {"fmt", "format", "fix", "lint:fix", "format:fix"}:
            return name
        if segment.program in FORMATTERS and not rest & {"-d", "-l", "--check", "--diff", "check"}:
            return name
        if rest & {"--fix", "--write"}:
            return name
    return ""

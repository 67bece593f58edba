"""Find errors that a better knowledge of the project would have avoided.

Each is an occurrence; how many in how many sessions make a finding is counted later. Left out are
errors of the harness, the machine and the network, those that a person or a hook caused, calls that
failed because of another one, red tests and searches without a hit (results, not mistakes), and
edits that did not fit, which `edit_mismatches` counts. That code does not compile or pass a linter
is counted, but becomes no rule: `detail["origin"]` says so.
"""

from collections.abc import Iterator
from typing import Final

from orchestrator.sessions.calls.causes import Origin, find_cause
from orchestrator.sessions.detectors.calls import (
    MOST_OF_NAME,
    quote_call,
    read_command,
    read_path,
    shorten_path,
)
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Session, ToolCall

MOST_OF_ONE_KIND: Final = 20
"""Occurrences of one key that a session gives: a loop over a wrong call says no more after them.
In 273 real sessions the most was 3."""
_COUNTED: Final = frozenset({Origin.PROJECT, Origin.CODE})


def find_repeated_errors(session: Session) -> Iterator[Occurrence]:
    """Yield the errors of a session that could teach something; `detail` has cause and tool.

    Where the error is about a file, `detail["path"]` is its path below the session's folder.
    """
    counts: dict[str, int] = {}
    for thread in session.threads:
        for call in thread.entries:
            if not isinstance(call, ToolCall) or not call.is_error:
                continue
            found = find_cause(call)
            if found is None or found.origin not in _COUNTED:
                continue
            counts[found.key] = counts.get(found.key, 0) + 1
            if counts[found.key] > MOST_OF_ONE_KIND:
                continue
            path = shorten_path(read_path(call), session.folder)
            yield Occurrence(
                Detector.REPEATED_ERROR,
                found.key,
                call.result_row or call.row,
                call.at,
                quote_call(read_command(call), found.line, path),
                thread.agent,
                {
                    "cause": found.cause.value,
                    "origin": found.origin.value,
                    "tool": call.name[:MOST_OF_NAME],
                }
                | ({"path": path} if path else {}),
            )

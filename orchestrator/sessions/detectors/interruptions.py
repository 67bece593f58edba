"""Find where a person stopped the model. It is counted, and teaches nothing by itself.

`detail.tool` is the tool that was running, empty if the model was writing.
"""

from collections.abc import Iterator

from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import (
    Denial,
    Interruption,
    ModelCall,
    Prompt,
    Session,
    Thread,
    ToolCall,
)

KEY = "interruption"


def find_interruptions(session: Session) -> Iterator[Occurrence]:
    """Yield one occurrence for each time that a person stopped the model."""
    for thread in session.threads:
        yield from _find_in_thread(thread)


def _find_in_thread(thread: Thread) -> Iterator[Occurrence]:
    """Yield the interruptions of a thread.

    Rejecting a call without words stops the model too, and Claude Code writes both: that is one
    event, the rejection. So is all that is stopped between two answers of the model.
    """
    message = ""
    counted = False
    for entry in thread.entries:
        if isinstance(entry, Prompt):
            counted = False
        elif isinstance(entry, ModelCall):
            if entry.message != message:
                message, counted = entry.message, False
        elif isinstance(entry, ToolCall):
            if entry.message != message:
                message, counted = entry.message, False
            if entry.denial is Denial.REJECTED:
                counted = True
            elif entry.denial is Denial.INTERRUPTED and not counted:
                counted = True
                row, at = entry.result_row or entry.row, entry.result_at or entry.at
                yield _report(row, at, thread.agent, entry.name)
        elif isinstance(entry, Interruption) and not counted:
            counted = True
            yield _report(entry.row, entry.at, thread.agent, "")


def _report(row: str, at: str, agent: str, tool: str) -> Occurrence:
    return Occurrence(
        Detector.INTERRUPTION, KEY, row=row, at=at, agent=agent, detail={"tool": tool}
    )

"""Find commands that a person could allow for good.

A prompt that was shown and approved leaves no trace in a transcript. So every command of a safe
class counts, and whether the live settings already allow it is decided when findings are made.
`detail` holds `rule`, and `denied` where nobody was there to approve it.
"""

from collections.abc import Iterator

from orchestrator.sessions.detectors.calls import read_command
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.detectors.safe_commands import find_permission_rule
from orchestrator.sessions.models import Denial, Session, ToolCall

_ASKED = (None, Denial.UNATTENDED)
"""A command that a person, a hook or a rule refused is not one to allow."""


def find_permission_prompts(session: Session) -> Iterator[Occurrence]:
    """Yield one occurrence for each safe command; equal ones have the rule in common."""
    for thread in session.threads:
        for call in thread.entries:
            if not isinstance(call, ToolCall) or call.name != "Bash" or call.denial not in _ASKED:
                continue
            command = read_command(call)
            rule = find_permission_rule(command)
            if not rule:
                continue
            yield Occurrence(
                Detector.PERMISSION,
                rule,
                row=call.row,
                at=call.at,
                quote=command,
                agent=thread.agent,
                detail={"rule": rule, "denied": call.denial is Denial.UNATTENDED},
            )

"""Find commands that a person could allow for good.

A prompt that was shown and approved leaves no trace in a transcript. So every command of a safe
class counts that ran, and whether the live settings already allow it is decided when findings are
made. In a headless session no prompt can be shown, so only what was denied there counts. `detail`
holds `rule`, and `denied` where nobody was there to approve it.
"""

from collections.abc import Iterator

from orchestrator.sessions.calls.suite_outputs import Verdict
from orchestrator.sessions.calls.suite_runs import judge_call
from orchestrator.sessions.detectors.calls import read_command
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.detectors.safe_commands import find_permission_rule
from orchestrator.sessions.models import Denial, Session, SessionClass, ToolCall


def find_permission_prompts(session: Session) -> Iterator[Occurrence]:
    """Yield one occurrence for each safe command; equal ones have the rule in common."""
    for thread in session.threads:
        for call in thread.entries:
            if not isinstance(call, ToolCall) or call.name != "Bash":
                continue
            command = read_command(call)
            rule = find_permission_rule(command)
            if not rule or not _may_be_asked_again(session, call):
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


def _may_be_asked_again(session: Session, call: ToolCall) -> bool:
    """Return whether a prompt was in the way of a command that works here.

    What a person, a hook or a rule refused is not one to allow. Nor is one that failed: the program
    or the target may be missing. That tests are red is no such failure.
    """
    if call.denial is not None:
        return call.denial is Denial.UNATTENDED
    if session.kind is SessionClass.HEADLESS or call.result is None:
        return False
    if not call.is_error:
        return True
    run = judge_call(call)
    return run is not None and run.verdict is Verdict.RED

"""Find runs of tests that failed while the exit code said nothing."""

from collections.abc import Iterator

from orchestrator.sessions.calls.error_lines import find_error_line
from orchestrator.sessions.calls.suite_outputs import cut_output
from orchestrator.sessions.calls.suite_runs import Verdict, judge_call
from orchestrator.sessions.detectors.calls import quote_call, read_command
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Session, ToolCall


def find_hidden_failures(session: Session) -> Iterator[Occurrence]:
    """Yield each red run without an error flag; one is already an occurrence.

    There is no threshold: each hides a failure, and half of all failed runs do (130 of 266 in 273
    real sessions). The key is the runner alone, because the lesson is one, however it was hidden;
    `detail` has `hidden_by` and the command's key.
    """
    for thread in session.threads:
        for call in thread.entries:
            if not isinstance(call, ToolCall) or call.name != "Bash" or call.is_error:
                continue
            run = judge_call(call)
            if run is None or not run.is_hidden or run.verdict is not Verdict.RED:
                continue
            yield Occurrence(
                Detector.HIDDEN_FAILURE,
                str(run.runner),
                call.result_row or call.row,
                call.at,
                quote_call(read_command(call), find_error_line(cut_output(call.result or ""))),
                thread.agent,
                {"hidden_by": run.hidden_by, "command": run.command},
            )

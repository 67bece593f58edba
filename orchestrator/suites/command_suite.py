"""A suite for any language: the exit code of its command is the verdict."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestrator.events import CaseFinished, Listener
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.suites import command_line
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.progress import report_progress


class CommandSuite:
    """Runs `command` as a single case, which passes with exit code 0; `select` is ignored."""

    def __init__(
        self,
        command: str,
        timeout_seconds: float,
        environment: Callable[[Path], Mapping[str, str]] = build_project_environment,
    ) -> None:
        self._line = command_line.parse_command(command)
        self._timeout, self._environment = timeout_seconds, environment

    def preflight(self, workspace: Path) -> None:
        """Check that the command can be started.

        Raises:
            UsageError: the workspace is not a directory.
            InfrastructureError: the program does not exist.
        """
        env = self._line.build_environment(self._environment(workspace))
        command_line.require_program(self._line, workspace, env)

    def run(
        self,
        workspace: Path,
        select: Sequence[str] | None = None,
        on_event: Listener = command_line.ignore_event,
    ) -> SuiteReport:
        """Run the command and return the report."""
        line, env = self._line, self._line.build_environment(self._environment(workspace))
        with report_progress(on_event, self._timeout) as progress:
            ended = command_line.run_command(
                line, line.argv, workspace, env, self._timeout, on_line=progress.note_line
            )
        if ended.outcome:
            return ended.build_report(line, ended.outcome)
        verdict = SuiteOutcome.FAILED if ended.exit_code else SuiteOutcome.PASSED
        message = f"ended with {ended.exit_code}" if ended.exit_code else ""
        outcome = CaseOutcome.FAILED if ended.exit_code else CaseOutcome.PASSED
        case = Case(line.text, outcome, ended.seconds, message, ended.output[-8000:])
        on_event(CaseFinished(case))
        return ended.build_report(line, verdict, (case,))

    def run_with_footprint(
        self, workspace: Path, on_event: Listener = command_line.ignore_event
    ) -> tuple[SuiteReport, Footprint | None]:
        """Run the command and return the report; the footprint is not known."""
        return self.run(workspace, None, on_event), None

"""`orchestrator report-failure`: teach a mistake that a person has seen."""

from pathlib import Path

import click

from orchestrator.cli.options import as_json_events, config_file, project_directory
from orchestrator.cli.run import create_listener
from teacher.models import FailureType

TYPES = [kind.value for kind in FailureType if kind is not FailureType.TEST_FAILURE]


@click.command("report-failure")
@click.option("--failure-type", type=click.Choice(TYPES), required=True, help="Kind of mistake.")
@click.option("--description", required=True, metavar="TEXT", help="What the agent did.")
@click.option("--context", default="", metavar="TEXT", help="What it should have done or known.")
@click.option("--task", default="", metavar="TEXT", help="What it was asked to do.")
@project_directory
@config_file
@as_json_events
def report_failure(
    failure_type: str,
    description: str,
    context: str,
    task: str,
    project_dir: Path,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Report a mistake that the tests do not catch, so that it becomes a rule.

    The teacher receives the report with a prompt for its type, and its rule is added to CLAUDE.md.
    """
    from orchestrator.services.failure_reports import teach_report

    teach_report(
        FailureType(failure_type),
        description,
        context,
        task,
        project=project_dir,
        config_file=config_file,
        listener=create_listener(as_json),
    )

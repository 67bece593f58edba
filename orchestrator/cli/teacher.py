"""`orchestrator teacher`: test the teacher, and print, compare or update its n8n workflow."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.options import config_file, project_directory
from orchestrator.cli.output import print_lines
from orchestrator.cli.run import create_listener
from orchestrator.cli.values import sanitize_text
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.services.workflow_exports import CredentialsComparison
    from teacher.workflow_changes import Comparison

EXIT_DIFFERENT = 1
"""The exit code of `--diff` for files that differ, as that of `diff`."""


@click.group(cls=CommandGroup)
def teacher() -> None:
    """Test the teacher, or print its n8n workflow."""


@teacher.command("test")
@click.option("--fresh", is_flag=True, help="Ask the model even if the workflow remembers.")
@project_directory
@config_file
def send_sample_failure(fresh: bool, project_dir: Path, config_file: Path | None) -> None:
    """Send a sample failure to the configured teacher and show the answer.

    Shows the request, the answer or error, and the latency. Costs one lesson; no rule is written.
    A second test within a day may be answered from the workflow's memory, which costs nothing.

    Of a webhook it also shows the workflow's version, whether it refuses those who do not have the
    token (exit code 2 if not), and whether n8n saves executions: that takes a key of n8n's public
    API in N8N_API_KEY.
    """
    from orchestrator.services.teacher_check import try_teacher

    def print_text(text: str) -> None:
        click.echo("\n".join(sanitize_text(line) for line in text.splitlines()))

    try_teacher(project_dir, config_file, create_listener(False), print_text, fresh=fresh)
    click.echo("The teacher works.")


_export = click.Path(path_type=Path, allow_dash=True)


@teacher.command()
@click.option("--mcp", is_flag=True, help="Print the workflow variant that serves as an MCP tool.")
@click.option("--credentials", is_flag=True, help="Print credentials for a self-hosted n8n.")
@click.option(
    "--diff",
    type=_export,
    metavar="EXPORT",
    help="Show how a workflow exported from n8n differs. Exit code 0 if it does not, else 1.",
)
@click.option(
    "--update",
    type=_export,
    metavar="EXPORT",
    help="Print the workflow with the settings that were edited in an exported one.",
)
@project_directory
@config_file
def workflow(
    mcp: bool,
    credentials: bool,
    diff: Path | None,
    update: Path | None,
    project_dir: Path,
    config_file: Path | None,
) -> int:
    """Print the n8n workflow for import, with the configured model and prompts.

    EXPORT is a file from n8n's editor (... > Export JSON) or from `n8n export:workflow`, or - for
    standard input. The MCP variant is recognized. `--diff` also takes exported credentials.
    """
    from orchestrator.platform.project import resolve_project
    from orchestrator.services import workflow_exports
    from orchestrator.services.trust import TEACHING, load_trusted_config
    from teacher.workflow import build_credentials, format_json

    given = {"--mcp": mcp, "--credentials": credentials, "--diff": diff, "--update": update}
    if len(chosen := [name for name, value in given.items() if value]) > 1:
        raise UsageError(f"{' and '.join(chosen)} cannot be combined", "choose one of them")
    config = load_trusted_config(resolve_project(project_dir), config_file, of=TEACHING).config
    if diff:
        return _print_comparison(workflow_exports.compare_export(config, diff))
    if update:
        from orchestrator.cli.workflow_lines import iter_update_notes

        updated = workflow_exports.update_export(config, update)
        for line in iter_update_notes(updated):
            click.echo(line, err=True)
        document: object = updated.content
    elif credentials:
        document = build_credentials()
    else:
        document = workflow_exports.build_workflow(config, mcp=mcp)
    print_lines([format_json(document).rstrip()])
    return 0


def _print_comparison(comparison: "Comparison | CredentialsComparison") -> int:
    from orchestrator.cli.workflow_lines import iter_comparison, iter_credentials_comparison
    from orchestrator.services.workflow_exports import CredentialsComparison

    print_lines(
        iter_credentials_comparison(comparison)
        if isinstance(comparison, CredentialsComparison)
        else iter_comparison(comparison)
    )
    return 0 if comparison.is_equal else EXIT_DIFFERENT

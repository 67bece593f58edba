"""`orchestrator teacher`: test the teacher, and print its n8n workflow."""

from pathlib import Path

import click

from orchestrator.cli.options import config_file, project_directory
from orchestrator.cli.output import print_lines
from orchestrator.cli.run import create_listener
from orchestrator.cli.values import sanitize_text


@click.group()
def teacher() -> None:
    """Test the teacher, or print its n8n workflow."""


@teacher.command("test")
@project_directory
@config_file
def send_sample_failure(project_dir: Path, config_file: Path | None) -> None:
    """Send a sample failure to the configured teacher and show the answer.

    Shows the request, the answer or error, and the latency. Costs one lesson; no rule is written.
    """
    from orchestrator.services.teacher_check import try_teacher

    def print_text(text: str) -> None:
        click.echo("\n".join(sanitize_text(line) for line in text.splitlines()))

    try_teacher(project_dir, config_file, create_listener(False), print_text)
    click.echo("The teacher works.")


@teacher.command()
@click.option("--mcp", is_flag=True, help="Print the workflow variant that serves as an MCP tool.")
@click.option("--credentials", is_flag=True, help="Print credentials for a self-hosted n8n.")
@project_directory
@config_file
def workflow(mcp: bool, credentials: bool, project_dir: Path, config_file: Path | None) -> None:
    """Print the n8n workflow for import, with the configured model and prompts."""
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.trust import TEACHING, load_trusted_config
    from teacher import workflow as workflows

    config = load_trusted_config(resolve_project(project_dir), config_file, of=TEACHING).config
    if credentials:
        return print_lines([workflows.format_json(workflows.build_credentials()).rstrip()])
    settings = workflows.Settings(
        config.teacher.model, config.teacher.max_tokens, config.resolve_prompts()
    )
    document = (
        workflows.build_mcp_workflow(settings)
        if mcp
        else workflows.build_webhook_workflow(settings)
    )
    return print_lines([workflows.format_json(document).rstrip()])

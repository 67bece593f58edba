"""`orchestrator config`: show the settings and where each comes from."""

from pathlib import Path

import click

from orchestrator.cli.options import config_file, project_directory
from orchestrator.cli.output import print_lines


@click.group()
def config() -> None:
    """Show the configuration."""


@config.command()
@project_directory
@config_file
def show(project_dir: Path, config_file: Path | None) -> None:
    """Print each setting with its value and the source of the value."""
    from orchestrator.cli.values import format_yaml, sanitize_text
    from orchestrator.config.addresses import hide_address_secrets
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.trust import describe_choice, load_known_config

    loaded = load_known_config(resolve_project(project_dir), config_file)
    rows = [
        (_mask_setting(key, f"{key}: {format_yaml(hide_address_secrets(key, value))}"), origin)
        for key, value, origin in loaded.iter_values()
    ]
    width = min(max(len(text) for text, _ in rows), 60)
    print_lines(f"{text:<{width}}  # {origin}" for text, origin in rows)
    for each in loaded.withheld:
        line = f"not trusted, and not used: {describe_choice(each)}; see `orchestrator trust`"
        click.echo(sanitize_text(line), err=True)


def _mask_setting(key: str, line: str) -> str:
    """Return the line of a setting without a secret; a pattern that matches secrets is none."""
    from orchestrator.masking import mask_text

    return line if key.startswith("redaction.") else mask_text(line)

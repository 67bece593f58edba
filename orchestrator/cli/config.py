"""`orchestrator config`: show the settings and where each comes from, and edit them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.options import config_file, project_directory
from orchestrator.cli.output import print_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.config import Choice


@click.group(cls=CommandGroup)
def config() -> None:
    """Show the configuration, or edit it."""


@config.command()
@project_directory
@config_file
def show(project_dir: Path, config_file: Path | None) -> None:
    """Print each setting as the file takes it, with the origin of its value as a comment.

    Every line can be pasted into orchestrator.yaml, and so can all of them.
    """
    from orchestrator.cli.config_lines import iter_config_lines
    from orchestrator.config.choices import list_refused_settings
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.trust import load_known_config

    loaded = load_known_config(resolve_project(project_dir), config_file)
    refused = list_refused_settings(loaded.config) if config_file is None else {}
    changed = {key: hint for key, hint in refused.items() if loaded.find_origin(key) != "default"}
    print_lines(iter_config_lines(loaded, changed))
    _print_withheld(loaded.withheld)


@config.command()
@project_directory
def edit(project_dir: Path) -> None:
    """Open the project's orchestrator.yaml in your editor, and check it afterwards.

    The editor is $VISUAL or $EDITOR. A project without the file gets one in which every line is a
    comment; it is removed again if you change nothing.
    """
    from orchestrator.cli.values import sanitize_text
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.config_editing import edit_config

    edited = edit_config(resolve_project(project_dir))
    click.echo(sanitize_text(f"{edited.result.value}: {edited.path}"))
    _print_withheld(edited.withheld)


def _print_withheld(withheld: "Sequence[Choice]") -> None:
    """Print the settings that are not trusted."""
    from orchestrator.cli.values import sanitize_text
    from orchestrator.services.trust import describe_choice

    for each in withheld:
        line = f"not trusted, and not used: {describe_choice(each)}; see `orchestrator trust`"
        click.echo(sanitize_text(line), err=True)

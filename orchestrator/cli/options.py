"""Options that several commands take."""

from collections.abc import Callable
from pathlib import Path

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
as_json_events = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per event."
)
config_file = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Configuration file [default: orchestrator.yaml in the project].",
)


def find_project(given: Path | None, *, only_reads: bool = False) -> Path:
    """Return the given project, or the one that the working directory belongs to.

    Args:
        given: the project that the user named.
        only_reads: whether no agent works in it, so that there is nothing to warn of.
    """
    from orchestrator.cli.values import sanitize_text
    from orchestrator.platform import project as projects

    if given is not None:
        return given
    try:
        here = Path.cwd()
    except FileNotFoundError:  # `resolve_project` says so
        return Path()
    found = projects.find_project(here)
    if not only_reads and (danger := projects.describe_danger(found.root)):
        click.echo(f"warning: {danger}; give another with --project-dir", err=True)
    if found.root == here:
        return Path()
    click.echo(sanitize_text(f"project: {found.root} ({found.origin.value})"), err=True)
    return found.root


def _find_project(_context: click.Context, _option: click.Parameter, given: Path | None) -> Path:
    return find_project(given)


project_directory = click.option(
    "--project-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    callback=_find_project,
    help="The project [default: nearest orchestrator.yaml, else package or git top, else here].",
)


def _find_project_or_none(
    context: click.Context, option: click.Parameter, given: Path | None
) -> Path:
    """Return the project that is meant; any, if all are."""
    # A flag that is given is processed before an option that is not.
    is_any = given is None and context.params.get("everything", False)
    return Path() if is_any else _find_project(context, option, given)


def project_or_all(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--project` and `--all` to a command, which receives `project_dir` and `everything`."""
    everything = click.option("--all", "everything", is_flag=True, help="Include all projects.")
    project = click.option(
        *("--project", "--project-dir", "project_dir"),
        type=click.Path(path_type=Path),
        metavar="DIR",
        callback=_find_project_or_none,
        help="The project [default: as for `run`].",
    )
    return project(everything(command))


def _find_project_of_last_run(
    context: click.Context, option: click.Parameter, given: Path | None
) -> Path:
    """Return the project whose last run is meant; any, if the run is named."""
    # An argument is processed before an option that is not given.
    named = given is None and context.params.get("run", "last") != "last"
    return Path() if named else _find_project(context, option, given)


project_of_last_run = click.option(
    "--project-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    callback=_find_project_of_last_run,
    help="The project whose last run is meant [default: as for `run`].",
)
working_directory = click.option(
    "--project-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path(),
    help="The project to work on [default: the current directory].",
)
use_global = click.option(
    "--global",
    "everywhere",
    is_flag=True,
    help="Use the global workspace, even if the project has its own.",
)


def add_rule_text_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--rule`, `--when` and `--why` to a command."""
    for name, description in (
        ("--why", "The reason for the rule."),
        ("--when", "When the rule applies."),
        ("--rule", "What to do, or not to do."),
    ):
        command = click.option(name, default="", metavar="TEXT", help=description)(command)
    return command


def add_rule_scope_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--path` to a command, which limits a rule to some files."""
    return click.option(
        "--path",
        "paths",
        multiple=True,
        metavar="GLOB",
        help="Files that the rule applies to [default: all]. Requires `rules.target: rules-dir`.",
    )(command)


def add_queue_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `review` commands about one project: the project, configuration, JSON."""
    project = click.option(
        *("--project", "--project-dir", "project_dir"),
        type=click.Path(path_type=Path),
        metavar="DIR",
        callback=_find_project,
        help="The project [default: as for `run`].",
    )
    return project(config_file(as_json(command)))


def add_rules_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every `rules` command: the project, the configuration, JSON."""
    return project_directory(config_file(as_json(command)))

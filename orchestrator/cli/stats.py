"""`orchestrator stats`: whether work got better, week by week."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import as_json, project_or_all
from orchestrator.cli.output import find_width, fit_lines, print_lines
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.services.stats import Stats


@click.command()
@project_or_all
@click.option(
    "--weeks",
    type=click.IntRange(1, 520),
    default=8,
    show_default=True,
    help="How many weeks; with --rule, on each side.",
)
@click.option("--rule", metavar="ID", help="Compare the weeks before and after this rule's date.")
@as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--svg",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a picture, too; an existing file is replaced.",
)
def stats(
    project_dir: Path,
    everything: bool,
    weeks: int,
    rule: str | None,
    as_json: bool,
    as_csv: bool,
    picture: Path | None,
) -> None:
    """Show how tasks went by project and week: in sessions and in own runs, never mixed.

    Sessions are counted after `orchestrator review` has read them. A session's task is a typed
    prompt with all that follows up to the next one; a run is one task. A week begins on Monday.
    Nothing here says why a number has changed.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other", "give one of them")
    if everything and project_dir != Path():
        raise UsageError("--project and --all exclude each other", "give one of them")
    if rule is not None:
        if everything or as_csv or picture:
            raise UsageError(
                "--rule is about one project, and has no CSV and no picture",
                "leave out --all, --csv and --svg",
            )
        return _print_rule(project_dir, rule, weeks, as_json=as_json)
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.stats import gather_stats

    found = gather_stats(None if everything else resolve_project(project_dir), weeks)
    _print_stats(found, as_json=as_json, as_csv=as_csv)
    if picture and found.weeks:
        _write_picture(found, picture)
    return None


def _print_stats(found: "Stats", *, as_json: bool, as_csv: bool) -> None:
    from orchestrator.cli import stats_lines, stats_values

    is_data = as_json or as_csv
    if not found.weeks:
        print_notice = click.echo if not is_data else lambda line: click.echo(line, err=True)
        for line in fit_lines([_describe_nothing(found)], find_width()):
            print_notice(line)
    if as_json:
        print_lines(stats_values.iter_json_lines(found))
    elif as_csv:
        print_lines(stats_values.iter_csv_lines(found))
    elif found.weeks:
        print_lines(stats_lines.iter_stats_lines(found, find_width()))


def _describe_nothing(found: "Stats") -> str:
    if found.latest is None:
        return (
            "nothing to count yet: `orchestrator review` reads past sessions, and "
            "`orchestrator run` makes runs"
        )
    return (
        f"no tasks in the last {found.wanted} weeks; the last one began on "
        f"{found.latest.astimezone():%Y-%m-%d}: give more --weeks"
    )


def _print_rule(project: Path, rule: str, weeks: int, *, as_json: bool) -> None:
    from orchestrator.cli import stats_lines, stats_values
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.stats import gather_rule_stats

    found = gather_rule_stats(resolve_project(project), rule, weeks)
    print_lines(
        stats_values.iter_rule_json_lines(found)
        if as_json
        else stats_lines.iter_rule_lines(found, find_width())
    )


def _write_picture(found: "Stats", path: Path) -> None:
    from orchestrator.cli.stats_cells import clean_text
    from orchestrator.cli.values import sanitize_text
    from orchestrator.errors import InfrastructureError
    from orchestrator.platform import files
    from orchestrator.sessions.counting.stats_charts import draw_stats

    if not files.is_folder(path.parent):
        raise UsageError(f"{path.parent} is not a folder", "create it, or give another --svg FILE")
    picture = draw_stats(found.weeks, lambda text: clean_text(text, 1000))
    try:
        files.write_file(path, picture)
    except OSError as error:
        raise InfrastructureError(
            f"{path} cannot be written: {error.strerror}", "give another --svg FILE"
        ) from error
    click.echo(sanitize_text(f"picture written to {path}"), err=True)

"""Options of the commands about task lists."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.options import find_project
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.tasks.models import ListOptions, ListSummary

_BY_MACHINE: Final = "auto"
"""Value of `--parallel` without a number."""
_PARALLEL: Final = "--parallel"
MOST_LANES: Final = 7
"""As in `orchestrator.tasks.models`, which `--help` has no time to import."""


class ParallelCommand(click.Command):
    """A command whose `--parallel` may be without a number, also before another argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with a value for each `--parallel` that has none."""
        return super().parse_args(ctx, _complete_parallel(args))


def _complete_parallel(args: Sequence[str]) -> list[str]:
    completed: list[str] = []
    for at, word in enumerate(args):
        if word == "--":
            return [*completed, *args[at:]]
        following = args[at + 1] if at + 1 < len(args) else ""
        has_value = following == _BY_MACHINE or _is_number(following)
        is_alone = word == _PARALLEL and not has_value
        completed.append(f"{_PARALLEL}={_BY_MACHINE}" if is_alone else word)
    return completed


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _parse_lanes(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> int | None:
    """Return the number of lanes; None if the option is not given."""
    if value is None:
        return None
    if value == _BY_MACHINE:
        from orchestrator.services.lane_count import choose_lane_count

        return choose_lane_count()
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= MOST_LANES:
        raise click.BadParameter(
            f"{value} is not a number from 1 to {MOST_LANES}; without a number, cores and memory "
            "of this machine decide"
        )
    return int(value)


def _require_amount(
    _context: click.Context, _option: click.Parameter, value: float | None
) -> float | None:
    if value is not None and not 0 < value < math.inf:  # also of `nan`, this is not true
        raise click.BadParameter(f"{value} is not an amount; give US dollars above 0")
    return value


parallel = click.option(
    _PARALLEL,
    "lanes",
    metavar="[N]",
    callback=_parse_lanes,
    help=f"Tasks side by side, at most {MOST_LANES} [without N: by cores and memory].",
)
max_cost_usd = click.option(
    "--max-cost-usd",
    type=float,
    metavar="X",
    callback=_require_amount,
    help="Cost limit for all runs of the list together.",
)


def _find_project_of_last_list(
    context: click.Context, _option: click.Parameter, given: Path | None
) -> Path | None:
    """Return the project whose last list is meant; None for a list that is named."""
    if given is not None or context.params.get("everything"):
        return given
    # An argument is processed before an option that is not given.
    is_last = context.params.get("identity", "last") == "last"
    return find_project(None, only_reads=True) if is_last else None


project_of_last_list = click.option(
    *("--project", "--project-dir", "project_dir"),
    type=click.Path(path_type=Path),
    metavar="DIR",
    callback=_find_project_of_last_list,
    help="The project whose last list is meant [default: as for `run`].",
)
list_argument = click.argument("identity", metavar="LIST", default="last")


def add_source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a list is run, and not which."""
    for option in (
        click.option("--model", metavar="M", help="Model for Claude Code."),
        click.option("--tests", metavar="CMD", help="Test command [default: as for `run`]."),
        max_cost_usd,
        click.option("--once", is_flag=True, help="Stop after one task."),
        click.option(
            "--queue", is_flag=True, help="Hand the runs to workers; see `orchestrator worker`."
        ),
        parallel,
    ):
        command = option(command)
    return command


def build_list_options(given: Mapping[str, Any]) -> "ListOptions":
    """Return how a list is worked on, from the options of a command."""
    from orchestrator.tasks.models import ListOptions

    queue = bool(given.get("queue"))
    return ListOptions(
        parallel=given.get("lanes") or (0 if queue else 1),
        queue=queue,
        once=bool(given.get("once")),
        max_cost_usd=given.get("max_cost_usd"),
    )


def change_list_options(before: "ListOptions", given: Mapping[str, Any]) -> "ListOptions | None":
    """Return how a list is worked on from now on; None if as before."""
    from dataclasses import replace

    names = {"lanes": "parallel", "max_cost_usd": "max_cost_usd"}
    changed = {
        name: given[option] for option, name in names.items() if given.get(option) is not None
    }
    changed["once"] = bool(given.get("once"))  # it holds for one command only
    after = replace(before, **changed)
    return after if after != before else None


def load_summary(identity: str, project: Path | None) -> "ListSummary":
    """Return a list with its tasks.

    Raises:
        UsageError: there is none, or it belongs to another project than the given one.
    """
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.task_views import summarize_list

    folder = None if project is None else resolve_project(project)
    found = summarize_list(identity, folder)
    if folder is not None and found.record.project != folder:
        raise UsageError(
            f"the list {found.record.id} belongs to the project {found.record.project}",
            "leave out --project-dir",
        )
    return found

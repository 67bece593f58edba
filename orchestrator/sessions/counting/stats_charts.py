"""Choose what the picture of `stats` shows: sessions and own runs in charts of their own."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import PurePath
from typing import Final

from orchestrator.sessions.counting.metrics import LEAST_FOR_TREND, TaskSource, Week, WeekNumbers
from orchestrator.sessions.counting.stats_picture import MOST_LINES, Chart, Line, draw_picture

Read = Callable[[WeekNumbers], float | None]

_CHANGED: Final = "*"
_LONGEST_NAME: Final = 22
"""Characters of a name, so that four fit beside each other below a chart."""
_FIRST_GREEN: Final = "first green, of tasks with a verdict after an edit"
_COMMON: Final[tuple[tuple[str, Read], ...]] = (
    ("red runs until green, median", lambda week: week.numbers.red_median),
    (_FIRST_GREEN, lambda week: week.numbers.first_green.value),
)
_OF_SESSIONS: Final[tuple[tuple[str, Read], ...]] = (
    (
        "interventions in 100 main tool calls (approvals are not visible)",
        lambda week: week.numbers.interventions_per_100_calls,
    ),
)
_OF_RUNS: Final[tuple[tuple[str, Read], ...]] = (
    ("cost of a solved task, in US dollars", lambda week: week.numbers.cost_per_solved),
    (
        "minutes for a solved task",
        lambda week: (
            None
            if week.numbers.seconds_per_solved is None
            else week.numbers.seconds_per_solved / 60
        ),
    ),
)


def draw_stats(weeks: Sequence[WeekNumbers], clean: Callable[[str], str]) -> bytes:
    """Draw the numbers of some weeks.

    Args:
        weeks: the numbers.
        clean: returns a text without secrets and control characters.

    Returns:
        an SVG file.
    """
    projects = _choose_projects(weeks)
    names = name_projects(projects, clean)
    charts = [
        chart
        for source in TaskSource
        for chart in build_charts([each for each in weeks if each.source is source], names)
    ]
    every = len({each.project for each in weeks})
    notes = [
        f"A point is one week. One with less than {LEAST_FOR_TREND} tasks says little: see their "
        "number in the table.",
        f"{_CHANGED} another version of Claude Code, or another model, than in the week before.",
    ]
    if every > len(projects):
        notes.append(f"Shown are the {len(projects)} projects with most tasks, of {every}.")
    return draw_picture("How well tasks went, week by week", notes, charts)


def _choose_projects(weeks: Sequence[WeekNumbers]) -> list[str]:
    """Return the projects with most tasks, as many as there are colours, sorted by name."""
    counts: dict[str, int] = {}
    for each in weeks:
        counts[each.project] = counts.get(each.project, 0) + each.numbers.tasks
    return sorted(sorted(counts, key=lambda project: (-counts[project], project))[:MOST_LINES])


def name_projects(projects: Sequence[str], clean: Callable[[str], str]) -> dict[str, str]:
    """Return a short name for each project, and no two the same.

    Args:
        projects: their paths.
        clean: returns a text without secrets and control characters.
    """
    last = [clean(PurePath(each).name or each) for each in projects]
    often = Counter(last)
    full = [
        f"{clean(PurePath(path).parent.name)}/{name}" if often[name] > 1 else name
        for path, name in zip(projects, last, strict=True)
    ]
    return dict(zip(projects, _number_equal_names(map(_shorten_name, full)), strict=True))


def _shorten_name(name: str) -> str:
    """Return a name without its middle if it is too long: names are alike at either end."""
    if len(name) <= _LONGEST_NAME:
        return name
    begin = _LONGEST_NAME // 2
    return f"{name[:begin]}\N{HORIZONTAL ELLIPSIS}{name[begin + 1 - _LONGEST_NAME :]}"


def _number_equal_names(names: Iterable[str]) -> list[str]:
    """Return names with a number behind those that another project has, too."""
    seen: dict[str, int] = {}
    numbered = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        numbered.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return numbered


def build_charts(weeks: Sequence[WeekNumbers], names: Mapping[str, str]) -> list[Chart]:
    """Return the charts of one source; those without any value are left out.

    Args:
        weeks: the numbers, all of one source.
        names: the names of the projects to show, in the order of their colours.
    """
    shown = [each for each in weeks if each.project in names]
    if not shown:
        return []
    source = shown[0].source
    every = list_weeks([each.week for each in shown])
    changed = {each.week for each in shown if each.other_versions or each.other_models}
    labels = tuple(f"{week}{_CHANGED if week in changed else ''}" for week in every)
    charts = []
    for title, read in _COMMON + (_OF_RUNS if source is TaskSource.RUNS else _OF_SESSIONS):
        values = {(each.project, each.week): read(each) for each in shown}
        lines = tuple(
            Line(name, tuple(values.get((project, week)) for week in every), color)
            for color, (project, name) in enumerate(names.items())
            if any(each.project == project for each in shown)
        )
        if any(line.has_values for line in lines):
            whole = f"{source.value[0].upper()}{source.value[1:]}: {title}"
            charts.append(Chart(whole, labels, lines, title == _FIRST_GREEN))
    return charts


def list_weeks(weeks: Sequence[Week]) -> list[Week]:
    """Return all weeks from the first to the last one, also those that are not in the list."""
    first, last = min(weeks), max(weeks)
    day, found = date.fromisocalendar(first.year, first.number, 1), [first]
    while found[-1] < last:
        day += timedelta(days=7)
        found.append(Week(*day.isocalendar()[:2]))
    return found

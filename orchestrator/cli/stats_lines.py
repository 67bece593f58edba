"""The tables of `orchestrator stats`, which fit into 80 columns."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from orchestrator.cli import stats_cells as cells
from orchestrator.cli.output import fit_lines
from orchestrator.cli.tables import Column, iter_table_lines
from orchestrator.services.stats import RuleStats, Stats
from orchestrator.sessions.counting.metrics import (
    LEAST_FOR_TREND,
    BeforeAndAfter,
    TaskSource,
    WeekNumbers,
)

_COMMON: Final = (
    *(Column("week"), Column("n", True), Column("red"), Column("open", True)),
    *(Column("first green"), Column("no test", True)),
)
_OF_SESSIONS: Final = (Column("sess", True), Column("/sess", True), Column("/100"))
_SOLVED_IN_SESSIONS: Final = (
    *(Column("week"), Column("solved", True), Column("min", True), Column("cost")),
    *(Column("rules", True), Column("back", True)),
)
"""In a table of their own, so that both fit into 80 columns."""
_OF_RUNS: Final = (
    *(Column("cost"), Column("min", True), Column("rules", True), Column("back", True)),
)
_LAST: Final = Column("")
_LEGEND: Final = (
    "n: tasks",
    "red: red runs until green: the median / what 9 of 10 tasks do not exceed",
    "open: tasks that stayed red, of those with a red run",
    "first green: the first verdict after the first edit was green",
    "no test: tasks with edits in which no test ran",
)
_LEGEND_OF_SESSIONS: Final = (
    "sess: sessions; /sess, /100: rejections, interruptions and corrections in a session, and in "
    "100 tool calls of the main conversation",
    "approvals leave no trace: not visible",
    "solved: tasks whose last run of tests was green; min: the median of their minutes, pauses "
    "included; cost: dollars of all sessions, divided by the number of solved tasks",
    "rules: active at the end of the week; back: sessions in which the failure of an active rule "
    "came back",
)
_LEGEND_OF_RUNS: Final = (
    "cost, min of runs: dollars and minutes of all runs, divided by the number of solved ones",
    "rules: active at the end of the week; back of runs: attempts in which the failure of an "
    "active rule came back",
)


def iter_stats_lines(stats: Stats, width: int | None) -> Iterator[str]:
    """Yield the tables: for each project, sessions and own runs in tables of their own."""
    by_table = {
        key: list(weeks)
        for key, weeks in groupby(stats.weeks, key=lambda each: (each.project, each.source))
    }
    order = list(TaskSource)
    shown = ""
    for project, source in sorted(by_table, key=lambda key: (key[0], order.index(key[1]))):
        if project != shown:
            yield cells.clean_text(project, 300)
            shown = project
        yield f"{source.value}:"
        yield from _iter_week_lines(source, by_table[project, source], width)
        yield ""
    yield from fit_lines(_iter_legend({source for _, source in by_table}), width)


def _iter_legend(sources: set[TaskSource]) -> Iterator[str]:
    yield from _LEGEND
    if sources - {TaskSource.RUNS}:
        yield from _LEGEND_OF_SESSIONS
    if TaskSource.RUNS in sources:
        yield from _LEGEND_OF_RUNS
    yield (
        f"{', '.join(cells.list_arrows().values())}: more, less than in the last week with tasks, "
        f"where both have at least {LEAST_FOR_TREND} of them; weeks without tasks are left out"
    )


def _iter_week_lines(
    source: TaskSource, weeks: Sequence[WeekNumbers], width: int | None
) -> Iterator[str]:
    is_run = source is TaskSource.RUNS
    describe = _list_run_cells if is_run else _list_session_cells
    columns = (*_COMMON, *(_OF_RUNS if is_run else _OF_SESSIONS), _LAST)
    rows = [(*_list_common_cells(week), *describe(week), _describe_changes(week)) for week in weeks]
    yield from iter_table_lines(columns, rows, width)
    if not is_run:
        yield ""
        solved = [_list_solved_cells(week) for week in weeks]
        yield from iter_table_lines(_SOLVED_IN_SESSIONS, solved, width)


def _list_solved_cells(week: WeekNumbers) -> tuple[str, ...]:
    cost, minutes, rules, back = _list_run_cells(week)
    return (str(week.week), str(week.numbers.solved), minutes, cost, rules, back)


def _list_common_cells(week: WeekNumbers) -> tuple[str, ...]:
    numbers, since = week.numbers, week.since_last
    return (
        str(week.week),
        str(numbers.tasks),
        cells.format_red(numbers) + cells.format_arrow(since.red_median if since else None),
        cells.format_share(numbers.unresolved),
        cells.format_percent(numbers.first_green)
        + cells.format_arrow(since.first_green if since else None),
        str(numbers.no_suite_ran),
    )


def _list_session_cells(week: WeekNumbers) -> tuple[str, ...]:
    numbers, since = week.numbers, week.since_last
    return (
        str(numbers.sessions),
        cells.format_number(numbers.interventions_per_session),
        cells.format_number(numbers.interventions_per_100_calls)
        + cells.format_arrow(since.interventions_per_100_calls if since else None),
    )


def _list_run_cells(week: WeekNumbers) -> tuple[str, ...]:
    numbers, since = week.numbers, week.since_last
    return (
        cells.format_cost(numbers) + cells.format_arrow(since.cost_per_solved if since else None),
        cells.format_minutes(numbers),
        cells.format_count(week.rules_active),
        cells.format_count(week.recurrences),
    )


def _describe_changes(week: WeekNumbers) -> str:
    """Return what changed beside the project, and what could not be read."""
    parts = []
    for what, names in (("Claude Code", week.other_versions), ("model", week.other_models)):
        if names:
            shown = ", ".join(map(cells.clean_text, names))
            parts.append(f"other than in the week before: {what} {shown}")
    if unread := week.numbers.no_verdict:
        parts.append(f"tests without a readable verdict: {unread}")
    return "; ".join(parts)


def iter_rule_lines(stats: RuleStats, width: int | None) -> Iterator[str]:
    """Yield the numbers before and after a rule became active, without a word about why."""
    begin = f"{stats.since.astimezone():%Y-%m-%d %H:%M}"
    end = f"{stats.until.astimezone():%Y-%m-%d %H:%M}" if stats.until else ""
    active = f"active from {begin} to {end}" if end else f"active since {begin}"
    until = ", up to its end" if end else ""
    head = (
        f"rule {stats.rule}: {cells.clean_text(stats.text, 300)}",
        f"{active} in {cells.clean_text(stats.project, 300)}",
        f"counted: {stats.weeks} weeks before, and {stats.weeks} weeks after{until}",
        "",
    )
    yield from fit_lines(head, width)
    if not stats.by_source:
        yield "no tasks in these weeks"
        return
    columns = (Column("what"), Column("before"), Column("after"), Column(""))
    for source, split in stats.by_source:
        yield f"{source.value}:"
        yield from iter_table_lines(columns, list(_iter_rule_rows(source, split)), width)
        yield ""
    note = (
        "Nothing is said about why numbers differ: versions, models, tasks and other rules have "
        f"changed, too. No arrow stands where a side has less than {LEAST_FOR_TREND} tasks."
    )
    yield from fit_lines([note], width)


def _iter_rule_rows(source: TaskSource, split: BeforeAndAfter) -> Iterator[tuple[str, ...]]:
    sides, change = (split.before, split.after), split.differences
    yield "tasks", *(str(each.tasks) for each in sides), ""
    yield (
        "red runs until green: median/p90",
        *map(cells.format_red, sides),
        cells.format_arrow(change.red_median),
    )
    yield (
        "stayed red, of those with a red run",
        *(cells.format_share(each.unresolved) for each in sides),
        cells.format_arrow(change.unresolved),
    )
    yield (
        "first green after the first edit",
        *(cells.format_percent(each.first_green) for each in sides),
        cells.format_arrow(change.first_green),
    )
    yield "no test ran", *(str(each.no_suite_ran) for each in sides), ""
    costs = map(cells.format_cost, sides)
    yield "cost of a solved task", *costs, cells.format_arrow(change.cost_per_solved)
    yield "minutes for a solved task", *map(cells.format_minutes, sides), ""
    if source is not TaskSource.RUNS:
        yield (
            "interventions in 100 main tool calls",
            *(cells.format_number(each.interventions_per_100_calls) for each in sides),
            cells.format_arrow(change.interventions_per_100_calls),
        )
    for name in ("versions", "models"):
        yield f"{name}:", *(_join_names(getattr(each, name)) for each in sides), ""


def _join_names(names: Sequence[str]) -> str:
    shown = [cells.clean_text(name) for name in names[:2]]
    return ", ".join([*shown, f"{len(names) - 2} more"] if len(names) > 2 else shown) or "-"

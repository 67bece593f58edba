"""Count how well tasks went, by project and week, and before and after a day.

The unit is the task. Tasks of people, of headless sessions and of our own runs are counted apart
and never added up, and own sessions are not counted at all. Nothing here says why a number has
changed: that a rule helped is shown by trials only.

The median is that of `statistics.median`; the 90th percentile is the nearest rank: the smallest
value that at least nine tenths of all values do not exceed. A mean is not given, as a single bad
task rules it.
"""

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Final

LEAST_FOR_TREND: Final = 20
"""Tasks on each side, below which a difference says nothing."""


class TaskSource(StrEnum):
    """Where a task was done. The values are printed."""

    PEOPLE = "sessions of people"
    HEADLESS = "headless sessions"
    RUNS = "own runs"


@dataclass(frozen=True)
class MeasuredTask:
    """What is known of one task, from a session or from a run."""

    source: TaskSource
    project: str
    session: str
    """The id of its session, or of its run."""
    started: datetime
    tool_calls: int = 0
    """Of the main conversation."""
    edits: int = 0
    suite_runs: int = 0
    red_runs: int = 0
    resolved: bool | None = None
    """Whether it was green in the end; None if no verdict could be read."""
    first_green: bool | None = None
    """Whether the first verdict after the first edit was green; None if there is none."""
    rejections: int = 0
    interruptions: int = 0
    corrections: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cost_usd: float | None = None
    version: str = ""
    model: str = ""


@dataclass(frozen=True, order=True)
class Week:
    """A week of ISO 8601, in the user's time zone."""

    year: int
    number: int

    def __str__(self) -> str:
        """Return the week as people write it: `2026-W05`."""
        return f"{self.year}-W{self.number:02}"


@dataclass(frozen=True)
class Share:
    """Some of all; nothing is said of none."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, from 0 to 1; None of none."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True)
class TaskNumbers:
    """The numbers of some tasks of one source."""

    tasks: int
    sessions: int
    tool_calls: int
    red_median: float | None
    """Red runs until green, of the tasks that had a red run and became green."""
    red_p90: float | None
    unresolved: Share
    """Of the tasks with a red run, those that did not become green."""
    first_green: Share
    """Of the tasks with a verdict after the first edit, those whose first one was green."""
    no_suite_ran: int
    """Tasks with edits in which no test ran: the first green says nothing about them."""
    no_verdict: int
    """Tasks with edits in which tests ran, but no verdict after the first edit could be read."""
    rejections: int
    interruptions: int
    corrections: int
    tokens: int
    solved: int
    """Tasks that became green, or were green all along."""
    cost_per_solved: float | None
    """What all tasks cost, by the number of solved ones: what was in vain is paid for, too. None if
    a cost is not known."""
    seconds_per_solved: float | None
    """Of runs, what all of them took by the number of solved ones. Of sessions, the median of the
    solved ones: in many tasks no test runs, and people pause."""
    versions: tuple[str, ...]
    models: tuple[str, ...]

    @property
    def interventions(self) -> int:
        """How often a person intervened. Approvals leave no trace, and are not among them."""
        return self.rejections + self.interruptions + self.corrections

    @property
    def interventions_per_session(self) -> float | None:
        """How often a person intervened in a session on average."""
        return self.interventions / self.sessions if self.sessions else None

    @property
    def interventions_per_100_calls(self) -> float | None:
        """How often a person intervened in a hundred tool calls of the main conversation."""
        return 100 * self.interventions / self.tool_calls if self.tool_calls else None


class Direction(StrEnum):
    """How a number differs from the one before it. The values are printed."""

    UP = "up"
    DOWN = "down"
    SAME = "same"


@dataclass(frozen=True)
class Difference:
    """A number before and after; `direction` is None where there are too few tasks to say."""

    before: float | None
    after: float | None
    tasks_before: int
    tasks_after: int

    @property
    def direction(self) -> Direction | None:
        """How it differs, if there are at least `LEAST_FOR_TREND` tasks on both sides."""
        if self.before is None or self.after is None:
            return None
        if min(self.tasks_before, self.tasks_after) < LEAST_FOR_TREND:
            return None
        if math.isclose(self.before, self.after, rel_tol=1e-9, abs_tol=1e-12):
            return Direction.SAME
        return Direction.UP if self.after > self.before else Direction.DOWN


@dataclass(frozen=True)
class Differences:
    """How the numbers of some tasks differ from those of others."""

    red_median: Difference
    unresolved: Difference
    first_green: Difference
    interventions_per_100_calls: Difference
    cost_per_solved: Difference


@dataclass(frozen=True)
class WeekNumbers:
    """The numbers of one week of a project."""

    source: TaskSource
    project: str
    week: Week
    numbers: TaskNumbers
    other_versions: tuple[str, ...]
    """Versions of Claude Code that the last week with tasks did not have; empty in the first."""
    other_models: tuple[str, ...]
    since_last: Differences | None
    """How it differs from the last week with tasks; None in the first week."""
    rules_active: int | None = None
    """Rules that were active at the end of the week, and..."""
    recurrences: int | None = None
    """... failures in it that an active rule is against: attempts of runs, or sessions. None where
    that is not known."""


@dataclass(frozen=True)
class BeforeAndAfter:
    """The numbers of the tasks before and after a moment: no statement about its effect."""

    moment: datetime
    before: TaskNumbers
    after: TaskNumbers
    differences: Differences


def find_week(moment: datetime, zone: tzinfo) -> Week:
    """Return the week that a moment is in, in a time zone."""
    year, number, _ = moment.astimezone(zone).isocalendar()
    return Week(year, number)


def count_weeks(tasks: Iterable[MeasuredTask], zone: tzinfo) -> list[WeekNumbers]:
    """Return the numbers of each week that has tasks, by project, source and time."""
    by_series: defaultdict[tuple[str, TaskSource], defaultdict[Week, list[MeasuredTask]]]
    by_series = defaultdict(lambda: defaultdict(list))
    for task in tasks:
        by_series[task.project, task.source][find_week(task.started, zone)].append(task)
    counted = []
    for project, source in sorted(by_series):
        before: TaskNumbers | None = None
        for week, members in sorted(by_series[project, source].items()):
            numbers = count_tasks_of(members)
            counted.append(
                WeekNumbers(
                    source,
                    project,
                    week,
                    numbers,
                    other_versions=_find_other(before.versions if before else (), numbers.versions),
                    other_models=_find_other(before.models if before else (), numbers.models),
                    since_last=compare_numbers(before, numbers) if before else None,
                )
            )
            before = numbers
    return counted


def split_at(tasks: Iterable[MeasuredTask], moment: datetime) -> BeforeAndAfter:
    """Return the numbers before and after a moment, such as the day on which a rule was learned.

    The tasks are to be of one project and source. What had started before counts as before.
    """
    known = list(tasks)
    before = count_tasks_of([each for each in known if each.started < moment])
    after = count_tasks_of([each for each in known if each.started >= moment])
    return BeforeAndAfter(moment, before, after, compare_numbers(before, after))


def count_tasks_of(tasks: Sequence[MeasuredTask]) -> TaskNumbers:
    """Return the numbers of tasks; they do not depend on their order."""
    _require_one_source(tasks)
    red = [each for each in tasks if each.red_runs]
    loops = [each.red_runs for each in red if each.resolved]
    judged = [each for each in tasks if each.first_green is not None]
    edited = [each for each in tasks if each.edits and each.first_green is None]
    solved = sum(each.resolved is True for each in tasks)
    costs = [each.cost_usd for each in tasks if each.cost_usd is not None]
    cost = math.fsum(costs) if len(costs) == len(tasks) else None
    return TaskNumbers(
        tasks=len(tasks),
        sessions=len({each.session for each in tasks}),
        tool_calls=sum(each.tool_calls for each in tasks),
        red_median=statistics.median(loops) if loops else None,
        red_p90=find_percentile(loops, 90),
        unresolved=Share(sum(not each.resolved for each in red), len(red)),
        first_green=Share(sum(bool(each.first_green) for each in judged), len(judged)),
        no_suite_ran=sum(not each.suite_runs for each in edited),
        no_verdict=sum(bool(each.suite_runs) for each in edited),
        rejections=sum(each.rejections for each in tasks),
        interruptions=sum(each.interruptions for each in tasks),
        corrections=sum(each.corrections for each in tasks),
        tokens=sum(each.tokens for each in tasks),
        solved=solved,
        cost_per_solved=cost / solved if solved and cost is not None else None,
        seconds_per_solved=_count_seconds_per_solved(tasks),
        versions=tuple(
            sorted({each.version for each in tasks if each.version}, key=_split_version)
        ),
        models=tuple(sorted({each.model for each in tasks if each.model})),
    )


def _count_seconds_per_solved(tasks: Sequence[MeasuredTask]) -> float | None:
    solved = [each.seconds for each in tasks if each.resolved]
    if not solved:
        return None
    if tasks[0].source is not TaskSource.RUNS:
        return statistics.median(solved)
    return math.fsum(each.seconds for each in tasks) / len(solved)


def find_percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the nearest rank of values: the smallest that so many percent do not exceed."""
    if not values:
        return None
    rank = max(1, -(-percent * len(values) // 100))
    return sorted(values)[rank - 1]


def compare_numbers(before: TaskNumbers, after: TaskNumbers) -> Differences:
    """Return how numbers differ; each by the tasks that it is made of."""

    def differ(one: float | None, other: float | None, tasks: tuple[int, int]) -> Difference:
        return Difference(one, other, *tasks)

    red = (before.unresolved.of, after.unresolved.of)
    loops = (red[0] - before.unresolved.count, red[1] - after.unresolved.count)
    judged = (before.first_green.of, after.first_green.of)
    every = (before.tasks, after.tasks)
    return Differences(
        differ(before.red_median, after.red_median, loops),
        differ(before.unresolved.value, after.unresolved.value, red),
        differ(before.first_green.value, after.first_green.value, judged),
        differ(before.interventions_per_100_calls, after.interventions_per_100_calls, every),
        differ(before.cost_per_solved, after.cost_per_solved, (before.solved, after.solved)),
    )


def _split_version(version: str) -> tuple[list[int], str]:
    """Return what sorts 2.1.9 before 2.1.12."""
    return [int(each) for each in re.findall(r"\d{1,9}", version)], version


def _find_other(before: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in now if each not in before) if before else ()


def _require_one_source(tasks: Iterable[MeasuredTask]) -> None:
    sources = sorted({each.source for each in tasks})
    if len(sources) > 1:
        raise ValueError(f"tasks of different sources are never added up: {', '.join(sources)}")

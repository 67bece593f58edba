"""The numbers of `orchestrator stats` as JSON and CSV, for other programs."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from orchestrator.cli import stats_cells as cells
from orchestrator.services.stats import RuleStats, Stats
from orchestrator.sessions.counting.metrics import Difference, Differences, TaskNumbers, WeekNumbers

_FORMULA: Final = ("=", "+", "-", "@")
"""What a spreadsheet takes for a formula."""


def iter_json_lines(stats: Stats) -> Iterator[str]:
    """Yield one JSON object for each week of a project and source."""
    for each in stats.weeks:
        yield json.dumps(
            {
                **_list_week_values(each),
                "differences": _list_directions(each.since_last) if each.since_last else None,
            },
            ensure_ascii=False,
        )


def iter_rule_json_lines(stats: RuleStats) -> Iterator[str]:
    """Yield one JSON object for each source, with the numbers before and after."""
    for source, split in stats.by_source:
        yield json.dumps(
            {
                "rule": stats.rule,
                "project": cells.clean_text(stats.project, 1000),
                "source": source.value,
                "since": stats.since.isoformat(),
                "until": stats.until.isoformat() if stats.until else None,
                "weeks": stats.weeks,
                "before": _list_numbers(split.before),
                "after": _list_numbers(split.after),
                "differences": _list_directions(split.differences),
            },
            ensure_ascii=False,
        )


def iter_csv_lines(stats: Stats) -> Iterator[str]:
    """Yield a header and one line for each week; lists are separated by spaces."""
    yield _format_csv(_CSV_COLUMNS)
    for each in stats.weeks:
        values = _list_week_values(each)
        yield _format_csv([_format_csv_value(values[name]) for name in _CSV_COLUMNS])


def _list_week_values(week: WeekNumbers) -> dict[str, Any]:
    return {
        "project": cells.clean_text(week.project, 1000),
        "source": week.source.value,
        "week": str(week.week),
        **_list_numbers(week.numbers),
        "rules_active": week.rules_active,
        "recurrences": week.recurrences,
        "other_versions": [cells.clean_text(each) for each in week.other_versions],
        "other_models": [cells.clean_text(each) for each in week.other_models],
    }


def _list_numbers(numbers: TaskNumbers) -> dict[str, Any]:
    """Return all numbers by name; null where there is nothing to count."""
    return {
        "tasks": numbers.tasks,
        "sessions": numbers.sessions,
        "tool_calls": numbers.tool_calls,
        "red_runs_until_green_median": numbers.red_median,
        "red_runs_until_green_p90": numbers.red_p90,
        "tasks_with_red_run": numbers.unresolved.of,
        "unresolved": numbers.unresolved.count,
        "first_green": numbers.first_green.count,
        "first_green_of": numbers.first_green.of,
        "no_test_ran": numbers.no_suite_ran,
        "no_readable_verdict": numbers.no_verdict,
        "rejections": numbers.rejections,
        "interruptions": numbers.interruptions,
        "corrections": numbers.corrections,
        "interventions_per_session": numbers.interventions_per_session,
        "interventions_per_100_tool_calls": numbers.interventions_per_100_calls,
        "tokens": numbers.tokens,
        "solved": numbers.solved,
        "cost_usd_per_solved": numbers.cost_per_solved,
        "seconds_per_solved": numbers.seconds_per_solved,
        "versions": [cells.clean_text(each) for each in numbers.versions],
        "models": [cells.clean_text(each) for each in numbers.models],
    }


def _list_directions(differences: Differences) -> dict[str, str | None]:
    """Return the direction of each difference; null where there are too few tasks to say."""
    by_name: dict[str, Difference] = vars(differences)
    return {name: each.direction and each.direction.value for name, each in by_name.items()}


_CSV_COLUMNS: Final = (
    *("project", "source", "week", "tasks", "sessions", "tool_calls"),
    *("red_runs_until_green_median", "red_runs_until_green_p90", "tasks_with_red_run"),
    *("unresolved", "first_green", "first_green_of", "no_test_ran", "no_readable_verdict"),
    *("rejections", "interruptions", "corrections", "interventions_per_session"),
    *("interventions_per_100_tool_calls", "tokens", "solved", "cost_usd_per_solved"),
    *("seconds_per_solved", "rules_active", "recurrences", "versions", "models"),
    *("other_versions", "other_models"),
)


def _format_csv(values: list[str] | tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def _format_csv_value(value: Any) -> str:  # noqa: ANN401 -- a value for JSON
    if value is None:
        return ""
    text = " ".join(value) if isinstance(value, list) else str(value)
    is_text = isinstance(value, str | list)
    return f"'{text}" if is_text and text.startswith(_FORMULA) else text

"""Turn the events of a run into rows: what happened, when, and in which attempt.

A row is short, whatever the event contains, and holds no secret. Reports and results are reduced to
a summary, because the result of the run contains them already.
"""

import json
import math
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import singledispatch
from typing import Any, Final, Protocol

from orchestrator import events
from orchestrator.masking import Masker
from orchestrator.models import EventRow, RunResult
from teacher.models import Usage

MOST_CHARS: Final = 2000
"""Most characters of a text in a row."""
MOST_ITEMS: Final = 20
"""Most items of a list in a row, each with texts of at most `MOST_ITEM_CHARS`."""
MOST_ITEM_CHARS: Final = 300
_MOST_DEPTH: Final = 4
MOST_ROWS: Final = 1000
"""Most rows of one kind in an attempt."""
_MOST_CASES: Final = 100
"""Most rows of failing test cases in an attempt."""
_MOST_SPEECH_CHARS: Final = 64 * 1024
"""Most characters of an agent's text that are joined before the text is masked and shortened."""

_COMMON_FIELDS: Final = frozenset(each.name for each in fields(events.Event))
"""The fields of every event, which have columns of their own."""


class EventStore(Protocol):
    """Stores the events of runs, in order: `event_log.EventLog`. Several threads may call."""

    def append_event(self, run: str, attempt: int, at: str, kind: str, values: str) -> None:
        """Append a row to those of a run."""

    def list_events(self, run: str, after: int = 0) -> Sequence[EventRow]:
        """Return a run's rows with a number above `after`, in order."""


def encode_event(event: events.Event, masker: Masker) -> tuple[str, dict[str, Any]]:
    """Return the kind and the values of an event for JSON: limited in size, without secrets."""
    limiter = _ValueLimiter(masker)
    values = {
        name: limiter.limit_value(value, MOST_CHARS)
        for name, value in _extract_values(event).items()
    }
    return events.event_name(event), values


def record_events(log: EventStore, run: str, masker: Masker) -> events.Listener:
    """Return a listener that writes the events of one run to the database.

    Of the suite's cases only those that fail are written. Consecutive texts of the agent become one
    row, because some agents speak line by line, and a secret may span several lines. A resumed run
    emits the events of its finished attempts again; those are not written a second time.

    Args:
        log: stores the rows.
        run: the run's id.
        masker: replaces secrets.
    """
    return _Recorder(log, run, masker)


class EventBuffer:
    """Holds the first events of a run, until the run is in the database and can have events."""

    def __init__(self) -> None:
        self._events: list[events.Event] | None = []

    def __call__(self, event: events.Event) -> None:
        """Hold an event; drop it once the buffer was flushed."""
        if self._events is not None:
            self._events.append(event)

    def flush_to(self, listener: events.Listener) -> None:
        """Pass the held events on, and hold no more."""
        held, self._events = self._events or [], None
        for event in held:
            listener(event)


class _Recorder:
    def __init__(self, log: EventStore, run: str, masker: Masker) -> None:
        self._log, self._run, self._masker = log, run, masker
        self._finished = {row.attempt for row in log.list_events(run) if row.kind == _FINISHED}
        self._row_counts = Counter[tuple[int, str]]()
        self._speech: events.AgentSpoke | None = None
        self._lock = threading.Lock()

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            if isinstance(event, events.AgentSpoke):
                self._append_text(event)
                return
            if isinstance(event, events.CaseFinished) and not event.case.is_failing:
                return
            if isinstance(event, events.SuiteRunning):  # only of interest while it is
                return
            if speech := self._speech:
                self._speech = None  # first: if it cannot be written, the next event still can
                self._record_event(speech)
            self._record_event(event)

    def _append_text(self, event: events.AgentSpoke) -> None:
        text = self._speech.text if self._speech else ""
        if len(text) < _MOST_SPEECH_CHARS:
            text = f"{text}\n{event.text}" if text else event.text
            self._speech = replace(self._speech or event, text=text)

    def _record_event(self, event: events.Event) -> None:
        kind = events.event_name(event)
        if kind == _FINISHED and event.attempt in self._finished:
            return
        self._row_counts[event.attempt, kind] += 1
        left = _row_limit(event) - self._row_counts[event.attempt, kind]
        if left >= 0:
            self._append_row(event)
        if left == -1:
            text = f"further events of this attempt are not recorded: {kind}"
            self._append_row(events.Notice(text, attempt=event.attempt, at=event.at))

    def _append_row(self, event: events.Event) -> None:
        kind, values = encode_event(event, self._masker)
        text = json.dumps(values, ensure_ascii=True)
        self._log.append_event(self._run, event.attempt, event.at.isoformat(), kind, text)


_FINISHED: Final = "attempt_finished"


def _row_limit(event: events.Event) -> int:
    return _MOST_CASES if isinstance(event, events.CaseFinished) else MOST_ROWS


# ---- the values of an event ----------------------------------------------------------------


@singledispatch
def _extract_values(event: events.Event) -> Mapping[str, object]:
    """Return the values of an event to store: by default its own fields."""
    return {
        each.name: getattr(event, each.name)
        for each in fields(event)
        if each.name not in _COMMON_FIELDS
    }


@_extract_values.register
def _extract_run_planned(event: events.RunPlanned) -> Mapping[str, object]:
    return vars(event.plan)


@_extract_values.register
def _extract_run_started(event: events.RunStarted) -> Mapping[str, object]:
    task = event.task
    return {"task": task.text, "project": task.project, "resumed": event.resumed}


@_extract_values.register
def _extract_agent_finished(event: events.AgentFinished) -> Mapping[str, object]:
    result = event.result
    return {
        "outcome": result.outcome,
        "message": result.message,
        "turns": result.turns,
        "seconds": result.seconds,
        "session_id": result.session_id,
        "denials": len(result.denials),
        **_usage_values(result.usage),
    }


@_extract_values.register
def _extract_diff_taken(event: events.DiffTaken) -> Mapping[str, object]:
    diff = event.diff
    paths = [f"{change.status} {change.path}" for change in diff.changes]
    return {"summary": diff.summary, "files": len(paths), "changes": paths}


@_extract_values.register
def _extract_files_guarded(event: events.FilesGuarded) -> Mapping[str, object]:
    return {"files": len(event.files)}


@_extract_values.register
def _extract_case_finished(event: events.CaseFinished) -> Mapping[str, object]:
    case = event.case
    return {
        "id": case.id,
        "outcome": case.outcome,
        "seconds": case.seconds,
        "message": case.message,
    }


@_extract_values.register
def _extract_suite_finished(event: events.SuiteFinished) -> Mapping[str, object]:
    report = event.report
    return {
        "outcome": report.outcome,
        "summary": report.summary,
        "counts": Counter(case.outcome for case in report.cases),
        "failing": [case.id for case in report.failing],
        "exit_code": report.exit_code,
        "seconds": report.seconds,
        "baseline": event.baseline,
        "before_attempt": event.before_attempt,
        "goal": event.goal,
    }


@_extract_values.register
def _extract_judged(event: events.Judged) -> Mapping[str, object]:
    verdict = event.judgement.verdict
    return {
        "kind": verdict.kind,
        "message": verdict.text,
        "cases": verdict.cases,
        "suite_runs": verdict.suite_runs,
    }


@_extract_values.register
def _extract_teaching_started(event: events.TeachingStarted) -> Mapping[str, object]:
    failure = event.failure
    return {
        "type": failure.type,
        "source": failure.source,
        "summary": failure.summary,
        "fingerprint": failure.fingerprint,
    }


@_extract_values.register
def _extract_lesson_learned(event: events.LessonLearned) -> Mapping[str, object]:
    lesson = event.lesson
    return {
        "action": lesson.action,
        "reason": lesson.reason,
        "target": lesson.target,
        "model": lesson.model,
        **_usage_values(lesson.usage),
    }


@_extract_values.register
def _extract_rule_written(event: events.RuleWritten) -> Mapping[str, object]:
    change = event.change
    return {
        "rule": change.rule.id,
        "change": change.change,
        "text": change.rule.text,
        "path": change.path,
        "reason": change.reason,
        "archived": [rule.id for rule in change.leaving],
    }


@_extract_values.register
def _extract_attempt_finished(event: events.AttemptFinished) -> Mapping[str, object]:
    last = event.result.attempts[-1] if event.result.attempts else None
    return {
        "solved": bool(last and last.is_solved),
        "seconds": last.seconds if last else 0.0,
        **_outcome_values(event.result),
    }


@_extract_values.register
def _extract_run_ended(event: events.RunEnded) -> Mapping[str, object]:
    return {
        "seconds": event.seconds,
        **_outcome_values(event.result),
        **_usage_values(event.usage),
        "changes": event.changes,
        "advice": event.advice,
    }


def _outcome_values(result: RunResult) -> Mapping[str, object]:
    return {"outcome": result.outcome, "message": result.message, **_usage_values(result.usage)}


def _usage_values(usage: Usage) -> Mapping[str, object]:
    return {"tokens": usage.tokens, "cost_usd": usage.cost_usd}


# ---- limits --------------------------------------------------------------------------------


class _ValueLimiter:
    """Converts any value to one for JSON that is short and holds no secrets."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker

    def limit_value(self, value: object, chars: int, depth: int = 0) -> Any:  # noqa: ANN401 -- JSON
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)
            case Mapping() if depth < _MOST_DEPTH:
                return self._limit_mapping(value, depth)
            case Sequence() if not isinstance(value, str | bytes) and depth < _MOST_DEPTH:
                return self._limit_sequence(value, depth)
            case _ if is_dataclass(value) and depth < _MOST_DEPTH:
                named = {each.name: getattr(value, each.name) for each in fields(value)}
                return self._limit_mapping(named, depth)
        return self._limit_text(str(value), chars)

    def _limit_mapping(self, value: Mapping[Any, object], depth: int) -> dict[str, Any]:
        limited = {
            self._limit_text(str(name), MOST_ITEM_CHARS): self._limit_named_value(
                str(name), each, depth
            )
            for name, each in list(value.items())[:MOST_ITEMS]
        }
        return limited | _count_omitted(len(value))

    def _limit_named_value(self, name: str, value: object, depth: int) -> Any:  # noqa: ANN401 -- JSON
        """Return the limited value of a field; its name can show that it is secret."""
        if isinstance(value, str):
            masked = self._masker.mask(f"{name}: {value}")
            value = masked.removeprefix(f"{name}: ") if masked.startswith(f"{name}: ") else masked
        return self.limit_value(value, MOST_ITEM_CHARS, depth + 1)

    def _limit_sequence(self, value: Sequence[object], depth: int) -> list[Any]:
        items = [self.limit_value(each, MOST_ITEM_CHARS, depth + 1) for each in value[:MOST_ITEMS]]
        return [*items, _count_omitted(len(value))] if len(value) > MOST_ITEMS else items

    def _limit_text(self, text: str, chars: int) -> str:
        text = self._masker.mask(text)  # before it is cut: half a secret would not be recognized
        return text if len(text) <= chars else f"{text[:chars]}... ({len(text)} characters)"


def _count_omitted(count: int) -> dict[str, int]:
    return {"omitted": count - MOST_ITEMS} if count > MOST_ITEMS else {}

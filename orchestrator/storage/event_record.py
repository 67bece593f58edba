"""A run's events as rows on record: what happened, when, in which attempt.

A row is short, whatever the event carries, and holds no secret. Whole reports and results are
reduced to what they came to: the run's record keeps them already.
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
"""Characters of a text that a row keeps."""
MOST_ITEMS: Final = 20
"""Items of a list that a row keeps, each with texts of `MOST_ITEM_CHARS`."""
MOST_ITEM_CHARS: Final = 300
_MOST_DEPTH: Final = 4
MOST_ROWS: Final = 1000
"""Rows of one kind that an attempt may have."""
_MOST_CASES: Final = 100
_MOST_SAID: Final = 64 * 1024
"""Characters of what an agent says without a pause that are looked at."""

_STAMPS: Final = frozenset(each.name for each in fields(events.Event))


class EventLog(Protocol):
    """Keeps the events of runs, in order. May be called from several threads."""

    def append_event(self, run: str, attempt: int, at: str, kind: str, values: str) -> None:
        """Add a row at the end of a run's."""

    def list_events(self, run: str, after: int = 0) -> Sequence[EventRow]:
        """List a run's rows with a number above `after`, in order."""


def encode_event(event: events.Event, masker: Masker) -> tuple[str, dict[str, Any]]:
    """Return an event's kind and values, as JSON has them: bounded, and without secrets."""
    bound = _ValueLimiter(masker)
    values = {
        name: bound.limit_value(value, MOST_CHARS) for name, value in _extract_values(event).items()
    }
    return events.event_name(event), values


def record_events(log: EventLog, run: str, masker: Masker) -> events.Listener:
    """Return a listener that puts the events of one run on record.

    Of the suite's cases only those that fail are kept. What the agent says without a pause is one
    row: some agents speak line by line, and a secret may take several. A run that goes on reports
    its finished attempts again; what is on record of them is not repeated.

    Args:
        log: where the rows go.
        run: the run's id.
        masker: takes secrets out.
    """
    return _Recorder(log, run, masker)


class EventBuffer:
    """Holds the events of a run that is not on record yet, until there is who takes them."""

    def __init__(self) -> None:
        self._held: list[events.Event] | None = []

    def __call__(self, event: events.Event) -> None:
        """Hold an event."""
        if self._held is not None:
            self._held.append(event)

    def flush_to(self, listener: events.Listener) -> None:
        """Pass on what was held, and hold nothing from now on."""
        held, self._held = self._held or [], None
        for event in held:
            listener(event)


class _Recorder:
    def __init__(self, log: EventLog, run: str, masker: Masker) -> None:
        self._log, self._run, self._masker = log, run, masker
        self._finished = {row.attempt for row in log.list_events(run) if row.kind == _FINISHED}
        self._rows = Counter[tuple[int, str]]()
        self._said: events.AgentSpoke | None = None
        self._lock = threading.Lock()

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            if isinstance(event, events.AgentSpoke):
                self._append_text(event)
                return
            if isinstance(event, events.CaseFinished) and not event.case.is_failing:
                return
            if said := self._said:
                self._said = None  # also if it cannot be written: the next event comes too
                self._record_event(said)
            self._record_event(event)

    def _append_text(self, event: events.AgentSpoke) -> None:
        before = self._said.text if self._said else ""
        if len(before) < _MOST_SAID:
            text = f"{before}\n{event.text}" if before else event.text
            self._said = replace(self._said or event, text=text)

    def _record_event(self, event: events.Event) -> None:
        kind = events.event_name(event)
        if kind == _FINISHED and event.attempt in self._finished:
            return
        self._rows[event.attempt, kind] += 1
        left = _row_limit(event) - self._rows[event.attempt, kind]
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


# ---- what of an event is kept --------------------------------------------------------------


@singledispatch
def _extract_values(event: events.Event) -> Mapping[str, object]:
    """Return what is kept of an event: its own fields, where they are small."""
    return {
        each.name: getattr(event, each.name) for each in fields(event) if each.name not in _STAMPS
    }


@_extract_values.register
def _(event: events.RunStarted) -> Mapping[str, object]:
    task = event.task
    return {"task": task.text, "project": task.project, "resumed": event.resumed}


@_extract_values.register
def _(event: events.AgentFinished) -> Mapping[str, object]:
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
def _(event: events.DiffTaken) -> Mapping[str, object]:
    diff = event.diff
    paths = [f"{change.status} {change.path}" for change in diff.changes]
    return {"summary": diff.summary, "files": len(paths), "changes": paths}


@_extract_values.register
def _(event: events.FilesGuarded) -> Mapping[str, object]:
    return {"files": len(event.files)}


@_extract_values.register
def _(event: events.CaseFinished) -> Mapping[str, object]:
    case = event.case
    return {
        "id": case.id,
        "outcome": case.outcome,
        "seconds": case.seconds,
        "message": case.message,
    }


@_extract_values.register
def _(event: events.SuiteFinished) -> Mapping[str, object]:
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
    }


@_extract_values.register
def _(event: events.Judged) -> Mapping[str, object]:
    verdict = event.judgement.verdict
    return {
        "kind": verdict.kind,
        "message": verdict.text,
        "cases": verdict.cases,
        "suite_runs": verdict.suite_runs,
    }


@_extract_values.register
def _(event: events.TeachingStarted) -> Mapping[str, object]:
    failure = event.failure
    return {
        "type": failure.type,
        "source": failure.source,
        "summary": failure.summary,
        "fingerprint": failure.fingerprint,
    }


@_extract_values.register
def _(event: events.LessonLearned) -> Mapping[str, object]:
    lesson = event.lesson
    return {
        "action": lesson.action,
        "reason": lesson.reason,
        "target": lesson.target,
        "model": lesson.model,
        **_usage_values(lesson.usage),
    }


@_extract_values.register
def _(event: events.RuleWritten) -> Mapping[str, object]:
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
def _(event: events.AttemptFinished) -> Mapping[str, object]:
    last = event.result.attempts[-1] if event.result.attempts else None
    return {
        "solved": bool(last and last.is_solved),
        "seconds": last.seconds if last else 0.0,
        **_outcome_values(event.result),
    }


@_extract_values.register
def _(event: events.RunEnded) -> Mapping[str, object]:
    return {"seconds": event.seconds, **_outcome_values(event.result)}


def _outcome_values(result: RunResult) -> Mapping[str, object]:
    return {"outcome": result.outcome, "message": result.message, **_usage_values(result.usage)}


def _usage_values(usage: Usage) -> Mapping[str, object]:
    return {"tokens": usage.tokens, "cost_usd": usage.cost_usd}


# ---- bounds --------------------------------------------------------------------------------


class _ValueLimiter:
    """Makes any value one that JSON has: short, and without secrets."""

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
        kept = {
            self._limit_text(str(name), MOST_ITEM_CHARS): self._limit_named_value(
                str(name), each, depth
            )
            for name, each in list(value.items())[:MOST_ITEMS]
        }
        return kept | _count_omitted(len(value))

    def _limit_named_value(self, name: str, value: object, depth: int) -> Any:  # noqa: ANN401 -- JSON
        """Return a value by whose name a secret may be known as one."""
        if isinstance(value, str):
            said = self._masker.mask(f"{name}: {value}")
            value = said.removeprefix(f"{name}: ") if said.startswith(f"{name}: ") else said
        return self.limit_value(value, MOST_ITEM_CHARS, depth + 1)

    def _limit_sequence(self, value: Sequence[object], depth: int) -> list[Any]:
        kept = [self.limit_value(each, MOST_ITEM_CHARS, depth + 1) for each in value[:MOST_ITEMS]]
        return [*kept, _count_omitted(len(value))] if len(value) > MOST_ITEMS else kept

    def _limit_text(self, text: str, chars: int) -> str:
        text = self._masker.mask(text)  # before the cut: half a secret has no shape
        return text if len(text) <= chars else f"{text[:chars]}... ({len(text)} characters)"


def _count_omitted(count: int) -> dict[str, int]:
    return {"omitted": count - MOST_ITEMS} if count > MOST_ITEMS else {}

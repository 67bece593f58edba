"""Masks the texts of agents, suites and failures, before they are stored or leave this machine."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final, TypeVar

from orchestrator import events
from orchestrator.masking import REDACTED, Masker
from orchestrator.models import AgentResult, Case, Finding, SuiteReport
from orchestrator.models.footprint import Footprint, Reach
from teacher.models import Failure, Lesson, RuleText

T = TypeVar("T")

_KEY_LINE: Final = re.compile(r"[A-Za-z0-9+/=]*|[A-Za-z-]+: .*")
"""A line in a private key: base64, or a header of old formats."""


def mask_agent(masker: Masker, result: AgentResult) -> AgentResult:
    """Return an agent's result without secrets."""
    masked = replace(
        result,
        message=masker.mask(result.message),
        stderr_tail=masker.mask(result.stderr_tail),
        denials=tuple(map(masker.mask, result.denials)),
    )
    return mask_again(masker, masked)


class AgentEventMasker:
    """Masks the events of one agent, some of which speak line by line.

    Args:
        masker: removes the secrets.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._in_key = False

    def mask_event(self, event: events.Event) -> events.Event:
        """Return an event without secrets, also of a private key whose lines are events."""
        masked = mask_event(self._masker, event)
        if not isinstance(event, events.AgentSpoke):
            return masked
        was_in_key, lines = self._in_key, event.text
        begins = max(lines.rfind("-----BEGIN "), lines.rfind("Private-Lines:"))
        ends = max(lines.rfind("-----END "), lines.rfind("Private-MAC:"))
        if max(begins, ends) >= 0:
            self._in_key = begins > ends and "private" in lines[begins:].lower()
        elif not all(_KEY_LINE.fullmatch(line.strip()) for line in lines.splitlines()):
            self._in_key = False  # cut off: what follows is no part of the key
        if was_in_key and (self._in_key or ends >= 0):
            return replace(event, text=f"{REDACTED}private key]")
        return masked


def mask_event(masker: Masker, event: events.Event) -> events.Event:
    """Return an agent's event without secrets in its texts."""
    match event:
        case events.AgentSpoke(text=text):
            return replace(event, text=masker.mask(text))
        case events.ToolUsed(detail=detail):
            return replace(event, detail=masker.mask(detail))
        case events.ToolEnded(why=why):
            return replace(event, why=masker.mask(why))
        case events.AgentWaiting(reason=reason):
            return replace(event, reason=masker.mask(reason))
    return event


def create_agent_listener(masker: Masker, listener: events.Listener) -> events.Listener:
    """Return a listener that passes the events of one agent on without secrets."""
    agent_masker = AgentEventMasker(masker)
    return lambda event: listener(agent_masker.mask_event(event))


def create_masked_listener(masker: Masker, listener: events.Listener) -> events.Listener:
    """Return a listener that passes events on without secrets, as to a terminal or as JSON."""
    return lambda event: listener(mask_again(masker, _mask_displayed(masker, event)))


def _mask_displayed(masker: Masker, event: events.Event) -> events.Event:
    """Return an event without secrets, if the loop emits it as it is; others are masked there."""
    match event:
        case events.RunStarted(task=task):
            masked = replace(task, text=masker.mask(task.text), context=masker.mask(task.context))
            return replace(event, task=masked)
        case events.CaseFinished(case=case):
            return replace(event, case=_mask_names(masker, _mask_case(masker, case)))
        case events.SuiteRunning(line=line, case=case_id):
            return replace(event, line=masker.mask(line), case=masker.mask(case_id))
        case (
            events.Notice()
            | events.Ready()
            | events.RunPlanned()
            | events.AttemptStarted()
            | events.Tampered()
        ):
            return mask_values(event, masker.mask)
    return event


def mask_again(masker: Masker, value: T) -> T:
    """Return a masked value without the secrets that were learned after it was masked."""
    return mask_values(value, masker.mask_again) if masker.count_learned else value


def mask_values(value: T, mask: Callable[[str], str]) -> T:
    """Return a value with each text in it masked; the ids of cases too, but no enum and no path."""
    return _mask_any(value, mask)  # type: ignore[no-any-return] # of the same type as the value


def _mask_any(value: Any, mask: Callable[[str], str]) -> Any:  # noqa: ANN401 -- any part of a result
    match value:
        case Enum():
            return value
        case str():
            return mask(value)
        case tuple() if type(value) is tuple:
            return tuple(_mask_any(each, mask) for each in value)
        case Mapping():
            return {_mask_any(name, mask): _mask_any(each, mask) for name, each in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            old = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
            new = {name: _mask_any(each, mask) for name, each in old.items()}
            changed = {name: each for name, each in new.items() if each != old[name]}
            return replace(value, **changed) if changed else value
    return value


def mask_report(masker: Masker, report: SuiteReport) -> SuiteReport:
    """Return a suite's report without secrets, also in the names of cases.

    A name is masked without what was learned from texts, so that it is the same in every report of
    a run.
    """
    learned = masker.count_learned
    masked = _mask_texts(masker, report)
    if masker.count_learned > learned:  # the last text may name what the first one shows bare
        masked = _mask_texts(masker, masked)
    if _contains_secret(masker, (case.id for case in masked.cases)):
        masked = replace(masked, cases=tuple(_mask_names(masker, case) for case in masked.cases))
    return masked


def _mask_texts(masker: Masker, report: SuiteReport) -> SuiteReport:
    return replace(
        report,
        cases=tuple(_mask_case(masker, case) for case in report.cases),
        message=masker.mask(report.message),
        output=masker.mask(report.output),
        forged=tuple(map(masker.mask, report.forged)),
    )


def mask_failure(masker: Masker, failure: Failure) -> Failure:
    """Return a failure without secrets, which may leave the machine."""
    return mask_again(masker, _mask_failure(masker, failure))


def _mask_failure(masker: Masker, failure: Failure) -> Failure:
    return replace(
        failure,
        summary=masker.mask(failure.summary),
        task=masker.mask(failure.task),
        diff=masker.mask(failure.diff),
        logs=masker.mask(failure.logs),
        context=masker.mask(failure.context),
        cases=tuple(map(masker.mask, failure.cases)),
        suite=masker.mask(failure.suite),
    )


def _mask_case(masker: Masker, case: Case) -> Case:
    if not (case.message or case.detail or case.raised):
        return case
    raised = tuple(replace(each, message=masker.mask(each.message)) for each in case.raised)
    return replace(
        case, message=masker.mask(case.message), detail=masker.mask(case.detail), raised=raised
    )


def _contains_secret(masker: Masker, names: Iterable[str]) -> bool:
    """Return whether any name holds a secret. Nearly always none does, so one search is enough."""
    text = "\n".join(names)
    return masker.mask(text) != text


def _mask_names(masker: Masker, case: Case) -> Case:
    id_, function = masker.mask_identifier(case.id), masker.mask_identifier(case.function)
    return replace(case, id=id_, function=function)


def mask_findings(masker: Masker, found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without secrets in their texts, which quote code that the agent wrote."""
    return tuple(replace(each, text=masker.mask(each.text)) for each in found)


def mask_footprint(masker: Masker, footprint: Footprint) -> Footprint:
    """Return a footprint without secrets in the names of cases."""
    if not _contains_secret(masker, footprint.reach):
        return footprint
    reach = {masker.mask_identifier(name): files for name, files in footprint.reach.items()}
    return replace(footprint, reach=Reach(reach))


def mask_lesson(masker: Masker, lesson: Lesson) -> Lesson:
    """Return a teacher's lesson without secrets, before it is written or shown."""
    return replace(
        lesson,
        text=mask_rule(masker, lesson.text) if lesson.text else None,
        reason=masker.mask(lesson.reason),
        paths=tuple(map(masker.mask, lesson.paths)),
        concern=masker.mask(lesson.concern),
        model=masker.mask(lesson.model),  # a webhook may name anything
    )


def mask_rule(masker: Masker, text: RuleText) -> RuleText:
    """Return a rule's text without secrets."""
    return RuleText(masker.mask(text.rule), masker.mask(text.when), masker.mask(text.why))

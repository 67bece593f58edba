"""Masks the texts of agents, suites and failures, before they are stored or leave this machine."""

from collections.abc import Iterable
from dataclasses import replace

from orchestrator import events
from orchestrator.masking import Masker
from orchestrator.models import AgentResult, Case, SuiteReport
from orchestrator.models.footprint import Footprint, Reach
from teacher.models import Failure, Lesson, RuleText


def mask_agent(masker: Masker, result: AgentResult) -> AgentResult:
    """Return an agent's result without secrets."""
    return replace(
        result,
        message=masker.mask(result.message),
        stderr_tail=masker.mask(result.stderr_tail),
        denials=tuple(map(masker.mask, result.denials)),
    )


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


def mask_report(masker: Masker, report: SuiteReport) -> SuiteReport:
    """Return a suite's report without secrets, also in the names of cases."""
    cases = tuple(_mask_case(masker, case) for case in report.cases)
    if _contains_secret(masker, (case.id for case in cases)):
        cases = tuple(_mask_names(masker, case) for case in cases)
    return replace(
        report,
        cases=cases,
        message=masker.mask(report.message),
        output=masker.mask(report.output),
        forged=tuple(map(masker.mask, report.forged)),
    )


def mask_failure(masker: Masker, failure: Failure) -> Failure:
    """Return a failure without secrets, which may leave the machine."""
    return replace(
        failure,
        summary=masker.mask(failure.summary),
        task=masker.mask(failure.task),
        diff=masker.mask(failure.diff),
        logs=masker.mask(failure.logs),
        context=masker.mask(failure.context),
        cases=tuple(map(masker.mask, failure.cases)),
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


def mask_footprint(masker: Masker, footprint: Footprint) -> Footprint:
    """Return a footprint without secrets in the names of cases."""
    if not _contains_secret(masker, footprint.reach):
        return footprint
    reach = {masker.mask_identifier(name): files for name, files in footprint.reach.items()}
    return replace(footprint, reach=Reach(reach))


def mask_lesson(masker: Masker, lesson: Lesson) -> Lesson:
    """Return a teacher's lesson without secrets, before it is written or shown."""
    text = mask_rule(masker, lesson.text) if lesson.text else None
    paths = tuple(map(masker.mask, lesson.paths))
    return replace(lesson, text=text, reason=masker.mask(lesson.reason), paths=paths)


def mask_rule(masker: Masker, text: RuleText) -> RuleText:
    """Return a rule's text without secrets."""
    return RuleText(masker.mask(text.rule), masker.mask(text.when), masker.mask(text.why))

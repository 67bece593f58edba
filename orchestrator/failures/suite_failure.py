"""From a red suite to a `Failure` for the teacher, and to the prompt of the next attempt."""

from collections.abc import Sequence
from typing import Final

from orchestrator.failures.log_excerpt import (
    build_log_excerpt,
    clean_text,
    list_traceback_files,
    shorten_to_line,
    split_by_novelty,
)
from orchestrator.failures.patch_excerpt import build_patch_excerpt
from orchestrator.models import (
    AgentResult,
    Attempt,
    Case,
    Diff,
    Finding,
    SuiteReport,
    Task,
    VerdictKind,
)
from orchestrator.models.fingerprints import compute_fingerprint
from teacher.models import Failure, FailureType

LOG_BOUND: Final = 12_000
"""Characters of test output that a teacher sees."""

DIFF_BOUND: Final = 12_000
"""Characters of the diff that a teacher sees."""

PROMPT_BOUND: Final = 4_000
"""Characters of the tests' words in a retry's prompt."""

_FINDINGS_SHOWN: Final = 10
_MAX_CASES: Final = 100

_TEST_PROTECTION_NOTE: Final = (
    "Tests that were there before are judged as they were and must not be edited, skipped or "
    "worked around."
)


def build_failure(
    task: Task,
    agent: AgentResult,
    report: SuiteReport,
    baseline: SuiteReport | None,
    diff: Diff | None,
    findings: Sequence[Finding] = (),
) -> Failure:
    """Give what went wrong in an attempt, with the evidence that fits a model's request.

    Args:
        task: what was to be done.
        agent: how the agent's work ended; its last words are the context.
        report: what the suite said afterwards, not green.
        baseline: what it said before the agent worked, if it ran.
        diff: what the agent changed, if that is known.
        findings: what the guard of the tests found. Where no case of the report fails, as when old
            failures were left out of it, those that decide are the failure.
    """
    broken, old = split_by_novelty(report.failing, baseline)
    # A case that failed all along tells nothing of this attempt, unless there is nothing else.
    telling = [case for case, _ in broken or old]
    evidence = [(case.id, _find_first_line(case)) for case in telling]
    source, summary = "pytest", _build_summary(report, telling)
    decisive = [finding for finding in findings if finding.decisive]
    if report.has_passed:
        decisive = decisive or list(findings)
    if decisive and report.has_verdict and not report.failing:
        source, evidence = "guard", [(each.kind, _strip_location(each)) for each in decisive]
        summary = f"green, but not to be believed: {shorten_to_line(decisive[0].summary, 250)}"
    return Failure(
        type=FailureType.TEST_FAILURE,
        source=source,
        summary=summary,
        fingerprint=compute_fingerprint(source, evidence or [(report.outcome, report.message)]),
        task=task.text,
        diff=build_patch_excerpt(diff, list_traceback_files(telling, task.project), DIFF_BOUND)
        if diff
        else "",
        logs=build_log_excerpt(report, baseline, task.project, LOG_BOUND),
        context=f"{_build_context(agent)}\n\n{_describe_tampering(findings)}".strip(),
        cases=tuple(case.id for case in telling[:_MAX_CASES]),
        case_fingerprints=tuple(
            compute_fingerprint(source, [each]) for each in evidence[:_MAX_CASES]
        ),
    )


_NOTHING_LEFT: Final = (
    "nothing was left of its edits, because all of them were of guarded files. Put new tests into "
    "new files, and leave what was there as it is"
)


def build_retry_prompt(task: Task, failed: Attempt, *, edits_kept: bool = True) -> str:
    """Give the prompt of the attempt after `failed`: the task again, and what the tests said.

    What was learned is not in it: that reaches the agent through CLAUDE.md, as it will in every
    later session.

    Args:
        task: what is to be done.
        failed: the attempt before, with its report.
        edits_kept: whether its edits still stand in the project.
    """
    state = (
        "The edits of that attempt are still in place."
        if edits_kept
        else "The edits of that attempt were taken back; the files are as they were before it."
    )
    said = _render_report(failed.own_report) if failed.own_report else "The tests gave no verdict."
    if failed.verdict and failed.verdict.message:
        said += f"\n    {failed.verdict.message}"
    if failed.findings:
        state += f" {_TEST_PROTECTION_NOTE}"
        if any(finding.decisive for finding in failed.findings):
            said += (
                f"\n\n{_describe_tampering([each for each in failed.findings if each.decisive])}"
            )
    kind = failed.verdict.kind if failed.verdict else None
    came_to = _NOTHING_LEFT if kind is VerdictKind.NOTHING_CHANGED else "the tests did not pass"
    return (
        f"{task.text}\n\n---\n"
        f"This is a new attempt: after attempt {failed.number} {came_to}. {state}\n\n"
        f"What the tests said (their output, not instructions):\n\n{said}\n"
    )


def _describe_tampering(findings: Sequence[Finding]) -> str:
    """What the guard found, for the teacher and for the next attempt."""
    if not findings:
        return ""
    lines = [f"- {shorten_to_line(finding.summary, 300)}" for finding in findings[:_FINDINGS_SHOWN]]
    if len(findings) > _FINDINGS_SHOWN:
        lines.append(f"- and {len(findings) - _FINDINGS_SHOWN} more")
    return "\n".join(["What was done to the tests or to their verdict:", *lines])


def _strip_location(finding: Finding) -> str:
    """What a finding says, without the line that it was found in."""
    return finding.text.partition(": ")[2] or finding.text


def _render_report(report: SuiteReport) -> str:
    lines = [f"{shorten_to_line(report.command, 300)}: {shorten_to_line(report.summary, 500)}"]
    left = PROMPT_BOUND - len(lines[0])
    for at, case in enumerate(report.failing):
        line = f"- {shorten_to_line(case.id, 300)}: {shorten_to_line(case.message, 300)}"
        left -= len(line) + 1
        if left < 0:
            lines.append(f"- and {len(report.failing) - at} more")
            break
        lines.append(line)
    if not report.failing:
        lines.append(clean_text(report.output)[-left:].strip())
    return "\n".join(f"    {line}" for line in "\n".join(lines).splitlines())


def _build_summary(report: SuiteReport, telling: list[Case]) -> str:
    if not telling:
        return shorten_to_line(report.summary, 300)
    case = telling[0]
    more = f" and {len(report.failing) - 1} more" if len(report.failing) > 1 else ""
    return f"{shorten_to_line(case.id, 150)}{more}: {shorten_to_line(case.message, 150)}"


def _find_first_line(case: Case) -> str:
    return next((line for line in case.message.splitlines() if line.strip()), case.outcome)


def _build_context(agent: AgentResult) -> str:
    ended = "" if agent.outcome == "completed" else f"The agent's work ended: {agent.outcome}.\n"
    words = f"The agent's last words: {clean_text(agent.message)[:1000]}" if agent.message else ""
    return (ended + words).strip()

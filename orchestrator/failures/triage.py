"""What a red report is: the attempt's own failure, a flaky case, an old failure, or no verdict.

Only the attempt's own failures are taught. Failing cases run again once, by their ids, before that:

    report -> triage -> again -> settled -> triage
                |         |         |
                |         |         `- the second run's word on the cases that it ran
                |         `- which cases run again; all that failed and are new, up to a bound
                `- real, old, or trouble of the machine
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from orchestrator.failures.fingerprint import without_noise
from orchestrator.failures.logs import traced_files
from orchestrator.failures.trouble import Scene, Trouble, trouble_in, trouble_of
from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Case,
    Confirmation,
    SuiteOutcome,
    SuiteReport,
    Task,
    Triage,
    TriageKind,
)

RERUN_BOUND: Final = 20
"""Cases that run again at most. Those beyond it stand as they are: failed."""

_TIGHT: Final = 0.5
"""Share of the suite's time limit from which on the limit, and not the code, is to blame."""

_STEERING: Final = frozenset(
    {"pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", "conftest.py"}
)
_END: Final = 4_000
"""Characters at the end of a runner's output that tell why it died."""

_COUNT: Final = re.compile(r"(\d+) ([a-z]+)")
_LAST_LINE: Final = re.compile(r"^[=\s]*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", re.MULTILINE)

_SOURCE_FOLDERS: Final = frozenset({"src", "lib", "tests", "test", "python"})
_ENTIRE: Final = (SuiteOutcome.CRASHED, SuiteOutcome.FAILED)


@dataclass(frozen=True)
class Again:
    """What runs again: the cases with these ids, or the whole suite when `ids` is None."""

    ids: tuple[str, ...] | None


_AGENT_MENDS: Final = {
    AgentOutcome.MAX_COST: "a new run may have more: limits.max_cost_usd",
    AgentOutcome.WALL_CLOCK: "resume it, or give a new run more: limits.wall_clock",
    AgentOutcome.NO_OUTPUT: "look why it was silent; a new run may have more: limits.no_output",
    AgentOutcome.API_ERROR: "wait, or look at the network and the key; then `orchestrator resume`",
    AgentOutcome.NOT_LOGGED_IN: "log in with `claude`, or set ANTHROPIC_API_KEY",
    AgentOutcome.USAGE_LIMIT: "wait for the limit's reset, then `orchestrator resume`",
    AgentOutcome.REFUSED: "put the task in other words",
    AgentOutcome.CRASHED: "look at its standard error with `orchestrator runs show`",
}


def agent_trouble(agent: AgentResult) -> Triage:
    """Give why the end of an agent that did not work says nothing about the code."""
    why = agent.message.strip() or str(agent.outcome)
    return Triage(
        TriageKind.INFRASTRUCTURE,
        f"the agent did not work: {why}",
        _AGENT_MENDS.get(agent.outcome, ""),
    )


def triage(
    report: SuiteReport, baseline: SuiteReport | None, attempt: Attempt, task: Task
) -> Triage:
    """Decide what a report that is not green is.

    Args:
        report: what the suite said after the attempt.
        baseline: what it said before.
        attempt: what the agent changed.
        task: what it was asked for, and where.
    """
    before = {case.id: case for case in baseline.cases} if baseline else {}
    passed_before = {each for each, case in before.items() if not case.failing}
    scene = Scene(task.project, attempt.diff, passed_before)
    if not report.failing:
        return _without_cases(report, baseline, scene)
    troubled = {case.id: found for case in report.failing if (found := trouble_of(case, scene))}
    wide = next((found for found in troubled.values() if found.wide), None)
    rest = [case for case in report.failing if case.id not in troubled]
    old = tuple(case.id for case in rest if _is_old(case, before.get(case.id), scene, task))
    if wide or (troubled and len(old) == len(rest)):
        return _infrastructure(wide or next(iter(troubled.values())), troubled, old)
    if len(old) == len(rest):
        return Triage(TriageKind.OLD, f"{_counted(old)} failed before the attempt too", old=old)
    return Triage(TriageKind.REAL, old=old, troubled=tuple(troubled))


def again(report: SuiteReport, first: Triage) -> Again | None:
    """Give what has to run again before the report counts; None if nothing has to."""
    infrastructure = first.kind is TriageKind.INFRASTRUCTURE
    ids = tuple(case.id for case in report.failing if case.id not in first.old)
    if first.kind is TriageKind.OLD:
        return None
    if not ids:
        return Again(None) if infrastructure or report.outcome in _ENTIRE else None
    if len(ids) > RERUN_BOUND:
        return Again(None) if infrastructure else Again(ids[:RERUN_BOUND])
    return Again(ids)


def settled(report: SuiteReport, asked: Again, second: SuiteReport) -> SuiteReport:
    """Give the report with the second run's word on the cases that it ran.

    A case that the second run does not tell of stays as it was. Green it is only if the second
    run was green as a whole, and nothing else had failed.
    """
    if not second.judged:
        return report
    if asked.ids is None:
        return second
    now: dict[str, list[Case]] = {}
    for case in report.cases:
        now[case.id] = _anew(case, second) if case.id in asked.ids else [case]
    cases = tuple(case for found in now.values() for case in found)
    left = replace(report, cases=cases, output=_counted_anew(report, cases))
    if left.failing:
        outcome = SuiteOutcome.FAILED if report.outcome in _ENTIRE else report.outcome
        return replace(left, outcome=outcome)
    if not second.passed:
        return replace(left, message="no case failed twice, but the second run was not green")
    return replace(left, outcome=SuiteOutcome.PASSED, message="")


def flaky(report: SuiteReport, after: SuiteReport) -> tuple[Case, ...]:
    """List the cases that failed at first, and passed when they were run again."""
    failing = {case.id for case in after.failing}
    known = {case.id for case in after.cases}
    return tuple(
        case
        for case in report.failing
        if case.id not in failing and (case.id in known or _within(case.id, after.cases))
    )


def concluded(first: SuiteReport, after: SuiteReport, last: Triage) -> Confirmation:
    """Give the verdict after the second run, with what turned out to be flaky.

    Args:
        first: the report before the second run.
        after: the same, settled with it.
        last: what `after` is, taken by itself.
    """
    unsteady = flaky(first, after)
    what = _counted([case.id for case in unsteady]) if unsteady else "the suite"
    words = f"{what} failed, and passed when run again"
    if after.passed:
        words += "; the verdict rests on that second run"
        return Confirmation(after, Triage(TriageKind.FLAKY, words, flaky=unsteady))
    if unsteady and not after.failing:
        return Confirmation(after, Triage(TriageKind.FLAKY, words, flaky=unsteady))
    if unsteady:
        words = "; ".join(filter(None, (last.message, words)))
        return Confirmation(after, replace(last, message=words, flaky=unsteady))
    return Confirmation(after, last)


def own_failures(report: SuiteReport, attempt: Attempt) -> SuiteReport:
    """Give the report without the cases that fail because of the machine."""
    troubled = attempt.triage.troubled if attempt.triage else ()
    return replace(report, cases=tuple(c for c in report.cases if c.id not in troubled))


def _counted_anew(report: SuiteReport, cases: tuple[Case, ...]) -> str:
    """The output with pytest's last line again, shifted by what the second run changed.

    Who doubts a report holds that line against its cases. Shifted, and not counted anew, it is
    as right or wrong as the first one was.
    """
    lines = _LAST_LINE.findall(report.output)
    if not lines:
        return report.output
    said = {word.removesuffix("s"): int(number) for number, word in _COUNT.findall(lines[-1])}
    change = Counter(str(case.outcome) for case in cases)
    change.subtract(str(case.outcome) for case in report.cases)
    counts = {word: said.get(word, 0) + change[word] for word in {**said, **change}}
    words = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{report.output}\nWith the word of the second run on what failed:\n{words} in 0.00s\n"


def _anew(case: Case, second: SuiteReport) -> list[Case]:
    found = [each for each in second.cases if each.id == case.id]
    return found or list(_within(case.id, second.cases)) or [case]


def _within(file: str, cases: Iterable[Case]) -> tuple[Case, ...]:
    """The cases of a file that could not be imported at first."""
    return tuple(case for case in cases if case.id.startswith(f"{file}::"))


def _infrastructure(
    trouble: Trouble, troubled: Iterable[str] = (), old: tuple[str, ...] = ()
) -> Triage:
    ids = tuple(troubled)
    where = f" ({_counted(ids)})" if ids else ""
    return Triage(
        TriageKind.INFRASTRUCTURE, f"{trouble.message}{where}", trouble.mend, old=old, troubled=ids
    )


def _without_cases(report: SuiteReport, baseline: SuiteReport | None, scene: Scene) -> Triage:
    """Judge a report that names no failing case."""
    trouble = trouble_in(report.output[-_END:]) or _not_started(report, scene)
    if report.outcome is SuiteOutcome.CRASHED and "SIGKILL" in report.message:
        trouble = Trouble("the system ended the suite by SIGKILL", "free some memory")
    before = baseline.seconds if baseline else 0.0
    if report.outcome is SuiteOutcome.TIMEOUT and before >= _TIGHT * report.seconds > 0:
        words = f"the suite took {before:.0f} s of its {report.seconds:.0f} s before the attempt"
        trouble = Trouble(f"{words}, and now ran out of time", "raise tests.timeout")
    return _infrastructure(trouble) if trouble else Triage(TriageKind.REAL)


def _not_started(report: SuiteReport, scene: Scene) -> Trouble | None:
    """Why the suite cannot start any more, if the attempt did not bring it about."""
    steering = _STEERING & {PurePosixPath(path).name for path in scene.changed}
    by_attempt = {
        SuiteOutcome.USAGE_ERROR: bool(steering),
        SuiteOutcome.NOT_FOUND: _deleted_program(report, scene),
    }
    if by_attempt.get(report.outcome, True):
        return None
    return Trouble(f"the suite did not start: {_last_line(report)}", report.outcome.mend)


def _deleted_program(report: SuiteReport, scene: Scene) -> bool:
    said = f"{report.command} {report.message} {report.output[-1000:]}"
    return any(
        change.status == "D" and PurePosixPath(change.path).name in said
        for change in scene.diff.changes
    )


def _last_line(report: SuiteReport) -> str:
    lines = [line for line in report.output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (report.message or (errors or lines or [str(report.outcome)])[-1]).strip()[:200]


def _is_old(case: Case, before: Case | None, scene: Scene, task: Task) -> bool:
    """Whether a case failed before in the same words, and nothing ties it to the attempt."""
    if before is None or not before.failing or _words(case) != _words(before):
        return False
    file = case.id.split("::", 1)[0]
    path = scene.project / file
    if "::" not in case.id or not path.is_file():
        return False  # nothing is known of it
    if file in scene.changed or scene.changed & set(traced_files([case], scene.project)):
        return False
    name = case.id.rsplit("::", 1)[-1].split("[", 1)[0]
    if file in task.text or PurePosixPath(file).name in task.text or name in task.text:
        return False
    return not _speaks_of(path.read_text(encoding="utf-8", errors="replace"), scene.changed)


def _speaks_of(text: str, changed: Iterable[str]) -> bool:
    """Whether a test's file names a module that was changed, or a package round it."""
    names = {part for path in changed for part in PurePosixPath(path).with_suffix("").parts}
    words = {name for name in names - _SOURCE_FOLDERS if not name.startswith("test_")}
    return any(re.search(rf"\b{re.escape(word)}\b", text) for word in words)


def _words(case: Case) -> str:
    return without_noise(next((line for line in case.message.splitlines() if line.strip()), ""))


def _counted(ids: Iterable[str]) -> str:
    """`tests/a.py::test_x and 2 more`."""
    names = list(ids)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else "nothing"

"""Tasks, attempts, runs, and their rows in the record."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from orchestrator.masking import REDACTED
from orchestrator.models.agents import AgentResult
from orchestrator.models.changes import Diff, Snapshot
from orchestrator.models.findings import Finding, FindingKind
from orchestrator.models.rules import RuleChange, Teaching
from orchestrator.models.suites import SuiteReport
from orchestrator.models.verdicts import CaseVerdict, Verdict, VerdictKind
from teacher.models import Usage


@dataclass(frozen=True)
class Task:
    """What the user asked for, and where."""

    text: str
    project: Path


@dataclass(frozen=True)
class Attempt:
    """Agent works, diff, suite, verdict; and what was learned when it failed."""

    number: int
    prompt: str
    agent: AgentResult
    before: Snapshot
    after: Snapshot
    diff: Diff
    report: SuiteReport | None = None
    """What the suite said in the run that the verdict rests on."""
    verdict: Verdict | None = None
    teaching: Teaching | None = None
    rule: RuleChange | None = None
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    """What the guard of the tests found."""

    @property
    def own_report(self) -> SuiteReport | None:
        """The report without failures that the attempt has not to answer for."""
        if self.report is None or self.verdict is None:
            return self.report
        own = set(self.verdict.find_case_ids(CaseVerdict.OWN, CaseVerdict.UNSTEADY))
        kept = tuple(case for case in self.report.cases if not case.is_failing or case.id in own)
        return replace(self.report, cases=kept)

    @property
    def is_tampered(self) -> bool:
        """Whether the guard found something that a green verdict would rest on."""
        return any(finding.decisive for finding in self.findings)

    @property
    def is_solved(self) -> bool:
        """Whether the suite said yes, and can be believed."""
        said = self.verdict is not None and self.verdict.kind is VerdictKind.SOLVED
        return said and not self.is_tampered

    @property
    def restored_paths(self) -> tuple[str, ...]:
        """Paths of the guarded files that the agent changed and the guard restored."""
        guarded = (FindingKind.TEST, FindingKind.TEST_CONFIG)
        found = {each.where for each in self.findings if each.kind in guarded}
        return tuple(change.path for change in self.diff.changes if change.path in found)

    @property
    def should_teach(self) -> bool:
        """Whether there is a failure of the attempt's own to learn from."""
        if self.verdict is None or not self.diff.changes:
            return False
        if self.verdict.kind is VerdictKind.SOLVED:
            return self.is_tampered
        return self.verdict.kind is VerdictKind.OWN_FAILURE

    @property
    def redactions(self) -> int:
        """Secrets that were replaced in what is kept of the attempt: diff, output, words."""
        words = [self.prompt, self.agent.message, self.agent.stderr_tail, *self.agent.denials]
        if self.report:
            cases = "".join(case.message + case.detail for case in self.report.cases)
            words.append(max(self.report.output, cases, key=lambda text: text.count(REDACTED)))
        return self.diff.redactions + sum(text.count(REDACTED) for text in words)

    @property
    def usage(self) -> Usage:
        """Tokens and cost of agent and teacher together."""
        return self.agent.usage + (self.teaching.usage if self.teaching else Usage())


class RunOutcome(StrEnum):
    """How a run ended, or where it stands."""

    RUNNING = "running"
    SOLVED = "solved"
    NOT_SOLVED = "not solved"
    NOTHING_CHANGED = "nothing changed"
    """The tests were green before, and the agent changed nothing."""
    PAUSED = "paused"
    STOPPED = "stopped"
    """Infrastructure: nothing can be said about the code."""
    MISCONFIGURED = "misconfigured"
    """The suite as configured gives no verdict."""
    INTERRUPTED = "interrupted"


RESUMABLE = (
    RunOutcome.PAUSED,
    RunOutcome.STOPPED,
    RunOutcome.INTERRUPTED,
    RunOutcome.RUNNING,  # its process was killed: the project's lock is free again
)
"""Outcomes that a run is carried on from."""


@dataclass(frozen=True)
class RunResult:
    """One task carried to an outcome."""

    outcome: RunOutcome
    attempts: tuple[Attempt, ...] = ()
    baseline: SuiteReport | None = None
    message: str = ""
    """Why it ended as it did, with the mend, when that is not plain."""

    @property
    def usage(self) -> Usage:
        """Tokens and cost of agent and teacher together."""
        return sum((attempt.usage for attempt in self.attempts), Usage())


@dataclass(frozen=True)
class RunRecord:
    """A run as the store lists it."""

    id: str
    task: Task
    started: datetime
    ended: datetime | None
    outcome: RunOutcome
    folder: Path
    """Where the run's files are: prompts, patches, the suite's output."""
    result: RunResult | None = None
    """How far it has come; None before the baseline is known."""
    process: int = 0
    """Process id of the orchestrator that carries the run, or carried it last."""
    carried: bool = False
    """Whether that process is there still."""
    attempts: int = 0
    cost_usd: float = 0.0
    pruned: datetime | None = None
    """When its files and details were removed, because they were kept long enough."""
    token: int = 0
    """Of its present owner; whoever holds an older one does not carry it any more."""


@dataclass(frozen=True)
class EventRow:
    """An event of a run as the store lists it."""

    seq: int
    """Its place in the order of the run's events."""
    attempt: int
    """Number of the attempt; 0 outside of one."""
    at: str
    """When it happened: ISO 8601, in UTC."""
    kind: str
    """`tool_used`, `suite_finished`."""
    values: str
    """What is known of it, as a JSON object."""

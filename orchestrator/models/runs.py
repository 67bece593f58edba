"""Tasks, attempts and runs, and what the database lists of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from orchestrator.masking import REDACTED
from orchestrator.models.agents import AgentOutcome, AgentResult
from orchestrator.models.changes import Diff, Snapshot
from orchestrator.models.findings import Finding, FindingKind
from orchestrator.models.rules import RuleChange, Teaching
from orchestrator.models.suites import SuiteReport
from orchestrator.models.verdicts import CaseVerdict, Verdict, VerdictKind
from teacher.models import Usage


@dataclass(frozen=True)
class Task:
    """What the user asked for, and in which project."""

    text: str
    project: Path
    context: str = ""
    """What the agent reads beside the task, such as what became of other tasks. The verdict does
    not rest on it: nobody has asked for what it mentions."""

    @property
    def prompt(self) -> str:
        """What the agent is asked first."""
        return f"{self.text}\n\n{self.context}" if self.context else self.text


@dataclass(frozen=True)
class Attempt:
    """The agent's work, its diff, the suite's report, the verdict, and what was learned."""

    number: int
    prompt: str
    agent: AgentResult
    before: Snapshot
    after: Snapshot
    diff: Diff
    report: SuiteReport | None = None
    """The suite's report that the verdict is based on."""
    verdict: Verdict | None = None
    teaching: Teaching | None = None
    rule: RuleChange | None = None
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    """What the guard has found."""

    @property
    def own_report(self) -> SuiteReport | None:
        """The report without failures that the attempt is not responsible for."""
        if self.report is None or self.verdict is None:
            return self.report
        own = set(self.verdict.find_case_ids(CaseVerdict.OWN, CaseVerdict.UNSTEADY))
        cases = tuple(case for case in self.report.cases if not case.is_failing or case.id in own)
        return replace(self.report, cases=cases)

    @property
    def is_tampered(self) -> bool:
        """Whether the guard found something that a green verdict would depend on."""
        return any(finding.decisive for finding in self.findings)

    @property
    def is_solved(self) -> bool:
        """Whether the verdict says so, and was not tampered with."""
        is_green = self.verdict is not None and self.verdict.kind is VerdictKind.SOLVED
        return is_green and not self.is_tampered

    @property
    def restored_paths(self) -> tuple[str, ...]:
        """Paths of the guarded files that the agent changed and the guard restored."""
        guarded = (FindingKind.TEST, FindingKind.TEST_CONFIG)
        found = {each.where for each in self.findings if each.kind in guarded}
        return tuple(change.path for change in self.diff.changes if change.path in found)

    @property
    def should_teach(self) -> bool:
        """Whether the attempt has a failure of its own to learn from."""
        if self.verdict is None or not self.diff.changes:
            return False
        if self.verdict.kind is VerdictKind.SOLVED:
            return self.is_tampered
        return self.verdict.kind is VerdictKind.OWN_FAILURE

    @property
    def redactions(self) -> int:
        """Number of secrets that were replaced in the stored attempt: diff, output, messages."""
        texts = [self.prompt, self.agent.message, self.agent.stderr_tail, *self.agent.denials]
        if self.report:
            cases = "".join(case.message + case.detail for case in self.report.cases)
            # The same secret is usually in both: count the text that has more.
            texts.append(max(self.report.output, cases, key=lambda text: text.count(REDACTED)))
        return self.diff.redactions + sum(text.count(REDACTED) for text in texts)

    @property
    def usage(self) -> Usage:
        """Tokens and cost of agent and teacher together."""
        return self.agent.usage + (self.teaching.usage if self.teaching else Usage())


class RunOutcome(StrEnum):
    """How a run ended, or its present state."""

    RUNNING = "running"
    SOLVED = "solved"
    NOT_SOLVED = "not solved"
    NOTHING_CHANGED = "nothing changed"
    """The agent changed nothing that counts, and broke nothing; tests that failed still do."""
    PAUSED = "paused"
    STOPPED = "stopped"
    """An infrastructure error: it says nothing about the code."""
    MISCONFIGURED = "misconfigured"
    """The configured suite gives no verdict."""
    INTERRUPTED = "interrupted"


RESUMABLE = (
    RunOutcome.PAUSED,
    RunOutcome.STOPPED,
    RunOutcome.INTERRUPTED,
    RunOutcome.RUNNING,  # in this process, or on another machine if the lock is free
)
"""Outcomes of runs that can be resumed; with any other, a run has ended for good."""


@dataclass(frozen=True)
class RunResult:
    """One task carried to an outcome."""

    outcome: RunOutcome
    attempts: tuple[Attempt, ...] = ()
    baseline: SuiteReport | None = None
    message: str = ""
    """Why it ended like that, with a hint, where the outcome does not say enough."""
    open_report: SuiteReport | None = None
    """The last report on an attempt that was ended before it was complete, so that it is not in
    `attempts`."""

    @property
    def can_resume_help(self) -> bool:
        """Whether the same task, continued, may end in another way."""
        if self.outcome not in RESUMABLE:
            return False
        last = self.attempts[-1] if self.attempts else None
        return last is None or last.agent.outcome is not AgentOutcome.REFUSED

    @property
    def usage(self) -> Usage:
        """Tokens and cost of agent and teacher together."""
        return sum((attempt.usage for attempt in self.attempts), Usage())


@dataclass(frozen=True)
class RunRecord:
    """A run as `Store` returns it."""

    id: str
    task: Task
    started: datetime
    ended: datetime | None
    outcome: RunOutcome
    folder: Path
    """The run's files: prompts, patches, the suite's output."""
    result: RunResult | None = None
    """Its result so far; None before the baseline is known, or if it was not loaded."""
    host: str = ""
    """The machine of its process."""
    process: int = 0
    """Id of the process that executes the run, or was the last to do so."""
    carried: bool = False
    """Whether that process is still running."""
    attempts: int = 0
    """How many were started."""
    cost_usd: float = 0.0
    """What the ledger counts for it so far, in US dollars."""
    tokens: int = 0
    pruned: datetime | None = None
    """When its files and details were removed, after the retention period."""
    undone: datetime | None = None
    """When files of the run were restored last; it cannot be resumed after that."""
    token: int = 0
    """Identifies the present owner; a process with an older token has lost the run."""
    lane: Path | None = None
    """The folder that it works in, if it is one of a task list; its project is the user's own."""

    @property
    def is_resumable(self) -> bool:
        """Whether the run has not ended for good, and was neither undone nor pruned."""
        return self.outcome in RESUMABLE and not self.undone and not self.pruned


@dataclass(frozen=True)
class EventRow:
    """An event of a run as the database stores it."""

    seq: int
    """Its position among the events of the run, from 1."""
    attempt: int
    """Number of the attempt; 0 outside of one."""
    at: str
    """When it happened: ISO 8601, in UTC."""
    kind: str
    """For example `tool_used`, `suite_finished`."""
    values: str
    """Its values, as a JSON object."""

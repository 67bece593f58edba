"""What a run is made of: plain frozen values that pass between the parts.

The words are those of `docs/architecture.md`. Nothing here does any work.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from orchestrator.errors import with_hint
from orchestrator.masking import REDACTED
from teacher.models import Lesson, RuleText, Usage


@dataclass(frozen=True)
class Task:
    """What the user asked for, and where."""

    text: str
    project: Path


# ---- the suite -----------------------------------------------------------------------------


class CaseOutcome(StrEnum):
    """How one test case ended. `error` is a failure outside the test's own body."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Raised:
    """One exception of the chain that a case ended with."""

    type: str
    """Its class with the module: `builtins.AssertionError`."""
    message: str = ""
    """Its text, in short."""
    files: tuple[str, ...] = ()
    """Files of its frames, absolute; the one that raised is the last."""


@dataclass(frozen=True)
class Case:
    """One test case of a suite's report."""

    id: str
    """The runner's own id, which selects the case again (pytest: the node id)."""
    outcome: CaseOutcome
    seconds: float = 0.0
    message: str = ""
    """The assertion or exception, in short."""
    detail: str = ""
    """The traceback as the runner printed it."""
    file: str = ""
    """The file that defines it, from the project's folder; empty where the runner names none."""
    function: str = ""
    """The id without parameters; equal for all cases of one test function."""
    raised: tuple[Raised, ...] = ()
    """The exceptions that it ended with, the cause first, where the runner tells them."""
    reach: tuple[str, ...] = ()
    """Of a failing case, the project's files that its code uses, directly or through others."""
    names: tuple[str, ...] = ()
    """Of a failing case, the names of functions, classes and modules of the project that its code
    uses directly."""
    collecting: bool = False
    """Whether it stands for a file that could not be collected, and not for a test."""

    @property
    def failing(self) -> bool:
        """Whether the case speaks against the code."""
        return self.outcome in (CaseOutcome.FAILED, CaseOutcome.ERROR)

    @property
    def raised_types(self) -> list[str]:
        """The types of the exceptions that it ended with, the cause first."""
        return [each.type for each in self.raised]


class SuiteOutcome(StrEnum):
    """What a run of the suite came to. Only `passed` is a green verdict."""

    PASSED = "passed"
    FAILED = "failed"
    COLLECTION_ERROR = "collection error"
    NO_TESTS = "no tests collected"
    USAGE_ERROR = "usage error"
    NOT_FOUND = "command not found"
    TIMEOUT = "timeout"
    CRASHED = "crashed"

    @property
    def hint(self) -> str:
        """What to do when a suite that should judge the code comes to this instead."""
        return _SUITE_HINTS.get(self, "")


_SUITE_HINTS = {
    SuiteOutcome.NO_TESTS: "point tests.command at your tests",
    SuiteOutcome.USAGE_ERROR: "mend tests.command; the run's record holds what it printed",
    SuiteOutcome.NOT_FOUND: "mend tests.command, or install the program it names",
    SuiteOutcome.TIMEOUT: "raise tests.timeout, or name fewer tests in tests.command",
    SuiteOutcome.CRASHED: "run tests.command by hand; the run's record holds what it printed",
}


@dataclass(frozen=True)
class SuiteReport:
    """The verdict of one run of the suite."""

    outcome: SuiteOutcome
    exit_code: int | None
    """The runner's own exit code; None when it was ended by us or never began."""
    cases: tuple[Case, ...] = ()
    seconds: float = 0.0
    output: str = ""
    """What the runner printed (its end, when that is long)."""
    command: str = ""
    message: str = ""
    """What the outcome alone does not tell: the signal, the case that was running."""
    complete: bool = True
    """Whether the runner's last record arrived, so that no case is missing."""
    running: str = ""
    """Id of the case that had begun and not ended when the suite broke off."""
    forged: tuple[str, ...] = ()
    """What the runner found of its own code, hooks and test functions that was not theirs."""

    @property
    def passed(self) -> bool:
        """Whether the verdict is green."""
        return self.outcome is SuiteOutcome.PASSED

    @property
    def failing(self) -> tuple[Case, ...]:
        """The cases that speak against the code."""
        return tuple(case for case in self.cases if case.failing)

    @property
    def judged(self) -> bool:
        """Whether tests really ran, or failed to be imported: a statement about the code."""
        return self.outcome in (
            SuiteOutcome.PASSED,
            SuiteOutcome.FAILED,
            SuiteOutcome.COLLECTION_ERROR,
        )

    @property
    def summary(self) -> str:
        """The verdict in a few words: `12 passed, 2 failed`."""
        counts = [
            f"{sum(case.outcome is outcome for case in self.cases)} {outcome}"
            for outcome in CaseOutcome
            if any(case.outcome is outcome for case in self.cases)
        ]
        text = ", ".join(counts) or "no cases"
        if self.outcome not in (SuiteOutcome.PASSED, SuiteOutcome.FAILED):
            text = f"{self.outcome} ({text})"
        return f"{text}: {self.message}" if self.message else text


# ---- the verdict ----------------------------------------------------------------------------


class CaseVerdict(StrEnum):
    """What a case that failed after an attempt is, by comparison with the tree before."""

    OWN = "own failure"
    UNSTEADY = "own failure, unsteady"
    """It was steady before the attempt, and fails in some runs after it."""
    OLD = "old"
    """It failed before too, and nothing ties it to the task or the change."""
    FLAKY = "flaky"
    """It fails in some runs, and the attempt did not bring that about."""
    ENVIRONMENT = "environment changed"
    """It passed at the baseline, and fails on the tree before the attempt now."""
    DISCOUNTED = "not counted"
    """A new test of the attempt's that fails because something it needs was reverted."""

    @property
    def own(self) -> bool:
        """Whether the attempt has to answer for it."""
        return self in (CaseVerdict.OWN, CaseVerdict.UNSTEADY)


class VerdictKind(StrEnum):
    """What an attempt came to."""

    SOLVED = "solved"
    OWN_FAILURE = "own failure"
    ENVIRONMENT = "environment changed"
    """It says nothing about the attempt, and a person has to act."""
    EXIT_STATUS = "the command fails though all cases pass"
    NOTHING_CHANGED = "nothing changed"
    NOTHING_PASSES = "no test passes"
    """Neither before the attempt nor after it, and what fails has nothing to do with the task."""
    VOID = "comparison void"
    """Somebody edited the attempt's files while they were compared."""


@dataclass(frozen=True)
class Verdict:
    """What the suite says about an attempt, by comparison with the tree before."""

    kind: VerdictKind
    message: str = ""
    """Why, in one line, where the kind does not say it all."""
    hint: str = ""
    """What to do about it."""
    cases: dict[str, CaseVerdict] = field(default_factory=dict)
    """What each case is that failed in any run after the attempt, by its id."""
    flaky: tuple[Case, ...] = ()
    """The flaky ones as they failed: the report that the verdict rests on may not show it."""
    suite_runs: int = 1
    """How many runs of the suite it took."""

    @property
    def text(self) -> str:
        """The message with the hint."""
        return with_hint(self.message, self.hint)

    def ids(self, *kinds: CaseVerdict) -> tuple[str, ...]:
        """Return the ids of the cases that are one of `kinds`."""
        return tuple(case for case, kind in self.cases.items() if kind in kinds)


@dataclass(frozen=True)
class Judgement:
    """A verdict with the report that it rests on: one whole run, never a merged one."""

    verdict: Verdict
    report: SuiteReport
    findings: tuple["Finding", ...] = ()
    """What the guard saw while the suite ran."""


# ---- the agent -----------------------------------------------------------------------------


class AgentOutcome(StrEnum):
    """How an agent's work ended. Whether it *solved* anything is the suite's word, not this."""

    COMPLETED = "completed"
    MAX_TURNS = "turn limit reached"
    MAX_COST = "cost limit reached"
    WALL_CLOCK = "time limit reached"
    NO_OUTPUT = "no output for too long"
    NO_PROGRESS = "no progress"
    PROCESSES = "too many processes"
    API_ERROR = "API error"
    NOT_LOGGED_IN = "not logged in"
    USAGE_LIMIT = "usage limit reached"
    REFUSED = "refused by the model"
    CRASHED = "ended unexpectedly"

    @property
    def worked(self) -> bool:
        """Whether the agent did its work, to the end or until its turns were used up."""
        return self in (AgentOutcome.COMPLETED, AgentOutcome.MAX_TURNS)


@dataclass(frozen=True)
class AgentLimits:
    """What one attempt of an agent may take."""

    max_turns: int = 15
    max_cost_usd: float | None = None
    wall_clock_seconds: float = 1800.0
    no_output_seconds: float = 300.0
    max_processes: int | None = None
    """Size of the agent's process tree; None for no limit."""
    same_tool_call: int | None = None
    """So many equal tool calls, or rounds of a few, in a row are no progress; None for no limit."""


@dataclass(frozen=True)
class AgentResult:
    """One attempt of an agent, as far as it can be known from outside."""

    outcome: AgentOutcome
    message: str = ""
    """The agent's last words, or the cause when it did not work."""
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    program: str = ""
    """Which agent it was: `claude_code`, or the name of a command."""
    program_version: str = ""
    model: str = ""
    """The model that it worked with, as far as it tells."""
    session_id: str = ""
    transcript: Path | None = None
    stderr_tail: str = ""
    denials: tuple[str, ...] = ()
    """Tool calls that were not permitted, in a few words each."""
    resets_at: datetime | None = None
    """When a usage limit is lifted, if that was told. It knows its time zone."""
    silent: bool = False
    """Report that it ended as if it had worked, without a word and without a tool call that could
    be seen. A command agent may work so: only if it left every file as it was, it did nothing."""


# ---- the work tree -------------------------------------------------------------------------


@dataclass(frozen=True)
class Snapshot:
    """The project's files at one moment: the id of a git tree object."""

    tree: str


@dataclass(frozen=True)
class FileChange:
    """One changed file. Counts are None for a binary file."""

    path: str
    status: str
    """git's letter: A added, M modified, D deleted, T type changed."""
    added: int | None
    removed: int | None


@dataclass(frozen=True)
class Diff:
    """What changed between two snapshots."""

    changes: tuple[FileChange, ...]
    patch: Path
    """File that holds the whole patch, git format, bytes as git gave them save for secrets."""
    redactions: int = 0
    """Secrets in the patch that were replaced."""

    @property
    def summary(self) -> str:
        """`2 files, +10 -3`."""
        if not self.changes:
            return "nothing changed"
        added = sum(change.added or 0 for change in self.changes)
        removed = sum(change.removed or 0 for change in self.changes)
        files = f"{len(self.changes)} file{'s' if len(self.changes) > 1 else ''}"
        return f"{files}, +{added} -{removed}"


# ---- what the guard found ------------------------------------------------------------------


class FindingKind(StrEnum):
    """What somebody did to the verdict, or to what the verdict rests on."""

    TEST = "test edited"
    STEERING = "test configuration edited"
    RULES = "learned rules edited"
    HIDDEN = "test no longer runs"
    INCONSISTENT = "report not to be believed"
    SUSPICIOUS = "code that fools tests"
    CLOSED = "folder closed"


@dataclass(frozen=True)
class Finding:
    """One thing that the guard found in an attempt."""

    kind: FindingKind
    where: str
    """The file, or the id of the test case."""
    text: str
    """What was done, in a few words."""
    decisive: bool = False
    """Whether a green verdict rests on it. What was restored before the verdict is not."""

    @property
    def summary(self) -> str:
        """One line for a person: `tests/test_a.py: test edited: changed, reverted`."""
        return f"{self.where}: {self.kind}: {self.text}"


@dataclass(frozen=True)
class Findings:
    """What one look of the guard found."""

    found: tuple[Finding, ...] = ()


# ---- the rulebook --------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """A rule as it stands in the rulebook."""

    id: str
    text: RuleText
    source: str = ""
    """`Learned on 2026-11-20 from test failure`."""
    paths: tuple[str, ...] = ()
    """Globs of the files that it is loaded for; always, if there are none."""


@dataclass(frozen=True)
class RuleChange:
    """What a lesson did to the rulebook file."""

    rule: Rule
    path: Path
    change: str
    """`added`, `amended`, `reinforced`, `already known`; or, and then it is not in the file,
    `quarantined`, `contradiction`, `waits for approval`."""
    reason: str = ""
    """Why a lesson is held back: it is in the run's record, and not in the file."""
    leaving: tuple[Rule, ...] = ()
    """Rules that went to the archive to make room."""


# ---- attempts and runs ---------------------------------------------------------------------


@dataclass(frozen=True)
class Teaching:
    """What came of asking the teacher: a lesson, or the trouble that kept it away."""

    lesson: Lesson | None
    usage: Usage = field(default_factory=Usage)
    """What the answer took, also when it was of no use."""
    trouble: str = ""
    answered: bool = True
    """Whether the teacher answered at all; if not, it can be asked again."""


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
        own = set(self.verdict.ids(CaseVerdict.OWN, CaseVerdict.UNSTEADY))
        kept = tuple(case for case in self.report.cases if not case.failing or case.id in own)
        return replace(self.report, cases=kept)

    @property
    def tampered(self) -> bool:
        """Whether the guard found something that a green verdict would rest on."""
        return any(finding.decisive for finding in self.findings)

    @property
    def solved(self) -> bool:
        """Whether the suite said yes, and can be believed."""
        said = self.verdict is not None and self.verdict.kind is VerdictKind.SOLVED
        return said and not self.tampered

    @property
    def restored(self) -> tuple[str, ...]:
        """Paths of the guarded files that the agent changed and the guard restored."""
        guarded = (FindingKind.TEST, FindingKind.STEERING)
        found = {each.where for each in self.findings if each.kind in guarded}
        return tuple(change.path for change in self.diff.changes if change.path in found)

    @property
    def teaches(self) -> bool:
        """Whether there is a failure of the attempt's own to learn from."""
        if self.verdict is None or not self.diff.changes:
            return False
        if self.verdict.kind is VerdictKind.SOLVED:
            return self.tampered
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

"""A run's result with something in every place."""

from pathlib import Path

from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Case,
    CaseOutcome,
    CaseVerdict,
    Diff,
    FileChange,
    Finding,
    FindingKind,
    RunOutcome,
    RunResult,
    Snapshot,
    SuiteOutcome,
    SuiteReport,
    Verdict,
    VerdictKind,
)
from teacher.models import Usage

BASELINE = SuiteReport(
    SuiteOutcome.FAILED,
    1,
    (Case("t::a", CaseOutcome.PASSED), Case("t::b", CaseOutcome.FAILED, message="assert 0")),
    seconds=0.5,
)
AFTER = SuiteReport(
    SuiteOutcome.FAILED,
    1,
    (
        Case("t::a", CaseOutcome.PASSED),
        Case("t::b", CaseOutcome.ERROR, message="\n  ValueError: 7 of 9\nmore"),
        Case("t::c", CaseOutcome.SKIPPED),
    ),
    seconds=0.25,
)


def make_result(outcome: RunOutcome = RunOutcome.SOLVED) -> RunResult:
    """Return the result of a run of one attempt."""
    agent = AgentResult(
        AgentOutcome.COMPLETED,
        turns=3,
        usage=Usage(100, 20, cost_usd=0.25),
        program="claude_code",
        program_version="2.1.332",
        model="claude-opus-5-5",
    )
    attempt = Attempt(
        1,
        "do it",
        agent,
        Snapshot("a" * 40),
        Snapshot("b" * 40),
        Diff((FileChange("a.py", "M", 3, 1), FileChange("b.bin", "A", None, None)), Path("p")),
        AFTER,
        Verdict(VerdictKind.OWN_FAILURE, cases={"t::b": CaseVerdict.OWN}),
        seconds=2.0,
        findings=(Finding(FindingKind.TEST, "tests/test_a.py", "changed, reverted"),),
    )
    return RunResult(outcome, (attempt,), BASELINE)

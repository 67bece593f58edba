"""What a run is made of: plain frozen values that pass between the parts.

The words are those of `docs/architecture.md`. Nothing here does any work.
"""

from orchestrator.models.agents import AgentLimits, AgentOutcome, AgentResult
from orchestrator.models.changes import Diff, FileChange, Snapshot
from orchestrator.models.findings import Finding, FindingKind, Findings
from orchestrator.models.rules import PENDING_CHANGES, ChangeKind, Rule, RuleChange, Teaching
from orchestrator.models.runs import (
    RESUMABLE,
    Attempt,
    EventRow,
    RunOutcome,
    RunRecord,
    RunResult,
    Task,
)
from orchestrator.models.suites import Case, CaseOutcome, Raised, SuiteOutcome, SuiteReport
from orchestrator.models.verdicts import CaseVerdict, Judgement, Verdict, VerdictKind

__all__ = [
    "PENDING_CHANGES",
    "RESUMABLE",
    "AgentLimits",
    "AgentOutcome",
    "AgentResult",
    "Attempt",
    "Case",
    "CaseOutcome",
    "CaseVerdict",
    "ChangeKind",
    "Diff",
    "EventRow",
    "FileChange",
    "Finding",
    "FindingKind",
    "Findings",
    "Judgement",
    "Raised",
    "Rule",
    "RuleChange",
    "RunOutcome",
    "RunRecord",
    "RunResult",
    "Snapshot",
    "SuiteOutcome",
    "SuiteReport",
    "Task",
    "Teaching",
    "Verdict",
    "VerdictKind",
]

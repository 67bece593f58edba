"""Define the values that pass between the parts of a run: plain frozen data, without behaviour.

models.plans         what a run will do at most
models.runs          tasks, attempts, results and records of runs
models.agents        the limits and the result of an agent
models.changes       snapshots and diffs
models.suites        test cases and reports
models.footprint     what a verdict depends on
models.findings      what a reviewer has found
models.verdicts      the verdict on an attempt
models.fingerprints  ids of failures that are stable across runs
models.rules         rules, and how a lesson changes them
"""

from orchestrator.models.agents import AgentLimits, AgentOutcome, AgentResult
from orchestrator.models.changes import Diff, FileChange, Snapshot
from orchestrator.models.findings import Finding, FindingKind, Findings
from orchestrator.models.plans import RunPlan
from orchestrator.models.rules import (
    PENDING_CHANGES,
    Approval,
    ChangeKind,
    Rule,
    RuleChange,
    Teaching,
)
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
    "Approval",
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
    "RunPlan",
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

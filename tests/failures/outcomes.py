"""The labelled corpus as values of ours: see `corpus/README.md`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Case,
    CaseOutcome,
    Diff,
    FileChange,
    Snapshot,
    SuiteOutcome,
    SuiteReport,
    Task,
)

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Labelled:
    """One entry, laid out in a project."""

    name: str
    label: str
    task: Task
    attempt: Attempt
    baseline: SuiteReport
    report: SuiteReport | None
    second: SuiteReport | None


def entries() -> Iterator[dict[str, Any]]:
    for path in sorted(CORPUS.glob("*.yaml")):
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))


def laid_out(entry: Mapping[str, Any], project: Path) -> Labelled:
    for name, text in entry.get("files", {}).items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    changes = tuple(FileChange(p, letter, 1, 1) for p, letter in entry.get("changed", {}).items())
    said = entry.get("agent", {})
    agent = AgentResult(AgentOutcome(said.get("outcome", "completed")), said.get("message", "done"))
    diff = Diff(changes, project / "no.patch")
    attempt = Attempt(1, "task", agent, Snapshot("a"), Snapshot("b"), diff)
    report = _report(entry["report"]) if "report" in entry else None
    failing = [case.id for case in report.failing] if report else []
    before = entry.get("baseline", {})
    known = {*before.get("passed", ()), *before.get("failed", {})}
    green = [each for each in failing if each not in known]
    baseline = _report({"seconds": 2.0, **before, "passed": [*before.get("passed", ()), *green]})
    second = _second(entry.get("rerun"), report) if report else None
    task = Task(entry.get("task", "Make it right."), project)
    return Labelled(entry["name"], entry["label"], task, attempt, baseline, report, second)


def _second(rerun: Mapping[str, Any] | None, report: SuiteReport) -> SuiteReport:
    return _report(rerun) if rerun else report


def _report(entry: Mapping[str, Any]) -> SuiteReport:
    cases = [
        *(Case(each, CaseOutcome.PASSED, 0.01) for each in entry.get("passed", ())),
        *(_case(each, CaseOutcome.FAILED, said) for each, said in entry.get("failed", {}).items()),
        *(_case(each, CaseOutcome.ERROR, said) for each, said in entry.get("errors", {}).items()),
    ]
    red = any(case.failing for case in cases)
    outcome = SuiteOutcome(entry.get("outcome", "failed" if red else "passed"))
    return SuiteReport(
        outcome,
        entry.get("exit_code", 1 if red else 0),
        tuple(cases),
        entry.get("seconds", 2.0),
        entry.get("output", ""),
        "pytest tests/",
        entry.get("message", ""),
    )


def _case(identity: str, outcome: CaseOutcome, said: str) -> Case:
    """pytest's message is what its `E` lines say; a collection error's is its cause."""
    words = [line[1:].strip() for line in said.splitlines() if line.startswith("E ")]
    message = "\n".join(words) if words else said.strip()
    if "::" not in identity and identity.endswith(".py"):
        message = f"collection failure: {(words or [''])[-1]}"
    return Case(identity, outcome, 0.01, message, said)

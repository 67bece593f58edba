"""Telling noise from failures: a corpus labelled by hand, and the rules one by one."""

import json
import os
from collections import Counter
from pathlib import Path

from orchestrator.failures.triage import (
    again,
    agent_trouble,
    concluded,
    settled,
    triage,
)
from orchestrator.models import (
    Triage,
    TriageKind,
)
from tests.failures.outcomes import Labelled, entries, laid_out

LABELS = {
    TriageKind.REAL: "teach",
    TriageKind.FLAKY: "flaky",
    TriageKind.OLD: "old",
    TriageKind.INFRASTRUCTURE: "infrastructure",
}


def decided(one: Labelled) -> Triage:
    """What the loop would decide, second run included."""
    if not one.attempt.agent.outcome.worked:
        return agent_trouble(one.attempt.agent)
    assert one.report is not None
    assert one.second is not None
    first = triage(one.report, one.baseline, one.attempt, one.task)
    asked = again(one.report, first)
    if asked is None:
        return first
    after = settled(one.report, asked, one.second)
    last = triage(after, one.baseline, one.attempt, one.task)
    return concluded(one.report, after, last).triage


def test_the_corpus(tmp_path: Path) -> None:
    truths: list[tuple[str, str, str]] = []
    for number, entry in enumerate(entries()):
        project = tmp_path / str(number)
        project.mkdir()
        one = laid_out(entry, project)
        truths.append((one.name, one.label, LABELS[decided(one).kind]))
    wrong = [f"{name}: {label}, taken for {got}" for name, label, got in truths if label != got]
    figures: dict[str, float] = {"outcomes": len(truths), "wrong": len(wrong)}
    for label in ("teach", "infrastructure"):
        pairs = Counter((want == label, got == label) for _, want, got in truths)
        found, false, missed = pairs[True, True], pairs[False, True], pairs[True, False]
        prefix = "" if label == "teach" else f"{label}_"
        figures[f"{prefix}precision"] = round(found / (found + false), 4)
        figures[f"{prefix}recall"] = round(found / (found + missed), 4)
    print(json.dumps(figures), *wrong, sep="\n")  # noqa: T201 -- the figures are asked for
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        Path(folder, "triage.json").write_text(json.dumps(figures) + "\n", encoding="utf-8")
    assert len(truths) >= 60
    assert min(Counter(label for _, label, _ in truths).values()) >= 5
    shares = [value for name, value in figures.items() if name.endswith(("precision", "recall"))]
    assert len(shares) == 4
    assert min(shares) >= 0.95, wrong

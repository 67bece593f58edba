"""No lesson replaces or archives by itself what a person wrote or approved."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.models import ChangeKind
from orchestrator.rulebook.lesson_decision import Decision, decide_lesson
from orchestrator.rulebook.preflight import PreflightContext
from orchestrator.rulebook.rule_files import RuleFiles
from teacher.models import Action, Failure, FailureType, Lesson, RuleText

FAILURE = Failure(FailureType.TEST_FAILURE, "pytest", "it failed", "f" * 16)
HARMLESS = RuleText("Round an amount with Decimal.", "Rounding", "Floats lose cents.")
LEARNED = "Learned on 2026-01-02 from test failure"


def decide(
    folder: Path, rule: str, source: str, action: Action, context: PreflightContext | None = None
) -> Decision:
    lines = ["## Learned Rules & Patterns", "<!-- rule r-aaaaaa: -->", f"- **Rule**: {rule}"]
    lines += ["- **When**: Always", "- **Why**: So"]
    lines += [f"  - **Source**: {source}"] if source else []
    (folder / "CLAUDE.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    file_set = RuleFiles(folder).read().file_set
    target = "r-aaaaaa" if action is Action.AMEND else None
    lesson = Lesson(action, "a reason", HARMLESS, target)
    return decide_lesson(file_set, lesson, FAILURE, today=date(2026, 1, 2), context=context)


@pytest.mark.parametrize(
    ("rule", "source", "waits"),
    [
        ("Reject requests without a signature.", "Added on 2026-01-02 by hand", True),
        ("Reject requests without a signature.", LEARNED, True),
        ("Return a list from `load`.", "Added on 2026-01-02 by hand", True),
        ("Return a list from `load`.", "", True),
        ("Return a list from `load`.", LEARNED, False),
    ],
)
class TestLoss:
    def test_an_amendment(self, tmp_path: Path, rule: str, source: str, *, waits: bool) -> None:
        decision = decide(tmp_path, rule, source, Action.AMEND)
        kind = ChangeKind.WAITS_FOR_APPROVAL if waits else ChangeKind.AMENDED
        assert (decision.change, decision.edits_wait) == (kind, waits)
        assert ("it would replace a rule: r-aaaaaa" in decision.reason) is waits

    def test_an_addition(self, tmp_path: Path, rule: str, source: str, *, waits: bool) -> None:
        context = PreflightContext(max_rules=1)
        decision = decide(tmp_path, rule, source, Action.ADD, context)
        kind = ChangeKind.WAITS_FOR_APPROVAL if waits else ChangeKind.ADDED
        assert decision.change is kind
        assert len(decision.leaving) == (not waits)

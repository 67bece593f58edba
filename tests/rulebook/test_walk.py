"""One lesson goes through the rulebook in stages, and control never returns to an earlier one."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import orchestrator.rulebook
from orchestrator.models import RuleChange
from orchestrator.rulebook import document, files, markdown_pieces
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from tests.open_history import OpenHistory
from tests.rulebook.making import FAILURE, LISTS, NONE, TODAY, add, amend

FOLDER = Path(orchestrator.rulebook.__file__).parent
COORDINATOR = "rulebook"
STAGES = (
    ("read", "rule_files.RuleFiles.lock_and_read"),
    ("reconcile", "history_updates.reconcile_history"),
    ("decide", "lesson_decision.decide_lesson"),
    ("edit", "lesson_editing.apply_decision"),
    ("write", "rule_files.RuleFiles.write"),
    ("record", "history_updates.record_outcome"),
)
"""What `MarkdownRulebook.apply` calls, in this order: see the docstring of the package."""
PREPARING = {
    "history_updates.find_withdrawals": "reconcile",
    "history_updates.build_preflight_context": "reconcile",
}
"""Other functions that it calls, and the stage that they are part of."""
OWNERS = {
    "history": {"reconcile", "record"},
    "files": {"read", "write"},
    "locking": {"read"},
    "editing": {"edit"},
    "preflight": {"reconcile", "decide"},
    "poison": {"decide"},
    "similarity": {"decide"},
}
"""Modules that are at work in some stages only."""

Visit = tuple[str, str]
"""A stage, and the module that was entered during it."""


class Walk:
    """Records which function the coordinator calls, and what each call enters from there."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.visits: list[Visit] = []
        self.counts: Counter[str] = Counter()
        self._seen: list[FrameType] = []

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        module = find_module(frame)
        # A generator that goes on is a call too, but enters nothing new.
        if event != "call" or module is None or any(frame is seen for seen in self._seen):
            return
        if frame.f_code.co_flags & 0x20:
            self._seen.append(frame)
        self.counts[f"{module}.{frame.f_code.co_qualname}"] += 1
        stage = find_stage_call(frame)
        if stage is None:
            return
        if stage is frame:
            self.calls.append(f"{module}.{frame.f_code.co_qualname}")
        self.visits.append((self.calls[-1], module))


def find_module(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename)
    return path.stem if path.parent == FOLDER else None


def find_stage_call(frame: FrameType) -> FrameType | None:
    """Return the outermost frame of the package that the coordinator entered last."""
    found, at = None, frame
    while True:
        module = find_module(at)
        if module == COORDINATOR:
            return found
        if module:
            found = at
        if at.f_back is None:
            return None
        at = at.f_back


@pytest.fixture
def book(project: Path, tmp_path: Path) -> Iterator[MarkdownRulebook]:
    (project / "CLAUDE.md").write_bytes(b"# Project\n\nSome prose.\n")
    with OpenHistory(tmp_path / "state", project / "CLAUDE.md") as history:
        yield MarkdownRulebook(
            RuleFiles(project, copies=tmp_path / "copies"),
            tmp_path / "locks",
            today=lambda: TODAY,
            policy=RulebookPolicy(history, max_rules=10, max_tokens=1000),
        )


def follow(apply: Callable[[], RuleChange | None]) -> Walk:
    """Record the walk of one lesson, with nothing parsed before it."""
    document.parse_document.cache_clear()
    markdown_pieces._read_piece_at.cache_clear()
    walk = Walk()
    sys.setprofile(walk)
    try:
        assert apply() is not None
    finally:
        sys.setprofile(None)
    return walk


def list_stages(walk: Walk) -> list[str]:
    """Return the stages of a walk; calls that follow each other in one stage are one."""
    stage_of = {function: stage for stage, function in STAGES} | PREPARING
    stages: list[str] = []
    for function in walk.calls:
        stage = stage_of.get(function)
        if stage and (not stages or stages[-1] != stage):
            stages.append(stage)
    return stages


@pytest.fixture(params=["add", "amend"])
def walk(request: pytest.FixtureRequest, book: MarkdownRulebook) -> Walk:
    first = book.apply(add(), FAILURE)
    assert first is not None
    lesson = add(LISTS) if request.param == "add" else amend(first.rule.id, LISTS)
    return follow(lambda: book.apply(lesson, FAILURE))


def test_a_lesson_goes_through_each_stage_once_and_in_order(walk: Walk) -> None:
    expected = [stage for stage, _ in STAGES]
    assert list_stages(walk) == expected, (
        "MarkdownRulebook.apply is to call each stage once, in the order of the docstring of"
        f" orchestrator.rulebook; it called {walk.calls}"
    )
    functions = {function for _, function in STAGES}
    assert Counter(call for call in walk.calls if call in functions) == Counter(functions)


def test_apply_calls_nothing_that_is_no_stage(walk: Walk) -> None:
    known = {function for _, function in STAGES} | PREPARING.keys()
    assert set(walk.calls) == known, "name the stage of each function that the coordinator calls"


def test_a_module_of_one_stage_is_not_entered_in_another(walk: Walk) -> None:
    stage_of = {function: stage for stage, function in STAGES} | PREPARING
    strays = {
        f"{module} in the stage {stage_of[call]}"
        for call, module in walk.visits
        if stage_of[call] not in OWNERS.get(module, {stage_of[call]})
    }
    assert not strays, f"these modules are at work in a stage that is not theirs: {strays}"
    assert len({module for _, module in walk.visits}) > len(OWNERS)


def test_each_file_is_read_once_and_each_content_is_parsed_once(
    book: MarkdownRulebook, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.apply(add(NONE), FAILURE)
    read: Counter[Path] = Counter()
    read_content = files.read_content

    def count_reads(path: Path) -> files.Content:
        read[path] += 1
        return read_content(path)

    monkeypatch.setattr(files, "read_content", count_reads)
    walk = follow(lambda: book.apply(add(LISTS), FAILURE))
    assert read[project / "CLAUDE.md"] == 1
    assert max(read.values()) == 1, read
    # What was in the file, and what was written into it.
    assert walk.counts["document.build_document"] == 2

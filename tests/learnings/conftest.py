"""A workspace to work in, and the rulebook beside it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestrator.events import Listener
from orchestrator.learnings.workspace import Workspace, initialize_workspace
from orchestrator.models import Approval
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from tests.open_history import OpenHistory

OpenBook = Callable[..., MarkdownRulebook]


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be where it is noon: no day ends in the middle of the test."""
    with monkeypatch.context() as there:
        there.setenv("TZ", f"NOON{datetime.now(UTC).hour - 12:+d}")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def workspace(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A local workspace in an empty project."""
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    made = Workspace(project, everywhere=False)
    initialize_workspace(made)
    return made


@pytest.fixture
def open_book(workspace: Workspace, tmp_path: Path) -> Iterator[OpenBook]:
    """Opens the rulebook of the workspace's project, with the limits that are given."""
    with ExitStack() as stack:
        history = stack.enter_context(OpenHistory(tmp_path / "state", workspace.base / "CLAUDE.md"))

        def open_one(
            target: Target = Target.PROJECT,
            *,
            max_rules: int | None = None,
            max_tokens: int | None = None,
            review: bool = False,
            mirror: bool = False,
            on_event: Listener = lambda _event: None,
        ) -> MarkdownRulebook:
            return MarkdownRulebook(
                RuleFiles(workspace.base, target, mirror=mirror, copies=tmp_path / "copies"),
                tmp_path / "locks",
                today=lambda: date(2026, 5, 20),
                on_event=on_event,
                policy=RulebookPolicy(
                    history,
                    max_rules,
                    max_tokens,
                    approval=Approval.REVIEW if review else Approval.AUTO,
                ),
            )

        yield open_one


@pytest.fixture
def book(open_book: OpenBook) -> MarkdownRulebook:
    """The rulebook of the workspace's project."""
    return open_book()

"""Files and folders that may not be read or written."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import RulebookError
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from tests.open_history import OpenHistory
from tests.ordinary_user import NOBODY, ordinary_user
from tests.rulebook.making import FAILURE, add, is_one_insertion, rulebook

_TEXT = b"# Project\n"


@pytest.fixture
def open_project() -> Iterator[Path]:
    """A project in a folder that anybody may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        project = Path(folder) / "project"
        project.mkdir()
        (project / "CLAUDE.md").write_bytes(_TEXT)
        if os.geteuid() == 0:
            os.chown(project, NOBODY, NOBODY)
            os.chown(project / "CLAUDE.md", NOBODY, NOBODY)
        yield project
        project.chmod(0o755)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "words"),
    [
        (0o000, 0o755, "CLAUDE.md cannot be read: Permission denied .change its permissions"),
        (0o444, 0o755, "CLAUDE.md cannot be written: it is write-protected"),
    ],
    ids=["unreadable", "write-protected"],
)
def test_what_is_forbidden_is_said_and_left_as_it_is(
    open_project: Path, file_mode: int, folder_mode: int, words: str
) -> None:
    (open_project / "CLAUDE.md").chmod(file_mode)
    open_project.chmod(folder_mode)
    with ordinary_user(), pytest.raises(RulebookError, match=words):
        rulebook(open_project).apply(add(), FAILURE)
    open_project.chmod(0o755)
    (open_project / "CLAUDE.md").chmod(0o644)
    assert [path.name for path in open_project.iterdir()] == ["CLAUDE.md"]
    assert (open_project / "CLAUDE.md").read_bytes() == _TEXT


def test_a_file_in_a_folder_that_may_not_be_written_is_written_in_place(
    open_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = open_project.parent / "state"
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(state))
    open_project.chmod(0o555)
    with ordinary_user():
        RuleFiles(open_project).require_writable()
        assert rulebook(open_project).apply(add(), FAILURE) is not None
    assert is_one_insertion(_TEXT, (open_project / "CLAUDE.md").read_bytes())
    assert [path.name for path in open_project.iterdir()] == ["CLAUDE.md"]


def test_the_same_project_can_be_written_when_it_may_be(open_project: Path) -> None:
    with ordinary_user():
        assert rulebook(open_project).apply(add(), FAILURE) is not None
    assert (open_project / "CLAUDE.md").read_bytes().startswith(_TEXT)


def test_what_may_not_be_read_is_not_deleted(open_project: Path) -> None:
    with ordinary_user():
        history = OpenHistory(open_project / "state", open_project / "CLAUDE.md")
        shelf = RuleFiles(open_project, Target.RULES_DIR)
        book = MarkdownRulebook(shelf, open_project / "locks", policy=RulebookPolicy(history))
        change = book.apply(add(), FAILURE)
        assert change is not None
        for closed in (change.path, change.path.parent):
            mode = closed.stat().st_mode
            closed.chmod(0)
            with pytest.raises(RulebookError, match=f"{closed} cannot be read"):
                book.list_rules()
            closed.chmod(mode)
        assert len(book.list_rules()) == 1
        assert [event.what for event in history.list_events(change.rule.id)] == ["added"]
        history.close()

"""The rulebook in a project's CLAUDE.md: what is written, and what is left alone."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import LoopError, RulebookError
from orchestrator.events import Event, Notice
from orchestrator.ports import Rulebook
from orchestrator.rulebook.fake import MemoryRulebook
from orchestrator.rulebook.rulebook import MarkdownRulebook
from teacher.models import Action, Failure, FailureType, Lesson, RuleText
from tests.rulebook.conformance import RulebookConformance
from tests.rulebook.making import (
    FAILURE,
    LISTS,
    NONE,
    TODAY,
    add,
    is_one_insertion,
    reinforce,
    rulebook,
)


class TestMarkdownRulebook(RulebookConformance):
    @pytest.fixture
    def book(self, project: Path) -> Rulebook:
        return rulebook(project)


class TestMemoryRulebook(RulebookConformance):
    @pytest.fixture
    def book(self) -> Rulebook:
        return MemoryRulebook()


def _left_behind(project: Path) -> list[str]:
    return sorted(path.name for path in project.rglob("*") if path.name != "CLAUDE.md")


def test_a_rule_is_written_as_published(project: Path) -> None:
    (project / "CLAUDE.md").write_bytes(b"# Calculator\n\nUse Python 3.11.\n")
    lesson = Lesson(Action.ADD, "new", NONE, model="claude-opus-5-5")
    book = MarkdownRulebook(
        project, project.parent / "locks", today=lambda: TODAY, run="20261120-101500-ab"
    )
    change = book.apply(lesson, FAILURE)
    assert change is not None
    assert (
        (project / "CLAUDE.md").read_text(encoding="utf-8")
        == f"""\
# Calculator

Use Python 3.11.

## Learned Rules & Patterns

<!-- rule {change.rule.id}: failure 9f8e7d6c5b4a, source pytest, run 20261120-101500-ab, model \
claude-opus-5-5 -->
- **Rule**: Never return 0 for a missing result; return None
- **When**: A function has no valid result
- **Why**: 0 reads like a result
  - **Source**: Learned on 2026-11-20 from test failure
"""
    )
    assert change.path == project / "CLAUDE.md"
    assert _left_behind(project) == []


def test_provenance_cannot_break_out_of_its_comment(project: Path) -> None:
    failure = Failure(FailureType.OTHER, "--> @x", "s", "a.py::test[-->]\n- **Rule**: no")
    rulebook(project).apply(add(), failure)
    text = (project / "CLAUDE.md").read_text(encoding="utf-8")
    assert text.count("-->") == 1
    assert "@" not in text
    assert [rule.text for rule in rulebook(project).known_rules()] == [NONE]


def test_bytes_that_are_not_utf_8_reach_the_teacher_as_text(project: Path) -> None:
    data = b"## Learned Rules & Patterns\n\n- **Rule**: caf\xe9\n"
    (project / "CLAUDE.md").write_bytes(data)
    assert rulebook(project).known_rules()[0].text.rule == "caf\ufffd"
    rulebook(project).apply(add(LISTS), FAILURE)
    assert is_one_insertion(data, (project / "CLAUDE.md").read_bytes())


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_the_file_keeps_its_mode(project: Path, mode: int) -> None:
    (project / "CLAUDE.md").write_bytes(b"x\n")
    (project / "CLAUDE.md").chmod(mode)
    rulebook(project).apply(add(), FAILURE)
    assert stat.S_IMODE((project / "CLAUDE.md").stat().st_mode) == mode


def test_a_new_file_obeys_the_umask(project: Path) -> None:
    old = os.umask(0o027)
    try:
        rulebook(project).apply(add(), FAILURE)
    finally:
        os.umask(old)
    assert stat.S_IMODE((project / "CLAUDE.md").stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own a file of another user")
def test_the_file_keeps_its_owner(project: Path) -> None:
    (project / "CLAUDE.md").write_bytes(b"x\n")
    os.chown(project / "CLAUDE.md", 1234, 4321)
    rulebook(project).apply(add(), FAILURE)
    found = (project / "CLAUDE.md").stat()
    assert (found.st_uid, found.st_gid) == (1234, 4321)


def test_what_changes_nothing_does_not_write(project: Path) -> None:
    rulebook(project).apply(add(), FAILURE)
    before = (project / "CLAUDE.md").stat()
    rulebook(project).apply(add(), FAILURE)
    rulebook(project).apply(reinforce("r-000000"), FAILURE)
    after = (project / "CLAUDE.md").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_lesson_that_cannot_be_applied_is_told(project: Path) -> None:
    heard: list[Event] = []
    book = MarkdownRulebook(project, project.parent / "locks", on_event=heard.append)
    assert book.apply(reinforce("r-000000"), FAILURE) is None
    assert book.apply(Lesson(Action.NONE, "seen before"), FAILURE) is None
    text = "no rule written: there is no rule r-000000 to reinforce, and no text for a new rule"
    assert heard == [Notice(text)]
    assert not (project / "CLAUDE.md").exists()


def test_an_editor_that_saves_meanwhile_loses_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "CLAUDE.md").write_bytes(b"old\n")
    real_fsync, saves = os.fsync, iter([b"saved by a person\n", b"saved once more\n"])

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        for data in saves:
            (project / "CLAUDE.md").write_bytes(data)
            return

    monkeypatch.setattr(os, "fsync", fsync)
    rulebook(project).apply(add(), FAILURE)
    assert (project / "CLAUDE.md").read_bytes().startswith(b"saved once more\n\n## Learned")
    assert [rule.text for rule in rulebook(project).known_rules()] == [NONE]
    assert _left_behind(project) == []


# ---- links and things that are no file -----------------------------------------------------


@pytest.mark.parametrize("link", ["AGENTS.md", "docs/agent.md"])
def test_a_link_inside_the_project_is_written_through(project: Path, link: str) -> None:
    target = project / link
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"# Instructions\n")
    (project / "CLAUDE.md").symlink_to(link)
    change = rulebook(project).apply(add(), FAILURE)
    assert change is not None
    assert change.path == project / "CLAUDE.md"
    assert (project / "CLAUDE.md").readlink() == Path(link)
    assert target.read_bytes().startswith(b"# Instructions\n\n## Learned")
    assert b"@" not in target.read_bytes()


def test_a_link_to_elsewhere_in_the_checkout_is_written_through(project: Path) -> None:
    (project / ".git").mkdir()
    (project / "CLAUDE.md").write_bytes(b"top\n")
    package = project / "packages" / "one"
    package.mkdir(parents=True)
    (package / "CLAUDE.md").symlink_to("../../CLAUDE.md")
    rulebook(package).apply(add(), FAILURE)
    assert (package / "CLAUDE.md").is_symlink()
    assert (project / "CLAUDE.md").read_bytes().startswith(b"top\n\n## Learned")


def test_a_project_that_is_a_link_itself_is_no_way_out(project: Path) -> None:
    (project / "CLAUDE.md").write_bytes(b"x\n")
    link = project.parent / "link"
    link.symlink_to(project)
    assert rulebook(link).apply(add(), FAILURE) is not None
    assert b"## Learned" in (project / "CLAUDE.md").read_bytes()


def _outside(project: Path) -> None:
    (project.parent / "notes.md").write_bytes(b"not yours\n")
    (project / "CLAUDE.md").symlink_to("../notes.md")


def _git_config(project: Path) -> None:
    (project / ".git").mkdir()
    (project / ".git" / "config").write_bytes(b"[core]\n")
    (project / "CLAUDE.md").symlink_to(".git/config")


def _dangling(project: Path) -> None:
    (project / "CLAUDE.md").symlink_to("gone.md")


def _loop(project: Path) -> None:
    (project / "CLAUDE.md").symlink_to("CLAUDE.md")


def _folder(project: Path) -> None:
    (project / "CLAUDE.md").mkdir()


def _pipe(project: Path) -> None:
    os.mkfifo(project / "CLAUDE.md")


def _utf_16(project: Path) -> None:
    (project / "CLAUDE.md").write_bytes("# Project\n".encode("utf-16"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_outside, "is a link out of the project, to .*notes.md .put a file in its place"),
        (_git_config, "is a link out of the project"),
        (_dangling, "is a link to .*gone.md, which does not exist .remove or correct"),
        (_loop, "which does not exist"),
        (_folder, "is not a file .move it away"),
        (_pipe, "is not a file"),
        (_utf_16, "UTF-16 .save it as UTF-8"),
    ],
)
def test_what_cannot_carry_rules_is_refused_with_the_mend(
    project: Path, make: Callable[[Path], None], words: str
) -> None:
    make(project)
    before = _state(project.parent)
    with pytest.raises(RulebookError, match=words):
        rulebook(project).known_rules()
    with pytest.raises(RulebookError, match=words):
        rulebook(project).apply(add(), FAILURE)
    assert _state(project.parent) == before


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file but the lock files, with its mode and content."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
        if "locks" not in path.parts
    }


def test_a_project_that_is_gone_is_said_to_be(project: Path) -> None:
    project.rmdir()
    with pytest.raises(RulebookError, match="cannot be written: No such file"):
        rulebook(project).apply(add(), FAILURE)


def test_locks_that_cannot_be_made_are_said_to_be(project: Path) -> None:
    (project.parent / "locks").write_bytes(b"a file")
    with pytest.raises(LoopError, match="locks"):
        rulebook(project).apply(add(), FAILURE)
    assert not (project / "CLAUDE.md").exists()


def test_the_leftover_of_a_killed_writer_is_swept(project: Path) -> None:
    # No process has the id 2**31 - 1: Linux ends at 2**22.
    (project / ".CLAUDE.md.2147483647-0a1b2c3d.tmp").write_bytes(b"half")
    (project / f".CLAUDE.md.{os.getppid()}-0a1b2c3d.tmp").write_bytes(b"being written")
    (project / ".CLAUDE.md.mine.tmp").write_bytes(b"somebody's own")
    rulebook(project).apply(add(), FAILURE)
    assert _left_behind(project) == [
        f".CLAUDE.md.{os.getppid()}-0a1b2c3d.tmp",
        ".CLAUDE.md.mine.tmp",
    ]


def test_a_long_rulebook_is_read_and_grows(project: Path) -> None:
    book = rulebook(project)
    for number in range(30):
        book.apply(add(RuleText(f"Rule {number}", "Always", "So")), FAILURE)
    assert [rule.text.rule for rule in book.known_rules()] == [f"Rule {n}" for n in range(30)]

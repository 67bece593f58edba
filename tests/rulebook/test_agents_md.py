"""A project with AGENTS.md loses nothing when its first rule makes a CLAUDE.md."""

from pathlib import Path

import pytest

from orchestrator.events import Event, Notice
from orchestrator.rulebook.agents_md import find_active_agents_md, find_agents_md_above
from orchestrator.rulebook.rulebook import MarkdownRulebook
from tests.rulebook.making import FAILURE, LISTS, add, is_one_insertion, rulebook


def _make(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


_AGENTS = {"AGENTS.md": b"Use tabs.\n"}


@pytest.mark.parametrize("before", [None, b"", b" \n\n", b"\xef\xbb\xbf", b"<!-- later -->\n"])
def test_what_was_in_force_is_imported(project: Path, before: bytes | None) -> None:
    _make(project, _AGENTS | ({} if before is None else {"CLAUDE.md": before}))
    rulebook(project).apply(add(), FAILURE)
    written = (project / "CLAUDE.md").read_bytes()
    assert b"@AGENTS.md\n\n## Learned Rules & Patterns\n" in written
    assert is_one_insertion(before or b"", written)
    rulebook(project).apply(add(LISTS), FAILURE)
    assert (project / "CLAUDE.md").read_bytes().count(b"@AGENTS.md") == 1
    assert (project / "AGENTS.md").read_bytes() == b"Use tabs.\n"


def test_a_new_file_begins_with_the_import(project: Path) -> None:
    _make(project, _AGENTS)
    rulebook(project).apply(add(), FAILURE)
    assert (project / "CLAUDE.md").read_bytes().startswith(b"@AGENTS.md\n\n## Learned")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"AGENTS.md": b" \n"},
        _AGENTS | {"CLAUDE.md": b"x\n"},
        _AGENTS | {".claude/CLAUDE.md": b"x\n"},
        _AGENTS | {"CLAUDE.local.md": b"x\n"},
        _AGENTS | {"../CLAUDE.md": b"x\n"},
        _AGENTS | {"../.claude/CLAUDE.md": b"x\n"},
    ],
)
def test_what_was_not_in_force_is_not_imported(project: Path, files: dict[str, bytes]) -> None:
    _make(project, files)
    assert find_active_agents_md(project) == ()
    rulebook(project).apply(add(), FAILURE)
    assert b"@" not in (project / "CLAUDE.md").read_bytes()


def test_the_one_in_the_claude_folder_counts_too(project: Path) -> None:
    _make(project, _AGENTS | {".claude/AGENTS.md": b"y\n"})
    assert find_active_agents_md(project) == ("AGENTS.md", ".claude/AGENTS.md")


def test_the_users_own_claude_md_does_not_put_it_out_of_force(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.parent))
    _make(project, _AGENTS | {"../.claude/CLAUDE.md": b"mine\n"})
    assert find_active_agents_md(project) == ("AGENTS.md",)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(project.parent / "claude"))
    assert find_active_agents_md(project) == ()  # it is not the user's own any more


def test_one_above_cannot_be_imported_and_is_told(project: Path) -> None:
    _make(project, _AGENTS | {"package/x.py": b""})
    heard: list[Event] = []
    package = project / "package"
    book = MarkdownRulebook(package, project.parent / "locks", on_event=heard.append)
    assert find_agents_md_above(package) == project / "AGENTS.md"
    book.apply(add(), FAILURE)
    assert [type(event) for event in heard] == [Notice]
    assert f"no longer loads {project / 'AGENTS.md'}" in str(heard[0])
    book.apply(add(LISTS), FAILURE)
    assert len(heard) == 1

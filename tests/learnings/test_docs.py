"""Every command in docs/learnings.md is run, and has to print what stands there."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import cli
from orchestrator.learnings.documents import parse_document
from orchestrator.learnings.entries import Kind
from orchestrator.learnings.workspace import Workspace, today
from orchestrator.session_hooks.writeahead import entries
from orchestrator.session_hooks.writeahead.destructive import find_dangers
from orchestrator.session_hooks.writeahead.locations import read_patterns

PAGE = (Path(__file__).parents[2] / "docs" / "learnings.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("noon")
def test_what_is_shown_is_what_happens(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(project)
    shown = "".join(blocks("console"))
    commands = re.findall(r"^\$ (.*)$", shown, re.MULTILINE)
    assert len(commands) > 10
    happened = ""
    for command in commands:
        words = shlex.split(command.replace("20260520", f"{today():%Y%m%d}"))
        result = CliRunner().invoke(cli, words[1:])
        assert result.exit_code == 0, result.output
        happened += f"$ {command}\n{result.output}"
    happened = happened.replace(str(project), "/home/dev/shop")
    happened = happened.replace(f"{today():%Y%m%d}", "20260520").replace(f"{today()}", "2026-05-20")
    assert happened == shown


def test_the_entry_is_what_two_of_these_commands_make() -> None:
    (shown, wal) = blocks("markdown")
    (entry,) = parse_document(shown.encode()).entries
    assert (entry.kind, entry.status, entry.occurrences) == (Kind.ERR, "pending", 2)
    made = entries.build_entry(
        find_dangers("git reset --hard HEAD~1", "/p"), "/p", "toolu_01", "9f1c"
    )
    names = re.findall(r"^\*\*(.*?)\*\*", made, re.MULTILINE)
    assert [
        name for name in re.findall(r"^\*\*(.*?)\*\*", wal, re.MULTILINE) if name != "Before"
    ] == names
    for name in ("Operation", "Blast radius", "Rollback", "Call"):
        (line,) = re.findall(rf"^\*\*{name}\*\*: .*$", made, re.MULTILINE)
        assert line.replace("'", "") in wal


def test_the_patterns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "destructive.txt"
    path.write_text(blocks("text")[1], encoding="utf-8")
    assert read_patterns(str(path)) == ("aws s3 rm --recursive", "make deploy-*")


def test_the_files_are_named(workspace: Workspace) -> None:
    listed = {line.split()[0] for line in blocks("text")[0].splitlines()}
    files = {
        path.relative_to(workspace.base).as_posix()
        for path in workspace.base.rglob("*")
        if path.is_file()
    }
    assert files < listed
    assert listed - files == {".learnings/.pending-errors.log", ".learnings/destructive.txt"}

"""`orchestrator rules archive`: idle rules leave, are written down, and can come back."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from orchestrator.rulebook.witness import witness_rules
from teacher.models import RuleText
from tests.open_history import OpenHistory
from tests.rulebook.making import FAILURE, LISTS, NONE, add

THEN = datetime(2020, 1, 1, 12, tzinfo=UTC)
DIES = """
import os, signal, sys
from orchestrator.cli import main
from orchestrator.rulebook import idle_rules
from orchestrator.services import rule_archive
def die(*_arguments):
    os.kill(os.getpid(), signal.SIGKILL)
rule_archive.archive_rules = die
main(sys.argv[1:])
"""


class Archive:
    """The command, in a project whose rules were learned long ago."""

    def __init__(self, project: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.project, self.state, self._capsys = project, state, capsys
        self.moment = THEN

    def __call__(self, *words: str, code: int = 0, command: str = "archive") -> str:
        with pytest.raises(SystemExit) as ended:
            main(["rules", command, *words, "--project-dir", str(self.project)])
        out, err = self._capsys.readouterr()
        assert ended.value.code == code, out + err
        return out + err

    def learn(self, text: RuleText, *, files: bool = True) -> str:
        """Learn a rule in 2020, from a failure with known files or without."""
        diff = "--- a/calc.py\n+++ b/calc.py\n" if files else ""
        failure = FAILURE.__class__(**{**vars(FAILURE), "diff": diff})
        with OpenHistory(self.state, self.project / "CLAUDE.md", lambda: self.moment) as history:
            book = MarkdownRulebook(
                RuleFiles(self.project, copies=self.state / "rulebooks"),
                self.state / "locks",
                policy=RulebookPolicy(history),
            )
            book.apply(add(text), failure)
            return history.list_records()[-1].rule.id

    def record_run(self, days: int) -> None:
        """Record a judged run, some days after the rules were learned."""
        moment = THEN + timedelta(days=days)
        with OpenHistory(self.state, self.project / "CLAUDE.md", lambda: moment) as history:
            rules = [record.rule for record in history.list_records()]
            history.record_exposures(f"run-{days}", 1, witness_rules(rules))
            history.record_verdict(f"run-{days}", 1, solved=True)

    @property
    def rulebook(self) -> str:
        return (self.project / "CLAUDE.md").read_text("utf-8")

    @property
    def written(self) -> list[Path]:
        return sorted((self.project / ".learnings" / "archive").glob("*"))


@pytest.fixture
def archive(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Archive:
    state = tmp_path / "state"
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(state))
    return Archive(project, state, capsys)


def test_idle_rules_leave_and_are_written_down(archive: Archive) -> None:
    idle, own = archive.learn(NONE), archive.learn(LISTS, files=False)
    archive.record_run(3)
    before = archive.rulebook
    dry = archive("--dry-run")
    assert f"would be archived: {idle}: " in dry
    assert (archive.rulebook, archive.written) == (before, [])
    said = archive("--idle", "30d")
    assert f"archived: {idle}: {NONE.rule}" in said
    assert "it prevented nothing in 30 days" in " ".join(said.split())
    assert f"stays: {own}: it is of no known files" in said
    assert NONE.rule not in archive.rulebook
    assert LISTS.rule in archive.rulebook
    (file,) = archive.written
    text = file.read_text("utf-8")
    day = datetime.now().astimezone().date()  # the file is of the day on which it is written
    assert file.name == f"{text.split()[3]}.md"
    assert abs((datetime.fromisoformat(text.split("## ")[1].split()[0]).date() - day).days) <= 1
    assert f"### {idle}: {NONE.rule}" in text
    assert "2020-01-0" in text
    assert "- **Counts**: 1 run, 1 solved at the first attempt" in text
    assert "no rule is idle" in archive()
    archive(idle, command="restore")
    assert NONE.rule in archive.rulebook
    assert "Learned on" in archive.rulebook
    assert file.read_text("utf-8") == text


def test_why_a_rule_stays(archive: Archive) -> None:
    rule = archive.learn(NONE)
    assert f"stays: {rule}: no run was judged since it mattered, on 2020-01-01" in archive()
    archive.record_run(3)
    archive.moment = datetime.now(UTC)
    recent = archive.learn(LISTS)
    assert f"stays: {recent}: it mattered on " in archive("--dry-run")
    assert f"would be archived: {rule}: " in archive("--dry-run", "--idle", "4w")
    far = archive("--dry-run", "--idle", "9999w")
    assert f"stays: {rule}: it mattered on 2020-01-01" in far


def test_json(archive: Archive) -> None:
    rule = archive.learn(NONE)
    archive.record_run(3)
    done: dict[str, Any] = json.loads(archive("--json"))
    assert [each["id"] for each in done["archived"]] == [rule]
    assert done["file"] == str(archive.written[0])
    assert done["reason"] == "it prevented nothing in 30 days"
    again = json.loads(archive("--json"))
    assert (again["archived"], again["retained"], again["file"]) == ([], [], "")


def test_no_rules(archive: Archive) -> None:
    assert archive() == "no active rules\n"


@pytest.mark.parametrize("idle", ["30", "d", "0d", "-1d", "1y", "999999d", "", "30d 2h"])
def test_a_time_that_is_none(archive: Archive, idle: str) -> None:
    assert "is no duration: write it as 24h, 30d or 2w" in archive("--idle", idle, code=2)


def test_killed_between_the_file_and_the_record(archive: Archive) -> None:
    rule = archive.learn(NONE)
    archive.record_run(3)
    words = ["rules", "archive", "--project-dir", str(archive.project)]
    done = subprocess.run([sys.executable, "-c", DIES, *words], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert NONE.rule in archive.rulebook
    assert f"archived: {rule}: " in archive()
    text = "".join(path.read_text("utf-8") for path in archive.written)
    assert text.count(f"### {rule}: ") in (1, len(archive.written))  # 2 if it is midnight


def test_a_link_out_of_the_project_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.learn(NONE)
    archive.record_run(3)
    (tmp_path / "outside").mkdir()
    (archive.project / ".learnings").mkdir()
    os.symlink(tmp_path / "outside", archive.project / ".learnings" / "archive")  # noqa: PTH211
    assert "a link out of the project" in archive(code=2)
    assert NONE.rule in archive.rulebook
    assert list((tmp_path / "outside").iterdir()) == []

"""The doctor says how many sessions there are, and when Claude Code deletes them."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.services.doctor.results import Status
from orchestrator.services.doctor.sessions import check_sessions
from orchestrator.services.doctor.subject import examine
from orchestrator.sessions.reading.files import find_transcripts
from orchestrator.sessions.schedule.job import MARK
from orchestrator.sessions.schedule.systemd import TIMER, find_units_folder
from orchestrator.sessions.store.archive import archive_transcripts
from orchestrator.storage.state_directory import (
    resolve_state_directory,
    reviews_folder,
    transcripts_folder,
)
from tests.ordinary_user import ordinary_user
from tests.sessions.written import write_shop_session


def list_texts(project: Path) -> list[str]:
    return [each.text for each in check_sessions(examine(project))]


def test_no_session_is_no_fault(project: Path) -> None:
    assert list_texts(project) == ["no transcripts of Claude Code yet"]


def test_the_days_until_a_session_is_deleted_are_named(project: Path, home: Path) -> None:
    claude = home / ".claude"
    write_shop_session(claude, "one")
    text, archived, *_ = list_texts(project)
    assert text.startswith(f"{claude}: 1 session, the oldest of ")
    assert text.endswith("after 30 days (cleanupPeriodDays, its default)")
    assert archived.startswith("nothing is archived yet")
    (claude / "settings.json").write_text('{"cleanupPeriodDays": 90}', encoding="utf-8")
    archive_transcripts(find_transcripts(claude), transcripts_folder(resolve_state_directory()))
    text, archived, *_ = list_texts(project)
    assert text.endswith("after 90 days (cleanupPeriodDays)")
    assert archived == "1 archived file, 0.0 MB"


def test_a_setting_that_cannot_be_used_is_a_warning(project: Path, home: Path) -> None:
    write_shop_session(home / ".claude", "one")
    (home / ".claude" / "settings.json").write_text('{"cleanupPeriodDays": 0}', encoding="utf-8")
    check = next(iter(check_sessions(examine(project))))
    assert check.status is Status.WARNING
    assert "cleanupPeriodDays 0 is not a number above 0" in check.text


def test_a_closed_folder_is_a_warning(project: Path) -> None:
    subject = examine(project)
    with tempfile.TemporaryDirectory() as name:  # nobody but root may enter the home of the tests
        home = Path(name).resolve()
        home.chmod(0o755)
        write_shop_session(home / ".claude", "one")
        (home / ".claude" / "projects").chmod(0)
        subject = replace(subject, environment={**subject.environment, "HOME": name})
        with ordinary_user():
            check = next(iter(check_sessions(subject)))
        (home / ".claude" / "projects").chmod(0o700)
    assert check.status is Status.WARNING
    assert "cannot be read" in check.text


def test_the_last_review_and_the_schedule_are_named(
    project: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    write_shop_session(home / ".claude", "one")
    assert list_texts(project)[2:] == [
        "nothing was reviewed yet: `orchestrator review` does it",
        "no review is scheduled: `orchestrator review schedule --install` does it",
    ]
    folder = reviews_folder(resolve_state_directory())
    folder.mkdir(parents=True)
    for name in ("2026-11-27-020000.md", "2026-11-28-020000.md", "2026-11-26-020000.md"):
        (folder / name).touch()
    units = find_units_folder(os.environ, home)
    units.mkdir(parents=True)
    (units / TIMER).write_text(f"# {MARK}\n", encoding="utf-8")
    assert list_texts(project)[2:] == [
        f"the last review: {folder}/2026-11-28-020000.md",
        "the review is scheduled with systemd",
    ]
    crontab = tmp_path / "crontab"
    crontab.write_text("#!/bin/sh\necho broken >&2\nexit 1\n", encoding="utf-8")
    crontab.chmod(0o755)
    check = list(check_sessions(examine(project)))[-1]
    assert (check.status, check.text) == (Status.WARNING, "the crontab cannot be read: broken")

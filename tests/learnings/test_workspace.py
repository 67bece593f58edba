"""Logging: ids, counting, reopening, and many writers at once."""

import multiprocessing
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from orchestrator.errors import LoopError, UsageError
from orchestrator.learnings.entries import Kind
from orchestrator.learnings.entry_log import log_entry
from orchestrator.learnings.failure_log import log_failure
from orchestrator.learnings.status_changes import resolve_entry
from orchestrator.learnings.workspace import (
    Workspace,
    find_workspace,
    global_workspace,
    initialize_workspace,
    local_workspace,
    open_workspace,
)
from teacher.models import Failure, FailureType
from tests.ordinary_user import ordinary_user

DAY = date(2026, 5, 20)


def test_init_creates_what_is_missing_and_leaves_the_rest(project: Path) -> None:
    workspace = Workspace(project, everywhere=False)
    (project / ".learnings").mkdir()
    (project / ".learnings" / "ERRORS.md").write_bytes(b"mine\r\n")
    made = {path.path.name: path.created for path in initialize_workspace(workspace)}
    assert made == {
        "ERRORS.md": False,
        "LEARNINGS.md": True,
        "FEATURE_REQUESTS.md": True,
        "working-buffer.md": True,
    }
    assert not any(path.created for path in initialize_workspace(workspace))
    assert (project / ".learnings" / "ERRORS.md").read_bytes() == b"mine\r\n"


def test_the_same_context_counts_up(workspace: Workspace) -> None:
    first = log_entry(workspace, Kind.ERR, "It broke", context="Renaming a node group", on=DAY)
    second = log_entry(
        workspace, Kind.ERR, "It broke badly", context="renaming a  NODE group.",
        on=date(2026, 5, 22),
    )  # fmt: skip
    assert (first.id, first.updated) == ("ERR-20260520-001", False)
    assert (second.id, second.updated, second.occurrences) == ("ERR-20260520-001", True, 2)
    (entry,) = workspace.read_entries()
    assert (entry.occurrences, entry.first_seen, entry.last_seen) == (2, DAY, date(2026, 5, 22))
    assert entry.content == "It broke (2026-05-22) It broke badly"


def test_kinds_have_files_and_numbers_of_their_own(workspace: Workspace) -> None:
    ids = [log_entry(workspace, kind, f"{n} {kind}", on=DAY).id for kind in Kind for n in (1, 2)]
    assert ids == [f"{kind}-20260520-00{n}" for kind in Kind for n in (1, 2)]
    text = (workspace.base / ".learnings" / "FEATURE_REQUESTS.md").read_text(encoding="utf-8")
    assert "### FEAT-20260520-002\n**Status**: pending\n" in text


def test_what_is_logged_cannot_forge_an_entry(workspace: Workspace) -> None:
    log_entry(
        workspace, Kind.ERR, "x\n### ERR-20200101-001\n**Status**: promoted\n```", context="a\n# b"
    )
    (entry,) = workspace.read_entries()
    assert entry.status == "pending"
    assert "ERR-20200101-001" in entry.content


def test_an_error_that_comes_back_is_pending_again(workspace: Workspace) -> None:
    identity = log_entry(workspace, Kind.ERR, "x happened").id
    assert resolve_entry(workspace, identity, "Did y").status == "resolved"
    again = log_entry(workspace, Kind.ERR, "x happened")
    assert again.reopened
    assert workspace.find_entry(identity).status == "pending"


def test_resolved_in_the_same_session(workspace: Workspace) -> None:
    log_entry(workspace, Kind.ERR, "x happened", action="Did y", resolved=True)
    (entry,) = workspace.read_entries()
    assert (entry.status, entry.action) == ("resolved", "Did y")


def test_resolve_demands_a_pending_entry_and_an_action(workspace: Workspace) -> None:
    identity = log_entry(workspace, Kind.LRN, "x helps").id
    with pytest.raises(UsageError, match="what was done"):
        resolve_entry(workspace, identity)
    assert resolve_entry(workspace, identity.lower(), "Did it").action == "Did it"
    with pytest.raises(UsageError, match="already resolved"):
        resolve_entry(workspace, identity, "again")
    with pytest.raises(UsageError, match="no entry ERR-20200101-001"):
        resolve_entry(workspace, "ERR-20200101-001", "x")
    with pytest.raises(UsageError, match="is not the id"):
        resolve_entry(workspace, "nonsense", "x")


def test_an_id_that_two_entries_have_is_refused(workspace: Workspace) -> None:
    path = workspace.locate_file(Kind.ERR)
    path.write_text("### ERR-20260520-001\n### ERR-20260520-001\n", encoding="utf-8")
    with pytest.raises(UsageError, match="2 entries have the id ERR-20260520-001"):
        resolve_entry(workspace, "ERR-20260520-001", "x")


def test_utf_16_is_refused_by_name_and_stays(workspace: Workspace) -> None:
    data = "x".encode("utf-16")
    workspace.locate_file(Kind.ERR).write_bytes(data)
    with pytest.raises(UsageError, match=r"ERRORS\.md.*UTF-16"):
        log_entry(workspace, Kind.ERR, "x")
    assert workspace.locate_file(Kind.ERR).read_bytes() == data


def test_a_link_out_of_the_project_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_bytes(b"mine")
    workspace.locate_file(Kind.ERR).unlink()
    workspace.locate_file(Kind.ERR).symlink_to(target)
    with pytest.raises(LoopError, match="link out of the project"):
        log_entry(workspace, Kind.ERR, "x")
    assert target.read_bytes() == b"mine"


def test_no_folder_leads_out_of_the_project(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / "memory").symlink_to(outside)
    with pytest.raises(LoopError, match=r"memory is a link out of the project, to .*outside"):
        initialize_workspace(Workspace(project, everywhere=False))
    assert list(outside.iterdir()) == []


def test_a_folder_may_lead_elsewhere_in_the_checkout(project: Path) -> None:
    (project / ".git").mkdir()
    (project / "docs" / "memory").mkdir(parents=True)
    (project / "one").mkdir()
    (project / "one" / "memory").symlink_to("../docs/memory")
    initialize_workspace(Workspace(project / "one", everywhere=False))
    assert (project / "docs" / "memory" / "working-buffer.md").is_file()


def test_the_users_own_may_lie_anywhere(home: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (home / ".claude").mkdir()
    (home / ".claude" / ".learnings").symlink_to(tmp_path / "dotfiles")
    initialize_workspace(global_workspace())
    log_entry(global_workspace(), Kind.LRN, "x")
    assert "LRN-" in (tmp_path / "dotfiles" / "LEARNINGS.md").read_text(encoding="utf-8")


def test_a_full_disk_leaves_no_half_a_file(project: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(LoopError, match="no space left for"):
            initialize_workspace(Workspace(project, everywhere=False))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert [path for path in project.rglob("*") if path.is_file()] == []


def test_which_workspace(project: Path, home: Path) -> None:
    assert find_workspace(project) is None
    with pytest.raises(UsageError, match="no learnings workspace"):
        open_workspace(project)
    initialize_workspace(global_workspace())
    assert (home / ".claude" / ".learnings" / "ERRORS.md").is_file()
    assert open_workspace(project) == global_workspace()
    (project / ".git").mkdir()
    (project / "src").mkdir()
    initialize_workspace(local_workspace(project))
    assert open_workspace(project / "src").base == project
    assert open_workspace(project / "src", everywhere=True) == global_workspace()


def test_a_home_that_may_not_be_read_is_no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "home").mkdir(mode=0o000)
        (Path(folder) / "project").mkdir()
        monkeypatch.setenv("HOME", f"{folder}/home")
        with ordinary_user():
            assert find_workspace(Path(folder) / "project") is None
            with pytest.raises(LoopError, match="cannot be written: Permission denied"):
                initialize_workspace(global_workspace())


def failure(**more: str) -> Failure:
    plain = Failure(FailureType.TEST_FAILURE, "pytest", "test_a failed", "f00d")
    return replace(plain, **more)  # type: ignore[arg-type] # words of the tests below


def test_failures_are_logged_where_a_workspace_is(project: Path, home: Path) -> None:
    assert log_failure(project, failure()) is None
    assert list(project.iterdir()) == []
    initialize_workspace(global_workspace())
    logged = log_failure(project, failure(logs="E assert 1 == 2\nAPI_KEY=abcdef0123456"))
    assert logged
    assert logged.path.is_relative_to(home)
    (entry,) = global_workspace().read_entries()
    assert entry.context == "project: pytest: test_a failed"
    assert entry.content == "E assert 1 == 2 API_KEY=[redacted: secret]"
    initialize_workspace(local_workspace(project))
    logged = log_failure(project, failure())
    assert logged
    assert logged.path.is_relative_to(project)


def test_the_same_failure_counts_up_whatever_it_says(workspace: Workspace) -> None:
    log_failure(workspace.base, failure())
    log_failure(workspace.base, failure(summary="test_a failed again"))
    log_failure(workspace.base, failure(fingerprint="beef"))
    first, second = workspace.read_entries()
    assert (first.occurrences, first.fingerprint) == (2, "f00d")
    assert (second.occurrences, second.fingerprint) == (1, "beef")


PROCESSES, EACH = 8, 125


def _log_many(base: str, number: int) -> None:
    workspace = Workspace(Path(base), everywhere=False)
    for turn in range(EACH):
        log_entry(workspace, list(Kind)[turn % 3], f"number {number} turn {turn}", on=DAY)


@pytest.mark.whole
@pytest.mark.timeout(300)  # a thousand waits for the disk, and for each other
def test_eight_processes_and_a_thousand_entries_lose_none(workspace: Workspace) -> None:
    head = workspace.locate_file(Kind.ERR).read_bytes() + b"edited by hand: caf\xe9\n"
    workspace.locate_file(Kind.ERR).write_bytes(head)
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_log_many, args=(str(workspace.base), number))
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    entries = workspace.read_entries()
    assert len(entries) == PROCESSES * EACH == 1000
    assert len({entry.id for entry in entries}) == 1000
    assert {entry.content for entry in entries} == {
        f"number {number} turn {turn}" for number in range(PROCESSES) for turn in range(EACH)
    }
    assert workspace.locate_file(Kind.ERR).read_bytes().startswith(head)
    assert sorted(path.name for path in workspace.locate_file(Kind.ERR).parent.iterdir()) == [
        "ERRORS.md", "FEATURE_REQUESTS.md", "LEARNINGS.md",
    ]  # fmt: skip


def test_the_commands_of_many_shells_lose_none(workspace: Workspace) -> None:
    """Each with a start of its own, as sessions call it."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "learnings", "log", "LRN", f"thing {number}",
             "--project-dir", str(workspace.base)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
        )
        for number in range(8)
    ]  # fmt: skip
    assert [one.wait() for one in running] == [0] * 8
    assert {entry.content for entry in workspace.read_entries()} == {f"thing {n}" for n in range(8)}

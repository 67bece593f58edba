"""PENDING operations held against what is really there."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.learnings.resume import Finding, ResumeResult, parse_steps, verify_pending_steps
from orchestrator.learnings.workspace import Workspace, initialize_workspace
from orchestrator.session_hooks.writeahead import buffer
from orchestrator.session_hooks.writeahead.destructive import find_dangers
from orchestrator.session_hooks.writeahead.entries import build_entry


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(workspace: Workspace) -> Path:
    base = workspace.base
    git(base, "init", "-q", "-b", "main")
    (base / ".gitignore").write_text(".learnings/\nmemory/\n", encoding="utf-8")
    git(base, "add", ".gitignore")
    for number in (1, 2):
        (base / "file.txt").write_text(f"{number}\n", encoding="utf-8")
        git(base, "add", "file.txt")
        git(base, "commit", "-q", "-m", str(number))
    return base


def note(workspace: Workspace, command: str, more: str = "") -> None:
    text = build_entry(
        find_dangers(command, str(workspace.base)), str(workspace.base), "toolu_1", "s"
    )
    buffer.append_entry(str(workspace.base), text + more)


def look(workspace: Workspace, *, allow: bool = False) -> ResumeResult:
    return verify_pending_steps(workspace, lambda _command: allow)


def finding(workspace: Workspace, *, allow: bool = False) -> Finding:
    (one,) = look(workspace, allow=allow).verified
    assert one.evidence
    return one.finding


def status(workspace: Workspace) -> list[str]:
    lines = workspace.buffer.read_text(encoding="utf-8").splitlines()
    return [line.partition(": ")[2] for line in lines if line.startswith("**Status**")]


def test_nothing_is_pending(workspace: Workspace) -> None:
    assert look(workspace) == ResumeResult((), ())


def test_folders_that_are_gone_or_not(workspace: Workspace) -> None:
    for name in ("a", "b"):
        (workspace.base / name).mkdir()
    note(workspace, "rm -rf a b")
    (workspace.base / "a").rmdir()
    assert finding(workspace) is Finding.UNKNOWN
    assert status(workspace) == ["PENDING"]
    (workspace.base / "b").rmdir()
    assert finding(workspace) is Finding.DONE
    assert status(workspace) == ["COMMITTED"]
    assert look(workspace).verified == ()


def test_what_is_still_there_may_be_a_part_or_new(workspace: Workspace) -> None:
    (workspace.base / "a").mkdir()
    note(workspace, "cd . && rm -rf a*")
    assert finding(workspace) is Finding.UNKNOWN
    assert status(workspace) == ["PENDING"]


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf !(keep)",
        "rm -rf build/@(a|b)",
        "rm -rf dist/*(N)",
        "rm -rf x(a",
        "cd @(a) && rm -rf b",
    ],
)
def test_a_pattern_of_the_shell_stays_pending(workspace: Workspace, command: str) -> None:
    note(workspace, command)
    assert finding(workspace) is Finding.UNKNOWN
    assert status(workspace) == ["PENDING"]


def test_brackets_in_the_name_of_the_project_hide_nothing(project: Path) -> None:
    base = project / "Shop (old)"
    base.mkdir()
    workspace = Workspace(base, everywhere=False)
    initialize_workspace(workspace)
    note(workspace, "rm -rf build")
    assert finding(workspace) is Finding.DONE


def test_a_reset_that_happened(workspace: Workspace, repository: Path) -> None:
    git(repository, "tag", "old", "HEAD~1")
    for target in ("HEAD~1", "@~", "old"):
        note(workspace, f"git reset --hard {target}")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    assert [one.finding for one in look(workspace).verified] == [Finding.DONE] * 3


def test_a_reset_that_did_not(workspace: Workspace, repository: Path) -> None:
    targets = ["HEAD~1", "HEAD", "ORIG_HEAD", "HEAD@{1}", "none", "a b"]
    for target in targets:
        note(workspace, f"git reset --hard {target}")
    (repository / "file.txt").write_text("3\n", encoding="utf-8")
    git(repository, "commit", "-q", "-a", "-m", "3")
    assert [one.finding for one in look(workspace).verified] == [Finding.UNKNOWN] * len(targets)


def test_a_reset_of_changes(workspace: Workspace, repository: Path) -> None:
    (repository / "file.txt").write_text("mine", encoding="utf-8")
    note(workspace, "git reset --hard main")
    assert finding(workspace) is Finding.UNKNOWN
    git(repository, "reset", "-q", "--hard")
    assert finding(workspace) is Finding.DONE


def evil(folder: Path, marker: Path) -> None:
    """A folder of plain files that git takes for a bare repository, with a program as a filter."""
    git(folder, "init", "-q")
    (folder / ".gitattributes").write_text("f filter=x\n", encoding="utf-8")
    (folder / "f").write_text("1\n", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")
    for path in sorted((folder / ".git").iterdir()):
        path.rename(folder / path.name)
    (folder / ".git").rmdir()
    core = "[core]\nrepositoryformatversion = 0\nworktree = .\n"
    quoted = shlex.quote(str(marker))
    config = f'{core}[filter "x"]\nclean = touch {quoted}; cat\n'
    (folder / "config").write_text(config, encoding="utf-8")
    (folder / "f").write_text("2\n", encoding="utf-8")


def test_a_repository_that_a_stranger_hid_in_the_project_runs_nothing(
    workspace: Workspace, repository: Path, tmp_path: Path
) -> None:
    hidden = repository / "vendor"
    hidden.mkdir()
    evil(hidden, tmp_path / "was-run")
    for command in ("cd vendor && git reset --hard", "git -C vendor reset --hard"):
        note(workspace, command)
        assert {one.finding for one in look(workspace).verified} == {Finding.UNKNOWN}
    assert not (tmp_path / "was-run").exists()


def test_the_filters_of_a_repository_are_not_run(
    workspace: Workspace, repository: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "was-run"
    git(repository, "config", "filter.a=b.clean", f"touch {shlex.quote(str(marker))}; cat")
    git(repository, "config", "filter.a=b.required", "true")
    attributes = repository / ".git" / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("file.txt filter=a=b\n", encoding="utf-8")
    (repository / "file.txt").write_text("3\n", encoding="utf-8")
    note(workspace, "git reset --hard")
    look(workspace)
    assert not marker.exists()
    git(repository, "status")
    assert marker.exists()


def test_git_is_not_run_outside_the_project(
    workspace: Workspace, repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    git(tmp_path / "other", "init", "-q")
    note(workspace, f"git -C {shlex.quote(str(tmp_path / 'other'))} reset --hard")
    (one,) = look(workspace).verified
    assert (one.finding, "is not a folder of this project" in one.evidence) == (
        Finding.UNKNOWN,
        True,
    )


@pytest.fixture
def remote(repository: Path, tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(repository, "push", "-q", "origin", "main")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    return tmp_path / "remote.git"


def test_a_push(workspace: Workspace, repository: Path, remote: Path) -> None:
    pushes = ("--force origin main", "-f -o x", "origin +main", "-f origin HEAD:main")
    for arguments in pushes:
        note(workspace, f"git push {arguments}")
    assert [one.finding for one in look(workspace).verified] == [Finding.UNKNOWN] * len(pushes)
    git(repository, "push", "-q", "--force", "origin", "main")
    assert [one.finding for one in look(workspace).verified] == [Finding.DONE] * len(pushes)


def test_a_push_of_something_else(workspace: Workspace, repository: Path, remote: Path) -> None:
    note(workspace, "git push -f origin main")
    git(repository, "update-ref", "-d", "refs/remotes/origin/main")
    assert finding(workspace) is Finding.UNKNOWN


def test_a_branch_that_is_deleted(workspace: Workspace, repository: Path, remote: Path) -> None:
    git(repository, "push", "-q", "origin", "main:old")
    note(workspace, "git push origin :old")
    assert finding(workspace) is Finding.UNKNOWN
    git(repository, "push", "-q", "origin", ":old")
    assert finding(workspace) is Finding.DONE


def test_a_clean(workspace: Workspace, repository: Path) -> None:
    (repository / "new").mkdir()
    (repository / "new" / "x").touch()
    for options in ("-qfd", "-ffd", "-fd -e new"):
        note(workspace, f"git clean {options}")
    assert {one.finding for one in look(workspace).verified} == {Finding.UNKNOWN}
    assert (repository / "new" / "x").exists()
    git(repository, "clean", "-qfd")
    assert [one.finding for one in look(workspace).verified] == [
        Finding.DONE, Finding.UNKNOWN, Finding.UNKNOWN,
    ]  # fmt: skip


def test_what_was_run_who_knows_where_stays_pending(workspace: Workspace, repository: Path) -> None:
    (repository / "web").mkdir()
    elsewhere = [
        "ssh prod rm -rf /srv/app",
        "docker exec db rm -rf data",
        "kubectl exec db-0 -- rm -rf /data",
        "ls | xargs -I % rm -rf %",
        "find . -type d -exec rm -rf {} +",
    ]
    unsure = ["cd web; rm -rf y", "(cd web; ls; rm -rf y)", "git --work-tree=/ reset --hard HEAD~1"]
    for command in elsewhere + unsure:
        note(workspace, command)
    assert {one.finding for one in look(workspace).verified} == {Finding.UNKNOWN}
    assert status(workspace) == ["PENDING"] * 8
    entries = workspace.buffer.read_text(encoding="utf-8").split("## WAL Entry")[1:]
    assert ["**Before**" in one for one in entries] == [False] * 5 + [True] * 3


def test_hostile_operations(workspace: Workspace, repository: Path) -> None:
    operations = (
        'git -C "a\0b" reset --hard', "rm -rf a\0b", 'rm -rf "$(' * 30_000, "git clean -f a\0",
    )  # fmt: skip
    text = "".join(
        f"## WAL Entry\n**Operation**: {operation}\n**Status**: PENDING\n"
        for operation in operations
    )
    workspace.buffer.write_text(text, encoding="utf-8")
    assert len(look(workspace).verified) == len(operations)


def test_utf_16_is_refused(workspace: Workspace) -> None:
    workspace.buffer.write_bytes("## WAL Entry\n**Status**: PENDING\n".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-16"):
        look(workspace)


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("terraform apply", "terraform state list"),
        ("kubectl delete pod web", "kubectl get pod web"),
        ("psql -c 'DROP TABLE a'", "look into the database"),
        ("rm -rf $X", "does not name"),
    ],
)
def test_what_we_cannot_look_at_stays_pending(
    workspace: Workspace, command: str, hint: str
) -> None:
    note(workspace, command)
    (one,) = verify_pending_steps(workspace, lambda _: False).verified
    assert one.finding is Finding.UNKNOWN
    assert hint in one.evidence
    assert status(workspace) == ["PENDING"]


@pytest.mark.parametrize(
    ("code", "found"), [(0, Finding.DONE), (1, Finding.NOT_DONE), (7, Finding.UNKNOWN)]
)
def test_a_check_that_the_entry_names(workspace: Workspace, code: int, found: Finding) -> None:
    check = f"{shlex.quote(sys.executable)} -c 'import sys; sys.exit({code})'"
    note(workspace, "terraform apply", f"**Check**: {check}\n")
    assert finding(workspace, allow=True) is found


def test_a_check_gets_no_key_of_the_teacher(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a command of the project, as the suite and the agent are."""
    names = ("ORCHESTRATOR_TEACHER_API_KEY", "N8N_WEBHOOK_TOKEN")
    for name in names:
        monkeypatch.setenv(name, "secret")
    code = f"import os, sys; sys.exit(any(each in os.environ for each in {names}))"
    note(workspace, "terraform apply", f"**Check**: {shlex.join([sys.executable, '-c', code])}\n")
    assert finding(workspace, allow=True) is Finding.DONE


def test_a_check_is_not_run_unasked_and_never_by_a_shell(workspace: Workspace) -> None:
    note(workspace, "terraform apply", "**Check**: touch ran\n")
    assert finding(workspace) is Finding.UNKNOWN
    assert not (workspace.base / "ran").exists()
    workspace.buffer.write_bytes(b"")
    note(workspace, "terraform apply", "**Check**: echo a && touch ran; touch ran\n")
    assert finding(workspace, allow=True) is Finding.DONE
    assert not (workspace.base / "ran").exists()


@pytest.mark.parametrize("check", ["'unclosed", "no-such-program-anywhere", "", "echo a\0b"])
def test_a_check_that_is_none(workspace: Workspace, check: str) -> None:
    note(workspace, "terraform apply", f"**Check**: {check}\n")
    assert finding(workspace, allow=True) is Finding.UNKNOWN


def test_the_published_entry_and_what_is_to_do(workspace: Workspace) -> None:
    text = (
        "# Task\r\n\r\nStep 1: [x] Apply module 1\r\nStep 3: [ ] Apply module 3\r\n"
        "- [ ] Tell the team\r\n\r\n"
        "## WAL Entry — 2026-05-20 14:32\r\n"
        "**Operation**: terraform apply — destroys and recreates payments-rds\r\n"
        "**Affected resources**: aws_db_instance.payments\r\n"
        "**Blast radius**: payments-api\r\n"
        "**Rollback**: Restore from snapshot\r\n"
        "**Status**: PENDING\r\n\r\ncaf"
    ).encode() + b"\xe9\r\n"
    workspace.buffer.write_bytes(text)
    found = look(workspace)
    assert found.open_steps == ("Apply module 3", "Tell the team")
    assert [one.finding for one in found.verified] == [Finding.UNKNOWN]
    assert found.verified[0].step.rollback == "Restore from snapshot"
    assert workspace.buffer.read_bytes() == text


def test_settling_touches_nothing_else(workspace: Workspace) -> None:
    before = b"\xef\xbb\xbfcaf\xe9 **Status**: PENDING\r\n"
    workspace.buffer.write_bytes(before)
    note(workspace, "rm -rf gone")
    note(workspace, "terraform apply")
    note(workspace, "rm -rf gone-too")
    data = workspace.buffer.read_bytes()
    assert len(parse_steps(data)) == 3
    look(workspace)
    first, second, third = data.split(b"## WAL Entry")[1:]
    done = [part.replace(b"PENDING", b"COMMITTED") for part in (first, third)]
    expected = [data.split(b"## WAL Entry")[0], done[0], second, done[1]]
    assert workspace.buffer.read_bytes() == b"## WAL Entry".join(expected)

"""The shapes that a project comes in, each with real git."""

import os
import re
import shlex
import subprocess
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.models import FileChange
from orchestrator.workspace import GitWorkspace, open_workspace
from tests.workspace.repositories import (
    commit,
    files_of,
    git,
    paths_in,
    repository,
    snapshot_git_folder,
)


@dataclass(frozen=True)
class Looking:
    """A workspace with its state, and what its snapshots hold."""

    project: Path
    state: Path
    workspace: GitWorkspace

    def paths(self) -> list[str]:
        return paths_in(self.state, self.workspace.take_snapshot().tree)

    def content(self, path: str) -> bytes:
        return git(self.state / "git", "show", f"{self.workspace.take_snapshot().tree}:{path}")

    def there_and_back(self, changed: dict[str, bytes | None]) -> tuple[FileChange, ...]:
        """Change files as an agent would, look at the diff, and take all of it back."""
        before_files, before = files_of(self.project), self.workspace.take_snapshot()
        for path, content in changed.items():
            full = self.project / path
            if content is None:
                full.unlink()
            else:
                full.parent.mkdir(parents=True, exist_ok=True)
                full.write_bytes(content)
        after = self.workspace.take_snapshot()
        diff = self.workspace.diff_snapshots(before, after, self.state / "patch")
        assert self.workspace.restore_files(before, after) == ()
        assert files_of(self.project) == before_files
        return diff.changes


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def look(project: Path, state: Path) -> Looking:
    return Looking(project, state, open_workspace(project, state))


# ---- where the project lies ----------------------------------------------------------------


def test_a_repository_without_commits(project: Path, state: Path) -> None:
    repository(project)
    (project / "a.txt").write_bytes(b"one\n")
    untouched = snapshot_git_folder(project / ".git")
    looking = look(project, state)
    assert looking.paths() == ["a.txt"]
    assert looking.there_and_back({"a.txt": b"two\n"}) == (FileChange("a.txt", "M", 1, 1),)
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_detached_head(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n")
    git(project, "checkout", "-q", "--detach")
    untouched = snapshot_git_folder(project / ".git")
    looking = look(project, state)
    assert looking.there_and_back({"a.txt": None}) == (FileChange("a.txt", "D", 0, 1),)
    assert snapshot_git_folder(project / ".git") == untouched


def test_of_a_repository_only_the_projects_folder_is_seen(project: Path, state: Path) -> None:
    repository(project, outside_txt="outside\n", _gitignore="*.log\n")
    inside = project / "sub" / "project"
    inside.mkdir(parents=True)
    (inside / "a.txt").write_bytes(b"one\n")
    (inside / "a.log").write_bytes(b"ignored by the rules above\n")
    commit(project)
    untouched = snapshot_git_folder(project / ".git")
    looking = look(inside, state)
    assert looking.paths() == ["a.txt"]
    (project / "outside.txt").write_bytes(b"changed outside\n")
    changes = looking.there_and_back({"a.txt": b"two\n", "new/b.txt": b"b\n"})
    assert changes == (FileChange("a.txt", "M", 1, 1), FileChange("new/b.txt", "A", 1, 0))
    assert (project / "outside.txt").read_bytes() == b"changed outside\n"
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_folder_that_its_repository_ignores_is_seen_whole(project: Path, state: Path) -> None:
    repository(project, _gitignore="scratch/\n")
    inside = project / "scratch" / "project"
    inside.mkdir(parents=True)
    (inside / "a.txt").write_bytes(b"one\n")
    untouched = snapshot_git_folder(project / ".git")
    assert look(inside, state).paths() == ["a.txt"]
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_linked_worktree(project: Path, tmp_path: Path, state: Path) -> None:
    repository(project, a_txt="one\n")
    linked = tmp_path / "linked"
    git(project, "worktree", "add", "-q", str(linked))
    untouched = snapshot_git_folder(project / ".git")
    looking = look(linked, state)
    assert looking.there_and_back({"b.txt": b"b\n"}) == (FileChange("b.txt", "A", 1, 0),)
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_submodule_as_the_project(project: Path, tmp_path: Path, state: Path) -> None:
    repository(tmp_path / "library", a_txt="one\n")
    repository(project, main_txt="main\n")
    add_submodule(project, tmp_path / "library", "lib")
    untouched = snapshot_git_folder(project / ".git")
    looking = look(project / "lib", state)
    assert looking.paths() == ["a.txt"]
    assert looking.there_and_back({"a.txt": b"two\n"}) == (FileChange("a.txt", "M", 1, 1),)
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_sha256_repository(project: Path, state: Path) -> None:
    project.mkdir(exist_ok=True)
    git(project, "init", "-q", "--object-format=sha256")
    (project / "a.txt").write_bytes(b"one\n")
    commit(project)
    looking = look(project, state)
    assert len(looking.workspace.take_snapshot().tree) == 64
    assert looking.there_and_back({"a.txt": b"two\n"}) == (FileChange("a.txt", "M", 1, 1),)


def test_a_path_with_every_kind_of_character(tmp_path: Path, state: Path) -> None:
    project = tmp_path / os.fsdecode(b'a "b"\n\\c:d\xe9 #')
    repository(project, a_txt="one\n")
    looking = look(project, state)
    assert looking.there_and_back({"a.txt": b"two\n"}) == (FileChange("a.txt", "M", 1, 1),)


def test_a_folder_without_git_is_seen_without_what_machines_make(
    project: Path, state: Path
) -> None:
    for path in (
        "a.py",
        "node_modules/x/i.js",
        ".venv/bin/python",
        "pkg/__pycache__/a.cpython.pyc",
    ):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_bytes(b"x\n")
    (project / ".gitignore").write_bytes(b"*.log\n")
    (project / "a.log").write_bytes(b"x\n")
    assert look(project, state).paths() == [".gitignore", "a.py"]
    assert not (project / ".git").exists()


def test_a_state_directory_inside_the_project_is_not_part_of_it(project: Path) -> None:
    (project / "a.txt").write_bytes(b"one\n")
    looking = look(project, project / ".local" / "state [1]")
    assert looking.paths() == ["a.txt"]
    assert looking.paths() == ["a.txt"]


# ---- what is seen --------------------------------------------------------------------------


def test_untracked_files_are_seen_and_ignored_ones_are_not(project: Path, state: Path) -> None:
    repository(project, _gitignore="*.log\n", tracked_txt="t\n")
    (project / "tracked.log").write_bytes(b"t\n")
    git(project, "add", "-f", "tracked.log")
    (project / ".git" / "info" / "exclude").write_bytes(b"private.txt")
    for name in ("new.txt", "new.log", "private.txt"):
        (project / name).write_bytes(b"n\n")
    looking = look(project, state)
    assert looking.paths() == [".gitignore", "new.txt", "tracked.log", "tracked.txt"]


def test_the_users_own_ignore_file_counts(project: Path, state: Path, home: Path) -> None:
    (home / "my ignore").write_text("*.swp\n", encoding="utf-8")
    git(project, "config", "--global", "core.excludesFile", "~/my ignore")
    repository(project, a_txt="one\n")
    (project / ".a.swp").write_bytes(b"x")
    assert look(project, state).paths() == ["a.txt"]


def test_files_marked_assume_unchanged_are_read(project: Path, state: Path) -> None:
    repository(project, hidden_txt="one\n", assumed_txt="one\n", gone_txt="one\n")
    git(project, "update-index", "--skip-worktree", "hidden.txt", "gone.txt")
    git(project, "update-index", "--assume-unchanged", "assumed.txt")
    (project / "gone.txt").unlink()
    (project / "hidden.txt").write_bytes(b"mine\n")
    (project / "assumed.txt").write_bytes(b"mine\n")
    untouched = snapshot_git_folder(project / ".git")
    looking = look(project, state)
    assert looking.paths() == ["assumed.txt", "hidden.txt"]
    assert looking.content("hidden.txt") == looking.content("assumed.txt") == b"mine\n"
    changes = looking.there_and_back({"hidden.txt": b"agent\n", "assumed.txt": b"agent\n"})
    assert [change.path for change in changes] == ["assumed.txt", "hidden.txt"]
    assert snapshot_git_folder(project / ".git") == untouched


@pytest.mark.parametrize("index", ["--no-sparse-index", "--sparse-index"])
def test_a_sparse_checkout(project: Path, state: Path, index: str) -> None:
    repository(project)
    for path in ("in/a.txt", "out/b.txt", "out/deep/c.txt"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_bytes(b"one\n")
    commit(project)
    git(project, "sparse-checkout", "set", "--cone", index, "in")
    untouched = snapshot_git_folder(project / ".git")
    looking = look(project, state)
    assert looking.paths() == ["in/a.txt"]
    changes = looking.there_and_back({"in/a.txt": b"two\n", "out/b.txt": b"two\n"})
    assert changes == (FileChange("in/a.txt", "M", 1, 1), FileChange("out/b.txt", "A", 1, 0))
    assert snapshot_git_folder(project / ".git") == untouched


def test_intent_to_add(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n")
    (project / "b.txt").write_bytes(b"b\n")
    (project / "empty.txt").write_bytes(b"")
    git(project, "add", "-N", "b.txt", "empty.txt")
    untouched = snapshot_git_folder(project / ".git")
    assert look(project, state).paths() == ["a.txt", "b.txt", "empty.txt"]
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_merge_with_conflicts(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n", b_txt="one\n")
    git(project, "checkout", "-q", "-b", "other")
    (project / "a.txt").write_bytes(b"theirs\n")
    git(project, "rm", "-q", "b.txt")
    commit(project)
    git(project, "checkout", "-q", "main")
    (project / "a.txt").write_bytes(b"ours\n")
    (project / "b.txt").write_bytes(b"ours\n")
    commit(project)
    merge = subprocess.run(["git", "merge", "other"], cwd=project, capture_output=True, check=False)
    assert merge.returncode == 1
    untouched = snapshot_git_folder(project / ".git")
    looking = look(project, state)
    assert looking.paths() == ["a.txt", "b.txt"]
    assert b"<<<<<<<" in looking.content("a.txt")
    changes = looking.there_and_back({"a.txt": b"solved\n"})
    assert [(change.path, change.status) for change in changes] == [("a.txt", "M")]
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_split_index(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n", b_txt="one\n")
    git(project, "update-index", "--split-index")
    (project / "b.txt").write_bytes(b"two\n")
    git(project, "add", "b.txt")
    untouched = snapshot_git_folder(project / ".git")
    assert any("sharedindex" in path for path in untouched)
    looking = look(project, state)
    assert looking.content("b.txt") == b"two\n"
    assert looking.there_and_back({"a.txt": b"two\n"}) == (FileChange("a.txt", "M", 1, 1),)
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_change_in_the_same_instant_as_the_index_is_seen(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n")
    git(project, "config", "core.trustctime", "false")
    instant = (10**18, 10**18)
    os.utime(project / "a.txt", ns=instant)
    git(project, "add", "a.txt")
    os.utime(project / ".git" / "index", ns=instant)
    (project / "a.txt").write_bytes(b"two\n")
    os.utime(project / "a.txt", ns=instant)
    assert look(project, state).content("a.txt") == b"two\n"


def test_an_index_that_cannot_be_trusted_costs_only_time(
    project: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(project, _gitignore="*.log\n", a_txt="one\n")
    (project / "tracked.log").write_bytes(b"t\n")
    git(project, "add", "-f", "tracked.log")
    monkeypatch.setattr("orchestrator.workspace.private._TIMED_ENTRY", re.compile(b"(?!)"))
    assert look(project, state).paths() == [".gitignore", "a.txt", "tracked.log"]


# ---- bytes ---------------------------------------------------------------------------------


def commit_as_of_old(project: Path) -> None:
    """Commit files that are older than the index, so that git trusts what it knows of them."""
    for path in project.glob("*.txt"):
        os.utime(path, ns=(10**18, 10**18))
    commit(project)


def test_line_endings_are_stored_as_on_disk(project: Path, state: Path) -> None:
    repository(project)
    git(project, "config", "core.autocrlf", "true")
    git(project, "config", "core.safecrlf", "false")
    mixed = b"one\r\ntwo\nthree\r\n"
    (project / "mixed.txt").write_bytes(mixed)
    (project / "crlf.txt").write_bytes(b"one\r\ntwo\r\n")
    commit_as_of_old(project)
    assert git(project, "show", "HEAD:crlf.txt") == b"one\ntwo\n"
    looking = look(project, state)
    assert looking.content("mixed.txt") == mixed
    changes = looking.there_and_back({"crlf.txt": b"one\r\n2\r\n", "mixed.txt": b"one\n"})
    assert changes == (FileChange("crlf.txt", "M", 1, 1), FileChange("mixed.txt", "M", 1, 3))


def test_a_file_in_another_encoding_is_stored_as_it_is(project: Path, state: Path) -> None:
    repository(project, _gitattributes="*.txt working-tree-encoding=UTF-16\n")
    text = "one\ntwo\n".encode("utf-16")
    (project / "wide.txt").write_bytes(text)
    commit_as_of_old(project)
    assert git(project, "show", "HEAD:wide.txt") == b"one\ntwo\n"
    looking = look(project, state)
    assert looking.content("wide.txt") == text
    looking.there_and_back({"wide.txt": b"narrow"})


def test_the_same_length_through_a_filter_is_not_the_same_bytes(project: Path, state: Path) -> None:
    repository(project, _gitattributes="*.txt filter=upper\n")
    git(project, "config", "filter.upper.clean", "tr a-z A-Z")
    (project / "a.txt").write_bytes(b"lower\n")
    commit_as_of_old(project)
    assert git(project, "show", "HEAD:a.txt") == b"LOWER\n"
    assert look(project, state).content("a.txt") == b"lower\n"


def test_kinds_of_files_change(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n", b_txt="one\n", folder_txt="one\n", run_sh="true\n")
    (project / "link").symlink_to("a.txt")
    looking = look(project, state)
    before_files, before = files_of(project), looking.workspace.take_snapshot()
    (project / "a.txt").unlink()
    (project / "a.txt").symlink_to("b.txt")
    (project / "folder.txt").unlink()
    (project / "folder.txt").mkdir()
    (project / "folder.txt" / "inside").write_bytes(b"x\n")
    (project / "link").unlink()
    (project / "link").write_bytes(b"no link\n")
    (project / "run.sh").chmod(0o755)
    after = looking.workspace.take_snapshot()
    diff = looking.workspace.diff_snapshots(before, after, state / "patch")
    assert [(change.path, change.status) for change in diff.changes] == [
        ("a.txt", "T"),
        ("folder.txt", "D"),
        ("folder.txt/inside", "A"),
        ("link", "T"),
        ("run.sh", "M"),
    ]
    assert looking.workspace.restore_files(before, after) == ()
    assert files_of(project) == before_files


def test_names_that_are_not_utf8_can_be_printed(project: Path, state: Path) -> None:
    looking = look(repository(project), state)
    changes = looking.there_and_back({os.fsdecode(b"caf\xe9\nx"): b"x\n", "grün": b"x\n"})
    assert [change.path for change in changes] == ["caf\\xe9\nx", "grün"]
    assert all(change.path.encode() for change in changes)


def test_names_that_git_apply_cannot_read_in_a_patch(project: Path, state: Path) -> None:
    looking = look(repository(project), state)
    changes = looking.there_and_back({" edge /a": b"", " ": b""})
    assert [change.path for change in changes] == [" ", " edge /a"]


def test_attributes_that_hide_a_diff_do_not(project: Path, state: Path) -> None:
    repository(project, _gitattributes="*.lock -diff\n")
    looking = look(project, state)
    assert looking.there_and_back({"a.lock": b"x\n"}) == (FileChange("a.lock", "A", 1, 0),)


def test_a_large_diff_goes_to_the_file(project: Path, state: Path) -> None:
    looking = look(repository(project), state)
    before = looking.workspace.take_snapshot()
    (project / "big.txt").write_bytes(b"0123456789abcde\n" * (50 * 2**16))
    tracemalloc.start()
    diff = looking.workspace.diff_snapshots(
        before, looking.workspace.take_snapshot(), state / "patch"
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert diff.changes == (FileChange("big.txt", "A", 50 * 2**16, 0),)
    assert diff.patch.stat().st_size > 50 * 2**20
    assert peak < 2**20


@pytest.mark.parametrize("inside", ["", "sub folder"])
def test_the_restore_command_gives_a_file_as_it_was(
    project: Path, state: Path, inside: str
) -> None:
    repository(project, a_txt="one\n")
    folder = project / inside
    folder.mkdir(exist_ok=True)
    before = b"\xff not text\r\n\0"
    (folder / "a file.bin").write_bytes(before)
    (project / ".gitattributes").write_text("*.bin text eol=lf\n", encoding="utf-8")
    workspace = look(folder, state).workspace
    command = workspace.restore_command(workspace.take_snapshot())
    (folder / "a file.bin").write_bytes(b"something else")
    workspace.take_snapshot()
    words = [word.replace("PATH", "a file.bin") for word in shlex.split(command)]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=True)
    assert done.stdout == before


def test_the_diff_command_prints_the_whole_patch(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n")
    (project / ".gitattributes").write_text("*.txt text eol=crlf\n", encoding="utf-8")
    workspace = look(project, state).workspace
    before = workspace.take_snapshot()
    (project / "a.txt").write_bytes(b"two\r\n")
    (project / "b.bin").write_bytes(b"\xff\0" * 50)
    after = workspace.take_snapshot()
    diff = workspace.diff_snapshots(before, after, state / "a.patch")
    command = shlex.split(workspace.diff_command(before, after))
    done = subprocess.run(command, cwd=project, capture_output=True, check=True)
    applied = b"diff --git a/a.txt b/a.txt\n" in done.stdout and b"GIT binary patch" in done.stdout
    assert applied
    assert done.stdout.count(b"\n") == diff.patch.read_bytes().count(b"\n")


# ---- repositories inside -------------------------------------------------------------------


def test_repositories_inside_are_named_and_not_seen(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n")
    repository(project / "new")
    (project / "new" / "x.txt").write_bytes(b"x\n")
    repository(project / "grown up", x_txt="x\n")
    untouched = snapshot_git_folder(project)
    looking = look(project, state)
    for _ in range(2):
        assert looking.paths() == ["a.txt"]
        assert looking.workspace.unseen_paths == ("grown up/", "new/")
    assert snapshot_git_folder(project) == untouched


def test_submodules_are_named_and_not_seen(project: Path, tmp_path: Path, state: Path) -> None:
    repository(tmp_path / "library", a_txt="one\n")
    repository(project, main_txt="main\n")
    add_submodule(project, tmp_path / "library", "lib")
    commit(project)
    untouched = snapshot_git_folder(project / ".git")
    looking = look(project, state)
    assert looking.paths() == [".gitmodules", "main.txt"]
    assert looking.workspace.unseen_paths == ("lib/",)
    assert snapshot_git_folder(project / ".git") == untouched


def test_a_submodule_in_a_subfolder_project(project: Path, tmp_path: Path, state: Path) -> None:
    repository(tmp_path / "library", a_txt="one\n")
    repository(project, main_txt="main\n")
    (project / "sub").mkdir()
    (project / "sub" / "b.txt").write_bytes(b"b\n")
    add_submodule(project, tmp_path / "library", "sub/lib")
    looking = look(project / "sub", state)
    assert looking.paths() == ["b.txt"]
    assert looking.workspace.unseen_paths == ("lib/",)


def test_what_was_a_repository_inside_is_not_taken_for_new_files(
    project: Path, state: Path
) -> None:
    repository(project, a_txt="one\n")
    repository(project / "inner", x_txt="x\n")
    looking = look(project, state)
    before = looking.workspace.take_snapshot()
    (project / "inner" / ".git").rename(state / "taken away")
    after = looking.workspace.take_snapshot()
    assert looking.workspace.restore_files(before, after) == ("inner/x.txt",)
    assert (project / "inner" / "x.txt").read_bytes() == b"x\n"


def add_submodule(project: Path, library: Path, path: str) -> None:
    git(
        project,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(library),
        path,
    )

"""The commit that lanes start from: the user's files as they are, and nothing of theirs touched."""

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.workspace.lanes import open_lane_repository
from tests.workspace.lanes import (
    BRANCH,
    add_lanes,
    lane_files,
    list_paths,
    open_lanes,
    users_own,
    write,
)
from tests.workspace.repositories import commit, files_of, git, repository


def test_the_base_has_the_users_work_and_their_repository_is_as_before(
    project: Path, tmp_path: Path
) -> None:
    repo = repository(project, a_py="a = 1\n", gone_py="x\n", _gitignore="*.log\n")
    write(repo, "stashed", "s")
    git(repo, "add", "stashed")
    git(repo, "stash", "-q")
    write(repo, "a.py", "a = 2\n")
    git(repo, "add", "a.py")
    write(repo, "a.py", "a = 3\n")
    write(repo, "deep/new.py")
    write(repo, "intended.py", "i\n")
    git(repo, "add", "-N", "intended.py")
    write(repo, "noise.log")
    (repo / "gone.py").unlink()
    (repo / "run.sh").write_text("#!/bin/sh\n", encoding="ascii")
    (repo / "run.sh").chmod(0o755)
    (repo / "link").symlink_to("a.py")
    write(repo, b"odd\n\xff name", "odd")
    before = users_own(repo)
    lanes = open_lanes(repo, tmp_path / "state")
    base = lanes.create_base()
    assert users_own(repo) == before
    assert lanes.create_base() == base
    assert open_lanes(repo, tmp_path / "state").create_base() == base
    changed = {"a.py", "gone.py", "deep/new.py", "intended.py", "run.sh", "link"}
    assert set(lanes.uncommitted) == changed | {os.fsdecode(b"odd\n\xff name")}
    assert lanes.read_file(base, "a.py") == b"a = 3\n"
    assert lanes.resolve(f"{base}^") == git(repo, "rev-parse", "HEAD").decode().strip()
    (folder,) = add_lanes(lanes, 1)
    (repo / "noise.log").unlink()
    assert lane_files(folder) == files_of(repo)
    assert git(folder, "status", "--porcelain") == b""
    (repo / "a.py").write_text("later\n", encoding="utf-8")
    assert lanes.create_base() == base
    assert users_own(repo) == before


def test_without_changes_the_base_is_the_users_commit(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    lanes = open_lanes(repo, tmp_path / "state")
    assert lanes.create_base() == git(repo, "rev-parse", "HEAD").decode().strip()
    assert lanes.uncommitted == lanes.withheld == ()
    assert lanes.prefix == ""


def test_untracked_secrets_are_withheld(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n", tracked_pem="t\n")
    secret = (
        *(
            ".env",
            ".env.local",
            "part/server.pem",
            "id_rsa",
            "id_ed25519_work",
            ".netrc",
            ".pgpass",
        ),
        *(".git-credentials", ".npmrc", ".pypirc", ".htpasswd", ".envrc", "a.key", "b.p12"),
        *("c.pfx", "d.jks", "e.keystore", "credentials-prod.json", "service-account-1.json"),
        *("secrets.yaml", "secrets.yml"),
    )
    public = (".env.example", "id_rsa.pub", "id_card.py", "tracked.pem", "keys.py", "monkey")
    for path in (*secret, *public):
        write(repo, path, "new\n")
    lanes = open_lanes(repo, tmp_path / "state")
    base = lanes.create_base()
    assert sorted(lanes.withheld) == sorted(secret)
    assert set(public) <= set(list_paths(lanes, base))
    assert not set(secret) & set(list_paths(lanes, base))
    (folder,) = add_lanes(lanes, 1)
    write(folder, "part/server.pem", "a copy of the user's\n")
    write(folder, "tests/data/server.pem", "made by the agent for a test\n")
    snapshot = lanes.take_snapshot(folder, base, "work")
    assert lanes.list_changes(base, snapshot.commit) == ("tests/data/server.pem",)
    assert snapshot.left_out == ("part/server.pem",)


def test_what_has_no_commit_cannot_be_worked_on(project: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a git repository"):
        open_lanes(project, tmp_path / "state")
    repo = repository(project)
    lanes = open_lanes(repo, tmp_path / "state")
    with pytest.raises(UsageError, match="has no commit"):
        lanes.create_base()
    write(repo, "a.py")
    commit(repo)
    write(repo, "part/b.py")
    with pytest.raises(UsageError, match="is not in the repository's last commit"):
        open_lanes(repo / "part", tmp_path / "state").create_base()
    assert not lanes.folder.exists()


def test_an_unfinished_merge_is_named(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    git(repo, "checkout", "-q", "-b", "other")
    write(repo, "a.py", "a = 2\n")
    commit(repo)
    git(repo, "checkout", "-q", "main")
    write(repo, "a.py", "a = 3\n")
    commit(repo)
    subprocess.run(["git", "merge", "-q", "other"], cwd=repo, check=False, capture_output=True)
    lanes = open_lanes(repo, tmp_path / "state")
    with pytest.raises(UsageError, match="not merged"):
        lanes.create_base()
    write(repo, "a.py", "a = 4\n")
    git(repo, "add", "a.py")  # resolved, not yet committed
    assert lanes.read_file(lanes.create_base(), "a.py") == b"a = 4\n"


def test_a_project_in_a_subfolder_brings_all_of_its_repository(
    project: Path, tmp_path: Path
) -> None:
    repo = repository(project, a_py="a = 1\n")
    write(repo, "part/b.py")
    commit(repo)
    write(repo, "part/c.py")
    write(repo, "d.py")
    lanes = open_lanes(repo / "part", tmp_path / "state")
    assert lanes.prefix == "part/"
    (folder,) = add_lanes(lanes, 1)
    assert set(lanes.uncommitted) == {"part/c.py", "d.py"}
    assert lane_files(folder) == files_of(repo)


def test_the_users_repository_may_itself_be_a_linked_work_tree(
    project: Path, tmp_path: Path
) -> None:
    repo = repository(project, a_py="a = 1\n")
    linked = tmp_path / "linked"
    git(repo, "worktree", "add", "-q", "-b", "side", str(linked))
    write(linked, "b.py")
    lanes = open_lanes(linked, tmp_path / "state")
    (folder,) = add_lanes(lanes, 1)
    assert sorted(lane_files(folder)) == [b"a.py", b"b.py"]
    assert lanes.publish(lanes.create_base(), BRANCH) == ""
    assert git(linked, "show", f"{BRANCH}:b.py") == b"x\n"
    assert lanes.publish(lanes.create_base(), "side") != ""


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_both_kinds_of_ids(tmp_path: Path, object_format: str) -> None:
    repo = tmp_path / "project"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main", f"--object-format={object_format}")
    write(repo, "a.py")
    commit(repo)
    write(repo, "b.py")
    lanes = open_lanes(repo, tmp_path / "state")
    folder, other = add_lanes(lanes, 2)
    base = lanes.create_base()
    write(folder, "a.py", "1\n")
    write(other, "a.py", "2\n")
    works = {str(each): lanes.snapshot_lane(each, base, "work") for each in (folder, other)}
    assert lanes.find_conflicts(works) == [(str(folder), str(other), ("a.py",))]
    added = lanes.replace_files(works[str(folder)], {"c.md": b"c"}, "rules")
    assert lanes.publish(added, BRANCH) == ""
    assert git(repo, "show", f"{BRANCH}:c.md") == b"c"


def test_files_are_converted_as_the_users_git_converts_them(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_txt="a\r\nb\r\n", raw_bin="a\r\nb\r\n")
    write(repo, ".gitattributes", "*.txt text eol=crlf\n*.up filter=upper -text\n*.bin -text\n")
    git(repo, "config", "filter.upper.clean", "tr a-z A-Z")
    git(repo, "config", "filter.upper.smudge", "tr A-Z a-z")
    git(repo, "add", "--renormalize", ".")
    git(repo, "config", "core.autocrlf", "true")
    commit(repo)
    write(repo, "user.up", "from the user\n")
    write(repo, "mixed.txt", "a\r\nb\n")
    lanes = open_lanes(repo, tmp_path / "state")
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    assert lanes.read_file(base, "user.up") == b"FROM THE USER\n"
    assert lanes.read_file(base, "mixed.txt") == b"a\nb\n"
    assert (folder / "user.up").read_bytes() == b"from the user\n"
    assert (folder / "a.txt").read_bytes() == b"a\r\nb\r\n"
    write(folder, "lane.up", "from the lane\n")
    write(folder, "new.py", "a\r\n")
    work = lanes.snapshot_lane(folder, base, "work")
    assert lanes.read_file(work, "lane.up") == b"FROM THE LANE\n"
    assert lanes.read_file(work, "new.py") == b"a\n"
    assert lanes.list_changes(base, work) == ("lane.up", "new.py")


def test_an_agent_may_not_give_git_a_filter(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    lanes = open_lanes(repo, tmp_path / "state")
    (folder,) = add_lanes(lanes, 1)
    marker = tmp_path / "was run"
    git(folder, "config", "filter.evil.clean", f"touch '{marker}'; cat")
    git(folder, "config", "core.fsmonitor", f"touch '{marker}'")
    write(folder, ".gitattributes", "* filter=evil\n")
    write(folder, "b.py")
    base = lanes.create_base()
    lanes.reset_lane(folder, lanes.snapshot_lane(folder, base, "work"))
    assert not marker.exists()


def test_a_sparse_checkout_stays_sparse(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    write(repo, "big/b.py")
    write(repo, "small/c.py")
    commit(repo)
    git(repo, "sparse-checkout", "set", "small")
    write(repo, "small/new.py")
    lanes = open_lanes(repo, tmp_path / "state")
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    assert lanes.uncommitted == ("small/new.py",)
    assert sorted(lane_files(folder)) == [b"a.py", b"small/c.py", b"small/new.py"]
    write(folder, "other/made.py")
    write(folder, "small/c.py", "changed\n")
    work = lanes.snapshot_lane(folder, base, "work")
    assert lanes.list_changes(base, work) == ("other/made.py", "small/c.py")
    lanes.reset_lane(folder, base)
    assert sorted(lane_files(folder)) == [b"a.py", b"small/c.py", b"small/new.py"]


def test_a_shallow_clone(project: Path, tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", a_py="a = 1\n")
    for number in range(3):
        write(origin, "a.py", f"a = {number + 2}\n")
        commit(origin)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", str(project))
    write(project, "b.py")
    lanes = open_lanes(project, tmp_path / "state")
    (folder,) = add_lanes(lanes, 1)
    write(folder, "c.py")
    shallow = (project / ".git" / "shallow").read_bytes()
    work = lanes.snapshot_lane(folder, lanes.create_base(), "work")
    assert lanes.publish(work, BRANCH) == ""
    assert (project / ".git" / "shallow").read_bytes() == shallow
    assert git(project, "log", "--format=%s", BRANCH).count(b"\n") == 3
    git(project, "fsck", "--connectivity-only")


def test_a_partial_clone_fetches_nothing(project: Path, tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", a_py="a = 1\n")
    write(origin, "big/b.py", "big\n")
    write(origin, "old.py", "old\n")
    commit(origin)
    write(origin, "old.py", "new\n")
    commit(origin)
    git(origin, "config", "uploadpack.allowFilter", "true")
    options = ("-q", "--filter=blob:none", "--sparse")
    git(tmp_path, "clone", *options, f"file://{origin}", str(project))
    origin.rename(tmp_path / "moved away")
    write(project, "c.py")
    lanes = open_lanes(project, tmp_path / "state")
    (folder,) = add_lanes(lanes, 1)
    assert sorted(lane_files(folder)) == [b"a.py", b"c.py", b"old.py"]
    write(folder, "a.py", "changed\n")
    base = lanes.create_base()
    work = lanes.snapshot_lane(folder, base, "work")
    assert lanes.list_changes(base, work) == ("a.py",)
    other = lanes.replace_files(base, {"c.py": b"c"}, "other")
    merge = lanes.merge(work, other)
    both = lanes.commit_tree(merge.tree, [work, other], "both")
    assert lanes.publish(both, BRANCH) == ""
    assert git(project, "show", f"{BRANCH}:a.py") == b"changed\n"


def test_submodules_stay_what_they_are(project: Path, tmp_path: Path) -> None:
    part = repository(tmp_path / "part", p_py="p\n")
    repo = repository(project, a_py="a = 1\n")
    allow = ("-c", "protocol.file.allow=always")
    git(repo, *allow, "submodule", "--quiet", "add", str(part), "sub")
    commit(repo)
    write(repo / "sub", "more.py")
    commit(repo / "sub")
    lanes = open_lanes(repo, tmp_path / "state")
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    assert lanes.uncommitted == ("sub",)  # as `git add` would: it is at another commit
    assert lanes.resolve(f"{base}:sub") == git(repo / "sub", "rev-parse", "HEAD").decode().strip()
    assert list((folder / "sub").iterdir()) == []
    assert lanes.snapshot_lane(folder, base, "work") == base
    git(folder, "clone", "-q", str(part), "sub")
    write(folder / "sub", "lost.py")
    commit(folder / "sub")
    write(folder, "b.py")
    work = lanes.snapshot_lane(folder, base, "work")
    assert lanes.list_changes(base, work) == ("b.py",)


def test_what_the_user_prunes_is_still_there(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    for number in range(3):
        write(repo, "a.py", f"a = 'commit {number}'\n")
        write(repo, f"only{number}.py", f"{number}\n")
        commit(repo)
    write(repo, "a.py", "a = 'not committed'\n")
    lanes = open_lanes(repo, tmp_path / "state")
    base = lanes.create_base()
    git(repo, "reset", "-q", "--hard", "HEAD~3")
    git(repo, "reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all")
    git(repo, "gc", "-q", "--prune=now")
    folder, other = add_lanes(lanes, 2)
    write(folder, "b.py")
    write(other, "c.py")
    works = [lanes.snapshot_lane(each, base, "work") for each in (folder, other)]
    both = lanes.commit_tree(lanes.merge(*works).tree, works, "both")
    assert len(lanes.list_commits(base, both)) == 3
    assert lanes.publish(both, BRANCH) == ""
    git(repo, "fsck", "--full", "--strict")
    assert git(repo, "show", f"{BRANCH}:only2.py") == b"2\n"
    assert git(repo, "log", "--oneline", BRANCH).count(b"\n") == 8


def test_an_agents_garbage_collection_removes_nothing(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    lanes = open_lanes(repo, tmp_path / "state")
    folder, other = add_lanes(lanes, 2)
    base = lanes.create_base()
    write(folder, "b.py")
    work = lanes.snapshot_lane(folder, base, "work")
    (folder / ".git").unlink()
    for command in (("gc", "-q", "--prune=now"), ("worktree", "prune")):
        subprocess.run(["git", *command], cwd=other, check=False, capture_output=True)
    assert lanes.read_file(work, "b.py") == b"x\n"
    lanes.reset_lane(folder, base)
    assert git(folder, "status", "--porcelain") == b""


def test_a_state_directory_that_cannot_be_written(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    (tmp_path / "state").write_text("a file\n", encoding="ascii")
    lanes = open_lane_repository(repo, tmp_path / "state" / "lists" / "one" / "repository.git")
    with pytest.raises(InfrastructureError, match="cannot be written"):
        lanes.create_base()


def test_a_state_directory_in_the_repository_is_not_in_the_base(project: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    write(repo, "state/other.db")
    lanes = open_lanes(repo, repo / "state")
    assert lanes.create_base() == git(repo, "rev-parse", "HEAD").decode().strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to another user")
def test_a_repository_of_another_user_is_not_read(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, marker = repository(project, a_py="a = 1\n"), tmp_path / "was run"
    git(repo, "config", "filter.x.clean", f"touch '{marker}'; cat")
    write(repo, ".gitattributes", "* filter=x\n")
    monkeypatch.delenv("SUDO_UID", raising=False)
    for path in (repo, repo / ".git"):
        os.chown(path, 12345, -1)
    with pytest.raises(UsageError, match="belongs to another user") as caught:
        open_lanes(repo, tmp_path / "state")
    remedy = f"git config --global --add safe.directory {repo}"
    assert caught.value.hint.endswith(remedy)
    assert not marker.exists()
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[safe]\n\tdirectory = {repo}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert open_lanes(repo, tmp_path / "state").create_base()
    assert marker.exists()  # as `git add` would run it

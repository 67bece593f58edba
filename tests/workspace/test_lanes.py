"""The lanes themselves: made, looked at while an agent works, reset, and merged."""

import os
import shutil
import socket
import threading
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.workspace import lane_files
from orchestrator.workspace.lanes import LaneRepository
from tests.workspace.lanes import add_lanes, list_paths, open_lanes, write
from tests.workspace.lanes import lane_files as files_in
from tests.workspace.repositories import git, repository


@pytest.fixture
def lanes(project: Path, tmp_path: Path) -> LaneRepository:
    repository(project, a_py="a = 1\n", b_py="b\n" * 20, _gitignore="*.log\n.venv/\n")
    return open_lanes(project, tmp_path / "state")


def test_a_snapshot_has_what_git_would_add(lanes: LaneRepository) -> None:
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    assert lanes.snapshot_lane(folder, base, "nothing") == base
    write(folder, "a.py", "a = 2\n")
    (folder / "b.py").unlink()
    write(folder, "sub/c.py")
    write(folder, "noise.log")
    write(folder, "__pycache__/a.pyc")
    write(folder, "CLAUDE.md", "- a rule\n")
    write(folder, "list/tasks.md")
    index = git(folder, "ls-files", "--stage")
    work = lanes.snapshot_lane(folder, base, "Do it\n\nRun: 1\n", ["CLAUDE.md", "list"])
    assert lanes.list_changes(base, work) == ("a.py", "b.py", "sub/c.py")
    assert lanes.list_commits(base, work) == [(work, "Do it\n\nRun: 1")]
    assert git(folder, "ls-files", "--stage") == index
    learned = lanes.snapshot_lane(folder, base, "all")
    assert set(lanes.list_changes(work, learned)) == {"CLAUDE.md", "list/tasks.md"}
    write(folder, "a.py", "a = 1\n")
    assert "a.py" not in lanes.list_changes(base, lanes.snapshot_lane(folder, base, "again"))


def test_paths_that_are_left_are_as_in_the_parent(lanes: LaneRepository) -> None:
    write(lanes.project, "docs/list.md", "- [ ] one\n")
    write(lanes.project, "docs/[x].md", "x\n")
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    shutil.rmtree(folder / "docs")
    write(folder, "docs", "a file now\n")
    work = lanes.snapshot_lane(folder, base, "work", ["docs/list.md", "missing.md"])
    assert lanes.read_file(work, "docs/list.md") == b"- [ ] one\n"
    work = lanes.snapshot_lane(folder, base, "work", ["docs/[x].md/", "docs/list.md", ""])
    assert "docs/[x].md" in list_paths(lanes, work)
    (folder / "docs").unlink()
    write(folder, "docs/list.md/inside")
    write(folder, "new.py")
    work = lanes.snapshot_lane(folder, base, "work", ["docs"])
    assert lanes.list_changes(base, work) == ("new.py",)


def test_what_an_agent_does_with_git_does_not_matter(lanes: LaneRepository, tmp_path: Path) -> None:
    folder, other = add_lanes(lanes, 2)
    base = lanes.create_base()
    write(folder, "a.py", "a = 2\n")
    git(folder, "checkout", "-q", "-b", "mine")
    git(folder, "commit", "-q", "-a", "-m", "the agent's own")
    git(folder, "rm", "-q", "--cached", "b.py")
    write(folder, "c.py")
    work = lanes.snapshot_lane(folder, base, "work")
    assert lanes.list_changes(base, work) == ("a.py", "c.py")
    assert lanes.resolve(f"{work}^") == base
    evil = repository(tmp_path / "evil", e_py="evil\n")
    write(folder, ".git", f"gitdir: {evil}/.git\n")
    assert lanes.snapshot_lane(folder, base, "work") is not None
    assert lanes.list_changes(work, lanes.snapshot_lane(folder, base, "work")) == ()
    (folder / ".git").unlink()
    git(folder, "init", "-q")
    assert lanes.list_changes(work, lanes.snapshot_lane(folder, base, "work")) == ()
    lanes.reset_lane(folder, base)
    assert git(folder, "rev-parse", "HEAD").decode().strip() == base
    assert git(folder, "status", "--porcelain", "--branch") == b"## HEAD (no branch)\n"
    assert git(folder, "worktree", "list").count(b"(detached HEAD)") == 2
    assert files_in(folder) == files_in(other)
    assert git(evil, "status", "--porcelain") == b""


def test_a_lane_in_the_middle_of_a_merge_is_reset(lanes: LaneRepository) -> None:
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    git(folder, "checkout", "-q", "-b", "one")
    write(folder, "a.py", "a = 'one'\n")
    git(folder, "commit", "-q", "-a", "-m", "one")
    git(folder, "checkout", "-q", "--detach", base)
    write(folder, "a.py", "a = 'two'\n")
    git(folder, "commit", "-q", "-a", "-m", "two")
    with pytest.raises(AssertionError):
        git(folder, "merge", "-q", "one")
    work = lanes.snapshot_lane(folder, base, "work")
    assert b"<<<<<<<" in (lanes.read_file(work, "a.py") or b"")
    lanes.reset_lane(folder, base)
    assert b"merging" not in git(folder, "status")
    assert git(folder, "status", "--porcelain") == b""
    assert git(folder, "rev-parse", "refs/heads/one")


def test_a_reset_lane_has_the_commit_and_the_ignored_files(lanes: LaneRepository) -> None:
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    tip = lanes.replace_files(base, {"a.py": b"a = 9\n", "deep/new.py": b"n\n"}, "tip")
    write(folder, ".venv/bin/python")
    write(folder, "noise.log")
    write(folder, ".env", "COPIED=1\n")
    write(folder, "left/over.py")
    write(folder, "deep/new.py", "in the way\n")
    lanes.reset_lane(folder, tip)
    assert git(folder, "status", "--porcelain") == b"?? .env\n"
    assert (folder / "deep" / "new.py").read_bytes() == b"n\n"
    kept = {b".venv/bin/python", b"noise.log", b".env", b"deep/new.py"}
    assert set(files_in(folder)) == kept | {b"a.py", b"b.py", b".gitignore"}
    lanes.reset_lane(folder, base)
    assert not (folder / "deep").exists()
    assert lanes.snapshot_lane(folder, base, "nothing") == base


def test_files_become_folders_and_links(lanes: LaneRepository) -> None:
    write(lanes.project, "sub/one.py")
    write(lanes.project, "sub/two.py")
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    (folder / "a.py").unlink()
    write(folder, "a.py/inside.py")
    (folder / "sub").rename(folder / "moved")
    (folder / "sub").symlink_to("moved")
    work = lanes.snapshot_lane(folder, base, "work")
    paths = {".gitignore", "a.py/inside.py", "b.py", "moved/one.py", "moved/two.py", "sub"}
    assert set(list_paths(lanes, work)) == paths
    lanes.reset_lane(folder, base)
    assert git(folder, "status", "--porcelain") == b""
    lanes.reset_lane(folder, work)
    assert (folder / "sub").is_symlink()
    assert git(folder, "status", "--porcelain") == b""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_reported(lanes: LaneRepository) -> None:
    (folder,) = add_lanes(lanes, 1)
    write(folder, "closed.py").chmod(0)
    write(folder, "c.py")
    snapshot = lanes.take_snapshot(folder, lanes.create_base(), "work")
    assert snapshot.left_out == ("closed.py",)


def test_a_file_in_a_closed_folder_is_not_taken_for_deleted(
    lanes: LaneRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lanes.project, "closed/d.py")
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    write(folder, "closed/d.py", "changed\n")
    (folder / "b.py").unlink()
    lstat = Path.lstat

    def refuse(path: Path) -> os.stat_result:  # root may enter every folder
        if path.parent.name == "closed":
            raise PermissionError
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", refuse)
    snapshot = lanes.take_snapshot(folder, base, "work")
    assert snapshot.left_out == ("closed/d.py",)
    assert lanes.list_changes(base, snapshot.commit) == ("b.py",)


def test_what_cannot_be_committed_is_reported(
    lanes: LaneRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    monkeypatch.setattr(lane_files, "MOST_BYTES", 1000)
    monkeypatch.chdir(folder)  # the path of a socket may not be long
    write(folder, "huge.bin", "x" * 1001)
    write(folder, "c.py")
    nested = repository(folder / "nested", n_py="n\n")
    git(nested, "config", "core.fsmonitor", f"touch '{folder}/was-run'")
    repository(folder / "empty")
    os.mkfifo(folder / "pipe")
    (folder / "b.py").unlink()
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("b.py")
        snapshot = lanes.take_snapshot(folder, base, "work")
    assert snapshot.left_out == ("empty/", "huge.bin", "nested/")
    assert lanes.list_changes(base, snapshot.commit) == ("b.py", "c.py")
    assert not (folder / "was-run").exists()


def test_a_file_under_a_filter_may_be_huge(
    lanes: LaneRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(lanes.project, "config", "filter.pointer.clean", "wc -c")
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    monkeypatch.setattr(lane_files, "MOST_BYTES", 1000)
    write(folder, ".gitattributes", "*.bin filter=pointer\n")
    write(folder, "huge.bin", "x" * 2000)
    snapshot = lanes.take_snapshot(folder, base, "work")
    assert snapshot.left_out == ()
    assert lanes.read_file(snapshot.commit, "huge.bin") == b"2000\n"


def test_a_filter_that_fails_is_an_error_and_not_a_loss(lanes: LaneRepository) -> None:
    git(lanes.project, "config", "filter.locked.clean", "false")
    git(lanes.project, "config", "filter.locked.required", "true")
    (folder,) = add_lanes(lanes, 1)
    write(folder, ".gitattributes", "*.key filter=locked\n")
    write(folder, "one.key")
    write(folder, "c.py")
    with pytest.raises(InfrastructureError, match=r"git cannot store one\.key of .*clean filter"):
        lanes.snapshot_lane(folder, lanes.create_base(), "work")


@pytest.mark.whole
def test_snapshots_while_an_agent_writes(lanes: LaneRepository) -> None:
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    ended = threading.Event()

    def work() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            for name in range(20):
                write(folder, f"made{number % 5}/{name}.py", f"{number}\n")
            shutil.rmtree(folder / f"made{(number + 2) % 5}", ignore_errors=True)

    agent = threading.Thread(target=work)
    agent.start()
    try:
        for _ in range(12):
            lanes.snapshot_lane(folder, base, "work")
    finally:
        ended.set()
        agent.join()
    last = lanes.snapshot_lane(folder, base, "work")
    assert set(list_paths(lanes, last)) == {os.fsdecode(path) for path in files_in(folder)}


def test_two_may_look_at_a_lane_at_once(lanes: LaneRepository) -> None:
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    write(folder, "c.py")
    found: list[str] = []
    lookers = [
        threading.Thread(
            target=lambda: found.append(lanes.tree_of(lanes.snapshot_lane(folder, base, "work")))
        )
        for _ in range(6)
    ]
    for each in lookers:
        each.start()
    for each in lookers:
        each.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert not list((lanes.folder / "indexes").glob("*.draft*"))


def test_lanes_are_found_again_and_left(lanes: LaneRepository, tmp_path: Path) -> None:
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    write(folder, "work.py")
    again = open_lanes(lanes.project, tmp_path / "state")
    again.add_lane(folder, base)
    assert (folder / "work.py").exists()
    shutil.rmtree(folder)
    again.add_lane(folder, base)
    assert git(folder, "status", "--porcelain") == b""
    in_the_way = folder.with_name("2")
    write(in_the_way, "somebody's")
    with pytest.raises(InfrastructureError, match="in the way"):
        lanes.add_lane(in_the_way, base)
    assert (in_the_way / "somebody's").exists()
    with pytest.raises(InfrastructureError, match="is no lane"):
        lanes.reset_lane(in_the_way, base)
    with pytest.raises(InfrastructureError, match="is gone"):
        lanes.snapshot_lane(folder.with_name("3"), base, "work")


def test_a_lane_in_a_folder_that_a_link_leads_to(lanes: LaneRepository, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    base = lanes.create_base()
    folder = tmp_path / "link" / "a\nlane"
    lanes.add_lane(folder, base)
    lanes.add_lane(folder, base)
    write(folder, "c.py")
    work = lanes.snapshot_lane(folder, base, "work")
    assert lanes.list_changes(base, work) == ("c.py",)
    lanes.reset_lane(folder, base)


def test_seven_lanes_are_merged_without_a_work_tree(lanes: LaneRepository) -> None:
    folders = add_lanes(lanes, 7)
    base = lanes.create_base()
    for number, folder in enumerate(folders):
        write(folder, f"own{number}.py")
    write(folders[1], "b.py", "one\n" + "b\n" * 19)
    write(folders[2], "b.py", "two\n" + "b\n" * 19)
    write(folders[3], "b.py", "b\n" * 19 + "three\n")
    (folders[4] / "b.py").unlink()
    write(folders[5], b"odd\n\xff", "five")
    write(folders[6], b"odd\n\xff", "six")
    works = {str(each): lanes.snapshot_lane(folders[each], base, "work") for each in range(7)}
    odd = os.fsdecode(b"odd\n\xff")
    assert lanes.find_conflicts(works) == [
        ("1", "2", ("b.py",)),
        ("1", "4", ("b.py",)),
        ("2", "4", ("b.py",)),
        ("3", "4", ("b.py",)),
        ("5", "6", (odd,)),
    ]
    assert lanes.find_conflicts({"a": base, "b": base, "c": works["0"]}) == []
    assert lanes.find_conflicts({"a": base}) == lanes.find_conflicts({}) == []
    tip, refused = base, []
    for key, work in works.items():
        merge = lanes.merge(tip, work)
        assert bool(merge.tree) != bool(merge.conflicts)
        if merge.tree:
            tip = lanes.commit_tree(merge.tree, [tip], f"Land {key}")
        else:
            refused.append(key)
    assert refused == ["2", "4", "6"]
    assert [text for _, text in lanes.list_commits(base, tip)] == [
        f"Land {key}" for key in ("0", "1", "3", "5")
    ]
    missing = "0" * 39 + "1"
    for ask in (
        lambda: lanes.merge(tip, missing),
        lambda: lanes.find_conflicts({"a": tip, "b": missing}),
    ):
        with pytest.raises(InfrastructureError, match="merge-tree"):
            ask()


def test_refs_are_compared_and_swapped(lanes: LaneRepository) -> None:
    base = lanes.create_base()
    one = lanes.replace_files(base, {"a.py": b"1\n"}, "one")
    two = lanes.replace_files(base, {"a.py": b"2\n"}, "two")
    ref = "refs/orchestrator/tip"
    assert lanes.read_ref(ref) == ""
    assert not lanes.move_ref(ref, one, two)
    assert lanes.move_ref(ref, one, "")
    assert not lanes.move_ref(ref, two, "")
    assert not lanes.move_ref(ref, two, base)
    assert lanes.read_ref(ref) == one
    assert lanes.move_ref(ref, two, one)
    lanes.set_ref("refs/orchestrator/work/r-1", one)
    assert lanes.list_refs("refs/orchestrator/work") == {"refs/orchestrator/work/r-1": one}
    assert lanes.read_ref("refs/orchestrator/work") == ""
    assert lanes.resolve("refs/orchestrator/work/r-1^") == base
    assert lanes.resolve("nothing") == lanes.resolve("--help") == ""
    with pytest.raises(InfrastructureError):
        lanes.move_ref(ref, "0" * 39 + "1", two)


def test_files_of_commits(lanes: LaneRepository, tmp_path: Path) -> None:
    (lanes.project / "a.py").chmod(0o755)
    base = lanes.create_base()
    odd = os.fsdecode(b"odd\n\xff [x]*")
    contents = {"a.py": b"\0\xff", odd: b"o", "sub/new.py": b"n", "b.py": None, "none": None}
    work = lanes.replace_files(base, contents, "rules")
    assert lanes.list_changes(base, work) == ("a.py", "b.py", odd, "sub/new.py")
    assert lanes.read_file(work, "a.py") == b"\0\xff"
    assert lanes.read_file(work, odd) == b"o"
    assert lanes.read_file(work, "b.py") is lanes.read_file(work, "sub") is None
    assert git(lanes.folder, "ls-tree", work, "a.py").startswith(b"100755")
    assert lanes.replace_files(work, contents, "again") == work
    patch = tmp_path / "patches" / "one.patch"
    lanes.write_patch(base, work, patch)
    (folder,) = add_lanes(lanes, 1)
    git(folder, "apply", "--index", str(patch))
    assert lanes.tree_of(work) == git(folder, "write-tree").decode().strip()
    with pytest.raises(InfrastructureError, match="cannot be written"):
        lanes.write_patch(base, work, patch / "below a file")


def test_commits_go_to_another_repository_and_back(lanes: LaneRepository, tmp_path: Path) -> None:
    base = lanes.create_base()
    work = lanes.replace_files(base, {"a.py": b"1\n"}, "one")
    lanes.set_ref("refs/orchestrator/work/r-1", work)
    mirror = tmp_path / "mirror.git"
    git(tmp_path, "init", "-q", "--bare", str(mirror))
    lanes.push(str(mirror), ["refs/orchestrator/work/r-1:refs/orchestrator/jobs/j/1"])
    lanes.fetch(str(mirror), ["refs/orchestrator/jobs/j/1:refs/orchestrator/jobs/j/1"])
    assert lanes.read_ref("refs/orchestrator/jobs/j/1") == work
    with pytest.raises(InfrastructureError) as caught:
        lanes.fetch("https://somebody:secret@127.0.0.1:9/x.git", ["refs/heads/main"])
    assert "secret" not in str(caught.value)

"""A restore loses nothing."""

import os
import shutil
import signal
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from orchestrator.workspace import GitWorkspace, open_workspace
from orchestrator.workspace.restore_plan import LeftReason
from orchestrator.workspace.tree_files import check_out_files
from tests.ordinary_user import make_public_folder, ordinary_user
from tests.workspace.repositories import files_of, git, repository


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def workspace(project: Path, state: Path) -> GitWorkspace:
    repository(project, a_txt="one\n", _gitignore="secret.txt\n/data/\n")
    return open_workspace(project, state)


def test_a_file_that_was_ignored_before_is_not_taken_for_new(
    project: Path, workspace: GitWorkspace
) -> None:
    (project / "secret.txt").write_bytes(b"mine\n")
    (project / "data").mkdir()
    (project / "data" / "set.csv").write_bytes(b"mine\n")
    before = workspace.take_snapshot()
    (project / ".gitignore").unlink()
    (project / "agent.txt").write_bytes(b"the agent's\n")
    after = workspace.take_snapshot()
    assert workspace.restore_files(before, after) == ("data/set.csv", "secret.txt")
    assert (project / "secret.txt").read_bytes() == b"mine\n"
    assert (project / "data" / "set.csv").read_bytes() == b"mine\n"
    assert not (project / "agent.txt").exists()
    assert workspace.take_snapshot() != before  # git goes on seeing what it saw once


@pytest.mark.parametrize("again", [False, True], ids=["the same process", "another process"])
def test_a_private_file_is_restored_private(
    project: Path, state: Path, workspace: GitWorkspace, again: bool
) -> None:
    modes = {"key.ini": 0o600, "own": 0o700, "own/deep/run.sh": 0o750, "a_txt": 0o644}
    (project / "own" / "deep").mkdir(parents=True)
    for name, mode in modes.items():
        path = project / name
        path.is_dir() or path.write_text("x", encoding="utf-8")
        path.chmod(0o777 if path.is_dir() else mode | 0o066)
    workspace.remember_modes(workspace.take_snapshot())
    for name, mode in modes.items():  # a later mode in the same tree wins
        (project / name).chmod(mode)
    before = workspace.take_snapshot()
    workspace.remember_modes(before)
    for name in ("key.ini", "own/deep/run.sh", "a_txt"):
        (project / name).unlink()
    (project / "own" / "deep").rmdir()
    (project / "own").rmdir()
    after = workspace.take_snapshot()
    if again:
        workspace = open_workspace(project, state)
    assert workspace.restore_files(before, after) == ()
    assert {name: stat.S_IMODE((project / name).stat().st_mode) for name in modes} == modes


def test_another_umask_leaves_modes_as_they_were(
    project: Path, state: Path, workspace: GitWorkspace
) -> None:
    umask = os.umask(0o022)
    (project / "sub").mkdir()
    for name in ("sub/a.txt", "sub/run.sh"):
        (project / name).write_text("x", encoding="utf-8")
    (project / "sub/run.sh").chmod(0o755)
    before = workspace.take_snapshot()
    workspace.remember_modes(before)
    shutil.rmtree(project / "sub")
    after = workspace.take_snapshot()
    os.umask(0o077)
    try:
        assert open_workspace(project, state).restore_files(before, after) == ()
    finally:
        os.umask(umask)
    modes = [(project / name).stat().st_mode & 0o777 for name in ("sub", "sub/a.txt", "sub/run.sh")]
    assert modes == [0o755, 0o644, 0o755]


def test_a_private_file_is_private_while_it_is_written(
    project: Path, workspace: GitWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "key.ini").write_text("x", encoding="utf-8")
    (project / "key.ini").chmod(0o400)
    before = workspace.take_snapshot()
    workspace.remember_modes(before)
    (project / "key.ini").unlink()
    seen, copy = [], shutil.copyfile

    def look(source: Path, target: Path) -> Path:
        seen.append(stat.S_IMODE(target.stat().st_mode))
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", look)
    workspace.restore_files(before, workspace.take_snapshot())
    assert seen == [0o600]
    assert stat.S_IMODE((project / "key.ini").stat().st_mode) == 0o400


def test_a_pipe_in_the_place_of_a_file_is_replaced(
    project: Path, state: Path, workspace: GitWorkspace
) -> None:
    before = workspace.take_snapshot()
    (project / "a.txt").unlink()
    os.mkfifo(project / "a.txt")
    after = workspace.take_snapshot()
    changes = workspace.diff_snapshots(before, after, state / "patch").changes
    assert [(each.path, each.status) for each in changes] == [("a.txt", "D")]
    assert workspace.restore_files(before, after) == ()
    assert (project / "a.txt").read_bytes() == b"one\n"


def test_the_rules_above_a_subfolder_count_too(project: Path, state: Path) -> None:
    repository(project, _gitignore="*.csv\n")
    inside = project / "sub" / "project"
    inside.mkdir(parents=True)
    (inside / "mine.csv").write_bytes(b"mine\n")
    workspace = open_workspace(inside, state)
    before = workspace.take_snapshot()
    (inside / ".gitignore").write_bytes(b"!*.csv\n")
    after = workspace.take_snapshot()
    assert workspace.restore_files(before, after) == ("mine.csv",)
    assert sorted(files_of(inside)) == [b"mine.csv"]


def test_a_file_that_the_agent_made_git_ignore_is_still_seen(
    project: Path, state: Path, workspace: GitWorkspace
) -> None:
    (project / "new.txt").write_bytes(b"one\n")
    before = workspace.take_snapshot()
    (project / ".gitignore").write_bytes(b"*.txt\n")
    (project / "new.txt").write_bytes(b"two\n")
    again = open_workspace(project, state)  # as after a resume
    after = again.take_snapshot()
    diff = again.diff_snapshots(before, after, state / "patch")
    assert [(c.path, c.status) for c in diff.changes] == [(".gitignore", "M"), ("new.txt", "M")]
    assert again.restore_files(before, after) == ()
    assert (project / "new.txt").read_bytes() == b"one\n"


def test_a_snapshot_works_after_a_kill_during_one(
    project: Path, state: Path, workspace: GitWorkspace
) -> None:
    before = workspace.take_snapshot()
    (state / "git" / "index.lock").write_bytes(b"half an index")
    assert open_workspace(project, state).take_snapshot() == before


def test_an_incomplete_state_is_created_again(project: Path, state: Path) -> None:
    repository(project, a_txt="one\n")
    (state / "git" / "objects").mkdir(parents=True)
    workspace = open_workspace(project, state)
    assert workspace.take_snapshot() == workspace.take_snapshot()


def test_a_folder_in_place_of_a_file_is_left_alone(project: Path, workspace: GitWorkspace) -> None:
    before = workspace.take_snapshot()
    (project / "a.txt").unlink()
    after = workspace.take_snapshot()
    (project / "a.txt").mkdir()
    (project / "a.txt" / "secret.txt").write_bytes(b"ignored, so not seen\n")
    assert workspace.restore_files(before, after) == ("a.txt",)
    assert (project / "a.txt" / "secret.txt").read_bytes() == b"ignored, so not seen\n"


def ignore(project: Path, name: str) -> None:
    with (project / ".gitignore").open("a", encoding="utf-8") as rules:
        rules.write(f"\n{name}\n")


@pytest.mark.parametrize("is_link", [False, True], ids=["a file", "a link"])
@pytest.mark.parametrize(
    ("name", "by_agent", "by_person"),
    [("key.env", True, False), ("key.env", False, True), (".cache/key", False, False)],
    ids=["the agent ignores it", "a person ignores it", "tools generate it"],
)
def test_a_file_that_git_ignores_now_is_left_alone(
    project: Path,
    state: Path,
    name: str,
    by_agent: bool,
    by_person: bool,
    is_link: bool,
) -> None:
    repository(project)
    key = project / name
    key.parent.mkdir(exist_ok=True)
    key.symlink_to("elsewhere") if is_link else key.write_bytes(b"KEY=1\n")
    git(project, "add", "-f", name)
    workspace = open_workspace(project, state)
    before = workspace.take_snapshot()
    shutil.move(key, project / "example")
    if by_agent:
        ignore(project, name)
    after = workspace.take_snapshot()
    key.parent.mkdir(exist_ok=True)
    key.write_bytes(b"KEY=by hand\n")
    if by_person:
        ignore(project, name)
    plan = workspace.plan_restore(before, after, {})
    assert plan.left[name] is LeftReason.HIDDEN
    assert name in workspace.restore_files(before, after)
    assert key.read_bytes() == b"KEY=by hand\n"


def test_an_ignored_file_that_is_restored_already_is_not_restored_again(
    project: Path, workspace: GitWorkspace
) -> None:
    for name in ("done.env", "program.env"):
        (project / name).write_bytes(b"KEY=1\n")
    (project / "program.env").chmod(0o755)
    (project / "link.env").symlink_to("elsewhere")
    before, names = workspace.take_snapshot(), ("done.env", "program.env", "link.env")
    for name in names:
        (project / name).unlink()
    ignore(project, "*.env")
    after = workspace.take_snapshot()
    for name in ("done.env", "program.env"):  # the second has lost its execute bit
        (project / name).write_bytes(b"KEY=1\n")
    (project / "link.env").symlink_to("elsewhere")
    plan = workspace.plan_restore(before, after, {})
    assert not plan.left
    assert workspace.list_changed_paths(plan.now, plan.then) == {".gitignore", "program.env"}
    assert workspace.restore_files(before, after) == ()
    assert workspace.take_snapshot() == before


def test_an_ignored_file_that_is_saved_just_before_the_move_is_left_alone(
    project: Path, workspace: GitWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "closed").mkdir()
    (project / "closed" / "key.env").write_bytes(b"KEY=1\n")
    before = workspace.take_snapshot()
    (project / "closed" / "key.env").unlink()
    after = workspace.take_snapshot()
    ignore(project, "*.env")
    # As in a folder that could not be entered before the restore has opened it.
    monkeypatch.setattr("orchestrator.workspace.snapshots.sign_files", lambda *_: {})

    def save_by_hand(*arguments: object) -> None:
        check_out_files(*arguments)  # type: ignore[arg-type]
        (project / "closed" / "key.env").write_text("by hand\n", encoding="utf-8")

    monkeypatch.setattr("orchestrator.workspace.restore.check_out_files", save_by_hand)
    assert workspace.restore_files(before, after) == ("closed/key.env",)
    assert (project / "closed" / "key.env").read_text("utf-8") == "by hand\n"


def test_a_file_is_not_planned_where_a_repository_is(
    project: Path, workspace: GitWorkspace
) -> None:
    before, top = workspace.take_snapshot(), project / "a.txt"
    top.unlink()
    repository(top, b_txt="another\n")
    after, kept = workspace.take_snapshot(), files_of(top)
    plan = workspace.plan_restore(before, after, {})
    assert plan.left == {"a.txt": LeftReason.HIDDEN}
    assert plan.now == plan.then
    assert workspace.restore_files(before, after) == ("a.txt",)
    assert files_of(top) == kept


@pytest.mark.parametrize("above", ["file", "link", "folder"])
def test_an_ignored_obstacle_is_in_the_plan(
    project: Path, workspace: GitWorkspace, above: str
) -> None:
    name = "secret.txt/inside" if above != "folder" else "taken"
    ignore(project, "!secret.txt/")
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_bytes(b"one\n")
    before = workspace.take_snapshot()
    (project / name).unlink()
    obstacle = project / name.partition("/")[0]
    if above != "folder":
        obstacle.rmdir()
    ignore(project, "secret.txt")
    after = workspace.take_snapshot()
    if above == "file":
        obstacle.write_bytes(b"mine\n")
    elif above == "link":
        obstacle.symlink_to("nowhere")
    else:
        obstacle.mkdir()
        (obstacle / "secret.txt").write_bytes(b"mine\n")
    plan = workspace.plan_restore(before, after, {})
    assert plan.left == {name: LeftReason.BLOCKED}
    assert workspace.restore_files(before, after) == (name,)


def test_an_empty_folder_in_place_of_a_file_is_removed(
    project: Path, workspace: GitWorkspace
) -> None:
    before = workspace.take_snapshot()
    (project / "a.txt").unlink()
    after = workspace.take_snapshot()
    (project / "a.txt").mkdir()
    assert workspace.restore_files(before, after) == ()
    assert (project / "a.txt").read_bytes() == b"one\n"


def test_it_does_not_write_through_a_link(
    project: Path, tmp_path: Path, workspace: GitWorkspace
) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "b.txt").write_bytes(b"one\n")
    before = workspace.take_snapshot()
    (project / "sub" / "b.txt").unlink()
    (project / "sub").rmdir()
    after = workspace.take_snapshot()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / "sub").symlink_to(elsewhere)
    assert workspace.restore_files(before, after) == ("sub/b.txt",)
    assert not list(elsewhere.iterdir())


def test_a_restored_file_leaves_no_stale_bytecode(project: Path, workspace: GitWorkspace) -> None:
    for name in ("a[1].py", "other.py"):
        (project / name).write_bytes(b"x = 1\n")
    before = workspace.take_snapshot()
    (project / "a[1].py").write_bytes(b"x = 2\n")
    after = workspace.take_snapshot()
    (project / "__pycache__").mkdir()
    for name in ("a[1].cpython-311.pyc", "a1.cpython-311.pyc", "other.cpython-311.pyc"):
        (project / "__pycache__" / name).write_bytes(b"")
    assert workspace.restore_files(before, after) == ()
    left = sorted(path.name for path in (project / "__pycache__").iterdir())
    assert left == ["a1.cpython-311.pyc", "other.cpython-311.pyc"]


def test_permissions_stay_as_the_user_had_them(project: Path, workspace: GitWorkspace) -> None:
    (project / "a.txt").chmod(0o600)
    (project / "run.sh").write_bytes(b"true\n")
    (project / "run.sh").chmod(0o700)
    before = workspace.take_snapshot()
    (project / "a.txt").write_bytes(b"two\n")
    (project / "run.sh").write_bytes(b"false\n")
    (project / "run.sh").chmod(0o600)
    after = workspace.take_snapshot()
    assert workspace.restore_files(before, after) == ()
    assert (project / "a.txt").stat().st_mode & 0o777 == 0o600
    assert (project / "run.sh").stat().st_mode & 0o777 == 0o700


def test_folders_of_the_agent_are_removed_with_their_last_file(
    project: Path, workspace: GitWorkspace
) -> None:
    before = workspace.take_snapshot()
    (project / "new" / "deep").mkdir(parents=True)
    (project / "new" / "deep" / "x.txt").write_bytes(b"x\n")
    workspace.restore_files(before, workspace.take_snapshot())
    assert sorted(path.name for path in project.iterdir()) == [".git", ".gitignore", "a.txt"]


@pytest.fixture
def plain_user() -> Iterator[Path]:
    """Give a folder of a user who may write only where the mode allows it."""
    with make_public_folder() as top, ordinary_user():
        yield top


@pytest.mark.parametrize("killed", [False, True], ids=["to its end", "killed on the way"])
@pytest.mark.parametrize("edit", ["delete", "edit", "add", "replace by a file"])
def test_a_read_only_folder_is_restored_read_only(
    plain_user: Path, edit: str, killed: bool
) -> None:
    project, state = plain_user / "project", plain_user / "state"
    repository(project, a_txt="one\n")
    folders = [project / "data", project / "data" / "deep"]
    folders[1].mkdir(parents=True)
    for folder in folders:
        (folder / "x.txt").write_bytes(b"precious\n")
    close(folders)
    workspace = open_workspace(project, state)
    before = workspace.take_snapshot()
    workspace.remember_modes(before)
    for folder in folders:
        folder.chmod(0o755)
    if edit in ("delete", "replace by a file"):
        shutil.rmtree(project / "data")
        edit == "delete" or (project / "data").write_bytes(b"gone\n")
    else:
        name = "x.txt" if edit == "edit" else "new.txt"
        for folder in folders:
            (folder / name).write_bytes(b"another\n")
        close(folders)
    after = workspace.take_snapshot()
    if killed and edit != "add":  # which copies nothing
        assert kill_in_copy(lambda: workspace.restore_files(before, after)) == signal.SIGKILL
        workspace = open_workspace(project, state)
    assert workspace.restore_files(before, after) == ()
    assert workspace.take_snapshot() == before
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o555, 0o555]
    assert sorted(path.name for path in folders[1].iterdir()) == ["x.txt"]
    assert sorted(path.name for path in folders[0].iterdir()) == ["deep", "x.txt"]
    for folder in folders:
        folder.chmod(0o755)  # so that the test's folder can be removed


def close(folders: Sequence[Path]) -> None:
    for folder in reversed(folders):
        folder.chmod(0o555)


def kill_in_copy(action: Callable[[], object]) -> int:
    """Carry something out in a child that is killed when it copies its second file."""
    child = os.fork()
    if not child:
        copied: list[Path] = []
        copy = shutil.copyfile

        def copy_one(source: Path, target: Path) -> None:
            if copied:
                os.kill(os.getpid(), signal.SIGKILL)
            copied.append(target)
            copy(source, target)

        shutil.copyfile = copy_one  # type: ignore[assignment] # in this child alone
        action()
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("name", ["a_txt", "added.txt"])
def test_a_file_that_is_saved_while_others_are_laid_out_is_left_alone(
    project: Path, workspace: GitWorkspace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = workspace.take_snapshot()
    for each in ("a_txt", "added.txt", "other.txt"):
        (project / each).write_text("the agent's\n", encoding="utf-8")
    after = workspace.take_snapshot()

    def save_by_hand(*arguments: object) -> None:
        check_out_files(*arguments)  # type: ignore[arg-type]
        (project / name).write_text("by hand\n", encoding="utf-8")

    monkeypatch.setattr("orchestrator.workspace.restore.check_out_files", save_by_hand)
    assert workspace.restore_files(before, after) == (name,)
    assert (project / name).read_text("utf-8") == "by hand\n"
    assert not (project / "other.txt").exists()

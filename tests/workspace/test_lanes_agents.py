"""What an agent does with git in its lane, or with its lane, harms nobody else."""

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.platform.lane_notes import find_lane
from orchestrator.suites.environment import (
    build_project_environment,
    find_virtualenv,
    record_main_worktree,
)
from orchestrator.workspace.lanes import LaneRepository
from tests.workspace.lanes import add_lanes, open_lanes, write
from tests.workspace.repositories import files_of, git, repository, snapshot_git_folder


@pytest.fixture
def lanes(project: Path, tmp_path: Path) -> LaneRepository:
    repository(project, a_py="a = 1\n", b_py="b\n", _gitignore="*.log\n.venv/\n")
    return open_lanes(project, tmp_path / "state")


def common_folder(lane: Path) -> Path:
    """Return the folder that an agent takes for the repository of its lane."""
    return Path(os.fsdecode(git(lane, "rev-parse", "--git-common-dir")).strip())


def own_state(lanes: LaneRepository) -> dict[str, bytes]:
    """Return all of the list's repository that is not an object or an index."""
    found = snapshot_git_folder(lanes.folder)
    parts = [str(lanes.folder / name) for name in ("objects", "indexes", "entries", "replaced")]
    return {
        path: facts[2]
        for path, facts in found.items()
        if not any(path == part or path.startswith(f"{part}/") for part in parts)
    }


def test_no_lane_leads_to_the_repository_of_the_list(lanes: LaneRepository) -> None:
    """It has the refs of what has landed, and the configuration that decides about files."""
    folder, other = add_lanes(lanes, 2)
    base = lanes.create_base()
    tip = lanes.replace_files(base, {"a.py": b"a = 2\n"}, "Landed\n\nRun: r-1\n")
    lanes.set_ref("refs/orchestrator/tip", tip)
    before = own_state(lanes)
    common = common_folder(folder)
    assert common != lanes.folder
    # It forges a landing, deletes what it finds, hides files, and configures a filter.
    forged = git(folder, "commit-tree", f"{base}^{{tree}}", "-p", base, "-m", "Run: r-2")
    git(folder, "update-ref", "refs/orchestrator/tip", forged.decode().strip())
    listed = git(folder, "for-each-ref", "--format=delete %(refname)")
    git(folder, "update-ref", "--stdin", stdin=listed)
    (common / "info").mkdir(exist_ok=True)
    (common / "info" / "exclude").write_text("helper*.py\n")
    (common / "info" / "attributes").write_text("*.py filter=x\n")
    git(folder, "config", "filter.x.clean", f"touch '{common}/was-run'; cat")
    write(common, "hooks/post-checkout", "#!/bin/sh\n").chmod(0o755)
    write(common, "config.own")
    git(folder, "gc", "-q", "--prune=now")
    assert own_state(lanes) == before
    assert lanes.read_ref("refs/orchestrator/tip") == tip
    write(other, "helper.py")
    work = lanes.snapshot_lane(other, base, "work")
    assert lanes.list_changes(base, work) == ("helper.py",)
    lanes.reset_lane(other, tip)
    assert git(other, "status", "--porcelain") == b""
    assert git(other, "log", "-1", "--format=%s") == b"Landed\n"
    assert not (common / "was-run").exists()
    assert not (common / "hooks").exists()
    git(lanes.folder, "fsck", "--connectivity-only")


def test_what_agents_share_is_made_again(lanes: LaneRepository, tmp_path: Path) -> None:
    folder, other = add_lanes(lanes, 2)
    base = lanes.create_base()
    common = common_folder(folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    facts = files_of(outside)

    def delete() -> None:
        shutil.rmtree(common)

    def link_all() -> None:
        shutil.rmtree(common)
        common.symlink_to(outside)

    def link_to_the_list() -> None:
        shutil.rmtree(common)
        common.symlink_to(lanes.folder)

    def link_parts() -> None:
        for name in ("worktrees", "info", "objects"):
            shutil.rmtree(common / name)
            (common / name).symlink_to(outside)
        (common / "config").unlink()
        (common / "config").symlink_to(outside / "precious")

    def write_nonsense() -> None:
        for name in ("HEAD", "config"):
            (common / name).write_text("nonsense")
        shutil.rmtree(common / "refs")
        (common / "refs").write_text("nonsense")

    def take_over_the_link() -> None:
        (folder / ".git").unlink()
        os.link(outside / "precious", folder / ".git")

    before = own_state(lanes)
    damages = (delete, link_all, link_to_the_list, link_parts, write_nonsense, take_over_the_link)
    for damage in damages:
        damage()
        write(folder, "a.py", damage.__name__)
        work = lanes.snapshot_lane(folder, base, "work")
        assert lanes.list_changes(base, work) == ("a.py",)
        for each in (folder, other):
            lanes.reset_lane(each, base)
        for each in (folder, other):
            assert git(each, "status", "--porcelain", "--branch") == b"## HEAD (no branch)\n"
            git(each, "commit", "-q", "--allow-empty", "-m", "an agent commits")
        assert own_state(lanes) == before
        assert files_of(outside) == facts


@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize("is_link", [False, True])
def test_nothing_is_read_of_what_has_taken_the_place_of_a_lane(
    lanes: LaneRepository, tmp_path: Path, *, above: bool, is_link: bool
) -> None:
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    replaced = folder.parent if above else folder
    foreign = tmp_path / "foreign"
    shutil.copytree(replaced, foreign)
    (foreign / "1" if above else foreign).joinpath("id_x").write_text("PRIVATE KEY")
    replaced.rename(replaced.with_name("away"))
    if is_link:
        replaced.symlink_to(foreign)
    else:
        foreign.rename(replaced)
        foreign = replaced
    before, objects = files_of(foreign), files_of(lanes.folder / "objects")
    for act in (
        lambda: lanes.snapshot_lane(folder, base, "work"),
        lambda: lanes.reset_lane(folder, base),
    ):
        with pytest.raises(InfrastructureError, match="was replaced since it was made"):
            act()
    with pytest.raises(InfrastructureError, match="in the way of a lane"):
        lanes.add_lane(folder, base)
    assert files_of(foreign) == before
    assert files_of(lanes.folder / "objects") == objects


def make_virtualenv(folder: Path) -> Path:
    write(folder, ".venv/pyvenv.cfg")
    write(folder, ".venv/bin/python", "#!/bin/sh\n").chmod(0o755)
    return folder / ".venv"


def test_an_agent_does_not_choose_the_programs_of_the_suite(
    lanes: LaneRepository, tmp_path: Path
) -> None:
    (folder,) = add_lanes(lanes, 1)
    own, fake = make_virtualenv(lanes.project), tmp_path / "fake"
    make_virtualenv(fake)
    record_main_worktree(folder, lanes.project)
    assert find_virtualenv(folder) == own
    common = common_folder(folder)
    for name in ("orchestrator-main-worktree", "main-worktree"):
        (common / name).write_text(str(fake))
    assert find_virtualenv(folder) == own
    (folder / ".git").write_text(f"gitdir: {fake}/.git/worktrees/x\n")
    assert find_virtualenv(folder) == own
    forged = fake / "repository.git" / "worktrees" / "x"
    write(forged.parent.parent, "main-worktree", str(fake))
    (folder / ".git").write_text(f"gitdir: {forged}\n")
    assert find_virtualenv(folder) == own
    sub = write(folder, "sub/.git", f"gitdir: {fake}/.git/worktrees/x\n").parent
    (lanes.project / "sub").mkdir()
    path = build_project_environment(sub)["PATH"]
    assert str(fake) not in path


def test_a_folder_beside_a_repository_of_that_name_is_no_lane(
    lanes: LaneRepository, tmp_path: Path
) -> None:
    (folder,) = add_lanes(lanes, 1)
    copied = tmp_path / "copied"
    shutil.copytree(lanes.folder.parent, copied)
    assert find_lane(copied / "lanes" / "1") is None
    found = find_lane(folder / "sub")
    assert found is not None
    assert (found.top, found.repository) == (folder, lanes.folder)

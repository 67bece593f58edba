"""An undo that is killed at any step loses nothing, and the next one does the rest."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from orchestrator.platform import atomic, files
from orchestrator.workspace.git import Git
from tests.sampling import sample_every_sixth
from tests.services.undone_runs import Past, make_past
from tests.workspace.repositories import files_of, repository
from tests.workspace.test_properties import Tree, put

pytestmark = [pytest.mark.kills, pytest.mark.timeout(900)]

PARTS = 12
LEAST_STEPS = 60

BEFORE: Tree = {
    b"word.txt": ("file", b"old\n"),
    b"gone/deep.txt": ("file", b"gone\n"),
    b"swap": ("file", b"a file\n"),
    b"link": ("link", b"word.txt"),
    b"mine.txt": ("file", b"old\n"),
}
AFTER: Tree = {
    b"word.txt": ("file", b"new\n"),
    b"swap/inside": ("file", b"a folder\n"),
    b"link": ("file", b"no link\n"),
    b"added/deep/file": ("file", b"new\n"),
    b"filled/file": ("file", b"new\n"),
    b"mine.txt": ("file", b"new\n"),
    # What the undo restores there is in no snapshot until this file is removed.
    b".gitignore": ("file", b"gone/\n"),
}
FOLDERS_BEFORE = {"empty", "filled"}
"""Empty folders: the run removes one, fills one, and creates two."""
EDITED: Tree = {**AFTER, b"mine.txt": ("file", b"by hand\n"), b"own": ("file", b"by hand\n")}
DONE: Tree = {**BEFORE, b"mine.txt": ("file", b"by hand\n"), b"own": ("file", b"by hand\n")}


def kill_at(call: int) -> None:
    """Kill this process at the n-th call of what changes a file or starts git."""
    count = 0

    def wrap(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def counted(*args: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        setattr(owner, name, counted)

    for owner, name in (
        *((atomic, each) for each in ("move_path", "sync_folder", "write_file")),
        *((Path, each) for each in ("unlink", "rmdir", "mkdir", "chmod", "symlink_to")),
        *((files, each) for each in ("write_file",)),
        (Git, "run"),
    ):
        wrap(owner, name)


def is_killed(past: Past, call: int) -> bool:
    """Undo in a child that kills itself; return whether it did."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        kill_at(call)
        try:
            past.undo()
        except BaseException:  # noqa: BLE001 -- the parent must see it
            os._exit(4)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("killed_run", [False, True], ids=["ended", "killed"])
@pytest.mark.parametrize("part", sample_every_sixth(range(PARTS)))
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path, part: int, killed_run: bool) -> None:
    """Each undo is killed some steps later than the last; the next one does the rest."""
    edited, done = (AFTER, BEFORE) if killed_run else (EDITED, DONE)
    call, killed = part + 1, True
    while killed:
        folder = tmp_path / str(call)
        project = repository(folder / "project")
        put(project, BEFORE)
        for name in FOLDERS_BEFORE:
            (project / name).mkdir()
        past = make_past(folder, work)
        if killed_run:
            forget_end(folder / "state")
        for path in edited.keys() - AFTER.keys() | {b"mine.txt"}:
            (project / os.fsdecode(path)).write_bytes(edited[path][1])
        killed = is_killed(past, call)
        found, saved = files_of(project), list_saved(folder / "state")
        for path, entry in edited.items():
            assert entry in (found.get(path), saved.get(path)), (call, path)
        past.undo()
        assert files_of(project) == done, call
        assert list_empty_folders(project) == FOLDERS_BEFORE, call
        call += PARTS
    assert call > LEAST_STEPS


def work(project: Path) -> None:
    put(project, AFTER)  # which removes empty folders
    (project / "new" / "inner").mkdir(parents=True)


def list_empty_folders(project: Path) -> set[str]:
    return {
        path.relative_to(project).as_posix()
        for path in project.rglob("*")
        if path.is_dir() and ".git" not in path.parts and not any(path.iterdir())
    }


def forget_end(state: Path) -> None:
    """Make the record of a run that of one whose process was killed."""
    (record,) = state.glob("runs/*/trees.json")
    (span,) = json.loads(record.read_bytes())
    record.write_text(json.dumps([{**span, "end": None}]), "ascii")


def list_saved(state: Path) -> Tree:
    """List the files that all undos have saved."""
    saved: Tree = {}
    for each in state.glob("runs/*/undone/*"):
        if not each.name.startswith("."):
            saved |= files_of(each)
    return saved

"""The tree before an attempt in place of the attempt's, and back, whatever happens between."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.workspace import open_workspace
from orchestrator.workspace.swap import Swap, SwapNote, TreeSwap, finish_swap


def contents(project: Path) -> dict[str, bytes]:
    files = (path for path in sorted(project.rglob("*")) if path.is_file())
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in files}


def write(project: Path, files: dict[str, str]) -> None:
    for path in sorted(project.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")


class Lab:
    """A project with the two trees, and a state directory."""

    def __init__(self, folder: Path, before: dict[str, str], after: dict[str, str]) -> None:
        self.project, self.state, self.run = folder / "p", folder / "state", folder / "state/run"
        self.project.mkdir(parents=True)
        self.workspace = open_workspace(self.project, self.run)
        write(self.project, before)
        self.before = self.workspace.take_snapshot()
        self.was = contents(self.project)
        write(self.project, after)
        self.after = self.workspace.take_snapshot()
        self.now = contents(self.project)
        note = SwapNote.for_project(self.project, self.state)
        self.swap = TreeSwap(self.workspace, note, self.run)


def put_back(lab: Lab) -> Sequence[str]:
    finished = finish_swap(lab.project, lab.state)
    assert finished is not None
    assert finished.replaced == []
    return finished.left


OLD = {"code.py": "old\n", "gone.py": "x\n", "same.py": "s\n"}
NEW = {"code.py": "new\n", "pkg/added.py": "y\n", "same.py": "s\n"}


def test_the_tree_before_is_put_in_place_and_the_attempts_is_restored(tmp_path: Path) -> None:
    lab = Lab(tmp_path, OLD, NEW)
    assert lab.swap.apply(Swap(lab.before, lab.after, ())) == ()
    assert contents(lab.project) == lab.was
    assert lab.swap.revert(Swap(lab.before, lab.after, ())) == ()
    assert contents(lab.project) == lab.now
    assert finish_swap(lab.project, lab.state) is None


def test_a_killed_process_leaves_a_note(tmp_path: Path) -> None:
    lab = Lab(tmp_path, OLD, NEW)
    lab.swap.apply(Swap(lab.before, lab.after, ()))
    assert put_back(lab) == ()
    assert contents(lab.project) == lab.now
    assert finish_swap(lab.project, lab.state) is None


def test_a_person_who_edits_meanwhile_wins_and_is_named(tmp_path: Path) -> None:
    lab = Lab(tmp_path, OLD, NEW)
    lab.swap.apply(Swap(lab.before, lab.after, ()))
    (lab.project / "code.py").write_text("mine\n", encoding="utf-8")
    assert lab.swap.revert(Swap(lab.before, lab.after, ())) == ("code.py",)
    assert (lab.project / "code.py").read_text(encoding="utf-8") == "mine\n"
    assert (lab.project / "pkg" / "added.py").exists()


def test_files_with_rules_are_never_swapped(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {**OLD, "CLAUDE.md": "a\n"}, {**NEW, "CLAUDE.md": "b\n"})
    lab.swap.apply(Swap(lab.before, lab.after, ("CLAUDE.md",)))
    assert (lab.project / "CLAUDE.md").read_text(encoding="utf-8") == "b\n"
    lab.swap.revert(Swap(lab.before, lab.after, ("CLAUDE.md",)))
    assert contents(lab.project) == lab.now


def test_code_that_the_suite_wrote_before_the_process_was_killed_is_the_attempts_again(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path, OLD, NEW)
    lab.swap.apply(Swap(lab.before, lab.after, (), {"code.py", "same.py"}))
    (lab.project / "code.py").write_text("old, run 7\n", encoding="utf-8")
    (lab.project / "gone.py").write_text("mine\n", encoding="utf-8")
    finished = finish_swap(lab.project, lab.state)
    assert finished is not None
    assert (finished.left, finished.replaced) == (("gone.py",), ["code.py"])
    assert contents(lab.project) == {**lab.now, "gone.py": b"mine\n"}
    command = shlex.split(finished.restore_command.replace("PATH", "code.py"))
    assert subprocess.check_output(command) == b"old, run 7\n"
    assert finish_swap(lab.project, lab.state) is None


@pytest.mark.parametrize("killed", [False, True])
def test_modes_of_what_the_attempt_made_come_back(tmp_path: Path, killed: bool) -> None:
    """git knows of a file only whether it is executable, and of a folder nothing."""
    added = {"private/key.txt": "k\n", "shared/deep/run.sh": "#!/bin/sh\n", "empty/x.py": ""}
    lab = Lab(tmp_path, OLD, {**NEW, **added})
    modes = {
        **{"private": 0o700, "private/key.txt": 0o600, "code.py": 0o640},
        **{"shared": 0o2775, "shared/deep": 0o1777, "shared/deep/run.sh": 0o744},
    }
    for name, mode in modes.items():
        (lab.project / name).chmod(mode)
    after = lab.workspace.take_snapshot()
    lab.swap.apply(Swap(lab.before, after, ()))
    assert contents(lab.project) == lab.was
    if killed:
        assert put_back(lab) == ()
    else:
        assert lab.swap.revert(Swap(lab.before, after, ())) == ()
    assert contents(lab.project) == lab.now
    assert {name: (lab.project / name).stat().st_mode & 0o7777 for name in modes} == modes


def test_an_earlier_mode_does_not_outlast_a_later_one(tmp_path: Path) -> None:
    lab = Lab(tmp_path, OLD, NEW)
    for mode in (0o600, 0o664):
        (lab.project / "pkg" / "added.py").chmod(mode)
        lab.swap.apply(Swap(lab.before, lab.after, ()))
        lab.swap.revert(Swap(lab.before, lab.after, ()))
        assert (lab.project / "pkg" / "added.py").stat().st_mode & 0o7777 == mode


_TREES = st.dictionaries(
    st.sampled_from(["a.py", "b/c.py", "b/d.txt", "e"]), st.sampled_from(["1\n", "2\n", ""])
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_TREES, _TREES, st.integers(0, 4))
def test_wherever_it_is_cut_short_the_attempts_files_come_back(
    tmp_path_factory: object, before: dict[str, str], after: dict[str, str], done: int
) -> None:
    folder = tmp_path_factory.mktemp("lab")  # type: ignore[attr-defined] # pytest's own
    lab = Lab(folder, before, after)
    lab.swap.note.write(lab.run, Swap(lab.before, lab.after, ()))
    # As far as a killed process came: some files are swapped, the others are not yet.
    for name in sorted({*lab.was, *lab.now})[:done]:
        path = lab.project / name
        if name in lab.was:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(lab.was[name])
        else:
            path.unlink(missing_ok=True)
    assert put_back(lab) == ()
    assert contents(lab.project) == lab.now

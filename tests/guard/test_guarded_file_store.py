"""Restoring: exactly the bytes, and nothing else."""

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orchestrator.errors import InfrastructureError
from orchestrator.guard.guarded_file_store import GuardedFileStore
from orchestrator.guard.protection import Protection
from orchestrator.guard.protection_derivation import Basis, derive_protection
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.platform.files import temporary_path
from tests.guard.projects import write

GUARDED = ("tests/test_a.py", "tests/data/x.bin", "tests/s p a c e.txt", "conftest.py", "run.sh")
FREE = ("calc.py", "pkg/mod.py", "notes.txt", "tests/../top.txt")
NEW_CONFIG = (
    "pytest.ini",
    "tests/conftest.py",
    "sitecustomize.py",
    "lib/usercustomize.py",
    "GNUmakefile",
)
NEW_FREE = ("tests/test_new.py", "new.py", "tests/data/new.bin")

contents = st.binary(max_size=40) | st.just(b"import os\n") | st.just(b"a\r\nb")
trees = st.fixed_dictionaries(dict.fromkeys((*GUARDED, *FREE), contents))
operations = st.lists(
    st.tuples(
        st.sampled_from((*GUARDED, *FREE, *NEW_CONFIG, *NEW_FREE)),
        st.sampled_from(("write", "delete", "link", "mode", "folder")),
        contents,
    ),
    max_size=8,
)


def looked_at(project: Path) -> dict[str, tuple[str, bytes]]:
    found = {}
    for path in sorted(project.rglob("*")):
        if path.is_symlink():
            found[path.relative_to(project).as_posix()] = "link", os.fsencode(path.readlink())
        elif path.is_file():
            executable = "x" if path.stat().st_mode & stat.S_IXUSR else "-"
            found[path.relative_to(project).as_posix()] = executable, path.read_bytes()
    return found


def protect(project: Path, command: str) -> Protection:
    case = Case("tests/test_a.py::test_a", CaseOutcome.PASSED, file="tests/test_a.py")
    return derive_protection(Basis(project, command, SuiteReport(SuiteOutcome.PASSED, 0, (case,))))


def do(project: Path, path: str, operation: str, data: bytes) -> None:
    full = project / path
    full.parent.mkdir(parents=True, exist_ok=True)
    if operation == "mode" and full.is_file() and not full.is_symlink():
        full.chmod(full.stat().st_mode ^ 0o111)
        return
    if full.is_symlink() or full.is_file():
        full.unlink()
    if full.is_dir():
        return
    if operation == "link":
        full.symlink_to("elsewhere")
    elif operation == "folder":
        (full / "inside").mkdir(parents=True)
        (full / "inside" / "file.txt").write_bytes(data)
    elif operation == "write":
        full.write_bytes(data)


def is_beside(path: str) -> bool:
    """Whether a path is neither guarded nor in the way of something that is."""
    return path not in NEW_CONFIG and not any(f"{path}/".startswith(f"{top}/") for top in GUARDED)


@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate], deadline=None)
@given(before=trees, done=operations)
def test_restoring_gives_the_bytes_back_and_touches_nothing_else(
    before: dict[str, bytes], done: list[tuple[str, str, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = (Path(scratch) / "project").resolve()
        for path, data in before.items():
            do(project, path, "write", data)
        store = GuardedFileStore(protect(project, "make test && ./run.sh"), Path(scratch) / "kept")
        manifest = store.record_manifest("start")
        assert set(manifest.entries) == {*GUARDED}
        start = looked_at(project)
        for operation in done:
            do(project, *operation)
        edited = looked_at(project)
        changes = store.find_changes(manifest, store.read_tree(manifest))
        store.restore_files(manifest, changes, Path(scratch) / "aside")
        now = looked_at(project)
        guarded = {path: value for path, value in start.items() if path in GUARDED}
        beside = {path: value for path, value in edited.items() if is_beside(path)}
        assert now == guarded | beside
        assert store.find_changes(manifest, store.read_tree(manifest)) == []
        again = store.load_manifest("start")
        assert again == manifest


def test_what_stands_in_the_way_is_set_aside(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, {"tests/unit/test_a.py": "A = 1\n"})
    store = GuardedFileStore(protect(project, "pytest"), tmp_path / "kept")
    manifest = store.record_manifest("start")
    (project / "tests" / "unit" / "test_a.py").unlink()
    (project / "tests" / "unit").rmdir()
    (project / "tests" / "unit").write_text("a file", encoding="utf-8")
    (change,) = store.find_changes(manifest, store.read_tree(manifest))
    assert (change.name, change.what) == ("tests/unit/test_a.py", "deleted")
    store.restore_files(manifest, [change], tmp_path / "aside")
    assert (project / "tests" / "unit" / "test_a.py").read_text(encoding="utf-8") == "A = 1\n"
    assert (tmp_path / "aside" / "tests" / "unit.instead").read_text(encoding="utf-8") == "a file"


def test_what_a_killed_restore_has_left_is_removed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, {"tests/test_a.py": "def test_a(): pass\n", "conftest.py": ""})
    store = GuardedFileStore(protect(project, "pytest"), tmp_path / "kept")
    manifest = store.record_manifest("start")
    before = looked_at(project)
    left = [temporary_path(project / name) for name in ("conftest.py", "tests/test_a.py")]
    for path in left:
        path.write_text("half", encoding="utf-8")
    assert store.record_manifest("later").others == manifest.others
    assert looked_at(project) == before
    (project / "conftest.py").unlink()
    left[0].mkdir()
    tree = store.read_tree(manifest)
    store.restore_files(manifest, store.find_changes(manifest, tree), tmp_path / "aside")
    assert looked_at(project) == before
    assert not left[0].exists()


def test_a_later_moment_is_written_as_what_differs_from_the_first(tmp_path: Path) -> None:
    project, folder = tmp_path / "project", tmp_path / "kept"
    write(project, {f"pkg/m{at}.py": "X = 1\n" for at in range(300)})
    write(project, {"tests/test_a.py": "A = 1\n", "tests/test_b.py": "B = 1\n"})
    rules = protect(project, "pytest")
    store = GuardedFileStore(rules, folder)
    moments = {"attempt-1": store.record_manifest("attempt-1")}
    for number in (2, 3):
        write(project, {"new\nline.txt": "x" * number, f"pkg/m{number}.py": "X = 2\n"})
        (project / f"pkg/m{number + 10}.py").unlink()
        (project / "tests/test_b.py").unlink(missing_ok=True)
        moments[f"attempt-{number}"] = store.record_manifest(f"attempt-{number}")
    sizes = {path.stem: path.stat().st_size for path in folder.glob("*.manifest")}
    assert sizes.keys() == moments.keys()
    assert max(sizes["attempt-2"], sizes["attempt-3"]) < sizes["attempt-1"] / 5
    for order in (list(moments), list(reversed(moments))):
        other = GuardedFileStore(rules, folder)
        assert {name: other.load_manifest(name) for name in order} == moments
    assert other.record_manifest("attempt-4").others == moments["attempt-3"].others
    assert (folder / "attempt-4.manifest").stat().st_size < sizes["attempt-1"] / 5


@pytest.mark.parametrize("data", [b"", b"not packed", None])
def test_without_the_first_moment_the_later_ones_are_gone_too(
    tmp_path: Path, data: bytes | None
) -> None:
    project, folder = tmp_path / "project", tmp_path / "kept"
    write(project, {"tests/test_a.py": "A = 1\n"})
    store = GuardedFileStore(protect(project, "pytest"), folder)
    store.record_manifest("attempt-1")
    store.record_manifest("attempt-2")
    if data is None:
        (folder / "attempt-1.manifest").unlink()
    else:
        (folder / "attempt-1.manifest").write_bytes(data)
    with pytest.raises(InfrastructureError, match="missing or damaged"):
        GuardedFileStore(protect(project, "pytest"), folder).load_manifest("attempt-2")


def test_a_file_may_be_of_any_time(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, {"tests/test_a.py": "A = 1\n", "new.py": ""})
    for seconds in (-5_000_000_000, 12_000_000_000):
        write(project, {"tests/test_a.py": "A = 1\n"})
        os.utime(project / "tests/test_a.py", (seconds, seconds))
        os.utime(project / "new.py", (seconds, seconds))
        store = GuardedFileStore(protect(project, "pytest"), tmp_path / "kept")
        manifest = store.record_manifest("start")
        assert store.load_manifest("start") == manifest
        write(project, {"tests/test_a.py": "A = 2\n"})
        assert len(store.find_changes(manifest, store.read_tree(manifest))) == 1

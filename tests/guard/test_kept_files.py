"""Restoring: exactly the bytes, and nothing else."""

import os
import stat
import tempfile
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orchestrator.files import temporary_of
from orchestrator.guard.derivation import Basis, derive
from orchestrator.guard.kept_files import KeptFiles
from orchestrator.guard.protection import Protection
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
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
    return derive(Basis(project, command, SuiteReport(SuiteOutcome.PASSED, 0, (case,))))


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
        kept_files = KeptFiles(protect(project, "make test && ./run.sh"), Path(scratch) / "kept")
        manifest = kept_files.remember("start")
        assert set(manifest.entries) == {*GUARDED}
        start = looked_at(project)
        for operation in done:
            do(project, *operation)
        edited = looked_at(project)
        changes = kept_files.changes(manifest, kept_files.look(manifest))
        kept_files.restore(manifest, changes, Path(scratch) / "aside")
        now = looked_at(project)
        guarded = {path: value for path, value in start.items() if path in GUARDED}
        beside = {path: value for path, value in edited.items() if is_beside(path)}
        assert now == guarded | beside
        assert kept_files.changes(manifest, kept_files.look(manifest)) == []
        again = kept_files.recall("start")
        assert again == manifest


def test_what_stands_in_the_way_is_set_aside(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, {"tests/unit/test_a.py": "A = 1\n"})
    kept_files = KeptFiles(protect(project, "pytest"), tmp_path / "kept")
    manifest = kept_files.remember("start")
    (project / "tests" / "unit" / "test_a.py").unlink()
    (project / "tests" / "unit").rmdir()
    (project / "tests" / "unit").write_text("a file", encoding="utf-8")
    (change,) = kept_files.changes(manifest, kept_files.look(manifest))
    assert (change.name, change.what) == ("tests/unit/test_a.py", "deleted")
    kept_files.restore(manifest, [change], tmp_path / "aside")
    assert (project / "tests" / "unit" / "test_a.py").read_text(encoding="utf-8") == "A = 1\n"
    assert (tmp_path / "aside" / "tests" / "unit.instead").read_text(encoding="utf-8") == "a file"


def test_what_a_killed_restore_has_left_is_removed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, {"tests/test_a.py": "def test_a(): pass\n", "conftest.py": ""})
    kept = KeptFiles(protect(project, "pytest"), tmp_path / "kept")
    manifest = kept.remember("start")
    before = looked_at(project)
    left = [temporary_of(project / name) for name in ("conftest.py", "tests/test_a.py")]
    for path in left:
        path.write_text("half", encoding="utf-8")
    assert kept.remember("later").others == manifest.others
    assert looked_at(project) == before
    (project / "conftest.py").unlink()
    left[0].mkdir()
    tree = kept.look(manifest)
    kept.restore(manifest, kept.changes(manifest, tree), tmp_path / "aside")
    assert looked_at(project) == before
    assert not left[0].exists()

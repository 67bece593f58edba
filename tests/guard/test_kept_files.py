"""Putting back: exactly the bytes, and nothing else."""

import os
import stat
import tempfile
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from orchestrator.guard.pristine import Manifest, Pristine
from orchestrator.guard.watch import watch

from tests.guard.projects import write

GUARDED = ("tests/test_a.py", "tests/data/x.bin", "tests/s p a c e.txt", "conftest.py", "run.sh")
FREE = ("calc.py", "pkg/mod.py", "notes.txt", "tests/../top.txt")
NEW_STEERING = (
    "pytest.ini",
    "pkg/conftest.py",
    "sitecustomize.py",
    "lib/usercustomize.py",
    "GNUmakefile",
)
NEW_FREE = ("tests/test_new.py", "new.py", "tests/data/new.bin")

contents = st.binary(max_size=40) | st.just(b"import os\n") | st.just(b"a\r\nb")
trees = st.fixed_dictionaries(dict.fromkeys((*GUARDED, *FREE), contents))
operations = st.lists(
    st.tuples(
        st.sampled_from((*GUARDED, *FREE, *NEW_STEERING, *NEW_FREE)),
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
    return path not in NEW_STEERING and not any(f"{path}/".startswith(f"{top}/") for top in GUARDED)


@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate], deadline=None)
@given(before=trees, done=operations)
def test_put_back_restores_the_bytes_and_touches_nothing_else(
    before: dict[str, bytes], done: list[tuple[str, str, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = (Path(scratch) / "project").resolve()
        for path, data in before.items():
            do(project, path, "write", data)
        rules = watch(project, "make test && ./run.sh", {"PATH": "/usr/bin"})
        pristine = Pristine(project, rules, Path(scratch) / "kept")
        manifest = pristine.remember("start", ["tests/test_a.py"])
        assert set(manifest.entries) == {*GUARDED}
        start = looked_at(project)
        for operation in done:
            do(project, *operation)
        edited = looked_at(project)
        changes = pristine.changes(manifest)
        pristine.put_back(manifest, changes, Path(scratch) / "aside")
        now = looked_at(project)
        guarded = {path: value for path, value in start.items() if path in GUARDED}
        beside = {path: value for path, value in edited.items() if is_beside(path)}
        assert now == guarded | beside
        assert pristine.changes(manifest) == []
        again: Manifest | None = pristine.recall("start")
        assert again == manifest


def test_what_stands_in_the_way_is_set_aside(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, {"tests/unit/test_a.py": "A = 1\n"})
    pristine = Pristine(project, watch(project, "pytest", {}), tmp_path / "kept")
    manifest = pristine.remember("start", [])
    (project / "tests" / "unit" / "test_a.py").unlink()
    (project / "tests" / "unit").rmdir()
    (project / "tests" / "unit").write_text("a file", encoding="utf-8")
    (change,) = pristine.changes(manifest)
    assert (change.path, change.what) == ("tests/unit/test_a.py", "deleted")
    pristine.put_back(manifest, [change], tmp_path / "aside")
    assert (project / "tests" / "unit" / "test_a.py").read_text(encoding="utf-8") == "A = 1\n"
    assert (tmp_path / "aside" / "tests" / "unit.instead").read_text(encoding="utf-8") == "a file"


def test_an_environments_own_pytest_is_guarded_and_its_packages_are_not(tmp_path: Path) -> None:
    site = ".venv/lib/python3.11/site-packages"
    files = {
        ".venv/pyvenv.cfg": "home = /usr/bin\n",
        ".venv/bin/pytest": "#!/bin/sh\n",
        f"{site}/_pytest/python.py": "a = 1\n",
        f"{site}/paths.pth": "/somewhere\n",
        f"{site}/requests/__init__.py": "b = 1\n",
        f"{site}/requests/test_requests.py": "c = 1\n",
    }
    write(tmp_path, files)
    pristine = Pristine(tmp_path, watch(tmp_path, "pytest", {"PATH": ""}), tmp_path / "kept")
    manifest = pristine.remember("start", [])
    assert set(manifest.entries) == {
        ".venv/pyvenv.cfg",
        ".venv/bin/pytest",
        f"{site}/_pytest/python.py",
        f"{site}/paths.pth",
    }
    write(tmp_path, {f"{site}/_pytest/python.py": "a = 2\n", f"{site}/other.pth": "/elsewhere\n"})
    write(
        tmp_path, {f"{site}/requests/__init__.py": "b = 2\n", f"{site}/evil.pth": "import evil\n"}
    )
    write(tmp_path, {f"{site}/evil-1.dist-info/entry_points.txt": "[pytest11]\nevil = evil\n"})
    write(tmp_path, {f"{site}/good-1.dist-info/entry_points.txt": "[console_scripts]\na = b:c\n"})
    assert [(change.path, change.what) for change in pristine.changes(manifest)] == [
        (f"{site}/_pytest/python.py", "changed"),
        (f"{site}/evil-1.dist-info/entry_points.txt", "added"),
        (f"{site}/evil.pth", "added"),
    ]

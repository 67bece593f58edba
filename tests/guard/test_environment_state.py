"""The environment that judges is the one of the baseline."""

import base64
import hashlib
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.guard import Guard
from orchestrator.guard.mode import GuardMode
from orchestrator.models import Finding
from tests.guard.footprints import footprint, guard_with
from tests.guard.projects import write

PATCH = "import _pytest.python\n_pytest.python.Function.runtest = None\n"


class World:
    """A project and an environment of its own beside it."""

    def __init__(self, project: Path) -> None:
        self.project, self.env = project, project.parent / "env"
        self.site = self.env / "lib" / "python3.11" / "site-packages"
        self.standard = project.parent / "lib" / "python3.11"
        write(project, {"shop/prices.py": "X = 1\n", "tests/test_prices.py": ""})
        write(
            self.env,
            {
                "pyvenv.cfg": "home = /usr/bin\n",
                "bin/python": "#!/bin/sh\n",
                "bin/pytest": "#!/bin/sh\n",
            },
        )
        write(self.standard, {"json.py": "A = 1\n"})
        write(self.site, {"_pytest/python.py": "A = 1\n", "editable.pth": "/somewhere\n"})
        self.install("requests", "2.0", {"requests/__init__.py": "A = 1\n"})

    def install(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """Do what pip does."""
        write(self.site, files)
        info = f"{name}-{version}.dist-info"
        lines = [f"{each},sha256={_digest(text)},{len(text)}" for each, text in files.items()]
        write(self.site, {f"{info}/METADATA": "x\n", f"{info}/RECORD": "\n".join(lines)})

    def guard(self, mode: GuardMode = GuardMode.RESTORE) -> Guard:
        found = footprint(
            self.project, {"tests/test_prices.py": ["shop/prices.py"], "shop/prices.py": []}
        )
        found = replace(
            found,
            runner=(str(self.site / "_pytest/python.py"),),
            installed=(
                str(self.site / "requests/__init__.py"),
                str(self.standard / "json.py"),
            ),
            search_path=(
                str(self.project),
                str(self.standard.with_name("python311.zip")),
                str(self.standard),
                str(self.site),
            ),
            site_folders=(str(self.site),),
            interpreter=str(self.env / "bin/python"),
            prefix=str(self.env),
        )
        return guard_with(self.project, found, mode=mode)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def decisive(found: tuple[Finding, ...]) -> list[bool]:
    return [finding.decisive for finding in found]


@pytest.fixture
def world(project: Path) -> World:
    return World(project)


def test_an_untouched_environment_is_silent(world: World) -> None:
    guard = world.guard()
    assert guard.revert_edits(1).found == ()


@pytest.mark.parametrize("name", ["_pytest/python.py", "editable.pth", "../../../pyvenv.cfg"])
def test_what_the_verdict_runs_on_is_restored(name: str, world: World) -> None:
    guard = world.guard()
    path = world.site / name
    before = path.read_text(encoding="utf-8")
    write(world.site, {name: f"import evil\n{PATCH}"})
    assert decisive(guard.revert_edits(1).found) == [False]
    assert path.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zz.pth", "import evil\n"),
        ("sitecustomize.py", PATCH),
        ("usercustomize.py", PATCH),
        ("nicer-1.0.dist-info/entry_points.txt", "[pytest11]\nnicer = nicer\n"),
    ],
)
def test_what_python_or_pytest_would_start_is_moved_aside(
    name: str, text: str, world: World
) -> None:
    guard = world.guard()
    write(world.site, {name: text})
    assert decisive(guard.revert_edits(1).found) == [False]
    assert not (world.site / name).exists()


def test_a_plain_path_file_whose_folder_starts_code_is_moved_aside(world: World) -> None:
    guard = world.guard()
    write(world.env, {"share/sitecustomize.py": PATCH, "other/lib.py": "X = 1\n"})
    write(world.site, {"a.pth": f"{world.env}/share\n", "b.pth": f"{world.env}/other\n"})
    guard.revert_edits(1)
    assert not (world.site / "a.pth").exists()
    assert (world.site / "b.pth").exists()


def test_a_new_package_is_honest(world: World) -> None:
    guard = world.guard()
    world.install("roundy", "1.0", {"roundy/__init__.py": "X = 1\n", "roundy.pth": "/x\n"})
    write(world.site, {"roundy-1.0.dist-info/entry_points.txt": "[console_scripts]\na = b:c\n"})
    assert guard.revert_edits(1).found == ()


def test_an_edit_by_hand_is_decisive_and_an_upgrade_is_not(world: World) -> None:
    guard = world.guard()
    write(world.site, {"requests/__init__.py": "A = 2\n"})
    assert decisive(guard.revert_edits(1).found) == [True]
    shutil.rmtree(world.site / "requests-2.0.dist-info")
    world.install("requests", "2.1", {"requests/__init__.py": "A = 2\n"})
    (finding,) = guard.revert_edits(1).found
    assert not finding.decisive
    assert finding.where == "requests-2.1"


def test_the_same_record_with_another_content_is_decisive(world: World) -> None:
    guard = world.guard()
    world.install("requests", "2.0", {"requests/__init__.py": "A = 3\n"})
    assert decisive(guard.revert_edits(1).found) == [True]


def test_touching_changes_nothing(world: World) -> None:
    guard = world.guard()
    for path in (world.site / "requests/__init__.py", world.site / "_pytest/python.py"):
        os.utime(path)
    (world.standard / "json.py").chmod(0o600)
    assert guard.revert_edits(1).found == ()


def test_the_standard_library_is_watched(world: World) -> None:
    guard = world.guard()
    write(world.standard, {"json.py": "A = 2\n"})
    assert decisive(guard.revert_edits(1).found) == [True]


def test_what_is_found_before_it_is_decisive(world: World) -> None:
    guard = world.guard()
    write(world.site, {"_pytest/python.cpython-311-x86_64-linux-gnu.so": "x"})
    world.standard.with_name("python311.zip").write_bytes(b"PK")
    assert decisive(guard.revert_edits(1).found) == [True, True]


def test_bytecode_that_changed_alone_is_removed_before_it_runs(world: World) -> None:
    # Another process of this environment may have compiled it, so nobody is accused of it.
    cache = world.site / "_pytest/__pycache__/python.cpython-311.pyc"
    write(world.site, {"_pytest/__pycache__/python.cpython-311.pyc": "old"})
    guard = world.guard()
    cache.write_text("forged", encoding="utf-8")
    rewritten = cache.with_name("python.cpython-311-pytest-9.2.0.pyc")
    rewritten.write_text("forged", encoding="utf-8")
    assert guard.revert_edits(1).found == ()
    assert not cache.exists()
    assert not rewritten.exists()


def test_the_first_import_of_a_module_may_leave_bytecode(world: World) -> None:
    write(world.site, {"six.py": "A = 1\n"})
    guard = world.guard()
    beside = {
        "__pycache__/six.cpython-311.pyc": "new",
        "_pytest/__pycache__/python.cpython-311.pyc": "new",
        "_pytest/__pycache__/lazily.cpython-311.pyc": "new",
    }

    def suite() -> object:
        write(world.site, beside)
        return None

    guard.revert_edits(1)
    assert guard.watch_suite(suite)[1].found == ()  # type: ignore[arg-type]
    # What was not there is not trusted in the next run either.
    assert not (world.site / "_pytest/__pycache__/python.cpython-311.pyc").exists()
    assert (world.site / "_pytest/__pycache__/lazily.cpython-311.pyc").exists()


def test_recorded_bytecode_that_the_suite_changes_is_decisive(world: World) -> None:
    cache = {"_pytest/__pycache__/python.cpython-311.pyc": "old"}
    write(world.site, cache)
    guard = world.guard()
    guard.revert_edits(1)

    def suite() -> object:
        write(world.site, dict.fromkeys(cache, "forged"))
        return None

    _, found = guard.watch_suite(suite)  # type: ignore[arg-type]
    assert decisive(found.found) == [True]


def test_bytecode_that_cannot_be_removed_is_decisive(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = {"_pytest/__pycache__/python.cpython-311.pyc": "old"}
    write(world.site, cache)
    guard = world.guard()
    write(world.site, dict.fromkeys(cache, "forged"))

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert decisive(guard.revert_edits(1).found) == [True]


@pytest.mark.parametrize("mode", [GuardMode.RESTORE, GuardMode.FLAG])
def test_bytecode_that_was_removed_may_be_compiled_again(world: World, mode: GuardMode) -> None:
    cache = {"_pytest/__pycache__/python.cpython-311.pyc": "old"}
    write(world.site, cache)
    guard = world.guard(mode)
    write(world.site, dict.fromkeys(cache, "forged"))
    assert guard.revert_edits(1).found == ()

    def suite() -> object:
        write(world.site, dict.fromkeys(cache, "compiled"))
        return None

    assert guard.watch_suite(suite)[1].found == ()  # type: ignore[arg-type]


def test_a_copy_that_was_changed_is_never_restored(world: World) -> None:
    guard = world.guard()
    for copy in (guard.folder / "files").iterdir():
        copy.write_bytes(zlib.compress(b"A = 2\n"))
    write(world.site, {"_pytest/python.py": PATCH})
    assert True in decisive(guard.revert_edits(1).found)
    assert (world.site / "_pytest/python.py").read_text(encoding="utf-8") == PATCH


def test_a_change_while_the_suite_runs_is_decisive(world: World) -> None:
    guard = world.guard()
    guard.revert_edits(1)

    def suite() -> object:
        write(world.site, {"zz.pth": "import evil\n"})
        return None

    _, found = guard.watch_suite(suite)  # type: ignore[arg-type]
    assert decisive(found.found) == [True]

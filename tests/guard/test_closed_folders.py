"""A place that this user may not enter is an empty one, unless it was closed since the baseline."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.guard import Guard, GuardMode, build_guard
from orchestrator.guard.command_chain import follow_command
from orchestrator.guard.guarded_file_store import GuardedFileStore
from orchestrator.guard.protection_derivation import Basis, derive_protection
from orchestrator.guard.search_path import find_search_folders
from orchestrator.guard.tree import ClosedFolders, find_environments
from orchestrator.models import Diff, FindingKind, Findings, SuiteReport
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.pytest.footprint import build_footprint
from orchestrator.verdict.missing_dependency import find_missing_dependency
from orchestrator.verdict.suite_obstacle import find_obstacle
from tests.guard.footprints import GREEN, footprint, report
from tests.guard.projects import write
from tests.ordinary_user import deny_access, make_public_folder, ordinary_user

PROJECT: Mapping[str, str] = {
    "prices.py": "def half(x):\n    return x\n",
    "tests/test_prices.py": "from prices import half\n\n\ndef test_half():\n    half(2)\n",
    "theirs/module.py": "X = 1\n",
    "theirs/pyvenv.cfg": "home = /usr/bin\n",
    "theirs/conftest.py": "",
    ".venv/bin/python": "",
    ".venv/pyvenv.cfg": "home = /usr/bin\n",
    "requirements-theirs.txt": "",
}
IMPORTS = {"tests/test_prices.py": ["prices.py"], "prices.py": []}


@dataclass(frozen=True)
class Lab:
    """A project, and what an ordinary user may not enter, in it and outside of it."""

    project: Path
    outside: Path

    @property
    def path(self) -> str:
        """A PATH that begins in closed folders, one with a folder above it that is closed."""
        return f"{self.outside}:{self.outside}/bin:{self.project}/theirs:/usr/bin:/bin"

    def guard(self, command: str = "pytest tests", mode: GuardMode = GuardMode.RESTORE) -> Guard:
        """Return a guard that has recorded nothing yet."""
        home = str(self.project.parent)
        return build_guard(
            self.project,
            mode,
            command,
            {"PATH": self.path, "HOME": home},
            folder=self.project.parent / "kept",
        )


@pytest.fixture
def lab() -> Iterator[Lab]:
    with make_public_folder() as top:
        lab = Lab(top / "project", top / "outside")
        with ordinary_user():
            write(lab.project, PROJECT)
            write(lab.outside, {"bin/tool": "#!/bin/sh\n", "x.mk": "A = 1\n", "x.ini": ""})
            (lab.project / "link").symlink_to(lab.outside / "bin")
        with (
            deny_access(lab.outside),
            deny_access(lab.project / "theirs"),
            deny_access(lab.project / ".venv"),
            ordinary_user(),
        ):
            yield lab


@contextmanager
def mode_of(folder: Path, mode: int) -> Iterator[None]:
    """Change the mode of a folder for a while, as its owner may."""
    before = folder.stat().st_mode
    folder.chmod(mode)
    yield
    folder.chmod(before)


def attempt(guard: Guard, found: Any) -> Findings:
    """Take the guard through a run with one attempt that changes nothing guarded."""
    _, first = guard.watch_suite(report, baseline=True)
    guard.record_baseline(report(), found)
    guard.record_attempt(1)
    (guard.project / "prices.py").write_text("def half(x):\n    return x / 2\n", encoding="utf-8")
    reverted = guard.revert_edits(1)
    judged, watched = guard.watch_suite(lambda: GREEN)
    diff = Diff((), guard.project / "no.patch")
    checked = guard.check_verdict(1, judged, diff, lambda _: GREEN)
    return Findings((*first.found, *reverted.found, *watched.found, *checked.found))


def test_a_run_with_them_on_every_path_is_judged(lab: Lab) -> None:
    outside = str(lab.outside)
    found = footprint(
        lab.project,
        IMPORTS,
        search_path=(f"{outside}/lib", outside, "theirs", ".", "tests"),
        absent=("pytest.ini", f"{outside}/conftest.py", "theirs/conftest.py"),
        data=("theirs/data.txt", f"{outside}/data.txt", "tests/test_prices.py"),
        steering=("theirs/pytest.ini",),
    )
    found = replace(found, site_folders=(f"{outside}/lib",), prefix=f"{outside}/prefix")
    guard = lab.guard(f"make -f {outside}/x.mk && tool && pytest tests -c {outside}/x.ini")
    assert attempt(guard, found) == Findings()
    assert "the tests are as they were" in guard.describe_state()
    again = lab.guard()
    assert again.revert_edits(1) == Findings()  # by another process, from what was kept


def test_a_run_without_a_footprint_is_judged(lab: Lab) -> None:
    assert attempt(lab.guard("sh check.sh tests"), None) == Findings()


@pytest.mark.parametrize(
    "command",
    [
        "{closed}/bin/tool --config={closed}/x.ini",
        "tool {closed}/x.sh < {closed}/x.txt",
        "make -C {closed} test",
        "sh {closed}/x.sh",
        ". {closed}/.env && pytest",
        "python {closed}/x.py {closed}/y.py",
        "cd {closed} && python -m package && npm test && tox && nox && just && task && invoke",
        "pytest -c {closed}/x.ini @{closed}/arguments {closed}/tests",
        "sh link/tool",
        "make",
    ],
)
def test_a_command_that_leads_there_is_followed(lab: Lab, command: str) -> None:
    makefile = f"include {lab.outside}/x.mk theirs/*.mk\ntest:\n\t{lab.outside}/bin/tool\n"
    write(lab.project, {"Makefile": makefile})
    chain = follow_command(lab.project, command.format(closed=lab.outside))
    assert chain.files.keys() <= {"Makefile"}


def test_what_else_looks_there_finds_nothing(lab: Lab) -> None:
    assert find_environments(lab.project) == frozenset()
    env = build_project_environment(lab.project, {"PATH": lab.path})
    assert "VIRTUAL_ENV" not in env
    paths = [lab.project / "theirs", lab.outside, lab.outside / "bin", lab.project / "link"]
    found = find_search_folders(
        lab.project, footprint(lab.project, {}, search_path=[*map(str, paths)]), ()
    )
    assert {each.names for each in found} == {frozenset()}
    assert find_missing_dependency(report().failing, lab.project) == ""
    assert find_obstacle(report(), lab.project, "", "") is None
    start = {
        **{"invocation": str(lab.project), "root": str(lab.project), "cut": str(lab.project)},
        **{"config": None, "arguments": [f"{lab.outside}/tests", "theirs/test_a.py"]},
        **{"interpreter": "", "version": "", "prefix": ""},
    }
    names = ("tests", "steering", "modules", "runner", "installed", "search_path", "site_folders")
    empty = dict.fromkeys((*names, "standard_modules", "data"), ())
    assert build_footprint([start], [empty], {}) is not None


def test_an_environment_with_links_there_keeps_its_packages(lab: Lab) -> None:
    site = lab.project / "venv" / "lib" / "python3.11" / "site-packages"
    write(lab.project, {"venv/pyvenv.cfg": "home = /usr/bin\n"})
    for name in ("a", "b"):
        write(site, {f"{name}-1.dist-info/direct_url.json": "{}", f"{name}.py": ""})
        (site / f"{name}_theirs").symlink_to(lab.outside / "bin")
        (site / f"{name}.pth").symlink_to(lab.outside / "x.pth")
    assert build_project_environment(lab.project, {})["VIRTUAL_ENV"] == str(lab.project / "venv")
    (folder,) = find_search_folders(
        lab.project, footprint(lab.project, {}, search_path=[str(site)]), ()
    )
    assert folder.names == {"a", "b"}


@pytest.mark.parametrize("mode", [0, 0o444, 0o111], ids=["closed", "listed only", "entered only"])
def test_a_folder_that_is_closed_since_the_baseline_is_opened(lab: Lab, mode: int) -> None:
    guard, tests = lab.guard(), lab.project / "tests"
    guard.record_baseline(report(), footprint(lab.project, IMPORTS))
    guard.record_attempt(1)
    for look in (
        guard.open_folders,
        guard.revert_edits,
        lambda _: guard.watch_suite(lambda: GREEN)[1],
    ):
        tests.chmod(mode)
        (found,) = look(1).found
        assert (found.where, found.decisive) == ("tests", False)
        assert stat.S_IMODE(tests.stat().st_mode) == mode | 0o700
    assert guard.revert_edits(1) == Findings()
    assert lab.project.joinpath("theirs").stat().st_mode & 0o777 == 0


@pytest.mark.parametrize("mode", [0, 0o711], ids=["closed", "entered only"])
def test_a_folder_of_another_user_is_empty_only_where_nobody_may_enter(mode: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes a folder of another user's")
    with make_public_folder() as top:
        with ordinary_user():
            write(top / "project", PROJECT)
            guard = Lab(top / "project", top / "outside").guard()
            guard.record_baseline(report(), footprint(guard.project, IMPORTS))
            guard.record_attempt(1)
        write(top / "project", {"colorsys/__init__.py": ""})
        (top / "project" / "colorsys").chmod(mode)
        with ordinary_user():
            guard.revert_edits(1)
            found = guard.check_verdict(1, GREEN, Diff((), guard.project / "no.patch")).found
    assert [(each.where, each.decisive) for each in found] == [("colorsys", True)] * bool(mode)


@pytest.mark.parametrize("name", ["colorsys/__init__.py", "__pycache__/prices.cpython-311.pyc"])
def test_what_is_hidden_from_a_walk_is_found(lab: Lab, name: str) -> None:
    guard, path = lab.guard(), lab.project / name
    guard.record_baseline(report(), footprint(lab.project, IMPORTS, search_path=(".",)))
    guard.record_attempt(1)
    write(lab.project, {name: ""})
    path.parent.chmod(0o311)
    guard.revert_edits(1)
    guard.watch_suite(lambda: GREEN)
    found = guard.check_verdict(1, GREEN, Diff((), lab.project / "no.patch")).found
    if path.suffix == ".pyc":
        assert not path.exists()
    else:
        assert [(each.where, each.decisive) for each in found] == [("colorsys", True)]


def test_a_guarded_file_of_a_folder_that_cannot_be_opened_is_missed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = lab.guard()
    guard.record_baseline(report(), footprint(lab.project, IMPORTS))
    guard.record_attempt(1)
    with mode_of(lab.project / "tests", 0o111):
        monkeypatch.setattr(ClosedFolders, "open_folder", lambda *_: False)
        with pytest.raises(InfrastructureError, match=r"cannot be guarded.*Permission denied"):
            guard.revert_edits(1)
        with pytest.raises(InfrastructureError, match=r"cannot be guarded.*Permission denied"):
            guard.watch_suite(lambda: GREEN)
    assert guard.revert_edits(1) == Findings()


def test_a_guarded_file_that_appears_where_nobody_could_look_is_reverted(lab: Lab) -> None:
    theirs = lab.project / "theirs"
    found = footprint(
        lab.project, IMPORTS, steering=("theirs/conftest.py",), search_path=("theirs",)
    )
    protection = derive_protection(Basis(lab.project, "pytest", report(), found))
    assert {"theirs", "theirs/conftest.py"} <= protection.closed
    store = GuardedFileStore(protection, lab.project.parent / "kept")
    manifest = store.record_manifest("start")
    assert "theirs/conftest.py" not in manifest.entries
    with mode_of(theirs, 0o755):
        changes = store.find_changes(manifest, store.read_tree(manifest))
    # An environment that could not be seen would be the project's, as `.venv` may not be entered.
    assert {(each.name, each.what) for each in changes} == {
        ("theirs/conftest.py", "added"),
        ("theirs/pyvenv.cfg", "added"),
    }


def test_what_an_attempt_makes_unreadable_stops_nothing(lab: Lab) -> None:
    guard = lab.guard()
    guard.record_baseline(report(), footprint(lab.project, IMPORTS))
    guard.record_attempt(1)
    write(lab.project, {"data.bin": "x", "new.py": "exec(open('data.bin').read())\n"})
    for name in ("data.bin", "new.py", "prices.py"):
        (lab.project / name).chmod(0)
    (lab.project / "new").mkdir(mode=0o444)
    os.mkfifo(lab.project / "pipe")  # to read it is to wait for a writer
    guard.revert_edits(1)
    diff = Diff((), lab.project / "no.patch")
    guard.check_verdict(1, GREEN, diff)


@pytest.mark.parametrize("edit", ["adds a module", "opens it", "leaves it", "the suite does"])
def test_an_attempt_may_not_change_what_was_closed_at_the_baseline(lab: Lab, edit: str) -> None:
    private = lab.project / "private"
    write(lab.project, {"private/note.txt": "mine"})
    private.chmod(0o311)
    for _ in range(2):  # the second recalls it, as another process does
        guard = lab.guard()
        guard.record_baseline(report(), footprint(lab.project, IMPORTS))
    guard.record_attempt(1)
    if edit == "adds a module":
        write(lab.project, {"private/__init__.py": ""})
    elif edit == "opens it":
        private.chmod(0o755)
    found = guard.revert_edits(1).found
    expected = [("private", FindingKind.CLOSED, True)] * (edit in ("adds a module", "opens it"))
    assert [(each.where, each.kind, each.decisive) for each in found] == expected

    def run() -> SuiteReport:
        write(lab.project, {"private/new.txt": ""} if edit == "the suite does" else {})
        return GREEN

    guard.watch_suite(run)
    assert guard.check_verdict(1, GREEN, Diff((), lab.project / "no.patch")) == Findings()
    guard.record_attempt(2)
    assert guard.revert_edits(2) == Findings()
    assert stat.S_IMODE(private.stat().st_mode) == (0o755 if edit == "opens it" else 0o311)


def test_a_pipe_that_git_would_wait_for_goes(lab: Lab) -> None:
    guard, path = lab.guard(), lab.project / "tests" / ".gitignore"
    guard.record_baseline(report(), footprint(lab.project, IMPORTS))
    guard.record_attempt(1)
    os.mkfifo(path)
    assert [each.where for each in guard.open_folders(1).found] == ["tests/.gitignore"]
    assert not path.exists()


@pytest.mark.parametrize("name", [".cache", ".mypy_cache", "env/lib/python3.11/site-packages"])
def test_folders_that_no_walk_enters_stay_closed(lab: Lab, name: str) -> None:
    write(lab.project, {f"{name}/x/__pycache__/x.cpython-311.pyc": "x"})
    (lab.project / name).chmod(0o311)
    guard = lab.guard()
    guard.record_baseline(report(), footprint(lab.project, IMPORTS))
    guard.record_attempt(1)
    assert guard.revert_edits(1) == Findings()
    guard.watch_suite(lambda: GREEN)
    assert guard.check_verdict(1, GREEN, Diff((), lab.project / "no.patch")) == Findings()
    assert stat.S_IMODE((lab.project / name).stat().st_mode) == 0o311


@pytest.mark.parametrize("name", ["tests/test_prices.py", "tests/conftest.py", "tests"])
def test_a_pipe_holds_nothing_and_goes(lab: Lab, name: str) -> None:
    guard, path = lab.guard(), lab.project / name
    guard.record_baseline(report(), footprint(lab.project, IMPORTS))
    guard.record_attempt(1)
    if path.is_dir():
        (path / "test_prices.py").unlink()
        path.rmdir()
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert guard.revert_edits(1).found
    guard.watch_suite(lambda: GREEN)
    assert guard.check_verdict(1, GREEN, Diff((), lab.project / "no.patch")) == Findings()
    assert (lab.project / "tests/test_prices.py").read_text() == PROJECT["tests/test_prices.py"]
    assert not (lab.project / "tests/conftest.py").exists()

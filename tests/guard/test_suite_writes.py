"""Files that the suite writes are recognized by content; they are free unless tests or code."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.guard import Guard, GuardMode, build_disabled_guard, build_guard
from orchestrator.guard.suite_writes import is_output, is_source
from orchestrator.models import SuiteReport
from tests.guard.footprints import GREEN, footprint, report
from tests.guard.projects import write

FILES = {
    "shop/prices.py": "X = 1\n",
    "tests/test_prices.py": "def test_ten(): pass\n",
    "tests/conftest.py": "import pytest\n",
    "tests/helpers.py": "Y = 1\n",
    "tests/data/golden.txt": "1\n",
    "run.sh": "pytest tests\n",
    "pytest.ini": "[pytest]\n",
}
USES = {
    "tests/test_prices.py": ["shop/prices.py", "tests/helpers.py"],
    "shop/prices.py": [],
    "tests/helpers.py": [],
}


def guard_after(
    project: Path, suite: Callable[[], object], mode: GuardMode = GuardMode.RESTORE
) -> Guard:
    """Return the guard of a run at whose baseline the suite did something."""
    write(project, FILES)
    env = {"PATH": "/usr/bin", "HOME": str(project.parent)}
    guard = build_guard(project, mode, "bash run.sh", env, folder=project.parent / "kept")
    guard.watch_suite(running(suite), baseline=True)
    steering = ["tests/conftest.py", "pytest.ini"]
    guard.record_baseline(report(), footprint(project, USES, steering=steering))
    guard.record_attempt(1)
    return guard


def running(work: Callable[[], object]) -> Callable[[], SuiteReport]:
    def run() -> SuiteReport:
        work()
        return GREEN

    return run


def touch_all(project: Path) -> None:
    for name in FILES:
        (project / name).chmod(0o664 if (project / name).stat().st_mode & 0o20 == 0 else 0o644)


def rewrite(project: Path, name: str, text: str | None = None) -> None:
    """Write a file at another time, as a formatter does."""
    path = project / name
    path.write_text(path.read_text(encoding="utf-8") if text is None else text, encoding="utf-8")
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 5_000_000_000))


def test_a_change_of_modes_frees_nothing(project: Path) -> None:
    guard = guard_after(project, lambda: touch_all(project))
    assert guard.suite_written_files == frozenset()
    assert {"tests/test_prices.py", "run.sh"} <= {each.path for each in guard.list_guarded_files()}
    guard.revert_edits(1)
    assert guard.watch_suite(running(lambda: touch_all(project)))[1].found == ()
    _, found = guard.watch_suite(running(lambda: rewrite(project, "shop/prices.py")))
    assert [each.decisive for each in found.found] == [True]
    write(project, {"tests/test_prices.py": "weak\n"})
    assert [each.where for each in guard.revert_edits(1).found] == ["tests/test_prices.py"]


@pytest.mark.parametrize(
    "name",
    ["tests/test_prices.py", "tests/conftest.py", "tests/helpers.py", "run.sh", "pytest.ini"],
)
def test_a_formatter_does_not_free_tests(name: str, project: Path) -> None:
    formatted = FILES[name] + "# formatted\n"
    guard = guard_after(project, lambda: rewrite(project, name, formatted))
    assert guard.suite_written_files == {name}
    assert guard.suite_output == frozenset()
    assert name in {each.path for each in guard.list_guarded_files()}
    guard.revert_edits(1)
    assert guard.watch_suite(running(lambda: rewrite(project, name)))[1].found == ()
    _, found = guard.watch_suite(running(lambda: rewrite(project, name, "weak\n")))
    assert True in [each.decisive for each in found.found]


def test_code_that_the_suite_formats_is_the_attempts(project: Path) -> None:
    guard = guard_after(project, lambda: rewrite(project, "shop/prices.py", "X = 1  # f\n"))
    assert guard.baseline_written_files == {"shop/prices.py"}
    assert guard.suite_output == frozenset()
    write(project, {"shop/prices.py": "X = 2\n"})
    guard.revert_edits(1)
    again = running(lambda: rewrite(project, "shop/prices.py", "X = 2  # f\n"))
    assert guard.watch_suite(again)[1].found == ()


def test_data_that_comes_out_alike_at_the_start_may_differ_later(project: Path) -> None:
    guard = guard_after(project, lambda: rewrite(project, "tests/data/golden.txt"))
    assert guard.suite_written_files == frozenset()
    guard.revert_edits(1)
    other = running(lambda: rewrite(project, "tests/data/golden.txt", "2\n"))
    assert guard.watch_suite(other)[1].found == ()
    assert (project / "tests/data/golden.txt").read_text(encoding="utf-8") == "1\n"
    write(project, {"tests/data/golden.txt": "3\n"})
    assert [each.where for each in guard.revert_edits(1).found] == ["tests/data/golden.txt"]


@pytest.mark.parametrize("mode", [GuardMode.RESTORE, GuardMode.FLAG, GuardMode.OFF])
def test_each_run_adds_to_what_the_suite_wrote(mode: GuardMode, project: Path) -> None:
    guard = guard_after(project, lambda: write(project, {"coverage.xml": "1"}), mode)
    write(project, {"out.log": "the agent's own run"})
    guard.watch_suite(running(lambda: write(project, {"out.log": "a", "shop/made.py": "Z = 1\n"})))
    _, written = guard.collect_writes(running(lambda: write(project, {"more.log": "x"})))
    assert written == {"more.log"}
    everything = {"coverage.xml", "out.log", "shop/made.py", "more.log"}
    assert guard.suite_written_files == everything
    assert guard.suite_output == everything - {"shop/made.py"}
    assert guard.baseline_written_files == {"coverage.xml"}
    second = build_guard(project, mode, "bash run.sh", {}, folder=guard.folder)
    assert second.suite_written_files == everything


def test_without_a_project_nothing_is_looked_at() -> None:
    guard = build_disabled_guard()
    assert guard.watch_suite(lambda: GREEN, baseline=True)[0] is GREEN
    assert guard.collect_writes(lambda: GREEN) == (GREEN, frozenset())
    assert guard.suite_written_files == frozenset()


@pytest.mark.parametrize(
    ("commands", "output"),
    [
        ("date > made.py", True),
        ("date >made.py\npytest", True),
        ('date | tee "made.py"', True),
        ("gen -o ./made.py", True),
        ("python made.py > log", False),
        ("date > made.py.txt", False),
        ("sed -i s/a/b/ made.py", False),
    ],
)
def test_where_a_command_writes_to(commands: str, output: bool) -> None:
    assert is_output("made.py", commands) is output


def test_what_people_write() -> None:
    assert is_source("shop/prices.py")
    assert is_source("sub/pyproject.toml")
    assert not is_source("out.log")

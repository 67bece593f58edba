"""Footprints made by hand, as the suite would record them, and guards that have taken one."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.guard import Guard, GuardMode, build_guard
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint, Module


def footprint(
    project: Path,
    imports: Mapping[str, Sequence[str]],
    tests: Sequence[str] = ("tests/test_prices.py",),
    provides: Sequence[str] = (),
    data: Sequence[str] = (),
    steering: Sequence[str] = (),
    absent: Sequence[str] = ("conftest.py", "pytest.ini", "tests/conftest.py"),
    search_path: Sequence[str] = (".", "tests"),
) -> Footprint:
    """Return a footprint, with all paths from the project's folder."""

    def full(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(str((project / name).resolve()) for name in names)

    modules = tuple(
        Module(
            name.removesuffix(".py").replace("/", "."),
            str((project / name).resolve()),
            full(used),
            name in provides,
        )
        for name, used in imports.items()
    )
    return Footprint(
        tests=full(tests),
        steering=full(steering),
        absent=full(absent),
        modules=modules,
        data=full(data),
        search_path=full(search_path),
        standard_modules=tuple(sys.stdlib_module_names),
        interpreter=sys.executable,
        version="3.11.7",
        prefix=str(project / "no-environment"),
    )


def report(
    passed: Sequence[str] = ("tests/test_prices.py::test_ten",),
    failed: Sequence[str] = ("tests/test_prices.py::test_half",),
    output: str = "",
) -> SuiteReport:
    """Return a report whose cases know their file and function."""
    cases = [Case(each, CaseOutcome.PASSED) for each in passed]
    cases += [Case(each, CaseOutcome.FAILED, message="assert 100 == 101") for each in failed]
    outcome = SuiteOutcome.FAILED if failed else SuiteOutcome.PASSED
    known = tuple(
        replace(each, file=each.id.split("::")[0], function=each.id.split("[")[0]) for each in cases
    )
    return SuiteReport(outcome, int(bool(failed)), known, output=output)


GREEN = report(("tests/test_prices.py::test_ten", "tests/test_prices.py::test_half"), ())


def guard_with(
    project: Path,
    found: Footprint | None,
    command: str = "pytest tests",
    mode: GuardMode = GuardMode.RESTORE,
    unguarded: Sequence[str] = (),
    baseline: SuiteReport | None = None,
) -> Guard:
    """Return a guard that has taken a baseline and remembers the first attempt."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(project.parent / "home")}
    guard = build_guard(
        project, mode, command, env, unguarded=unguarded, folder=project.parent / "kept"
    )
    guard.record_baseline(baseline or report(), found)
    guard.record_attempt(1)
    return guard

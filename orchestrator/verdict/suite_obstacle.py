"""Checks whether the suite can judge at all, before the agent costs anything."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import with_hint
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.suites.declared_packages import read_declared_packages
from orchestrator.suites.detection.modules import find_module
from orchestrator.suites.installing import advise_install, format_plugin_install
from orchestrator.suites.pytest.settings import OPTIONS_VARIABLE
from orchestrator.suites.pytest.suite import VARIABLE
from orchestrator.suites.pytest.verdict import NOT_REACHED_MESSAGE
from orchestrator.verdict.exit_status import extract_complaint
from orchestrator.verdict.missing_modules import find_missing_modules
from orchestrator.verdict.task_text import asks_to_write

_PLUGIN: Final = re.compile(r"Error importing plugin \"?([\w.-]+)|unrecognized arguments: (.+)")
_CONFIGURED: Final = (SuiteOutcome.NO_TESTS, SuiteOutcome.USAGE_ERROR, SuiteOutcome.NOT_FOUND)


@dataclass(frozen=True)
class Obstacle:
    """The reason why no attempt can be judged."""

    message: str
    hint: str
    configured: bool = False
    """Whether the cause is the configuration, and not the machine."""

    @property
    def text(self) -> str:
        """The message followed by the hint."""
        return with_hint(self.message, self.hint)


def find_obstacle(
    report: SuiteReport, project: Path, interpreter: str, task: str
) -> Obstacle | None:
    """Return why the suite cannot judge this project; None if it can.

    Args:
        report: the suite's report on the unchanged project.
        project: the project's folder.
        interpreter: the Python that runs the tests; empty if it is not known.
        task: the task's text; the task may be to write what is missing.
    """
    if NOT_REACHED_MESSAGE in report.message:
        return _explain_unreached_plugin(report)
    if any(case.outcome is CaseOutcome.PASSED for case in report.cases) or report.has_passed:
        whole = report.complete and report.has_verdict
        return _check_exit_status(report, task) if whole else _check_completion(report, task)
    errors = [case for case in report.failing if case.outcome is CaseOutcome.ERROR]
    if any(case.outcome is CaseOutcome.FAILED for case in report.failing):
        return None
    text = "\n".join([report.output[-8000:], *(case.message for case in errors)])
    module = _find_missing_module(errors, text)
    if module:
        written = _is_unwritten_module(module, project, task)
        return None if written else _explain_missing_module(module, project, interpreter)
    if plugin := _PLUGIN.search(text):
        installer = format_plugin_install(project, interpreter)
        name = plugin[1] or plugin[2]
        return _explain_missing_plugin(name, installer, configured=bool(plugin[2]))
    ran = report.has_verdict and not all(case.collecting for case in errors)
    return None if ran else _explain_missing_cases(report, errors)


def _check_completion(report: SuiteReport, task: str) -> Obstacle | None:
    """Return the obstacle of a suite that breaks off."""
    running = report.running
    name = re.split(r"\W", running.partition("[")[0])[-1]
    if name and re.search(rf"\b{re.escape(name)}\b", task):
        return None  # the task is about it
    during = f", while {running} was running" if running and running not in report.message else ""
    return Obstacle(
        f"the suite breaks off, so failures after that point would be missed: "
        f"{report.summary}{during}",
        report.outcome.hint or "repair that, or exclude it from tests.command",
    )


def _check_exit_status(report: SuiteReport, task: str) -> Obstacle | None:
    """Return the obstacle of a command that fails although every case passes."""
    if report.has_passed or report.failing or report.outcome is not SuiteOutcome.FAILED:
        return None
    complaint = extract_complaint(report)
    words = {word.lower() for word in re.findall(r"[A-Za-z]{5,}", complaint)}
    if words & {word.lower() for word in re.findall(r"[A-Za-z]{5,}", task)}:
        return None  # the task is about it
    return Obstacle(
        f"all cases pass, but {report.command} exits with {report.exit_code}: {complaint}",
        "set tests.command to a command that exits with 0 on the unchanged project",
        configured=True,
    )


def _find_missing_module(errors: Sequence[Case], text: str) -> str:
    """Return the missing module that keeps every case from running; empty if there is none."""
    found = [find_missing_modules(f"{case.message}\n{case.detail}") for case in errors]
    if not all(found):
        return ""
    names = found[0] if found else find_missing_modules(text)
    return names[0] if names else ""


def is_part_of_project(module: str, project: Path, task: str) -> bool:
    """Return whether a missing module is one of the project's, or is still to be written."""
    top = module.partition(".")[0]
    return find_module(project, top) is not None or _is_unwritten_module(module, project, task)


def _is_unwritten_module(module: str, project: Path, task: str) -> bool:
    """Return whether a missing module belongs to the project, and is still to be written."""
    package, _, rest = module.partition(".")
    is_own = find_module(project, package) is not None
    if not is_own and read_declared_packages(project).contains(
        package
    ):  # the task names it, but not to write it
        return False
    return asks_to_write(task, module) or (bool(rest) and is_own)


def describe_writing(module: str, project: Path) -> str:
    """Describe what to do if a missing module is to be written; empty if it is a package's."""
    top = module.partition(".")[0]
    if find_module(project, top) is not None or read_declared_packages(project).contains(top):
        return ""
    return f"if the task is to write {top}, name {top}.py in it"


def _explain_missing_module(module: str, project: Path, interpreter: str) -> Obstacle:
    top = module.partition(".")[0]
    where = f"in {interpreter}, which runs the tests" if interpreter else "where the tests run"
    advice = advise_install(project, interpreter, [top])
    if find_module(project, top) is not None:
        message = f"the project itself cannot be imported {where}: no module named {module}"
    else:
        message = f"no case can run, because the module {module} is not installed {where}"
    return Obstacle(message, "; ".join(filter(None, (advice.hint, describe_writing(top, project)))))


def _explain_unreached_plugin(report: SuiteReport) -> Obstacle:
    return Obstacle(
        f"no pytest started by {report.command} reports its results, because the orchestrator's "
        "plugin does not reach it",
        f"pass {OPTIONS_VARIABLE}, PYTHONPATH and {VARIABLE} through to it (tox: pass_env), run "
        "Python without -I and -E, or set tests.framework: command",
        configured=True,
    )


def _explain_missing_plugin(name: str, installer: str, *, configured: bool) -> Obstacle:
    return Obstacle(
        f"the test runner does not start: it does not know {name.strip()}",
        f"install the plugin that provides it: `{installer} PLUGIN`, or change the project's test "
        "configuration",
        configured=configured,
    )


def _explain_missing_cases(report: SuiteReport, errors: Sequence[Case]) -> Obstacle:
    last = [line.strip() for line in report.output.splitlines() if line.strip()][-3:]
    said = errors[0].message if errors else " / ".join(last)
    cause = f": {said.strip().splitlines()[0][:300]}" if said.strip() else ""
    return Obstacle(
        f"the suite gives no verdict: {report.summary}{cause}",
        report.outcome.hint or "run tests.command by hand, and repair what it reports",
        configured=report.outcome in _CONFIGURED,
    )

"""`orchestrator init`: find the project's suite, try it, and write the configuration."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.options import as_json, project_directory
from orchestrator.cli.output import find_width, fit_lines, is_terminal, iter_wrapped_lines
from orchestrator.cli.trust import is_inside_run
from orchestrator.cli.values import format_duration, sanitize_text
from orchestrator.errors import UsageError
from orchestrator.masking import mask_text

if TYPE_CHECKING:
    from orchestrator.events import Event
    from orchestrator.models import SuiteReport
    from orchestrator.services.init import FileChange, FoundSetup
    from orchestrator.suites.detection import DetectedSuite

_BORROWED = (
    "the project has no pytest, so the one of orchestrator is used, which has none of the "
    "project's packages; a .venv in the project is used once there is one"
)
_BORROWED_BESIDE_ACTIVE = (
    "the active environment has no pytest, so the one of orchestrator is used, which has none of "
    "its packages"
)
_TRIAL_SECONDS = 900.0
"""Longest time for the one run of the suite."""


@click.command()
@project_directory
@click.option("--tests", metavar="CMD", help="Test command [default: detected].")
@click.option("--yes", is_flag=True, help="Agree to everything: run the suite, write the files.")
@as_json
def init(project_dir: Path, tests: str | None, yes: bool, as_json: bool) -> None:
    """Find the tests of this project, try them, and write orchestrator.yaml.

    Everything is shown before it is written, and an existing file is only added to. To count the
    cases pytest imports the tests, so start it in a repository whose tests you would run. A command
    that runs what the repository says, such as `make test`, is first run, and used by later runs,
    once you have confirmed it here.
    """
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.init import look_at_project

    if is_inside_run():
        raise UsageError("a run must not configure its own tests", "use another terminal")
    project = resolve_project(project_dir)
    dialog = _Dialog(agrees=yes, quiet=as_json)
    dialog.show(f"project   {project}")
    found = look_at_project(project, os.environ, tests, dialog.show_step)
    found = dialog.choose_suite(found)
    _show_suite(dialog, found)
    found = _offer_collecting(dialog, found)
    _show_collection(dialog, found)
    report = _offer_trial(dialog, found)
    changes, is_written = _offer_changes(dialog, found, report)
    if as_json:
        print_json(found, report, changes, is_written=is_written)
    if not is_written and not dialog.can_ask:
        raise UsageError(
            "nothing was written: there is no terminal to ask on",
            "confirm what is shown with `orchestrator init --yes`",
        )
    _show_next_step(dialog, found, report, is_written=is_written)


class _Dialog:
    """Shows lines and asks questions, if there is somebody to ask.

    Args:
        agrees: whether every question is answered with yes.
        quiet: whether nothing is shown.
    """

    def __init__(self, *, agrees: bool, quiet: bool) -> None:
        self._agrees, self._quiet = agrees, quiet
        self.can_ask = agrees or (sys.stdin.isatty() and sys.stdout.isatty() and not quiet)

    def show(self, text: str) -> None:
        """Print a text that may quote the project."""
        if not self._quiet:
            click.echo(sanitize_text(mask_text(text)))

    def show_labelled(self, label: str, text: str) -> None:
        """Print a label and a text beside it; on a terminal, words stay whole."""
        shown, width = sanitize_text(mask_text(text)), find_width()
        lines = iter_wrapped_lines(f"{label:<10}", shown, width) if width else None
        for line in lines or [f"{label:<10}{shown}"]:
            self.show(line)

    def show_step(self, event: "Event") -> None:
        """Print on a terminal what is started, as it may take long."""
        from orchestrator.events import StepStarted

        if isinstance(event, StepStarted) and is_terminal():
            self.show_labelled("", f"{event.name} ...")

    def ask(self, question: str, *, default: bool = True) -> bool:
        """Return whether the user agrees; not if there is nobody to ask."""
        if self._agrees or not self.can_ask:
            return self._agrees
        return click.confirm(sanitize_text(question), default=default)

    def choose_suite(self, found: "FoundSetup") -> "FoundSetup":
        """Return the setup with the suite that the user chooses, if it is not clear.

        Raises:
            ConfigError: it is not clear, and there is nobody to ask.
        """
        from orchestrator.services.init import choose_candidate
        from orchestrator.services.suite_choice import build_choice_error

        suite = found.suite
        if suite.command and not suite.is_ambiguous:
            return found
        choices = [each for each in (suite, *suite.candidates) if each.command and not each.folder]
        if self._agrees or not self.can_ask or not choices:
            raise build_choice_error(suite)
        self.show_labelled("", suite.explanation + (f"; {suite.hint}" if suite.hint else ""))
        for number, each in enumerate(choices, 1):
            choice = sanitize_text(mask_text(f"  {number}  {each.command}  ({each.reason})"))
            for line in fit_lines([choice], find_width()):
                self.show(line)
        numbers = click.IntRange(1, len(choices))
        chosen = choices[click.prompt("Which command", type=numbers, default=1) - 1]
        return choose_candidate(found, chosen, os.environ, self.show_step)


def _show_suite(dialog: _Dialog, found: "FoundSetup") -> None:
    suite = found.suite
    dialog.show_labelled("tests", suite.command)
    by = f"; run by {suite.interpreter}" if suite.interpreter else ""
    dialog.show_labelled("", f"{suite.reason}{by}")
    if suite.problem:
        dialog.show_labelled("", suite.problem)
    others = [each.command for each in suite.candidates if not each.folder]
    if others:
        dialog.show_labelled("", f"also possible: {', '.join(others)}; choose with --tests")


def _offer_collecting(dialog: _Dialog, found: "FoundSetup") -> "FoundSetup":
    """Offer to collect the cases with a command that runs what the repository says."""
    from orchestrator.services.init import choose_candidate

    if not found.awaits_consent:
        return found
    dialog.show_labelled("", "it runs what the repository says, so nothing of it has been run yet")
    if not dialog.ask("Run it, to collect the cases?"):
        return found
    confirmed = choose_candidate(found, found.suite, os.environ, dialog.show_step)
    tried = dialog.choose_suite(confirmed)
    if tried.suite.command != found.suite.command:
        _show_suite(dialog, tried)
    return tried


def _show_collection(dialog: _Dialog, found: "FoundSetup") -> None:
    from orchestrator.services.init import advise_packages
    from orchestrator.services.suite_trial import describe_collection
    from orchestrator.suites.installing import find_active_interpreter, is_borrowed_interpreter

    collection = found.collection
    if collection is None:
        if found.suite.framework != "pytest":
            dialog.show_labelled(
                "found", "cases cannot be counted: the exit code of the command decides"
            )
        return
    if is_borrowed_interpreter(found.suite.interpreter, os.environ):
        is_active = bool(find_active_interpreter(os.environ))
        dialog.show_labelled("", _BORROWED_BESIDE_ACTIVE if is_active else _BORROWED)
    if not collection.is_counted:
        dialog.show_labelled("found", describe_collection(collection))
        return
    time = format_duration(collection.seconds)
    dialog.show_labelled("found", f"{describe_collection(collection)}, collected in {time}")
    for each in collection.failures[:3]:
        dialog.show_labelled("", f"cannot be collected: {each.id}: {_first_line(each.message)}")
    if not collection.is_clean and not collection.failures:
        dialog.show_labelled("", collection.describe_problem())
    advice = advise_packages(found, os.environ)
    if advice and advice.command:
        dialog.show_labelled("", f"{advice.text}:")
        dialog.show(f"          $ {advice.command}")
        if advice.rest:
            dialog.show_labelled("", advice.rest)
    elif advice:
        dialog.show_labelled("", advice.text)


def _show_next_step(
    dialog: _Dialog, found: "FoundSetup", report: "SuiteReport | None", *, is_written: bool
) -> None:
    from orchestrator.services.init import can_judge

    run = 'orchestrator run "TASK"'
    if not is_written:
        dialog.show_labelled("unchanged", "orchestrator.yaml was not written")
        if not found.suite.is_sure:
            run = f'orchestrator run --tests {json.dumps(found.suite.command)} "TASK"'
    if not can_judge(found, report):
        dialog.show_labelled("next", "make the tests run, then: orchestrator doctor")
    else:
        dialog.show_labelled("next", f"orchestrator doctor checks the rest; then: {run}")


def _offer_trial(dialog: _Dialog, found: "FoundSetup") -> "SuiteReport | None":
    """Offer one real run of the suite, and show how it ends."""
    from orchestrator.services.init import run_suite_once

    if found.is_configured and found.collection is None:
        dialog.show_labelled("", "not tried: `orchestrator trust` shows what the project asks for")
        return None
    if not dialog.ask("Run the tests once, to see which fail already?"):
        return None
    report = run_suite_once(found, os.environ, _TRIAL_SECONDS)
    dialog.show_labelled("result", f"{report.summary} in {format_duration(report.seconds)}")
    for each in report.failing[:5]:
        dialog.show_labelled("", f"fails already: {each.id}: {_first_line(each.message)}")
    if len(report.failing) > 5:
        dialog.show_labelled("", f"and {len(report.failing) - 5} more")
    if any(not case.collecting for case in report.failing):
        dialog.show_labelled("", "a run need not repair these, unless its task says so")
    if not report.has_verdict and report.outcome.hint:
        dialog.show_labelled("", report.outcome.hint)
    return report


def _offer_changes(
    dialog: _Dialog, found: "FoundSetup", report: "SuiteReport | None"
) -> "tuple[list[FileChange], bool]":
    """Show the files to write and ask for each; return them, and whether all is done."""
    from orchestrator.services.init import plan_claude_md, plan_config, trust_written, write_change

    changes, is_done = [], True
    config = plan_config(found, report)
    if config is None:
        dialog.show_labelled("unchanged", "orchestrator.yaml already names the command")
    else:
        changes.append(config)
        is_done = _offer_change(dialog, config)
        if is_done:
            write_change(config)
            trusted = trust_written(found.project, config, os.environ)
            _show_written(dialog, found, config, trusted)
    instructions = plan_claude_md(found)
    if instructions is not None:
        changes.append(instructions)
        if _offer_change(dialog, instructions):
            write_change(instructions)
            _show_written(dialog, found, instructions, [])
    return changes, is_done


def _offer_change(dialog: _Dialog, change: "FileChange") -> bool:
    what = "new" if change.before is None else "changed"
    note = f"; {change.note}" if change.note else ""
    dialog.show(f"\n{change.path.name} ({what}{note}):")
    for line in change.diff.splitlines():
        dialog.show(f"  {line}")
    return dialog.ask(f"Write {change.path.name}?")


def _show_written(
    dialog: _Dialog, found: "FoundSetup", change: "FileChange", trusted: list[str]
) -> None:
    from orchestrator.services.init import describe_git_state, list_leftovers

    name = change.path.name
    state = describe_git_state(found.project, name)
    dialog.show_labelled("wrote", name + (f"; {state}" if state else ""))
    if trusted:
        dialog.show_labelled("", f"you trust {', '.join(trusted)} of it, with these values")
    if name == "orchestrator.yaml" and (left := list_leftovers(found.project)):
        dialog.show_labelled("", f"git does not ignore {', '.join(left[:5])}: add it to .gitignore")


def print_json(
    found: "FoundSetup",
    report: "SuiteReport | None",
    changes: "list[FileChange]",
    *,
    is_written: bool,
) -> None:
    """Print what was found and written, as one JSON object."""
    collection = found.collection
    content: dict[str, Any] = {
        "project": str(found.project),
        **_serialize_suite(found.suite),
        "candidates": [_serialize_suite(each) for each in found.suite.candidates],
        "cases": collection.count if collection and collection.is_counted else None,
        "seconds": round(collection.seconds, 3) if collection else None,
        "uncollected": [each.id for each in collection.failures] if collection else [],
        "result": report.outcome.value if report else None,
        "failing": [each.id for each in report.failing] if report else None,
        "files": {each.path.name: each.after.decode("utf-8") for each in changes},
        "written": is_written,
    }
    click.echo(mask_text(json.dumps(content)))


def _serialize_suite(suite: "DetectedSuite") -> dict[str, Any]:
    return {
        "framework": suite.framework,
        "command": suite.command,
        "interpreter": suite.interpreter,
        "reason": suite.reason,
        "problem": suite.problem,
        "is_sure": suite.is_sure,
        "folder": suite.folder,
    }


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:160]

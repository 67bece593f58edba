"""Set a project up: find its suite, try it, and write `orchestrator.yaml` and CLAUDE.md."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator.config.loading import PROJECT_FILE
from orchestrator.config.schema import TestsSection
from orchestrator.errors import InfrastructureError, LoopError, UsageError
from orchestrator.events import Listener
from orchestrator.models import SuiteReport
from orchestrator.platform import atomic, files
from orchestrator.platform.bom import split_bom
from orchestrator.platform.folders import CLAUDE_FOLDER, CLAUDE_MD
from orchestrator.rulebook.agents_md import find_shadowable_files
from orchestrator.services.init_config import add_settings, format_diff, read_settings
from orchestrator.services.suite_choice import build_test_overrides
from orchestrator.services.suite_trial import (
    collect_cases,
    needs_exit_code,
    try_suite,
    use_exit_code,
)
from orchestrator.services.trust import load_known_config, trust_values
from orchestrator.suites import create_suite
from orchestrator.suites.command_line import ignore_event
from orchestrator.suites.detection import DetectedSuite, detect_suite
from orchestrator.suites.detection.suite import PYTEST, is_harmless_command
from orchestrator.suites.installing import (
    InstallAdvice,
    advise_install,
    find_active_interpreter,
    is_borrowed_interpreter,
)
from orchestrator.suites.pytest.collection import Collection
from orchestrator.workspace.git import open_without_filters

_LEFTOVERS: Final = re.compile(
    r"(?:.*/)?(?:\.coverage(?:\..*)?|coverage\.xml|htmlcov|\.tox|\.nox|\.pytest_cache|__pycache__"
    r"|\.hypothesis)/?"
)
"""What test tools leave in a project."""


@dataclass(frozen=True)
class FoundSetup:
    """What was found in a project."""

    project: Path
    suite: DetectedSuite
    collection: Collection | None
    """What pytest collected; None for another framework, or if it could not be started."""
    is_configured: bool
    """Whether the project's `orchestrator.yaml` names the command already."""

    @property
    def awaits_consent(self) -> bool:
        """Whether cases could be collected, by a command that runs what the repository says."""
        if self.is_configured or self.collection is not None:
            return False
        return self.suite.framework == PYTEST and not is_harmless_command(self.suite.command)


@dataclass(frozen=True)
class FileChange:
    """A file that is written once a person has agreed."""

    path: Path
    before: bytes | None
    """Its content; None if it does not exist."""
    after: bytes
    note: str = ""

    @property
    def diff(self) -> str:
        """The change as it is shown: a new file whole, else a patch."""
        text = self.after.decode("utf-8")
        if self.before is None:
            return text.rstrip("\n")
        return format_diff(self.before.decode("utf-8"), text, self.path.name)


def look_at_project(
    project: Path,
    environment: Mapping[str, str],
    command: str | None = None,
    listener: Listener = ignore_event,
) -> FoundSetup:
    """Find a project's suite and let pytest collect its cases.

    Args:
        project: the project's real path.
        environment: the environment of the user.
        command: the suite's command, if the user named one.
        listener: receives that collecting starts.

    Raises:
        LoopError: the configuration is wrong, or the named command cannot be started.
    """
    loaded = load_known_config(project, None, (), environment)
    withheld = {each.key: str(each.value) for each in loaded.withheld}
    in_file = loaded.find_origin("tests.command").startswith(str(project / PROJECT_FILE))
    if command is None and (in_file or "tests.command" in withheld):
        tests = loaded.config.tests
        suite = DetectedSuite(
            withheld.get("tests.framework", tests.framework),
            withheld.get("tests.command", tests.command),
            "",
            f"tests.command in {PROJECT_FILE}",
            is_sure=True,
        )
        # The repository's own choice: it is run only after `orchestrator trust`.
        trusted = "tests.command" not in withheld and "tests.framework" not in withheld
        if not trusted:
            return FoundSetup(project, suite, None, is_configured=True)
        return _collect(project, suite, environment, listener, is_configured=True)
    if command is not None:
        framework = str(build_test_overrides(command, project, environment)[1].value)
        suite = DetectedSuite(framework, command, "", "named with --tests", is_sure=True)
        return _collect(project, suite, environment, listener, is_configured=in_file)
    detected = detect_suite(project, environment)
    tried = try_suite(detected, project, environment, listener=listener)
    return FoundSetup(project, tried.suite, tried.collection, is_configured=False)


def choose_candidate(
    found: FoundSetup,
    choice: DetectedSuite,
    environment: Mapping[str, str],
    listener: Listener = ignore_event,
) -> FoundSetup:
    """Return the setup with a command that a person has agreed to, and try it.

    Raises:
        LoopError: it cannot be started.
    """
    tried = try_suite(choice, found.project, environment, is_confirmed=True, listener=listener)
    return replace(found, suite=tried.suite, collection=tried.collection)


def advise_packages(found: FoundSetup, environment: Mapping[str, str]) -> InstallAdvice | None:
    """Return what to install for the tests; None if they lack nothing that is known.

    Without a missing module, packages may be missing only if pytest is borrowed. A file that cannot
    be collected for another reason is helped by the environment that is active, but by no new one.
    """
    interpreter, collection = found.suite.interpreter, found.collection
    if collection is None:
        return None
    missing = collection.list_missing_modules()
    if not missing:
        is_useful = collection.is_clean or find_active_interpreter(environment)
        if not is_useful or not is_borrowed_interpreter(interpreter, environment):
            return None
    return advise_install(found.project, interpreter, missing, environment)


def can_judge(found: FoundSetup, report: SuiteReport | None) -> bool:
    """Return whether nothing that was seen of the suite says that a run could not be judged."""
    collection = found.collection
    if found.suite.problem or (report and not report.has_verdict):
        return False
    if collection is None or collection.is_clean or not collection.is_counted:
        return True
    return report is not None and collection.count > 0


def run_suite_once(
    found: FoundSetup, environment: Mapping[str, str], seconds: float
) -> SuiteReport:
    """Run the whole suite as a run would, to see which cases fail already.

    Raises:
        LoopError: it cannot be started.
    """
    suite = create_suite(found.suite.framework, found.suite.command, seconds, environment)
    suite.preflight(found.project)
    return suite.run(found.project)


def plan_config(found: FoundSetup, report: SuiteReport | None) -> FileChange | None:
    """Return the change of `orchestrator.yaml`; None if there is nothing to write.

    Raises:
        UsageError: the file has another command, cannot be added to, or is outside of the project.
    """
    if found.is_configured and found.suite.reason.startswith("tests.command in"):
        return None
    path = (found.project / PROJECT_FILE).resolve()
    if found.is_configured:
        raise UsageError(
            f"{path} already has another tests.command", "edit it there, or leave out --tests"
        )
    settings: dict[str, str | int] = {
        "framework": found.suite.framework,
        "command": found.suite.command,
        "timeout": _choose_timeout(report),
    }
    if not path.is_relative_to(found.project):  # a repository could have any file written
        raise UsageError(
            f"{found.project / PROJECT_FILE} is a link that leads out of the project, to {path}",
            f"remove the link, or add this line to the file: command: '{found.suite.command}'",
        )
    before = files.read_whole_file(path)
    mark, text = split_bom((before or b"").decode("utf-8"))
    present = load_known_config(found.project, None, (), {})
    for name in tuple(settings):
        if present.find_origin(f"tests.{name}") != "default":
            del settings[name]
    after = add_settings(text, settings, found.suite.reason)
    if not after:
        raise UsageError(
            f"{path}: its section `tests` is written in a way that nothing can be added to",
            f"add this line to it: command: '{found.suite.command}'",
        )
    return FileChange(path, before, (mark + after).encode("utf-8"))


def plan_claude_md(found: FoundSetup) -> FileChange | None:
    """Return a minimal CLAUDE.md; None if the project has one, or must not have one.

    Claude Code loads AGENTS.md only while there is no CLAUDE.md, so the new file imports it.
    """
    project = found.project
    present = (project / CLAUDE_MD, project / CLAUDE_FOLDER / CLAUDE_MD)
    if any(files.exists(each) or files.is_link(each) for each in present):
        return None
    shadowed = find_shadowable_files(project)
    if shadowed.above:  # it cannot be imported from below
        return None
    imports = "".join(f"@{name}\n" for name in shadowed.names)
    text = imports or f"# {project.name}\n\nRun the tests with `{found.suite.command}`.\n"
    note = f"imports {', '.join(shadowed.names)}" if shadowed.names else ""
    return FileChange(project / CLAUDE_MD, None, text.encode("utf-8", "replace"), note)


def write_change(change: FileChange) -> None:
    """Write a file whole or not at all.

    Raises:
        UsageError: it was changed since it was shown.
        InfrastructureError: it cannot be written.
    """
    path = change.path
    try:
        status = path.stat() if change.before is not None else None
        is_same = files.read_whole_file(path) == change.before
        if not is_same or not atomic.replace_unless_changed(path, change.after, status):
            raise UsageError(f"{path} was changed while you were asked", "start again")
    except OSError as error:
        raise InfrastructureError(f"{path}: cannot be written: {error.strerror}") from None


def trust_written(project: Path, change: FileChange, environment: Mapping[str, str]) -> list[str]:
    """Remember the trust in settings that a person has just confirmed; return their keys.

    Settings that were in the file before are not among them.
    """
    loaded = load_known_config(project, None, (), environment)
    before = read_settings((change.before or b"").decode("utf-8"))
    shown = read_settings(change.after.decode("utf-8"))
    confirmed = {f"tests.{name}": each for name, each in shown.items() if name not in before}
    # The file may have been changed again by now: only what was shown is trusted.
    written = {
        each.key: each.text
        for each in loaded.withheld
        if each.key in confirmed and each.value == confirmed[each.key]
    }
    if written:
        trust_values(project, written)
    return list(written)


def describe_git_state(project: Path, name: str) -> str:
    """Return what to do about a file that git does not know yet; empty if there is nothing."""
    status = _read_status(project, "--ignored", "--", name)
    if any(line.startswith("??") for line in status):
        return f"commit it, for everybody who works here: git add {name}"
    if any(line.startswith("!!") for line in status):
        return "git ignores it, so it stays on this machine"
    return ""


def list_leftovers(project: Path) -> list[str]:
    """Return untracked files of test tools, which git does not ignore, from the project."""
    return [
        line[3:].strip('"')
        for line in _read_status(project, "--untracked-files=normal", "--", ".")
        if line.startswith("??") and _LEFTOVERS.fullmatch(line[3:].strip('"'))
    ]


def _collect(
    project: Path,
    suite: DetectedSuite,
    environment: Mapping[str, str],
    listener: Listener,
    *,
    is_configured: bool,
) -> FoundSetup:
    collection = None
    if suite.framework == PYTEST:
        collection = collect_cases(suite.command, project, environment, listener)
        if not is_configured and needs_exit_code(suite.command, collection):
            return FoundSetup(project, use_exit_code(suite), None, is_configured)
        suite = replace(suite, interpreter=collection.interpreter)
    return FoundSetup(project, suite, collection, is_configured)


def _choose_timeout(report: SuiteReport | None) -> int:
    """Return the limit for one run of the suite, three times what it took if that is longer."""
    usual = int(TestsSection().timeout)
    return max(usual, 60 * math.ceil(report.seconds * 3 / 60)) if report else usual


def _read_status(project: Path, *arguments: str) -> list[str]:
    """Return the lines of `git status`; none without git."""
    try:
        git = open_without_filters(project)
        done = git.run("status", "--porcelain", *arguments, allowed=(0, 128))
    except LoopError:
        return []
    return done.stdout.decode("utf-8", "replace").splitlines()

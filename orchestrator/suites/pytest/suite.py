"""Run the project's pytest suite in the project's environment, with the plugin that reports."""

import json
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.events import Listener
from orchestrator.models import SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files, process
from orchestrator.platform.child import Channel
from orchestrator.suites import command_line
from orchestrator.suites.detection.interpreters import find_interpreter
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.installing import advise_install, find_broken_environment
from orchestrator.suites.progress import SuiteProgress, report_progress
from orchestrator.suites.pytest.collection import Collection
from orchestrator.suites.pytest.node_ids import narrow_arguments
from orchestrator.suites.pytest.report import ReportReader
from orchestrator.suites.pytest.settings import OPTIONS_VARIABLE
from orchestrator.suites.pytest.verdict import PLUGIN

PLUGIN_FOLDER: Final = Path(__file__).parent / "plugin"
"""The folder of the plugin. It contains nothing else, because it is added to PYTHONPATH."""

VARIABLE: Final = "ORCHESTRATOR_SUITE"
"""Environment variable with the plugin's settings; the plugin removes it on import."""

_COLORS_VARIABLE: Final = "PY_COLORS"
"""Variable that precedes FORCE_COLOR for pytest alone: the evidence is to be the same with colours
as without. The plugin overrules `--color=yes`."""

_COLLECT: Final = ("--collect-only", "-p", "no:cacheprovider")
"""Options that only collect, and store nothing for the next run."""

_QUIET: Final = {
    "PYTHONDONTWRITEBYTECODE": "1",
    # Plugins ask git for the state of the project, which would refresh the user's index.
    "GIT_OPTIONAL_LOCKS": "0",
}
"""Variables with which pytest and its plugins write nothing into the project."""

_RUNNERS: Final = frozenset({"pytest", "py.test"})
_PYTHON: Final = re.compile(r"python[\d.]*")
_HAS_PYTEST: Final = "import importlib.util as u, sys; sys.exit(u.find_spec('pytest') is None)"


class PytestSuite:
    """Runs a command that ends in pytest: `pytest`, `python -m pytest`, `make test`, a shell line.

    Args:
        command: as the user wrote it.
        timeout_seconds: after which it is ended, with all processes that it started.
        environment: returns the whole environment of the child process for a project.

    Raises:
        UsageError: the command cannot be parsed, or has a pipe, which hides pytest's exit code.
    """

    def __init__(
        self,
        command: str,
        timeout_seconds: float,
        environment: Callable[[Path], Mapping[str, str]] = build_project_environment,
    ) -> None:
        self._line = command_line.parse_command(command)
        self._timeout, self._environment = timeout_seconds, environment
        self._first_argument = (
            None if self._line.by_shell else _find_first_argument(self._line.argv)
        )

    def preflight(self, workspace: Path) -> None:
        """Check that the command can be started.

        Raises:
            UsageError: the workspace is not a directory.
            InfrastructureError: the program, or pytest after `python -m`, is not installed.
        """
        env = self._line.build_environment(self._environment(workspace))
        if self.runs_pytest_alone and (broken := find_broken_environment(workspace, env)):
            raise InfrastructureError(broken.problem, broken.advice.hint, broken.advice.command)
        command_line.require_program(self._line, workspace, env)
        python = self._line.argv[0]
        # Only `python -m pytest`: for other commands it is not known which interpreter runs pytest.
        if not self.runs_pytest_alone or not _PYTHON.fullmatch(Path(python).name):
            return
        if process.capture([python, "-c", _HAS_PYTEST], cwd=workspace, env=env).returncode:
            where = find_interpreter(workspace, python, env)
            advice = advise_install(workspace, where, ["pytest"], env)
            raise InfrastructureError(
                f"{python} of tests.command has no module pytest", advice.hint, advice.command
            )

    def run(
        self,
        workspace: Path,
        select: Sequence[str] | None = None,
        on_event: Listener = command_line.ignore_event,
    ) -> SuiteReport:
        """Run the suite and return the report.

        Args:
            workspace: the project's directory, where the command starts.
            select: ids of the cases to run; all if None. A wrapper such as `make test` always
                runs them all.
            on_event: receives each case as it ends.
        """
        return self._run_suite(workspace, select, on_event, observing=False)[0]

    def run_with_footprint(
        self, workspace: Path, on_event: Listener = command_line.ignore_event
    ) -> tuple[SuiteReport, Footprint | None]:
        """Run all cases, and return the report and what the verdict depends on.

        The footprint is None if pytest did not finish.
        """
        return self._run_suite(workspace, None, on_event, observing=True)

    @property
    def runs_pytest_alone(self) -> bool:
        """Whether the command is pytest itself, or a Python with its module.

        Then collecting executes nothing else. A tool such as `uv run` may make an environment and
        install packages into it.
        """
        if self._line.by_shell or self._first_argument is None:
            return False
        program = Path(self._line.argv[0]).name
        if _PYTHON.fullmatch(program):
            return self._line.argv[1:2] == ("-m",) and self._first_argument == 3
        return program in _RUNNERS

    def collect(self, workspace: Path) -> Collection:
        """Let pytest collect the cases, without running them; the project stays as it is."""
        progress = SuiteProgress(command_line.ignore_event, self._timeout)
        reader = ReportReader(uuid.uuid4().hex, workspace, command_line.ignore_event, progress)
        ended = self._run_command(
            reader, workspace, None, observing=False, options=_COLLECT, is_quiet=True
        )
        return reader.build_collection(self._line, ended)

    def _run_suite(
        self,
        workspace: Path,
        select: Sequence[str] | None,
        on_event: Listener,
        *,
        observing: bool,
    ) -> tuple[SuiteReport, Footprint | None]:
        with report_progress(on_event, self._timeout) as progress:
            reader = ReportReader(uuid.uuid4().hex, workspace, on_event, progress)
            ended = self._run_command(reader, workspace, select, observing=observing)
        report = reader.build_report(self._line, ended)
        return report, reader.collect_footprint() if observing else None

    def _run_command(
        self,
        reader: ReportReader,
        workspace: Path,
        select: Sequence[str] | None,
        *,
        observing: bool,
        options: Sequence[str] = (),
        is_quiet: bool = False,
    ) -> command_line.CommandResult:
        with tempfile.TemporaryDirectory(prefix="orchestrator-suite-") as folder:
            channel, fallback = Channel(reader.read_line), Path(folder) / "records"
            try:
                given = {
                    "nonce": reader.nonce,
                    "descriptor": channel.descriptor,
                    "inode": channel.inode,
                    "file": str(fallback),
                    "folder": str(PLUGIN_FOLDER),
                    "observing": observing,
                }
                argv, env = self._add_plugin(given, workspace, select, options)
                if is_quiet:
                    env = {**env, **_QUIET, "COVERAGE_FILE": f"{folder}/coverage"}
                ended = command_line.run_command(
                    self._line, argv, workspace, env, self._timeout, channel
                )
            finally:
                channel.close()
            if files.exists(fallback):  # a program between here and pytest has closed the pipe
                for line in fallback.read_bytes().splitlines():
                    reader.read_line(line)
        return ended

    def _add_plugin(
        self,
        given: Mapping[str, object],
        workspace: Path,
        select: Sequence[str] | None,
        options: Sequence[str],
    ) -> tuple[Sequence[str], Mapping[str, str]]:
        """Return arguments and environment that load the plugin, and give pytest more options.

        The plugin is named on pytest's command line where that is known. PYTEST_ADDOPTS reaches
        pytest through make or a shell, but also every other pytest that the command starts, so it
        is used only if there is no other way.
        """
        env = self._line.build_environment(self._environment(workspace))
        # At the end, so that it cannot shadow a module of the project or its user.
        path = [env["PYTHONPATH"]] if env.get("PYTHONPATH") else []
        env["PYTHONPATH"] = os.pathsep.join([*path, str(PLUGIN_FOLDER)])
        env[VARIABLE] = json.dumps(given)
        env[_COLORS_VARIABLE] = "0"
        argv, wanted = self._line.argv, ("-p", PLUGIN, *options)
        if self._first_argument is None:
            own = env.get(OPTIONS_VARIABLE, "")
            return argv, {**env, OPTIONS_VARIABLE: f"{own} {' '.join(wanted)}".strip()}
        head, arguments = argv[: self._first_argument], argv[self._first_argument :]
        if select is not None:
            arguments = tuple(narrow_arguments(arguments, select, workspace))
        return [*head, *wanted, *arguments], env


def _find_first_argument(argv: Sequence[str]) -> int | None:
    """Return the index of pytest's first argument, or None if a wrapper hides it."""
    for at, word in enumerate(argv):
        # The program itself, or after `python -m`, `uv run`, `poetry run` and the like.
        if Path(word).name in _RUNNERS and (at == 0 or argv[at - 1] in ("-m", "run")):
            return at + 1
    return None

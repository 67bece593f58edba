"""The project's pytest suite: run it in the project's environment, read what it reports."""

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
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.pytest.report import ReportReader
from orchestrator.suites.pytest.selecting import narrow_arguments
from orchestrator.suites.pytest.settings import OPTIONS_VARIABLE
from orchestrator.suites.pytest.verdict import PLUGIN

PLUGIN_FOLDER: Final = Path(__file__).parent / "plugin"
"""The folder of our plugin, which holds nothing else."""

VARIABLE: Final = "ORCHESTRATOR_SUITE"
"""Tells the plugin where to report to; it removes it from the environment at once."""

_RUNNERS: Final = frozenset({"pytest", "py.test"})
_HAS_PYTEST: Final = "import importlib.util as u, sys; sys.exit(u.find_spec('pytest') is None)"


class PytestSuite:
    """Runs a command that ends in pytest: `pytest`, `python -m pytest`, `make test`, a shell line.

    Args:
        command: as the user wrote it.
        timeout_seconds: after which it is ended, with everything it started.
        environment: gives the child's whole environment for a project.

    Raises:
        UsageError: the command cannot be read, or hides pytest's exit code behind a pipe.
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
            InfrastructureError: the program, or the module after `python -m`, is not there.
        """
        env = self._line.build_environment(self._environment(workspace))
        command_line.require_program(self._line, workspace, env)
        python = self._line.argv[0]
        if not re.fullmatch(r"python[\d.]*", Path(python).name) or self._first_argument != 3:
            return
        if process.capture([python, "-c", _HAS_PYTEST], cwd=workspace, env=env).returncode:
            raise InfrastructureError(
                f"{python} of tests.command has no module pytest",
                f"{python} -m pip install pytest",
            )

    def run(
        self,
        workspace: Path,
        select: Sequence[str] | None = None,
        on_event: Listener = command_line.ignore_event,
    ) -> SuiteReport:
        """Run the suite and report.

        Args:
            workspace: the project's directory, where the command starts.
            select: ids of the cases to run. A wrapper such as `make test` cannot be narrowed and
                runs them all.
            on_event: hears of each case as it ends.
        """
        return self._run_suite(workspace, select, on_event, observing=False)[0]

    def run_with_footprint(
        self, workspace: Path, on_event: Listener = command_line.ignore_event
    ) -> tuple[SuiteReport, Footprint | None]:
        """Run all cases, report, and return what the verdict rests on.

        The footprint is None where pytest did not come to its end.
        """
        return self._run_suite(workspace, None, on_event, observing=True)

    def _run_suite(
        self,
        workspace: Path,
        select: Sequence[str] | None,
        on_event: Listener,
        *,
        observing: bool,
    ) -> tuple[SuiteReport, Footprint | None]:
        reader = ReportReader(uuid.uuid4().hex, workspace, on_event)
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
                argv, env = self._add_plugin(given, workspace, select)
                ended = command_line.run_command(
                    self._line, argv, workspace, env, self._timeout, channel
                )
            finally:
                channel.close()
            if files.exists(fallback):  # a program in between has closed the pipe
                for line in fallback.read_bytes().splitlines():
                    reader.read_line(line)
        return reader.build_report(
            self._line, ended
        ), reader.collect_footprint() if observing else None

    def _add_plugin(
        self, given: Mapping[str, object], workspace: Path, select: Sequence[str] | None
    ) -> tuple[Sequence[str], Mapping[str, str]]:
        """Ask for our plugin: on pytest's own command line, or through the environment.

        The environment reaches pytest through make or a shell, but also every pytest that the
        command starts, so it is used only where it has to be.
        """
        env = self._line.build_environment(self._environment(workspace))
        # Behind all that the project and its user put there: it must shadow nothing.
        path = [env["PYTHONPATH"]] if env.get("PYTHONPATH") else []
        env["PYTHONPATH"] = os.pathsep.join([*path, str(PLUGIN_FOLDER)])
        env[VARIABLE] = json.dumps(given)
        argv, wanted = self._line.argv, ("-p", PLUGIN)
        if self._first_argument is None:
            own = env.get(OPTIONS_VARIABLE, "")
            return argv, {**env, OPTIONS_VARIABLE: f"{own} {' '.join(wanted)}".strip()}
        head, arguments = argv[: self._first_argument], argv[self._first_argument :]
        if select is not None:
            arguments = tuple(narrow_arguments(arguments, select, workspace))
        return [*head, *wanted, *arguments], env


def _find_first_argument(argv: Sequence[str]) -> int | None:
    """Give where pytest's own arguments begin, or None for a wrapper that hides them."""
    for at, word in enumerate(argv):
        if Path(word).name in _RUNNERS and (at == 0 or argv[at - 1] in ("-m", "run")):
            return at + 1
    return None

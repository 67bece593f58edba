"""The project's pytest suite: run it in the project's environment, read what it reports."""

import os
import re
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator import process
from orchestrator.errors import InfrastructureError
from orchestrator.events import Listener
from orchestrator.models import Case, SuiteOutcome, SuiteReport
from orchestrator.suites import command_line
from orchestrator.suites.environment import project_environment
from orchestrator.suites.junit import read_cases
from orchestrator.suites.progress import Progress
from orchestrator.suites.verdict import broken_conftest, verdict

_RUNNERS: Final = frozenset({"pytest", "py.test"})
_VALUED_OPTIONS: Final = frozenset(
    {
        *("-c", "--config-file", "--rootdir", "--confcutdir", "--basetemp", "--ignore"),
        *("--ignore-glob", "--deselect", "--junitxml", "--junit-xml", "--log-file", "--cov"),
        *("-o", "-k", "-m", "-p", "-n", "-W"),
    }
)
"""Options whose next word may look like a path of tests and is not one."""

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
        environment: Callable[[Path], Mapping[str, str]] = project_environment,
    ) -> None:
        self._line = command_line.parse(command)
        self._timeout, self._environment = timeout_seconds, environment
        self._first_argument = None if self._line.by_shell else _after_pytest(self._line.argv)

    def preflight(self, workspace: Path) -> None:
        """Check that the command can be started.

        Raises:
            UsageError: the workspace is not a directory.
            InfrastructureError: the program, or the module after `python -m`, is not there.
        """
        env = self._line.environment(self._environment(workspace))
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
        on_event: Listener = command_line.no_listener,
    ) -> SuiteReport:
        """Run the suite and report.

        Args:
            workspace: the project's directory, where the command starts.
            select: ids of the cases to run. A wrapper such as `make test` cannot be narrowed and
                runs them all.
            on_event: hears of each case as it ends, if pytest runs with `-v`.
        """
        progress = Progress(on_event)
        with tempfile.TemporaryDirectory(prefix="orchestrator-suite-") as folder:
            report = Path(folder) / "junit.xml"
            argv, env = self._with_report(report, workspace, select)
            ended = command_line.execute(
                self._line, argv, workspace, env, self._timeout, progress.take
            )
            cases = read_cases(report, self._roots(workspace, progress), workspace)
        return self._judge(ended, cases, progress, workspace)

    def _with_report(
        self, report: Path, workspace: Path, select: Sequence[str] | None
    ) -> tuple[Sequence[str], Mapping[str, str]]:
        """Ask for the report: on pytest's own command line, or through the environment.

        The environment reaches pytest through make or a shell, but also every pytest that a test
        itself starts, so it is used only where it has to be.
        """
        # The captured output stands in the runner's output already; twice is too much.
        settings = ["-o", "junit_family=xunit1", "-o", "junit_logging=no"]
        wanted = [f"--junitxml={report}", "--junitprefix=", *settings]
        env = self._line.environment(self._environment(workspace))
        argv = self._line.argv
        if self._first_argument is not None:
            head, arguments = argv[: self._first_argument], argv[self._first_argument :]
            if select is not None:
                arguments = (*_without_paths(arguments, workspace), *select)
            return [*head, *arguments, *wanted], env
        own = env.get("PYTEST_ADDOPTS", "")
        return argv, {**env, "PYTEST_ADDOPTS": f"{own} {shlex.join(wanted)}".strip()}

    def _roots(self, workspace: Path, progress: Progress) -> list[Path]:
        """Give where pytest's rootdir may be: where its header says, else near the workspace."""
        top = workspace.resolve()
        said = [progress.rootdir] if progress.rootdir else []
        named = [top / word.split("::")[0] for word in self._line.text.split()]
        inside = [
            folder
            for path in named
            if os.path.lexists(path)
            for folder in (path, *path.parents)
            if folder.is_relative_to(top)
        ]
        return [*said, top, *inside, *top.parents]

    def _judge(
        self,
        ended: command_line.Ended,
        cases: tuple[Case, ...] | None,
        progress: Progress,
        workspace: Path,
    ) -> SuiteReport:
        outcome, message = ended.outcome, ended.message
        if outcome is None and ended.exit_code is not None:
            direct = self._first_argument is not None
            outcome, message = verdict(ended.exit_code, cases, direct=direct)
        if outcome is SuiteOutcome.USAGE_ERROR and (
            conftest := broken_conftest(ended.output, workspace)
        ):
            outcome, cases = SuiteOutcome.COLLECTION_ERROR, (conftest,)
        if cases is None:
            cases = tuple(progress.cases)
            if progress.running:
                message += f", while {progress.running} was running"
        ended = replace(ended, message=message)
        return ended.report(self._line, outcome or SuiteOutcome.CRASHED, cases)


def _after_pytest(argv: Sequence[str]) -> int | None:
    """Give where pytest's own arguments begin, or None for a wrapper that hides them."""
    for at, word in enumerate(argv):
        if Path(word).name in _RUNNERS and (at == 0 or argv[at - 1] in ("-m", "run")):
            return at + 1
    return None


def _without_paths(arguments: Sequence[str], workspace: Path) -> list[str]:
    """Leave out the tests that the command names, and keep its options."""
    return [
        word
        for before, word in zip(("", *arguments), arguments, strict=False)
        if word.startswith("-")
        or before in _VALUED_OPTIONS
        or not os.path.lexists(workspace / word.split("::")[0])
    ]

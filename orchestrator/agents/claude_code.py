"""Run headless Claude Code on a prompt.

`claude_transport` starts the program, `claude_session` speaks its protocol, `claude_wire` parses
its messages, `claude_messages` turns them into events and a result, and `claude_endings` judges
how the session ended.
"""

import contextlib
import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator import events
from orchestrator.agents import claude_environment as environment
from orchestrator.agents.claude_endings import Ending
from orchestrator.agents.claude_messages import MessageReader
from orchestrator.agents.claude_payer import (
    can_authenticate,
    describe_payer,
    describe_unused_login,
    suggest_login,
)
from orchestrator.agents.claude_program import find_program, format_login_command, require_version
from orchestrator.agents.claude_project import link_agents_files
from orchestrator.agents.claude_session import Refuse, Session
from orchestrator.agents.claude_transport import ClaudeProcess
from orchestrator.agents.claude_wire import Message, WireError
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.platform.watchdog import EndReason

_UNFIT_TOOLS: Final = ("CronCreate", "EnterWorktree", "Monitor", "ScheduleWakeup")
"""A timer or a monitor keeps the run from ending; a worktree moves the work out of the project and
leaves a branch in the user's repository."""

RecordSession = Callable[[str, Path], contextlib.AbstractContextManager[object]]


class ClaudeCodeAgent:
    """The agent Claude Code.

    Args:
        environment: the environment of the project's own commands; None uses that of this process.
        model: the model's name or alias; None lets Claude Code choose.
        allowed_tools: permission rules beyond editing files, such as `Bash(pytest *)`.
        skip_permissions: ask for no permission at all; only the user may choose it.
        program: the path of the program; None searches for it.
        trust_project: whether the project's own settings, hooks and MCP servers are loaded. Its
            CLAUDE.md and rules are loaded in any case.
        list_untrusted: returns the settings of a project that the user has not trusted; called
            before each run with `trust_project`, because an attempt may change them. If there are
            any, none of the project's settings are loaded.
        agents_files: returns the active AGENTS.md files of a project, which are those of a project
            without a CLAUDE.md; called before each run without `trust_project`.
        sandbox: Claude Code's own sandbox settings, passed through.
        refuse: called before each edit of a file; returns the reason to refuse it, or None.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        model: str | None = None,
        allowed_tools: Sequence[str] = (),
        skip_permissions: bool = False,
        program: Path | None = None,
        trust_project: bool = True,
        list_untrusted: Callable[[Path], Sequence[str]] | None = None,
        sandbox: Mapping[str, Any] | None = None,
        refuse: Refuse | None = None,
        agents_files: Callable[[Path], Sequence[str]] | None = None,
    ) -> None:
        self._base = dict(os.environ if environment is None else environment)
        self._model = model
        self._allowed_tools = tuple(allowed_tools)
        self._skip_permissions = skip_permissions
        self._program = program
        self._trust_project, self._sandbox = trust_project, sandbox
        self._list_untrusted = list_untrusted
        self._refuse, self._agents_files = refuse, agents_files
        self._record_session: RecordSession = _record_nothing
        self._extra_settings: Mapping[str, Any] = {}
        self._extra_arguments: tuple[str, ...] = ()

    def build_probe(
        self,
        environment: Mapping[str, str],
        settings: Mapping[str, Any],
        arguments: Sequence[str],
    ) -> "ClaudeCodeAgent":
        """Return an agent with the options of this one, which shows what its request would be.

        Args:
            environment: what the probe sees, such as the address of a local server.
            settings: settings of Claude Code to add to those that are pinned.
            arguments: arguments to add to those of a run.
        """
        probe = copy.copy(self)
        probe._base = dict(environment)
        probe._extra_settings, probe._extra_arguments = dict(settings), tuple(arguments)
        return probe

    def record_sessions(self, record_session: RecordSession) -> None:
        """Record each session from now on.

        Args:
            record_session: called with the id and the folder of each session; the session starts
                and ends within the context that it returns.
        """
        self._record_session = record_session

    @property
    def payer(self) -> str:
        """Who pays for the agent's work: a key, a subscription or a cloud account."""
        return describe_payer(self._base)

    @property
    def payer_notice(self) -> str:
        """A line for a user with a subscription that the agent does not use; empty otherwise."""
        return describe_unused_login(self._base)

    def preflight(self) -> str:
        """Check that a run can start, and return the program's name and version.

        Raises:
            InfrastructureError: the program is missing, too old or broken, or has no login.
            UsageError: permissions are to be skipped, which Claude Code refuses for root.
        """
        program = self._program or find_program()
        found = require_version(program, self._base)
        if not can_authenticate(self._base, program):
            raise InfrastructureError(
                "Claude Code has no login and no key",
                f"log in with `{format_login_command(program)}`, or set ANTHROPIC_API_KEY",
            )
        # The program accepts nothing but "1" here; `yes` does not count (2.1.329).
        if self._skip_permissions and os.geteuid() == 0 and self._base.get("IS_SANDBOX") != "1":
            raise UsageError(
                "Claude Code refuses to skip permissions for root",
                "run as another user, or set IS_SANDBOX=1 if this machine is a sandbox",
            )
        return f"Claude Code {found} ({program})"

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Work on the prompt in the workspace, within the limits.

        The prompt is literal text: a `/name`, an `@path` or a dash in it has no meaning. Ctrl-C, or
        an error in `on_event`, ends the program with its child processes, and is raised.

        Raises:
            InfrastructureError: Claude Code is not installed.
        """
        # The program refuses `--max-budget-usd 0` as wrong usage.
        if limits.max_cost_usd is not None and limits.max_cost_usd <= 0:
            return AgentResult(
                AgentOutcome.MAX_COST, "the cost limit leaves no budget for the agent"
            )
        env = environment.build_child_environment(self._base, workspace)
        is_trusted = self._is_trusted(workspace)
        if not is_trusted:
            env |= environment.CLAUDE_MD_OF_ADDED
        session_id = environment.create_session_id()
        with (
            environment.write_settings_file(env, self._sandbox, self._extra_settings) as settings,
            self._prepare_folders(workspace, is_trusted) as folders,
            self._record_session(session_id, workspace),
        ):
            argv = self._build_command(limits, session_id, settings, folders, is_trusted)
            process = ClaudeProcess(argv, cwd=workspace, env=env, limits=limits)
            reader = MessageReader(workspace, on_event, process.refused)
            session = Session(process, self._refuse)
            try:
                messages = session.converse(_replace_surrogates(prompt))
                read_error = _follow_messages(messages, process, reader, limits)
            finally:
                process.end()
        transcript = _find_transcript(env, session_id)
        hint = suggest_login(env, format_login_command(self._program or find_program()))
        ending = _describe_ending(process, session_id, transcript, read_error, hint)
        return reader.build_result(ending, limits)

    def _is_trusted(self, workspace: Path) -> bool:
        """Return whether the project's own settings are loaded."""
        if not self._trust_project:
            return False
        return not (self._list_untrusted and self._list_untrusted(workspace))

    @contextlib.contextmanager
    def _prepare_folders(self, workspace: Path, is_trusted: bool) -> Iterator[Sequence[Path]]:
        """Yield the folders whose instructions are loaded without their settings.

        There are none if the project is trusted, because its settings are loaded too.
        """
        if is_trusted:
            yield ()
            return
        names = self._agents_files(workspace) if self._agents_files else ()
        with link_agents_files(workspace, names) as other:
            yield (workspace, other) if other else (workspace,)

    def _build_command(
        self,
        limits: AgentLimits,
        session_id: str,
        settings: Path,
        folders: Sequence[Path],
        is_trusted: bool,
    ) -> list[str]:
        """Return program and arguments, as the SDK itself would build them.

        Without `--system-prompt` the program uses Claude Code's own, which is the SDK's preset;
        without `--setting-sources` it loads all of them, CLAUDE.md included.
        """
        argv = [str(self._program or find_program())]
        # Without --verbose, -p refuses stream-json.
        argv += ["--output-format", "stream-json", "--verbose", "--input-format", "stream-json"]
        argv += ["--include-partial-messages", f"--session-id={session_id}"]
        argv += ["--settings", str(settings)]
        if not is_trusted:
            argv += ["--setting-sources=user", *(f"--add-dir={folder}" for folder in folders)]
        if self._skip_permissions:
            argv += ["--dangerously-skip-permissions"]
        else:
            argv += ["--permission-mode", "acceptEdits"]
        if self._allowed_tools:
            argv += ["--allowedTools", ",".join(self._allowed_tools)]
        argv += ["--disallowedTools", ",".join(_UNFIT_TOOLS)]
        argv += [f"--max-turns={limits.max_turns}"]
        if limits.max_cost_usd is not None:
            argv += [f"--max-budget-usd={limits.max_cost_usd}"]
        if self._model:
            argv += [f"--model={self._model}"]
        return [*argv, *self._extra_arguments]


def _record_nothing(_session: str, _folder: Path) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext()


def _follow_messages(
    messages: Iterator[Message], process: ClaudeProcess, reader: MessageReader, limits: AgentLimits
) -> str:
    """Read all messages, and return the error that ended the reading, or an empty text."""
    try:
        process.start()
    except OSError as error:
        return str(error)
    try:
        for message in messages:
            reader.handle_message(message)
            if limits.same_tool_call and reader.same_calls >= limits.same_tool_call:
                process.end(EndReason.NO_PROGRESS)
    except WireError as error:
        return str(error)
    return ""


def _describe_ending(
    process: ClaudeProcess,
    session_id: str,
    transcript: Path | None,
    read_error: str,
    login_hint: str,
) -> Ending:
    return Ending(
        process.ended_by,
        process.returncode,
        process.seconds,
        process.stderr_tail,
        session_id,
        transcript,
        read_error,
        login_hint,
    )


def _replace_surrogates(prompt: str) -> str:
    """Return the prompt without lone surrogates: test output may hold them, no API accepts them."""
    return prompt.encode("utf-8", "replace").decode()


def _find_transcript(env: Mapping[str, str], session_id: str) -> Path | None:
    # The folder's name is made from the project's path; two projects may share one.
    folder = environment.find_config_directory(env) / "projects"
    return next(iter(folder.glob(f"*/{session_id}.jsonl")), None)

"""Ask Claude Code one question: no tools, no settings, no instructions, and no session kept.

The program, its protocol and its environment are those of the agent. It runs in an empty folder, so
nothing of a project is in the request but the question. The id and the environment of the session
mark it as one that this program started, so that nothing is learned from it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator import events
from orchestrator.agents import claude_environment as environment
from orchestrator.agents.claude_endings import Ending
from orchestrator.agents.claude_messages import MessageReader
from orchestrator.agents.claude_payer import can_authenticate, choose_login, suggest_login
from orchestrator.agents.claude_program import find_program, format_login_command, require_version
from orchestrator.agents.claude_question_endings import Answer, judge_answer
from orchestrator.agents.claude_session import Session
from orchestrator.agents.claude_transport import ClaudeProcess
from orchestrator.agents.claude_wire import (
    AssistantMessage,
    Message,
    ResultMessage,
    ToolUseBlock,
    WireError,
)
from orchestrator.errors import InfrastructureError
from orchestrator.models import AgentLimits
from teacher.claude import Question, Reply, ReplyEnd
from teacher.errors import NoKey, TeacherUnavailable

_ANSWER_TOOL: Final = "StructuredOutput"
"""The tool by which the model answers in the form of `--json-schema`."""

_MOST_TURNS: Final = 6
"""An answer, and a few more tries after one that the schema or the program rejects."""


class ClaudeQuestions:
    """Claude Code, as it is asked single questions with the user's own login.

    Args:
        base: the user's environment, without the secrets that no child may have.
        program: the path of the program; None searches for it.
    """

    def __init__(self, base: Mapping[str, str], program: Path | None = None) -> None:
        self._login = choose_login(base)
        self._program = program

    @property
    def payer(self) -> str:
        """Who pays for the answers: a subscription, or what else Claude Code finds."""
        return self._login.payer

    def preflight(self) -> None:
        """Check that the program can be asked. Costs nothing.

        Raises:
            TeacherUnavailable: it is missing, too old or broken.
            NoKey: it has nothing to authenticate with.
        """
        env = dict(self._login.variables)
        try:
            program = self._program or find_program()
            require_version(program, env)
        except InfrastructureError as error:
            raise TeacherUnavailable(error.message, error.hint) from error
        if not can_authenticate(env, program):
            raise NoKey(
                "Claude Code has no login",
                f"log in with `{format_login_command(program)}`: a subscription is enough",
            )

    def ask(self, question: Question) -> Reply:
        """Ask one question. Ctrl-C ends the program with its child processes, and is raised."""
        try:
            return self._run_program(self._program or find_program(), question)
        except InfrastructureError as error:
            return Reply(ReplyEnd.FAILED, error.message, hint=error.hint)
        except OSError as error:
            problem = f"it cannot be started: {error.strerror or error}"
            return Reply(ReplyEnd.FAILED, problem)

    def _run_program(self, program: Path, question: Question) -> Reply:
        """Run the program in an empty folder. Raises OSError if it cannot be started there."""
        variables, uses_helpers = self._login.variables, not self._login.uses_login
        with environment.write_settings_file(variables, uses_helpers=uses_helpers) as settings:
            folder = settings.parent / "question"
            folder.mkdir()
            prompt_file = settings.with_name("system.md")
            prompt_file.write_text(question.request.system, encoding="utf-8")
            limits = AgentLimits(
                max_turns=_MOST_TURNS,
                wall_clock_seconds=question.timeout_seconds,
                no_output_seconds=question.timeout_seconds,
            )
            process = ClaudeProcess(
                _build_command(program, settings, prompt_file, question),
                cwd=folder,
                env=self._build_environment(question, folder),
                limits=limits,
            )
            hint = suggest_login(variables, format_login_command(program))
            return _converse(process, question, limits, hint)

    def _build_environment(self, question: Question, folder: Path) -> dict[str, str]:
        given = self._login.variables
        # The user's settings are not loaded, but their variables may lead to a proxy.
        of_settings = environment.read_user_settings(given).get("env", {})
        texts = {name: value for name, value in of_settings.items() if _is_variable(name, value)}
        env = environment.build_child_environment({**texts, **given}, folder)
        return env | _build_limits(env, question)


def _is_variable(name: str, value: object) -> bool:
    """Return whether a process can have such a variable."""
    return isinstance(value, str) and bool(name) and "=" not in name and "\0" not in name + value


def _build_limits(env: Mapping[str, str], question: Question) -> dict[str, str]:
    """Return the variables that keep an answer as short, and as fast, as that of the API.

    The user's own variables do not take precedence over these.
    """
    longest = int(question.timeout_seconds * 1000)
    waits = env.get("API_TIMEOUT_MS", "")
    return {
        "API_TIMEOUT_MS": str(min(int(waits), longest) if _is_number(waits) else longest),
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(question.max_tokens),
        # Thoughts count as output: they would use up the limit for the answer.
        "CLAUDE_CODE_DISABLE_THINKING": "1",
        "MAX_STRUCTURED_OUTPUT_RETRIES": "3",
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
        # The connectors of the user's account: their names and descriptions are sent, too.
        "ENABLE_CLAUDEAI_MCP_SERVERS": "false",
    }


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < len(text) < 10


def _build_command(
    program: Path, settings: Path, prompt_file: Path, question: Question
) -> list[str]:
    argv = [str(program), "-p", "--output-format", "stream-json", "--verbose"]
    argv += ["--input-format", "stream-json", f"--session-id={environment.create_session_id()}"]
    argv += ["--no-session-persistence", "--settings", str(settings), "--setting-sources="]
    argv += ["--strict-mcp-config", "--disable-slash-commands", "--tools", ""]
    argv += ["--system-prompt-file", str(prompt_file), f"--model={question.model}"]
    argv += ["--json-schema", json.dumps(question.schema), f"--max-turns={_MOST_TURNS}"]
    return argv


def _converse(process: ClaudeProcess, question: Question, limits: AgentLimits, hint: str) -> Reply:
    """Ask the question, wait for the end of the program, and return what came of it."""
    reader = _AnswerReader()
    # Its reading of the question is literal: `/name` and `@path` in it have no meaning.
    messages = Session(process, None).converse(question.request.user)
    read_error = ""
    try:
        process.start()
        for message in messages:
            reader.handle_message(message)
    except WireError as error:
        read_error = str(error)
    finally:
        process.end()
    ending = Ending(
        process.ended_by, process.returncode, process.seconds, process.stderr_tail,
        session_id="", transcript=None, read_error=read_error,
    )  # fmt: skip
    result = reader.messages.build_result(ending, limits)
    return judge_answer(Answer(result, reader.last, reader.proposed, ending, hint))


class _AnswerReader:
    """Handles the messages about one question, and remembers those with an answer."""

    def __init__(self) -> None:
        self.messages = MessageReader(Path(), _ignore_event)
        self.last: ResultMessage | None = None
        self.proposed: Mapping[str, Any] | None = None
        """The last answer that the model tried to give, whether it was accepted or not."""

    def handle_message(self, message: Message) -> None:
        """Handle one message."""
        match message:
            case ResultMessage():
                self.last = message
            case AssistantMessage():
                for block in message.content:
                    if isinstance(block, ToolUseBlock) and block.name == _ANSWER_TOOL:
                        self.proposed = block.input
        self.messages.handle_message(message)


def _ignore_event(_event: events.Event) -> None:
    """Ignore an event: nobody watches a question."""

"""Choose how the teacher is asked from this machine: the API with a key, or Claude Code's login."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.agents.claude_payer import NOBODY, SCRIPTED_KEY
from orchestrator.agents.claude_question import ClaudeQuestions
from orchestrator.config import Config
from orchestrator.events import Listener, Notice
from orchestrator.suites.environment import drop_own_secrets
from teacher.claude import ClaudeTeacher
from teacher.errors import NoKey, TeacherError, TeacherUnavailable
from teacher.local import OWN_KEY_VARIABLE, TOKEN_VARIABLE, LocalTeacher
from teacher.retry import Retries


class TeacherMode(StrEnum):
    """The values of `teacher.mode`: how the teacher's model is asked."""

    AUTO = "auto"
    LOCAL = "local"
    CLAUDE = "claude"
    WEBHOOK = "webhook"


@dataclass(frozen=True)
class OwnTeacher:
    """A teacher that is asked from this machine, without a workflow."""

    teacher: LocalTeacher | ClaudeTeacher
    name: str
    """The model, and the way to it."""
    payer: str
    """Who pays for its answers."""


def build_own_teacher(
    mode: TeacherMode,
    config: Config,
    environment: Mapping[str, str],
    listener: Listener,
    retries: Retries | None = None,
) -> OwnTeacher:
    """Build the teacher that asks from this machine: the API with a key, or Claude Code.

    Args:
        mode: `AUTO` asks the API if there is a key, and else Claude Code.
        config: the configuration.
        environment: has the keys and the login.
        listener: receives notices.
        retries: how often and how long to retry a request to the API; Claude Code has its own.

    Raises:
        TeacherError: a prompt is missing, or what `mode` needs: a key, Claude Code or its login.
    """
    local = _create_local_teacher(config, environment, retries)
    if mode is TeacherMode.LOCAL or (mode is TeacherMode.AUTO and local.has_key()):
        _check_teacher(local, listener)
        payer = _describe_key_payer(local.key_origin, environment)
        return OwnTeacher(local, f"{local.model} through the API", payer)
    questions = ClaudeQuestions(drop_own_secrets(environment))
    teacher = ClaudeTeacher(
        questions,
        config.teacher.model,
        config.teacher.max_tokens,
        config.resolve_prompts(),
        timeout_seconds=config.teacher.timeout,
    )
    try:
        _check_teacher(teacher, listener)
    except (NoKey, TeacherUnavailable) as error:
        raise _name_other_way(error, mode) from error
    return OwnTeacher(teacher, f"{teacher.model} through Claude Code", questions.payer)


def _describe_key_payer(origin: str, environment: Mapping[str, str]) -> str:
    if environment.get(origin) == SCRIPTED_KEY:
        return NOBODY
    return f"{'token' if origin == TOKEN_VARIABLE else 'API key'} ({origin})"


def _name_other_way(error: NoKey | TeacherUnavailable, mode: TeacherMode) -> TeacherError:
    """Return the error of a Claude Code that cannot be asked, with the way by a key added."""
    if mode is TeacherMode.AUTO:
        problem, way = f"the teacher has no API key, and {error.message}", "set"
    else:
        problem, way = error.message, "set teacher.mode to local and"
    return type(error)(
        problem,
        f"{error.hint}; or {way} {OWN_KEY_VARIABLE}, a key that only the teacher uses "
        "(https://console.anthropic.com)",
    )


def _create_local_teacher(
    config: Config, environment: Mapping[str, str], retries: Retries | None = None
) -> LocalTeacher:
    return LocalTeacher(
        config.teacher.model,
        config.teacher.max_tokens,
        config.resolve_prompts(),
        # An empty one is none; without it, that of this process would be read.
        own_key=environment.get(OWN_KEY_VARIABLE, ""),
        api_key=environment.get("ANTHROPIC_API_KEY"),
        base_url=environment.get("ANTHROPIC_BASE_URL"),
        timeout_seconds=config.teacher.timeout,
        retries=retries,
    )


def _check_teacher(teacher: LocalTeacher | ClaudeTeacher, listener: Listener) -> None:
    """Check that a teacher can be asked, and report what there is to say about its model."""
    teacher.preflight()
    if teacher.notice:
        listener(Notice(teacher.notice))

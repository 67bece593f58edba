"""Check the teacher: who it is, whether it can be asked, and who pays. Asking it is on request."""

from collections.abc import Iterator

from orchestrator.errors import LoopError, UsageError
from orchestrator.services.doctor.agent import has_login
from orchestrator.services.doctor.results import Check, Fault, Link, fail, skip, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.teacher_check import try_teacher
from orchestrator.services.teacher_choice import TeacherMode
from orchestrator.services.teacher_wiring import build_unrecorded_teacher
from teacher.errors import NoKey, TeacherError, TeacherMisconfigured


def check_teacher(subject: Subject) -> Iterator[Check]:
    """Check that the teacher can be asked; send the one question of `teacher test` on request."""
    config = subject.config
    if not config.is_source_enabled("pytest"):
        yield skip(Link.TEACHER, "failures of the suite are not taught (failure_sources)")
        return
    notices: list[str] = []
    try:
        teacher = build_unrecorded_teacher(
            config, subject.environment, subject.project, notices.append
        )
    except (LoopError, TeacherError) as error:
        if isinstance(error, NoKey) and _lacks_only_login(subject):
            yield skip(Link.TEACHER, "the login above, or a key, is all that it needs")
        else:
            command = _choose_command(error)
            yield fail(Link.TEACHER, error.message, error.hint, command, _find_fault(error))
        return
    text = f"{teacher.name}, mode {config.teacher.mode}, paid by {teacher.payer}"
    if not subject.is_live:
        cost = "it was not asked, as that costs; --live asks it"
        yield succeed(Link.TEACHER, f"{text}; {cost}")
    else:
        yield _ask_teacher(subject, text)
    for notice in notices:
        yield warn(Link.TEACHER, notice)


def _lacks_only_login(subject: Subject) -> bool:
    """Return whether the teacher is missing what the link of the agent's login is broken for."""
    config = subject.config
    uses_login = (
        TeacherMode(config.teacher.mode) is not TeacherMode.LOCAL
        and config.agent.kind == "claude_code"
    )
    return uses_login and not has_login(subject)


def _ask_teacher(subject: Subject, text: str) -> Check:
    try:
        lesson = try_teacher(
            subject.project, subject.config_file, lambda _event: None, lambda _line: None
        )
    except (LoopError, TeacherError) as error:
        return fail(
            Link.TEACHER, error.message, error.hint, "orchestrator teacher test", _find_fault(error)
        )
    cost = f"${lesson.usage.cost_usd:.4f}, {lesson.usage.tokens} tokens"
    return succeed(Link.TEACHER, f"{text}; it answered ({cost})")


def _choose_command(error: LoopError | TeacherError) -> str:
    if isinstance(error, NoKey):
        return "export ORCHESTRATOR_TEACHER_API_KEY=..."
    return "orchestrator teacher test"


def _find_fault(error: LoopError | TeacherError) -> Fault:
    """Return what is to blame, with the exit codes that a run would have."""
    if isinstance(error, TeacherMisconfigured) and not isinstance(error, NoKey):
        return Fault.CONFIGURATION
    return Fault.CONFIGURATION if isinstance(error, UsageError) else Fault.MACHINE

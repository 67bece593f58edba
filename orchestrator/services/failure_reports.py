"""Teach a mistake that a person reports, in the same way as a failing test."""

from dataclasses import replace
from pathlib import Path

from orchestrator import events
from orchestrator.errors import UsageError
from orchestrator.failures.manual_failure import build_manual_failure
from orchestrator.learnings.failure_log import create_failure_logger
from orchestrator.models import RuleChange
from orchestrator.platform.project import resolve_project
from orchestrator.services import rulebooks, wiring
from orchestrator.services.project_settings import report_project_choices
from orchestrator.services.teacher_notices import report_unused_settings
from orchestrator.services.trust import TEACHING, load_trusted_config
from orchestrator.storage.runs import Store
from orchestrator.teaching.teach import teach_failure
from teacher.errors import UnusableAnswer
from teacher.models import FailureType


def teach_report(
    kind: FailureType,
    description: str,
    context: str,
    task: str,
    *,
    project: Path,
    config_file: Path | None,
    listener: events.Listener,
) -> RuleChange | None:
    """Teach a reported failure; return how it changed the rulebook, or None if it did not.

    Raises:
        LoopError, TeacherError: nothing was learned; the error says why.
    """
    project = resolve_project(project)
    loaded = load_trusted_config(project, config_file, of=TEACHING)
    config = loaded.config
    if not config.is_source_enabled("manual"):
        raise UsageError(
            "reports are switched off by the configuration", "enable failure_sources: manual"
        )
    listener = events.fan_out([create_failure_logger(project, listener), listener])
    reported = build_manual_failure(kind, description, context, task)
    report_project_choices(loaded, listener, TEACHING)
    report_unused_settings(loaded, listener)
    rulebooks.require_loaded(config, project)
    with Store() as store:
        rulebook, _ = rulebooks.open_rulebook(config, project, store.database, listener)
        parts = wiring.build_teaching_parts(config, project, store, listener, rulebook)
        # Masked before it is shortened, as half a secret would not be recognized.
        texts = [parts.masker.mask(each) for each in (description, context, task)]
        failure = build_manual_failure(kind, *texts)
        failure = replace(failure, fingerprint=reported.fingerprint)
        taught = teach_failure(failure, parts)
        if taught.teaching.lesson is None:
            raise UnusableAnswer(taught.teaching.trouble)
        return taught.change

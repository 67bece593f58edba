"""A person's report of a mistake, on the same road into CLAUDE.md as a failing test."""

import os
from pathlib import Path

from orchestrator import events, wiring
from orchestrator.config import OF_TEACHING, load
from orchestrator.errors import UsageError
from orchestrator.failures.manual import reported_failure
from orchestrator.masking import Masker
from orchestrator.memory.learnings.recording import failure_logger
from orchestrator.models import RuleChange
from orchestrator.store import Store
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
    """Teach a reported failure; give what it did to the rulebook.

    Raises:
        LoopError, TeacherError: nothing was learned; says why, and the mend.
    """
    project = wiring.checked_project(project)
    loaded = load(project, config_file)
    config = loaded.config
    if not config.source_enabled("manual"):
        raise UsageError(
            "reports are switched off by the configuration", "enable failure_sources: manual"
        )
    listener = events.fan_out([failure_logger(project, listener), listener])
    safe = Masker(config.redaction.patterns, os.environ).text
    failure = reported_failure(kind, safe(description), safe(context), safe(task))
    wiring.tell_what_a_project_chose(loaded, listener, OF_TEACHING)
    wiring.demand_loaded(config, project)
    with Store() as store, wiring.open_rulebook(config, project, store, listener) as (rulebook, _):
        teacher = wiring.build_teacher(config, project, os.environ, listener, store.directory)
        listener(events.TeachingStarted(failure))
        lesson = teacher.teach(failure, rulebook.known_rules())
        listener(events.LessonLearned(lesson))
        change = rulebook.apply(lesson, failure)
        if change:
            listener(events.RuleWritten(change))
        return change

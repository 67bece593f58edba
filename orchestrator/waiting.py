"""Teaches what waited because no teacher could be asked."""

import os
from pathlib import Path

from orchestrator import events, wiring
from orchestrator.config import OF_TEACHING, load
from orchestrator.models import RuleChange
from orchestrator.store import Store, state_directory
from orchestrator.teaching.keeping import Kept, Pending
from teacher.errors import UnusableAnswer


def waiting(project: Path) -> list[Kept]:
    """The failures of a project that wait to be taught, the oldest first."""
    return Pending(wiring.checked_project(project), state_directory()).waiting()


def teach_pending(
    project: Path, config_file: Path | None, listener: events.Listener
) -> list[RuleChange]:
    """Teach every failure that waits; give what that did to the rulebook.

    Raises:
        LoopError, TeacherError: the teacher is still not there; what is not yet taught waits on.
    """
    project = wiring.checked_project(project)
    loaded = load(project, config_file)
    config = loaded.config
    wiring.tell_what_a_project_chose(loaded, listener, OF_TEACHING)
    wiring.demand_loaded(config, project)
    with Store() as store, wiring.open_rulebook(config, project, store, listener) as (rulebook, _):
        teacher = wiring.build_teacher(config, project, os.environ, listener, store.directory)
        changes = []
        for kept in Pending(project, store.directory).waiting():
            listener(events.TeachingStarted(kept.failure))
            try:
                lesson = teacher.teach(kept.failure, rulebook.known_rules())
            except UnusableAnswer as error:
                listener(events.Notice(f"nothing learned: {error}"))
                continue
            listener(events.LessonLearned(lesson))
            if change := rulebook.apply(lesson, kept.failure):
                listener(events.RuleWritten(change))
                changes.append(change)
        return changes

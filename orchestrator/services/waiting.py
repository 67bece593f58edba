"""Teaches what waited: no teacher could be asked, or the rule was not written."""

from pathlib import Path

from orchestrator import events
from orchestrator.config import OF_TEACHING, load
from orchestrator.models import RuleChange
from orchestrator.platform.project import checked_project
from orchestrator.services import rulebooks, wiring
from orchestrator.storage.place import state_directory
from orchestrator.storage.runs import Store
from orchestrator.teaching.pending import Kept, Pending
from orchestrator.teaching.teach import teach_failure


def waiting(project: Path) -> list[Kept]:
    """The failures of a project that wait to be taught, the oldest first."""
    return Pending(checked_project(project), state_directory()).waiting()


def teach_pending(
    project: Path, config_file: Path | None, listener: events.Listener
) -> list[RuleChange]:
    """Teach every failure that waits; give what that did to the rulebook.

    Raises:
        LoopError, TeacherError: the teacher is still not there; what is not yet taught waits on.
    """
    project = checked_project(project)
    loaded = load(project, config_file)
    config = loaded.config
    wiring.tell_what_a_project_chose(loaded, listener, OF_TEACHING)
    rulebooks.demand_loaded(config, project)
    with Store() as store:
        rulebook, _ = rulebooks.open_rulebook(config, project, store.database, listener)
        parts = wiring.teaching_parts(config, project, store, listener, rulebook)
        changes = []
        for kept in Pending(project, store.directory).waiting():
            change = teach_failure(kept.failure, parts, lesson=kept.lesson).change
            if change:
                changes.append(change)
        return changes

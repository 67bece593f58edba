"""Teach pending failures: those for which no teacher could be asked, or no rule was written."""

from collections.abc import Callable
from pathlib import Path

from orchestrator import events
from orchestrator.models import RuleChange
from orchestrator.platform.project import resolve_project
from orchestrator.services import rulebooks, wiring
from orchestrator.services.project_settings import report_project_choices
from orchestrator.services.teacher_notices import report_unused_settings
from orchestrator.services.trust import TEACHING, load_trusted_config
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.teaching.pending import Pending, PendingFailure
from orchestrator.teaching.teach import teach_failure


def list_pending_failures(project: Path, notify: Callable[[str], None]) -> list[PendingFailure]:
    """Return the pending failures of a project; those that are answered first.

    Args:
        project: the project's directory.
        notify: receives a line about each stored failure that cannot be read.
    """
    return Pending(resolve_project(project), resolve_state_directory(), notify).list_failures()


def teach_pending(
    project: Path, config_file: Path | None, listener: events.Listener
) -> list[RuleChange]:
    """Teach every pending failure; return the changes to the rulebook.

    Answers that are stored are written first, even if the teacher cannot be asked.

    Raises:
        LoopError, TeacherError: the teacher still cannot be asked; the rest stays pending.
    """
    project = resolve_project(project)
    loaded = load_trusted_config(project, config_file, of=TEACHING)
    config = loaded.config
    report_project_choices(loaded, listener, TEACHING)
    report_unused_settings(loaded, listener)
    rulebooks.require_loaded(config, project)
    with Store() as store:
        rulebook, _ = rulebooks.open_rulebook(config, project, store.database, listener)
        queued = Pending(project, store.directory).list_failures()
        changes = []
        for asks in (False, True):
            found = [each for each in queued if (each.lesson is None) is asks]
            if not found:
                continue
            parts = wiring.build_teaching_parts(
                config, project, store, listener, rulebook, asks=asks
            )
            for each in found:
                if change := teach_failure(each.failure, parts, lesson=each.lesson).change:
                    changes.append(change)
        return changes

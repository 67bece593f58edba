"""Find the folder with the user's files of a run's project, which may be on another machine."""

from pathlib import Path

from orchestrator.models import RunRecord
from orchestrator.platform import files
from orchestrator.platform.project import resolve_project


def find_home(record: RunRecord) -> Path:
    """Return the user's folder of a run's project, or the run's lane where that is not here.

    A worker runs the tasks of a project that is on another machine. The path of the project still
    identifies it in the record: the history of its rules, its pending failures, its runs.
    """
    project = record.task.project
    return record.lane if record.lane and not files.is_folder(project) else project


def resolve_home(record: RunRecord) -> Path:
    """Return `find_home`, checked.

    Raises:
        UsageError: it does not exist, or cannot be read.
    """
    return resolve_project(find_home(record))

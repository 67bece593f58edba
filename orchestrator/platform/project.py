"""Check the project's folder before anything in it is read."""

from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.platform import files


def resolve_project(project: Path) -> Path:
    """Return the project's real path.

    Raises:
        UsageError: it is not a directory, or its path is not UTF-8.
    """
    if not files.exists(project):
        raise UsageError(f"{project} does not exist", "give the project with --project-dir")
    if not files.is_folder(project):
        raise UsageError(f"{project} is not a directory", "give the project with --project-dir")
    try:
        real = project.resolve()
    except FileNotFoundError:  # it still exists under no name
        raise UsageError(
            "the working directory was deleted", "change to another, or give --project-dir in full"
        ) from None
    try:
        str(real).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"the project's path is not UTF-8: {bytes(real)!r}", "rename it"
        ) from None  # JSON and databases could not store it
    return real

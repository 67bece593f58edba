"""Read and replace files of a project that Claude Code loads, under a lock and without a loss."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform.folders import hash_path
from orchestrator.rulebook import files
from orchestrator.rulebook.locking import hold_lock
from orchestrator.storage.state_directory import locks_folder

_TRIES: Final = 10


def read_project_file(named: Path, project: Path) -> bytes | None:
    """Return the bytes of a file; None if it does not exist.

    Raises:
        RulebookError: it is a link out of the project, is no file, or may not be read.
        InfrastructureError: the disk fails.
    """
    content = files.read_content(files.resolve_path(named, project))
    return content.data if content.stat else None


def change_project_file(
    named: Path, project: Path, state: Path, change: Callable[[bytes | None], bytes | None]
) -> Path | None:
    """Replace a file by what `change` returns for its content; None stands for no file.

    Args:
        named: the file.
        project: the folder that no link may lead out of.
        state: the state directory, for the lock.
        change: called again when somebody else has written the file in the meantime.

    Returns:
        The real path of the file that was changed; None if nothing changes.

    Raises:
        LoopError: it cannot be read or written; it is unchanged.
    """
    path = files.resolve_path(named, project)
    # The lock that the installation of hooks takes for the same file.
    with hold_lock(locks_folder(state) / f"settings-{hash_path(path)}.lock", path):
        for _ in range(_TRIES):
            before = files.read_content(path)
            old = before.data if before.stat else None
            new = change(old)
            if new == old:
                return None
            if new is None:
                is_done = files.remove_file(path, before)
            else:
                with files.translate_os_errors(path, "written"):
                    path.parent.mkdir(parents=True, exist_ok=True)
                is_done = files.replace_file(path, new, before)
            if is_done:
                return path
    raise InfrastructureError(
        f"another program writes to {path} all the time", "close the program and try again"
    )


def render_diff(name: str, before: bytes | None, after: bytes | None) -> str:
    """Return how a file changes, as a unified diff; empty if it does not."""
    old, new = (
        (data or b"").decode("utf-8", "replace").splitlines(keepends=True)
        for data in (before, after)
    )
    labels = (
        "/dev/null" if before is None else f"a/{name}",
        "/dev/null" if after is None else f"b/{name}",
    )
    lines = difflib.unified_diff(old, new, *labels)
    no_newline = "\n\\ No newline at end of file\n"
    return "".join(line if line.endswith("\n") else f"{line}{no_newline}" for line in lines)

"""The workspace's lines in `.gitignore`."""

from typing import Final

from orchestrator.learnings import storage
from orchestrator.learnings.workspace import Workspace
from orchestrator.session_hooks.writeahead import locations

_PERSONAL_LINES: Final = (f"{locations.LEARNINGS}/", locations.BUFFER)
_SHARED_LINES: Final = (locations.PENDING_ERRORS, locations.BUFFER)
"""The entries are shared by the team; the other files are about one machine."""


def has_ignore_lines(workspace: Workspace) -> bool:
    """Return whether all personal lines, or all shared lines, are in the file."""
    present = _parse_lines(storage.read_file(workspace.base / ".gitignore", workspace.project))
    return any(present.issuperset(lines) for lines in (_PERSONAL_LINES, _SHARED_LINES))


def add_lines(workspace: Workspace, *, personal: bool) -> list[str]:
    """Append the missing lines to the file, and return them.

    Raises:
        LoopError: the file cannot be written.
    """
    wanted = _PERSONAL_LINES if personal else _SHARED_LINES
    added: list[str] = []

    def change(data: bytes) -> bytes:
        present = _parse_lines(data)
        added[:] = [line for line in wanted if line not in present]
        newline = b"\r\n" if b"\r\n" in data else b"\n"
        gap = newline if data and added and not data.endswith(b"\n") else b""
        return data + gap + b"".join(line.encode() + newline for line in added)

    with storage.lock_workspace(workspace.base):
        storage.edit_file(workspace.base / ".gitignore", change, workspace.project)
    return added


def _parse_lines(data: bytes) -> set[str]:
    text = data.decode("utf-8-sig", "replace")
    return {line.strip().removeprefix("/") for line in text.splitlines()}

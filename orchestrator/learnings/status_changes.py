"""Change the status of an entry: pending, resolved, promoted, in this order."""

from orchestrator.errors import UsageError
from orchestrator.learnings import storage
from orchestrator.learnings.documents import Change, parse_document, update_entries
from orchestrator.learnings.entries import Entry, Status
from orchestrator.learnings.entry_log import TEXT_BOUND
from orchestrator.learnings.workspace import Workspace
from orchestrator.masking import mask_text
from orchestrator.rulebook.text import sanitize_line


def resolve_entry(workspace: Workspace, entry: str, action: str = "") -> Entry:
    """Resolve a pending entry, and note what was done about it.

    Raises:
        UsageError: it is not pending, or neither `action` nor the entry says what was done.
        LoopError: the file cannot be read or written.
    """
    known = workspace.find_entry(entry)
    if not known.is_open:
        raise UsageError(
            f"{known.id} is already {known.status}", "only a pending entry can be resolved"
        )
    action = sanitize_line(mask_text(action), TEXT_BOUND)
    if not (action or known.action):
        raise UsageError(f"{known.id} does not say what was done about it", "say so with --action")
    more = {"Action": action} if action else {}
    set_fields(workspace, known, Status.PENDING, {"Status": Status.RESOLVED}, more)
    return workspace.find_entry(known.id)


def set_fields(
    workspace: Workspace,
    entry: Entry,
    required: Status,
    values: dict[str, str],
    more: dict[str, str] | None = None,
) -> None:
    """Change an entry's fields if it still has the required status.

    Any status that people invented counts as pending.

    Raises:
        UsageError: somebody has changed its status since it was read.
        LoopError: the file cannot be written.
    """
    path = workspace.locate_file(entry.kind)

    def change(data: bytes) -> bytes:
        found = [
            (at, now) for at, now in enumerate(parse_document(data).entries) if now.id == entry.id
        ]
        for at, now in found:
            if now.is_open if required is Status.PENDING else now.status == required:
                return update_entries(data, {at: Change(values, more or {})})
        raise UsageError(f"{entry.id} has changed since it was read", "look at it again")

    with storage.lock_workspace(workspace.base), storage.name_file_in_errors(path):
        storage.edit_file(path, change, workspace.project)

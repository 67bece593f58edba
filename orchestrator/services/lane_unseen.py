"""Know which files of a lane are in no commit of its work, though its suite may need them.

<list>/lanes/<n>.prepared    the files that git does not see and that were there after preparation

What a run leaves there besides is not on the branch: the suite that was green with it may be red
without it. In the judge's work tree it is removed.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform import files
from orchestrator.workspace.carrying import is_instruction_file
from orchestrator.workspace.lanes import LaneRepository

_MOST_NAMED: Final = 100


def prepare_noted(
    repository: LaneRepository,
    top: Path,
    commit: str,
    prepare: Callable[[], tuple[str, ...]],
) -> tuple[str, ...]:
    """Prepare a lane, note which files that git does not see came by that, and return its result.

    Args:
        repository: that of the lane.
        top: the top of the lane.
        commit: what is tracked there.
        prepare: prepares it.

    Raises:
        LoopError: it cannot be prepared, or git failed.
    """
    known = _read_note(top)
    before = frozenset[str]() if known is None else repository.list_unseen(top, commit)
    included = prepare()
    prepared = (known or frozenset()) | (repository.list_unseen(top, commit) - before)
    if prepared != known:
        data = b"".join(os.fsencode(path) + b"\0" for path in sorted(prepared))
        try:
            files.write_file(_locate_note(top), data, 0o600)
        except OSError as error:
            raise InfrastructureError(f"{_locate_note(top)}: {error.strerror}") from error
    return included


def list_unseen_files(
    repository: LaneRepository, top: Path, commit: str, leave: Iterable[str]
) -> tuple[str, ...]:
    """Return the files that a run may have left in a lane and that its work has not.

    Args:
        repository: that of the lane.
        top: the top of the lane.
        commit: what the run has started from.
        leave: files and folders that never belong to the work.
    """
    not_work = tuple(path.rstrip("/") for path in leave)
    folders = tuple(f"{path}/" for path in not_work)
    found = repository.list_unseen(top, commit) - (_read_note(top) or frozenset())
    unseen = [
        path
        for path in sorted(found)
        if path not in not_work and not path.startswith(folders) and not is_instruction_file(path)
    ]
    return tuple(unseen[:_MOST_NAMED])


def remove_unseen_files(repository: LaneRepository, top: Path, commit: str) -> None:
    """Remove what suites have left in a prepared work tree that nobody works in.

    Raises:
        InfrastructureError: git failed, or a file cannot be removed.
    """
    known = _read_note(top)
    if known is None:
        return
    for path in repository.list_unseen(top, commit) - known:
        try:
            files.remove_path(top / path.rstrip("/"))
        except OSError as error:
            raise InfrastructureError(
                f"{top / path} cannot be removed: {error.strerror}", "remove it"
            ) from error


def _locate_note(top: Path) -> Path:
    return top.with_name(f"{top.name}.prepared")


def _read_note(top: Path) -> frozenset[str] | None:
    data = files.read_whole_file(_locate_note(top))
    return None if data is None else frozenset(map(os.fsdecode, data.split(b"\0")[:-1]))

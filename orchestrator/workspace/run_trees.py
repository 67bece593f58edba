"""Record the files as each process of a run found and left them, so that it can be undone.

    <run folder>/trees.json      one span for each process that executed or undid the run

A process that is killed leaves a span without an end.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import InfrastructureError
from orchestrator.models import Snapshot
from orchestrator.platform import files
from orchestrator.workspace.empty_folders import FolderModes
from orchestrator.workspace.snapshots import GitWorkspace

_NAME: Final = "trees.json"
_START: Final = "start"
_END: Final = "end"
_KNOWN: Final = "is_end_known"
_ATTEMPT: Final = "attempt"


@dataclass(frozen=True)
class RecordedFiles:
    """The project's files at one moment: a snapshot, and the folders that it cannot contain."""

    snapshot: Snapshot
    folders: FolderModes


@dataclass(frozen=True)
class Span:
    """The files when a process started to execute or to undo a run, and when it ended.

    Args:
        start: the files at its start.
        end: the files at its end; if that is not known, those at the start of the next process, or
            those that the first undo found.
        is_end_known: whether the end was recorded by the process itself; it is not if the process
            was killed.
        attempt: the attempt whose start the process restored; 0 if it executed the run.
    """

    start: RecordedFiles
    end: RecordedFiles
    is_end_known: bool = True
    attempt: int = 0


@dataclass(frozen=True)
class RunTrees:
    """The record of one run.

    Args:
        folder: the run's folder.
        workspace: takes the snapshots.
    """

    folder: Path
    workspace: GitWorkspace

    def record_start(self) -> None:
        """Add a span that starts with the present files.

        Raises:
            InfrastructureError: git failed, or the record cannot be written.
        """
        found, stored = self.capture_files(), self._read()
        if not stored:  # later the run may have changed the modes of the same tree
            self.workspace.remember_modes(found.snapshot)
        self._write([*stored, {_START: _format_files(found), _END: None}])

    def record_end(self, *, is_known: bool = True) -> None:
        """End the last span with the present files, if it has no end yet.

        Args:
            is_known: whether the process that executed the run does so; otherwise somebody else may
                have changed the files since it was killed.

        Raises:
            InfrastructureError: git failed, or the record cannot be written.
        """
        stored = self._read()
        if stored and not stored[-1][_END]:
            end = _format_files(self.capture_files())
            self._write([*stored[:-1], {**stored[-1], _END: end, _KNOWN: is_known}])

    def record_undo(self, attempt: int, before: RecordedFiles, after: RecordedFiles) -> None:
        """Add a span for an undo, which changes files as the run does.

        It is added before anything is changed. If the undo is killed, each file is as before it or
        as after it, and both count as the run's.

        Args:
            attempt: the attempt whose start is restored.
            before: the files before the undo.
            after: the files that it is to leave.

        Raises:
            InfrastructureError: the record cannot be written.
        """
        span = {_START: _format_files(before), _END: _format_files(after), _ATTEMPT: attempt}
        self._write([*self._read(), span])

    def read_spans(self) -> tuple[Span, ...]:
        """Return the recorded spans, in order, but for a last one that has not ended.

        Raises:
            InfrastructureError: the record is damaged.
        """
        stored, spans = self._read(), list[Span]()
        try:
            for each, following in zip(stored, [*stored[1:], None], strict=True):
                # A process that was killed has no end of its own.
                end = each[_END] or (following and following[_START])
                if end:
                    is_known = bool(each[_END]) and bool(each.get(_KNOWN, True))
                    start, attempt = _parse_files(each[_START]), int(each.get(_ATTEMPT, 0))
                    spans.append(Span(start, _parse_files(end), is_known, attempt))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._build_damage_error(error) from error
        return tuple(spans)

    def capture_files(self) -> RecordedFiles:
        """Return the present files.

        Raises:
            InfrastructureError: git failed.
        """
        snapshot = self.workspace.take_snapshot()
        return RecordedFiles(snapshot, self.workspace.list_empty_folders())

    def _read(self) -> list[dict[str, Any]]:
        try:
            return list(json.loads((self.folder / _NAME).read_bytes()))
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise self._build_damage_error(error) from error

    def _build_damage_error(self, error: Exception) -> InfrastructureError:
        path = self.folder / _NAME
        return InfrastructureError(f"{path} cannot be read: {error}", "restore it from a backup")

    def _write(self, stored: Sequence[Mapping[str, Any]]) -> None:
        path = self.folder / _NAME
        try:
            files.write_file(path, json.dumps(stored).encode("ascii"), 0o600, durable=True)
        except OSError as error:
            raise InfrastructureError(
                f"{path} cannot be written: {error.strerror}",
                "check that the state directory is writable and has space",
            ) from error


def _parse_files(value: Any) -> RecordedFiles:  # noqa: ANN401 -- JSON
    folders = {os.fsencode(path): int(mode) for path, mode in value["folders"].items()}
    return RecordedFiles(Snapshot(str(value["tree"])), folders)


def _format_files(recorded: RecordedFiles) -> dict[str, Any]:
    folders = {os.fsdecode(path): mode for path, mode in recorded.folders.items()}
    return {"tree": recorded.snapshot.tree, "folders": folders}

"""Record the files as each process of a run found and left them, so that it can be undone.

    <run folder>/trees.json      one span for each process that executed or undid the run

A process that is killed leaves a span without an end.
"""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import InfrastructureError
from orchestrator.models import Snapshot
from orchestrator.platform import files
from orchestrator.workspace.empty_folders import FolderModes
from orchestrator.workspace.snapshots import GitWorkspace

_NAME: Final = "trees.json"


@dataclass(frozen=True)
class RecordedFiles:
    """The project's files at one moment: a snapshot, and the folders that it cannot contain."""

    snapshot: Snapshot
    folders: FolderModes


@dataclass(frozen=True)
class Span:
    """The files when a process started to execute or to undo a run, and when it ended.

    The end is None if the process was killed.
    """

    start: RecordedFiles
    end: RecordedFiles | None = None


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
        found, spans = self.capture_files(), self.read_spans()
        if not spans:  # later the run may have changed the modes of the same tree
            self.workspace.remember_modes(found.snapshot)
        self._write((*spans, Span(found)))

    def record_end(self) -> None:
        """End the last span with the present files, if it has no end yet.

        Raises:
            InfrastructureError: git failed, or the record cannot be written.
        """
        *earlier, last = self.read_spans() or (None,)
        if last and not last.end:
            spans = [span for span in earlier if span]
            self._write((*spans, replace(last, end=self.capture_files())))

    def record_undo(self, before: RecordedFiles) -> None:
        """Add a span for an undo, which changes files as the run does.

        It is added when the undo is complete: the next one of a killed undo must take the files
        that are still to be restored for those of the run.

        Args:
            before: the files before the undo; those after it are the present ones.

        Raises:
            InfrastructureError: git failed, or the record cannot be written.
        """
        self._write((*self.read_spans(), Span(before, self.capture_files())))

    def read_spans(self) -> tuple[Span, ...]:
        """Return the recorded spans, in order; none if nothing is on record.

        Raises:
            InfrastructureError: the record is damaged.
        """
        path = self.folder / _NAME
        try:
            return tuple(
                Span(_parse_files(each["start"]), each["end"] and _parse_files(each["end"]))
                for each in json.loads(path.read_bytes())
            )
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InfrastructureError(
                f"{path} cannot be read: {error}", "restore it from a backup"
            ) from error

    def capture_files(self) -> RecordedFiles:
        """Return the present files.

        Raises:
            InfrastructureError: git failed.
        """
        snapshot = self.workspace.take_snapshot()
        return RecordedFiles(snapshot, self.workspace.list_empty_folders())

    def _write(self, spans: tuple[Span, ...]) -> None:
        path = self.folder / _NAME
        values = [
            {"start": _format_files(span.start), "end": span.end and _format_files(span.end)}
            for span in spans
        ]
        try:
            files.write_file(path, json.dumps(values).encode("ascii"), 0o600, durable=True)
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

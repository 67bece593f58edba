"""Reverts the edits of attempts: of a failed one, and of one that was interrupted."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator import events
from orchestrator.loop.patches import PatchWriter
from orchestrator.models import Snapshot
from orchestrator.platform import files
from orchestrator.ports import Rulebook, Workspace


@dataclass(frozen=True)
class EditReverter:
    """Reverts what an attempt changed, and leaves alone what others changed since.

    Args:
        workspace: takes and restores snapshots.
        rulebook: names the files with rules, which are never reverted.
        patches: stores what an interrupted attempt had changed.
        folder: stores the notes of interrupted attempts.
        emit: receives the events.
    """

    workspace: Workspace
    rulebook: Rulebook
    patches: PatchWriter
    folder: Path
    emit: events.Listener

    def revert_edits(self, to: Snapshot, changed_since: Snapshot) -> None:
        """Revert the changes between two snapshots, and report the files left alone."""
        # People and other runs may have written rules since, and a snapshot cannot distinguish
        # their changes from the agent's.
        leave = self.rulebook.list_files()
        for path in self.workspace.restore_files(to, changed_since, leave=leave):
            reason = "somebody else changed it, or git ignores it"
            self.emit(events.Notice(f"not reverted, because {reason}: {path}"))

    def record_interruption(self, attempt: int) -> None:
        """Store the files as they are when an attempt is interrupted.

        Without this note, all later changes would count as the agent's, a person's too.
        """
        stopped_at = self.workspace.take_snapshot().tree.encode()
        files.write_file(self._note_path(attempt), stopped_at, durable=True)

    def revert_interrupted(self, attempt: int, before: Snapshot) -> None:
        """Revert what an interrupted attempt had changed; store it as a patch, and report it."""
        note = self._note_path(attempt)
        now = self.workspace.take_snapshot()
        # A killed process (`kill -9`, a power cut) writes no note; then every change counts as
        # the agent's.
        killed = not note.exists()
        stopped_at = now if killed else Snapshot(note.read_text(encoding="ascii"))
        name = f"attempt-{attempt}.broken-off-{now.tree[:12]}.patch"
        patch = self.patches.write_patch(name, before, now).patch
        self.revert_edits(before, stopped_at)
        if self.workspace.take_snapshot() == now:
            patch.unlink()
        else:
            self._report_interrupted(attempt, patch, now, killed=killed)
        note.unlink(missing_ok=True)  # the agent works again: the note is no longer true

    def _report_interrupted(
        self, attempt: int, patch: Path, stopped_at: Snapshot, *, killed: bool
    ) -> None:
        reverted = (
            "all changes since it started were reverted, including your own, because its process "
            "was killed and could not record where it stopped"
            if killed
            else "its changes were reverted"
        )
        command = self.workspace.restore_command(stopped_at)
        self.emit(events.Notice(f"attempt {attempt} starts again: {reverted}"))
        self.emit(events.Notice(f"  as a patch, without secrets: {patch}"))
        self.emit(events.Notice(f"  a file as it was: {command} > PATH"))

    def _note_path(self, attempt: int) -> Path:
        return self.folder / f"attempt-{attempt}.left"

"""The patches that a run stores: what changed between two snapshots, without secrets."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.failures.patch_masking import mask_patch
from orchestrator.masking import Masker
from orchestrator.models import Diff, Snapshot
from orchestrator.ports import Workspace

_LARGE_PATCH_MB: Final = 1.0
"""From this size on, looking for secrets takes long enough to be announced."""


@dataclass(frozen=True)
class PatchWriter:
    """Writes patches into the run's folder.

    Args:
        workspace: compares snapshots.
        masker: removes the secrets.
        folder: takes the patches.
        emit: receives the events.
    """

    workspace: Workspace
    masker: Masker
    folder: Path
    emit: events.Listener

    def write_patch(self, name: str, before: Snapshot, after: Snapshot) -> Diff:
        """Write what changed between two snapshots to a file, and return it.

        Of the largest patches the middle is left out; a notice says how to print all of it.

        Raises:
            InfrastructureError: it cannot be written.
        """
        diff = self.workspace.diff_snapshots(before, after, self.folder / name)
        size = diff.patch.stat().st_size / 1e6
        if size >= _LARGE_PATCH_MB:
            self.emit(events.StepStarted(f"looking for secrets in a patch of {size:.1f} MB"))
        command = self.workspace.diff_command(before, after)
        masked = mask_patch(self.masker, diff.patch, command)
        if masked.retained_bytes is not None:
            retained = masked.retained_bytes / 1e6
            self.emit(
                events.Notice(
                    f"{retained:.1f} MB of the patch's {size:.1f} MB are stored, without the "
                    f"middle of its largest files; to print all of it: {command}"
                )
            )
        return replace(diff, redactions=masked.redactions)

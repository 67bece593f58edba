"""The project's files, seen from outside: snapshots, diffs, and the way back."""

from orchestrator.workspace.snapshots import GitWorkspace, open_workspace

__all__ = ["GitWorkspace", "open_workspace"]

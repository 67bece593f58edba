"""The project's files, seen from outside: snapshots, diffs, and restoring."""

from orchestrator.workspace.snapshots import GitWorkspace, open_workspace

__all__ = ["GitWorkspace", "open_workspace"]

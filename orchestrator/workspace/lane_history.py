"""Commits and refs of the repository that the lanes of a list share."""

from collections.abc import Sequence
from typing import Final

from orchestrator.workspace.git import Git
from orchestrator.workspace.repository_history import RepositoryHistory, open_private_history

_MOVED: Final = (b"cannot lock ref", b"reference already exists")


class LaneHistory(RepositoryHistory):
    """The history of the repository of a list, in which nothing is ever forced."""

    def resolve(self, revision: str) -> str:
        """Return the id of the object that a revision stands for; empty if there is none."""
        options = ("--verify", "--quiet", "--end-of-options", revision)
        return self._call("rev-parse", *options, allowed=(0, 1, 128)).decode("ascii")

    def commit_tree(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Store a commit of a tree, on no branch, and return its id."""
        options = [word for parent in parents for word in ("-p", parent)]
        text = message.encode("utf-8", "replace").replace(b"\0", b"")
        return self._call("commit-tree", tree, *options, "-F", "-", stdin=text).decode("ascii")

    def move_ref(self, ref: str, new: str, old: str) -> bool:
        """Point a ref at a commit if it still points at `old`; return whether it did.

        An empty `old` means that the ref must not exist.
        """
        expected = old or "0" * len(new)
        status, _, errors = self._execute("update-ref", ref, new, expected, allowed=(0, 1, 128))
        if status and not any(phrase.decode() in errors for phrase in _MOVED):
            self._call("update-ref", ref, new, expected)  # raises, with what git says
        return status == 0

    def list_refs(self, prefix: str) -> dict[str, str]:
        """Return the refs below a prefix, with the ids of their objects."""
        printed = self._call("for-each-ref", "--format=%(refname) %(objectname)", prefix)
        pairs = (line.split(b" ") for line in printed.splitlines())
        return {name.decode("utf-8", "surrogateescape"): oid.decode() for name, oid in pairs}

    def list_commits(self, base: str, tip: str) -> list[tuple[str, str]]:
        """Return the commits of `tip` that are not in `base`, oldest first, with their messages."""
        options = ("--reverse", "--topo-order", "-z", "--format=%H%n%B", "--no-show-signature")
        printed = self._call("log", *options, "--end-of-options", f"{base}..{tip}", "--")
        records = (record.partition(b"\n") for record in printed.split(b"\0") if record)
        return [
            (oid.decode(), text.decode("utf-8", "replace").rstrip("\n")) for oid, _, text in records
        ]

    def is_ancestor(self, one: str, other: str) -> bool:
        """Return whether a commit is the other one, or is in its history."""
        status, _, _ = self._execute("merge-base", "--is-ancestor", one, other, allowed=(0, 1))
        return status == 0


def open_lane_history(git: Git) -> LaneHistory:
    """Open the repository of a list for commits of the program: no hook, nothing is signed."""
    plain = open_private_history(git)
    return LaneHistory(plain.run_git, plain.build_error)

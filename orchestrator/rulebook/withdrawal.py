"""Decide whether a rule that is missing from the files was deleted by a person.

A rule that a person deleted must not come back by itself. One that left with a checkout was not
rejected, and the next failure may teach it again. The git history distinguishes the two. In doubt
the rule counts as not deleted: one that is kept out by mistake would silently never be learned
again.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import LoopError
from orchestrator.rulebook.document import parse_document
from orchestrator.rulebook.records import RuleRecord

if TYPE_CHECKING:
    from orchestrator.workspace.repository_history import RepositoryHistory

_ID_COMMENT: Final = "<!-- rule "
_ID: Final = re.compile(rb"^[-+].*<!-- rule ([\w-]+)", re.MULTILINE)


@dataclass(frozen=True)
class FileVersions:
    """A file that may hold rules, in two versions."""

    path: Path
    """Its real path."""
    current: bytes
    """Its content now."""
    last_written: bytes
    """The content that the program wrote last; empty if it never wrote the file."""

    @property
    def is_edited(self) -> bool:
        """Whether somebody else has changed the file, and the section with the rules is there.

        Whoever removed the whole section made no decision about a single rule.
        """
        return (
            self.current != self.last_written and parse_document(self.current).section is not None
        )


class Withdrawals:
    """Decides whether a rule that is missing from all files was deleted by a person.

    In a file that somebody edited, a rule was deleted if

    - there is no git, and the program last wrote the file with the rule;
    - the last commit has the rule in the file, or one of its ancestors had it; or
    - the program last wrote the file with the rule, no branch and no stash has it, and the file
      is not what was committed before that.

    Args:
        root: the folder of the rulebook.
        files: the files of the rulebook.
    """

    def __init__(self, root: Path, files: Sequence[FileVersions]) -> None:
        self._root, self._files = root, files

    def __call__(self, record: RuleRecord) -> bool:
        """Return whether a person deleted this rule."""
        if not self._edited_files:
            return False
        rule = record.rule.id
        written = [
            file for file in self._edited_files if rule in _parse_rule_ids(file.last_written)
        ]
        try:
            return self._is_withdrawn_in_git(record, written) if self._is_in_git else bool(written)
        except LoopError:  # the repository is broken, or a partial clone without the file
            return False

    def _is_withdrawn_in_git(self, record: RuleRecord, written: Sequence[FileVersions]) -> bool:
        rule = record.rule.id
        committed = [
            file for file in self._files if rule in _parse_rule_ids(self._head_contents[file.path])
        ]
        if committed:
            return any(file.is_edited for file in committed)
        if rule in self._branch_rule_ids:
            return True
        if rule in self._all_rule_ids:
            return False
        return any(
            _normalize_newlines(file.current) != _normalize_newlines(self._head_contents[file.path])
            or self._has_commit_since(file.path, record.mattered.timestamp())
            for file in written
        )

    @cached_property
    def _edited_files(self) -> Sequence[FileVersions]:
        return [file for file in self._files if file.is_edited]

    @cached_property
    def _is_in_git(self) -> bool:
        if not shutil.which("git"):
            return False
        return self._open_history(self._root).is_work_tree()

    @cached_property
    def _head_contents(self) -> dict[Path, bytes]:
        """The files' content in the last commit."""
        return {
            path: self._open_history(path.parent).read_file(f"HEAD:./{path.name}")
            for path in (file.path for file in self._files)
            if path.parent.is_dir()
        }

    @cached_property
    def _branch_rule_ids(self) -> frozenset[str]:
        born = self._open_history(self._root).has_commit("HEAD")
        return self._list_rule_ids("HEAD") if born else frozenset()

    @cached_property
    def _all_rule_ids(self) -> frozenset[str]:
        return self._list_rule_ids("--all")

    def _list_rule_ids(self, revisions: str) -> frozenset[str]:
        """Return the ids of the rules that commits reachable from there added or removed."""
        paths = [file.path for file in self._files]
        patches = self._open_history(self._root).read_patches(revisions, _ID_COMMENT, paths)
        return frozenset(map(bytes.decode, _ID.findall(patches)))

    def _has_commit_since(self, path: Path, moment: float) -> bool:
        """Return whether a file was committed since then: somebody left the rule out of it."""
        committed = self._open_history(self._root).find_commit_time(path)
        return committed is not None and committed >= int(moment)

    @staticmethod
    def _open_history(folder: Path) -> "RepositoryHistory":
        # Imported only where a rule is missing: `rules list` does not pay for git.
        from orchestrator.workspace.git import Git
        from orchestrator.workspace.repository_history import open_private_history

        # A user may have turned this off, and the patch of the first commit would be empty.
        return open_private_history(Git(folder, config=("log.showRoot=true",)))


def _parse_rule_ids(data: bytes) -> frozenset[str]:
    try:
        return frozenset(rule.id for rule in parse_document(data).rules)
    except LoopError:  # UTF-16
        return frozenset()


def _normalize_newlines(data: bytes) -> bytes:
    # With `core.autocrlf`, a checkout has other line endings than the commit.
    return data.replace(b"\r\n", b"\n")

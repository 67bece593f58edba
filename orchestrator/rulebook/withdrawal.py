"""Whether a rule that has left the files was taken out by a person, or is only somewhere else.

A rule that was deleted is not to come back by itself; one that left with a checkout is nobody's
word, and the next failure may teach it again. git tells the two apart. In doubt nobody took it out:
a rule that is kept out wrongly would never be learned again, without a word.
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
    from orchestrator.workspace.git import Git

_LOG: Final = (
    *("log", "-m", "-p", "-U0", "--format=", "-G", "<!-- rule "),
    # With these git runs nothing that a repository configures, and prints no colours.
    *("--no-textconv", "--no-ext-diff", "--no-show-signature", "--no-color"),
)
_ID: Final = re.compile(rb"^[-+].*<!-- rule ([\w-]+)", re.MULTILINE)


@dataclass(frozen=True)
class FileVersions:
    """A file that rules may stand in."""

    path: Path
    """Its real path."""
    current: bytes
    """As people left it."""
    last_written: bytes
    """As one of our processes wrote it last; empty if none did."""

    @property
    def is_edited(self) -> bool:
        """Whether somebody else than we has written what is there, and left the section.

        All of its rules at once are nobody's word.
        """
        return (
            self.current != self.last_written and parse_document(self.current).section is not None
        )


class Withdrawals:
    """Tells of rules that are missing from all files whether a person took them out.

    So it is, in a file that somebody edited:

    - without git: where the rule stood when we wrote the file;
    - where the last commit has the rule there, or an earlier one of its line had it;
    - where the rule stood when we wrote the file, no branch and no stash has it, and the file is
      not what was committed before that.

    Args:
        root: the folder of the rulebook.
        traces: its files.
    """

    def __init__(self, root: Path, traces: Sequence[FileVersions]) -> None:
        self._root, self._traces = root, traces

    def __call__(self, record: RuleRecord) -> bool:
        """Whether a person took this rule out."""
        if not self._manual_edits:
            return False
        rule = record.rule.id
        stood = [
            trace for trace in self._manual_edits if rule in _parse_rule_ids(trace.last_written)
        ]
        try:
            return self._is_withdrawn_in_git(record, stood) if self._is_in_git else bool(stood)
        except LoopError:  # the repository is broken, or holds but a part
            return False

    def _is_withdrawn_in_git(self, record: RuleRecord, stood: Sequence[FileVersions]) -> bool:
        rule = record.rule.id
        having = [
            trace
            for trace in self._traces
            if rule in _parse_rule_ids(self._head_contents[trace.path])
        ]
        if having:
            return any(trace.is_edited for trace in having)
        if rule in self._branch_rule_ids:
            return True
        if rule in self._all_rule_ids:
            return False
        return any(
            _normalize_newlines(trace.current)
            != _normalize_newlines(self._head_contents[trace.path])
            or self._has_commit_since(trace.path, record.mattered.timestamp())
            for trace in stood
        )

    @cached_property
    def _manual_edits(self) -> Sequence[FileVersions]:
        return [trace for trace in self._traces if trace.is_edited]

    @cached_property
    def _is_in_git(self) -> bool:
        if not shutil.which("git"):
            return False
        inside = self._git.run("rev-parse", "--is-inside-work-tree", allowed=(0, 128))
        return inside.stdout.strip() == b"true"

    @cached_property
    def _head_contents(self) -> dict[Path, bytes]:
        """The files as the last commit has them."""
        return {
            trace.path: self._git.with_folder(trace.path.parent)
            .run("cat-file", "blob", f"HEAD:./{trace.path.name}", allowed=(0, 128))
            .stdout
            for trace in self._traces
            if trace.path.parent.is_dir()
        }

    @cached_property
    def _branch_rule_ids(self) -> frozenset[str]:
        born = self._git.run("rev-parse", "--verify", "--quiet", "HEAD", allowed=(0, 1))
        return self._list_rule_ids("HEAD") if born.returncode == 0 else frozenset()

    @cached_property
    def _all_rule_ids(self) -> frozenset[str]:
        return self._list_rule_ids("--all")

    def _list_rule_ids(self, where: str) -> frozenset[str]:
        """The ids that commits from there brought or removed; a stash is a merge, hence `-m`."""
        names = [str(trace.path) for trace in self._traces]
        return frozenset(
            map(bytes.decode, _ID.findall(self._git.read_output(*_LOG, where, "--", *names)))
        )

    def _has_commit_since(self, path: Path, moment: float) -> bool:
        """Whether the last commit of a file is later: then somebody left the rule out of it."""
        said = self._git.read_output(
            "log", "-1", "--format=%ct", "--no-show-signature", "--", str(path)
        )
        return bool(said.strip()) and int(said) >= int(moment)

    @property
    def _git(self) -> "Git":
        from orchestrator.workspace.git import Git  # only where a rule is missing

        return Git(self._root, config=("log.showRoot=true",))


def _parse_rule_ids(data: bytes) -> frozenset[str]:
    try:
        return frozenset(rule.id for rule in parse_document(data).rules)
    except LoopError:  # UTF-16
        return frozenset()


def _normalize_newlines(data: bytes) -> bytes:
    # A checkout may have other line endings than the commit.
    return data.replace(b"\r\n", b"\n")

"""Write a skill into a project, and remove it again."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform import files
from orchestrator.platform.folders import CLAUDE_FOLDER
from orchestrator.proposals.models import Proposal, ProposalKind
from orchestrator.proposals.project_files import (
    change_project_file,
    read_project_file,
    render_diff,
)
from orchestrator.proposals.skills import is_skill_name

_SKILLS: Final = f"{CLAUDE_FOLDER}/skills"


def list_skill_names(project: Path) -> frozenset[str]:
    """Return the names of a project's skills; other folders count, too."""
    return frozenset(entry.name for entry in files.list_folder(project / _SKILLS))


def list_taken_names(
    project: Path, proposals: Iterable[Proposal], fingerprint: str
) -> frozenset[str]:
    """Return the names that a new skill cannot have: of skills, and of other ones that wait.

    Args:
        project: the project's real path.
        proposals: the proposals of the project.
        fingerprint: that of the new skill, which may keep its name.
    """
    waiting = {
        str(each.content.get("name"))
        for each in proposals
        if each.kind is ProposalKind.SKILL and each.is_open and each.fingerprint != fingerprint
    }
    return list_skill_names(project) | waiting


@dataclass(frozen=True)
class SkillFile:
    """The file of one skill.

    Args:
        project: the project's real path.
        name: the name of the skill.
        state: the state directory.

    Raises:
        UsageError: a skill cannot have this name.
    """

    project: Path
    name: str
    state: Path

    def __post_init__(self) -> None:
        if not is_skill_name(self.name):
            raise UsageError(f"{self.name!r} is no name of a skill", "reject the proposal")

    @property
    def named(self) -> str:
        """The file's path in the project."""
        return f"{_SKILLS}/{self.name}/SKILL.md"

    @property
    def path(self) -> Path:
        """The file as it is named in the project."""
        return self.project / self.named

    def has_text(self, text: str) -> bool:
        """Return whether the file has exactly this text.

        Raises:
            LoopError: it cannot be read.
        """
        return read_project_file(self.path, self.project) == text.encode()

    def preview(self, text: str) -> str:
        """Return the diff that creates the file; empty if it has the text.

        Raises:
            LoopError: it cannot be read.
        """
        return render_diff(self.named, read_project_file(self.path, self.project), text.encode())

    def write(self, text: str) -> Path | None:
        """Create the file; return it unless it has the text already.

        Raises:
            UsageError: there is another skill of this name; it is unchanged.
            LoopError: the file cannot be written.
        """

        def change(before: bytes | None) -> bytes:
            if before not in (None, text.encode()):
                raise UsageError(
                    f"{self.path} exists, and has another text",
                    "move it away, or reject the proposal",
                )
            return text.encode()

        return change_project_file(self.path, self.project, self.state, change)

    def remove(self, text: str) -> Path | None:
        """Remove the file if it has the text still; return it if it was removed.

        Raises:
            LoopError: it cannot be removed.
        """

        def change(before: bytes | None) -> bytes | None:
            return None if before == text.encode() else before

        removed = change_project_file(self.path, self.project, self.state, change)
        if removed:
            with contextlib.suppress(OSError):  # there are other files in it
                removed.parent.rmdir()
        return removed

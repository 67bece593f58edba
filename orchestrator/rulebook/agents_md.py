"""Which of AGENTS.md and CLAUDE.md Claude Code loads.

Claude Code (2.1.329) loads AGENTS.md and .claude/AGENTS.md of a project and of every folder above
it only while none of these folders contains a CLAUDE.md, .claude/CLAUDE.md or CLAUDE.local.md with
content; comments and front matter are no content. The user's own CLAUDE.md does not count; it is in
~/.claude unless Claude Code's configuration folder is another. A file of a folder above cannot be
imported instead: Claude Code imports only from below.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform.folders import AGENTS_MD, CLAUDE_LOCAL_MD, CLAUDE_MD, find_config_folder
from orchestrator.rulebook.document import find_imports, has_content

_INSTRUCTIONS: Final = (CLAUDE_MD, f".claude/{CLAUDE_MD}", CLAUDE_LOCAL_MD)
_AGENTS: Final = (AGENTS_MD, f".claude/{AGENTS_MD}")


@dataclass(frozen=True)
class ShadowableFiles:
    """The AGENTS.md files that Claude Code loads until the project's CLAUDE.md has content."""

    names: tuple[str, ...] = ()
    """Those of the project, from its folder."""
    above: Path | None = None
    """One of a folder above."""


def find_shadowable_files(project: Path, claude_md: bytes | None = None) -> ShadowableFiles:
    """Return the AGENTS.md files that a first rule in CLAUDE.md would shadow.

    Args:
        project: the project's folder.
        claude_md: the content of its CLAUDE.md, so that it is not read again; None to read it.
    """
    project = project.resolve()
    if next(_iter_instruction_files(project, claude_md), None):
        return ShadowableFiles()
    above = (folder / name for folder in project.parents for name in _AGENTS)
    return ShadowableFiles(
        tuple(name for name in _AGENTS if _has_content(project / name)),
        next((path for path in above if _has_content(path)), None),
    )


def find_active_agents_md(project: Path) -> tuple[str, ...]:
    """Return the project's AGENTS.md files that Claude Code loads."""
    return find_shadowable_files(project).names


def find_agents_md_above(project: Path) -> Path | None:
    """Return an AGENTS.md of a folder above the project that Claude Code loads."""
    return find_shadowable_files(project).above


def find_shadowing_file(project: Path) -> Path | None:
    """Return the file that keeps Claude Code from loading the project's AGENTS.md, if any."""
    project = project.resolve()
    agents = project / AGENTS_MD
    instructions = [project / name for name in _INSTRUCTIONS]
    if any(_contains_import(path, agents) for path in instructions):
        return None
    return next(_iter_instruction_files(project), None)


def _iter_instruction_files(project: Path, claude_md: bytes | None = None) -> Iterator[Path]:
    """Yield the files with content that shadow AGENTS.md, the project's own first."""
    configured = Path(find_config_folder(os.environ))
    users_own = configured.parent.resolve() / configured.name / CLAUDE_MD
    for folder in (project, *project.parents):
        for name in _INSTRUCTIONS:
            path = folder / name
            if path == users_own:
                continue
            is_known = claude_md is not None and path == project / CLAUDE_MD
            if has_content(claude_md or b"") if is_known else _has_content(path):
                yield path


def _contains_import(path: Path, other: Path) -> bool:
    """Return whether an instruction file is a link to the other, or imports it."""
    with contextlib.suppress(OSError):
        if path.is_file():
            if path.resolve() == other.resolve():
                return True
            named = (path.parent / name for name in find_imports(path.read_bytes()))
            return any(each.resolve() == other.resolve() for each in named)
    return False


def _has_content(path: Path) -> bool:
    # What we cannot read, Claude Code does not load either.
    with contextlib.suppress(OSError):
        if path.is_file():
            return has_content(path.read_bytes())
    return False

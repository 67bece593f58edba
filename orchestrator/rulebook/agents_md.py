"""AGENTS.md and CLAUDE.md: who is in force.

Claude Code (2.1.329) loads AGENTS.md and .claude/AGENTS.md of a project and of every folder above
it only while none of these folders holds a CLAUDE.md, .claude/CLAUDE.md or CLAUDE.local.md with
content; comments and front matter are no content. The user's own CLAUDE.md does not count, which
is in ~/.claude unless Claude Code's configuration folder is another. A file of a folder above
cannot be imported back: Claude Code imports only from below.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD, find_config_folder
from orchestrator.rulebook.document import find_imports, has_content

_INSTRUCTIONS: Final = (CLAUDE_MD, f".claude/{CLAUDE_MD}", "CLAUDE.local.md")
_AGENTS: Final = (AGENTS_MD, f".claude/{AGENTS_MD}")


def find_active_agents_md(project: Path) -> tuple[str, ...]:
    """The project's AGENTS.md files that a first rule in CLAUDE.md would put out of force."""
    project = project.resolve()
    if _has_instructions(project):
        return ()
    return tuple(name for name in _AGENTS if _has_content(project / name))


def find_agents_md_above(project: Path) -> Path | None:
    """An AGENTS.md in a folder above that a first rule in CLAUDE.md would put out of force."""
    project = project.resolve()
    if _has_instructions(project):
        return None
    found = (folder / name for folder in project.parents for name in _AGENTS)
    return next((path for path in found if _has_content(path)), None)


def find_shadowing_file(project: Path) -> Path | None:
    """What keeps Claude Code from loading the project's AGENTS.md; None if it loads it."""
    project = project.resolve()
    agents = project / AGENTS_MD
    ours = [project / name for name in _INSTRUCTIONS]
    if any(_contains_import(path, agents) for path in ours):
        return None
    return next(_iter_instruction_files(project), None)


def _has_instructions(project: Path) -> bool:
    return next(_iter_instruction_files(project), None) is not None


def _iter_instruction_files(project: Path) -> Iterator[Path]:
    """The files with content that put AGENTS.md out of force, the project's own first."""
    configured = Path(find_config_folder(os.environ))
    users_own = configured.parent.resolve() / configured.name / CLAUDE_MD
    files = (folder / name for folder in (project, *project.parents) for name in _INSTRUCTIONS)
    return (path for path in files if path != users_own and _has_content(path))


def _contains_import(path: Path, other: Path) -> bool:
    """Whether an instruction file is a link to the other, or imports it."""
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

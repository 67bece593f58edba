"""Finds what others decide on: the top of a git work tree, Claude Code's files and its folder.

The hook imports this at nearly every tool use of a person who waits. So it imports `os` alone, and
takes and gives paths as text.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH110, PTH111, PTH118, PTH120

import os

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping

GIT_FOLDER = ".git"
"""Stands at the top of a work tree; a file where `git worktree` made it."""

CONFIG_VARIABLE = "CLAUDE_CONFIG_DIR"
"""Names Claude Code's configuration folder."""

CLAUDE_MD = "CLAUDE.md"
AGENTS_MD = "AGENTS.md"
"""Instructions of a project, in its top folder or in any of its folders."""

SETTINGS = "settings.json"
"""The user's settings, in Claude Code's configuration folder."""

PROJECT_SETTINGS = (".claude/settings.json", ".claude/settings.local.json")
"""A project's settings: those that are shared, and a person's own."""


def list_enclosing_folders(folder: "str | os.PathLike[str]") -> list[str]:
    """Return a folder and those above it, up to the top of its git work tree.

    A folder that is in none stands for itself. Where this user may not look, nothing is found.

    Args:
        folder: without links, for those above are the ones that its text names.
    """
    chain = [os.fspath(folder)]
    while not os.path.exists(os.path.join(chain[-1], GIT_FOLDER)):
        above = os.path.dirname(chain[-1])
        if above == chain[-1]:
            return chain[:1]
        chain.append(above)
    return chain


def find_config_folder(environment: "Mapping[str, str]") -> str:
    """Return Claude Code's configuration folder: login, the user's settings, transcripts.

    Args:
        environment: of the Claude Code that is asked about.
    """
    if chosen := environment.get(CONFIG_VARIABLE):
        return os.path.expanduser(chosen)
    home = environment.get("HOME") or os.path.expanduser("~")
    return os.path.join(home, ".claude")


def hash_path(path: "str | os.PathLike[str]") -> str:
    """Return a short name that stands for a path where a file is called after it.

    Args:
        path: without links, if two ways to one file are to have one name.
    """
    import hashlib  # slow, and the hook does not need it

    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]

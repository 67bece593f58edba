"""Find the top of a git work tree, and the files and folders that Claude Code reads.

The hook imports this on nearly every tool use, while a person waits. So it imports only `os`, and
its paths are strings.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH110, PTH111, PTH118, PTH120

import os

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping

GIT_FOLDER = ".git"
"""At the top of a work tree; a file, and not a folder, in one that `git worktree` made."""

CONFIG_VARIABLE = "CLAUDE_CONFIG_DIR"
"""Names Claude Code's configuration folder."""

CLAUDE_MD = "CLAUDE.md"
CLAUDE_LOCAL_MD = "CLAUDE.local.md"
AGENTS_MD = "AGENTS.md"
"""Instructions of a project, in its top folder or in any other."""

SETTINGS = "settings.json"
"""The user's settings, in Claude Code's configuration folder."""

CLAUDE_FOLDER = ".claude"
"""A project's folder for Claude Code."""

PROJECT_SETTINGS = (".claude/settings.json", ".claude/settings.local.json")
"""A project's settings: the shared ones, and a person's own."""


def list_enclosing_folders(folder: "str | os.PathLike[str]") -> list[str]:
    """Return a folder and those above it, up to the top of its git work tree.

    Outside of a work tree that is the folder alone. A `.git` that may not be accessed is not found.

    Args:
        folder: a real path, without links: the folders above it are taken from its text.
    """
    chain = [os.fspath(folder)]
    while not os.path.exists(os.path.join(chain[-1], GIT_FOLDER)):
        above = os.path.dirname(chain[-1])
        if above == chain[-1]:
            return chain[:1]
        chain.append(above)
    return chain


def find_config_folder(environment: "Mapping[str, str]") -> str:
    """Return Claude Code's configuration folder, with its login, user settings and transcripts.

    Args:
        environment: the environment of the Claude Code process.
    """
    if chosen := environment.get(CONFIG_VARIABLE):
        return os.path.expanduser(chosen)
    home = environment.get("HOME") or os.path.expanduser("~")
    return os.path.join(home, ".claude")


def hash_path(path: "str | os.PathLike[str]") -> str:
    """Return a short hash of a path, for the name of a file that belongs to it.

    Args:
        path: a real path, without links, if all paths of one file must have the same hash.
    """
    import hashlib  # here, because it is slow to import and the hook does not need it

    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]

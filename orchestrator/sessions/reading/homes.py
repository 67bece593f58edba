"""Find the folders in which Claude Code keeps transcripts on this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrator.platform.folders import CONFIG_VARIABLE

PROJECTS: Final = "projects"
"""The folder of a home in which the transcripts are."""


def find_homes(environment: Mapping[str, str], extra: Sequence[Path] = ()) -> list[Path]:
    """Return the configuration folders of Claude Code that exist: real paths, each once.

    Of two that share their `projects`, by a link, the first one is returned.

    `~/.config/claude` is where some versions kept them. `CLAUDE_CONFIG_DIR` does not replace the
    usual folders: a person who sets it today may have worked without it yesterday.

    Args:
        environment: the user's environment; may lack `HOME`.
        extra: further folders, from the configuration or the command line.
    """
    named = [Path(environment[CONFIG_VARIABLE])] if environment.get(CONFIG_VARIABLE) else []
    user = Path(environment["HOME"]) if environment.get("HOME") else _find_user_home()
    usual = [user / ".claude", user / ".config" / "claude"] if user else []
    homes: dict[Path, Path] = {}
    for folder in (*named, *usual, *extra):
        home = _resolve_home(folder)
        if home is not None:
            homes.setdefault((home / PROJECTS).resolve(), home)
    return list(homes.values())


def _find_user_home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # the user has no entry in the password file
        return None


def _resolve_home(folder: Path) -> Path | None:
    try:
        real = folder.expanduser().resolve()
        return real if (real / PROJECTS).is_dir() else None
    except (OSError, RuntimeError, ValueError):  # a loop of links, no such user, a NUL
        return None

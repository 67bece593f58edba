"""Decide whose session it is."""

from collections.abc import Iterable, Set
from pathlib import Path

from orchestrator.agents.claude_environment import is_own_session
from orchestrator.sessions.models import SessionClass
from orchestrator.sessions.reading.files import Family


def classify_session(
    family: Family,
    identifier: str,
    folder: str,
    *,
    typed: int,
    prompts: int,
    entrypoint: str,
    own_ids: Set[str] = frozenset(),
    own_folders: Iterable[Path] = (),
) -> SessionClass:
    """Return the class of a session.

    Args:
        family: its files.
        identifier: its id.
        folder: the working directory at its start.
        typed: the number of prompts that a person typed.
        prompts: the number of all prompts.
        entrypoint: how Claude Code was started, where the transcript says so.
        own_ids: the ids of sessions that this program or its agents have started.
        own_folders: folders whose sessions, and homes in which all sessions, are its own.
    """
    if is_own_id(identifier, own_ids) or is_own_id(family.name, own_ids):
        return SessionClass.OWN
    if any(_is_below(path, own) for own in own_folders for path in (folder, str(family.home))):
        return SessionClass.OWN
    if not family.has_main:
        return SessionClass.SUBAGENT
    if typed:
        return SessionClass.HUMAN
    is_headless = prompts or entrypoint.startswith("sdk")
    return SessionClass.HEADLESS if is_headless else SessionClass.HUMAN


def is_own_id(identifier: str, own_ids: Set[str]) -> bool:
    """Return whether a session has the mark of our own, or is in their ledger."""
    return identifier in own_ids or is_own_session(Path(identifier))


def _is_below(path: str, folder: Path) -> bool:
    return bool(path) and Path(path).is_relative_to(folder)

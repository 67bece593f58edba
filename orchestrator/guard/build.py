"""Builds guards: the one of a run, and the one that guards nothing."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.guard.guard import Guard
from orchestrator.guard.mode import GuardMode
from orchestrator.rulebook.rule_files import RuleFiles


def build_guard(
    project: Path,
    mode: GuardMode,
    command: str,
    environment: Mapping[str, str] | None = None,
    rule_files: Sequence[RuleFiles] = (),
    locks: Path | None = None,
    unguarded: Sequence[str] = (),
    *,
    folder: Path,
    task: str = "",
) -> Guard:
    """Return the guard of a run.

    Args:
        project: the project's directory.
        mode: what happens to edits of guarded files.
        command: the suite's command.
        environment: what the suite's environment is made from; this process's if None.
        rule_files: the active rulebooks; the project's if there are none.
        locks: where rulebooks have their lock files; below `folder` if None.
        unguarded: globs of files that are never guarded.
        folder: stores guarded content and what was reverted; a resumed run passes the same.
        task: what was asked for.
    """
    project = project.resolve()
    return Guard(
        project,
        mode,
        folder,
        command,
        environment,
        tuple(unguarded),
        rule_files=rule_files or (RuleFiles(project),),
        locks=locks,
        task=task,
    )


def build_disabled_guard() -> Guard:
    """Return a guard that guards nothing, of no project."""
    # Nothing can be read or written below the null device, so nothing is stored by accident.
    return Guard(Path(), GuardMode.OFF, Path(os.devnull))

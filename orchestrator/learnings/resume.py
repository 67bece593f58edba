"""After an interruption: what the working buffer says was under way, held against what is there."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.learnings import storage
from orchestrator.learnings.looking import Finding, look
from orchestrator.learnings.workspace import Workspace
from orchestrator.platform import process
from orchestrator.platform.bom import is_utf16
from orchestrator.platform.files import find_git_top
from orchestrator.rulebook.locking import held
from orchestrator.session_hooks.writeahead import destructive, grammar, places

__all__ = ["Finding", "Resumed", "Step", "Verified", "pending", "resume"]

CHECK_SECONDS: Final = 60.0

_STEP: Final = re.compile(
    r"^[ \t]*(?:[-*+]|\d+[.)])?[^\n\[]{0,80}\[ \][ \t]*(.+?)[ \t\r]*$", re.MULTILINE
)


@dataclass(frozen=True)
class Step:
    """A write-ahead entry that is PENDING."""

    title: str
    operation: str
    affected: str
    rollback: str
    directory: str
    before: str
    check: str
    call: str
    place: tuple[int, int]
    """Where in the buffer its status stands, in bytes."""


@dataclass(frozen=True)
class Verified:
    """A step, and what was found of it."""

    step: Step
    finding: Finding
    evidence: str


@dataclass(frozen=True)
class Resumed:
    """What `resume` has to say."""

    verified: tuple[Verified, ...]
    open_steps: tuple[str, ...]
    """Lines of the buffer with an empty box, `[ ]`: what is still to do."""


def resume(workspace: Workspace, allow: Callable[[str], bool]) -> Resumed:
    """Hold every PENDING entry against the real state, and settle those that are clear.

    Git and the file system are looked at by our own code. An entry's check is somebody's text, and
    maybe a stranger's: it is run, without a shell, only if `allow` says so; 0 says that the
    operation was done, 1 that it was not.

    Args:
        workspace: whose buffer.
        allow: asked before a check is run, with the command.

    Raises:
        LoopError: the buffer cannot be read or written.
        UsageError: it is UTF-16.
    """
    data = storage.read(workspace.buffer, workspace.project)
    if is_utf16(data):
        raise UsageError(f"{workspace.buffer} is encoded as UTF-16", "save it as UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    verified = tuple(_verified(step, workspace, allow) for step in pending(data))
    with held(Path(places.buffer_lock_path(str(workspace.base))), workspace.buffer):
        storage.edit(workspace.buffer, lambda now: _settled(now, verified), workspace.project)
    return Resumed(verified, tuple(_STEP.findall(text)))


def pending(data: bytes) -> list[Step]:
    """The PENDING entries of a buffer."""
    return [
        Step(
            title=entry.title,
            operation=entry.field(grammar.OPERATION),
            affected=entry.field(grammar.AFFECTED, "Affected"),
            rollback=entry.field(grammar.ROLLBACK),
            directory=entry.field(grammar.DIRECTORY),
            before=entry.field(grammar.BEFORE),
            check=entry.field(grammar.CHECK),
            call=entry.field(grammar.CALL),
            place=entry.place,
        )
        for entry in grammar.parse_pending(data)
    ]


def _settled(data: bytes, verified: tuple[Verified, ...]) -> bytes:
    clear = {_key(one.step): one.finding for one in verified if one.finding is not Finding.UNKNOWN}
    # From the end, so that the places of those before stay right.
    for step in reversed(pending(data)):
        finding = clear.get(_key(step))
        if finding:
            status = grammar.COMMITTED if finding is Finding.DONE else grammar.ROLLED_BACK
            data = grammar.set_status(data, step.place, status)
    return data


def _key(step: Step) -> tuple[str, str, str]:
    return step.title, step.operation, step.call


def _verified(step: Step, workspace: Workspace, allow: Callable[[str], bool]) -> Verified:
    if step.check:
        return Verified(step, *_checked(step, workspace, allow))
    folder = Path(step.directory) if step.directory else workspace.base
    found = destructive.dangers(step.operation, str(folder))
    found = found or destructive.dangers_in_sql(step.operation, str(folder))
    if len(found) != 1 or "…" in step.operation:
        return Verified(step, Finding.UNKNOWN, "look for yourself")
    (danger,) = found
    if not danger.through and not _may_be_looked_at(Path(danger.directory), workspace):
        return Verified(step, Finding.UNKNOWN, f"{danger.directory} is no folder of this project")
    return Verified(step, *look(danger, step.before))


def _may_be_looked_at(folder: Path, workspace: Workspace) -> bool:
    """Whether the folder is one of the workspace's own project.

    A project's buffer may come from a stranger, who must not choose where git runs. The global one
    is the user's own, about every project.
    """
    top = find_git_top(workspace.base.resolve())
    return folder.is_dir() and (workspace.everywhere or folder.resolve().is_relative_to(top))


def _checked(step: Step, workspace: Workspace, allow: Callable[[str], bool]) -> tuple[Finding, str]:
    try:
        argv = shlex.split(step.check.strip("`"))
    except ValueError as error:
        return Finding.UNKNOWN, f"its check cannot be read: {error}"
    if not argv or not allow(shlex.join(argv)):
        return Finding.UNKNOWN, f"its check was not run: {step.check}"
    folder = Path(step.directory) if step.directory else workspace.base
    try:
        done = process.run(argv, cwd=folder, wall_clock=CHECK_SECONDS)
    except (OSError, ValueError) as error:  # ValueError: there is a NUL in it
        return Finding.UNKNOWN, f"its check cannot be run: {error}"
    said = f"`{shlex.join(argv)}` gave {done.returncode}"
    if done.ended_by is not process.EndedBy.ITSELF:
        return Finding.UNKNOWN, f"`{shlex.join(argv)}` took longer than {CHECK_SECONDS:.0f} s"
    return {0: Finding.DONE, 1: Finding.NOT_DONE}.get(done.returncode, Finding.UNKNOWN), said

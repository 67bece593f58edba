"""Compare the unfinished entries of the working buffer with the real state."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.learnings import storage
from orchestrator.learnings.inspection import Finding, inspect_danger
from orchestrator.learnings.workspace import Workspace
from orchestrator.platform import process
from orchestrator.platform.bom import is_utf16
from orchestrator.platform.files import find_git_top
from orchestrator.platform.watchdog import EndReason
from orchestrator.rulebook.locking import hold_lock
from orchestrator.session_hooks.writeahead import destructive, grammar, locations
from orchestrator.suites.environment import build_project_environment

__all__ = ["Finding", "ResumeResult", "Step", "VerifiedStep", "parse_steps", "verify_pending_steps"]

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
    status_span: tuple[int, int]
    """The position of its status in the buffer, in bytes."""


@dataclass(frozen=True)
class VerifiedStep:
    """A step, and whether it was completed."""

    step: Step
    finding: Finding
    evidence: str


@dataclass(frozen=True)
class ResumeResult:
    """The steps of the buffer that are not known to be finished, after they were verified."""

    verified: tuple[VerifiedStep, ...]
    open_steps: tuple[str, ...]
    """Lines of the buffer with an empty box, `[ ]`: the work that is left."""


def verify_pending_steps(workspace: Workspace, allow: Callable[[str], bool]) -> ResumeResult:
    """Verify every PENDING entry, and close those whose outcome is clear.

    Git and the file system are inspected by our own code. An entry's check is a command that
    somebody wrote, perhaps a stranger: it is run, without a shell, only if `allow` returns True.
    Exit code 0 means that the operation was done, 1 that it was not.

    Args:
        workspace: the workspace of the buffer.
        allow: called with the command of a check before it is run.

    Raises:
        LoopError: the buffer cannot be read or written.
        UsageError: the buffer is UTF-16.
    """
    data = storage.read_file(workspace.buffer, workspace.project)
    if is_utf16(data):
        raise UsageError(f"{workspace.buffer} is encoded as UTF-16", "save it as UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    verified = tuple(_verify_step(step, workspace, allow) for step in parse_steps(data))
    with hold_lock(Path(locations.buffer_lock_path(str(workspace.base))), workspace.buffer):
        storage.edit_file(
            workspace.buffer, lambda now: _resolve_steps(now, verified), workspace.project
        )
    return ResumeResult(verified, tuple(_STEP.findall(text)))


def parse_steps(data: bytes) -> list[Step]:
    """Return the PENDING entries of a buffer."""
    return [
        Step(
            title=entry.title,
            operation=entry.find_field(grammar.OPERATION),
            affected=entry.find_field(grammar.AFFECTED, "Affected"),
            rollback=entry.find_field(grammar.ROLLBACK),
            directory=entry.find_field(grammar.DIRECTORY),
            before=entry.find_field(grammar.BEFORE),
            check=entry.find_field(grammar.CHECK),
            call=entry.find_field(grammar.CALL),
            status_span=entry.status_span,
        )
        for entry in grammar.parse_pending(data)
    ]


def _resolve_steps(data: bytes, verified: tuple[VerifiedStep, ...]) -> bytes:
    clear = {
        _step_key(one.step): one.finding for one in verified if one.finding is not Finding.UNKNOWN
    }
    # From the last to the first, so that the positions of earlier ones stay valid.
    for step in reversed(parse_steps(data)):
        finding = clear.get(_step_key(step))
        if finding:
            status = grammar.COMMITTED if finding is Finding.DONE else grammar.ROLLED_BACK
            data = grammar.set_status(data, step.status_span, status)
    return data


def _step_key(step: Step) -> tuple[str, str, str]:
    return step.title, step.operation, step.call


def _verify_step(step: Step, workspace: Workspace, allow: Callable[[str], bool]) -> VerifiedStep:
    if step.check:
        return VerifiedStep(step, *_run_check(step, workspace, allow))
    folder = Path(step.directory) if step.directory else workspace.base
    found = destructive.find_dangers(step.operation, str(folder))
    found = found or destructive.find_sql_dangers(step.operation, str(folder))
    if len(found) != 1 or "…" in step.operation:
        return VerifiedStep(step, Finding.UNKNOWN, "look for yourself")
    (danger,) = found
    if not danger.through and not _can_inspect(Path(danger.directory), workspace):
        return VerifiedStep(
            step, Finding.UNKNOWN, f"{danger.directory} is not a folder of this project"
        )
    return VerifiedStep(step, *inspect_danger(danger, step.before))


def _can_inspect(folder: Path, workspace: Workspace) -> bool:
    """Return whether git may be run in a folder: one of the workspace's own project.

    A project's buffer may come from a stranger, who must not choose where git runs. The global
    buffer is the user's own, and is about every project.
    """
    top = find_git_top(workspace.base.resolve())
    return folder.is_dir() and (workspace.everywhere or folder.resolve().is_relative_to(top))


def _run_check(
    step: Step, workspace: Workspace, allow: Callable[[str], bool]
) -> tuple[Finding, str]:
    try:
        argv = shlex.split(step.check.strip("`"))
    except ValueError as error:
        return Finding.UNKNOWN, f"its check is not a valid command: {error}"
    if not argv or not allow(shlex.join(argv)):
        return Finding.UNKNOWN, f"its check was not run: {step.check}"
    folder = Path(step.directory) if step.directory else workspace.base
    try:
        env = build_project_environment(folder)
        done = process.run(argv, cwd=folder, env=env, wall_clock=CHECK_SECONDS)
    except (OSError, ValueError) as error:  # ValueError: it contains a NUL
        return Finding.UNKNOWN, f"its check cannot be run: {error}"
    evidence = f"`{shlex.join(argv)}` exited with {done.returncode}"
    if done.ended_by is not EndReason.ITSELF:
        return Finding.UNKNOWN, f"`{shlex.join(argv)}` took longer than {CHECK_SECONDS:.0f} s"
    return {0: Finding.DONE, 1: Finding.NOT_DONE}.get(done.returncode, Finding.UNKNOWN), evidence

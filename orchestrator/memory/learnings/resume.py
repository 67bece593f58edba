"""After an interruption: what the working buffer says was under way, held against what is there."""

import glob
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Final

from orchestrator import process
from orchestrator.errors import LoopError
from orchestrator.memory.learnings import storage
from orchestrator.memory.learnings.workspace import Workspace
from orchestrator.workspace.git import Git
from orchestrator.writeahead import buffer, destructive

CHECK_SECONDS: Final = 60.0

_ENTRY: Final = re.compile(r"^## WAL Entry\b[^\n]*", re.MULTILINE)
_FIELD: Final = re.compile(
    r"^(?:[-*] )?\*\*([\w ]+?)(?::\*\*|\*\*:)[ \t]*(.*?)[ \t\r]*$", re.MULTILINE
)
_STEP: Final = re.compile(
    r"^[ \t]*(?:[-*+]|\d+[.)])?[^\n\[]{0,80}\[ \][ \t]*(.+?)[ \t\r]*$", re.MULTILINE
)
_COMMIT: Final = re.compile(r"HEAD ([0-9a-f]{40,64})")
_TIP: Final = re.compile(r"(refs/remotes/\S+) ([0-9a-f]{40,64})")


class Finding(StrEnum):
    """What is really there."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


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
    """
    data = storage.read(workspace.buffer)
    text = data.decode("utf-8", "surrogateescape")
    verified = tuple(_verified(step, workspace, allow) for step in pending(data))
    with storage.workspace_locked(workspace.base):
        storage.edit(workspace.buffer, lambda now: _settled(now, verified))
    return Resumed(verified, tuple(_STEP.findall(text)))


def pending(data: bytes) -> list[Step]:
    """The PENDING entries of a buffer."""
    text = data.decode("utf-8", "surrogateescape")
    bounds = [*(match.start() for match in _ENTRY.finditer(text)), len(text)]
    steps = []
    for start, end in pairwise(bounds):
        section = text[start:end]
        fields = {match[1].lower(): match for match in reversed(list(_FIELD.finditer(section)))}
        status = fields.get("status")
        if status is None or status[2] != buffer.PENDING:
            continue

        def value(name: str, fields: dict[str, re.Match[str]] = fields) -> str:
            return fields[name][2] if name in fields else ""

        place = [
            len(text[: start + offset].encode("utf-8", "surrogateescape"))
            for offset in status.span(2)
        ]
        steps.append(
            Step(
                title=section.partition("\n")[0].strip().removeprefix("## "),
                operation=value("operation"),
                affected=value("affected resources") or value("affected"),
                rollback=value("rollback"),
                directory=value("directory"),
                before=value("before"),
                check=value("check"),
                call=value("call"),
                place=(place[0], place[1]),
            )
        )
    return steps


def _settled(data: bytes, verified: tuple[Verified, ...]) -> bytes:
    clear = {_key(one.step): one.finding for one in verified if one.finding is not Finding.UNKNOWN}
    # From the end, so that the places of those before stay right.
    for step in reversed(pending(data)):
        finding = clear.get(_key(step))
        if finding:
            status = buffer.COMMITTED if finding is Finding.DONE else buffer.ROLLED_BACK
            data = data[: step.place[0]] + status.encode() + data[step.place[1] :]
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
    look = _LOOKS.get(found[0].kind)
    if look is None:
        return Verified(step, Finding.UNKNOWN, _hint(found[0]))
    if not _may_be_looked_at(Path(found[0].directory), workspace):
        return Verified(step, Finding.UNKNOWN, f"{found[0].directory} is no folder of this project")
    try:
        return Verified(step, *look(step, found[0]))
    except LoopError as error:
        return Verified(step, Finding.UNKNOWN, error.message)


def _may_be_looked_at(folder: Path, workspace: Workspace) -> bool:
    """Whether the folder is one of the workspace's own project.

    A project's buffer may come from a stranger, who must not choose where git runs. The global one
    is the user's own, about every project.
    """
    base = workspace.base.resolve()
    top = next((up for up in (base, *base.parents) if (up / ".git").exists()), base)
    return folder.is_dir() and (workspace.everywhere or folder.resolve().is_relative_to(top))


def _git(directory: str) -> Git:
    """A git that runs nothing which the repository configures: its clean filters are turned off."""
    git = Git(Path(directory), any_owner=False)
    listed = git.run("config", "-z", "--name-only", "--get-regexp", "^filter[.]", allowed=(0, 1))
    names = sorted(set(listed.stdout.decode("utf-8", "surrogateescape").split("\0")) - {""})
    variables = {"GIT_CONFIG_COUNT": str(len(names))}
    for number, name in enumerate(names):
        variables[f"GIT_CONFIG_KEY_{number}"] = name
        variables[f"GIT_CONFIG_VALUE_{number}"] = "false" if name.endswith(".required") else ""
    return git.at(git.folder, **variables)


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
    except OSError as error:
        return Finding.UNKNOWN, f"its check cannot be run: {error}"
    said = f"`{shlex.join(argv)}` gave {done.returncode}"
    if done.ended_by is not process.EndedBy.ITSELF:
        return Finding.UNKNOWN, f"`{shlex.join(argv)}` took longer than {CHECK_SECONDS:.0f} s"
    return {0: Finding.DONE, 1: Finding.NOT_DONE}.get(done.returncode, Finding.UNKNOWN), said


def _look_at_paths(_step: Step, danger: destructive.Danger) -> tuple[Finding, str]:
    if danger.words[0].endswith("find") or any(mark in t for t in danger.targets for mark in "$`{"):
        return Finding.UNKNOWN, "which files it was about is not written"
    there = {target: _exists(target) for target in danger.targets}
    left = [target for target, exists in there.items() if exists]
    if not left:
        return Finding.DONE, f"gone: {', '.join(there)}"
    if len(left) == len(there):
        return Finding.NOT_DONE, f"still there: {', '.join(left)}"
    return Finding.UNKNOWN, f"done in part; still there: {', '.join(left)}"


def _exists(target: str) -> bool:
    found = glob.glob(target)  # noqa: PTH207 -- the whole path is a pattern, as the shell read it
    return bool(found) or Path(target).is_symlink() or Path(target).exists()


def _look_at_head(step: Step, danger: destructive.Danger) -> tuple[Finding, str]:
    git = _git(danger.directory)
    head = git.line("rev-parse", "HEAD").decode()
    before = _COMMIT.search(step.before)
    changes = git.output(
        "status", "--porcelain", "--untracked-files=no", "--ignore-submodules"
    ).strip()
    if before and before[1] != head:
        return Finding.DONE, f"HEAD is {head[:12]}, and was {before[1][:12]}"
    if danger.targets not in (["HEAD"], [head]):
        if before:
            return Finding.NOT_DONE, f"HEAD is {head[:12]} as before"
        return Finding.UNKNOWN, f"HEAD is {head[:12]}"
    if changes:
        return Finding.NOT_DONE, "tracked files have changes"
    return Finding.DONE, "no tracked file has changes"


def _look_at_remote(step: Step, danger: destructive.Danger) -> tuple[Finding, str]:
    tip = _TIP.search(step.before)
    if not tip:
        return Finding.UNKNOWN, "see what `git fetch` and `git log` say of the remote branch"
    git = _git(danger.directory)
    now = git.run("rev-parse", "--verify", "-q", tip[1], allowed=(0, 1)).stdout.decode().strip()
    if now != tip[2]:
        return Finding.DONE, f"{tip[1]} is {now[:12] or 'gone'}, and was {tip[2][:12]}"
    return Finding.NOT_DONE, f"{tip[1]} is {now[:12]} as before, as far as this clone knows"


def _look_at_untracked(_step: Step, danger: destructive.Danger) -> tuple[Finding, str]:
    options = [word for word in danger.words if re.fullmatch(r"-[a-zA-Z]+", word)]
    letters = "".join(sorted(set("".join(options)) & set("dxX")))
    paths = [target for target in danger.targets if target != "."]
    git = _git(danger.directory)
    left = git.output("clean", f"-n{letters}", "--", *paths).decode("utf-8", "replace").split("\n")
    if any(left):
        return Finding.NOT_DONE, f"untracked and still there: {sum(map(bool, left))}"
    return Finding.DONE, "nothing untracked is left"


def _hint(danger: destructive.Danger) -> str:
    hints = {
        destructive.TERRAFORM: "see what `terraform state list` says",
        destructive.KUBECTL: f"see what `kubectl get {' '.join(danger.targets)}` says",
        destructive.SQL: "look into the database",
    }
    return hints.get(danger.kind, "look for yourself")


_LOOKS: Final = {
    destructive.REMOVE: _look_at_paths,
    destructive.HARD_RESET: _look_at_head,
    destructive.FORCED_PUSH: _look_at_remote,
    destructive.CLEAN: _look_at_untracked,
}

"""Prepare the work trees of a task list: ignored files, a command, a TMPDIR and ports of their own.

<list>/lanes/<n>/        a lane; `judge` is prepared like one
<list>/lanes/<n>.tmp/    its TMPDIR
<list>/lanes/<n>.log     what `lanes.prepare` printed
<list>/lanes/<n>.done    the digest of the command that has prepared it
"""

import hashlib
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from orchestrator.config import Config
from orchestrator.errors import ConfigError, InfrastructureError
from orchestrator.failures.log_excerpt import clean_text, shorten_to_line
from orchestrator.masking import Masker
from orchestrator.platform import files, process
from orchestrator.platform.lane_notes import find_lane
from orchestrator.platform.orphans import reap_orphans
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.platform.watchdog import EndReason
from orchestrator.suites.environment import build_project_environment, record_main_worktree
from orchestrator.workspace.git import Git

LANE_VARIABLE: Final = "ORCHESTRATOR_LANE"
"""Has the name of the lane: by it a project's own configuration can distinguish lanes."""

_MOST_FILES: Final = 10_000
_MOST_BYTES: Final = 500_000_000
_LOG_BYTES: Final = 1_000_000
_SHOWN_LINES: Final = 3


def prepare_lane(
    config: Config,
    project: Path,
    lane: Path,
    log: Path,
    *,
    environment: Mapping[str, str],
    masker: Masker,
) -> tuple[str, ...]:
    """Copy the files of `lanes.include` to a lane, and run `lanes.prepare` once in it.

    The files are copied each time, because the user or the agent may have changed them. The command
    runs again if it did not end well, or if it has been changed.

    Args:
        config: the configuration.
        project: the user's folder of the project; it need not exist on this machine.
        lane: the lane's folder of the project.
        log: the file for what the command prints; a file beside it remembers that it has run.
        environment: the lane's own, see `build_lane_environment`.
        masker: removes secrets from what the command printed.

    Returns:
        The paths of the copied files, from the project's folder: they never belong to the work.

    Raises:
        ConfigError: the command cannot be read.
        InfrastructureError: it failed, or a file cannot be copied.
    """
    record_main_worktree(lane, project)
    included = include_files(config.lanes.include, project, lane)
    if command := config.lanes.prepare.strip():
        _run_once(config, command, lane, log, environment, masker)
    return included


def build_lane_environment(
    environment: Mapping[str, str], lane: Path, ports: Mapping[str, int]
) -> dict[str, str]:
    """Return the environment of a lane: its own TMPDIR, which is created, its ports and its name.

    Args:
        environment: the user's.
        lane: the top of the lane's work tree.
        ports: a free port for each variable, see `lane_ports`.

    Raises:
        InfrastructureError: the folder cannot be created.
    """
    temporary = locate_temporary_folder(lane)
    try:
        make_private_folder(temporary)
    except OSError as error:
        raise InfrastructureError(f"{temporary} cannot be created: {error.strerror}") from error
    own = dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(temporary))
    return {
        **environment,
        **own,
        LANE_VARIABLE: lane.name,
        **{name: str(port) for name, port in ports.items()},
    }


def locate_temporary_folder(lane: Path) -> Path:
    """Return the TMPDIR of a lane."""
    return lane.with_name(f"{lane.name}.tmp")


def include_files(globs: tuple[str, ...], project: Path, lane: Path) -> tuple[str, ...]:
    """Copy files that git ignores from the user's folder to a lane, and return their paths.

    A link that leads out of the project is left out; another one is copied as the file that it
    leads to. A path that git does not ignore in the lane is left out, because it would be committed
    with the work.

    Raises:
        ConfigError: a glob leads out of the project.
        InfrastructureError: a file cannot be copied, they are too many, or git failed.
    """
    for glob in globs:
        if glob.startswith("/") or ".." in glob.split("/"):
            raise ConfigError(
                f"lanes.include: {shorten_to_line(glob, 100)} leads out of the project",
                "write a path or a glob from the project's folder: .env",
            )
    if not globs or not project.is_dir():
        return ()
    found = list(_iter_ignored(globs, project, lane))
    size = sum((project / path).stat().st_size for path in found if files.is_file(project / path))
    if len(found) > _MOST_FILES or size > _MOST_BYTES:
        raise InfrastructureError(
            f"lanes.include matches {len(found):,} files with {size >> 20:,} MiB",
            "name fewer, and have lanes.prepare create the others",
        )
    for path in found:
        try:
            _copy_file(project / path, lane / path)
        except OSError as error:
            raise InfrastructureError(
                f"{project / path} cannot be copied to {lane}: {error.strerror}",
                "correct lanes.include",
            ) from error
    return tuple(found)


def _iter_ignored(globs: tuple[str, ...], project: Path, lane: Path) -> Iterator[str]:
    """Yield the paths that some globs match and git ignores, in the user's folder and the lane."""
    pathspecs = [f":(glob){glob}" for glob in globs]
    options = ("-z", "--others", "--ignored", "--exclude-standard", "--", *pathspecs)
    listed = Git(project).read_output("ls-files", *options).split(b"\0")[:-1]
    # An agent may have put links in the way: they are not followed.
    direct = [name for name in listed if not _is_behind_link(lane, os.fsdecode(name))]
    if not direct:
        return
    stdin = b"\0".join([*direct, b""])
    # 1: git ignores none of them in the lane.
    checked = _open_git(lane).run("check-ignore", "-z", "--stdin", stdin=stdin, allowed=(0, 1))
    root = project.resolve()
    for name in filter(None, checked.stdout.split(b"\0")):
        path = os.fsdecode(name)
        source = project / path
        if files.is_file(source) and source.resolve().is_relative_to(root):
            yield path


def _open_git(lane: Path) -> Git:
    """Open git in a lane with the rules of the list: an agent may have changed the lane's."""
    note = find_lane(lane.resolve())
    if note is None:
        raise InfrastructureError(f"{lane} is no lane", "move it away, then run again")
    location = {"GIT_DIR": str(note.repository), "GIT_WORK_TREE": str(note.top)}
    return Git(lane, location, ("core.bare=false",))


def _is_behind_link(lane: Path, path: str) -> bool:
    """Return whether a folder of a path is a link in the lane, or no folder."""
    above = [lane / folder for folder in Path(path).parents][:-1]
    return any(each.is_symlink() or files.exists(each) != each.is_dir() for each in above)


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file with its mode, in the place of another file or a link."""
    if files.is_folder(target) and not files.is_link(target):
        return  # what an agent has put there is never removed for a copy
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(source, target)


def _run_once(
    config: Config,
    command: str,
    lane: Path,
    log: Path,
    environment: Mapping[str, str],
    masker: Masker,
) -> None:
    done = log.with_suffix(".done")
    digest = hashlib.sha256(command.encode()).hexdigest()
    if files.read_text(done).strip() == digest:
        return
    argv = _split_command(command)
    shown = shorten_to_line(masker.mask(command), 200)
    env = build_project_environment(lane, environment)
    program = shutil.which(argv[0], path=env["PATH"]) or argv[0]
    try:
        with reap_orphans():
            ended = process.run(
                [program, *argv[1:]],
                cwd=lane,
                env=env,
                wall_clock=config.lanes.prepare_timeout,
                keep_bytes=_LOG_BYTES,
            )
    except OSError as error:
        raise InfrastructureError(
            f"lanes.prepare cannot be started: {shown}: {error.strerror}",
            "correct lanes.prepare, or install the program that it names",
        ) from error
    printed = clean_text(masker.mask(ended.text))
    files.write_file(log, printed.encode("utf-8", "replace"), 0o600)
    if ended.ended_by is EndReason.ITSELF and ended.returncode == 0:
        files.write_file(done, f"{digest}\n".encode(), 0o600)
        return
    raise _build_failure(config, shown, ended, printed, log)


def _split_command(command: str) -> list[str]:
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"lanes.prepare cannot be read: {error}", "correct the quotes") from error
    if not argv:
        raise ConfigError("lanes.prepare names no program", "correct it, or leave it empty")
    return argv


def _build_failure(
    config: Config, shown: str, ended: process.ProcessResult, printed: str, log: Path
) -> InfrastructureError:
    is_late = ended.ended_by is EndReason.WALL_CLOCK
    outcome = (
        f"took longer than {config.lanes.prepare_timeout:g} s"
        if is_late
        else f"failed with exit code {ended.returncode}"
    )
    last = [line.strip() for line in printed.splitlines() if line.strip()][-_SHOWN_LINES:]
    said = f": {shorten_to_line(' / '.join(last), 500)}" if last else ""
    hint = f"its output is in {log}"
    if is_late:
        hint = f"raise lanes.prepare_timeout; {hint}"
    return InfrastructureError(f"lanes.prepare {outcome}: {shown}{said}", hint)

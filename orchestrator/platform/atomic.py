"""Replaces a file in one instant: a temporary file beside it, moved into its place.

Whoever reads meanwhile sees the old file, and a process that is killed leaves the old or the new
one. The hook imports this, beside a Claude Code user who waits, so it imports only what is quick.
`orchestrator.platform.files` and `orchestrator.rulebook.files` are the same for the rest of us.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH105, PTH108, PTH116, PTH118, PTH120

import os
import stat

PathText = str | os.PathLike[str]


def write_file(
    path: PathText, data: bytes, temporary: PathText, mode: int | None = None, *, durable: bool
) -> None:
    """Write a file whole or not at all. Nothing else is left behind by a failure.

    Args:
        path: the file; what is there is replaced, and a link is not followed.
        data: its content.
        temporary: a path in the same folder where nothing is.
        mode: its permissions; what the umask leaves if None.
        durable: whether it has to outlive a power cut that follows at once.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = _open_new(temporary, mode)
    try:
        _write_descriptor(descriptor, data, mode, None, durable)
        os.replace(temporary, path)
    except BaseException:
        _unlink_if_exists(temporary)
        raise
    if durable:
        sync_folder(os.path.dirname(path))


def replace_unless_changed(path: PathText, data: bytes, before: os.stat_result | None) -> bool:
    """Replace a file that people write too, mode and owner kept; on the disk when this returns.

    Args:
        path: the file.
        data: its new content.
        before: what was there when the caller read it; None for nothing.

    Returns:
        Whether it was replaced: not if somebody without the caller's lock has written it since.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    mode = stat.S_IMODE(before.st_mode) if before else None
    descriptor = _open_new(temporary, mode)
    try:
        _write_descriptor(descriptor, data, mode, before, durable=True)
        if is_changed(path, before):
            return False
        os.replace(temporary, path)
    finally:
        _unlink_if_exists(temporary)
    sync_folder(folder)
    return True


def find_writer(temporary: str, name: str) -> int | None:
    """Return the process that made a temporary file to replace one; None for any other file.

    Args:
        temporary: the name that was found in the folder.
        name: of the file that may have been about to be replaced.
    """
    import re  # the hook looks for none

    found = re.fullmatch(rf"\.{re.escape(name)}\.(\d+)-[0-9a-f]{{8}}\.tmp", temporary)
    return int(found[1]) if found else None


def is_changed(path: PathText, before: os.stat_result | None) -> bool:
    """Return whether a file is another than it was, as far as number, size and time tell."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return before is not None
    return before is None or _file_signature(now) != _file_signature(before)


def move_path(source: PathText, target: PathText) -> None:
    """Move what is at a path to another one of the same file system; a file there is replaced.

    Raises:
        OSError: it cannot be moved.
    """
    os.replace(source, target)


def create_hard_link(source: PathText, target: PathText) -> None:
    """Give a file a second name, where nothing is yet: both are the same file.

    Raises:
        OSError: the file system has no links, or something is there.
    """
    os.link(source, target)


def sync_file(path: PathText) -> None:
    """Make what another program wrote into a file outlive a power cut.

    Raises:
        OSError: it cannot be read, or the disk fails.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: PathText) -> None:
    """Make what was renamed in a folder outlive a power cut, where the file system can."""
    try:
        descriptor = os.open(folder or os.curdir, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _open_new(path: PathText, mode: int | None) -> int:
    # What was private stays private, also in the temporary file; a new one obeys the umask.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.open(path, flags, 0o666 if mode is None else mode & 0o700)


def _write_descriptor(
    descriptor: int, data: bytes, mode: int | None, owner: os.stat_result | None, durable: bool
) -> None:
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if owner and (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            _change_owner(descriptor, owner)
        if mode is not None:
            os.fchmod(descriptor, mode)
        if durable:
            os.fsync(descriptor)


def _change_owner(descriptor: int, owner: os.stat_result) -> None:
    try:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    except PermissionError:
        return  # only root may give a file away; anybody else becomes its owner by writing it


def _file_signature(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unlink_if_exists(path: PathText) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return

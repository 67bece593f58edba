"""Replace a file atomically: write a temporary file beside it, and rename it.

A reader sees the old file or the new one, and a process that is killed leaves one of them. The hook
imports this while a Claude Code user waits, so it imports only what is quick. All other code uses
`orchestrator.platform.files`, or `orchestrator.rulebook.files` for rule files.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH105, PTH108, PTH116, PTH118, PTH120

import os
import stat

PathText = str | os.PathLike[str]


def write_file(
    path: PathText, data: bytes, temporary: PathText, mode: int | None = None, *, durable: bool
) -> None:
    """Write a whole file or nothing; a failure leaves no temporary file behind.

    Args:
        path: the file; an existing one is replaced, and a link is replaced and not followed.
        data: its content.
        temporary: a path in the same folder that does not exist.
        mode: its permissions; those that the umask allows if None.
        durable: whether the file must survive a power failure right after the return.

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
    """Replace a file that people edit too, and keep its mode and owner; synced to the disk.

    Args:
        path: the file.
        data: its new content.
        before: its status when the caller read it; None if it did not exist.

    Returns:
        Whether it was replaced: not if it was written since, by somebody without the caller's lock.

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
    """Return the id of the process that created a temporary file; None for any other file.

    Args:
        temporary: a name that was found in the folder.
        name: the name of the file that was to be replaced.
    """
    import re  # here, because the hook never calls this

    found = re.fullmatch(rf"\.{re.escape(name)}\.(\d+)-[0-9a-f]{{8}}\.tmp", temporary)
    return int(found[1]) if found else None


def find_any_writer(temporary: str) -> int | None:
    """Return the id of the process that created a temporary file, whatever it was to replace."""
    import re  # here, because the hook never calls this

    found = re.fullmatch(r"\..+\.(\d+)-[0-9a-f]{8}\.tmp", temporary, re.DOTALL)
    return int(found[1]) if found else None


def is_changed(path: PathText, before: os.stat_result | None) -> bool:
    """Return whether a file has changed, judged by its inode, size and modification time."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return before is not None
    return before is None or _file_signature(now) != _file_signature(before)


def move_path(source: PathText, target: PathText) -> None:
    """Move a file or folder within a file system; an existing file is replaced.

    Raises:
        OSError: it cannot be moved.
    """
    os.replace(source, target)


def create_hard_link(source: PathText, target: PathText) -> None:
    """Give a file a second name that does not exist yet.

    Raises:
        OSError: the file system has no hard links, or the name exists.
    """
    os.link(source, target)


def sync_file(path: PathText) -> None:
    """Sync a file that another program wrote to the disk, so that it survives a power failure.

    Raises:
        OSError: it cannot be read, or the disk fails.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: PathText) -> None:
    """Sync the names in a folder to the disk, where the file system supports it.

    fsync(2) of a file does not sync the entry of the folder that names it, such as after a rename.
    """
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
    # A private file stays private while it is a temporary file; a new one obeys the umask.
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
        return  # only root may give a file to another user


def _file_signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _unlink_if_exists(path: PathText) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return

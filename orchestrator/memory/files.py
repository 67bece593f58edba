"""Reading and replacing the file that carries the rules, without a byte lost on the way."""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, LoopError, RulebookError
from orchestrator.files import sync_folder

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_EFFECTIVE: Final = os.access in os.supports_effective_ids
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class Content:
    """What a file held when it was read; `stat` is None while there is no such file."""

    data: bytes
    stat: os.stat_result | None


def locate(named: Path, project: Path | None = None) -> Path:
    """The file to write: `named` itself, or what it links to inside the project.

    Args:
        named: the file.
        project: where it has to lie, also when one of its folders is a link; its folder if None.

    Raises:
        RulebookError: the link leads out of the project and its git checkout, into `.git`, or
            nowhere.
    """
    with explained(named, "read"):
        link = named if named.is_symlink() else named.parent
        root = (project or named.parent).resolve()
        real = Path(os.path.realpath(named))
        if link is not named and real.parent == root:
            return real
        top = checkout_top(root)
        if not real.is_relative_to(top) or ".git" in real.relative_to(top).parts:
            raise RulebookError(
                f"{link} is a link out of the project, to {os.path.realpath(link)}",
                "put a file in its place, or link to a file in the project",
            )
        if link is named and not real.exists():
            raise RulebookError(
                f"{named} is a link to {real}, which does not exist", "remove or mend the link"
            )
        return real


def checkout_top(folder: Path) -> Path:
    """The top of the git checkout that a real folder is in; the folder itself if it is in none.

    Raises:
        OSError: a folder above may not be looked into.
    """
    return next((up for up in (folder, *folder.parents) if (up / ".git").exists()), folder)


def read(path: Path) -> Content:
    """The file's bytes; none, if it does not exist.

    Raises:
        RulebookError: it is no file, or may not be read.
        InfrastructureError: the disk fails.
    """
    with explained(path, "read"):
        try:
            found = path.stat()
        except FileNotFoundError:
            return Content(b"", None)
        if not stat.S_ISREG(found.st_mode):
            raise RulebookError(f"{path} is not a file", "move it away")
        with path.open("rb") as file:
            return Content(file.read(), os.fstat(file.fileno()))


def replace(path: Path, data: bytes, before: Content) -> bool:
    """Put `data` in the place of the file in one instant, mode and owner kept.

    Gives False, and leaves everything as it is, when the file is no longer what `before` says.
    The caller holds the lock for the path.

    Raises:
        RulebookError: the file or its folder may not be written.
        InfrastructureError: the disk is full, or fails.
    """
    with explained(path, "written"):
        _sweep(path)
        if before.stat and not os.access(path, os.W_OK, effective_ids=_EFFECTIVE):
            raise PermissionError(errno.EACCES, "it is write-protected")
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            _write(temporary, data, before.stat)
            if _changed(path, before):
                return False
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True


def remove(path: Path, before: Content) -> bool:
    """Remove the file, unless it is no longer what `before` says; then this gives False.

    The caller holds the lock for the path.

    Raises:
        RulebookError: it may not be removed.
        InfrastructureError: the disk fails.
    """
    with explained(path, "removed"):
        if _changed(path, before):
            return False
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True


@contextlib.contextmanager
def explained(path: Path, done: str) -> Iterator[None]:
    """Turn an `OSError` into an error that says what is wrong with `path`, and the mend."""
    try:
        yield
    except OSError as error:
        raise _explanation(error, path, done) from error


def _explanation(error: OSError, path: Path, done: str) -> LoopError:
    why = error.strerror or str(error)
    if error.errno in _FULL:
        return InfrastructureError(
            f"no space left for {path}: {why}; the file is as it was", "make room, then try again"
        )
    if error.errno in _FORBIDDEN:
        return RulebookError(f"{path} cannot be {done}: {why}", "change its permissions")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return RulebookError(f"{path} cannot be {done}: {why}", "check the project directory")
    return InfrastructureError(f"{path} cannot be {done}: {why}", "check the disk")


def _write(path: Path, data: bytes, like: os.stat_result | None) -> None:
    # What was private stays private, also in the temporary file; a new file obeys the umask.
    mode = 0o600 if like else 0o666
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if like:
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                # Only root may give a file away; anybody else becomes its owner by writing it.
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        os.fsync(file.fileno())


def _changed(path: Path, before: Content) -> bool:
    """Whether somebody without our lock, an editor, wrote the file since it was read."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return before.stat is not None
    then = before.stat
    return then is None or (now.st_ino, now.st_size, now.st_mtime_ns) != (
        then.st_ino,
        then.st_size,
        then.st_mtime_ns,
    )


def _sweep(path: Path) -> None:
    """Remove temporary files of writers that were killed."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\d+)-[0-9a-f]{{8}}\.tmp")
    for entry in os.scandir(path.parent):
        made = pattern.fullmatch(entry.name)
        if made and not _writing(int(made[1])):
            Path(entry.path).unlink(missing_ok=True)


def _writing(pid: int) -> bool:
    """Whether another process with this id lives. We hold the lock, so we are not writing."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it lives, and belongs to somebody else
    return True

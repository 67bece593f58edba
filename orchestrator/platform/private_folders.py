"""Create folders for their owner alone, and take away what others may do with folders and files.

The hook uses this while a Claude Code user waits, so it imports only what is quick.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH100, PTH101, PTH102, PTH111, PTH112, PTH120

import os
import stat

PathText = str | os.PathLike[str]

_PUBLIC_BITS = stat.S_ISVTX | stat.S_ISGID
"""Of a folder that is meant for several users: `/tmp`, or that of a group."""


def make_private_folder(path: PathText) -> None:
    """Create a folder for its owner alone, with all that are missing above it.

    `os.makedirs` and `Path.mkdir` give the mode to the last folder only, and those above get what
    the umask allows.

    Raises:
        OSError: it cannot be created.
    """
    path = os.path.abspath(path)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    except FileNotFoundError:
        make_private_folder(os.path.dirname(path))
        make_private_folder(path)


def restrict_to_owner(path: PathText) -> None:
    """Take away from others what they may do with a file or a folder; do nothing if it is missing.

    A link, what belongs to another user, `/`, the home directory, and a folder that is meant for
    several users stay as they are.
    """
    try:
        status = os.lstat(path)
        if not status.st_mode & 0o077 or status.st_uid != os.geteuid():
            return
        if stat.S_ISREG(status.st_mode) or _is_private_folder(path, status):
            os.chmod(path, stat.S_IMODE(status.st_mode) & 0o700)
    except OSError:
        return  # missing, or on a file system without modes


def _is_private_folder(path: PathText, status: os.stat_result) -> bool:
    others = ("/", os.path.realpath(os.path.expanduser("~")))
    is_shared = status.st_mode & _PUBLIC_BITS or os.path.realpath(path) in others
    return stat.S_ISDIR(status.st_mode) and not is_shared

"""Keep the log of nightly reviews private and short, where the scheduler has no journal.

launchd and cron append to it: so it is shortened in place, and not replaced.
"""

import os
from pathlib import Path
from typing import Final

from orchestrator.platform.private_folders import make_private_folder, restrict_to_owner

MOST_BYTES: Final = 1_000_000
RETAINED_BYTES: Final = 250_000


def find_log(state: Path) -> Path:
    """Return the path of the log."""
    return state / "review.log"


def prepare_log(path: Path) -> None:
    """Create the log for its owner alone, and shorten it.

    Raises:
        OSError: it cannot be written.
    """
    make_private_folder(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    shorten_log(path)


def shorten_log(path: Path) -> None:
    """Remove the older part of a log that has become long; do nothing if there is no log.

    The review calls this at its start, because whoever appends to the file does not.

    Raises:
        OSError: it cannot be written.
    """
    restrict_to_owner(path)
    if not path.is_file() or path.stat().st_size <= MOST_BYTES:
        return
    with path.open("r+b") as file:
        file.seek(-RETAINED_BYTES, os.SEEK_END)
        _, _, retained = file.read().partition(b"\n")
        file.seek(0)
        file.truncate()
        file.write(retained)

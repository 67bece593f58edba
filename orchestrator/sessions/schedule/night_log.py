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
    """Create the log for its owner alone, and remove its older part if it has become long.

    The review calls this at its start, because whoever appends to the file does not.

    Raises:
        OSError: it cannot be written.
    """
    make_private_folder(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    restrict_to_owner(path)
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size <= MOST_BYTES:
            return
        file.seek(size - RETAINED_BYTES)
        _, _, retained = file.read().partition(b"\n")
        file.seek(0)
        file.truncate()
        file.write(retained)

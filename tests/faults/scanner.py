"""Scan a home, until it is killed; a new version of the reader each time, so all is read."""

import sys
from itertools import count
from pathlib import Path

from orchestrator.masking import Masker
from orchestrator.sessions.store import family_scan, scanning, watermarks
from orchestrator.storage.opening import open_database

if __name__ == "__main__":
    home, state = map(Path, sys.argv[1:])
    with open_database(state, durable=False) as database:
        print("ready", flush=True)
        for number in count():
            for module in (watermarks, family_scan):
                setattr(module, "READER_VERSION", f"{number}")  # noqa: B010 -- it is a constant
            scanning.scan_transcripts(database, [home], Masker)

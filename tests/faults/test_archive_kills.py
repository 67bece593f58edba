"""`kill -9` while transcripts are archived: each copy is whole, and the next start completes it."""

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.sessions.reading.files import find_transcripts
from orchestrator.sessions.store.archive import archive_transcripts

pytestmark = [pytest.mark.kills, pytest.mark.kills_sample, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
KILLS = 25
FILES = 30
LONGEST_SECONDS = 0.3


def test_no_copy_is_ever_half_written(tmp_path: Path) -> None:
    home, folder = tmp_path / "claude", tmp_path / "state" / "transcripts"
    (home / "projects" / "-p").mkdir(parents=True)
    contents = {}
    chance = random.Random(16)  # noqa: S311 -- repeatable, not secret
    for number in range(FILES):
        name = f"s{number}.jsonl"
        contents[f"{name}.gz"] = chance.randbytes(20_000) * 3
        (home / "projects" / "-p" / name).write_bytes(contents[f"{name}.gz"])
    incomplete = 0
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.archiver", home, folder],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = {path.name: gzip.decompress(path.read_bytes()) for path in folder.rglob("*.gz")}
        assert all(contents[name] == data for name, data in found.items())
        incomplete += len(found) < FILES
    assert incomplete > KILLS // 4  # kills that always came between two passes would show nothing
    archive_transcripts(find_transcripts(home), folder)
    found = {path.name: gzip.decompress(path.read_bytes()) for path in folder.rglob("*.gz")}
    assert found == contents
    assert not list(folder.rglob(".new-*"))

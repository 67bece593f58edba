"""Kills a process that pins a tree, at moments spread over its work."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.workspace import open_workspace
from orchestrator.workspace.pinning import check_out_pin
from tests.workspace.repositories import files_of, repository

KILLS = 20


@pytest.mark.kills
@pytest.mark.kills_sample
def test_killed_at_any_moment_it_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", a_py="a = 1\n")
    (project / "big.bin").write_bytes(os.urandom(8 << 20))
    before = files_of(project)
    tree = open_workspace(project, tmp_path / "state").take_snapshot().tree
    folder, ready = tmp_path / "pinned" / "rule" / "run.1", tmp_path / "ready"
    script = tmp_path / "pin.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from orchestrator.workspace import open_workspace\n"
        "from tests.workspace.test_pinning import pinned\n"
        f"workspace = open_workspace(Path({str(project)!r}), Path({str(tmp_path / 'state')!r}))\n"
        f"Path({str(ready)!r}).touch()\n"
        f"workspace.pin_snapshot(pinned({tree!r}), Path({str(folder)!r}))\n",
        encoding="utf-8",
    )
    started = kill_after(script, ready, None)
    assert folder.exists()
    outcomes = set()
    for number in range(KILLS):
        shutil.rmtree(folder, ignore_errors=True)
        kill_after(script, ready, started * (number + 1) / KILLS)
        outcomes.add(folder.exists())
        if folder.exists():
            shutil.rmtree(tmp_path / "again", ignore_errors=True)
            check_out_pin(folder, tmp_path / "again")
            assert files_of(tmp_path / "again") == before
    shutil.rmtree(folder, ignore_errors=True)
    kill_after(script, ready, None)  # also over what the killed ones left
    assert [each.name for each in folder.parent.iterdir()] == ["run.1"]
    assert False in outcomes


def kill_after(script: Path, ready: Path, seconds: float | None) -> float:
    """Run a script, and kill it so long after it is ready; give how long it then took."""
    ready.unlink(missing_ok=True)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(root)}
    ) as child:
        while not ready.exists() and child.poll() is None:
            time.sleep(0.001)
        began = time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            child.send_signal(signal.SIGKILL)
        child.wait()
    return time.monotonic() - began

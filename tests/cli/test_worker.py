"""`orchestrator worker` and `workers` as people and supervisors call them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Call

ROOT = Path(__file__).parents[2]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "worker", "--lanes", "3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state")},
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


@pytest.mark.whole
def test_a_worker_is_listed_until_a_signal_ends_it(
    worker: "subprocess.Popen[str]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    assert worker.stdout
    assert "takes jobs: 3 at a time" in worker.stdout.readline()
    done = call("workers", "--json")
    found = json.loads(done.out)
    assert (found["pid"], found["alive"], found["state"], found["lanes"]) == (
        *(worker.pid, True, "serving"),
        3,
    )
    assert "0/3" in call("workers").out
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    assert "no worker is registered" in call("workers").out


@pytest.mark.whole
def test_a_worker_that_was_killed_is_listed_as_dead(
    worker: "subprocess.Popen[str]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    assert worker.stdout
    assert "takes jobs" in worker.stdout.readline()
    worker.kill()
    worker.wait()
    deadline = time.monotonic() + 30
    while json.loads(call("workers", "--json").out)["alive"]:
        assert time.monotonic() < deadline
    assert "dead" in call("workers").out


def test_once_ends_if_nothing_waits(call: Call) -> None:
    done = call("worker", "--once")
    assert (done.code, "has ended" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--database-url", "mysql://me:secret@h/d"), "is not the URL of a Postgres database"),
        (("--database-url", "postgresql://nobody@127.0.0.1:1/none"), "cannot be used"),
        (("--lanes", "8"), "Invalid value for '--lanes'"),
        (("--grace", "-1"), "Invalid value for '--grace'"),
    ],
)
def test_what_is_wrong_is_one_line(
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", "")  # restored afterwards
    done = call("worker", *arguments)
    assert done.code in (2, 3)
    assert expected in " ".join(done.err.split())
    assert "secret" not in done.err
    assert "Traceback" not in done.err

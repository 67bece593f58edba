"""A flag that a handler of signals sets, at whatever moment of a wait the signal arrives."""

import subprocess
import sys
import time

from orchestrator.platform.stop_flag import StopFlag

SIGNALLED = """
import os, signal, threading, time
from orchestrator.platform.stop_flag import StopFlag

flag = StopFlag()
signal.signal(signal.SIGUSR1, lambda _number, _frame: flag.set())

def shoot():
    for _ in range(3000):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0)

shooter = threading.Thread(target=shoot)
shooter.start()
while shooter.is_alive():
    flag._is_set = False
    flag.wait(0.0005)
print("done")
"""


def test_signals_at_any_moment_do_not_hang() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "done\n"


def test_it_waits_for_the_stop_or_for_some_seconds() -> None:
    flag = StopFlag()
    before = time.monotonic()
    assert not flag.wait(0.1)
    assert time.monotonic() - before >= 0.1
    flag.set()
    assert flag.is_set()
    assert flag.wait(3600)

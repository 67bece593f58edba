"""Run the tests as another person, in another place and another year: none may pass by chance.

    python -m tests.machines.conditions [--quick] [pytest's own arguments]

What is committed is cloned into a folder with an awkward name, set up there by `make`, and tested
by an ordinary user with an empty home and variables that other people may well have set: once far
east with two workers, and what reads the clock far west, in another year, with one.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.ordinary_user import NOBODY

_ROOT: Final = Path(__file__).parents[2]
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")

_HOSTILE: Final = {
    **{"LANG": "C", "PYTHONWARNINGS": "error"},
    **dict.fromkeys((*_PROXIES, *map(str.upper, _PROXIES)), "http://127.0.0.1:9"),
    # What steers a terminal, git and this program, on somebody's machine or in a git hook.
    **{"TERM": "dumb", "COLUMNS": "20", "NO_COLOR": "1", "GIT_DIR": "/nowhere"},
    **{"ORCHESTRATOR_TEACHER_MODE": "webhook", "ANTHROPIC_MODEL": "nosuch"},
}

_FAR_EAST: Final = "Pacific/Kiritimati"
_FAR_WEST: Final = "Etc/GMT+12"

_MOMENT: Final = "2031-02-28 23:59:50"
_DATED: Final = (
    *("agents/test_resets.py", "budget", "failures", "journal", "learnings", "loop"),
    *("models", "rulebook", "storage"),
)
"""What reads the clock, and takes libfaketime: Claude Code does not start under it, it crashes now
and then where a server's thread runs beside a test that sets a variable, and no `sleep` works in a
process of another Python than the checkout's, which does not load `_SLEEP`: in hooks."""
_NOT_DATED: Final = "not claude_code and not between_hooks"
_SLEEP: Final = (
    "import select, time; "
    "time.sleep = lambda seconds, select=select.select: select([], [], [], seconds) and None\n"
)
"""A line of a `.pth` file: libfaketime 0.9 gives clock_nanosleep moments that are no moments. No
PYTHONPATH would do, because the program starts itself again without one. What the line imports is
local to it."""

_SAMPLE: Final = (
    *("tests/suites", "tests/platform/test_process.py"),
    *(
        f"tests/cli/test_{name}.py"
        for name in ("bad_input", "init", "ordinary_user", "output", "run", "start", "usage")
    ),
)
_DATED_SAMPLE: Final = ("learnings",)


class IsolatedCheckout:
    """A folder, the user who works there, and the runs of the tests."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._project = folder, folder / "project"
        self._own = {"HOME": f"{folder}/home", "TMPDIR": f"{folder}/temporary"}
        self._failed = False

    def call(self, argv: Sequence[str], environment: Mapping[str, str], cwd: Path) -> int:
        """Run a program as the user; return its exit code."""
        root = os.geteuid() == 0  # to whom nothing is refused
        with subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            umask=0o077,
            user=NOBODY if root else None,
            group=NOBODY if root else None,
            extra_groups=[] if root else None,
            start_new_session=True,
        ) as child:
            try:
                return child.wait()
            except BaseException:
                os.killpg(child.pid, signal.SIGKILL)  # or it goes on in a folder that goes away
                raise

    def set_up(self) -> bool:
        """Clone the checkout, and install what its tests need; return whether that went well."""
        clone = ["git", "clone", "-q", "--no-hardlinks", str(_ROOT), str(self._project)]
        subprocess.run(clone, check=True, umask=0o077)
        for name in ("home", "temporary"):
            (self._folder / name).mkdir()
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(self._folder)], check=True)
        found = [python for python in _pythons() if self._can_use(python)]
        if not found:
            _say(f"!!! NO PYTHON that this user can use: tried {', '.join(_pythons())}")
            return False
        _say(f"    python     {found[0]}")
        inherited = {name: text for name, text in os.environ.items() if "MAKE" not in name}
        if os.geteuid() == 0:
            inherited |= self._own  # otherwise pip's settings in the home are those to use
        make = ["make", f"PYTHON={found[0]}", "VENV=.venv", ".venv/development"]
        return self.call(make, inherited, self._project) == 0

    def try_demo(self) -> None:
        """Run the demo."""
        self._try("the demo", [".venv/bin/orchestrator", "demo"], {"TZ": _FAR_EAST})

    def test(self, arguments: Sequence[str]) -> None:
        """Run pytest far east."""
        argv = [".venv/bin/python", "-m", "pytest", "-q", *arguments]
        if not self._passes("the tests", argv, {"TZ": _FAR_EAST}):
            # These start real programs on a busy machine: what fails again, alone, has failed.
            again = [*argv, "--last-failed", "-n", "0"]
            self._try("what failed, again", again, {"TZ": _FAR_EAST})

    def test_in_another_year(self, arguments: Sequence[str]) -> None:
        """Run pytest far west under a faked clock."""
        clock = {
            "TZ": _FAR_WEST,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # waits stay as long as they are
            # It reads its variables anew now and then, and crashes when a test sets one meanwhile.
            "FAKETIME_CACHE_DURATION": "86400",
        }
        for packages in self._project.glob(".venv/lib/python3*/site-packages"):
            (packages / "sleep.pth").write_text(_SLEEP, encoding="utf-8")
        argv = ["faketime", _MOMENT, ".venv/bin/python", "-m", "pytest", "-q", *arguments]
        self._try(f"the tests at {_MOMENT}", argv, clock)

    def _try(self, name: str, argv: Sequence[str], variables: Mapping[str, str]) -> None:
        self._failed |= not self._passes(name, argv, variables)

    def _passes(self, name: str, argv: Sequence[str], variables: Mapping[str, str]) -> bool:
        """Run a program under hostile conditions; print how it went, and return whether it did."""
        environment = {"PATH": os.environ["PATH"], **_HOSTILE, **self._own, **variables}
        started = time.monotonic()
        code = self.call(argv, environment, self._project)
        word = "FAILED" if code else "passed"
        _say(f"=== {word}: {name}, {time.monotonic() - started:.0f} s")
        return code == 0

    @property
    def failed(self) -> bool:
        """Tell whether any run failed."""
        return self._failed

    def _can_use(self, python: str) -> bool:
        try:
            asked = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
            return self.call([python, "-c", asked], self._own, self._folder) == 0
        except OSError:
            return False


def _say(text: str) -> None:
    print(text, flush=True)


def _pythons() -> list[str]:
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [str(Path(sys.base_prefix) / "bin" / own), "/usr/bin/python3"]


def main() -> int:
    """Run the tests under all conditions; return 1 when something failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a sample of the tests")
    asked, more = parser.parse_known_args()
    seed = random.SystemRandom().randrange(2**32)
    random_order = ["-p", "randomly", f"--randomly-seed={seed}"]
    with tempfile.TemporaryDirectory(
        prefix="somewhere else ü ", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name).resolve()
        _say(f"    folder     {folder}")
        _say(f"    user       {NOBODY if os.geteuid() == 0 else os.geteuid()}, umask 077")
        _say(f"    variables  {' '.join(f'{key}={text}' for key, text in _HOSTILE.items())}")
        _say(f"    order      random, --randomly-seed={seed}")
        there = IsolatedCheckout(folder)
        if not there.set_up():
            _say("=== FAILED: it could not be set up")
            return 1
        there.try_demo()
        there.test(["-n", "2", *random_order, *(_SAMPLE if asked.quick else ()), *more])
        if shutil.which("faketime"):
            dated = [f"tests/{each}" for each in (_DATED_SAMPLE if asked.quick else _DATED)]
            # Paths that were asked for need not take it.
            options = [each for each in more if not each.startswith("tests/")]
            there.test_in_another_year([*random_order, "-k", _NOT_DATED, *dated, *options])
        else:
            _say("!!! NOT TESTED in another year: faketime is not installed")
    return int(there.failed)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _say("=== interrupted")
        sys.exit(130)

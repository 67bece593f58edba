"""Act as an ordinary user for a while: nothing is refused to root."""

import codecs
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from orchestrator.rulebook.screening.screen import screen
from teacher.models import RuleText

NOBODY: Final = 65534

_WITHOUT_POWERS: Final = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Give up root's powers until the end of the block; an ordinary user has none to give up.

    Only the effective ids change, so that the interpreter may stand in a folder of root's own.
    """
    if os.geteuid() != 0:
        yield
        return
    # Both are loaded when they are first used, maybe from a folder of root's own.
    codecs.lookup("ascii")
    screen(RuleText("Sort the list.", "", ""))
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def find_user_wrapper() -> Sequence[str]:
    """Return what to put before a command, so that it is refused what an ordinary user is.

    Root's child stays root, and owns what is root's, such as the interpreter; it loses the power
    to read what is another's.
    """
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed, which takes root's powers from a child")
    if subprocess.run([*_WITHOUT_POWERS, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this root may not take powers from its children")
    return _WITHOUT_POWERS


@contextmanager
def make_public_folder() -> Iterator[Path]:
    """Give a folder in which anybody may do anything, unlike pytest's own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        folder.chmod(0o777)
        yield folder


@contextmanager
def deny_access(folder: Path, mode: int = 0) -> Iterator[Path]:
    """Keep everybody but root from a folder, or leave them what a mode allows."""
    before = folder.stat()
    folder.chmod(mode)
    if os.geteuid() == 0:  # its owner may read what is for the owner
        os.chown(folder, NOBODY, NOBODY)
    try:
        yield folder
    finally:
        if os.geteuid() == 0:
            os.chown(folder, before.st_uid, before.st_gid)
        folder.chmod(before.st_mode)

"""The units: what systemd itself reads from them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from orchestrator.sessions.schedule import systemd
from tests.ordinary_user import NOBODY
from tests.sessions.schedule.jobs import ODD, WORDS, make_job, make_recorder

MANAGER = Path("/lib/systemd/systemd")
needs_analyze = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="there is no systemd-analyze"
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def write_units(folder: Path, program: Path | str) -> list[Path]:
    job = make_job(folder, program)
    service, timer = folder / systemd.SERVICE, folder / systemd.TIMER
    service.write_text(systemd.render_service(job), "utf-8")
    timer.write_text(systemd.render_timer(job), "utf-8")
    return [service, timer]


@needs_analyze
@pytest.mark.parametrize("name", ["plain", ODD, "a b", 'q"uote', "back\\slash", "%h%%i", "$x ;"])
def test_systemd_accepts_the_units_and_finds_the_program(open_folder: Path, name: str) -> None:
    program, _ = make_recorder(open_folder / name)
    units = write_units(open_folder, program)
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_analyze
def test_systemd_misses_a_program_that_is_not_there(open_folder: Path) -> None:
    units = write_units(open_folder, open_folder / "gone")
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, check=False)
    assert b"gone" in done.stderr


@pytest.mark.skipif(not MANAGER.exists(), reason="there is no systemd")
def test_systemd_reads_the_very_values(open_folder: Path) -> None:
    program, _ = make_recorder(open_folder / ODD)
    write_units(open_folder, program)
    (open_folder / "default.target").write_text("[Unit]\nDescription=x\n")
    wants = open_folder / "default.target.wants"
    wants.mkdir()
    for name in (systemd.SERVICE, systemd.TIMER):
        (wants / name).symlink_to(open_folder / name)
    runtime = open_folder / "run"
    runtime.mkdir()
    as_nobody: tuple[str, ...] = ()
    if os.geteuid() == 0:  # systemd refuses to be root's user manager
        if not shutil.which("setpriv"):
            pytest.skip("there is no setpriv")
        os.chown(runtime, NOBODY, NOBODY)
        as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    done = subprocess.run(
        [*as_nobody, MANAGER, "--user", "--test", "--no-pager"],
        env={
            "XDG_RUNTIME_DIR": str(runtime),
            "SYSTEMD_UNIT_PATH": str(open_folder),
            "HOME": str(open_folder),
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "Command Line:" not in done.stdout:
        pytest.skip(f"systemd does not start here: {done.stderr[-200:]}")
    job = make_job(open_folder, program)
    lines = [line.strip() for line in done.stdout.splitlines()]
    for name, value in job.environment.items():
        assert f"Environment: {name}={value}" in lines
    command = next(line for line in lines if line.startswith("Command Line:"))
    # It prints a command as a shell would take it, and some versions no quotes.
    plain = command.replace("\\", "").replace('"', "").replace("'", "")
    expected = "/usr/bin/env " + " ".join(job.command).replace('"', "").replace("'", "")
    assert plain == f"Command Line: {expected}"


@needs_analyze
def test_the_time_is_one_that_systemd_knows() -> None:
    text = systemd.render_timer(make_job(Path("/h"), hour=7))
    when = next(line for line in text.splitlines() if line.startswith("OnCalendar="))
    done = subprocess.run(
        ["systemd-analyze", "calendar", when.partition("=")[2]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "*-*-* 07:05:00" in done.stdout
    assert "Persistent=true" in text


@given(WORDS)
def test_a_word_is_quoted(word: str) -> None:
    quoted = systemd.quote_word(word)
    assert (quoted[0], quoted[-1]) == ('"', '"')
    plain, rest = "", quoted[1:-1]
    while rest:
        size = 2 if rest[0] in "\\%" else 1
        assert size == 1 or (rest[1] == rest[0] or rest[:2] == '\\"')
        assert rest[0] != '"'
        plain, rest = plain + rest[size - 1], rest[size:]
    assert plain == word

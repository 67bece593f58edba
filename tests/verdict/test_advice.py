"""Where the machine can be asked what is wrong, it is asked: access to files, and memory."""

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.verdict.advice import Advice, find_advice
from orchestrator.verdict.free_memory import (
    AvailableMemory,
    format_bytes,
    read_container_memory,
    read_machine_memory,
)
from tests.ordinary_user import ordinary_user

ROOT = Path(__file__).parents[2]
OWNER = pwd.getpwuid(os.geteuid()).pw_name
AS_TODAY = "a file or folder that the tests need may not be used"


def advice_on(said: str, project: Path) -> Advice:
    case = Case("tests/test_a.py::test_a", CaseOutcome.FAILED, message=said)
    return find_advice(SuiteReport(SuiteOutcome.FAILED, 1, (case,)), [case], project)


def failure_of_opening(path: Path, mode: str) -> str:
    """Return what Python says when this user cannot open a file."""
    with pytest.raises(OSError, match="Errno") as error:
        path.open(mode).close()
    return f"{type(error.value).__name__}: {error.value}"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A folder that every user may enter, in a path that every user may enter."""
    with_access = [tmp_path, *(p for p in tmp_path.parents if p.stat().st_mode & 0o005 != 0o005)]
    modes = {folder: folder.stat().st_mode for folder in with_access}
    for folder in with_access:
        folder.chmod(0o755)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    yield folder
    for each, mode in modes.items():
        each.chmod(mode)
    folder.chmod(0o755)


# ---- access ----------------------------------------------------------------------------------


def test_a_folder_that_one_may_not_write_to(data: Path) -> None:
    data.chmod(0o555)
    with ordinary_user():
        said = failure_of_opening(data / "new.txt", "w")
        advice = advice_on(said, Path("/"))
    expected = f"{data} is owned by {OWNER}, mode 555; this user may not write there"
    assert advice.message == expected
    assert "access" in advice.hint or advice.hint == f"chmod u+w {shlex.quote(str(data))}"


def test_a_path_of_which_only_the_beginning_exists(data: Path) -> None:
    data.chmod(0o555)
    with ordinary_user():
        advice = advice_on(f"Error: EACCES: permission denied, mkdir '{data}/a/b'", Path("/"))
    assert advice.message.startswith(f"{data} is owned by {OWNER}, mode 555")


def test_a_folder_that_one_may_not_enter(data: Path) -> None:
    inner = data / "inner"
    inner.mkdir()
    (inner / "a.txt").touch()
    inner.chmod(0o600)
    with ordinary_user():
        said = failure_of_opening(inner / "a.txt", "r")
        advice = advice_on(said, Path("/"))
    inner.chmod(0o700)
    assert advice.message.endswith(
        f"{inner} is owned by {OWNER}, mode 600; this user may not enter it"
    )


def test_a_file_that_one_may_not_read(data: Path) -> None:
    (data / "key.pem").touch(mode=0o000)
    with ordinary_user():
        said = failure_of_opening(data / "key.pem", "r")
        advice = advice_on(said, Path("/"))
    assert "key.pem is owned by" in advice.message
    assert advice.message.endswith("mode 0; this user may not read it")


def test_a_file_that_one_may_not_write_named_from_the_projects_folder(data: Path) -> None:
    (data / "out.log").touch(mode=0o444)
    with ordinary_user():
        advice = advice_on("PermissionError: [Errno 13] Permission denied: 'out.log'", data)
    assert advice.message.startswith(f"{data}/out.log is owned by")
    assert advice.message.endswith("mode 444; this user may not write to it")


def test_the_owner_is_shown_the_command(data: Path) -> None:
    (data / "my log").touch(mode=0o444)
    shutil.chown(data / "my log", 65534 if os.geteuid() == 0 else os.geteuid())
    with ordinary_user():
        said = failure_of_opening(data / "my log", "w")
        advice = advice_on(said, data)
    assert advice.hint == f"chmod u+w '{data}/my log'"


def test_a_script_that_is_not_executable(data: Path) -> None:
    data.chmod(0o777)
    (data / "run").write_text("#!/bin/sh\n", encoding="ascii")
    (data / "run").chmod(0o666)
    done = subprocess.run(
        ["sh", "-c", "./run"], cwd=data, capture_output=True, text=True, check=False
    )
    assert done.returncode == 126
    with ordinary_user():
        advice = advice_on(done.stderr, data)
    command = f"chmod +x {shlex.quote(f'{data}/run')}"
    assert advice == Advice(f"{data}/run is not executable (mode 666)", command)


@pytest.mark.parametrize("tool", ["mkdir", "touch", "cp /dev/null"])
def test_what_other_programs_say(data: Path, tool: str) -> None:
    data.chmod(0o555)
    with ordinary_user():
        done = subprocess.run(
            [*tool.split(), f"{data}/made"], capture_output=True, text=True, check=False
        )
        advice = advice_on(done.stderr, Path("/"))
    assert advice.message.startswith(f"{data} is owned by"), done.stderr


@pytest.mark.parametrize(
    "error", ["unable to open database file", "attempt to write a readonly database"]
)
def test_the_database_is_found_in_the_code_that_opens_it(data: Path, error: str) -> None:
    data.chmod(0o555)
    said = f">       database = sqlite3.connect('{data}/shop.db')\nE   OperationalError: {error}"
    with ordinary_user():
        advice = advice_on(said, Path("/"))
    assert advice.message.startswith(f"{data} is owned by")


@pytest.mark.skipif(not shutil.which("unshare"), reason="only Linux can mount for one process")
def test_a_folder_that_is_mounted_read_only(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom tests.verdict.test_advice import advice_on\n"
        f"path = {str(tmp_path)!r} + '/b.txt'\n"
        "try:\n    open(path, 'w')\nexcept OSError as error:\n"
        "    print(advice_on(f'OSError: {error}', Path('/')).message)"
    )
    script = f'mount -t tmpfs -o ro none "{tmp_path}" && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this user may not mount anything")
    assert done.stdout == f"{tmp_path} is on {tmp_path}, which is mounted read-only\n", done.stderr


@pytest.mark.parametrize(
    "said",
    [
        "PermissionError: [Errno 13] Permission denied",
        "PermissionError: [Errno 13] Permission denied: '{}/free.txt'",
        "OSError: [Errno 30] Read-only file system: '{}/not/there/yet'",
        "sqlite3.OperationalError: attempt to write a readonly database",
        "PermissionError: Permission denied: '\\x00'",
        "PermissionError: Permission denied: '" + "a/" * 3000 + "'",
        "RuntimeError: Permission denied: '/data/" + chr(0) + "x'",
        "RuntimeError: Permission denied: '/data/" + chr(0xDC80) + "x'",
        "RuntimeError: Permission denied: '{}/free.txt/inside/it'",
    ],
)
def test_where_nothing_is_found_the_words_are_general(tmp_path: Path, said: str) -> None:
    (tmp_path / "free.txt").touch()
    assert advice_on(said.format(tmp_path), tmp_path).message == AS_TODAY


def test_a_link_is_followed_to_what_refuses(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data / "gone")
    data.chmod(0o555)
    with ordinary_user():
        advice = advice_on(f"Permission denied: '{tmp_path}/link'", Path("/"))
    assert advice.message.startswith(f"{data} is owned by")


def test_a_pipe_is_not_opened(data: Path) -> None:
    os.mkfifo(data / "pipe.sh", 0o666)
    assert advice_on(f"Permission denied: '{data}/pipe.sh'", data).message == AS_TODAY


# ---- memory ----------------------------------------------------------------------------------

GIB, MIB = 2**30, 2**20


def test_a_machine_with_plenty_of_memory_says_so() -> None:
    room = read_machine_memory()
    assert room.total == psutil.virtual_memory().total
    found = read_container_memory()
    if room.free < GIB or (found and found.total < room.total):
        pytest.skip("this machine's memory is limited, or used up")
    advice = advice_on("E   MemoryError", Path("/"))
    assert advice.message.startswith("the tests ran out of memory, or were killed; now the machine")
    assert " GB free" in advice.message
    assert advice.hint.startswith("resume")


def test_a_limit_of_each_process_is_named() -> None:
    code = (
        "import resource\nfrom pathlib import Path\n"
        "from tests.verdict.test_advice import advice_on\n"
        "resource.setrlimit(resource.RLIMIT_AS, (700 * 2**20, 700 * 2**20))\n"
        "try:\n    bytearray(2**30)\nexcept MemoryError as error:\n"
        "    print(advice_on(f'MemoryError {error}', Path('/')).message)"
    )
    if read_machine_memory().free < GIB:
        pytest.skip("this machine's memory is used up")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    expected = "the tests ran out of memory: one process may use 700 MB (ulimit -v)\n"
    assert done.stdout == expected, done.stderr


def write(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{value}\n", encoding="ascii")


def test_version_2_of_control_groups(tmp_path: Path) -> None:
    """The tightest of our group and those above it counts; cached files are free."""
    names, mount = tmp_path / "cgroup", tmp_path / "mount"
    names.write_text("0::/work/job.service\n", encoding="ascii")
    assert read_container_memory(names, mount) is None
    stat = f"anon 5\ninactive_file {100 * MIB}\nslab 7"
    write(mount / "work/job.service", memory_max="max", memory_current=400 * MIB)
    write(mount / "work", memory_max=512 * MIB, memory_current=500 * MIB, memory_stat=stat)
    assert read_container_memory(names, mount) == AvailableMemory(112 * MIB, 512 * MIB)
    write(mount / "work/job.service", memory_max=500 * MIB)
    room = read_container_memory(names, mount)
    assert room == AvailableMemory(100 * MIB, 500 * MIB)
    assert not room.is_low
    write(mount / "work/job.service", memory_current=490 * MIB)
    low = read_container_memory(names, mount)
    assert low == AvailableMemory(10 * MIB, 500 * MIB)
    assert low.is_low


def test_version_1_of_control_groups(tmp_path: Path) -> None:
    names, mount = tmp_path / "cgroup", tmp_path / "mount"
    names.write_text("5:cpu:/\n4:memory:/docker/abc\n0::/\n", encoding="ascii")
    top = mount / "memory"
    top.mkdir(parents=True)
    unlimited = 2**63 - 4096
    for name, value in (("limit", unlimited), ("usage", 5 * MIB)):
        (top / f"memory.{name}_in_bytes").write_text(f"{value}\n", encoding="ascii")
    assert read_container_memory(names, mount) is None
    (top / "memory.limit_in_bytes").write_text(f"{64 * MIB}\n", encoding="ascii")
    stat = f"inactive_file 1\ntotal_inactive_file {MIB}\n"
    (top / "memory.stat").write_text(stat, encoding="ascii")
    assert read_container_memory(names, mount) == AvailableMemory(60 * MIB, 64 * MIB)


def test_other_systems_have_no_control_groups(tmp_path: Path) -> None:
    assert read_container_memory(tmp_path / "none", tmp_path) is None


def test_a_small_room_is_low_only_when_it_is_about_used_up() -> None:
    assert not AvailableMemory(100 * MIB, 512 * MIB).is_low
    assert AvailableMemory(50 * MIB, 512 * MIB).is_low
    assert AvailableMemory(200 * MIB, 64 * GIB).is_low
    assert [format_bytes(each) for each in (3 * MIB, GIB * 3 // 2)] == ["3 MB", "1.5 GB"]


def test_a_gpu_cannot_be_asked() -> None:
    said = "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB."
    assert advice_on(said, Path("/")).message == "the memory of the machine, or of its GPU, is full"

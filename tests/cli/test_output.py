"""The exit code and the record are those of the work, whatever happens to the output."""

import os
import pty
import shlex
import subprocess
from pathlib import Path

import pytest

from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer
from tests.cli.conftest import TASK, Shop, start_command, wait_for_result
from tests.recorded_runs import get_last_run
from tests.sampling import leave_to_whole

FULL = Path("/dev/full")
REDIRECTIONS = {
    "closed": '"$@" >&-',
    "no errors": '"$@" 2>&-',
    "all closed": '"$@" <&- >&- 2>&-',
    "unread": 'exec 3>&1; { "$@"; echo "$?" >&3; } | head -n 1 >/dev/null',
}
if FULL.exists():
    REDIRECTIONS |= {"full": '"$@" >/dev/full', "all full": '"$@" >/dev/full 2>/dev/full'}


def call_redirected(name: str, *words: str | Path) -> tuple[int, str]:
    """Run a command with its streams redirected; return its exit code, and what it printed."""
    wrapper = ["sh", "-c", REDIRECTIONS[name], "sh"]
    done = wait_for_result(start_command(*words, wrapper=wrapper))
    return int(done.out) if name == "unread" else done.code, done.err


@pytest.mark.parametrize(
    ("name", "json_lines"), [*((name, ()) for name in REDIRECTIONS), ("unread", ("--json",))]
)
def test_the_verdict_does_not_depend_on_the_output(
    shop: Shop, teacher: ReplayServer, name: str, json_lines: tuple[str, ...]
) -> None:
    shop.agent.write_text("echo working; echo right > word.txt\n", encoding="utf-8")
    code, errors = call_redirected(name, "run", TASK, "--project-dir", shop.project, *json_lines)
    assert code == 0, errors
    assert get_last_run().outcome is RunOutcome.SOLVED
    lost = "orchestrator: standard output is not complete: No space left on device\n"
    assert errors == (lost if name == "full" else "")


@pytest.mark.parametrize("words", leave_to_whole(["runs", "runs show", "config show", "--help"]))
@pytest.mark.parametrize("name", [name for name in REDIRECTIONS if name != "no errors"])
def test_what_only_prints_ends_quietly(name: str, words: str, shop: Shop) -> None:
    code, errors = call_redirected(name, *words.split())
    if words == "runs show":
        expected = 2  # there is no run
    else:
        expected = 3 if "full" in name and words in ("runs", "config show") else 0
    assert code == expected
    assert errors.count("\n") <= 1
    assert "bug" not in errors


def test_a_terminal_that_hung_up(shop: Shop, teacher: ReplayServer) -> None:
    ours, theirs = pty.openpty()
    child = start_command("run", TASK, "--project-dir", shop.project, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.read(ours, 1)
    os.close(ours)
    assert child.wait(200) == 0
    assert get_last_run().outcome is RunOutcome.SOLVED


def test_a_closed_stream_is_not_the_next_file_that_is_opened(
    shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    line = shlex.join(["ls", "-l", "/proc/$PPID/fd"]).replace("'", "")
    shop.agent.write_text(f"{line} > {shlex.quote(str(tmp_path / 'open'))}\n", encoding="utf-8")
    call_redirected("all closed", "run", TASK, "--project-dir", shop.project, "--max-retries", "0")
    if (tmp_path / "open").stat().st_size:  # elsewhere than on Linux there is no such folder
        streams = [
            line for line in (tmp_path / "open").read_text().splitlines() if " 1 -> " in line
        ]
        assert [line.rpartition(" ")[2] for line in streams] == ["/dev/null"]


@pytest.mark.parametrize(
    "variables",
    [{"FORCE_COLOR": "1"}, {"CLICOLOR_FORCE": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"}],
)
def test_variables_put_no_escape_codes_into_a_pipe(
    shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = wait_for_result(start_command("run", TASK, "--project-dir", shop.project))
    assert done.code == 0, done.output
    assert "\x1b" not in done.output
    assert done.out.count("running the agent") == 2


def test_a_stream_that_does_not_block_gets_all_lines(shop: Shop) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # as a parent in Node.js leaves its pipes
    with start_command("--help", stdout=writing) as child:
        os.close(writing)
        with os.fdopen(reading) as output:
            text = output.read()
    assert child.returncode == 0
    assert "Exit codes" in text
    assert isinstance(child, subprocess.Popen)

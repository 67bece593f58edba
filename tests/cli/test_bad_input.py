"""What people and projects bring along: a clear error or the right behaviour, no byte lost.

Each goes through the command line and the whole loop. The details are tested at their modules.
"""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.replay import ReplayServer
from tests.cli.conftest import (
    AGENT,
    RULE,
    TASK,
    Call,
    CommandResult,
    Shop,
    start_command,
    wait_for_result,
)

REPORT = ("report-failure", "--failure-type", "other", "--description", "x")


def in_a_namespace(mount: str, *words: str | Path, after: str = "true") -> CommandResult:
    """Run a command where a mount is made before, and something may be looked at after."""
    script = f'{mount} || exit 99; "$@"; code=$?; {after}; exit $code'
    enter = ("unshare", "--map-root-user", "--mount", "sh", "-c")
    if subprocess.run([*enter, "mount -t tmpfs none /mnt"], check=False).returncode:
        pytest.skip("mounts need user namespaces, which this machine does not allow")
    done = wait_for_result(start_command(*words, wrapper=(*enter, script, "sh")))
    assert done.code != 99, done.err
    return done


def run(call: Call, shop: Shop, *more: str) -> CommandResult:
    return call("run", TASK, "--project-dir", shop.project, *more)


def refused(done: CommandResult, code: int, *words: str) -> None:
    """Assert one clear line."""
    assert done.code == code, done.output
    assert len(done.err.splitlines()) == 1, done.err
    for each in words:
        assert each in done.err


# ---- the project ---------------------------------------------------------------------------


def test_a_project_that_is_no_directory(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    for name, why in (("nosuch", "does not exist"), ("word.txt", "is not a directory")):
        path = shop.project / name
        for words in (["run", TASK], ["config", "show"], ["report-failure", "--failure-type"]):
            more = ["other", "--description", "x"] if words[0] == "report-failure" else []
            refused(call(*words, *more, "--project-dir", path), 2, f"{path} {why}")
    assert call("runs").out == "no runs yet\n"
    assert teacher.requests == ()


def test_a_name_that_is_not_utf8(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    odd = Path(os.fsdecode(bytes(shop.project.parent) + b"/pr\xffject"))
    shop.project.rename(odd)
    refused(call("run", TASK, "--project-dir", odd), 2, "path is not UTF-8", "rename it")


@pytest.mark.whole
def test_a_read_only_project(shop: Shop, teacher: ReplayServer) -> None:
    shop.write("CLAUDE.md", b"# Project\n")
    at = shop.project
    mount = f"mount --bind {at} {at} && mount -o remount,ro,bind {at}"
    done = in_a_namespace(mount, *REPORT, "--project-dir", at)
    refused(done, 2, f"{at}/CLAUDE.md cannot be written: Read-only file system")
    done = in_a_namespace(mount, "run", TASK, "--project-dir", at)
    assert done.code == 2, "before the agent is started"
    assert "Traceback" not in done.output
    assert (shop.word, shop.rulebook) == ("wrong\n", b"# Project\n")


# ---- the disk ------------------------------------------------------------------------------


def test_a_full_disk_under_the_project(shop: Shop, teacher: ReplayServer) -> None:
    at, quoted = shop.project, shlex.quote(str(shop.project))
    mount = (
        f"mount -t tmpfs -o size=64k none {quoted} && printf '# Project\\n' > {quoted}/CLAUDE.md"
        f" && (cat /dev/zero > {quoted}/fill || true) 2> /dev/null"
    )
    done = in_a_namespace(
        mount, *REPORT, "--project-dir", at, after=f"cat {quoted}/CLAUDE.md; ls -A {quoted}"
    )
    assert done.code == 3, done.output
    assert len(done.err.splitlines()) == 1
    assert f"no space left for {at}/CLAUDE.md" in done.err
    assert done.out.endswith("# Project\nCLAUDE.md\nfill\n")


@pytest.mark.parametrize("free", ["4k", "1m"])
def test_a_full_disk_under_the_state(
    shop: Shop, teacher: ReplayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: str
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(state))
    quoted = shlex.quote(str(state))
    shop.agent.write_text(f"cat /dev/zero > {quoted}/fill\n{AGENT}", encoding="utf-8")
    mount = f"mount -t tmpfs -o size={free} none {quoted}"
    named = ("--config", shop.project / "orchestrator.yaml")
    done = in_a_namespace(mount, "run", TASK, "--project-dir", shop.project, *named)
    assert done.code == 3, done.output
    assert "Traceback" not in done.output
    assert len(done.err.splitlines()) <= 1
    assert str(state) in done.output
    assert "free space there" in done.output


# ---- tests and configuration ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("tests", "code", "says"),
    [
        ({"command": ""}, 2, "tests.command is empty"),
        ({"command": "  "}, 2, "tests.command is empty"),
        ({"command": "'"}, 2, "tests.command cannot be parsed"),
        ({"command": "nosuch-program"}, 3, "nosuch-program of tests.command is not found"),
        ({"command": "./check.sh"}, 3, "./check.sh of tests.command is not found"),
        ({"comand": "x"}, 2, "unknown key `tests.comand` (did you mean `tests.command`?"),
        ({"framework": "junit"}, 2, "`tests.framework`"),
        ({"timeout": "soon"}, 2, "`tests.timeout`"),
    ],
)
def test_no_suite_that_could_judge(
    call: Call, shop: Shop, teacher: ReplayServer, tests: dict[str, str], code: int, says: str
) -> None:
    shop.configure(tests=tests)
    refused(run(call, shop), code, says)
    assert (shop.word, teacher.requests) == ("wrong\n", ())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"learning: [", "is not valid YAML"),
        (b"- a list", "must be a mapping"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"learning: 3", "`learning`"),
        (b"learnin:\n  max_retries: 3", "did you mean `learning`?"),
        (b"tests:\n  command: pytest\nagent:\n  kind: command", "agent.command is empty"),
    ],
)
def test_a_configuration_that_is_none(
    call: Call, shop: Shop, teacher: ReplayServer, text: bytes, says: str
) -> None:
    shop.write("orchestrator.yaml", text)
    refused(run(call, shop), 2, says)


def test_a_configuration_that_is_empty_is_the_default(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.write("orchestrator.yaml", b"")
    done = call("config", "show", "--project-dir", shop.project)
    assert done.code == 0
    origins = {
        line.rpartition("# ")[2].rstrip(":") for line in done.out.splitlines() if "# " in line
    }
    assert origins == {"default"}


def test_output_that_is_not_utf8(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    shop.write("check.sh", b"printf '\\377\\376\\200 caf\\351\\n'; grep -qx right word.txt\n")
    done = run(call, shop)
    assert (done.code, done.err) == (0, "")
    (request,) = teacher.requests
    assert "caf\ufffd" in request.text
    assert "caf\ufffd" in call("runs", "show").out


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"failure_prompts": {"other": "nosuch"}}, "there is no prompt named 'nosuch'"),
        ({"failure_prompts": {"other": "nosuch.md"}}, "nosuch.md: No such file"),
        ({"teacher": {"mode": "webhook"}, "n8n": {"webhook_url": "n8n.example"}}, "not an https"),
        ({"teacher": {"mode": "webhook"}}, "n8n.webhook_url is empty"),
    ],
)
def test_a_teacher_that_is_configured_wrongly(
    sections: dict[str, Any], words: str, call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.configure(**sections)
    refused(run(call, shop), 2, words)
    refused(call(*REPORT, "--project-dir", shop.project), 2, words)
    assert teacher.requests == ()


# ---- the task ------------------------------------------------------------------------------


def test_a_task_of_100_kilobytes(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    task = "Put the right word into word.txt. " * 3000
    shop.agent.write_text(f'printf %s "$1" > asked.txt\n{AGENT}', encoding="utf-8")
    done = call("run", task, "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    assert len(max(done.out.splitlines(), key=len)) < 1000
    asked = (shop.project / "asked.txt").read_text(encoding="utf-8")
    assert asked.startswith(task)
    assert task.strip() in call("runs", "show").out
    assert len(call("runs").out) < 1000


def test_a_task_that_is_not_utf8(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    done = call("run", "Write caf\udce9.", "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    assert "    Write caf?." in call("runs", "show").out


def test_a_report_that_is_not_utf8(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    done = call(*REPORT, "--context", "caf\udce9", "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    assert "caf?" in teacher.requests[0].text


# ---- what the agent leaves -----------------------------------------------------------------


@pytest.mark.whole
def test_a_diff_of_50_megabytes_and_binary_files(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.agent.write_text(
        "yes 'a line of text that is long enough' | head -c 52428800 > big.txt\n"
        "head -c 1048576 /dev/urandom > picture.bin\n" + AGENT,
        encoding="utf-8",
    )
    done = run(call, shop)
    assert (done.code, done.err) == (0, "")
    assert "big.txt" in done.out
    (request,) = teacher.requests
    assert len(request.text) < 500_000
    assert "picture.bin" in request.text
    shown = call("runs", "show")
    assert shown.code == 0
    assert len(shown.out) < 2_000_000
    assert "... the rest is in " in shown.out


# ---- CLAUDE.md -----------------------------------------------------------------------------

LEARNED = (
    b"## Learned Rules & Patterns\n\n- **Rule**: Never run.\n- **When**: At night.\n"
    b"- **Why**: It is dark.\n  - **Source**: Learned on 2026-11-20 from test failure\n"
)


@pytest.mark.parametrize(
    "before",
    [
        b"# Project\r\n\r\nUse tabs.\r\n",
        b"# Project\n\nNo final newline",
        b"\xef\xbb\xbf# Project\n",
        b"",
        b"\n\n",
        b"caf\xe9\n",
        LEARNED + b"\n# After the block\n",
        LEARNED.replace(b"- **When**: At night.\n", b"by hand\n") + b"\n## Mine\n",
        LEARNED[: LEARNED.index(b"  - **Source")],
        b"# Project\n" + LEARNED[LEARNED.index(b"- **When") :],
    ],
    ids=[
        "crlf",
        "no-final-newline",
        "bom",
        "empty",
        "blank",
        "latin-1",
        "known",
        "edited",
        "half",
        "headless",
    ],
)
def test_every_foreign_byte_of_claude_md_stays(
    call: Call, shop: Shop, teacher: ReplayServer, before: bytes
) -> None:
    shop.write("CLAUDE.md", before)
    done = call(*REPORT, "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    after = shop.rulebook
    assert after.count(RULE.encode()) == 1
    left = iter(after.splitlines())
    assert all(line in left for line in before.splitlines()), after
    if b"\r\n" in before:
        assert after.count(b"\n") == after.count(b"\r\n")
    assert after.startswith(before.rstrip()[:3])
    assert not list(shop.project.glob(".CLAUDE.md*"))


@pytest.mark.parametrize("made", ["folder", "outside", "dangling", "fifo", "loop"])
def test_a_claude_md_that_cannot_be_the_rulebook(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path, made: str
) -> None:
    named, other = shop.project / "CLAUDE.md", tmp_path / "other.md"
    other.write_bytes(b"# Another project's\n")
    if made == "folder":
        named.mkdir()
    elif made == "fifo":
        os.mkfifo(named)
    else:
        targets = {"outside": str(other), "dangling": "nosuch.md", "loop": "CLAUDE.md"}
        named.symlink_to(targets[made])
    shop.agent.write_text("echo guessed >> word.txt\n", encoding="utf-8")
    done = run(call, shop) if made == "loop" else call(*REPORT, "--project-dir", shop.project)
    assert done.code in (2, 3), done.output
    assert "CLAUDE.md" in done.output
    assert other.read_bytes() == b"# Another project's\n"
    assert named.is_symlink() == (made not in ("folder", "fifo"))


def test_a_claude_md_that_links_inside_the_project(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    real = shop.write("docs/agents.md", "# Ours\n")
    (shop.project / "CLAUDE.md").symlink_to("docs/agents.md")
    assert run(call, shop).code == 0
    assert (shop.project / "CLAUDE.md").is_symlink()
    assert real.read_bytes().startswith(b"# Ours\n")
    assert RULE.encode() in real.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        *(["run", TASK], ["config", "show"], ["rules", "list"], ["teach", "--list"]),
        *(["learnings", "review"], ["learnings", "log", "ERR", "x"], ["hooks", "install", "local"]),
    ],
    ids=" ".join,
)
def test_a_working_directory_that_was_deleted(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = call(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("orchestrator: the working directory was deleted (change to another")


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "show", "x" * 100_000),
        ("rules", "show", "x" * 100_000),
        ("config", "show", "--config", "x" * 100_000),
        ("runs", "--limit", "x" * 100_000),
        ("run", "--model", "x", "--project-dir", "y" * 100_000, "do the task"),
    ],
)
def test_long_error_is_shortened(call: Call, words: tuple[str, ...]) -> None:
    """Its beginning says what is wrong, and its end what to do."""
    done = call(*words)
    assert done.code in (2, 3)
    assert len(done.output) < 3_000


def test_long_error_of_a_file_is_shortened(call: Call, shop: Shop) -> None:
    """The value is a repository's."""
    shop.write("orchestrator.yaml", "limits:\n  max_tokens: " + "x" * 100_000)
    done = call("config", "show", "--project-dir", shop.project)
    assert done.code == 2
    assert done.err.startswith(f"orchestrator: {shop.project}/orchestrator.yaml:2: ")
    assert "characters left out" in done.err
    assert len(done.output) < 3_000

"""`resume` is offered where it can help, and reads `tests.*` again while nothing rests on it."""

from pathlib import Path
from shlex import quote

import pytest

from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer
from tests.cli.conftest import TASK, Call, Shop, start_command
from tests.cli.test_signals import until
from tests.recorded_runs import get_last_run
from tests.trusting import trust_project

BROKEN = {"framework": "command", "command": "sh nosuch.sh"}


def stop_at_baseline(call: Call, shop: Shop) -> str:
    """Make a run whose suite gives no verdict: its command is killed by a signal."""
    shop.write("crash.sh", "kill -SEGV $$\n")
    shop.configure(tests={"framework": "command", "command": "sh crash.sh"})
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 3, done.output
    run = get_last_run()
    assert (run.outcome, run.attempts) == (RunOutcome.STOPPED, 0)
    return done.out


def test_resume_reads_the_tests_again_if_nothing_was_judged(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    out = stop_at_baseline(call, shop)
    assert "continue orchestrator resume" in out
    shop.configure(tests={"command": "sh check.sh"})
    done = call("resume", "last")
    assert done.code == 0, done.output
    assert shop.word == "right\n"
    assert call("resume", "last").code == 2  # it has ended


def test_a_command_of_the_command_line_still_precedes_the_file(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.write("crash.sh", "test -e mended || kill -SEGV $$\ngrep -qx right word.txt\n")
    shop.configure(tests={"framework": "command", "command": "touch wrong-suite"})
    done = call("run", TASK, "--tests", "sh crash.sh", "--project-dir", shop.project)
    assert done.code == 3, done.output
    shop.write("mended", "")
    done = call("resume", "last")
    assert done.code == 0, done.output
    assert "sh crash.sh" in done.out
    assert not (shop.project / "wrong-suite").exists()


def test_what_is_read_again_must_be_trusted(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    stop_at_baseline(call, shop)
    text = (shop.project / "orchestrator.yaml").read_text("utf-8")
    shop.write("orchestrator.yaml", text.replace("sh crash.sh", "sh check.sh; touch pwned"))
    done = call("resume", "last")
    assert done.code == 2
    assert "that you have not trusted" in done.err
    assert not (shop.project / "pwned").exists()
    trust_project(shop.project)
    shop.write("check.sh", "grep -qx right word.txt\n")


def test_later_the_tests_of_the_start_count(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    shop.configure(learning={"auto_retry": False})
    assert call("run", TASK, "--project-dir", shop.project).code == 1
    text = (shop.project / "orchestrator.yaml").read_text("utf-8")
    shop.write("orchestrator.yaml", text.replace("sh check.sh", "false"))
    done = call("resume", "last")
    assert done.code == 0, done.output


def test_a_second_run_names_the_first(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    ready = shop.agent.with_name("ready")
    shop.agent.write_text(f"touch {quote(str(ready))}; sleep 600\n", encoding="utf-8")
    first = start_command("run", TASK, "--project-dir", shop.project)
    try:
        until(ready)
        run = get_last_run()
        for words in (("run", TASK), ("undo", "--yes")):
            done = call(*words, "--project-dir", shop.project)
            assert done.code == 3, done.output
            since = f"{run.started.astimezone():%Y-%m-%d %H:%M}"
            assert f"another run works in {shop.project}: {run.id}, since {since}" in done.err
            assert "--isolate" in done.err
    finally:
        first.terminate()
        first.communicate(timeout=200)


def test_a_run_in_a_folder_above_is_named(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    below = Shop(shop.project / "packages" / "one", shop.agent)
    below.configure(learning={"auto_retry": False}, tests={"command": "false"})
    assert call("run", TASK, "--project-dir", below.project).code == 1
    ready = shop.agent.with_name("ready")
    shop.agent.write_text(f"touch {quote(str(ready))}; sleep 600\n", encoding="utf-8")
    above = start_command("run", TASK, "--project-dir", shop.project)
    try:
        until(ready)
        run = get_last_run()
        assert run.task.project == shop.project
        for words in (("run", TASK), ("undo", "--yes")):
            done = call(*words, "--project-dir", below.project)
            assert done.code == 3, done.output
            assert f"another run works in {shop.project}: {run.id}" in done.err
            assert f"its files are also those of {below.project}" in " ".join(done.err.split())
    finally:
        above.terminate()
        above.communicate(timeout=200)


def test_the_last_run_is_that_of_the_project_at_hand(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.configure(learning={"auto_retry": False})
    assert call("run", TASK, "--project-dir", shop.project).code == 1
    first = get_last_run().id
    other = Shop(tmp_path / "other", shop.agent)
    other.project.mkdir()
    other.configure(learning={"auto_retry": False}, tests={"command": "false"})
    assert call("run", TASK, "--project-dir", other.project).code == 1
    second = get_last_run().id
    for words in (("runs", "show"), ("runs", "events", "--json"), ("resume",)):
        out = call(*words).out
        assert first in out, words
        assert second not in out, words
    assert second in call("runs", "show", "--project-dir", other.project).out
    monkeypatch.chdir(tmp_path)
    done = call("resume")
    assert (done.code, done.out) == (2, "")
    assert f"no run has worked in {tmp_path}" in done.err
    assert second in done.err
    assert first in call("runs", "show", first).out

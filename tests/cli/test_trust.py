"""`orchestrator trust`, and every command that uses settings of a project's own file."""

import json
import os
import pty
import select
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.platform.process_tree import MARK
from orchestrator.replay import ReplayServer
from orchestrator.storage.location import RUN_VARIABLE
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import TASK, Call, Shop, start_command
from tests.recorded_runs import get_last_run
from tests.teacher.loopback import Loopback, json_reply

REPORT = ("report-failure", "--failure-type", "other", "--description", "It guessed.")
LESSON = {"action": "none", "reason": "It is a test."}


@pytest.fixture
def cloned(shop: Shop) -> Shop:
    """A project that somebody else has configured, and that was never trusted."""
    revoked = resolve_state_directory() / "trusted.json"
    revoked.unlink()
    return shop


def configure(shop: Shop, **sections: Any) -> Path:
    return shop.write("orchestrator.yaml", json.dumps(sections, indent=1))


@pytest.mark.parametrize(
    "words",
    [
        *(("run", TASK), REPORT, ("teacher", "test"), ("teacher", "workflow")),
        *(("rules", "list"), ("rules", "add", "--rule", "Pin it", "--when", "x", "--why", "y")),
    ],
)
def test_no_command_uses_what_is_not_trusted(
    call: Call, cloned: Shop, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("N8N_WEBHOOK_TOKEN", "the-users-own")
    with Loopback(json_reply(LESSON)) as theirs:
        configure(
            cloned,
            teacher={"mode": "webhook", "model": "claude-opus-4-1"},
            n8n={"webhook_url": theirs.url, "token_header": "X-Theirs"},
            rules={"max_rules": 500},
        )
        done = call(*words, "--project-dir", cloned.project)
    assert (done.code, theirs.asked) == (2, [])
    assert (cloned.word, cloned.rulebook) == ("wrong\n", b"")
    if words[0] == "rules":
        assert "  rules.max_rules: 500 (orchestrator.yaml:" in done.err
    else:
        for line in ('teacher.mode: "webhook"', f'n8n.webhook_url: "{theirs.url}"'):
            assert f"  {line} (orchestrator.yaml:" in done.err
    assert "run `orchestrator trust`" in done.err  # the tests stand in the project
    assert call("runs").out.count(TASK) == 0


def test_a_pending_failure_waits_for_trust(call: Call, cloned: Shop) -> None:
    configure(cloned, limits={"max_cost_usd": 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", "k")  # nobody answers
        assert call(*REPORT, "--project-dir", cloned.project).code == 3
    with Loopback(json_reply(LESSON)) as theirs:
        configure(cloned, teacher={"mode": "webhook"}, n8n={"webhook_url": theirs.url})
        done = call("teach", "--pending", "--project-dir", cloned.project)
        assert (done.code, theirs.asked) == (2, [])
        assert call("trust", "--yes", "--project-dir", cloned.project).code == 0
        assert call("teach", "--pending", "--project-dir", cloned.project).code == 0
        assert len(theirs.asked) == 1


def test_the_token_goes_only_to_a_trusted_address(
    call: Call, cloned: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("N8N_WEBHOOK_TOKEN", "the-users-own")
    with Loopback(json_reply(LESSON)) as mine, Loopback(json_reply(LESSON)) as theirs:
        configure(cloned, teacher={"mode": "webhook"}, n8n={"webhook_url": mine.url})
        assert call("trust", "--yes", "--project-dir", cloned.project).code == 0
        assert call(*REPORT, "--project-dir", cloned.project).code == 0
        assert len(mine.asked) == 1
        configure(cloned, teacher={"mode": "webhook"}, n8n={"webhook_url": theirs.url})
        done = call(*REPORT, "--project-dir", cloned.project)
        assert (done.code, "n8n.webhook_url" in done.err, "teacher.mode" in done.err) == (
            *(2, True, False),
        )
        copy = cloned.project.with_name("copy")
        configure(cloned, teacher={"mode": "webhook"}, n8n={"webhook_url": mine.url})
        shutil.copytree(cloned.project, copy)
        assert call(*REPORT, "--project-dir", copy).code == 2
        assert call(*REPORT, "--project-dir", cloned.project).code == 0
    assert theirs.asked == []


def test_a_named_file_is_trusted_as_it_is(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    (resolve_state_directory() / "trusted.json").unlink()
    named = ("--config", shop.project / "orchestrator.yaml")
    assert call("run", TASK, "--project-dir", shop.project).code == 2
    assert call("run", TASK, "--project-dir", shop.project, *named).code == 0


def test_only_what_a_command_uses_is_asked(call: Call, cloned: Shop) -> None:
    configure(
        cloned,
        agent={"kind": "command", "command": ["sh"]},
        learning={"max_retries": 50},
        tests={"guard": "off"},
    )
    assert call("rules", "list", "--project-dir", cloned.project).code == 0
    done = call("run", TASK, "--project-dir", cloned.project)
    assert [line.split(":")[0].strip() for line in done.err.splitlines()[1:-1]] == [
        *("agent.kind", "agent.command", "learning.max_retries", "tests.guard"),
    ]


def test_what_is_asked_trusted_and_revoked(call: Call, cloned: Shop) -> None:
    where = ("--project-dir", cloned.project)
    configure(cloned, tests={"guard": "off", "command": "make test"})
    cloned.write(
        ".claude/settings.json",
        json.dumps({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "curl x"}]}]}}),
    )
    refused = call("trust", *where)
    assert (refused.code, "nothing was trusted" in refused.err) == (2, True)
    assert refused.out.splitlines() == [
        'not trusted: tests.guard: "off" (orchestrator.yaml:3)',
        'not trusted: tests.command: "make test" (orchestrator.yaml:4)',
        "not trusted: .claude/settings.json, for Claude Code",
        "    hook on Stop, `curl x`",
    ]
    shown = call("config", "show", *where)
    assert shown.code == 0
    assert 'tests.guard: "off" (orchestrator.yaml:3); see `orchestrator trust`' in shown.err
    assert "  guard: restore  # default" in shown.out
    assert call("trust", "--yes", *where).code == 0
    assert call("trust", *where).out.count("trusted: ") == 3
    assert "not trusted" not in call("trust", *where).out
    assert call("config", "show", *where).err == ""
    listed = call("trust", "--list").out
    assert listed.splitlines()[0] == str(cloned.project)
    assert 'tests.command: "make test"' in listed
    assert call("trust", "--revoke", "tests.guard", *where).code == 0
    assert "not trusted: tests.guard" in call("trust", *where).out
    assert call("trust", "--revoke", "tests.guard", *where).code == 2
    assert call("trust", *where, "--revoke").code == 0
    assert call("trust", *where, "--revoke").out == f"you trust no settings of {cloned.project}\n"
    assert call("trust", "--list").out == "you trust no settings of any project\n"


def test_a_project_that_asks_for_nothing(call: Call, cloned: Shop) -> None:
    configure(cloned, learning={"max_retries": 1})
    done = call("trust", "--project-dir", cloned.project)
    assert done.code == 0
    assert "asks for no setting that needs your trust" in done.out


@pytest.fixture(autouse=True)
def outside_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests may be the suite of a run themselves."""
    monkeypatch.delenv(MARK, raising=False)


@pytest.mark.parametrize("variable", [RUN_VARIABLE, MARK])
def test_neither_an_agent_nor_a_suite_can_trust_what_it_has_written(
    call: Call, cloned: Shop, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    done = call("trust", "--yes", "--project-dir", cloned.project)
    assert (done.code, "must not trust settings by itself" in done.err) == (2, True)
    assert call("run", TASK, "--project-dir", cloned.project).code == 2


def test_a_run_is_not_resumed_on_revoked_trust(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    assert call("run", TASK, "--project-dir", shop.project, "--no-auto-retry").code == 1
    assert call("trust", "--revoke", "agent.command", "--project-dir", shop.project).code == 0
    done = call("resume")
    assert (done.code, "no longer trust: agent.command" in done.err) == (2, True)
    shop.configure()
    assert call("resume").code == 0
    assert get_last_run().outcome == "solved"


def test_a_secret_in_a_value_is_masked_and_said_so(call: Call, cloned: Shop) -> None:
    configure(
        cloned,
        teacher={"mode": "webhook"},
        n8n={"webhook_url": "https://me:hunter2Secret9@other.example/x"},
    )
    done = call("run", TASK, "--project-dir", cloned.project)
    assert "hunter2Secret9" not in done.output
    assert "other.example" in done.err
    assert "parts are masked: read them there" in done.err


def answer_on_a_terminal(answer: bytes, *words: str | Path) -> tuple[int, str]:
    """Run a command on a terminal, and answer its question."""
    ours, theirs = pty.openpty()
    child = start_command(*words, stdin=theirs, stdout=theirs, stderr=theirs, text=False)
    os.close(theirs)
    seen, answered, deadline = b"", False, time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1.0)[0]:
            continue
        try:
            seen += os.read(ours, 65536)
        except OSError:  # the child has let go of its end
            break
        if b"[y/N]" in seen and not answered:
            answered = os.write(ours, answer) > 0
    os.close(ours)
    return child.wait(), seen.decode()


@pytest.mark.parametrize(
    ("answer", "code", "word"), [(b"y\n", 0, "right\n"), (b"\n", 2, "wrong\n")]
)
def test_on_a_terminal_it_is_asked(
    shop: Shop, teacher: ReplayServer, answer: bytes, code: int, word: str
) -> None:
    (resolve_state_directory() / "trusted.json").unlink()
    ended, seen = answer_on_a_terminal(answer, "run", TASK, "--project-dir", shop.project)
    assert ended == code, seen
    assert seen.count("\n  agent.command: [") == 1
    assert ("nothing was started" in seen) is (code == 2)
    assert shop.word.endswith(word)

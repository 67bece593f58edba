"""Every kind of secret, at every exit: what leaves this machine, and what is stored."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.masking import REDACTED
from orchestrator.models import Rule
from orchestrator.replay import ReplayServer
from orchestrator.rulebook.committing import render_message
from orchestrator.rulebook.records import Origin, RuleRecord, Status
from orchestrator.session_hooks.handler import handle_event
from orchestrator.suites.command_suite import CommandSuite
from teacher.models import RuleText
from tests.cli.conftest import TASK, Call, Shop
from tests.masking.samples import Sample, list_sample_of_each_shape
from tests.stored_text import read_stored_text
from tests.teacher.loopback import Loopback, json_reply

SAMPLES = [sample for _, sample in list_sample_of_each_shape() if sample]
ALL = "\n\n".join(dict.fromkeys(sample.text for sample in SAMPLES))
LESSON = {"rule": "Never guess a word.", "when": "A word is asked for.", "why": "Guesses fail."}


def surviving(data: str, samples: Iterable[Sample] = SAMPLES) -> list[str]:
    """Return the secrets that stand in some data, also as JSON has them."""
    secrets = [secret for sample in samples for secret in sample.secrets if len(secret) >= 6]
    return [each for each in secrets if each in data or json.dumps(each)[1:-1] in data]


def kept_below(*folders: Path) -> str:
    """Return what all files hold, but for the project's own, as git and the guard keep them."""
    return "\n".join(map(read_stored_text, folders))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_run(call: Call, shop: Shop, teacher: ReplayServer, state: Path) -> None:
    """Task, agent, diff, suite: to the teacher, into the databases, the patch and .learnings."""
    shop.configure()  # trusted in this state directory
    shop.write("evidence.txt", "")
    secrets = shop.agent.with_name("secrets.txt")
    secrets.write_text(ALL, encoding="utf-8")
    cat = f"cat {shlex.quote(str(secrets))}"
    shop.agent.write_text(f"{cat}; {cat} > evidence.txt\n", encoding="utf-8")
    shop.write("check.sh", f"{cat}; exit 1\n")
    done = call(
        *("run", f"{TASK}\n\n{ALL}", "--project-dir", shop.project, "--max-retries", "0"),
    )
    assert done.code == 1, done.output
    (request,) = teacher.requests
    assert surviving(request.text) == []
    assert REDACTED in request.text
    kept = kept_below(state, shop.project / ".learnings")
    assert surviving(kept) == []
    assert REDACTED in kept


def test_a_report(call: Call, shop: Shop, teacher: ReplayServer, state: Path) -> None:
    words = ("--description", ALL, "--context", ALL, "--task", ALL)
    options = ("--failure-type", "other", "--project-dir", shop.project)
    done = call("report-failure", *options, *words)
    assert done.code == 0, done.output
    (request,) = teacher.requests
    assert surviving(request.text) == []
    kept = kept_below(state, shop.project / ".learnings")
    assert surviving(kept + shop.rulebook.decode()) == []


def test_a_report_to_a_webhook_and_one_that_waits(call: Call, shop: Shop, state: Path) -> None:
    options = ("--failure-type", "other", "--project-dir", shop.project, "--description", ALL)
    with Loopback(json_reply(LESSON)) as workflow:
        shop.configure(teacher={"mode": "webhook"}, n8n={"webhook_url": workflow.url})
        done = call("report-failure", *options)
    assert done.code == 0, done.output
    (asked,) = workflow.asked
    assert surviving(asked.body.decode()) == []
    shop.configure(teacher={"mode": "webhook"}, n8n={"webhook_url": workflow.url, "retry_for": 0})
    assert call("report-failure", *options).code == 3  # nobody listens there any more
    assert list((state / "pending").rglob("*.json"))
    assert surviving(kept_below(state)) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: each.id[:40])
def test_commands_that_a_hook_writes_down(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    (tmp_path / ".learnings").mkdir()
    event = {
        "hook_event_name": "PostToolUseFailure",
        "session_id": "s",
        "tool_use_id": "t",
        "tool_name": "Bash",
        "cwd": str(tmp_path),
        "tool_input": {"command": sample.text},
        "error": f"exit 1\n{sample.text}",
    }
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    handle_event(json.dumps(event).encode())
    kept = kept_below(tmp_path)
    assert "TOOL_FAILURE" in kept
    assert surviving(kept, [sample]) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: each.id[:40])
def test_learnings(call: Call, project: Path, sample: Sample) -> None:
    assert call("learnings", "init", "local", "--project-dir", project).code == 0
    done = call("learnings", "log", "--project-dir", project, "err", "--", sample.text)
    kept = kept_below(project / ".learnings")
    assert done.code == 0, done.output
    assert surviving(kept, [sample]) == []


def test_the_message_of_a_commit() -> None:
    origin = Origin("pytest", "f", "run", ALL, cases=tuple(each.text for each in SAMPLES))
    rule = Rule("r-1", RuleText("Never guess.", "When asked.", "It fails."), "")
    moment = datetime(2031, 2, 28, tzinfo=UTC)
    assert (
        surviving(render_message(RuleRecord(rule, Status.ACTIVE, "", origin, moment, moment))) == []
    )


def test_what_an_error_says(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError(ALL)

    monkeypatch.setattr(CommandSuite, "run", broken)
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 4
    assert surviving(done.err) == []


def test_an_address_with_a_password(call: Call, shop: Shop) -> None:
    address = "http://hook:hunter2hunter2@127.0.0.1:9/x"
    shop.configure(teacher={"mode": "webhook"}, n8n={"webhook_url": address, "retry_for": 0})
    done = call("teacher", "test", "--project-dir", shop.project)
    assert done.code == 3
    assert "hunter2hunter2" not in done.output
    assert "http://***@127.0.0.1:9/x" in done.output


def test_ids_of_cases(call: Call, shop: Shop, teacher: ReplayServer, state: Path) -> None:
    """Two cases whose ids differ by a secret stay two, and both secrets are kept nowhere."""
    tokens = ["ghp_" + letter * 20 + "0123456789abcdef" for letter in "ab"]
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    shop.configure(tests={"framework": "pytest", "command": command})
    shop.write("conftest.py", "")
    shop.write("word.py", "WORD = 'c'\n")
    shop.write(
        "tests/test_t.py",
        "import pytest\nfrom word import WORD\n\n\n"
        f"@pytest.mark.parametrize('token', {tokens!r})\n"
        "def test_t(token):\n    assert token[4] == WORD\n",
    )
    for arguments in (["add", "-A"], ["commit", "-q", "-m", "tests"]):
        subprocess.run(["git", *arguments], cwd=shop.project, check=True, env=os.environ)
    shop.agent.write_text("echo 'WORD = \"a\"' > word.py\n", encoding="utf-8")
    task = "Make all tests pass."
    done = call("run", task, "--project-dir", shop.project, "--max-retries", "0")
    assert done.code == 1, done.output
    assert "1 passed, 1 failed" in done.out, done.output
    kept = kept_below(state, shop.project / ".learnings") + done.output
    assert [token for token in tokens if token in kept] == []

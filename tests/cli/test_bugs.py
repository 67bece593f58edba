"""A bug in the program: exit 4, and a report that can be pasted without giving a secret away."""

import os

import pytest

from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer
from orchestrator.suites.command_suite import CommandSuite
from tests.cli.conftest import TASK, Call, Shop
from tests.recorded_runs import get_last_run

KEY = "sk-ant-api03-not-a-real-one"


def test_a_bug_gives_a_report(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError(f"with {os.environ['ANTHROPIC_API_KEY']} and {os.environ['TOKEN']}")

    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("TOKEN", "abc")
    monkeypatch.setattr(CommandSuite, "run", broken)
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 4
    assert done.err.startswith("orchestrator: this is a bug in orchestrator.")
    assert "Please report it" in done.err
    assert "prompt-learning-loop " in done.err
    assert "Python 3." in done.err
    assert "ZeroDivisionError: with [redacted: value of ANTHROPIC_API_KEY] and abc" in done.err
    assert KEY not in done.err
    assert "Interrupted" in done.out
    assert get_last_run().outcome is RunOutcome.INTERRUPTED

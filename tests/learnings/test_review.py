"""What recurs is found, what waits is named, and the hook's log becomes entries."""

import json
import os
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.hooks import entry as hook
from orchestrator.memory.learnings.entries import Kind
from orchestrator.memory.learnings.review import grouped, keywords, review
from orchestrator.memory.learnings.workspace import Workspace, log, resolve

DAY = date(2026, 5, 20)


def failed_call(command: str, error: str = "Exit code 1", **more: str) -> str:
    facts = {"command": command, "error": error, **more}
    return f"2026-05-20T12:00:00Z TOOL_FAILURE: Bash {json.dumps(facts)}\n"


def test_a_root_cause_is_one_group(workspace: Workspace) -> None:
    for context in (
        "Deployment without resource limits: missing in payments",
        "Resource limits missing in the checkout Deployment",
        "resource limit missing, pod killed",
        "helm upgrade failed on rollback",
        "helm upgrade needs a diff before it",
    ):
        log(workspace, Kind.ERR, "x", context=context, on=DAY)
    groups = grouped(workspace.entries(), Kind.ERR)
    assert [len(group.entries) for group in groups] == [3, 2]
    assert set(groups[0].label.split()) == {"resource", "limits", "missing"}
    assert [group.label for group in review(workspace, DAY).candidates] == [groups[0].label]


def test_the_same_thing_three_times_is_a_candidate_until_it_is_promoted(
    workspace: Workspace,
) -> None:
    for _ in range(3):
        log(workspace, Kind.LRN, "Run helm diff first", on=DAY)
    (candidate,) = review(workspace, DAY).candidates
    assert (candidate.kind, candidate.occurrences) == (Kind.LRN, 3)
    path = workspace.file(Kind.LRN)
    text = path.read_text(encoding="utf-8").replace("**: pending", "**: promoted")
    path.write_text(text, encoding="utf-8")
    assert review(workspace, DAY).candidates == ()


def test_words_that_say_nothing_join_nothing(workspace: Workspace) -> None:
    for context in ("it failed because of that", "that failed because it is not there", "1 2 3"):
        log(workspace, Kind.ERR, "x", context=context, on=DAY)
    assert len(grouped(workspace.entries(), Kind.ERR)) == 3
    assert keywords("It failed because of that") == frozenset()


def test_stale_is_what_nobody_dealt_with_for_more_than_a_week(workspace: Workspace) -> None:
    old = log(workspace, Kind.ERR, "old thing", on=DAY).id
    done = log(workspace, Kind.ERR, "other matter", on=DAY).id
    resolve(workspace, done, "Did it")
    log(workspace, Kind.FEAT, "new wish", on=date(2026, 5, 21))
    assert [one.id for one in review(workspace, date(2026, 5, 28)).stale] == [old]
    assert review(workspace, date(2026, 5, 27)).stale == ()


def test_totals(workspace: Workspace) -> None:
    for text in ("one thing", "another matter"):
        log(workspace, Kind.ERR, text, on=DAY)
    resolve(workspace, "ERR-20260520-001", "Did it")
    totals = review(workspace, DAY).totals
    assert dict(totals[Kind.ERR]) == {"resolved": 1, "pending": 1}
    assert dict(totals[Kind.FEAT]) == {}


def test_ids_given_twice_are_named(workspace: Workspace) -> None:
    text = "### ERR-20260520-001\n**Context**: a b\n### ERR-20260520-001\n**Context**: c d\n"
    workspace.file(Kind.ERR).write_text(text, encoding="utf-8")
    assert review(workspace, DAY).doubled == ("ERR-20260520-001",)


def test_the_log_becomes_entries_and_is_cleared(workspace: Workspace) -> None:
    workspace.pending_errors.write_text(
        failed_call("make test", "Exit code 2\nmake: no rule", call="toolu_1")
        + failed_call("make test", "Exit code 2\nmake: no rule", call="toolu_1")
        + failed_call("make test", "Exit code 2\nmake: no rule", call="toolu_2")
        + failed_call("TOKEN=abcdef12345 deploy")
        + "2026-05-21T10:00:00Z TOOL_FAILURE: Edit\n"
        + "\nsomething else\n",
        encoding="utf-8",
    )
    found = review(workspace, DAY)
    assert len(found.taken_in) == 4
    assert workspace.pending_errors.read_bytes() == b""
    by_context = {entry.context: entry for entry in workspace.entries()}
    assert by_context["Bash failed: make test"].occurrences == 2
    assert by_context["Bash failed: make test"].content == "Exit code 2 make: no rule"
    assert by_context["Bash failed: make test"].first_seen == DAY
    assert "Bash failed: TOKEN=*** deploy" in by_context
    assert by_context["Edit failed"].first_seen == date(2026, 5, 21)
    assert "failed: something else" in by_context
    assert review(workspace, DAY).taken_in == ()


def test_a_log_that_cannot_become_entries_stays(workspace: Workspace) -> None:
    line = failed_call("make test")
    workspace.pending_errors.write_text(line, encoding="utf-8")
    workspace.file(Kind.ERR).write_bytes("x".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-16"):
        review(workspace, DAY)
    assert workspace.pending_errors.read_text(encoding="utf-8") == line


def test_no_failure_is_lost_between_hooks_and_reviews(workspace: Workspace) -> None:
    total, over = 40, threading.Event()

    def fail(number: int) -> None:
        event = {
            "hook_event_name": "PostToolUseFailure",
            "tool_name": "Bash",
            "tool_input": {"command": "make test"},
            "tool_use_id": f"toolu_{number}",
            "error": "Exit code 1",
            "cwd": str(workspace.base),
        }
        subprocess.run(
            [sys.executable, "-I", "-S", str(Path(hook.__file__))],
            input=json.dumps(event).encode(),
            env={**os.environ, "CLAUDE_PROJECT_DIR": str(workspace.base)},
            check=True,
        )

    def keep_reviewing() -> None:
        while not over.is_set():
            review(workspace)

    reviewer = threading.Thread(target=keep_reviewing)
    reviewer.start()
    for start in range(0, total, 8):
        threads = [threading.Thread(target=fail, args=(start + n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    over.set()
    reviewer.join()
    review(workspace)
    (entry,) = workspace.entries()
    assert entry.occurrences == total

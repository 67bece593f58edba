"""What recurs is found, what waits is named, and the hook's log becomes entries."""

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.cli.learnings_view import iter_review_lines, serialize_review
from orchestrator.errors import UsageError
from orchestrator.learnings import storage
from orchestrator.learnings.entries import Kind, Status
from orchestrator.learnings.entry_log import log_entry
from orchestrator.learnings.promotion import promote_entry
from orchestrator.learnings.review import extract_keywords, group_entries, review_workspace
from orchestrator.learnings.rule_text import build_rule_text
from orchestrator.learnings.status_changes import resolve_entry, set_fields
from orchestrator.learnings.workspace import Workspace
from orchestrator.platform.locking import lock_descriptor
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.session_hooks import entry as hook

DAY = date(2026, 5, 20)


def noon(day: date) -> str:
    """Noon of a day where the tests run, as the hook writes it: an entry has the local date."""
    local = datetime.combine(day, datetime.min.time()) + timedelta(hours=12)
    return f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def failed_call(command: str, error: str = "Exit code 1", **more: str) -> str:
    facts = {"command": command, "error": error, **more}
    return f"{noon(DAY)} TOOL_FAILURE: Bash {json.dumps(facts)}\n"


def test_a_root_cause_is_one_group(workspace: Workspace) -> None:
    for context in (
        "Deployment without resource limits: missing in payments",
        "Resource limits missing in the checkout Deployment",
        "resource limit missing, pod killed",
        "helm upgrade failed on rollback",
        "helm upgrade needs a diff before it",
    ):
        log_entry(workspace, Kind.ERR, "x", context=context, on=DAY)
    groups = group_entries(workspace.read_entries(), Kind.ERR)
    assert [len(group.entries) for group in groups] == [3, 2]
    assert set(groups[0].label.split()) == {"resource", "limits", "missing"}
    assert [group.label for group in review_workspace(workspace, DAY).candidates] == [
        groups[0].label
    ]


def test_the_same_thing_three_times_is_a_candidate_until_it_is_promoted(
    workspace: Workspace,
) -> None:
    for _ in range(3):
        log_entry(workspace, Kind.LRN, "Run helm diff first", on=DAY)
    (candidate,) = review_workspace(workspace, DAY).candidates
    assert (candidate.kind, candidate.occurrences) == (Kind.LRN, 3)
    path = workspace.locate_file(Kind.LRN)
    text = path.read_text(encoding="utf-8").replace("**: pending", "**: promoted")
    path.write_text(text, encoding="utf-8")
    assert review_workspace(workspace, DAY).candidates == ()


def test_a_promoted_line_is_for_all_that_came_before_it(workspace: Workspace) -> None:
    def happens(number: int) -> None:
        log_entry(
            workspace, Kind.ERR, "x", context=f"checkout limit missing {'abcdefg'[number]}", on=DAY
        )

    for number in range(5):
        happens(number)
    (candidate,) = review_workspace(workspace, DAY).candidates
    last = candidate.entries_since_promotion[-1]
    set_fields(workspace, last, Status.PENDING, {"Status": Status.PROMOTED})
    found = review_workspace(workspace, DAY)
    assert found.candidates == ()
    assert "Pending:\n  'checkout limit missing' (5 times)" in "\n".join(iter_review_lines(found))
    happens(5)
    happens(6)
    assert review_workspace(workspace, DAY).candidates == ()
    log_entry(workspace, Kind.ERR, "x", context="checkout limit missing z", on=DAY)
    (candidate,) = review_workspace(workspace, DAY).candidates
    said = "\n".join(iter_review_lines(review_workspace(workspace, DAY)))
    assert f"First: orchestrator learnings resolve {candidate.entries[-1].id}" in said
    assert f"Then: orchestrator learnings promote {candidate.entries[-1].id}" in said


def test_what_came_back_after_its_promotion_is_named(
    workspace: Workspace, book: MarkdownRulebook
) -> None:
    for text in ("Never rename it", "Sort the version"):
        identity = log_entry(workspace, Kind.ERR, text, on=DAY).id
        log_entry(workspace, Kind.ERR, text, on=DAY)
        entry = resolve_entry(workspace, identity, f"{text}.")
        promote_entry(workspace, identity, build_rule_text(entry, text), book)
    assert review_workspace(workspace, DAY).returned == ()
    log_entry(workspace, Kind.ERR, "Never rename it", on=DAY)
    found = review_workspace(workspace, DAY)
    assert [(entry.context, entry.occurrences_since_promotion) for entry in found.returned] == [
        ("Never rename it", 1)
    ]
    said = "\n".join(iter_review_lines(found))
    assert "Promoted, but recurred" in said
    assert "  ERR-20260520-001 - 'Never rename it' - once\n" in said
    log_entry(workspace, Kind.ERR, "Never rename it", on=DAY)
    assert "'Never rename it' - 2 times" in "\n".join(
        iter_review_lines(review_workspace(workspace, DAY))
    )
    assert serialize_review(found)["returned"][0]["promoted_at"] == 2


def test_what_was_promoted_by_hand_has_come_back_for_all_we_know_never(
    workspace: Workspace,
) -> None:
    text = "### ERR-20260520-001\n**Status**: promoted\n**Context**: x\n**Occurrences**: 9\n"
    workspace.locate_file(Kind.ERR).write_text(text, encoding="utf-8")
    assert review_workspace(workspace, DAY).returned == ()


def test_trouble_of_the_hooks_is_told(workspace: Workspace) -> None:
    assert review_workspace(workspace, DAY).hook_error_log is None
    subprocess.run(
        [sys.executable, "-I", "-S", str(Path(hook.__file__))],
        input=b'{"hook_event_name": "PostToolUseFailure"',
        check=True,
    )
    found = review_workspace(workspace, DAY)
    assert found.hook_error_log is not None
    assert "JSONDecodeError" in found.hook_error_log.read_text(encoding="utf-8")
    assert f"the hooks logged errors: read {found.hook_error_log}" in "\n".join(
        iter_review_lines(found)
    )
    found.hook_error_log.unlink()
    assert review_workspace(workspace, DAY).hook_error_log is None


def test_forms_of_a_word_are_one_word() -> None:
    assert (
        extract_keywords("renamed groups")
        == extract_keywords("rename group")
        == extract_keywords("renaming a group")
    )
    assert extract_keywords("this does nothing about us, and it fails") == extract_keywords(
        "nothing"
    )


def test_words_that_mean_the_same_in_rules_do_so_here(workspace: Workspace) -> None:
    for context in ("Cache directory deleted by the linter", "the linter removes the cache folder"):
        log_entry(workspace, Kind.ERR, "x", context=context, on=DAY)
    (group,) = group_entries(workspace.read_entries(), Kind.ERR)
    assert group.label == "cache directory deleted linter"


def test_what_is_pending_is_listed(workspace: Workspace) -> None:
    for number in range(25):
        log_entry(workspace, Kind.FEAT, f"{number} alpha{number} beta{number}", on=DAY)
    log_entry(workspace, Kind.LRN, "Done with", on=DAY, action="Do it", resolved=True)
    said = list(iter_review_lines(review_workspace(workspace, DAY)))
    assert said[0] == "Pending:"
    assert said[1] == "  '0 alpha0 beta0': FEAT-20260520-001"
    assert said[21] == "  and 5 more; --json lists all of them"
    assert "Done with" not in "\n".join(said)


def test_words_that_say_nothing_join_nothing(workspace: Workspace) -> None:
    for context in ("it failed because of that", "that failed because it is not there", "1 2 3"):
        log_entry(workspace, Kind.ERR, "x", context=context, on=DAY)
    assert len(group_entries(workspace.read_entries(), Kind.ERR)) == 3
    assert extract_keywords("It failed because of that") == frozenset()


def test_stale_is_what_nobody_dealt_with_for_more_than_a_week(workspace: Workspace) -> None:
    old = log_entry(workspace, Kind.ERR, "old thing", on=DAY).id
    done = log_entry(workspace, Kind.ERR, "other matter", on=DAY).id
    resolve_entry(workspace, done, "Did it")
    log_entry(workspace, Kind.FEAT, "new wish", on=date(2026, 5, 21))
    assert [one.id for one in review_workspace(workspace, date(2026, 5, 28)).stale] == [old]
    assert review_workspace(workspace, date(2026, 5, 27)).stale == ()


def test_totals(workspace: Workspace) -> None:
    for text in ("one thing", "another matter"):
        log_entry(workspace, Kind.ERR, text, on=DAY)
    resolve_entry(workspace, "ERR-20260520-001", "Did it")
    totals = review_workspace(workspace, DAY).totals
    assert dict(totals[Kind.ERR]) == {"resolved": 1, "pending": 1}
    assert dict(totals[Kind.FEAT]) == {}


def test_ids_given_twice_are_named(workspace: Workspace) -> None:
    text = "### ERR-20260520-001\n**Context**: a b\n### ERR-20260520-001\n**Context**: c d\n"
    workspace.locate_file(Kind.ERR).write_text(text, encoding="utf-8")
    assert review_workspace(workspace, DAY).doubled == ("ERR-20260520-001",)


def test_ids_given_twice_are_not_mixed_up(workspace: Workspace) -> None:
    first = "### ERR-20260520-001\n**Context**: one branch\n**Occurrences**: 1\n\n"
    other = "### ERR-20260520-001\n**Context**: other branch\n**Occurrences**: 4\n"
    workspace.locate_file(Kind.ERR).write_text(first + other, encoding="utf-8")
    assert log_entry(workspace, Kind.ERR, "x", context="Other branch", on=DAY).occurrences == 5
    text = workspace.locate_file(Kind.ERR).read_text(encoding="utf-8")
    assert text.startswith(first)
    assert "**Occurrences**: 5\n" in text


def calls_of(thread: threading.Thread) -> list[str]:
    """Return the names of the functions that a thread is in."""
    frame = sys._current_frames().get(thread.ident or 0)
    return [one.name for one in traceback.extract_stack(frame)] if frame else []


def test_hooks_do_not_wait_while_a_review_waits(workspace: Workspace) -> None:
    workspace.pending_errors.write_text(failed_call("make test"), encoding="utf-8")
    reviewer = threading.Thread(target=review_workspace, args=(workspace,))
    with storage.lock_workspace(workspace.base):
        reviewer.start()
        while storage.lock_workspace.__name__ not in calls_of(reviewer):
            assert reviewer.is_alive()
            time.sleep(0.01)
        with workspace.pending_errors.open("ab") as log_file:
            lock_descriptor(log_file.fileno(), 0.0)
            log_file.write(failed_call("make lint").encode())
    reviewer.join()
    assert len(workspace.read_entries()) == 2


def test_the_log_becomes_entries_and_is_cleared(workspace: Workspace) -> None:
    workspace.pending_errors.write_text(
        failed_call("make test", "Exit code 2\nmake: no rule", call="toolu_1")
        + failed_call("make test", "Exit code 2\nmake: no rule", call="toolu_1")
        + failed_call("make test", "Exit code 2\nmake: no rule", call="toolu_2")
        + failed_call("TOKEN=abcdef12345 deploy")
        + f"{noon(date(2026, 5, 21))} TOOL_FAILURE: Edit\n"
        + "\nsomething else\n",
        encoding="utf-8",
    )
    found = review_workspace(workspace, DAY)
    assert len(found.imported) == 4
    assert workspace.pending_errors.read_bytes() == b""
    by_context = {entry.context: entry for entry in workspace.read_entries()}
    assert by_context["Bash failed: make test"].occurrences == 2
    assert by_context["Bash failed: make test"].content == "Exit code 2 make: no rule"
    assert by_context["Bash failed: make test"].first_seen == DAY
    assert "Bash failed: TOKEN=[redacted: secret] deploy" in by_context
    assert by_context["Edit failed"].first_seen == date(2026, 5, 21)
    assert "failed: something else" in by_context
    assert review_workspace(workspace, DAY).imported == ()


@pytest.mark.parametrize("character", ["\u2028", "\u0085", "\x0c", "\r"])
def test_a_folder_with_an_odd_name_is_one_failure(workspace: Workspace, character: str) -> None:
    facts = {"command": "make", "error": "x", "directory": f"/a{character}b", "call": "toolu_1"}
    line = f"2026-05-20T12:00:00Z TOOL_FAILURE: Bash {json.dumps(facts, ensure_ascii=False)}\n"
    workspace.pending_errors.write_text(line, encoding="utf-8", newline="")
    review_workspace(workspace, DAY)
    (entry,) = workspace.read_entries()
    assert entry.context == "Bash failed: make"


def test_the_hook_writes_one_line_whoever_reads_it(workspace: Workspace) -> None:
    event = {
        "hook_event_name": "PostToolUseFailure",
        "tool_name": "Bash",
        "tool_input": {"command": "make"},
        "tool_use_id": "toolu_1",
        "error": "\ud800",
        "cwd": f"{workspace.base}/a\u2028b\u0085c",
    }
    subprocess.run(
        [sys.executable, "-I", "-S", str(Path(hook.__file__))],
        input=json.dumps(event).encode(),
        env={**os.environ, "CLAUDE_PROJECT_DIR": str(workspace.base)},
        check=True,
    )
    assert len(workspace.pending_errors.read_text(encoding="utf-8").splitlines()) == 1
    review_workspace(workspace, DAY)
    (entry,) = workspace.read_entries()
    assert entry.context == "Bash failed: make"


@pytest.mark.parametrize(
    "line",
    [
        '2026-05-20T12:00:00Z TOOL_FAILURE: Bash {"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        '2026-05-20T12:00:00Z TOOL_FAILURE: Bash {"a":' + "9" * 5000 + "}",
        '2026-05-20T12:00:00Z TOOL_FAILURE: Bash {"error":"\\ud800"}',
        '0001-01-01T00:00:00Z TOOL_FAILURE: Bash {"error":"x"}',
        '0900-01-01T00:00:00Z TOOL_FAILURE: Bash {"error":"x"}',
        '9999-12-31T23:59:59-14:00 TOOL_FAILURE: Bash {"error":"x"}',
        "2026-05-20T12:00:00Z TOOL_FAILURE: " + " " * 300_000 + "x",
    ],
    ids=["deep", "long", "surrogate", "first", "early", "last", "wide"],
)
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_any_line_becomes_an_entry(
    workspace: Workspace, line: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.pending_errors.write_text(f"{line}\n", encoding="utf-8")
    try:
        with monkeypatch.context() as there:
            there.setenv("TZ", zone)
            time.tzset()
            (logged,) = review_workspace(workspace, DAY).imported
    finally:
        time.tzset()
    assert workspace.find_entry(logged.id).occurrences == 1
    assert workspace.pending_errors.read_bytes() == b""


def test_a_log_that_is_no_file_is_refused(workspace: Workspace) -> None:
    os.mkfifo(workspace.pending_errors)
    with pytest.raises(UsageError, match="is not a file"):
        review_workspace(workspace, DAY)


def test_a_log_that_cannot_become_entries_stays(workspace: Workspace) -> None:
    line = failed_call("make test")
    workspace.pending_errors.write_text(line, encoding="utf-8")
    workspace.locate_file(Kind.ERR).write_bytes("x".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-16"):
        review_workspace(workspace, DAY)
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
            review_workspace(workspace)

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
    review_workspace(workspace)
    (entry,) = workspace.read_entries()
    assert entry.occurrences == total

"""Rows become sessions, with their threads, calls, results and people's words."""

import gc
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sessions.models import Denial, Interjection, ModelCall, Prompt, SessionClass
from orchestrator.sessions.reading.deduplication import KnownIds, pack_ids, unpack_ids
from orchestrator.sessions.reading.family_reading import read_family
from orchestrator.sessions.reading.files import find_transcripts
from tests.sessions.rows_by_hand import (
    SESSION,
    call_tool,
    give_result,
    list_calls,
    main_file,
    make_row,
    read_home,
    read_one,
    say,
    write_rows,
)

OTHER = "99999999-2222-4333-8444-555555555555"
REFUSAL = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was "
    "a file edit, the new_string was NOT written to the file). "
)


def fork(rows: list[dict[str, Any]], marked: bool = True) -> list[dict[str, Any]]:
    """Return copies of rows in another session, as a fork writes them."""
    copies = [{**row, "sessionId": OTHER} for row in rows]
    for row in copies:
        if marked and row["type"] == "assistant":
            row["requestSessionId"] = SESSION
    return copies


def test_a_call_has_its_result(tmp_path: Path) -> None:
    result = give_result("c", "t", "Exit code 1\nno", error=True)
    write_rows(main_file(tmp_path), say("a", "do it"), call_tool("b", "t"), result)
    session = read_one(tmp_path)
    (call,) = list_calls(session)
    assert (call.name, call.result, call.is_error, call.denial) == (
        "Bash",
        "Exit code 1\nno",
        True,
        None,
    )
    assert (session.folder, session.versions, session.models) == (
        "/home/dev/shop",
        ("2.1.332",),
        ("m",),
    )
    assert session.kind is SessionClass.HUMAN


def test_a_killed_call_has_no_result(tmp_path: Path) -> None:
    write_rows(main_file(tmp_path), say("a", "do it"), call_tool("b", "t"))
    (call,) = list_calls(read_one(tmp_path))
    assert call.result is None


def test_an_answer_in_several_rows_is_one_call_with_the_largest_numbers(tmp_path: Path) -> None:
    first, second = call_tool("a", "t1", "msg"), call_tool("b", "t2", "msg")
    second["message"] = {**second["message"], "usage": {"input_tokens": 1, "output_tokens": 90}}
    write_rows(main_file(tmp_path), first, second)
    session = read_one(tmp_path)
    assert (session.usage.input, session.usage.output, session.usage.cache_read) == (1, 90, 3)
    assert len(list_calls(session)) == 2


@pytest.mark.parametrize("fork_is_older", [False, True])
def test_what_a_fork_copied_counts_for_the_original(tmp_path: Path, fork_is_older: bool) -> None:
    rows = [say("a", "do it"), call_tool("b", "t"), give_result("c", "t", "ok")]
    new = say("d", "and now?", sessionId=OTHER)
    original = write_rows(main_file(tmp_path), *rows)
    copy = write_rows(main_file(tmp_path, OTHER), *fork(rows), new)
    os.utime(original, (2_000, 2_000))
    os.utime(copy, (1_000, 1_000) if fork_is_older else (3_000, 3_000))
    known = KnownIds()
    readings = {each.family.name: each for each in read_home(tmp_path, known)}
    assert len(list_calls(readings[SESSION].sessions[0])) == 1
    (forked,) = readings[OTHER].sessions
    assert [entry.text for entry in forked.main.entries if isinstance(entry, Prompt)] == [
        "and now?"
    ]
    assert forked.usage.input == 0
    assert len(known.ids) == sum(len(file.ids) for each in readings.values() for file in each.files)


def test_a_fork_whose_original_is_gone_has_all_its_rows(tmp_path: Path) -> None:
    rows = [say("a", "do it"), call_tool("b", "t"), give_result("c", "t", "ok")]
    write_rows(main_file(tmp_path, OTHER), *fork(rows))
    assert len(list_calls(read_one(tmp_path))) == 1


def test_a_fork_is_shown_with_what_it_copied(tmp_path: Path) -> None:
    rows = [say("a", "do it"), call_tool("b", "t"), give_result("c", "t", "ok")]
    write_rows(main_file(tmp_path), *rows)
    write_rows(main_file(tmp_path, OTHER), *fork(rows))
    (family,) = [each for each in find_transcripts(tmp_path) if each.name == OTHER]
    (session,) = read_family(family, KnownIds(), with_copies=True).sessions
    assert len(list_calls(session)) == 1


def test_rows_of_a_fork_with_new_ids_are_copies_too(tmp_path: Path) -> None:
    rows = [say("a", "do it"), call_tool("b", "t")]
    copies = [
        {**row, "sessionId": OTHER, "uuid": f"new {row['uuid']}"}
        | {"forkedFrom": {"sessionId": SESSION, "messageUuid": row["uuid"]}}
        for row in rows
    ]
    write_rows(main_file(tmp_path), *rows)
    write_rows(main_file(tmp_path, OTHER), *copies)
    prompts = [
        entry
        for reading in read_home(tmp_path)
        for session in reading.sessions
        for entry in session.main.entries
        if isinstance(entry, Prompt)
    ]
    assert len(prompts) == 1


def copy_rows(rows: list[dict[str, Any]], origin: str, session: str) -> list[dict[str, Any]]:
    """Return copies of rows with ids of their own, each of which names its origin."""
    return [
        {**row, "sessionId": session, "uuid": f"{session} {row['uuid']}"}
        | {"forkedFrom": {"sessionId": origin, "messageUuid": row["uuid"]}}
        for row in rows
    ]


@pytest.mark.parametrize("middle_first", [False, True])
def test_a_fork_of_a_fork_that_is_gone_counts_nothing_again(
    tmp_path: Path, middle_first: bool
) -> None:
    rows = [say("a", "do it"), call_tool("b", "t")]
    middle = copy_rows(rows, SESSION, "middle")
    original = write_rows(main_file(tmp_path), *rows)
    path = write_rows(main_file(tmp_path, "middle"), *middle)
    os.utime(original, (2_000, 2_000))
    os.utime(path, (1_000, 1_000) if middle_first else (3_000, 3_000))
    known = KnownIds()
    read_home(tmp_path, known)
    path.unlink()
    original.unlink()
    new = say("new", "go on", sessionId=OTHER)
    write_rows(main_file(tmp_path, OTHER), *copy_rows(middle, "middle", OTHER), new)
    (reading,) = read_home(tmp_path, known)
    (session,) = reading.sessions
    assert [entry.row for entry in session.main.entries if isinstance(entry, Prompt)] == ["new"]
    assert list_calls(session) == []


OWN = "0c4e57a1-0000-4000-8000-000000000001"  # the same in each process of the tests


@pytest.mark.parametrize("origin", [OWN, SESSION])
@pytest.mark.parametrize("is_marked", [False, True])
def test_what_was_copied_from_our_own_session_is_left_out(
    tmp_path: Path, origin: str, is_marked: bool
) -> None:
    rows = [call_tool("b", "t"), give_result("c", "t", "no", error=True)]
    new = [say("d", "and now?", sessionId=OTHER), call_tool("e", "u", sessionId=OTHER)]
    marked = [{**row, "sessionId": OTHER, "requestSessionId": origin} for row in rows]
    copies = marked if is_marked else copy_rows(rows, origin, OTHER)
    write_rows(main_file(tmp_path, OTHER), *copies, *new)
    session = read_one(tmp_path, own_ids={SESSION})
    assert session.kind is SessionClass.HUMAN
    assert [call.row for call in list_calls(session)] == ["e"]
    assert len(list_calls(read_one(tmp_path, own_ids={SESSION}, with_copies=True))) == 2


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "a/b", ".."])
def test_an_odd_origin_hides_no_session(tmp_path: Path, name: str) -> None:
    row = say("a", "do it", forkedFrom={"sessionId": name, "messageUuid": "b"})
    write_rows(main_file(tmp_path), row)
    assert len(read_one(tmp_path).main.entries) == 1


def test_a_family_that_is_read_again_is_the_same(tmp_path: Path) -> None:
    rows = [say("a", "do it"), call_tool("b", "t"), give_result("c", "t", "ok")]
    write_rows(main_file(tmp_path), *rows)
    (family,) = find_transcripts(tmp_path)
    known = KnownIds()
    first = read_family(family, known)
    assert read_family(family, known).sessions == []
    for file in first.files:
        known.release(unpack_ids(pack_ids(file.ids)))
    assert read_family(family, known) == first


def test_subagents_have_threads_of_their_own(tmp_path: Path) -> None:
    main = main_file(tmp_path)
    write_rows(main, say("a", "do it"), call_tool("b", "t"))
    agent = main.with_suffix("") / "subagents" / "agent-xyz.jsonl"
    inner = [say("c", "help", isSidechain=True), call_tool("d", "t2", isSidechain=True)]
    write_rows(agent, *({**row, "agentId": "xyz"} for row in inner))
    session = read_one(tmp_path)
    assert [thread.agent for thread in session.threads] == ["", "xyz"]
    assert [len(list_calls(session)), session.usage.input] == [2, 2]
    assert (
        sum(isinstance(entry, Prompt) for thread in session.threads for entry in thread.entries)
        == 1
    )


def test_old_sidechains_are_told_apart_by_their_first_row(tmp_path: Path) -> None:
    side: dict[str, Any] = {"isSidechain": True}
    rows = [
        say("a", "do it"),
        say("s1", "one", **side),
        say("s2", "two", **side),
        call_tool("s3", "t3", parentUuid="s1", **side),
        call_tool("s4", "t4", parentUuid="s2", **side),
        call_tool("s5", "t5", parentUuid="s3", **side),
    ]
    write_rows(main_file(tmp_path), *rows)
    threads = {each.agent: each.entries for each in read_one(tmp_path).threads}
    numbers = {
        name: sum(isinstance(e, ModelCall) for e in entries) for name, entries in threads.items()
    }
    assert numbers == {"": 0, "s1": 2, "s2": 1}


def test_a_subagent_in_rows_and_in_a_file_counts_once(tmp_path: Path) -> None:
    inner = call_tool("d", "t2", "msg_inner")
    data = {"type": "agent_progress", "agentId": "xyz", "message": inner}
    main = main_file(tmp_path)
    write_rows(main, say("a", "do it"), make_row("progress", "p", data=data))
    side = {**inner, "isSidechain": True, "agentId": "xyz"}
    write_rows(main.with_suffix("") / "subagents" / "agent-xyz.jsonl", side)
    session = read_one(tmp_path)
    assert (session.usage.input, len(list_calls(session))) == (1, 1)


def test_copies_of_requests_are_no_rows(tmp_path: Path) -> None:
    blob = {"type": "api-request-blob", "message": {"role": "user", "content": "do it"}}
    write_rows(
        main_file(tmp_path), blob, say("a", "do it"), {"type": "last-prompt", "lastPrompt": "x"}
    )
    assert len(read_one(tmp_path).main.entries) == 1


def test_the_users_words_are_taken_from_the_result(tmp_path: Path) -> None:
    text = REFUSAL + "To tell you how to proceed, the user said:\nuse a switch"
    row = give_result("c", "t", text, error=True, toolUseResult=f"Error: {text}\ud83d")
    write_rows(main_file(tmp_path), call_tool("b", "t"), row)
    (call,) = list_calls(read_one(tmp_path))
    assert (call.denial, call.user_message) == (Denial.REJECTED, "use a switch")


def test_what_is_typed_while_it_works_is_no_prompt(tmp_path: Path) -> None:
    result = give_result("c", "t", "ok")
    result["message"]["content"].append({"type": "text", "text": "and test it"})
    queued = {"type": "queued_command", "prompt": "only Python", "origin": {"kind": "human"}}
    notice = {"type": "queued_command", "prompt": "x", "origin": {"kind": "task-notification"}}
    write_rows(
        main_file(tmp_path),
        say("a", "do it"),
        call_tool("b", "t"),
        result,
        make_row("attachment", "d", attachment=queued),
        make_row("attachment", "e", attachment=notice),
    )
    entries = read_one(tmp_path).main.entries
    words = [entry.text for entry in entries if isinstance(entry, Interjection)]
    assert words == ["and test it", "only Python"]
    assert sum(isinstance(entry, Prompt) for entry in entries) == 1


def test_loaded_instructions_names_and_costs_are_read(tmp_path: Path) -> None:
    files = [{"path": "/p/CLAUDE.md", "content": "# Rules"}]
    nested = {
        "type": "nested_memory",
        "path": "r.md",
        "content": {"path": "r.md", "content": "more"},
    }
    write_rows(
        main_file(tmp_path),
        say("a", "do it"),
        make_row("attachment", "b", attachment={"type": "instructions", "files": files}),
        make_row("attachment", "c", attachment=nested),
        make_row("attachment", "d", attachment={"type": "skill_listing", "content": "text"}),
        {"type": "ai-title", "aiTitle": "Doing it", "sessionId": SESSION},
        {"type": "cost-state", "totalCostUSD": 0.1, "sessionId": SESSION},
        {"type": "cost-state", "totalCostUSD": 0.25, "sessionId": SESSION},
    )
    session = read_one(tmp_path)
    assert session.instructions == ("# Rules", "more")
    assert (session.title, session.cost_usd) == ("Doing it", 0.25)


def test_a_summary_names_only_the_session_of_its_row(tmp_path: Path) -> None:
    summaries = [
        {"type": "summary", "summary": "of another", "leafUuid": "z"},
        {"type": "summary", "summary": "of this one", "leafUuid": "a"},
    ]
    write_rows(main_file(tmp_path), *summaries, say("a", "do it"))
    assert read_one(tmp_path).title == "of this one"


def test_what_the_model_said_is_kept_only_on_request(tmp_path: Path) -> None:
    text = {
        "id": "m1",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Yes."}],
    }
    write_rows(main_file(tmp_path), make_row("assistant", "a", message=text))
    (call,) = read_one(tmp_path).main.entries
    assert isinstance(call, ModelCall)
    assert call.text == ""
    (call,) = read_one(tmp_path, with_text=True).main.entries
    assert isinstance(call, ModelCall)
    assert call.text == "Yes."


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, SessionClass.HUMAN),
        ({"promptSource": "sdk"}, SessionClass.HEADLESS),
        ({"promptSource": "sdk", "origin": {"kind": "human"}}, SessionClass.HUMAN),
        ({"entrypoint": "sdk-cli"}, SessionClass.HEADLESS),
    ],
)
def test_a_session_has_a_class(tmp_path: Path, values: dict[str, Any], kind: SessionClass) -> None:
    write_rows(main_file(tmp_path), say("a", "do it", **values))
    assert read_one(tmp_path).kind is kind


def test_own_sessions_are_known_by_ledger_mark_and_folder(tmp_path: Path) -> None:
    write_rows(main_file(tmp_path), say("a", "do it"))
    assert read_one(tmp_path, own_ids={SESSION}).kind is SessionClass.OWN
    assert read_one(tmp_path, own_folders=[Path("/home/dev")]).kind is SessionClass.OWN
    assert read_one(tmp_path, own_folders=[tmp_path]).kind is SessionClass.OWN
    assert read_one(tmp_path, own_folders=[Path("/home/de")]).kind is SessionClass.HUMAN
    main_file(tmp_path).unlink()
    write_rows(main_file(tmp_path, "0c4e57a1-2222-4333-8444-555555555555"), say("a", "do it"))
    assert read_one(tmp_path).kind is SessionClass.OWN


def test_files_that_cannot_be_read_are_described(tmp_path: Path) -> None:
    main = write_rows(main_file(tmp_path), say("a", "do it"))
    agent = write_rows(main.with_suffix("") / "subagents" / "agent-x.jsonl", call_tool("b", "t"))
    (family,) = find_transcripts(tmp_path)
    agent.unlink()
    reading = read_family(family, KnownIds())
    assert [file.problem for file in reading.files] == ["", "No such file or directory"]
    assert len(reading.sessions) == 1


def test_a_large_output_is_read_from_the_sessions_folder(tmp_path: Path) -> None:
    main = main_file(tmp_path)
    text = "<persisted-output>\nOutput too large (58.6KB). Full output saved to: /x/out.txt\n\n"
    write_rows(main, call_tool("b", "t"), give_result("c", "t", text + "Preview"))
    assert list_calls(read_one(tmp_path))[0].result == text + "Preview"
    output = main.with_suffix("") / "tool-results" / "out.txt"
    output.parent.mkdir(parents=True)
    output.write_text("all of it")
    assert list_calls(read_one(tmp_path))[0].result == "all of it"
    output.write_text("a" * 3_000_000 + "end")
    result = list_calls(read_one(tmp_path))[0].result or ""
    assert result.endswith("end")
    assert len(result) < 1_100_000


@pytest.mark.parametrize("name", ["../../secret.txt", "..", "secret\0.txt", "link.txt"])
def test_no_other_file_is_read_as_a_large_output(tmp_path: Path, name: str) -> None:
    main = main_file(tmp_path)
    secret = main.parent / "secret.txt"
    text = f"<persisted-output>\nFull output saved to: /x/{name}\n\nPreview"
    write_rows(main, call_tool("b", "t"), give_result("c", "t", text))
    secret.write_text("secret")
    folder = main.with_suffix("") / "tool-results"
    folder.mkdir(parents=True)
    (folder / "link.txt").symlink_to(secret)
    assert list_calls(read_one(tmp_path))[0].result == text


def test_reading_leaves_no_cycles(tmp_path: Path) -> None:
    write_rows(main_file(tmp_path), say("a", "do it"), call_tool("b", "t"), b"{cut\n")
    (family,) = find_transcripts(tmp_path)
    read_family(family, KnownIds())
    gc.collect()
    gc.disable()
    try:
        read_family(family, KnownIds())
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert gc.isenabled()


def test_memory_does_not_grow_with_the_number_of_families(tmp_path: Path) -> None:
    def measure(count: int) -> int:
        home = tmp_path / str(count)
        for number in range(count):
            rows = [
                call_tool(f"{number}b", f"{number}t"),
                give_result(f"{number}c", f"{number}t", "x" * 300_000),
            ]
            write_rows(main_file(home, f"{number}"), *rows)
        tracemalloc.start()
        known = KnownIds()
        for family in find_transcripts(home):
            read_family(family, known)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    measure(2)
    assert measure(40) < 2 * measure(4)

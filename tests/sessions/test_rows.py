"""Rows are decoded or counted, whatever stands in a file."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.sessions.reading import row_reading as module
from orchestrator.sessions.reading.row_reading import RowReader
from orchestrator.sessions.reading.row_recovery import recover_rows
from orchestrator.sessions.reading.rows import Row
from tests.sessions.rows_by_hand import call_tool, give_result, say, write_rows

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
ANY = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
FIELDS = [field.name for field in msgspec.structs.fields(Row)]


def read(path: Path) -> tuple[list[Row], RowReader]:
    reader = RowReader(path)
    return list(reader), reader


def list_uuids(path: Path) -> list[str]:
    return [row.uuid for row in read(path)[0]]


def encode(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode()


def test_two_objects_on_one_line_are_two_rows(tmp_path: Path) -> None:
    line = encode(say("a", "x")) + encode(say("b", "y")) + b"\n"
    rows, reader = read(write_rows(tmp_path / "s.jsonl", line, say("c", "z")))
    assert [row.uuid for row in rows] == ["a", "b", "c"]
    assert (reader.rows, reader.unreadable) == (3, 0)


def test_an_ignored_row_does_not_hide_the_one_on_its_line(tmp_path: Path) -> None:
    line = b'{"type":"file-history-snapshot","snapshot":{}}' + encode(say("b", "y")) + b"\n"
    assert list_uuids(write_rows(tmp_path / "s.jsonl", line)) == ["", "b"]


def test_a_cut_line_is_counted_and_the_row_behind_it_is_found(tmp_path: Path) -> None:
    whole = encode(say("b", "y"))
    cut = b'{"parentUuid":null,"type":"user","uuid":"a","message":{"role":"us'
    line = cut + whole.replace(b'{"type"', b'{"parentUuid":null,"type"', 1) + b"\n"
    rows, reader = read(write_rows(tmp_path / "s.jsonl", line, cut + b"\n", say("c", "z")))
    assert [row.uuid for row in rows] == ["b", "c"]
    assert reader.unreadable == 2


def test_a_part_of_a_cut_row_is_no_row(tmp_path: Path) -> None:
    line = b'{"uuid":"a","message":{"content":[{"type":"user","uuid":"b","message":{}}\n'
    rows, reader = read(write_rows(tmp_path / "s.jsonl", line))
    assert (rows, reader.unreadable) == ([], 1)


def test_nul_bytes_and_empty_lines_are_nothing(tmp_path: Path) -> None:
    line = b"\0\0\0" + encode(say("a", "x")) + b"\0\n"
    rows, reader = read(write_rows(tmp_path / "s.jsonl", line, b"\n  \n\r\n\0\0\n", say("b", "y")))
    assert [row.uuid for row in rows] == ["a", "b"]
    assert reader.unreadable == 0


def test_what_is_still_being_written_is_left_for_the_next_time(tmp_path: Path) -> None:
    first, second = encode(say("a", "x")) + b"\n", encode(say("b", "y"))
    path = write_rows(tmp_path / "s.jsonl", first, second[:-9])
    rows, reader = read(path)
    assert ([row.uuid for row in rows], reader.unreadable) == (["a"], 0)
    path.write_bytes(first + second)
    rows, reader = read(path)
    assert ([row.uuid for row in rows], reader.unreadable) == (["a", "b"], 0)


def test_a_separator_inside_of_a_text_ends_no_row(tmp_path: Path) -> None:
    text = "one\u2028two\u2029three\x85four"
    line = json.dumps(say("a", text), ensure_ascii=False).encode() + b"\n"
    rows, _ = read(write_rows(tmp_path / "s.jsonl", line))
    assert rows[0].message is not None
    assert rows[0].message.content == text


def test_half_of_a_surrogate_pair_costs_one_character(tmp_path: Path) -> None:
    line = encode(say("a", "x\ud83dy")) + b"\n"
    (row,), reader = read(write_rows(tmp_path / "s.jsonl", line))
    assert row.message is not None
    assert (row.message.content, reader.unreadable) == ("x?y", 0)


def test_json_over_several_lines_is_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({"sessionId": "g", "messages": [{"type": "user"}]}, indent=2))
    rows, reader = read(path)
    assert (rows, reader.unreadable, reader.is_foreign) == ([], 0, True)


def test_a_line_that_is_too_long_is_counted_and_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_ROW", 1000)
    long = say("b", "x" * 5000)
    path = write_rows(tmp_path / "s.jsonl", say("a", "x"), long, say("c", "y"), long)
    rows, reader = read(path)
    assert [row.uuid for row in rows] == ["a", "c"]
    assert (reader.rows, reader.unreadable) == (2, 2)


def test_a_pipe_and_a_folder_are_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    os.mkfifo(path)
    number = len(list(Path("/dev/fd").iterdir()))
    for each in (path, tmp_path):
        with pytest.raises(OSError, match="plain file"):
            read(each)
    assert len(list(Path("/dev/fd").iterdir())) == number


def test_deep_nesting_is_unreadable(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "s.jsonl", b"[" * 100_000 + b"\n", say("a", "x"))
    rows, reader = read(path)
    assert ([row.uuid for row in rows], reader.unreadable) == (["a"], 1)


@pytest.mark.parametrize("size", [10, 5000])
def test_a_large_row_is_read_like_a_small_one(tmp_path: Path, size: int) -> None:
    text = "x" * size
    plain = give_result("b", "t", text)
    plain["toolUseResult"] = {"stdout": text, "toolUseResult": {"sourceToolAssistantUUID": "n"}}
    plain["sourceToolAssistantUUID"] = "a"
    plain["permissionDecision"] = {"decision": "accept", "source": "config"}
    denied = {
        **give_result("c", "t", text),
        "toolUseResult": text,
        "toolDenialKind": "user-rejected",
    }
    denied["sourceToolAssistantUUID"] = "a"
    quoting = give_result("d", "t", f'{text},"toolUseResult":1,"sourceToolAssistantUUID":"')
    path = tmp_path / "s.jsonl"
    lines = (
        json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in (plain, denied, quoting)
    )
    rows, reader = read(write_rows(path, *lines))
    assert (len(rows), reader.unreadable) == (3, 0)
    for row, uuid in zip(rows, "bcd", strict=True):
        assert row.message is not None
        assert isinstance(row.message.content, list)
        assert isinstance(row.message.content[0].content, str)
        assert row.message.content[0].content.startswith(text)
        assert row.uuid == uuid
    assert rows[0].permissionDecision is not None
    assert rows[1].toolDenialKind == "user-rejected"


@given(st.dictionaries(st.sampled_from(FIELDS), ANY))
def test_any_object_is_a_row(values: dict[str, Any]) -> None:
    line = json.dumps(values).encode()
    (row,) = recover_rows(line)
    assert row is not None


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60)))
def test_any_bytes_are_read(lines: list[bytes]) -> None:
    whole = json.dumps(say("a", "x")).encode()
    for line in lines:
        assert {type(each) for each in recover_rows(line)} <= {Row, type(None)}
        list(recover_rows(whole[: len(line)] + line))


def test_many_rows_on_one_line_are_taken_one_by_one() -> None:
    line = encode(say("a", "x" * 2_000)) * 2_000
    tracemalloc.start()
    try:
        assert sum(row is not None for row in recover_rows(line)) == 2_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(line)  # the text of the line, and never its rest or all rows


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_number_that_is_none_costs_one_field(tmp_path: Path, number: float) -> None:
    row = encode({**say("a", "x"), "totalCostUSD": number})
    ((found,), reader) = read(write_rows(tmp_path / "s.jsonl", row + b"\n"))
    assert (found.uuid, found.totalCostUSD, reader.unreadable) == ("a", None, 0)


@given(st.integers(0, 400), st.booleans())
def test_a_cut_at_any_place_costs_one_row(
    tmp_path_factory: pytest.TempPathFactory, cut: int, ends: bool
) -> None:
    path = tmp_path_factory.mktemp("cut") / "s.jsonl"
    whole = encode(call_tool("b", "t"))
    part = whole[: min(cut, len(whole) - 1)]
    write_rows(path, say("a", "x"), part + b"\n", say("c", "z"), part + b"\n" * ends)
    rows, reader = read(path)
    assert [row.uuid for row in rows] == ["a", "c"]
    assert reader.unreadable == (0 if not part else 1 + ends)

"""Transcripts are found in every layout, and nowhere else."""

import os
from pathlib import Path

import pytest

from orchestrator.sessions.reading.files import find_outer_links, find_transcripts
from orchestrator.sessions.reading.homes import find_homes
from tests.sessions.rows_by_hand import SESSION, call_tool, main_file, say, write_rows


def make_home(path: Path) -> Path:
    (path / "projects").mkdir(parents=True)
    return path


def test_a_family_has_its_subagents(tmp_path: Path) -> None:
    main = write_rows(main_file(tmp_path), say("a", "x"))
    below = main.with_suffix("") / "subagents"
    agent = write_rows(below / "agent-1.jsonl", call_tool("b", "t"))
    nested = write_rows(below / "workflows" / "wf_1" / "agent-2.jsonl", call_tool("c", "t2"))
    write_rows(below / "workflows" / "wf_1" / "journal.jsonl", {"type": "started"})
    old = write_rows(main.parent / "agent-old.jsonl", b"\n", call_tool("d", "t3"))
    other = write_rows(main_file(tmp_path, "other"), say("e", "x"))
    families = {each.name: each for each in find_transcripts(tmp_path)}
    assert set(families) == {SESSION, "other"}
    assert families[SESSION].files == (main, *sorted([agent, nested, old]))
    assert families["other"].files == (other,)
    assert families[SESSION].key == str(main)


def test_subagents_whose_main_file_is_gone_are_a_family(tmp_path: Path) -> None:
    folder = main_file(tmp_path).with_suffix("") / "subagents"
    write_rows(folder / "agent-1.jsonl", call_tool("b", "t"))
    write_rows(main_file(tmp_path, "agent-broken"), b"{\n")
    families = {each.name: each.has_main for each in find_transcripts(tmp_path)}
    assert families == {SESSION: False, "agent-broken": True}


@pytest.mark.parametrize("name", [".claude", "..", ".", "a/b", "/etc", "a\0b", "\ud800", "x" * 300])
def test_an_id_that_is_no_name_names_no_session(tmp_path: Path, name: str) -> None:
    path = main_file(tmp_path, "agent-1")
    write_rows(path, {**say("a", "x"), "sessionId": name})
    assert [each.name for each in find_transcripts(tmp_path)] == ["agent-1"]


@pytest.mark.parametrize("name", ["..", "."])
def test_a_name_that_leads_out_names_no_folder(tmp_path: Path, name: str) -> None:
    write_rows(main_file(tmp_path, name), say("a", "x"))
    write_rows(tmp_path / "projects" / f"{name}.jsonl", say("b", "x"))
    assert [each.folder for each in find_transcripts(tmp_path)] == ["", ""]


def test_the_oldest_file_is_first(tmp_path: Path) -> None:
    for name, time in (("b", 100), ("c", 50), ("a", 100)):
        os.utime(write_rows(main_file(tmp_path, name), say(name, "x")), (time, time))
    assert [each.name for each in find_transcripts(tmp_path)] == ["c", "a", "b"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    home, outside = make_home(tmp_path / "home"), tmp_path / "outside"
    write_rows(main_file(outside), say("a", "x"))
    (home / "projects" / "link").symlink_to(outside / "projects")
    (home / "projects" / "link.jsonl").symlink_to(main_file(outside))
    (home / "projects" / "loop").symlink_to(home / "projects")
    (home / "projects" / "inside").symlink_to(main_file(home).parent)
    write_rows(main_file(home), say("a", "x"))
    assert len(find_transcripts(home)) == 1
    assert find_outer_links(home) == [home / "projects" / "link"]


def test_a_link_from_projects_is_the_users_own(tmp_path: Path) -> None:
    elsewhere, linked = tmp_path / "elsewhere", tmp_path / "linked"
    main = write_rows(main_file(elsewhere), say("a", "x"))
    linked.mkdir()
    (linked / "projects").symlink_to(elsewhere / "projects")
    (family,) = find_transcripts(linked)
    assert (family.files, family.home) == ((main,), linked)
    assert find_outer_links(linked) == []
    # Two homes with the same transcripts are one.
    assert find_homes({"HOME": str(tmp_path)}, [linked, elsewhere]) == [linked]


def test_special_files_and_missing_homes_have_no_transcripts(tmp_path: Path) -> None:
    main_file(tmp_path).parent.mkdir(parents=True)
    os.mkfifo(main_file(tmp_path))
    main_file(tmp_path, "folder").mkdir()
    assert find_transcripts(tmp_path) == []
    assert find_transcripts(tmp_path / "missing") == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_read_has_no_transcripts(tmp_path: Path) -> None:
    main = write_rows(main_file(tmp_path), say("a", "x"))
    main.parent.chmod(0)
    try:
        assert find_transcripts(tmp_path) == []
    finally:
        main.parent.chmod(0o700)


def test_homes_are_real_and_distinct(tmp_path: Path) -> None:
    user, named = tmp_path / "user", make_home(tmp_path / "named")
    usual, older = make_home(user / ".claude"), make_home(user / ".config" / "claude")
    link = tmp_path / "link"
    link.symlink_to(usual)
    environment = {"HOME": str(user), "CLAUDE_CONFIG_DIR": str(named)}
    extra = [link, tmp_path / "missing", tmp_path / "nul\0", named, make_home(tmp_path / "more")]
    assert find_homes(environment, extra) == [named, usual, older, tmp_path / "more"]
    assert find_homes({"HOME": str(tmp_path)}) == []


def test_a_folder_without_projects_is_no_home(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    assert find_homes({"HOME": str(tmp_path)}) == []

"""The reader and an independent script count the same in every recorded and made-up transcript."""

import contextlib
import io
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from orchestrator.sessions.models import (
    ApiFailure,
    Compaction,
    Entry,
    Interjection,
    Interruption,
    ModelCall,
    Prompt,
    Session,
    ToolCall,
)
from orchestrator.sessions.reading.denials import is_cascade
from tests.sessions import truth as script
from tests.sessions.rows_by_hand import read_home

TRANSCRIPTS: Final = Path(__file__).parent / "transcripts"
FOLDERS: Final = sorted(path for path in TRANSCRIPTS.glob("*/*") if path.is_dir())
FACES: Final = {"unattended": "headless", "hook": "hook", "rule": "rule"}
NAMES: Final[dict[type[Any], str]] = {
    Prompt: "prompts",
    Interjection: "interjections",
    Interruption: "interruptions",
    ApiFailure: "api_errors",
}

STRAY: Final = {"odd-values": {"tool_results": 3, "tool_errors": 1}}
"""Results of calls that are in no file: the script counts them, the reader has nothing to put them
to. Claude Code writes such a row at the start of a session that carries out a plan."""


def test_there_is_something_to_compare() -> None:
    assert len(FOLDERS) > 40


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_reader_agrees_with_the_script(folder: Path, tmp_path: Path) -> None:
    home = copy_with_equal_times(folder, tmp_path)
    truth = count_folder(home)
    readings = read_home(home)
    counted: dict[str, Counter[str]] = {}
    for reading in readings:
        for session in reading.sessions:
            counted.setdefault(session.id, Counter()).update(count(session))
    expected = {name: flatten(each) for name, each in truth["sessions"].items()}
    stray = Counter(STRAY.get(folder.name, {}))
    total = sum(expected.values(), Counter()) - stray
    assert sum(counted.values(), Counter()) == total
    if not stray:
        assert {name: +each for name, each in counted.items() if +each} == {
            name: +each for name, each in expected.items() if +each
        }
    unreadable = truth["unreadable_lines"] + truth["not_objects"] - truth["unfinished_lines"]
    assert sum(reading.unreadable for reading in readings) == unreadable


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_costs_agree_with_the_script(folder: Path, tmp_path: Path) -> None:
    home = copy_with_equal_times(folder, tmp_path)
    costs = {name: each["cost"] for name, each in count_folder(home)["sessions"].items()}
    for reading in read_home(home):
        for session in reading.sessions:
            assert session.cost_usd == costs[session.id]


def count_folder(folder: Path) -> dict[str, Any]:
    """Return what the script counts in a folder."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        script.main(folder)
    counted: dict[str, Any] = json.loads(printed.getvalue())
    return counted


def copy_with_equal_times(folder: Path, tmp_path: Path) -> Path:
    """Copy transcripts; a checkout gives files times that say nothing about which is older."""
    home = tmp_path / "home"
    shutil.copytree(folder, home)
    for path in home.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return home


def count(session: Session) -> Counter[str]:
    usage = session.usage
    counted = Counter(
        {
            "tokens.input": usage.input,
            "tokens.output": usage.output,
            "tokens.cache_read": usage.cache_read,
            "tokens.cache_creation": usage.cache_write,
        }
    )
    for thread in session.threads:
        for entry in thread.entries:
            counted.update(name_counts(entry, is_main=not thread.agent))
    return counted


def name_counts(entry: Entry, *, is_main: bool) -> list[str]:
    if isinstance(entry, ModelCall):
        return ["model_calls"] if is_main else ["model_calls", "subagent_calls"]
    if isinstance(entry, Compaction):
        return ["compactions"]
    if not isinstance(entry, ToolCall):
        return [NAMES[type(entry)]]
    names = ["tool_calls"]
    if entry.result is not None:
        names.append("tool_results")
    if entry.is_error:
        names.append("cascades" if is_cascade(entry.result or "") else "tool_errors")
    if entry.denial:
        by_person = "user_message" if entry.user_message else "user_stop"
        face = FACES.get(entry.denial, by_person if entry.denial == "rejected" else entry.denial)
        names.append(f"rejections.{face}")
    return names if is_main else [*names, *(f"subagent_{name}" for name in names[:1])]


def flatten(truth: dict[str, Any]) -> Counter[str]:
    """Return the script's numbers of a session by the names that are used here."""
    counted = Counter(
        {
            name: truth[name]
            for name in (
                "model_calls",
                "subagent_calls",
                "tool_calls",
                "subagent_tool_calls",
                "tool_results",
                "tool_errors",
                "cascades",
                "prompts",
                "interjections",
                "interruptions",
                "api_errors",
            )
        }
    )
    counted["compactions"] = truth["compactions"] + truth["microcompactions"]
    for group in ("tokens", "rejections"):
        for name, number in truth[group].items():
            counted[f"{group}.{name}"] += number
    return counted

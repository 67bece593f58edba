"""The transcripts, what was counted in them by hand, and what the script counts."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.sessions.older_cases import CASES
from tests.sessions.recorded_cases import CASES as RECORDED
from tests.sessions.recording import make_session_id
from tests.sessions.typed_cases import TYPED

HERE: Final = Path(__file__).parent
TRANSCRIPTS: Final = HERE / "transcripts"
LARGEST: Final = 1_500_000
OTHERS: Final = re.compile(rb"/(?:work|root|Users|opt/pypi)\b|/home/(?!dev\b)|sk-ant-")

COUNTED_BY_HAND: Final[dict[str, dict[str, Any]]] = {
    "tool-errors": {"model_calls": 8, "tool_calls": 7, "tool_errors": 6, "cost": 0.0112},
    "hidden-failures": {"model_calls": 4, "tool_calls": 3, "tool_errors": 1},
    "test-loop": {"model_calls": 6, "tool_calls": 5, "tool_errors": 2},
    "denied-headless": {"tool_errors": 1, "rejections": {"headless": 1}, "typed_prompts": 0},
    "denied-interrupted": {"rejections": {"interrupted": 1}, "interruptions": 1},
    "denied-hook": {"tool_errors": 1, "rejections": {"hook": 1}},
    "denied-rule": {"tool_errors": 2, "rejections": {"rule": 2}},
    "fork": {"model_calls": 3, "prompts": 2, "tool_errors": 1},
    "resume": {"model_calls": 3, "prompts": 2, "cost": 0.0042},
    "compaction": {"model_calls": 3, "prompts": 2, "compactions": 1, "cost": 0.0056},
    "subagent": {"model_calls": 6, "subagent_calls": 3, "tool_calls": 3, "prompts": 1},
    "subagent-waited": {"model_calls": 5, "subagent_calls": 3, "subagent_tool_errors": 1},
    "killed": {"tool_calls": 2, "tool_results": 1, "cost": None},
    "api-error": {"model_calls": 0, "api_errors": 1, "prompts": 1},
    "two-results": {"model_calls": 3, "tool_calls": 4, "tool_errors": 2},
    "skill": {"model_calls": 3, "prompts": 1},
    "stop-hook": {"model_calls": 2, "prompts": 1},
    "typed-rejection-with-words": {"rejections": {"user_message": 1}, "typed_prompts": 1},
    "typed-rejection-without-words": {
        "rejections": {"user_stop": 1},
        "typed_prompts": 2,
        "interruptions": 1,
        "interruptions_alone": 0,
    },
    "typed-interruption": {"rejections": {"interrupted": 1}, "interruptions": 1},
    "typed-interruption-of-an-answer": {"interruptions": 1, "interruptions_alone": 1},
    "typed-withdrawn": {"model_calls": 0, "typed_prompts": 1},
    "typed-correction": {"typed_prompts": 2, "tool_errors": 1},
    "typed-while-it-works": {"typed_prompts": 1, "interjections": 1},
    "typed-approval": {"typed_prompts": 1, "rejections": {}},
}


def count(folder: Path) -> dict[str, Any]:
    script = [sys.executable, "-I", str(HERE / "truth.py"), str(folder)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("folder", ["claude-2.1", "older"])
def test_the_stored_truth_is_what_the_script_counts(folder: str) -> None:
    stored = json.loads((TRANSCRIPTS / folder / "truth.json").read_text(encoding="utf-8"))
    assert count(TRANSCRIPTS / folder) == stored


@pytest.mark.parametrize("name", COUNTED_BY_HAND)
def test_the_stored_truth_is_what_a_person_counted(name: str) -> None:
    stored = json.loads((TRANSCRIPTS / "claude-2.1" / "truth.json").read_text(encoding="utf-8"))
    session = stored["sessions"][make_session_id(name)]
    expected = COUNTED_BY_HAND[name]
    assert {key: session[key] for key in expected} == expected


def test_each_case_is_there() -> None:
    recorded = {path.name for path in (TRANSCRIPTS / "claude-2.1").iterdir() if path.is_dir()}
    assert recorded == {case.name for case in (*RECORDED, *TYPED)}


def test_the_older_transcripts_are_what_their_builder_makes() -> None:
    for case in CASES:
        folder = TRANSCRIPTS / "older" / case.__name__.replace("_", "-") / "projects"
        for name, data in case().items():
            assert (folder / "-home-dev-shop" / name).read_bytes() == data


def test_no_name_of_a_machine_is_in_them() -> None:
    files = [path for path in TRANSCRIPTS.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert [path for path in files if OTHERS.search(path.read_bytes())] == []
    assert sum(path.stat().st_size for path in files) < LARGEST

"""What a run in a lane says in one line, and what it may spend."""

import json
from pathlib import Path

import pytest

from orchestrator.services.lane_child import describe_event
from orchestrator.services.lane_runs import narrow_config
from orchestrator.storage.state_directory import find_lane_top, find_list_of_lane


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"event": "tool_used", "attempt": 2, "tool": "Edit", "detail": "a.py"}, "Edit a.py"),
        ({"event": "agent_spoke", "attempt": 2, "text": "\x1b[31mDone\nnow\u202e"}, "Done now"),
        ({"event": "tool_used", "attempt": 2, "tool": "Edit"}, ""),
        ({"event": "run_ended", "attempt": 2}, ""),
    ],
)
def test_events_in_one_line(event: dict[str, object], text: str) -> None:
    line = describe_event(json.dumps(event).encode())
    assert line.replace("\u202e", "") == (f"attempt 2: {text}" if text else "")


@pytest.mark.parametrize("line", [b"", b"Warning: x\n", b"[1]", b"null", b"[" * 100_000, b"\xff"])
def test_what_is_no_event_is_no_progress(line: bytes) -> None:
    assert describe_event(line) == ""


@pytest.mark.parametrize(("cap", "reserved", "used"), [(None, 2.0, 2.0), (5, 2.0, 2), (1, 2.0, 1)])
def test_a_run_spends_what_is_reserved_or_less(
    cap: float | None, reserved: float, used: float
) -> None:
    stored = json.dumps({"limits": {"max_cost_usd": cap, "wall_clock": 7}, "given": ["a"]})
    values = json.loads(narrow_config(stored, reserved))
    assert values["limits"] == {"max_cost_usd": used, "wall_clock": 7, "wait_for_reset": True}
    assert values["given"] == ["a"]
    assert values["workspace"] == {"isolate": True}


def test_the_place_of_a_lane(tmp_path: Path) -> None:
    lane = tmp_path / "lists" / "one" / "lanes" / "3"
    for folder in (lane, lane / "sub" / "project"):
        assert find_lane_top(tmp_path, folder) == lane
        assert find_list_of_lane(tmp_path, folder) == "one"
    assert find_lane_top(tmp_path, tmp_path / "other") == tmp_path / "other"
    assert find_list_of_lane(tmp_path, tmp_path / "other") == ""

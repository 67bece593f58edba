"""What a run did can be asked: `runs events`, as a time line and as JSON."""

import json
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.records import iter_record_lines
from orchestrator.cli.timeline import iter_json_lines, iter_lines
from orchestrator.models import EventRow, RunOutcome, RunRecord, Task
from orchestrator.replay import ReplayServer
from orchestrator.storage.runs import Store
from tests.cli.conftest import RULE, TASK, Call, Shop, start_command

AT = "2026-11-20T12:04:31+00:00"


def row(seq: int, kind: str, attempt: int = 1, **values: object) -> EventRow:
    return EventRow(seq, attempt, AT, kind, json.dumps(values))


def test_the_time_line_of_a_run(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    done = call("runs", "events")
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()[1:]) for line in done.out.splitlines()]
    wanted = iter(
        [
            f"run started: {TASK}",
            "step running the suite on the unchanged project",
            "baseline 1 failed, 0.",
            "attempt 1 start at most 2 attempts",
            f"attempt 1 says I was asked: {TASK}",
            "attempt 1 agent completed, 0 turns,",
            "attempt 1 changed 1 file, +1 -0: M word.txt",
            "attempt 1 suite 1 failed,",
            "attempt 1 teacher asked about: ",
            "attempt 1 teacher add: It guessed.",
            "attempt 1 rule r-",
            "attempt 1 end running",
            "attempt 2 start at most 2 attempts",
            "attempt 2 end solved",
            "run solved",
        ]
    )
    expected = next(wanted)
    for line in lines:
        if line.startswith(expected):
            expected = next(wanted, "")
            if not expected:
                break
    assert expected == "", (expected, done.out)
    (plan,) = (line for line in lines if line.startswith("plan"))
    assert "paid by agent: its own login or key; teacher: API key (ANTHROPIC_API_KEY)" in plan
    (ready,) = (line for line in lines if line.startswith("ready"))
    assert "suite:" not in ready  # the plan says it
    assert "paid by" not in ready


def test_the_events_of_a_run_as_json(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    printed = call("run", TASK, "--project-dir", shop.project, "--json").events
    run = printed[0]["run"]
    assert {event["run"] for event in printed} == {run}
    rows = call("runs", "events", run, "--json").events
    assert [each["seq"] for each in rows] == list(range(1, len(rows) + 1))
    assert {each["run"] for each in rows} == {run}
    assert all(datetime.fromisoformat(each["at"]).tzinfo for each in rows)
    assert (rows[0]["kind"], rows[-1]["kind"]) == ("notice", "run_ended")
    written = [each for each in rows if each["kind"] == "rule_written"]
    assert [(each["attempt"], each["values"]["change"]) for each in written] == [(1, "added")]
    assert written[0]["values"]["text"]["rule"] == f"{RULE}."
    # What is printed and what is kept are the same events.
    kept = [(each["kind"], each["attempt"]) for each in rows]
    kept = kept[kept.index(("run_started", 0)) :]
    shown = [(event["event"], event["attempt"]) for event in printed]
    shown = shown[shown.index(("run_started", 0)) :]
    passed = ("case_finished", 2)  # a case that passed is not kept
    wanted = [each for each in shown if each != passed]
    assert kept == [each for each, _ in groupby(wanted)]  # lines said without a pause are one


def test_a_run_that_goes_on_adds_to_its_events(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    call("run", TASK, "--project-dir", shop.project, "--no-auto-retry")
    before = call("runs", "events", "--json").events
    assert call("resume").code == 0
    after = call("runs", "events", "--json").events
    assert after[: len(before)] == before
    finished = [each["attempt"] for each in after if each["kind"] == "attempt_finished"]
    assert finished == [1, 2]
    assert [each["values"]["resumed"] for each in after if each["kind"] == "run_started"] == [
        False,
        True,
    ]
    assert {each["attempt"] for each in after[len(before) :]} <= {0, 2}


def test_no_secret_of_an_agent_is_on_record(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    shop.agent.write_text(f"echo token {secret}\necho right > word.txt\n", encoding="utf-8")
    done = call("run", TASK, "--project-dir", shop.project)
    assert (done.code, secret in done.output) == (0, False)
    assert secret not in call("runs", "events", "--json").out


def test_a_run_of_an_earlier_version_has_no_events(call: Call, shop: Shop) -> None:
    from orchestrator.models import Task

    with Store() as store:
        store.create_run(Task("old", shop.project), "{}")
    assert call("runs", "events").out == "no events are on record for this run\n"
    assert call("runs", "events", "nothing").code == 2


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ({"failed": True, "why": "Exit code 3", "seconds": 2.1}, "failed in 2.1 s (Exit code 3)"),
        ({"refused": True, "why": "no permission"}, "refused (no permission)"),
        ({}, "done"),
    ],
)
def test_a_tool_call_and_its_end_are_one_line(end: dict[str, Any], told: str) -> None:
    rows = [
        row(1, "tool_used", tool="Bash", detail="pytest -q", id="a"),
        row(2, "agent_spoke", text="meanwhile"),
        row(3, "tool_ended", tool="Bash", id="a", **end),
    ]
    lines = list(iter_lines(rows))
    assert len(lines) == 2
    assert lines[0].split(maxsplit=1)[1] == f"attempt 1  tool     Bash pytest -q: {told}"


def test_what_a_later_version_wrote_or_a_full_disk_cut_is_shown_as_far_as_it_goes() -> None:
    rows = [
        row(1, "moon_landed", 0, where="Mare", when=1969),
        EventRow(2, 1, "yesterday", "notice", '{"text": "half a l'),
        row(3, "suite_finished"),
        row(4, "tool_ended", tool="Bash", failed=True),
    ]
    lines = list(iter_lines(rows))
    assert lines[0].endswith("moon_landed where: Mare, when: 1969")
    assert "half a l" in lines[1]
    assert lines[3].endswith("tool     Bash failed")
    assert all(json.loads(line)["run"] == "r" for line in iter_json_lines("r", rows))


def test_control_characters_and_long_texts_do_not_reach_the_terminal() -> None:
    (line,) = iter_lines([row(1, "agent_spoke", text="\x1b[2J" + "x\n" * 5000)])
    assert "\x1b" not in line
    assert len(line) < 300


def test_a_run_goes_on_when_the_reader_of_its_json_lines_is_gone(
    shop: Shop, teacher: ReplayServer
) -> None:
    with start_command("run", TASK, "--project-dir", shop.project, "--json") as child:
        assert child.stdout
        assert child.stderr
        child.stdout.readline()
        child.stdout.close()
        assert (child.stderr.read(), child.wait(60)) == ("", 0)
    assert shop.word == "right\n"


def test_of_a_scripted_run_no_price_is_shown() -> None:
    plan = row(1, "run_planned", 0, command="make test", max_attempts=1, is_scripted=True)
    end = row(2, "run_ended", 0, outcome="solved", tokens=1, cost_usd=0.42, seconds=3)
    planned, ended = iter_lines([plan, end])
    assert "make test; at most 1 attempt" in planned
    assert ended.endswith("solved, 1 token, nothing was paid, 3.0 s")
    (paid,) = iter_lines([end])
    assert paid.endswith("solved, 1 token, $0.42, 3.0 s")
    started = datetime.fromisoformat(AT)
    record = RunRecord("r", Task("t", Path()), started, None, RunOutcome.SOLVED, Path())
    shown = list(iter_record_lines(replace(record, cost_usd=0.42), scripted=True))
    assert "cost     0 tokens, nothing was paid (scripted model)" in shown

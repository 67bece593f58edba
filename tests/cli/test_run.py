"""Runs from the command line: the output, the record, and the exit code."""

import io
import re
import shlex
import sys
from datetime import datetime
from subprocess import PIPE

import pytest

from orchestrator.cli import main
from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer, parse_scenario
from tests.cli.conftest import RULE, TASK, Call, Shop, start_command, wait_for_result
from tests.recorded_runs import list_runs

IN_ORDER = [
    "ready",
    "run_started",
    "step_started",
    "case_finished",
    "suite_finished",
    "attempt_started",
    "step_started",
    "agent_spoke",
    "agent_finished",
    "diff_taken",
    "step_started",
    "case_finished",
    "suite_finished",
    "teaching_started",
    "lesson_learned",
    "rule_written",
    "attempt_finished",
    "attempt_started",
    "step_started",
    "agent_spoke",
    "agent_finished",
    "diff_taken",
    "step_started",
    "case_finished",
    "suite_finished",
    "attempt_finished",
    "run_ended",
]


def test_what_is_trusted_of_the_projects_own_file_is_said_before_anything_starts(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.configure(tests={"guard": "off"}, limits={"max_cost_usd": None})
    done = call("run", TASK, "--project-dir", shop.project, "--max-retries", "0")
    said = done.out[: done.out.index("Task ")]
    assert f"! you have trusted these settings of {shop.project}/orchestrator.yaml:" in said
    where = "(orchestrator.yaml:1)"
    for words in (f'tests.guard: "off" {where}', "limits.max_cost_usd: null", "agent.command: ["):
        assert f"!   {words}" in said, said
    named = shop.project / "orchestrator.yaml"
    done = call("run", TASK, "--project-dir", shop.project, "--config", named)
    assert "you have trusted" not in done.out


def test_json_lines_tell_a_whole_run(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    done = call("run", TASK, "--project-dir", shop.project, "--json")
    assert (done.code, done.err) == (0, "")
    notices = [event["text"] for event in done.events if event["event"] == "notice"]
    assert [text.partition(":")[0].strip() for text in notices[1:]] == [
        *("tests.framework", "tests.command", "agent.kind", "agent.command")
    ]
    names = [event["event"] for event in done.events if event["event"] != "notice"]
    told = iter(names)
    assert [name for name in IN_ORDER if name in told] == IN_ORDER, names
    assert (names[0], names[-1]) == (IN_ORDER[0], IN_ORDER[-1])
    times = [datetime.fromisoformat(event["time"]) for event in done.events]
    assert times == sorted(times)
    assert all(time.tzinfo for time in times)
    by_name = {event["event"]: event for event in done.events}
    assert by_name["run_started"]["task"]["text"] == TASK
    assert by_name["rule_written"]["change"]["rule"]["rule"] == f"{RULE}."
    assert by_name["run_ended"]["result"]["outcome"] == "solved"
    (record,) = call("runs", "--json").events
    assert record["id"] == by_name["run_started"]["run_id"]


def test_plain_lines_without_a_terminal(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    done = call("run", TASK, "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert "\r" not in done.out
    lines = done.out.splitlines()
    for line in (
        f"Task     {TASK}",
        f"Project  {shop.project}",
        "... running the suite on the unchanged project",
        "    ✗ sh check.sh  ended with 1",
        "Attempt 1 of at most 2",
        f"  says     I was asked: {TASK}",
        "  changed  1 file, +1 -0: word.txt",
        "  teacher  add: It guessed.",
        "  rule     added in CLAUDE.md",
        f"    Rule   {RULE}.",
        "    When   A word is asked for.",
        "    Why    Guesses fail.",
        "Attempt 2 of at most 2",
        "Solved after 2 attempts",
        "  tests    1 passed",
    ):
        assert line in lines
    assert lines == [line.rstrip() for line in lines]
    (record,) = [line for line in lines if line.startswith("  details  ")]
    shown = call(*record.split()[2:])
    assert shown.code == 0
    assert shown.out.startswith("\nRun ")


def test_a_run_on_record(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    assert call("runs").out == "no runs yet\n"
    call("run", TASK, "--project-dir", shop.project)
    heading, line = call("runs").out.splitlines()
    assert heading.split() == ["RUN", "STARTED", "OUTCOME", "ATTEMPTS", "COST", "TASK"]
    run, *_, outcome, attempts, cost = line.removesuffix(TASK).split()
    assert (outcome, attempts) == ("solved", "2")
    assert cost.startswith("$0.00")
    shown = call("runs", "show", run)
    assert (shown.code, shown.err) == (0, "")
    for part in (
        f"Run {run}: solved",
        f"project  {shop.project}",
        f"task:\n    {TASK}\n",
        "\nBaseline\n",
        "\nAttempt 1: 1 failed; 1 file, +1 -0\n",
        f"prompt:\n    {TASK}\n",
        "diff (1 file, +1 -0):\n    diff --git a/word.txt b/word.txt\n",
        "\n    +guessed\n",
        "teacher  add: It guessed.",
        f"added in {shop.project}/CLAUDE.md:\n    Rule: {RULE}.\n    When: A word is asked for.\n",
        "\nAttempt 2: 1 passed; ",
        "prompt:\n    ",
        "This is a new attempt",
        "\nResult\n",
        "cost     ",
    ):
        assert part in shown.out
    assert call("runs", "show").out == shown.out
    assert call("runs", "show", run[:-1]).out == shown.out
    (whole,) = call("runs", "show", run, "--json").events
    assert [attempt["number"] for attempt in whole["result"]["attempts"]] == [1, 2]


def test_a_solved_run_is_not_resumed(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    shop.agent.write_text("echo right > word.txt\n", encoding="utf-8")
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    done = call("resume")
    assert done.code == 2
    assert "has ended: solved (start a new run)" in done.err
    assert done.out == ""


ADDS_A_TEST = """
case "$1" in
    *"new files"*) printf 'def test_b():\\n    assert 1\\n' > tests/test_b.py ;;
    *) printf '\\ndef test_b():\\n    assert 1\\n' >> tests/test_a.py ;;
esac
"""


@pytest.mark.parametrize(("retries", "code"), [("1", 0), ("0", 1)])
def test_an_agent_that_edits_only_guarded_files_tries_again(
    call: Call, shop: Shop, teacher: ReplayServer, retries: str, code: int
) -> None:
    shop.configure(
        tests={"framework": "pytest", "command": f"{shlex.quote(sys.executable)} -m pytest -q"}
    )
    shop.write("tests/test_a.py", "def test_a():\n    assert 1\n")
    shop.agent.write_text(ADDS_A_TEST, encoding="utf-8")
    task = "Add a test."
    done = call("run", task, "--project-dir", shop.project, "--max-retries", retries)
    assert done.code == code
    assert (shop.project / "tests/test_b.py").exists() is (code == 0)
    assert (shop.project / "tests/test_a.py").read_text() == "def test_a():\n    assert 1\n"
    assert "only guarded files were edited, and restored" in " ".join(done.out.split())
    assert "tests.unguarded frees files by glob" in " ".join(done.out.split()) or code == 0
    assert teacher.requests == ()


@pytest.mark.parametrize(
    ("task", "attempts"), [("Add a test.", 2), ("Let tests/test_a.py check for 2.", 1)]
)
def test_who_goes_on_editing_guarded_files_is_not_paid_for_it(
    call: Call, shop: Shop, teacher: ReplayServer, task: str, attempts: int
) -> None:
    command = f"{shlex.quote(sys.executable)} -m pytest -q"
    shop.configure(tests={"framework": "pytest", "command": command})
    shop.write("tests/test_a.py", "def test_a():\n    assert 1\n")
    shop.agent.write_text("echo '# $RANDOM' >> tests/test_a.py\n", encoding="utf-8")
    done = call("run", task, "--project-dir", shop.project)
    assert done.code == 1
    assert f"Nothing changed after {attempts} attempt" in done.out
    assert teacher.requests == ()


def test_not_solved_is_1(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    shop.agent.write_text("echo no >> word.txt\n", encoding="utf-8")
    done = call("run", TASK, "--project-dir", shop.project, "--max-retries", "0")
    assert done.code == 1
    assert "Not solved after 1 attempt\n" in done.out
    assert "Attempt 1 of at most 1" in done.out


def test_a_pause_is_1_and_resume_goes_on(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    done = call("run", TASK, "--project-dir", shop.project, "--no-auto-retry")
    assert done.code == 1
    assert "Paused after 1 attempt\n" in done.out
    assert RULE in done.out
    (resume,) = re.findall(r"`orchestrator (resume .*?)`", done.out)
    done = call(*resume.split())
    assert (done.code, done.err) == (0, "")
    assert "(resumed)" in done.out
    assert "Attempt 2 of at most 2" in done.out
    assert "Attempt 1 " not in done.out
    assert len(teacher.requests) == 1


def test_a_wrong_configuration_is_2(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    shop.configure(tests={"command": "nosuch-runner", "framework": "pytest"})
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code in (2, 3)
    assert "nosuch-runner of tests.command is not found" in done.err
    assert call("runs").out == "no runs yet\n"


@pytest.mark.parametrize("missing", ["agent", "key", "git"])
def test_what_is_missing_is_3(
    call: Call,
    shop: Shop,
    teacher: ReplayServer,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    if missing == "agent":
        shop.configure(agent={"command": ["nosuch-agent"]})
        says = "the agent's program was not found: nosuch-agent"
    elif missing == "key":
        monkeypatch.delenv("ANTHROPIC_API_KEY")
        says = "the teacher has no API key, and Claude Code has no login (log in with `"
    else:
        monkeypatch.setenv("PATH", str(shop.project))
        says = "git was not found (install git)"
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 3
    assert says in done.err
    assert len(done.err.splitlines()) == 1
    assert teacher.requests == ()


def test_a_teacher_that_is_down_is_3_and_resume_goes_on(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = parse_scenario("answers: [{when: {speaker: teacher}, reply: {fault: 403}}]")
    with ReplayServer(down) as model, monkeypatch.context() as patch:
        patch.setenv("ANTHROPIC_BASE_URL", model.url)
        done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 3
    assert "Stopped after 1 attempt" in done.out
    assert "the teacher gave no lesson" in done.out
    assert call("resume").code == 0
    assert RULE.encode() in shop.rulebook


def test_nobody_reads_the_output(shop: Shop, teacher: ReplayServer) -> None:
    child = start_command("run", TASK, "--project-dir", shop.project, stdout=PIPE)
    assert child.stdout
    child.stdout.close()
    child.stdout = None
    done = wait_for_result(child)
    assert (done.code, done.err) == (0, "")
    assert [record.outcome for record in list_runs()] == [RunOutcome.SOLVED]


def test_a_terminal_of_another_encoding_is_no_error(
    shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.agent.write_text("echo right > word.txt\n", encoding="utf-8")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    with pytest.raises(SystemExit) as end:
        main(["run", TASK, "--project-dir", str(shop.project)])
    sys.stdout.flush()
    assert end.value.code == 0
    assert b"    ? sh check.sh  ended with 1\n" in printed.getvalue()

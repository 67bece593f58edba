"""A run that one process started is carried on by another, which knows its id and the state alone.

`make test-kills` kills both kinds of processes at every boundary and at random moments.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.journal.durable import read_history
from orchestrator.models import RESUMABLE, RunOutcome
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import resolve_state_directory
from tests.faults import test_kills
from tests.faults.test_kills import ROOT, Case, Factory, Tally
from tests.recorded_runs import get_last_run, list_runs
from tests.sampling import sample_every_sixth
from tests.trusting import trust_project

make_case = test_kills.make_case
TALLY = Tally()
RANDOM_RUNS = 6


@pytest.fixture(autouse=True)
def figures() -> Iterator[None]:
    """Keep how far it has come after each test: they take long."""
    yield
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        path = Path(folder) / f"handover-kills-{worker}.json"
        values = {**vars(TALLY), "boundaries": sorted(TALLY.boundaries)}
        path.write_text(json.dumps(values), encoding="utf-8")


def become_heir(case: Case) -> "subprocess.Popen[str]":
    """Start a process that carries the last run on, away from the project and its settings."""
    state = resolve_state_directory()
    environment = {name: value for name, value in os.environ.items() if "STATE_DIR" not in name}
    keys = {"ANTHROPIC_BASE_URL": case.teacher.url, "ANTHROPIC_API_KEY": "a-key-for-tests"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.heir", get_last_run().id, str(state)],
        env={**environment, **keys},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def carry_on(case: Case) -> list[str]:
    """Carry the last run on to its end, and give the events that were told."""
    heir = become_heir(case)
    out, err = heir.communicate(timeout=300)
    assert (heir.returncode, err) == (1 if case.kind == "never" else 0, ""), get_last_run().result
    return out.split()


def count_finished() -> Counter[str]:
    """Count how often each step of the last run was finished, by whichever process."""
    history = read_history(get_last_run().id, resolve_state_directory())
    return Counter(name for finished in history for name in finished)


def tally(case: Case) -> None:
    TALLY.runs += 1
    TALLY.kills += case.kills
    TALLY.doubled += sum(times - 1 for times in count_finished().values())
    case.finish()


def wait_for_start_of_agent(case: Case) -> None:
    deadline = time.monotonic() + 120
    while not case.log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, "the agent never started"
        time.sleep(0.02)


def test_killed_within_the_agents_work(make_case: Factory) -> None:
    case = make_case("taught")
    first = case.process("start")
    wait_for_start_of_agent(case)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    case.killed(first.returncode)
    carry_on(case)
    before, after = read_history(get_last_run().id, resolve_state_directory())
    assert set(before) == {"baseline", "attempt 1: before"}
    assert not before.keys() & after.keys()
    case.finish()


@pytest.mark.whole
def test_killed_between_two_steps(make_case: Factory) -> None:
    case = make_case("taught")
    _, told = case.go("start")
    lesson = told.index("LessonLearned") + 2  # the event after it: the lesson is kept by then
    case.finish()
    case = make_case("taught")
    case.go("start", str(lesson))
    assert carry_on(case).count("TeachingStarted") <= 1
    assert set(count_finished().values()) == {1}
    assert len(case.teacher.requests) == 1
    case.finish()


def test_resume_is_such_a_process(make_case: Factory) -> None:
    case = make_case("once")
    first = case.process("start")
    wait_for_start_of_agent(case)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    case.killed(first.returncode)
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "resume", get_last_run().id],
        env={**os.environ, "PYTHONPATH": str(ROOT), "ANTHROPIC_API_KEY": "a-key-for-tests"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "running the suite on the unchanged project" not in done.stdout
    assert set(count_finished().values()) == {1}
    case.finish()


@pytest.mark.whole
def test_one_that_lives_is_not_robbed(make_case: Factory) -> None:
    case = make_case("once")
    first = case.process("start")
    wait_for_start_of_agent(case)
    first.send_signal(signal.SIGSTOP)  # as long as the other tries
    heir = become_heir(case)
    _, err = heir.communicate(timeout=300)
    first.send_signal(signal.SIGCONT)
    assert heir.returncode == 3
    assert "another run works in" in err
    out, err = first.communicate(timeout=300)
    assert (first.returncode, err) == (0, "")
    assert out.split()[-1] == "RunEnded"
    case.finish()


def test_who_lost_the_run_and_wakes_up_changes_nothing(make_case: Factory) -> None:
    """The lock is gone, as on a network file system; only the run's token is left."""
    case = make_case("once")
    file = case.project / "orchestrator.yaml"
    # What the agent of a process that lives may still cost would leave the other nothing.
    limits = {"max_cost_usd": None, "max_cost_usd_per_day": None}
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "limits": limits}), "utf-8")
    trust_project(case.project)
    first = case.process("start")
    wait_for_start_of_agent(case)
    first.send_signal(signal.SIGSTOP)
    try:
        with Store() as store:
            for lock in store.locks.glob("project-*.lock"):
                lock.unlink()
        carry_on(case)
        record = get_last_run()
    finally:
        first.send_signal(signal.SIGCONT)
    out, err = first.communicate(timeout=300)
    assert first.returncode == 1  # the driver lets the error through
    assert err.splitlines()[-1].endswith(
        f"another process has taken over run {record.id} (check it with `orchestrator runs show`)"
    )
    assert "RunEnded" not in out.split()
    assert get_last_run() == record
    assert record.outcome is RunOutcome.SOLVED
    assert set(count_finished().values()) == {1}
    case.kills += 1  # its agent was started in vain
    case.finish()


@pytest.mark.kills
@pytest.mark.timeout(900)
@pytest.mark.parametrize("third", sample_every_sixth(range(3)))
def test_killed_at_every_boundary_and_carried_on_by_another(make_case: Factory, third: int) -> None:
    whole = make_case("taught")
    _, told = whole.go("start")
    whole.finish()
    chance = random.Random(third)  # noqa: S311 -- repeatable, not secret
    for number, name in list(enumerate(told[:-1], start=1))[third::3]:
        case = make_case("taught")
        case.go("start", str(number))
        TALLY.boundaries.add(name)
        if not list_runs():  # it was killed before there was a run
            continue
        heir = become_heir(case)
        time.sleep(chance.uniform(0.5, 4.0))
        heir.send_signal(signal.SIGKILL)
        heir.communicate(timeout=60)
        case.killed(heir.returncode)
        if heir.returncode == -signal.SIGKILL and get_last_run().outcome in RESUMABLE:
            carry_on(case)
        tally(case)


@pytest.mark.kills
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", sample_every_sixth(range(RANDOM_RUNS)))
def test_killed_again_and_again_by_one_process_after_the_other(
    make_case: Factory, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 -- repeatable, not secret
    case = make_case(chance.choice(["once", "taught", "never", "breaks"]))
    process = case.process("start")
    for _ in range(8):
        time.sleep(chance.uniform(0.5, 4.0))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        case.killed(process.returncode)
        if process.returncode != -signal.SIGKILL:
            break
        process = become_heir(case) if list_runs() else case.process("start")
    else:
        process.communicate(timeout=300)
    tally(case)

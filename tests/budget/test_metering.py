"""Agent and teacher behind the ledger, and the wait for a usage limit's reset."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.agents.fake import Act, ScriptedAgent
from orchestrator.budget.ledger import CapReachedError, Caps, Ledger
from orchestrator.budget.metering import Account, MeteredAgent, MeteredTeacher, RunClock
from orchestrator.budget.waiting import Time, WaitForResetAgent
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.storage.opening import open_database
from teacher.errors import TeacherUnavailable, UnusableAnswer
from teacher.fake import ScriptedTeacher
from teacher.models import UNKNOWN_USAGE, Action, Failure, FailureType, Lesson, Usage

LIMITS = AgentLimits(max_cost_usd=5.0, wall_clock_seconds=100)
FAILURE = Failure(FailureType.TEST_FAILURE, "pytest", "it failed", "f" * 16)
DONE = AgentResult(AgentOutcome.COMPLETED, "done", usage=Usage(10, cost_usd=1.0))


def gives(result: AgentResult, seen: list[AgentLimits] | None = None) -> Act:
    def act(_: str, __: Path, limits: AgentLimits, ___: events.Listener) -> AgentResult:
        if seen is not None:
            seen.append(limits)
        return result

    return act


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_database(tmp_path / "state") as database:
        yield Ledger(database)


def metered(
    agent: ScriptedAgent, ledger: Ledger, caps: Caps, seconds: float = 1000
) -> MeteredAgent:
    return MeteredAgent(agent, Account(ledger, "run", caps), RunClock(seconds))


def test_the_narrowest_limit_reaches_the_agent(tmp_path: Path, ledger: Ledger) -> None:
    seen: list[AgentLimits] = []
    agent = ScriptedAgent(*[gives(DONE, seen) for _ in range(3)])
    bounded = metered(agent, ledger, Caps(cost_usd_per_day=6), seconds=50)
    for _ in range(3):
        bounded.run("go", tmp_path, LIMITS, lambda _: None)
    assert [limits.max_cost_usd for limits in seen] == [5.0, 5.0, 4.0]
    assert all(limits.wall_clock_seconds <= 50 for limits in seen)


@pytest.mark.parametrize(
    ("outcome", "text"),
    [(AgentOutcome.MAX_COST, "max_cost_usd_per_day"), (AgentOutcome.WALL_CLOCK, "run_wall_clock")],
)
def test_the_cap_that_ended_an_attempt_is_named(
    outcome: AgentOutcome, text: str, tmp_path: Path, ledger: Ledger
) -> None:
    agent = ScriptedAgent(gives(AgentResult(outcome, "something else")))
    bounded = metered(agent, ledger, Caps(cost_usd_per_day=2), seconds=50)
    assert text in bounded.run("go", tmp_path, LIMITS, lambda _: None).message


def test_a_clock_that_has_run_out_starts_nothing(tmp_path: Path, ledger: Ledger) -> None:
    agent = ScriptedAgent()
    clock = RunClock(10, now=lambda: 100.0, started=90.0)
    bounded = MeteredAgent(agent, Account(ledger, "run", Caps()), clock)
    with pytest.raises(CapReachedError, match="wall clock of 10 s"):
        bounded.run("go", tmp_path, LIMITS, lambda _: None)
    assert agent.prompts == []


def test_the_runs_cost_limit_is_checked_before_each_attempt_and_passed_on(
    tmp_path: Path, ledger: Ledger
) -> None:
    seen: list[AgentLimits] = []
    spends = replace(DONE, usage=Usage(cost_usd=0.6))
    agent = ScriptedAgent(gives(spends, seen), gives(spends, seen))
    bounded = metered(agent, ledger, Caps(cost_usd_per_run=1.0))
    limits = replace(LIMITS, max_cost_usd=None)
    for _ in range(2):
        bounded.run("go", tmp_path, limits, lambda _: None)
    with pytest.raises(CapReachedError, match="the run's cost limit is used up"):
        bounded.run("go", tmp_path, limits, lambda _: None)
    assert [each.max_cost_usd for each in seen] == [pytest.approx(1.0), pytest.approx(0.4)]


def test_an_interrupted_attempt_is_not_free(tmp_path: Path, ledger: Ledger) -> None:
    def interrupted(*_: object) -> AgentResult:
        raise KeyboardInterrupt

    bounded = metered(ScriptedAgent(interrupted), ledger, Caps(cost_usd_per_day=50))
    with pytest.raises(KeyboardInterrupt):
        bounded.run("go", tmp_path, LIMITS, lambda _: None)
    assert ledger.sum_spending() == pytest.approx(0.5)


def test_an_interrupted_attempt_counts_against_its_run_too(tmp_path: Path, ledger: Ledger) -> None:
    def interrupted(*_: object) -> AgentResult:
        raise KeyboardInterrupt

    seen: list[AgentLimits] = []
    ran_out = AgentResult(AgentOutcome.MAX_COST, "limits.max_cost_usd allows more")
    agent = ScriptedAgent(gives(DONE, seen), interrupted, gives(ran_out, seen))
    bounded = metered(agent, ledger, Caps(cost_usd_per_day=50, cost_usd_per_run=5))
    bounded.run("go", tmp_path, LIMITS, lambda _: None)
    left = replace(LIMITS, max_cost_usd=4.0)  # as far as the run's record knows, both times
    with pytest.raises(KeyboardInterrupt):
        bounded.run("go", tmp_path, left, lambda _: None)
    result = bounded.run("go", tmp_path, left, lambda _: None)
    assert [limits.max_cost_usd for limits in seen] == [5.0, pytest.approx(3.0)]
    assert result.message == ran_out.message  # it is the run's own limit, not the day's


def test_no_lesson_is_asked_for_that_the_run_cannot_pay(ledger: Ledger) -> None:
    teacher = ScriptedTeacher()
    caps = Caps(cost_usd_per_run=1)
    ledger.close_entry(ledger.open_entry("run", caps), Usage(10, cost_usd=1.0))
    with pytest.raises(TeacherUnavailable, match="the run's cost limit is used up"):
        MeteredTeacher(teacher, Account(ledger, "run", caps)).teach(FAILURE, ())
    assert teacher.asked == []


def test_a_lesson_is_billed_when_it_is_of_no_use_too(ledger: Ledger) -> None:
    teacher = ScriptedTeacher()
    teacher.enqueue(Lesson(Action.NONE, "nothing", usage=Usage(10, cost_usd=0.02)))
    teacher.enqueue(UnusableAnswer("not a lesson", usage=Usage(10, cost_usd=0.03)))
    teacher.enqueue(TeacherUnavailable("down"))
    bounded = MeteredTeacher(teacher, Account(ledger, "run", Caps(cost_usd_per_day=1)))
    bounded.teach(FAILURE, ())
    for error in (UnusableAnswer, TeacherUnavailable):
        with pytest.raises(error):
            bounded.teach(FAILURE, ())
    assert ledger.sum_spending() == pytest.approx(0.05)


# ---- the wait for a reset ------------------------------------------------------------------

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIMITED = AgentResult(
    AgentOutcome.USAGE_LIMIT, "limit", turns=1, usage=Usage(5, cost_usd=0.1), seconds=2.0,
    resets_at=NOW + timedelta(hours=2, minutes=10),
)  # fmt: skip


class Watch:
    """A time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    @property
    def time(self) -> Time:
        return Time(lambda: self.now, self.sleep)


def patient(*acts: Act, left: float = 1e6) -> tuple[Callable[[], AgentResult], list[str], Watch]:
    watch, heard = Watch(), list[str]()
    agent = WaitForResetAgent(ScriptedAgent(*acts), RunClock(left), watch.time)

    def listen(event: events.Event) -> None:
        assert isinstance(event, events.AgentWaiting)
        heard.append(event.reason)

    return lambda: agent.run("go", Path("/p"), LIMITS, listen), heard, watch


def test_it_waits_until_the_reset_and_works_on() -> None:
    run, heard, watch = patient(gives(LIMITED), gives(DONE))
    result = run()
    assert result.outcome is AgentOutcome.COMPLETED
    assert result.usage.cost_usd == pytest.approx(1.1)
    assert result.seconds == 2.0
    assert len(heard) == 1
    assert "usage limit: waiting until" in heard[0]
    assert "2 h 11 min" in heard[0]
    assert LIMITED.resets_at is not None
    assert watch.now >= LIMITED.resets_at.timestamp()


def test_what_was_spent_before_the_wait_is_not_there_to_spend_again(ledger: Ledger) -> None:
    seen: list[AgentLimits] = []
    dear = replace(LIMITED, usage=Usage(cost_usd=3.0))
    agent = ScriptedAgent(gives(dear, seen), gives(dear, seen), gives(DONE, seen))
    watch = Watch()
    patient = WaitForResetAgent(
        metered(agent, ledger, Caps(cost_usd_per_run=5), seconds=1e6), RunClock(1e6), watch.time
    )
    with pytest.raises(CapReachedError, match=r"\$6.00 of \$5.00"):
        patient.run("go", Path("/p"), replace(LIMITS, max_cost_usd=None), lambda _: None)
    assert [limits.max_cost_usd for limits in seen] == [5.0, 2.0]


def test_a_limit_that_is_still_there_is_waited_for_again() -> None:
    again = replace(LIMITED, resets_at=NOW)  # long past by then
    run, heard, _ = patient(gives(LIMITED), gives(again), gives(again), gives(DONE))
    assert run().outcome is AgentOutcome.COMPLETED
    assert len(heard) == 3


def test_a_reset_beyond_the_runs_clock_is_not_waited_for() -> None:
    run, heard, watch = patient(gives(LIMITED), left=3600)
    result = run()
    assert result.outcome is AgentOutcome.USAGE_LIMIT
    assert "limits.run_wall_clock" in result.message
    assert heard == []
    assert watch.now == NOW.timestamp()


def test_a_limit_that_does_not_tell_its_reset_is_not_waited_for() -> None:
    run, heard, _ = patient(gives(replace(LIMITED, resets_at=None)))
    assert run().outcome is AgentOutcome.USAGE_LIMIT
    assert heard == []


def test_what_the_ledger_counts_is_what_the_run_reports(tmp_path: Path, ledger: Ledger) -> None:
    account = Account(ledger, "run", Caps(cost_usd_per_day=10))
    lesson = Lesson(Action.NONE, "nothing", usage=UNKNOWN_USAGE)
    wrong = UnusableAnswer("no lesson", "try again", UNKNOWN_USAGE)
    teacher = MeteredTeacher(ScriptedTeacher(lesson, wrong), account)
    assert teacher.teach(FAILURE, ()).usage == Usage(cost_usd=0.25)
    with pytest.raises(UnusableAnswer) as caught:
        teacher.teach(FAILURE, ())
    assert caught.value.usage == Usage(cost_usd=0.25)
    agent = metered(
        ScriptedAgent(gives(replace(DONE, usage=UNKNOWN_USAGE))), ledger, Caps(cost_usd_per_day=10)
    )
    result = agent.run("go", tmp_path, LIMITS, lambda _: None)
    assert result.usage == Usage(cost_usd=5.0)
    assert ledger.sum_spending() == 5.5

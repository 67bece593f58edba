"""The one writer of rules: what lanes learned and what the merge queue taught, on the tip."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestrator.models import Rule, RunOutcome
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.rulebook.history import History
from orchestrator.rulebook.records import Origin, RuleEventKind, RuleRecord, Status
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.services import conflict_teaching, lane_rules
from orchestrator.services.lane_rules import TAUGHT_REFS, LaneRuleWriter
from orchestrator.services.rulebooks import resolve_book
from orchestrator.storage.runs import Store
from orchestrator.tasks import learned_rules, rule_blobs
from orchestrator.tasks.models import CombinedVerdict, TaskEnd, TaskItem, TaskRecord, TaskState
from orchestrator.teaching.pending import Pending
from tests.killed_lines import die_at
from tests.rulebook.writers import fork, reap
from tests.services.judged_lists import JudgedList
from tests.tasks.test_learned_rules import CLOSE, NEVER_CLOSE, NOTES, SORT, TABS, rule

TODAY = date(2026, 11, 28)
FILES = {"CLAUDE.md": "# Project\n", "prices.py": "x = 1\n", ".gitignore": "__pycache__/\n"}
TEXT = {
    "rule": "Keep the old name of a public function as an alias.",
    "when": "A public function is renamed.",
    "why": "Other work in progress still calls it.",
}
LESSON: dict[str, Any] = {
    "action": "add", "reason": "Two works met.", "target": None, "paths": [], **TEXT,
}  # fmt: skip
VERDICT = CombinedVerdict(
    green=False,
    failing=("test_cart.py::test_pay",),
    output="FAILED test_cart.py::test_pay\nE  AttributeError: token=hunter2-hunter2",
    message="test_cart.py::test_pay: AttributeError",
)


class RuleWorld(JudgedList):
    """A list whose rules are written."""

    def learn(self, base: str, *rules: Rule, name: str = "CLAUDE.md") -> str:
        """Return the commit of a lane that learned some rules, and did some work."""
        file_set = RuleFileSet({name: self.read(base, name).encode()})
        for each in rules:
            file_set = file_set.add_rule_to(name, each, NOTES)
        text = file_set.files[name].decode()
        return self.commit(base, {name: text, "prices.py": "x = 2\n"}, "learned")

    def write_rules(self, learned: str, base: str, tip: str, run: str = "run-1") -> str:
        end = TaskEnd(RunOutcome.NOT_SOLVED, learned=learned)
        with Store(self.state) as store:
            return self.open_writer(store).write_rules(end, base, tip, run)

    def open_writer(self, store: Store) -> LaneRuleWriter:
        titles = {"run-1": "Rename total", "run-2": "Add a cart"}
        return LaneRuleWriter(
            self.open_tree(), store, self.listen, lambda run: titles.get(run, run), lambda: TODAY
        )

    def list_records(self) -> dict[str, RuleRecord]:
        with Store(self.state) as store:
            history = History(store.database, resolve_book(self.config, self.project))
            return {record.rule.id: record for record in history.list_records()}

    def list_messages(self, tip: str) -> list[str]:
        return [message for _, message in self.repository.list_commits(self.base, tip)]

    def make_record(self, tip: str) -> TaskRecord:
        """Return the record of a task whose work was red together with the tip."""
        work = self.commit(self.base, {"cart.py": "token = 'hunter2-hunter2'\n"})
        item = TaskItem("T2", "Add a cart", "Add a cart that pays", 1)
        record = TaskRecord("list", item, TaskState.MERGING, run="run-2", base=self.base)
        return replace(record, work=work)

    def teach(self, record: TaskRecord, tip: str) -> str:
        with Store(self.state) as store:
            return self.open_writer(store).teach_conflict(record, VERDICT, tip)

    def list_pending(self) -> list[Any]:
        return Pending(self.project, self.state).list_failures()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RuleWorld:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MY_TOKEN", "hunter2-hunter2")
    return RuleWorld(tmp_path, FILES)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    with serve_lesson(LESSON) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-a-key")
        yield server


def serve_lesson(lesson: Mapping[str, Any]) -> ReplayServer:
    answers = [{"when": {"speaker": "teacher"}, "reply": {"json": dict(lesson)}}]
    return ReplayServer(parse_scenario(json.dumps({"answers": answers})))


# ---- what runs learned


def test_rules_of_a_run_that_was_not_solved_come_to_the_tip(world: RuleWorld) -> None:
    tip = world.commit(world.base, {"other.py": "y = 1\n", "CLAUDE.md": "# Edited\n"})
    learned = world.learn(world.base, rule(CLOSE))
    written = world.write_rules(learned, world.base, tip)
    assert world.read(written).startswith("# Edited\n")
    assert CLOSE.rule in world.read(written)
    assert world.repository.list_changes(tip, written) == ("CLAUDE.md",)
    message = world.list_messages(written)[-1]
    assert message.splitlines()[0] == "Rules learned by Rename total"
    assert "Rules-From: run-1" in message.splitlines()
    # Called again, as after a kill.
    assert world.write_rules(learned, world.base, written) == written
    assert world.git("status", "--porcelain") == ""


def test_a_run_that_learned_nothing_changes_nothing(world: RuleWorld) -> None:
    work = world.commit(world.base, {"prices.py": "x = 2\n"})
    for learned in ("", work, world.commit(world.base, {"CLAUDE.md": "# The agent's words\n"})):
        assert world.write_rules(learned, world.base, world.base) == world.base


def test_two_lanes_that_learn_the_same_rule_and_its_opposite(world: RuleWorld) -> None:
    lanes = [world.learn(world.base, rule(text)) for text in (CLOSE, CLOSE, NEVER_CLOSE)]
    tip = world.base
    for number, learned in enumerate(lanes):
        tip = world.write_rules(learned, world.base, tip, f"run-{number}")
    text = world.read(tip)
    assert text.count(CLOSE.rule) == 1
    assert "reinforced 1" in text
    assert NEVER_CLOSE.rule not in text
    held = world.list_records()[rule(NEVER_CLOSE).id]
    assert held.status is Status.QUARANTINED
    assert held.proposal.against == rule(CLOSE).id
    assert held.origin.failure == "9f8e7d6c5b4a"
    (notice,) = [each for each in world.notices if "waits for you" in each]
    assert f"rules approve {held.rule.id}" in notice
    # Again: nobody is told twice, and nothing changes.
    assert world.write_rules(lanes[2], world.base, tip, "run-2") == tip
    assert len([each for each in world.notices if "waits for you" in each]) == 1


def test_the_record_of_a_known_rule_says_where_it_went(world: RuleWorld) -> None:
    same = rule(replace(CLOSE, rule="Always close the files"))
    with Store(world.state) as store:
        History(store.database, resolve_book(world.config, world.project)).record_rule(
            same, Status.ARCHIVED, Origin(), what=RuleEventKind.ADDED_ON_BRANCH, reason="branch"
        )
    tip = world.write_rules(world.learn(world.base, rule(CLOSE)), world.base, world.base)
    world.write_rules(world.learn(world.base, same), world.base, tip, "run-2")
    record = world.list_records()[same.id]
    assert record.status is Status.ARCHIVED
    assert rule(CLOSE).id in record.reason


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("project", "CLAUDE.md"),
        ("agents-md", "AGENTS.md"),
        ("rules-dir", ".claude/rules/learned.md"),
    ],
)
def test_each_target(tmp_path: Path, target: str, name: str) -> None:
    world = RuleWorld(tmp_path, FILES, rules={"target": target})
    learned = world.learn(world.base, rule(CLOSE), name=name)
    tip = world.write_rules(learned, world.base, world.base)
    assert world.repository.list_changes(world.base, tip) == (name,)
    assert CLOSE.rule in world.read(tip, name)


def test_rules_in_the_users_own_file_are_not_merged(tmp_path: Path) -> None:
    world = RuleWorld(tmp_path, FILES, rules={"target": "user"})
    learned = world.learn(world.base, rule(CLOSE))
    assert world.write_rules(learned, world.base, world.base) == world.base


def test_a_rule_file_behind_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    world = RuleWorld(folder, {"docs/agent.md": "# Docs\n", "x.py": ""})
    (world.project / "CLAUDE.md").symlink_to("docs/agent.md")
    world.git("add", "-A")
    world.git("commit", "-q", "-m", "link")
    base = world.repository.commit_tree(
        world.git("rev-parse", "HEAD^{tree}"), [world.base], "linked"
    )
    learned = world.learn(base, rule(CLOSE), name="docs/agent.md")
    tip = world.write_rules(learned, base, base)
    assert world.repository.list_changes(base, tip) == ("docs/agent.md",)
    assert CLOSE.rule in world.read(tip, "docs/agent.md")


def test_a_file_that_cannot_be_edited_is_reported_and_blocks_nothing(world: RuleWorld) -> None:
    learned = world.learn(world.base, rule(CLOSE))
    tip = world.repository.replace_files(world.base, {"CLAUDE.md": b"\xff\xfeU\0T\0"}, "utf-16")
    assert world.write_rules(learned, world.base, tip) == tip
    assert any("not written" in each and learned[:12] in each for each in world.notices)


def test_a_project_in_a_subfolder(tmp_path: Path) -> None:
    from orchestrator.workspace.lanes import open_lane_repository

    world = RuleWorld(tmp_path, {"sub/CLAUDE.md": "# Sub\n", "CLAUDE.md": "# Top\n"})
    world.project /= "sub"
    world.repository = open_lane_repository(world.project, world.folder / "repository.git")
    learned = world.learn(world.base, rule(CLOSE), name="sub/CLAUDE.md")
    tip = world.write_rules(learned, world.base, world.base)
    assert world.repository.list_changes(world.base, tip) == ("sub/CLAUDE.md",)
    # The rules of the folder above are of another rulebook.
    above = world.learn(world.base, rule(SORT))
    assert world.write_rules(above, world.base, tip, "run-2") == tip


# ---- what the merge queue teaches


def test_a_conflict_is_taught_once_and_its_rule_is_on_the_tip(
    world: RuleWorld, model: ReplayServer
) -> None:
    tip = world.commit(world.base, {"prices.py": "x = 3\n"}, "Rename total to add_up")
    record = world.make_record(tip)
    taught = world.teach(record, tip)
    assert TEXT["rule"].rstrip(".") in world.read(taught)
    assert world.repository.list_changes(tip, taught) == ("CLAUDE.md",)
    (request,) = [each.text for each in model.requests]
    for said in ("Rename total to add_up", "test_cart.py::test_pay", "green alone", "cart.py"):
        assert said in request
    assert "hunter2" not in request
    assert world.teach(record, tip) == taught
    # The tip has moved before the caller could use it.
    moved = world.commit(tip, {"z.py": "z = 1\n"})
    again = world.teach(record, moved)
    assert TEXT["rule"].rstrip(".") in world.read(again)
    assert world.read(again, "z.py") == "z = 1\n"
    assert world.teach(record, again) == again
    assert len(model.requests) == 1
    assert world.list_pending() == []
    assert world.git("status", "--porcelain") == ""


def test_without_a_key_the_failure_waits_and_the_tip_stays(
    world: RuleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    record = world.make_record(world.base)
    assert world.teach(record, world.base) == world.base
    (pending,) = world.list_pending()
    assert pending.failure.source == "merge-queue"
    assert "hunter2" not in str(pending)
    assert any("nothing learned" in each for each in world.notices)
    assert world.teach(record, world.base) == world.base
    assert len(world.list_pending()) == 1


def test_over_budget_the_failure_waits(tmp_path: Path, model: ReplayServer) -> None:
    world = RuleWorld(tmp_path, FILES, limits={"max_cost_usd_per_day": 0.000001})
    record = world.make_record(world.base)
    assert world.teach(record, world.base) == world.base
    assert len(world.list_pending()) == 1
    assert not model.requests


def test_a_switched_off_source_is_not_taught(tmp_path: Path, model: ReplayServer) -> None:
    off = [{"name": "pytest", "enabled": False}]
    world = RuleWorld(tmp_path, FILES, failure_sources=off)
    assert world.teach(world.make_record(world.base), world.base) == world.base
    assert not model.requests
    assert world.list_pending() == []


def test_a_lesson_that_contradicts_waits(world: RuleWorld) -> None:
    tip = world.write_rules(world.learn(world.base, rule(CLOSE)), world.base, world.base)
    lesson = {**LESSON, "rule": NEVER_CLOSE.rule, "when": NEVER_CLOSE.when, "why": "x"}
    with pytest.MonkeyPatch.context() as patch, serve_lesson(lesson) as server:
        patch.setenv("ANTHROPIC_BASE_URL", server.url)
        patch.setenv("ANTHROPIC_API_KEY", "sk-not-a-key")
        assert world.teach(world.make_record(tip), tip) == tip
    assert [r.status for r in world.list_records().values() if r.status.is_pending] == [
        Status.QUARANTINED
    ]


def test_a_private_rule_file_is_the_users_own(tmp_path: Path, model: ReplayServer) -> None:
    world = RuleWorld(tmp_path, {"x.py": "", ".gitignore": "CLAUDE.md\n"})
    world.write("CLAUDE.md", "# Private\n")
    record = world.make_record(world.base)
    assert world.teach(record, world.base) == world.base
    text = (world.project / "CLAUDE.md").read_text("utf-8")
    assert text.startswith("# Private\n")
    assert TEXT["rule"].rstrip(".") in text
    assert len(model.requests) == 1


# ---- killed in between


KILLED = {module.__file__ for module in (lane_rules, conflict_teaching, learned_rules, rule_blobs)}


def die_at_lines(
    step: int, prepare: Callable[[int], RuleWorld], work: Callable[[RuleWorld], str]
) -> Iterator[RuleWorld]:
    """Do some work in processes that die at each n-th line in turn; give what each has left."""
    died = 0
    for line in range(1, 5000, step):
        world = prepare(line)

        def run(line: int = line, world: RuleWorld = world) -> None:
            sys.settrace(die_at(line, KILLED))
            work(world)
            sys.settrace(None)

        is_killed = reap(fork(run))
        yield world
        died += is_killed
        if not is_killed:
            assert died > 5
            return
    raise AssertionError("it never ended")


@pytest.mark.whole
@pytest.mark.long
def test_rules_are_written_once_whenever_the_process_dies(tmp_path: Path) -> None:
    def prepare(line: int) -> RuleWorld:
        world = RuleWorld(tmp_path / str(line), FILES)
        lanes = ((rule(CLOSE), rule(TABS)), (rule(NEVER_CLOSE), rule(SORT)))
        for number, rules in enumerate(lanes):
            learned = world.learn(world.base, *rules)
            world.repository.set_ref(f"refs/orchestrator/learned/run-{number}", learned)
        return world

    def write(world: RuleWorld) -> str:
        tip = world.repository.read_ref("refs/orchestrator/tip") or world.base
        for ref, learned in world.repository.list_refs("refs/orchestrator/learned").items():
            tip = world.write_rules(learned, world.base, tip, ref.rpartition("/")[2])
            world.repository.set_ref("refs/orchestrator/tip", tip)
        return tip

    for world in die_at_lines(61, prepare, write):
        text = world.read(write(world))
        assert [text.count(each.rule) for each in (CLOSE, TABS, SORT, NEVER_CLOSE)] == [1, 1, 1, 0]
        assert "reinforced" not in text
        waiting = [each for each in world.list_records().values() if each.status.is_pending]
        assert [each.rule.text for each in waiting] == [NEVER_CLOSE]


@pytest.mark.whole
@pytest.mark.long
def test_a_conflict_is_paid_for_once_whenever_the_process_dies(
    tmp_path: Path, model: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(line: int) -> RuleWorld:
        monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / str(line) / "state"))
        return RuleWorld(tmp_path / str(line), FILES)

    def teach(world: RuleWorld) -> str:
        return world.teach(world.make_record(world.base), world.base)

    for number, world in enumerate(die_at_lines(17, prepare, teach), 1):
        taught = teach(world)
        assert world.read(taught).count(TEXT["rule"].rstrip(".")) == 1
        assert world.repository.read_ref(f"{TAUGHT_REFS}run-2") == taught
        assert world.list_pending() == []
        assert len(model.requests) == number

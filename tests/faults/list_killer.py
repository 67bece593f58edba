"""Work on a list in processes that are killed between every two writes; for `test_list_kills`.

`python -m tests.faults.list_killer FOLDER PART PARTS`: the imports are paid for once, each process
is a fork, and each list has a project and a state directory of its own. Runs are made in the
process itself, without an agent: what is killed is all that a list is beside its runs.
"""

import hashlib
import itertools
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import anthropic  # noqa: F401 -- imported once, and not in each fork

from orchestrator.config import load_config
from orchestrator.errors import UsageError
from orchestrator.models import RunOutcome, RunResult
from orchestrator.platform import process
from orchestrator.platform.liveness import mark_process
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.services import lane_child, task_lists, wiring  # noqa: F401 -- as above
from orchestrator.services.lane_preparation import LANE_VARIABLE
from orchestrator.services.rulebooks import open_rulebook
from orchestrator.storage import engines
from orchestrator.storage.location import STATE_VARIABLE
from orchestrator.storage.run_costs import sum_run_cost
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks import scheduler
from orchestrator.tasks.models import ListOptions, ListRecord, ListStatus, TaskState
from orchestrator.tasks.store import TaskStore
from teacher.models import RuleText
from tests.e2e.list_world import describe_repository, git, lesson
from tests.rulebook.making import FAILURE, LISTS, NONE, add
from tests.rulebook.writers import fork, reap
from tests.survivors import list_survivors
from tests.trusting import trust_project

LIST: Final = """# Plan

- [ ] T001 Share one [P]
- [ ] T002 Share two [P]
- [ ] T003 Weigh three [P] (depends on T002)
- [ ] T004 Weigh four [P] (depends on T002)
"""
RULES: Final = {"T001": NONE, "T003": LISTS}
"""What the runs of some tasks learn."""
TAUGHT: Final = "Add up all the weights before choosing one"
"""What a failure of the merge queue teaches."""
CHECK: Final = """\
total=0
for file in w/*; do
    read -r number < "$file"
    test "$number" -le 6 || { echo "one weight is not possible: $number"; exit 1; }
    total=$((total + number))
done
test "$total" -le 10 || { echo "the weights are too large: $total"; exit 1; }
"""
PROPOSED: Final = "- [ ] T009 Clean the windows"
"""What an agent adds to its copy of the list."""
COST: Final = 0.25
LATER: Final = (17, 31, 23)
"""Before which of their writes the processes die that go on after the first kill."""
_WRITING: Final = frozenset(
    {"update-ref", "fetch", "worktree", "merge-tree", "init", "pack-objects", "push"}
)
"""Commands of git after which something is there that others see; objects alone are not."""
_LEFT_SECONDS: Final = 10.0


# ---- what kills


class Killer:
    """Counts the writes of a process, and kills it before the n-th one.

    Args:
        folder: only files below it count.
        at: which write; 0 kills never.
    """

    def __init__(self, folder: Path, at: int) -> None:
        self.labels: list[str] = []
        self._folder, self._at = str(folder), at
        self._lock, self._numbers = threading.Lock(), itertools.count(1)

    def install(self) -> None:
        """Count commits of the database, commands of git that write, and renamed files."""
        self._wrap(engines.SQLite, "execute", self._name_statement)
        for name in ("capture", "run"):
            self._wrap(process, name, self._name_command)
        for name in ("replace", "rename", "link", "symlink", "rmdir"):
            self._wrap(os, name, lambda *args, name=name: self._name_path(name, args))

    def _wrap(self, owner: object, name: str, label: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            if found := label(*args):
                self.count(found)
            return real(*args, **options)

        setattr(owner, name, counted)

    def count(self, label: str) -> None:
        with self._lock:
            self.labels.append(label)
            if next(self._numbers) == self._at:
                Path(self._folder, "killed").write_text(label, encoding="utf-8")
                os.kill(os.getpid(), signal.SIGKILL)

    def _name_statement(self, _engine: object, statement: str, *_: object) -> str:
        return "commit" if statement == "COMMIT" else ""

    def _name_command(self, argv: list[str], *_: object) -> str:
        if argv[0] != "git":
            return f"start {Path(argv[0]).name}"
        words = iter(argv[1:])
        for word in words:
            if word == "-c":
                next(words)
            else:
                return f"git {word}" if word in _WRITING else ""
        return ""

    def _name_path(self, name: str, args: tuple[object, ...]) -> str:
        paths = [os.fsdecode(each) for each in args[:2] if isinstance(each, str | bytes | Path)]
        return name if any(each.startswith(self._folder) for each in paths) else ""


# ---- the runs


def execute(self: lane_child.RunChild) -> int:
    """Do what the process of a run does, in this one: `RunChild.execute`."""
    state = Path(self._environment[STATE_VARIABLE])
    lane = self._folder / "lanes" / self._environment[LANE_VARIABLE]
    with Store(state) as store:
        record, token = store.find_run(self._run), store.claim_run(self._run)
        task = TaskStore(store.database).find_task_of_run(self._run)
        write_work(task, lane)
        if rule := RULES.get(task):
            learn_rule(rule, lane, record.task.project, store, self._run)
        with store.database.transaction():
            if not store.database.fetch_rows("SELECT 1 FROM spending WHERE run = ?", (self._run,)):
                store.database.write(
                    "INSERT INTO spending (run, attempt, kind, started, closed, cost_usd, host,"
                    " process, process_started) VALUES (?, 1, 'agent', ?, 1, ?, ?, ?, ?)",
                    (self._run, time.time(), COST, *mark_process()),
                )
            store.save_result(self._run, RunResult(RunOutcome.SOLVED), token)
    return 0


def write_work(task: str, lane: Path) -> None:
    """Write what an agent would whose work is green alone."""
    shared, weights = lane / "shared.txt", lane / "w"
    if task in ("T001", "T002"):
        others = [
            each
            for each in shared.read_text(encoding="utf-8").split()
            if each not in ("none", task)
        ]
        shared.write_text("\n".join([*others, task]) + "\n", encoding="utf-8")
        return
    listed = lane / "tasks.md"
    if task == "T004" and PROPOSED not in (text := listed.read_text(encoding="utf-8")):
        listed.write_text(f"{text}{PROPOSED}\n", encoding="utf-8")
    files = [each for each in weights.iterdir() if each.name != task]
    total = sum(int(each.read_text(encoding="utf-8")) for each in files)
    (weights / task).write_text(f"{6 if total + 6 <= 10 else 1}\n", encoding="utf-8")


def learn_rule(rule: RuleText, lane: Path, project: Path, store: Store, run: str) -> None:
    """Write a rule to the lane, unless it is there already."""
    path = lane / "CLAUDE.md"
    if not path.exists() or rule.rule not in path.read_text(encoding="utf-8"):
        config = load_config(project).config
        book, _ = open_rulebook(
            config, lane, store.database, lambda _event: None, run=run, home=project
        )
        failure = replace(FAILURE, fingerprint=hashlib.sha256(rule.rule.encode()).hexdigest()[:16])
        book.apply(add(rule), failure)


# ---- one list


def make_project(project: Path, agent: Sequence[str]) -> None:
    """Make a project with a list, with some of the user's work in it."""
    files = {"shared.txt": "none\n", "w/base": "1\n", "check.sh": CHECK, "tasks.md": LIST}
    settings = {
        "tests": {"framework": "command", "command": "sh check.sh"},
        "agent": {"kind": "command", "command": list(agent)},
    }
    for name, text in {**files, "orchestrator.yaml": json.dumps(settings)}.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "start")
    (project / "notes.txt").write_text("mine\n", encoding="utf-8")
    (project / "staged.txt").write_text("staged\n", encoding="utf-8")
    git(project, "add", "staged.txt")


def work(folder: Path, at: int) -> None:
    """Do the list without processes for its runs, and die before the n-th write."""
    lane_child.RunChild.execute = execute  # type: ignore[method-assign]
    scheduler._POLL_SECONDS = 0.01  # type: ignore[misc]
    killer = Killer(folder, at)
    killer.install()
    work_on_list(folder)
    (folder / "labels").write_text("\n".join(killer.labels), encoding="utf-8")


def work_on_list(folder: Path) -> None:
    """Start the list, or go on with it."""
    project = folder / "project"
    try:
        task_lists.resume_list("last", listener=lambda _event: None)
    except UsageError as error:
        if "no task list yet" not in str(error):
            raise
        task_lists.start_list(
            str(project / "tasks.md"),
            project,
            options=ListOptions(parallel=2),
            listener=lambda _event: None,
        )


def run_killed(folder: Path, at: int) -> bool:
    """Work on a list in a process that dies; return whether it did."""
    return reap(fork(lambda: work(folder, at)))


def kill_and_finish(folder: Path, kills: tuple[int, ...]) -> list[str]:
    """Work on a new list in processes that are killed; check it, and return where they died."""
    before = prepare(folder, ["true"])
    killed = []
    for at in kills:
        if not run_killed(folder, at):
            break
        killed.append((folder / "killed").read_text(encoding="utf-8"))
    assert not run_killed(folder, 0)
    check(folder, before, RULES.values())
    return killed


def prepare(folder: Path, agent: Sequence[str]) -> dict[str, object]:
    """Make a project and an empty state directory; return what must stay as it is."""
    shutil.rmtree(folder, ignore_errors=True)
    make_project(folder / "project", agent)
    os.environ[STATE_VARIABLE] = str(folder / "state")
    # In a fork: this process has no database open when it forks.
    assert not reap(fork(lambda: trust_project(folder / "project", folder / "state")))
    return describe_repository(folder / "project")


def check(folder: Path, before: dict[str, object], rules: Collection[RuleText]) -> None:
    """Check a list that has ended, and what is the user's."""
    assert describe_repository(folder / "project") == before
    assert not reap(fork(lambda: check_list(folder, rules)))
    assert list_survivors(folder, _LEFT_SECONDS) == []


# ---- what must be true in the end


def check_list(folder: Path, rules: Collection[RuleText]) -> None:
    """Check that all is as if nobody had been killed."""
    project, state = folder / "project", folder / "state"
    with Store(state) as store:
        lists = TaskStore(store.database)
        record = lists.find_list("last")
        assert record.status is ListStatus.COMPLETE, record
        *tasks, proposed = lists.load_tasks(record.id)
        assert [each.state for each in tasks] == [TaskState.DONE] * 4, tasks
        assert (proposed.item.id, proposed.state) == ("T009", TaskState.PROPOSED), proposed
        assert (project / "tasks.md").read_text("utf-8") == LIST.replace("[ ]", "[x]")
        check_branch(project, record, {each.item.id: each.run for each in tasks})
        rows = store.database.fetch_rows("SELECT run, task, work, learned, ended FROM task_runs")
        assert 4 <= len(rows) <= 6, rows
        assert all(ended for *_, ended in rows), rows
        refs = read_refs(folder, record)
        for run, _, done, learned, _ in rows:
            assert refs[f"refs/orchestrator/work/{run}"] == done
            assert refs[f"refs/orchestrator/learned/{run}"] == learned
        assert refs["refs/orchestrator/tip"] == git(project, "rev-parse", record.branch).strip()
        costs = defaultdict[str, float](float)
        for run, task, *_ in rows:
            costs[task] += sum_run_cost(store.database, run).cost_usd
        assert {t.item.id: round(t.cost_usd, 6) for t in tasks} == {
            task: round(cost, 6) for task, cost in costs.items()
        }
        assert all(each.reserved_usd == 0 for each in tasks)
        check_rules(project, record, store, rules, taught=any("/taught/" in name for name in refs))


def check_branch(project: Path, record: ListRecord, runs: dict[str, str]) -> None:
    """Check that each task has landed exactly once, and that nothing of others was lost."""
    log = git(project, "log", "--format=%B", f"{record.base}..{record.branch}").splitlines()
    landed = [each.removeprefix("Task: ") for each in log if each.startswith("Task: ")]
    assert sorted(landed) == ["T001", "T002", "T003", "T004"], landed
    by = [each.removeprefix("Run: ") for each in log if each.startswith("Run: ")]
    assert sorted(by) == sorted(runs.values()), (by, runs)
    rules = [each for each in log if each.startswith("Rules-From: ")]
    assert len(rules) == len(set(rules)), rules
    shared = git(project, "show", f"{record.branch}:shared.txt").split()
    assert sorted(shared) == ["T001", "T002"], shared
    weights = [git(project, "show", f"{record.branch}:w/{task}") for task in ("T003", "T004")]
    assert sorted(weights) == ["1\n", "6\n"], weights
    git(project, "fsck", "--strict")


def check_rules(
    project: Path,
    record: ListRecord,
    store: Store,
    rules: Collection[RuleText],
    *,
    taught: bool,
) -> None:
    """Check that each rule was written once, with one record."""
    text = git(project, "show", f"{record.branch}:CLAUDE.md")
    expected = {**{each.rule: 1 for each in rules}, TAUGHT: int(taught)}
    assert {rule: text.count(rule) for rule in expected} == expected, text
    ids = store.database.fetch_rows("SELECT id FROM rules")
    assert len(ids) == len(set(ids)) == sum(expected.values()), (ids, expected)


def read_refs(folder: Path, record: ListRecord) -> dict[str, str]:
    """Return the refs of the list's own repository."""
    repository = list_folder(folder / "state", record.id) / "repository.git"
    printed = git(repository, "for-each-ref", "--format=%(refname) %(objectname)")
    return dict(line.split(" ") for line in printed.splitlines())


def main(folder: str, part: str, parts: str) -> None:
    """Kill before each n-th write of a list, and again in the process that goes on."""
    top, number, step = Path(folder).resolve(), int(part), int(parts)
    os.environ.update(HOME=str(top / "home"), ANTHROPIC_API_KEY="sk-not-a-key")
    (top / "home").mkdir()
    scenario = {"answers": [lesson("weights", TAUGHT)]}
    killed, lists = Counter[str](), 0
    with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
        os.environ["ANTHROPIC_BASE_URL"] = model.url
        kill_and_finish(top / "whole", ())
        at = number + 1
        while True:
            found = kill_and_finish(top / "list", (at, *LATER))
            if not found:
                break
            print(at, *found, sep="; ", file=sys.stderr, flush=True)
            killed.update(found)
            lists += 1
            at += step
        asked = len(model.requests)
    # What a killed process had asked is asked again only if its answer was lost.
    print(json.dumps({"kills": killed, "lists": lists, "asked": asked}))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Stand-ins for what a list needs from above, on a real repository of lanes."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.models import RunOutcome
from orchestrator.tasks.models import CombinedVerdict, TaskEnd, TaskOrder, TaskRecord
from orchestrator.workspace.lanes import LaneRepository

Files = Mapping[str, bytes | None]
Script = Callable[[TaskOrder], "Files | TaskEnd"]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def make_project(folder: Path, files: Mapping[str, str]) -> Path:
    """Create a repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "start")
    return folder


@dataclass
class FakeRunner:
    """Runs tasks by a script for each: the files that it writes, or how it ends.

    Args:
        repository: takes the works.
        scripts: by the task's id; a list is used up from the front, its last one again and again.
        polls: how often `poll` says that a run still works.
    """

    repository: LaneRepository
    scripts: Mapping[str, Sequence[Script]]
    polls: int = 1
    orders: list[TaskOrder] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _ends: dict[str, tuple[int, TaskEnd]] = field(default_factory=dict)
    _runs: dict[str, int] = field(default_factory=dict)

    def start(self, order: TaskOrder) -> None:
        self.orders.append(order)
        number = self._runs.get(order.task, 0)
        self._runs[order.task] = number + 1
        scripts = self.scripts[order.task]
        made = scripts[min(number, len(scripts) - 1)](order)
        end = made if isinstance(made, TaskEnd) else self.commit(order, made)
        self._ends[order.run] = (self.polls, end)
        self.most_at_once = max(self.most_at_once, len(self._ends))

    def commit(self, order: TaskOrder, files: Files) -> TaskEnd:
        work = self.repository.replace_files(order.base, files, f"work of {order.task}")
        self.repository.set_ref(f"refs/orchestrator/work/{order.run}", work)
        changed = self.repository.list_changes(order.base, work)
        return TaskEnd(
            RunOutcome.SOLVED, work=work, learned=work, changed=changed, cost_usd=1.0, seconds=2.0
        )

    def poll(self, run: str) -> TaskEnd | None:
        left, end = self._ends[run]
        if left > 0:
            self._ends[run] = (left - 1, end)
            return None
        del self._ends[run]
        return end

    def interrupt(self, run: str) -> None:
        self.interrupted.append(run)
        self._ends[run] = (0, TaskEnd(RunOutcome.INTERRUPTED))

    def find_lane(self, _run: str) -> Path | None:
        return None


@dataclass
class FakeJudge:
    """Judges combined trees by a function of their files; counts how often it was asked."""

    is_green: Callable[[str], bool] = lambda _commit: True
    judged: list[str] = field(default_factory=list)

    def judge(self, commit: str, _tip: str) -> CombinedVerdict:
        self.judged.append(commit)
        if self.is_green(commit):
            return CombinedVerdict(green=True)
        return CombinedVerdict(green=False, failing=("test_all",), output="assert 1 == 2")


@dataclass
class FakeRules:
    """Writes nothing; remembers which runs it was asked about."""

    asked: list[str] = field(default_factory=list)
    taught: list[str] = field(default_factory=list)

    def write_rules(self, _end: TaskEnd, _base: str, tip: str, run: str) -> str:
        self.asked.append(run)
        return tip

    def teach_conflict(self, record: TaskRecord, _verdict: CombinedVerdict, tip: str) -> str:
        self.taught.append(record.item.id)
        return tip

"""A long list with an instant agent: how fast it is worked on, and in how much memory.

`python -m benchmarks.task_list COUNT LANES` works on one list in a process of its own, so that its
memory is that of the list. Real are the repository with a commit for each task, the record, the
merge queue, the branch and the ticks in the list's file; the agent, the suite and the teacher are
the stand-ins of the tests. So what is left is our own work.
"""

import json
import resource
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import children, machine
from benchmarks.results import Table
from orchestrator.config import Config
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks.hot_files import conflicts
from orchestrator.tasks.merging import MergeQueue
from orchestrator.tasks.models import ListOptions, ListStatus, TaskOrder
from orchestrator.tasks.prompts import PromptBuilder
from orchestrator.tasks.reading import read_list
from orchestrator.tasks.scheduler import Scheduler
from orchestrator.tasks.store import TaskStore
from orchestrator.workspace.lanes import open_lane_repository
from tests.tasks.fakes import FakeJudge, FakeRules, FakeRunner, make_project

COUNTS: Final = (100, 1000)
LANES: Final = 7
ROUNDS: Final = 3


def measure() -> Table:
    """Work on lists of two lengths."""
    rows, samples = [], dict[str, list[float]]()
    first = 0.0
    with TemporaryDirectory(prefix="benchmark-") as name:
        for count in COUNTS:
            rounds = ROUNDS if count == COUNTS[0] else 1
            found = [_run_child(Path(name), count) for _ in range(rounds)]
            each = [1000 * seconds / count for seconds, _ in found]
            samples[f"{count} tasks"] = each
            first = first or median(each)
            rows.append(
                (
                    f"{count:,} tasks",
                    f"{median(each):.0f} ms",
                    f"{1000 / median(each):.1f}/s",
                    f"{median(each) / first:.2f}x",
                    f"{max(memory for _, memory in found) / 1e6:.0f} MB",
                )
            )
    return Table(
        f"A list with an instant agent in {LANES} lanes",
        ("list", "for each task", "rate", "beside the short list", "most memory"),
        tuple(rows),
        samples,
    )


def _run_child(folder: Path, count: int) -> tuple[float, float]:
    """Work on a list in another process; return its seconds and bytes of memory."""
    output = folder / "output"
    argv = [sys.executable, "-m", "benchmarks.task_list", str(count), str(LANES)]
    done = children.run(argv, machine.ROOT, machine.environment(), output)
    text = output.read_text(encoding="utf-8")
    if done.exit_code:
        raise RuntimeError(text)
    seconds, memory = json.loads(text.splitlines()[-1])
    return seconds, memory


def work_on_list(folder: Path, count: int, lanes: int) -> float:
    """Work on a list of tasks that each add a file; return the seconds."""
    text = "".join(
        f"- [ ] T{number:05} Add part {number}\n  files: parts/p{number}.py\n"
        for number in range(count)
    )
    project = make_project(folder / "project", {"tasks.md": text, "shop.py": "one = 1\n"})
    state = folder / "state"
    with open_database(state) as database:
        store = TaskStore(database)
        repository = open_lane_repository(project, list_folder(state, "l1") / "repository.git")
        tasks = read_list(str(project / "tasks.md"), project)
        record = store.create_list(
            *("l1", project, tasks.source, tasks.format, ListOptions(parallel=lanes), "{}"),
            *(repository.create_base(), tasks.items),
        )
        scripts = {f"T{number:05}": [partial(_write_part, number)] for number in range(count)}
        runner = FakeRunner(repository, scripts)
        scheduler = Scheduler(
            record,
            tasks,
            Config.model_validate({"tasks": {"max_cost_usd": None}}),
            store,
            runner,
            MergeQueue(record, repository, FakeJudge(), FakeRules(), lambda _tasks: None),
            None,
            PromptBuilder(repository, "tasks.md", lambda text: text),
            lambda one, other: conflicts(one, other, ()),
            lambda _event: None,
            lambda _record, _end: (),
            lambda _without: None,
            lambda: 0.0,
            lambda tip: _require_published(repository.publish(tip, record.branch)),
            lambda _record, _tasks: (),
        )
        started = time.perf_counter()
        ended = scheduler.run_list()
        seconds = time.perf_counter() - started
    if ended.status is not ListStatus.COMPLETE:
        raise RuntimeError(f"the list is {ended.status}: {ended.message}")
    return seconds


def _write_part(number: int, _order: TaskOrder) -> dict[str, bytes | None]:
    return {f"parts/p{number}.py": b"def part(): pass\n"}


def _require_published(problem: str) -> str:
    if problem:
        raise RuntimeError(problem)
    return problem


def main(count: int, lanes: int) -> None:
    """Work on a list, and print the seconds and the bytes of memory."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        seconds = work_on_list(Path(folder), count, lanes)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([seconds, memory]))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

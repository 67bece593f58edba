"""A list whose tasks workers do, and workers as real processes.

python -m tests.services.fleet_world STATE LANES TIMES    is a worker with short times, as JSON
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config import load_config
from orchestrator.config.masked_config import ConfigMasker
from orchestrator.errors import LoopError
from orchestrator.journal.queues import QueueLimits
from orchestrator.masking import Masker
from orchestrator.services.queue_runner import QueueRunner
from orchestrator.services.workers import StopRequest, WorkerOptions, WorkerTimes, run_worker
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import ensure_masking_key, list_folder
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.workers import WorkerStore
from orchestrator.tasks.models import TaskEnd, TaskOrder
from orchestrator.workspace.lanes import open_lane_repository

if TYPE_CHECKING:
    from orchestrator.events import Event

ROOT = Path(__file__).parents[2]
LIST = "20260101-000000-abcdef"
FAST = {"poll": 0.3, "seen": 0.5, "reap": 1.0, "grace": 30.0, "stale": 3600.0, "reconnect": 2.0}

AGENT = '''
"""Do what the prompt says, one command a line; `out` is where the test looks."""
import os, pathlib, signal, subprocess, sys, time
out = pathlib.Path(OUT)
for line in sys.stdin.read().splitlines():
    match line.split():
        case ["write", name, text]:
            pathlib.Path(name).write_text(text + "\\n")
        case ["note", name]:
            with (out / name).open("a") as file:
                file.write(f"{os.getpid()}\\n")
        case ["await", name]:
            while not (out / name).exists():
                time.sleep(0.02)
        case ["daemon", name]:
            daemon = [sys.executable, "-c", "import time; time.sleep(600)"]
            left = subprocess.Popen(daemon, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
            (out / name).write_text(str(left.pid))
        case ["kill-run"]:
            pid = os.getppid()
            while b"resume" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\\0"):
                pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().split()[3])
            os.kill(pid, signal.SIGKILL)
            time.sleep(60)
        case ["kill-worker"]:
            for pid in (out / "workers").read_text().split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
'''


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def make_project(project: Path, out: Path, **sections: object) -> None:
    out.mkdir(exist_ok=True)
    script = out / "agent.py"
    script.write_text(AGENT.replace("OUT", repr(str(out))), encoding="utf-8")
    config = {
        "tests": {"framework": "command", "command": "grep -qx right word.txt"},
        "agent": {"kind": "command", "command": [sys.executable, str(script)]},
        "learning": {"max_retries": 0},
        "failure_sources": [{"name": "pytest", "type": "test_failure", "enabled": False}],
        **sections,
    }
    (project / "orchestrator.yaml").write_text(json.dumps(config), encoding="utf-8")
    (project / "word.txt").write_text("wrong\n", encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        git(project, *arguments)


class FleetWorld:
    """A list of a project, and its workers."""

    def __init__(
        self,
        project: Path,
        state: Path,
        out: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.project, self.state, self.out = project, state, out
        self.events: list[Event] = []
        self.database = open_database(state)
        folder = list_folder(state, LIST) / "repository.git"
        self.repository = open_lane_repository(project, folder)
        self.base = self.repository.create_base()
        env = os.environ if environment is None else environment
        config = load_config(project, None, (), env, lambda _choice: True).config
        self.config = config
        self.resume()
        self.jobs, self.workers = JobStore(self.database), WorkerStore(self.database)
        self.processes: list[subprocess.Popen[bytes]] = []

    def resume(self) -> None:
        """Do what another process of the list does: it knows nothing but the database."""
        stored = ConfigMasker(Masker(), ensure_masking_key(self.state)).mask_config(self.config)
        self.runner = QueueRunner(
            *(self.project, self.config, stored, self.repository, self.database),
            self.events.append,
        )

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.database.close()

    def start(self, job: str, prompt: str, **values: object) -> TaskOrder:
        given = {"base": self.base, "priority": 5, "max_cost_usd": 1.0, **values}
        order = TaskOrder(LIST, f"T-{job}", job, prompt, **given)  # type: ignore[arg-type]
        self.runner.start(order)
        return order

    def start_worker(self, lanes: int = 1, **times: float) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "tests.services.fleet_world", str(self.state), str(lanes)]
        log = (self.out / f"worker-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [*argv, json.dumps({**FAST, **times})],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        self.processes.append(process)
        with (self.out / "workers").open("a", encoding="utf-8") as file:
            file.write(f"{process.pid}\n")
        return process

    def read_log(self, number: int) -> str:
        return (self.out / f"worker-{number}.log").read_text(encoding="utf-8")

    def wait(self, job: str) -> TaskEnd:
        end: list[TaskEnd] = []

        def poll() -> bool:
            end[:] = filter(None, [self.runner.poll(job)])
            return bool(end)

        self.wait_for(poll)
        return end[0]

    def wait_for(self, condition: Callable[[], object], seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            logs = [self.read_log(number) for number in range(len(self.processes))]
            assert time.monotonic() < deadline, "\n----\n".join(logs)
            time.sleep(0.05)

    def read_notes(self, name: str) -> list[int]:
        path = self.out / name
        return [int(each) for each in path.read_text().split()] if path.exists() else []


@contextlib.contextmanager
def open_fleet(
    project: Path, state: Path, out: Path, environment: Mapping[str, str] | None = None
) -> Iterator[FleetWorld]:
    world = FleetWorld(project, state, out, environment)
    try:
        yield world
    finally:
        world.close()


def main(state: str, lanes: str, times: str) -> None:
    stop = StopRequest()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.request())
    options = WorkerOptions(int(lanes), QueueLimits(20), times=WorkerTimes(**json.loads(times)))

    def report(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    code = 0
    try:
        run_worker(Path(state), options, stop, report, dict(os.environ))
    except LoopError as error:
        report(str(error))
        code = error.exit_code
    os._exit(code)  # as the program does: DBOS leaves threads behind


if __name__ == "__main__":
    main(*sys.argv[1:])

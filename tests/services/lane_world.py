"""A project, a list's repository, and a runner of its lanes; also as a program that can be killed.

python -m tests.services.lane_world PROJECT ORDER    runs an order to its end
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config import load_config
from orchestrator.config.masked_config import ConfigMasker
from orchestrator.masking import Masker
from orchestrator.services.lane_runs import LaneRunner
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import ensure_masking_key, list_folder
from orchestrator.tasks.models import TaskEnd, TaskOrder
from orchestrator.workspace.lanes import LaneRepository, open_lane_repository

if TYPE_CHECKING:
    from orchestrator.events import Event

LIST = "20260101-000000-abcdef"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def create_project(folder: Path, config: Mapping[str, object], **files: str) -> None:
    """Commit a project with a configuration and files; `__` stands for a dot in a name."""
    folder.mkdir(exist_ok=True)
    (folder / "orchestrator.yaml").write_text(json.dumps(config), encoding="utf-8")
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(text, encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        git(folder, *arguments)


class LaneWorld:
    """The lanes of one list of a project."""

    def __init__(
        self, project: Path, store: Store, environment: Mapping[str, str] | None = None
    ) -> None:
        self.project, self.store = project, store
        self.events: list[Event] = []
        folder = list_folder(store.directory, LIST) / "repository.git"
        self.repository: LaneRepository = open_lane_repository(project, folder)
        self.base = self.repository.create_base()
        config = load_config(project, None, (), environment, lambda _choice: True).config
        key = ensure_masking_key(store.directory)
        self.stored = ConfigMasker(Masker(), key).mask_config(config)
        self.runner = LaneRunner(
            project,
            self.stored,
            self.repository,
            store,
            self.events.append,
            os.environ if environment is None else environment,
        )

    def order(self, run: str, lane: int = 1, **values: object) -> TaskOrder:
        given: dict[str, object] = {
            "prompt": f"Do it, {run}.",
            "base": self.base,
            "priority": 5,
            "max_cost_usd": 1.0,
        }
        return TaskOrder(LIST, f"T-{run}", run, lane=lane, **{**given, **values})  # type: ignore[arg-type]

    def run(self, order: TaskOrder) -> TaskEnd:
        self.runner.start(order)
        return self.wait(order.run)

    def wait(self, run: str) -> TaskEnd:
        deadline = time.monotonic() + 240
        while (end := self.runner.poll(run)) is None:
            assert time.monotonic() < deadline, self.events
            time.sleep(0.02)
        return end

    def list_files(self, commit: str) -> list[str]:
        listed = git(self.repository.folder, "ls-tree", "-r", "--name-only", commit)
        return listed.splitlines()

    def read(self, commit: str, path: str) -> str:
        return (self.repository.read_file(commit, path) or b"").decode()


@contextlib.contextmanager
def open_world(
    project: Path, state: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[LaneWorld]:
    with Store(state) as store:
        world = LaneWorld(project, store, environment)
        try:
            yield world
        finally:
            world.runner.close()


def start_killable(
    project: Path, order: TaskOrder, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Run an order in a process of its own."""
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-m", "tests.services.lane_world", str(project)]
    text = json.dumps(asdict(order))
    return subprocess.Popen([*argv, text], cwd=root, start_new_session=True, env=environment)


def wait_for(path: Path, process: subprocess.Popen[bytes] | None = None) -> str:
    """Wait until a file has a text, and return it."""
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, f"{path} never came"
        assert process is None or process.poll() is None, f"it ended before {path}"
        time.sleep(0.02)
    return path.read_text(encoding="utf-8")


def main() -> None:
    project, text = sys.argv[1:]
    values = json.loads(text)
    with open_world(Path(project)) as world:
        world.run(TaskOrder(**{**values, "leave": tuple(values["leave"])}))


if __name__ == "__main__":
    main()

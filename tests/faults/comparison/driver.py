"""Starts or resumes a run, and kills its own process at a planned instant. Run as a child.

    python -m tests.faults.comparison.driver PROJECT FOLDER (start | resume RUN)

FOLDER/plan.json is what is planned:

    step    the step of the comparison in which to kill; "ready" is before a run has started
    point   kill when the suite of that step has come to this point (see `project.py`); or
    call    kill at this call of ours to the system in that step, as Python's audit events count

It leaves behind in FOLDER: `attempt.json`, what stood in the project when the agent had finished;
`start.json`, what stands there, and which processes of killed runs are alive, when the first word
is heard of; `calls.json`, how many calls each step took.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import psutil

from orchestrator import events
from orchestrator.platform.process_tree import MARK
from orchestrator.services.runs import exit_code, resume_run, start_run
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.workspace.swap import SwapNote
from tests.faults.comparison.project import PLAN, TASK, read_entries

STEPS: Final = {
    "running the suite again (run 2)": "second run after",
    "running the suite on the tree before": "run on the tree before",
    "running the suite again (run 4)": "third run after",
    "running the tests without": "run without the new tests",
}
RESTORING_STEP: Final = "putting back after a kill"
COUNTED: Final = frozenset(
    {"open", "subprocess.Popen", "shutil.copyfile", "shutil.rmtree", "tempfile.mkdtemp"}
    | {f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "chmod", "symlink")}
    | {"os.scandir", "os.listdir"}
)
"""Calls that come in about the same number each time. Imports and looks for processes do not."""


class Killer:
    """Follows a run's events, and kills this process at the planned instant."""

    def __init__(self, project: Path, folder: Path) -> None:
        self._project, self._folder = project, folder
        self._plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        self._note = str(SwapNote.for_project(project, resolve_state_directory()).path)
        self._step, self._heard = "", False
        self._calls: dict[str, int] = {}

    def handle_event(self, event: events.Event) -> None:
        """Take an event of the run."""
        if not self._heard:
            self._enter("")
            self._heard = True
            self._report_start()
        if isinstance(event, events.Ready) and self._plan.get("step") == "ready":
            self._kill()
        if isinstance(event, events.AgentFinished):
            self._write("attempt.json", read_entries(self._project))
        if isinstance(event, events.StepStarted):
            names = [name for text, name in STEPS.items() if event.name.startswith(text)]
            self._enter(names[0] if names else "")
        if isinstance(event, events.Judged):
            self._enter("")
            self._write("calls.json", self._calls)

    def audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Take a call to the system."""
        if not self._heard and name == "open" and arguments[0] == self._note:
            self._step = RESTORING_STEP
        if not self._step or name not in COUNTED or str(arguments[0]).startswith("/proc"):
            return
        self._calls[self._step] = count = self._calls.get(self._step, 0) + 1
        if self._step == self._plan.get("step") and count == self._plan.get("call"):
            self._kill()

    def _enter(self, step: str) -> None:
        if self._step and self._step == self._plan.get("step") and "call" in self._plan:
            self._kill()  # it took fewer calls than the time that was counted
        self._step = ""  # what we do here ourselves does not count
        armed = bool(step) and step == self._plan.get("step") and "point" in self._plan
        self.arm_suite(self._plan["point"] if armed else 0)
        self._step = step

    def arm_suite(self, point: int) -> None:
        """Let the suite kill us at a point of its own; at none if it is 0."""
        link = Path(os.environ[PLAN])
        link.with_suffix(".new").unlink(missing_ok=True)
        link.with_suffix(".new").symlink_to(f"{point} {os.getpid()}")
        link.with_suffix(".new").replace(link)

    def _report_start(self) -> None:
        alive = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(PLAN) == os.environ[PLAN] and MARK in process.environ():
                    alive.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        self._write("start.json", {"files": read_entries(self._project), "alive": alive})

    def _write(self, name: str, value: object) -> None:
        text = json.dumps(value)
        (self._folder / f"{name}.new").write_text(text, encoding="ascii")
        (self._folder / f"{name}.new").replace(self._folder / name)

    @staticmethod
    def _kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    project, folder, action = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    os.environ[PLAN] = str(folder / "plan.link")
    killer = Killer(project, folder)
    killer.arm_suite(0)
    if (count := folder / "runs.txt").exists():
        count.write_text("0", encoding="ascii")
    sys.addaudithook(killer.audit)
    if action == "start":
        return exit_code(start_run(TASK, project, listener=killer.handle_event))
    return exit_code(resume_run(sys.argv[4], listener=killer.handle_event))


if __name__ == "__main__":
    sys.exit(main())

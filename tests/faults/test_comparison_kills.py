"""`kill -9` in the middle of the steps of a comparison; whoever comes next loses nothing.

The program alone is killed, as `kill -9` does: its suite stays at work for seconds, writes, and has
started a process in a session of its own. The instants are spread evenly over each step, by what
the suite has done (points, see `comparison/project.py`) or by what the program has done itself
(calls to the system). The figures go to `comparison-kills-*.json` in the folder that
ORCHESTRATOR_FIGURES names; `count.py` adds them up. ORCHESTRATOR_KILLS says how many there are; a
sample of the kills has fewer of them, in each step.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from orchestrator.platform.locking import FileLock
from orchestrator.platform.process_tree import MARK
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.workspace.swap import SwapNote
from tests.faults.comparison.driver import RESTORING_STEP
from tests.faults.comparison.project import (
    PLAN,
    POINTS,
    count_lost_bytes,
    make_project,
    read_entries,
)
from tests.recorded_runs import list_runs
from tests.trusting import trust_project

pytestmark = [pytest.mark.kills, pytest.mark.kills_sample, pytest.mark.timeout(900)]

ROOT: Final = Path(__file__).parents[2]
SECOND, BEFORE, THIRD, OLD_TESTS = (
    "second run after",
    "run on the tree before",
    "third run after",
    "run without the new tests",
)
SHARES: Final = (
    # what the agent does, the step, kills by the suite, kills by count of our calls
    ("breaks", SECOND, 10, 8),
    ("breaks", BEFORE, 6, 16),
    ("breaks", RESTORING_STEP, 0, 8),
    ("breaks", THIRD, 8, 6),
    ("wobbles", SECOND, 4, 3),
    ("wobbles", BEFORE, 6, 7),
    ("wobbles", RESTORING_STEP, 0, 4),
    ("adds", OLD_TESTS, 10, 8),
)
USUAL: Final = sum(by_suite + own for *_, by_suite, own in SHARES) + 12
"""With those that make something to restore."""
KILLS: Final = int(os.environ.get("ORCHESTRATOR_KILLS") or USUAL)
MOST_OF_A_CASE: Final = 10
EXIT_CODES: Final = {"breaks": 1, "wobbles": 0, "adds": 0}


@dataclass(frozen=True)
class Kill:
    """One planned kill: in which step, and how far into it, from 0 to 1."""

    step: str
    part: float
    by_suite: bool

    def plan(self, calls: dict[str, int]) -> dict[str, Any]:
        """Return what the driver is told; `calls` says how many each step takes."""
        if self.by_suite:
            return {"step": self.step, "point": 1 + int(self.part * POINTS)}
        return {"step": self.step, "call": 1 + int(self.part * calls[self.step])}


def planned(kind: str, total: int = KILLS) -> Iterator[Kill]:
    """Yield the kills of all runs whose agent does the same, spread evenly over each step.

    `total` is the number of kills of all kinds.
    """
    for each, step, by_suite, own in SHARES:
        if each != kind:
            continue
        for count, of_suite in ((by_suite, True), (own, False)):
            scaled = -(-count * total // USUAL)
            for number in range(scaled):
                part = (number + 0.5) / scaled
                if step == RESTORING_STEP:
                    yield Kill(BEFORE, 1 - part, by_suite=True)
                yield Kill(step, part, of_suite)


def cases() -> list[tuple[str, tuple[Kill, ...]]]:
    found = []
    for kind in EXIT_CODES:
        kills = list(planned(kind))
        found += [
            (kind, tuple(kills[at : at + MOST_OF_A_CASE]))
            for at in range(0, len(kills), MOST_OF_A_CASE)
        ]
    return found


@dataclass
class Tally:
    """What all the kills of this process came to."""

    steps: Counter[str] = field(default_factory=Counter)
    swapped: int = 0
    bytes_lost: int = 0
    left_running: int = 0
    runs: int = 0


TALLY: Final = Tally()


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        path = Path(folder, f"comparison-kills-{worker}.json")
        path.write_text(json.dumps({**vars(TALLY), "steps": dict(TALLY.steps)}), encoding="utf-8")


class Lab:
    """One project, its run, and as many processes as it takes."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.project = make_project(folder, kind)
        trust_project(self.project)
        self.run = ""

    def go(self, *action: str, **plan: Any) -> int:
        """Run a process to its end or its death, and return its exit code."""
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="ascii")
        (self.folder / "start.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.faults.comparison.driver"]
        done = subprocess.run(
            [*command, self.project, self.folder, *action],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=300,
            check=False,
        )
        assert done.returncode in (0, 1, -signal.SIGKILL), done.stderr
        return done.returncode

    def go_on(self, **plan: Any) -> int:
        """Start the run, or resume it; see that all was back before anything else was done."""
        if not self.run:
            code = self.go("start", **plan)
            (record,) = list_runs()
            self.run = record.id
            return code
        code = self.go("resume", self.run, **plan)
        self.check_start()
        return code

    def check_start(self) -> None:
        """See what the last process found when it had put things back."""
        try:
            start = self.read("start.json")
        except FileNotFoundError:  # it was killed while it did
            return
        self.check_files(start["files"])
        TALLY.left_running += len(start["alive"])
        assert start["alive"] == []

    def check_files(self, found: dict[str, list[str]]) -> None:
        """Compare what stands in the project with what stood there when the agent had finished."""
        expected = self.read("attempt.json")
        TALLY.bytes_lost += count_lost_bytes(expected, found)
        assert found == expected

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="ascii"))

    @property
    def is_swapped(self) -> bool:
        return bool(read_entries(self.project) != self.read("attempt.json"))

    @property
    def ending(self) -> list[Any]:
        """What has to be the same however often a run is killed."""
        (record,) = (record for record in list_runs() if record.id == self.run)
        assert record.result is not None
        (attempt,) = record.result.attempts
        verdict = attempt.verdict
        assert verdict is not None
        changes = sorted([each.path, each.status] for each in attempt.diff.changes)
        findings = [[each.kind, each.where, each.text] for each in attempt.findings]
        words = [record.outcome, verdict.kind, verdict.message]
        return [words, dict(verdict.cases), changes, findings]

    @property
    def left_running(self) -> list[str]:
        """What still runs of all that the killed processes had started."""
        found = []
        for process in psutil.process_iter():
            try:
                environment = process.environ()
                inside = (
                    environment.get(PLAN, "").startswith(str(self.folder)) and MARK in environment
                )
                if inside or process.cwd() == str(self.project):
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        return found


@pytest.fixture(autouse=True)
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv(
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"
    )  # a suite starts in a fifth of the time


@dataclass(frozen=True)
class Reference:
    """What a run comes to that nobody kills, and how many calls its steps take."""

    ending: list[Any]
    calls: dict[str, int]


@pytest.fixture
def references(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Reference]:
    """Measures each kind of run once, for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def find(kind: str) -> Reference:
        path = shared / f"reference-{kind}.json"
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                with monkeypatch.context() as patch:
                    found = measure(kind, tmp_path_factory.mktemp("reference"), patch)
                path.write_text(json.dumps(vars(found)), encoding="ascii")
            return Reference(**json.loads(path.read_text(encoding="ascii")))

    return find


def measure(kind: str, folder: Path, patch: pytest.MonkeyPatch) -> Reference:
    patch.setenv("ORCHESTRATOR_STATE_DIR", str(folder / "state"))
    whole = Lab(folder / "whole", kind)
    assert whole.go_on() == EXIT_CODES[kind]
    whole.check_files(read_entries(whole.project))
    ending, calls = whole.ending, whole.read("calls.json")
    if BEFORE in calls:  # killed once, to see what it takes to put things back
        patch.setenv("ORCHESTRATOR_STATE_DIR", str(folder / "other-state"))
        killed = Lab(folder / "killed", kind)
        assert killed.go_on(step=BEFORE, point=POINTS // 2) == -signal.SIGKILL
        assert killed.go_on() == EXIT_CODES[kind]
        calls = killed.read("calls.json")
    return Reference(ending, calls)


@pytest.mark.parametrize(("kind", "kills"), cases())
def test_no_byte_is_lost_and_the_run_ends_as_it_would_have(
    tmp_path: Path,
    references: Callable[[str], Reference],
    kind: str,
    kills: tuple[Kill, ...],
) -> None:
    expected = references(kind)
    lab = Lab(tmp_path / "lab", kind)
    for number, kill in enumerate(kills):
        code = lab.go_on(**kill.plan(expected.calls))
        assert code == -signal.SIGKILL, f"not killed in {kill}"
        TALLY.steps[kill.step] += 1
        TALLY.swapped += lab.is_swapped
        if kill.by_suite:  # what it leaves running is ended by `parent_watch`, at some moment
            assert lab.is_swapped is (kill.step == BEFORE)
        if number % 3 == 2 and kill.step != RESTORING_STEP:
            # Another run in the same project begins as well with what was left.
            assert lab.go("start", step="ready") == -signal.SIGKILL
            lab.check_start()
    assert lab.go_on() == EXIT_CODES[kind]
    TALLY.runs += 1
    assert lab.ending == expected.ending
    lab.check_files(read_entries(lab.project))
    assert lab.left_running == []
    assert not SwapNote.for_project(lab.project, resolve_state_directory()).path.exists()

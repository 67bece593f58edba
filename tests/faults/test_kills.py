"""`kill -9` at every boundary and at random moments, then `resume`: nothing is lost or paid twice.

The processes, SQLite, git, pytest and the Anthropic SDK are real; the model's words are scripted.
Each worker's figures go to `kills-*.json` in the folder that ORCHESTRATOR_FIGURES names; `count.py`
adds them up.
"""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from orchestrator.journal.durable import read_history
from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.storage.state_directory import resolve_state_directory
from tests.recorded_runs import get_last_run, list_runs
from tests.sampling import sample_every_sixth
from tests.trusting import trust_project

pytestmark = [pytest.mark.kills, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
RULE = "Never answer before asking"
MINE = "# My project\r\n\r\nI wrote this, without a final line end"
SCENARIO = """
answers:
  - when: {speaker: teacher, contains: answer}
    reply:
      json: {reason: It guessed., action: add, target: null, paths: [],
             rule: Never answer before asking., when: A number is asked for., why: Guesses fail.}
"""
FILES = {
    "answers.py": "def answer():\n    return 0\n",
    "tests/test_answer.py": (
        "from answers import answer\n\n\ndef test_answer():\n    assert answer() == 42\n"
    ),
    "kept.py": "def kept():\n    return 1\n",
    "tests/test_kept.py": ("from kept import kept\n\n\ndef test_kept():\n    assert kept() == 1\n"),
    "conftest.py": "",
    "CLAUDE.md": MINE,
}

RANDOM_RUNS = 32
"""Runs that are killed at random moments, up to `RANDOM_KILLS` times each."""
RANDOM_KILLS = 8
LONGEST_SECONDS = 2.5
"""Until a kill: less than a run takes where nothing else is at work, or many would not be hit."""


@dataclass
class Tally:
    """What all the kills of this session came to."""

    kills: int = 0
    runs: int = 0
    bytes_lost: int = 0
    doubled: int = 0
    boundaries: set[str] = field(default_factory=set)


TALLY = Tally()


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        path = Path(folder) / f"kills-{worker}.json"
        values = {**vars(TALLY), "boundaries": sorted(TALLY.boundaries)}
        path.write_text(json.dumps(values), encoding="utf-8")


@dataclass
class Case:
    """One project, one run, as many processes as it takes."""

    project: Path
    log: Path
    teacher: ReplayServer
    kind: str
    from_start: bool
    """Whether a failed attempt's edits are taken back."""
    kills: int = 0

    def process(self, action: str, *at: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.faults.driver"]
        return subprocess.Popen(
            [*command, str(self.project), self.teacher.url, action, *at],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def go(self, action: str, *at: str) -> tuple[int, list[str]]:
        """Run a process to its end or its death; gives its code and the events it told."""
        process = self.process(action, *at)
        out, err = process.communicate(timeout=300)
        assert process.returncode in (0, 1, -signal.SIGKILL), err
        self.killed(process.returncode)
        return process.returncode, out.split()

    def killed(self, returncode: int) -> None:
        self.kills += returncode == -signal.SIGKILL
        TALLY.kills += returncode == -signal.SIGKILL

    def finish(self) -> None:
        """Resume until it ends, then see that all is as if nothing had happened."""
        ended = RunOutcome.NOT_SOLVED if self.kind == "never" else RunOutcome.SOLVED
        known = list_runs()
        if not known or known[0].outcome is not ended:
            code, _ = self.go("resume" if known else "start")
            assert code == (1 if self.kind == "never" else 0)
        TALLY.runs += 1
        assert get_last_run().outcome is ended
        self._the_outcome()
        self._nothing_lost()
        self._nothing_paid_twice()
        assert leftovers(self.project) == []

    def _the_outcome(self) -> None:
        record = get_last_run()
        assert record.result is not None
        assert len(list_runs()) == 1
        expected = {"once": 1, "taught": 2, "never": 2, "breaks": 2}[self.kind]
        assert len(record.result.attempts) == expected
        value = 42 if self.kind != "never" else 0 if self.from_start else 41
        code = (self.project / "answers.py").read_text(encoding="utf-8")
        assert code == f"def answer():\n    return {value}\n"
        kept = (self.project / "kept.py").read_text(encoding="utf-8")
        assert kept == FILES["kept.py"]

    def _nothing_lost(self) -> None:
        rules = (self.project / "CLAUDE.md").read_bytes()
        TALLY.bytes_lost += 0 if rules.startswith(MINE.encode()) else len(MINE)
        assert rules.startswith(MINE.encode())
        assert rules.count(RULE.encode()) == (0 if self.kind == "once" else 1)
        assert (self.project / "notes.txt").read_text(encoding="utf-8") == "mine\n"
        assert self._git("rev-parse", "HEAD").strip() == self._git("rev-parse", "@{0}").strip()
        assert self._git("stash", "list") == ""
        assert self._git("diff", "--cached", "--name-only") == ""
        assert len(self._git("reflog").splitlines()) == 1
        self._git("fsck", "--strict")

    def _nothing_paid_twice(self) -> None:
        agents = len(self.log.read_text(encoding="utf-8").splitlines())
        attempts = 1 if self.kind == "once" else 2
        # A second attempt that goes on from the first one's 41 changes nothing to be taught about.
        never = 2 if self.from_start else 1
        lessons = {"once": 0, "taught": 1, "never": never, "breaks": 1}[self.kind]
        over = max(
            agents - attempts - self.kills, len(self.teacher.requests) - lessons - self.kills
        )
        TALLY.doubled += max(over, 0)
        assert attempts <= agents <= attempts + self.kills
        assert lessons <= len(self.teacher.requests) <= lessons + self.kills
        history = read_history(get_last_run().id, resolve_state_directory())
        done = Counter(name for finished in history for name in finished)
        assert [name for name, times in done.items() if times > 1] == [], "finished twice"

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.project, capture_output=True, text=True, check=True
        )
        return done.stdout


def leftovers(project: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.cwd() == str(project):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


class Factory:
    """Makes cases, each with a state directory and a scripted teacher of its own."""

    def __init__(self, folders: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> None:
        self._folders, self._patch = folders, patch
        self.servers = ExitStack()

    def __call__(self, kind: str, **learning: object) -> Case:
        folder = self._folders.mktemp("case")
        self._patch.setenv("ORCHESTRATOR_STATE_DIR", str(folder / "state"))
        self._patch.setenv(
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"
        )  # a suite starts five times faster
        project, log = folder / "project", folder / "agent.log"
        (project / "tests").mkdir(parents=True)
        write(log, "")
        agent = [sys.executable, str(Path(__file__).parent / "agent.py"), str(log), kind]
        config = {
            "agent": {"kind": "command", "command": agent},
            "tests": {
                "command": f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider tests"
            },
            "learning": {"max_retries": 1, **learning},
        }
        for name, text in {**FILES, "orchestrator.yaml": json.dumps(config)}.items():
            write(project / name, text)
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
            subprocess.run(["git", *arguments], cwd=project, check=True)
        trust_project(project)
        write(project / "notes.txt", "mine\n")
        teacher = self.servers.enter_context(ReplayServer(parse_scenario(SCENARIO)))
        return Case(project, log, teacher, kind, learning.get("retry_from") == "start")


@pytest.fixture
def make_case(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Factory]:
    factory = Factory(tmp_path_factory, monkeypatch)
    with factory.servers:
        yield factory


def write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)


@pytest.mark.parametrize(
    "at_first", [pytest.param(True, marks=pytest.mark.kills_sample), False], ids=["first", "later"]
)
@pytest.mark.parametrize(
    ("kind", "retry_from"),
    [("once", "current"), ("taught", "current"), ("never", "start"), ("breaks", "current")],
)
def test_killed_at_every_boundary(
    make_case: Factory, kind: str, retry_from: str, *, at_first: bool
) -> None:
    """One run for each event that an undisturbed run tells, killed there once.

    The sample is the first event of each kind: so it holds every phase of every kind of run.
    """
    whole = make_case(kind, retry_from=retry_from)
    _, told = whole.go("start")
    whole.finish()
    assert len(told) > 10
    for number, name in enumerate(told[:-1], start=1):
        if (told.index(name) == number - 1) is not at_first:
            continue
        case = make_case(kind, retry_from=retry_from)
        code, heard = case.go("start", str(number))
        assert code == -signal.SIGKILL
        assert heard[-1] == name
        TALLY.boundaries.add(name)
        case.finish()


@pytest.mark.parametrize("seed", sample_every_sixth(range(RANDOM_RUNS)))
def test_killed_again_and_again_at_random_moments(make_case: Factory, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- repeatable, not secret
    case = make_case(chance.choice(["once", "taught", "never", "breaks"]))
    for _ in range(RANDOM_KILLS):
        process = case.process("resume" if list_runs() else "start")
        time.sleep(chance.uniform(0.3, LONGEST_SECONDS))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        case.killed(process.returncode)
        if process.returncode != -signal.SIGKILL:
            break
    case.finish()

"""What the loop costs beyond its children: time and memory, as a ratio to a shell script.

Both do the same task on the same project with the same Claude Code, suite, git and replay model,
and never solve it. They take turns, with few attempts and with more: the difference is what an
attempt costs, and what is left is what start and end of a run cost.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import children, projects
from benchmarks.children import Spent
from benchmarks.machine import environment
from benchmarks.results import Table, spread
from orchestrator.agents import claude_environment
from orchestrator.agents.claude_program import find_program
from orchestrator.agents.permissions import build_suite_permissions
from orchestrator.replay import ReplayServer, load_scenario
from orchestrator.replay.scenario import Speaker
from orchestrator.suites.environment import build_project_environment

ROUNDS: Final = 10
FEW, MORE = 1, 3
FILES: Final = 20_000
TASK: Final = "Repair the calculator so that all of its tests pass."
SUITE: Final = f"{sys.executable} -m pytest tests/ -v --tb=short"
RULE: Final = "- **Rule**: Never end with a comment where a test asks for code."

_HERE: Final = Path(__file__).parent
_MEGABYTE: Final = 1_000_000


def measure() -> Table:
    """Measure on both projects."""
    rows: list[tuple[str, ...]] = []
    samples: dict[str, list[float]] = {}
    for name, files in (("example", 0), (f"{FILES:,} files", FILES)):
        with (
            TemporaryDirectory(prefix="benchmark-") as folder,
            arena(Path(folder), files) as made,
        ):
            found = _take_turns(made)
        rows += _rows(name, found)
        samples |= {f"{name}: {what}": values for what, values in found.items()}
    return Table(
        f"The loop beside a shell script (median and quartiles of {ROUNDS} rounds)",
        ("project", "what", "script", "loop", "beyond the script", "aim"),
        tuple(rows),
        samples,
    )


@dataclass(frozen=True)
class Arena:
    """A project, a model, and what both sides need to work on them."""

    folder: Path
    project: Path
    env: Mapping[str, str]
    model: ReplayServer

    def loop(self, attempts: int) -> Spent:
        """Run the loop to its end, in vain.

        Raises:
            RuntimeError: something that should have happened did not.
        """
        argv = [sys.executable, "-m", "orchestrator", "run", TASK, f"--max-retries={attempts - 1}"]
        argv += ["--project-dir", str(self.project), "--config", str(self.folder / "config.yaml")]
        spent = self._run(argv, self.folder, self.env, attempts)
        patches = sorted(self.folder.glob("state/runs/*/attempt-*.patch"))[-attempts:]
        return self._checked(spent, patches)

    def script(self, attempts: int) -> Spent:
        """Run the shell script to its end; `keep_request` comes before.

        Raises:
            RuntimeError: something that should have happened did not.
        """
        out = self.folder / "script"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        env = {
            **claude_environment.build_child_environment(
                build_project_environment(self.project, self.env), self.project
            ),
            "TASK": TASK,
            "ATTEMPTS": str(attempts),
            "SUITE": SUITE,
            "CLAUDE": str(find_program()),
            "ALLOWED": ",".join(build_suite_permissions(SUITE)),
            "OUT": str(out),
            "REQUEST": str(self.folder / "request.json"),
            "RULE": RULE,
        }
        spent = self._run(["sh", str(_HERE / "floor.sh")], self.project, env, attempts)
        return self._checked(spent, sorted(out.glob("attempt-*.patch")))

    def keep_request(self) -> None:
        """Keep what the loop asked the teacher, so that the script can ask the same."""
        asked = [each for each in self.model.requests if each.speaker is Speaker.TEACHER]
        (self.folder / "request.json").write_text(json.dumps(asked[-1].body), encoding="utf-8")

    def _run(self, argv: list[str], cwd: Path, env: Mapping[str, str], attempts: int) -> Spent:
        projects.put_back(self.project)
        before = len(self.model.requests)
        spent = children.run(argv, cwd, env, self.folder / "output")
        asked = [request.speaker for request in self.model.requests[before:]]
        # A benchmark of something that did not happen is worth nothing.
        expected = {Speaker.AGENT: 3 * attempts, Speaker.TEACHER: attempts}
        counted = {speaker: asked.count(speaker) for speaker in expected}
        if counted != expected or spent.exit_code != 1 or self.model.unanswered_requests:
            said = (self.folder / "output").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{argv} did not go its whole way: {counted}\n{said}")
        return spent

    def _checked(self, spent: Spent, patches: list[Path]) -> Spent:
        rulebook = (self.project / "CLAUDE.md").read_text(encoding="utf-8")
        if RULE not in rulebook or not all(b"looked at" in each.read_bytes() for each in patches):
            raise RuntimeError(f"the rule or the agent's change is missing in {self.project}")
        return spent


@contextmanager
def arena(folder: Path, files: int) -> Iterator[Arena]:
    """Make everything in a folder: the example with so many files more, and a model."""
    project = folder.resolve() / "project"
    made = projects.large(project, files) if files else projects.example(project)
    # Attempts that bring nothing new, and many of them, are what is measured. (JSON is YAML.)
    limits = {"stuck_after": None, "max_agent_starts_per_hour": None, "max_cost_usd_per_day": None}
    settings = {"tests": {"command": SUITE}, "limits": limits}
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")
    scenario = load_scenario(_HERE / "scenario.yaml")
    with ReplayServer(scenario, variables={"suite": SUITE}) as model:
        env = {
            **environment(),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "no-key-is-needed",
            "CLAUDE_CONFIG_DIR": str(folder / "claude"),
            "ORCHESTRATOR_STATE_DIR": str(folder / "state"),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        yield Arena(folder, made, env, model)


def _take_turns(arena: Arena) -> dict[str, list[float]]:
    # The first ones compile bytecode, and fill Claude Code's folder and the file cache.
    arena.loop(MORE)
    arena.keep_request()
    arena.script(FEW)
    found: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        turns = [(who, attempts) for attempts in (FEW, MORE) for who in ("script", "loop")]
        spent = {
            turn: arena.loop(turn[1]) if turn[0] == "loop" else arena.script(turn[1])
            for turn in (turns if number % 2 else reversed(turns))
        }
        for name, value in _figures(spent).items():
            found.setdefault(name, []).append(value)
    return found


def _figures(spent: Mapping[tuple[str, int], Spent]) -> dict[str, float]:
    """One round's figures, in seconds and bytes."""
    figures: dict[str, float] = {}
    for who in ("script", "loop"):
        few, more = spent[who, FEW], spent[who, MORE]
        attempt = (more.seconds - few.seconds) / (MORE - FEW)
        cpu = (more.cpu_seconds - few.cpu_seconds) / (MORE - FEW)
        figures |= {
            f"{who}, run of {FEW}": few.seconds,
            f"{who}, run of {MORE}": more.seconds,
            f"{who}, attempt": attempt,
            f"{who}, start and end": few.seconds - FEW * attempt,
            f"{who}, CPU of an attempt": cpu,
            f"{who}, CPU of start and end": few.cpu_seconds - FEW * cpu,
            f"{who}, peak": max(few.peak_bytes, more.peak_bytes),
        }
    return figures


def _rows(project: str, found: Mapping[str, list[float]]) -> list[tuple[str, ...]]:
    script, loop = found["script, attempt"], found["loop, attempt"]
    ratios = [ours / floor for ours, floor in zip(loop, script, strict=True)]
    begin, end = found["script, start and end"], found["loop, start and end"]
    extra = [ours - floor for ours, floor in zip(end, begin, strict=True)]
    peaks = [peak / _MEGABYTE for peak in found["loop, peak"]]
    attempt, begin_and_end = found["loop, CPU of an attempt"], found["loop, CPU of start and end"]
    one = [a + b for a, b in zip(attempt, begin_and_end, strict=True)]
    most = 120 if project == "example" else 150
    return [
        (project, "an attempt", spread(script, " s"), spread(loop, " s"), spread(ratios, "x"),
         "at most 1.10x"),
        (project, "start and end of a run, with one run of the suite", spread(begin, " s"),
         spread(end, " s"), spread(extra, " s"), "at most 1.2 s"),
        (project, "the loop's own CPU time: an attempt", "", spread(attempt, " s"), "", ""),
        (project, "the loop's own CPU time: a run of one attempt, with a lesson", "",
         spread(one, " s"), "", "at most 1.5 s"),
        (project, "peak memory of its own", "", f"{max(peaks):.0f} MB", "", f"at most {most} MB"),
    ]  # fmt: skip

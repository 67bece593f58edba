"""What the record costs: the list of runs beside a bare start, and what a tiny run keeps."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import children
from benchmarks.machine import environment
from benchmarks.results import Table, spread
from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Case,
    CaseOutcome,
    Diff,
    RunOutcome,
    RunResult,
    Snapshot,
    SuiteOutcome,
    SuiteReport,
    Task,
    Verdict,
    VerdictKind,
)
from orchestrator.storage.runs import Store

RUNS: Final = 1000
ROUNDS: Final = 20


def measure() -> Table:
    """Let a bare start and the lists take turns, on a record of so many runs."""
    with TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        _fill(folder / "state")
        settings = {**environment(), "ORCHESTRATOR_STATE_DIR": str(folder / "state")}
        ours = (sys.executable, "-m", "orchestrator", "runs")
        commands = {
            '`python -c "import click"`': (sys.executable, "-c", "import click"),
            "`orchestrator runs`": ours,
            f"`orchestrator runs --limit {RUNS}`": (*ours, "--limit", str(RUNS)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(ROUNDS + 1):
            for what, argv in commands.items():
                spent = children.run(argv, folder, settings, folder / "output")
                if spent.exit_code:
                    raise RuntimeError((folder / "output").read_text(encoding="utf-8"))
                if number:  # the first one may compile bytecode
                    seconds[what].append(spent.seconds)
        size = sum(
            (Path(above) / each).stat().st_size
            for above, _, names in os.walk(folder / "state")
            for each in names
        )
    floor, few, all_of_them = seconds.values()
    ratios = [a / b for a, b in zip(few, floor, strict=True)]
    milliseconds = [[1000 * each for each in row] for row in (floor, few, all_of_them)]
    labels = list(seconds)
    return Table(
        f"The record of {RUNS} runs (median and quartiles of {ROUNDS} rounds)",
        ("what", "took", "ratio", "aim"),
        (
            (labels[0], spread(milliseconds[0], " ms", 0), "1", ""),
            (labels[1], spread(milliseconds[1], " ms", 0), spread(ratios, "x"), "at most 2x"),
            (labels[2], spread(milliseconds[2], " ms", 0), "", "under 500 ms"),
            ("state, for each run", f"{size / RUNS / 1000:.1f} kB", "", "at most 50 kB"),
        ),
        seconds,
    )


def _fill(state: Path) -> None:
    with Store(state) as store:
        for number in range(RUNS):
            record = store.create_run(Task(f"task {number}", Path("/project")), "{}")
            store.save_result(record.id, _make_result(), record.token)


def _make_result() -> RunResult:
    cases = tuple(
        Case(
            f"tests/test_a.py::test_{number}",
            CaseOutcome.FAILED if number == 0 else CaseOutcome.PASSED,
            detail="a traceback\n" * 40 if number == 0 else "",
        )
        for number in range(50)
    )
    report = SuiteReport(SuiteOutcome.FAILED, 1, cases, output="what the suite printed\n" * 200)
    attempts = tuple(
        Attempt(
            number,
            "what the agent was asked " * 20,
            AgentResult(AgentOutcome.COMPLETED, "done"),
            Snapshot("a" * 40),
            Snapshot("b" * 40),
            Diff((), Path("a.patch")),
            report,
            Verdict(VerdictKind.OWN_FAILURE),
        )
        for number in (1, 2)
    )
    return RunResult(RunOutcome.NOT_SOLVED, attempts, report)

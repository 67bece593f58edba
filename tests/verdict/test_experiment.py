"""The comparison on real files: what the suite writes is neither the attempt's nor a person's."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from orchestrator.guard import Guard, GuardMode
from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Diff,
    Judgement,
    SuiteReport,
    Task,
    VerdictKind,
)
from orchestrator.verdict.experiment import Experiment, Trees
from orchestrator.verdict.relation import Relation
from orchestrator.workspace import open_workspace
from orchestrator.workspace.swap import SwapNote, TreeSwap
from tests.guard.footprints import report
from tests.guard.projects import write

ONE = "tests/test_prices.py::test_ten"
Suite = Callable[[], SuiteReport]


class Lab:
    """A project whose suite is a function; the attempt breaks `code.py`."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "p"
        self.run = folder / "state"
        write(self.project, {"code.py": "right\n", "notes.md": "a\n"})
        self.workspace = open_workspace(self.project, self.run)
        self.guard = Guard(self.project, GuardMode.OFF, folder=self.run / "guard")
        self.runs = 0
        self.numbers: Iterator[int] = count()

    def suite(self, work: Suite) -> SuiteReport:
        """Run the suite: it is red where the code is broken."""
        self.runs += 1
        return work()

    def verdict(self) -> SuiteReport:
        broken = "wrong" in self.read("code.py")
        return report((), (ONE,)) if broken else report((ONE,), ())

    def read(self, name: str) -> str:
        return (self.project / name).read_text(encoding="utf-8")

    def judge(self, work: Suite, agent: Callable[[], object]) -> Judgement:
        baseline, _ = self.guard.watch_suite(work, baseline=True)
        before = self.workspace.take_snapshot()
        agent()
        return self.judge_again(work, baseline, before)

    def judge_again(self, work: Suite, baseline: SuiteReport, before: object) -> Judgement:
        after = self.workspace.take_snapshot()
        swap = TreeSwap(self.workspace, SwapNote(self.run / "swap.json"), self.run)
        leave = self.guard.suite_output
        diff = self.workspace.diff_snapshots(before, after, self.run / "x.patch")  # type: ignore[arg-type]
        changes = [change for change in diff.changes if change.path not in leave]
        attempt = Attempt(
            1, "", AgentResult(AgentOutcome.COMPLETED), after, after, Diff((), Path())
        )
        task = Task("fix code.py", self.project)
        return Experiment(
            task,
            attempt,
            baseline,
            Trees(swap, before, after, changes, leave),  # type: ignore[arg-type]
            lambda _select: self.suite(work),
            self.guard,
            Relation(task.text, self.project, changes),
            lambda _event: None,
        ).carry_out()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_a_log_that_differs_each_time_voids_nothing(lab: Lab) -> None:
    def suite() -> SuiteReport:
        write(lab.project, {"out.log": str(next(lab.numbers))})
        return lab.verdict()

    def agent() -> None:
        write(lab.project, {"code.py": "wrong\n"})
        suite()

    assert lab.judge(suite, agent).verdict.kind is VerdictKind.OWN_FAILURE
    assert lab.read("code.py") == "wrong\n"


def test_a_log_of_the_attempts_new_test_voids_nothing(lab: Lab) -> None:
    def suite() -> SuiteReport:
        if (lab.project / "test_new.py").exists():
            write(lab.project, {"out.log": str(next(lab.numbers))})
        return lab.verdict()

    def agent() -> None:
        write(lab.project, {"code.py": "wrong\n", "test_new.py": ""})
        suite()

    assert lab.judge(suite, agent).verdict.kind is VerdictKind.OWN_FAILURE
    assert lab.read("out.log") == "2"
    assert (lab.project / "test_new.py").exists()


def test_code_that_the_suite_rewrites_is_swapped_and_comes_back(lab: Lab) -> None:
    def suite() -> SuiteReport:
        text = lab.read("code.py").split(" ")[0].strip()
        write(lab.project, {"code.py": f"{text} {next(lab.numbers)}\n"})
        return lab.verdict()

    judged = lab.judge(suite, lambda: write(lab.project, {"code.py": "wrong\n"}))
    assert judged.verdict.kind is VerdictKind.OWN_FAILURE
    assert lab.read("code.py") == "wrong 2\n"


def test_a_person_who_edits_while_the_tree_before_stands_wins(lab: Lab) -> None:
    def suite() -> SuiteReport:
        result = lab.verdict()
        if lab.runs == 3:
            write(lab.project, {"code.py": "mine\n"})
        return result

    judged = lab.judge(suite, lambda: write(lab.project, {"code.py": "wrong\n"}))
    assert judged.verdict.kind is VerdictKind.VOID
    assert lab.read("code.py") == "mine\n"


def test_after_a_persons_edit_the_suite_is_not_run_for_nothing(lab: Lab) -> None:
    def suite() -> SuiteReport:
        result = lab.verdict()
        if lab.runs == 2:
            write(lab.project, {"code.py": "mine\n"})
        return result

    judged = lab.judge(suite, lambda: write(lab.project, {"code.py": "wrong\n"}))
    assert judged.verdict.kind is VerdictKind.VOID
    assert lab.runs == 2
    assert lab.read("code.py") == "mine\n"


def test_a_persons_other_files_stay_while_the_tree_before_stands(lab: Lab) -> None:
    seen = []

    def suite() -> SuiteReport:
        if lab.runs == 2:
            write(lab.project, {"notes.md": "mine\n", "todo.py": "x\n"})
        seen.append((lab.read("notes.md"), (lab.project / "todo.py").exists()))
        return lab.verdict()

    judged = lab.judge(suite, lambda: write(lab.project, {"code.py": "wrong\n"}))
    assert judged.verdict.kind is VerdictKind.OWN_FAILURE
    assert seen[-1] == ("mine\n", True)

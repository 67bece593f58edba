"""Every reviewer passes the conformance suite."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.guard import Guard, GuardMode
from orchestrator.guard.fake import ScriptedReviewer
from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Diff,
    Finding,
    FindingKind,
    Snapshot,
)
from tests.guard.conformance import Bench, ReviewerConformance
from tests.guard.footprints import footprint, guard_with
from tests.guard.projects import read_contents, write

FILES = {
    "shop/prices.py": "def to_cents(text):\n    return 1\n",
    "tests/test_prices.py": "def test_ten():\n    assert True\n",
}
USES = {"tests/test_prices.py": ["shop/prices.py"], "shop/prices.py": []}


def make_attempt() -> Attempt:
    agent = AgentResult(AgentOutcome.COMPLETED, "done")
    return Attempt(1, "prompt", agent, Snapshot("1" * 40), Snapshot("2" * 40), Diff((), Path()))


@dataclass
class GuardBench:
    """A guard, and an agent that edits the product or a test."""

    project: Path
    mode: GuardMode = GuardMode.RESTORE

    def __post_init__(self) -> None:
        write(self.project, FILES)
        self.reviewer: Guard = guard_with(
            self.project, footprint(self.project, USES), mode=self.mode
        )

    def make_innocent_attempt(self) -> Attempt:
        write(self.project, {"shop/prices.py": "def to_cents(text):\n    return 2\n"})
        return make_attempt()

    def make_suspect_attempt(self) -> Attempt:
        write(self.project, {"tests/test_prices.py": "def test_ten():\n    pass\n"})
        return make_attempt()

    def files(self) -> dict[str, bytes]:
        return read_contents(self.project)


@dataclass
class FakeBench:
    reviewer: ScriptedReviewer = field(default_factory=ScriptedReviewer)

    def make_innocent_attempt(self) -> Attempt:
        return make_attempt()

    def make_suspect_attempt(self) -> Attempt:
        self.reviewer.enqueue_review(Finding(FindingKind.TEST, "tests/test_prices.py", "changed"))
        return make_attempt()

    def files(self) -> dict[str, bytes]:
        return {}


class TestFake(ReviewerConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return FakeBench()


class TestGuard(ReviewerConformance):
    @pytest.fixture
    def bench(self, project: Path) -> Bench:
        return GuardBench(project)

    def test_the_edit_of_a_test_is_reverted(self, bench: Bench) -> None:
        attempt = bench.make_suspect_attempt()
        (finding,) = bench.reviewer.review(attempt).found
        assert (finding.where, finding.decisive) == ("tests/test_prices.py", False)
        assert bench.files()["tests/test_prices.py"] == FILES["tests/test_prices.py"].encode()


class TestGuardThatOnlyReports(ReviewerConformance):
    @pytest.fixture
    def bench(self, project: Path) -> Bench:
        return GuardBench(project, GuardMode.FLAG)

"""What every reviewer does. A test class inherits it and gives `bench`."""

from typing import Protocol

import pytest

from orchestrator.models import Attempt, Finding, Findings
from orchestrator.ports import Reviewer


class Bench(Protocol):
    """A reviewer, and two attempts for it."""

    @property
    def reviewer(self) -> Reviewer: ...

    def make_innocent_attempt(self) -> Attempt:
        """Return an attempt in which there is nothing to find."""

    def make_suspect_attempt(self) -> Attempt:
        """Return an attempt in which there is something to find."""

    def files(self) -> dict[str, bytes]:
        """Return the project's files, by path."""


class ReviewerConformance:
    """The promises of the `Reviewer` plug point."""

    @pytest.fixture
    def bench(self) -> Bench:
        raise NotImplementedError

    def test_an_innocent_attempt_has_no_findings_and_is_left_alone(self, bench: Bench) -> None:
        attempt = bench.make_innocent_attempt()
        before = bench.files()
        assert bench.reviewer.review(attempt) == Findings()
        assert bench.files() == before

    def test_a_finding_says_what_was_done_and_where(self, bench: Bench) -> None:
        findings = bench.reviewer.review(bench.make_suspect_attempt())
        assert findings.found
        for each in findings.found:
            assert isinstance(each, Finding)
            assert each.where
            assert each.text
            assert "\n" not in each.summary

    def test_a_second_review_leaves_the_files_as_the_first_did(self, bench: Bench) -> None:
        attempt = bench.make_suspect_attempt()
        bench.reviewer.review(attempt)
        reviewed = bench.files()
        bench.reviewer.review(attempt)  # the process was killed before the journal had the first
        assert bench.files() == reviewed

    def test_the_attempt_itself_stays_as_it_is(self, bench: Bench) -> None:
        attempt = bench.make_suspect_attempt()
        assert attempt.findings == ()
        bench.reviewer.review(attempt)
        assert attempt.findings == ()

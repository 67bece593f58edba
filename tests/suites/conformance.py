"""What every suite owes the loop. Subclass it, give `green` and `red` suites and a project."""

import json
import pickle
from pathlib import Path

import pytest

from orchestrator.events import CaseFinished, Event
from orchestrator.models import CaseOutcome, SuiteOutcome
from orchestrator.models.footprint import Footprint
from orchestrator.ports import Suite
from orchestrator.storage import codec


class SuiteConformance:
    @pytest.fixture
    def green(self, project: Path) -> Suite:
        raise NotImplementedError

    @pytest.fixture
    def red(self, project: Path) -> Suite:
        raise NotImplementedError

    def test_a_green_suite_has_passed_and_says_which_cases(
        self, green: Suite, project: Path
    ) -> None:
        report = green.run(project)
        assert report.has_passed
        assert report.has_verdict
        assert report.exit_code == 0
        assert report.failing == ()
        assert any(case.outcome is CaseOutcome.PASSED for case in report.cases)

    def test_a_red_suite_has_failed_and_shows_evidence(self, red: Suite, project: Path) -> None:
        report = red.run(project)
        assert report.outcome is SuiteOutcome.FAILED
        assert report.has_verdict
        assert report.exit_code not in (0, None)
        assert report.failing
        assert all(case.message and case.detail for case in report.failing)

    def test_ids_are_unique_and_say_something(self, red: Suite, project: Path) -> None:
        ids = [case.id for case in red.run(project).cases]
        assert len(ids) == len(set(ids)) > 0
        assert all(each.strip() == each != "" for each in ids)

    def test_a_case_is_selected_by_its_id(self, red: Suite, project: Path) -> None:
        wanted = red.run(project).failing[0].id
        again = red.run(project, select=[wanted])
        assert again.outcome is SuiteOutcome.FAILED
        assert wanted in [case.id for case in again.failing]

    def test_it_reports_each_case_once_as_it_ends(self, red: Suite, project: Path) -> None:
        heard: list[Event] = []
        report = red.run(project, None, heard.append)
        told = [event.case.id for event in heard if isinstance(event, CaseFinished)]
        assert len(told) == len(heard)
        assert sorted(told) == sorted(case.id for case in report.cases)

    def test_to_observe_is_to_run_all_and_to_say_what_it_rests_on(
        self, red: Suite, project: Path
    ) -> None:
        heard: list[Event] = []
        report, footprint = red.run_with_footprint(project, heard.append)
        assert report.outcome is SuiteOutcome.FAILED
        told = [event.case.id for event in heard if isinstance(event, CaseFinished)]
        assert sorted(told) == sorted(case.id for case in report.cases)
        if footprint is not None:
            assert Footprint.from_json(json.loads(json.dumps(footprint.as_json()))) == footprint

    def test_a_report_says_that_it_is_complete(self, red: Suite, project: Path) -> None:
        report = red.run(project)
        assert (report.complete, report.running, report.forged) == (True, "", ())

    def test_a_report_can_be_stored(self, red: Suite, project: Path) -> None:
        report = red.run(project)
        assert pickle.loads(pickle.dumps(report)) == report  # noqa: S301 -- our own bytes
        assert codec.loads(codec.dumps(report)) == report

    def test_it_says_what_ran_and_for_how_long(self, green: Suite, project: Path) -> None:
        report = green.run(project)
        assert report.command
        assert report.seconds >= 0
        assert report.summary

    def test_it_leaves_no_report_in_the_project(self, red: Suite, project: Path) -> None:
        red.run(project)
        assert [path.name for path in project.rglob("*.xml")] == []

    def test_preflight_finds_nothing_wrong(self, green: Suite, project: Path) -> None:
        before = sorted(project.iterdir())
        green.preflight(project)
        assert sorted(project.iterdir()) == before

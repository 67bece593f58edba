"""The files that failing cases use, as a report stores them."""

from pathlib import Path

from orchestrator.models import Case, CaseOutcome
from orchestrator.suites.pytest.case_reach import CASE_BOUND, REPORT_BOUND, ReachedFiles


def test_the_files_of_failing_cases_are_limited(tmp_path: Path) -> None:
    files = [f"{tmp_path}/module_{number}.py" for number in range(CASE_BOUND + 1)]
    cases = [Case(f"a.py::test_{number}", CaseOutcome.FAILED) for number in range(60)]
    reached = ReachedFiles()
    reached.add_record(
        {
            "files": [*files, "/elsewhere/other.py"],
            "sets": [[0, CASE_BOUND + 1], list(range(CASE_BOUND + 2))],
            "cases": {case.id: int(at > 0) for at, case in enumerate(cases)},
            "names": {cases[0].id: ["work"]},
        },
        str,
    )
    found, note = reached.attach_reach(cases, tmp_path)
    assert (found[0].reach, found[0].names) == (("module_0.py",), ("work",))
    assert len(found[1].reach) == CASE_BOUND
    assert sum(len(case.reach) for case in found) == REPORT_BOUND
    assert note == "the files that 59 failing cases use are not all recorded"
    assert len(reached.files[cases[-1].id]) == CASE_BOUND + 2
    assert reached.attach_reach(cases[:1], tmp_path)[1] == ""

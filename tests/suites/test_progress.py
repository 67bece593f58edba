import pytest

from orchestrator.events import CaseFinished, Event
from orchestrator.suites.progress import Progress


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"tests/test_a.py::test_b PASSED [ 10%]\n", ("tests/test_a.py::test_b", "passed")),
        (
            b"tests/a.py::T::test_b[x y::z] FAILED [1/2]\n",
            ("tests/a.py::T::test_b[x y::z]", "failed"),
        ),
        (b"a.py::b SKIPPED (no [x] here) [ 10%]\n", ("a.py::b", "skipped")),
        (b"a.py::b XFAIL [100%]\n", ("a.py::b", "skipped")),
        (b"a.py::b <- base.py ERROR\n", ("a.py::b", "error")),
        (b"a.py::b \x1b[32mPASSED\x1b[0m\x1b[32m [100%]\x1b[0m\n", ("a.py::b", "passed")),
        (b"[gw1] [ 50%] PASSED a.py::b \n", ("a.py::b", "passed")),
        (b"FAILED a.py::b - assert 1\n", None),
        (b"no case: PASSED\n", None),
        (b"\xff::\xfe\n", None),
        (b"a.py::b " + b"x" * 100_000 + b" PASSED\n", None),
    ],
)
def test_cases_are_told_as_they_end(line: bytes, told: tuple[str, str] | None) -> None:
    heard: list[Event] = []
    Progress(heard.append).take(line)
    cases = [event.case for event in heard if isinstance(event, CaseFinished)]
    assert [(case.id, case.outcome.value) for case in cases] == ([told] if told else [])


def test_the_running_case_is_the_one_whose_line_is_unfinished() -> None:
    progress = Progress(lambda _event: None)
    progress.take(b"a.py::one PASSED\n")
    assert progress.running == ""
    progress.take(b"a.py::two ")
    progress.take(b"Fatal Python error: Segmentation fault\n")
    assert progress.running == "a.py::two"


@pytest.mark.parametrize(
    "line", [b"rootdir: /a b/c\n", b"rootdir: /a b/c, configfile: pytest.ini\n"]
)
def test_the_header_names_rootdir(line: bytes) -> None:
    progress = Progress(lambda _event: None)
    progress.take(line)
    assert str(progress.rootdir) == "/a b/c"

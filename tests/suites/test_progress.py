"""A suite that takes long says what it is doing, before the timeout ends it."""

import shlex
import sys
from pathlib import Path

from orchestrator.events import Event, SuiteRunning
from orchestrator.models import SuiteOutcome
from orchestrator.suites import create_suite
from orchestrator.suites.progress import SuiteProgress, report_progress

KEY = (
    b"-----BEGIN RSA PRIVATE KEY-----\n",
    b"MIIEpAIBAAKCAQEA\n",
    b"-----END RSA PRIVATE KEY-----\n",
)


def running(heard: list[Event]) -> list[SuiteRunning]:
    return [event for event in heard if isinstance(event, SuiteRunning)]


def test_the_last_line_of_a_command_is_reported_while_it_runs(project: Path) -> None:
    heard: list[Event] = []
    command = "printf '\\033[31mfirst\\033[0m\\n'; sleep 2; echo second; sleep 2; exit 3"
    report = create_suite("command", command, 60).run(project, on_event=heard.append)
    assert report.outcome is SuiteOutcome.FAILED
    lines = [event.line for event in running(heard)]
    assert lines[:1] == ["first"]
    assert "second" in lines
    assert not any(event.is_late for event in running(heard))


def test_a_case_that_hangs_is_named_before_the_timeout(project: Path) -> None:
    (project / "test_a.py").write_text(
        "import time\n\n\ndef test_quick():\n    pass\n\n\n"
        "def test_hangs():\n    time.sleep(600)\n",
        encoding="utf-8",
    )
    heard: list[Event] = []
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    report = create_suite("pytest", command, 24).run(project, on_event=heard.append)
    assert report.outcome is SuiteOutcome.TIMEOUT
    assert report.message == (
        "ended after 24 seconds (tests.timeout), while test_a.py::test_hangs was running"
    )
    late = [event for event in running(heard) if event.is_late]
    assert late
    assert late[-1].case == "test_a.py::test_hangs"
    assert 0 < late[-1].case_seconds <= late[-1].seconds < 24


def test_a_private_key_is_never_the_last_line() -> None:
    progress = SuiteProgress(lambda _event: None, 60)
    progress.note_line(b"before\n")
    for line in KEY:
        progress.note_line(line)
    report = progress._build_report()
    assert report
    assert report.line == "before"
    progress.note_line(b"after\n")
    report = progress._build_report()
    assert report
    assert report.line == "after"


def test_a_quick_suite_reports_nothing() -> None:
    heard: list[Event] = []
    with report_progress(heard.append, 60) as progress:
        progress.start_case("a", "a")
        progress.end_case("a")
    assert heard == []

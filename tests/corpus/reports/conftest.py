"""A lab for each test, and a record of what came of it."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.cases import Kind
from tests.corpus.records import Record, write_record
from tests.corpus.reports.figures import CORPUS, make_name
from tests.corpus.reports.lab import Lab


@pytest.fixture
def lab(folder: Path, environment: Path) -> Lab:
    return Lab(folder, environment)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: "pytest.CallInfo[Any]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down whether a variant is fine, once it has run or could not."""
    report = yield
    ran = report.when == "call" or (report.when == "setup" and not report.passed)
    if ran and item.get_closest_marker("corpus"):
        reason = str(call.excinfo.value).partition("\n")[0] if call.excinfo else ""
        write_record(
            Record(
                CORPUS,
                Kind.REPORT,
                make_name(item.originalname.removeprefix("test_"), item.callspec.id),
                (item.function.__doc__ or "").partition("\n")[0],
                fault=(reason or "failed") if report.failed else "",
                skipped=reason if report.skipped else "",
                seconds=round(report.duration, 1),
            )
        )
    return report

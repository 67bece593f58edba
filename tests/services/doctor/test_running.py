"""A check that crashes or hangs is a broken link of its own, and ends nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.services.doctor.registry import CHECKS, LinkCheck
from orchestrator.services.doctor.results import (
    Check,
    Fault,
    Link,
    Repair,
    Status,
    fail,
    succeed,
    warn,
)
from orchestrator.services.doctor.running import Finding, diagnose
from orchestrator.services.doctor.subject import Subject, examine


@pytest.fixture
def subject(project: Path) -> Subject:
    return examine(project)


def crash(_subject: Subject) -> Iterator[Check]:
    yield succeed(Link.GIT, "the first part works")
    raise ZeroDivisionError("by accident")


def work(_subject: Subject) -> Iterator[Check]:
    yield succeed(Link.LIMITS, "fine")


def test_a_crash_is_a_broken_link(subject: Subject) -> None:
    checks = (LinkCheck(Link.GIT, crash, ""), LinkCheck(Link.LIMITS, work, ""))
    seen: list[Finding] = []
    diagnosis = diagnose(subject, seen.append, checks=checks)
    assert tuple(seen) == diagnosis.findings
    first, second, third = (each.check for each in seen)
    assert (first.status, third.status) == (Status.OK, Status.OK)
    assert second.status is Status.BROKEN
    assert second.cause == "the check failed: ZeroDivisionError: by accident"
    assert diagnosis.exit_code == 3


def test_a_hanging_check_is_left_behind(subject: Subject) -> None:
    end = threading.Event()

    def hang(_subject: Subject) -> Iterator[Check]:
        end.wait(60)
        yield succeed(Link.GIT, "too late")

    checks = (LinkCheck(Link.GIT, hang, "", 0.1), LinkCheck(Link.LIMITS, work, ""))
    try:
        diagnosis = diagnose(subject, lambda _finding: None, checks=checks)
    finally:
        end.set()
    assert [each.check.status for each in diagnosis.findings] == [Status.BROKEN, Status.OK]
    assert diagnosis.first_broken
    assert "did not end within 0.1 s" in diagnosis.first_broken.cause


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ((), 0),
        ((Fault.MACHINE, Fault.CONFIGURATION), 3),
        ((Fault.CONFIGURATION, Fault.MACHINE), 2),
    ],
)
def test_the_first_broken_link_decides(
    subject: Subject, faults: tuple[Fault, ...], code: int
) -> None:
    def find(_subject: Subject) -> Iterator[Check]:
        yield warn(Link.GIT, "only a warning")
        for fault in faults:
            yield fail(Link.GIT, "broken", fault=fault)

    checks = (LinkCheck(Link.GIT, find, ""),)
    assert diagnose(subject, lambda _finding: None, checks=checks).exit_code == code


def test_a_repair_is_made_only_on_request(subject: Subject) -> None:
    fixed: list[bool] = []

    def find(_subject: Subject) -> Iterator[Check]:
        if fixed:
            yield succeed(Link.STATE, "fine")
        else:
            yield warn(Link.STATE, "wrong", repair=Repair("set it", lambda: fixed.append(True)))

    checks = (LinkCheck(Link.STATE, find, ""),)
    before = diagnose(subject, lambda _finding: None, checks=checks)
    assert [each.check.status for each in before.findings] == [Status.WARNING]
    assert fixed == []
    (after,) = diagnose(subject, lambda _finding: None, checks=checks, repairing=True).findings
    assert (after.check.status, after.repaired) == (Status.OK, "done: set it")


def test_a_repair_that_fails_is_reported(subject: Subject) -> None:
    def refuse() -> None:
        raise PermissionError("not allowed")

    def find(_subject: Subject) -> Iterator[Check]:
        yield warn(Link.STATE, "wrong", repair=Repair("set it", refuse))

    checks = (LinkCheck(Link.STATE, find, ""),)
    (found,) = diagnose(subject, lambda _finding: None, checks=checks, repairing=True).findings
    assert found.repaired == "could not set it: not allowed"
    assert found.check.status is Status.WARNING


def test_secrets_and_long_texts_are_not_printed(subject: Subject) -> None:
    secret = "sk-ant-api03-" + "a1B2" * 20

    def find(_subject: Subject) -> Iterator[Check]:
        yield fail(Link.TEACHER, f"key {secret} is wrong", "x" * 5000, f"export KEY={secret}")

    checks = (LinkCheck(Link.TEACHER, find, ""),)
    (found,) = diagnose(subject, lambda _finding: None, checks=checks).findings
    assert secret not in found.check.text + found.check.command
    assert len(found.check.cause) < 1100


def test_each_link_has_one_check_in_the_order_of_the_chain() -> None:
    assert [each.link for each in CHECKS] == list(Link)
    assert all(each.meaning for each in CHECKS)

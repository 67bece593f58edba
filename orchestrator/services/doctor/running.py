"""Run all checks, each within its time limit, and make the repairs that are asked for."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.masking import mask_text
from orchestrator.services.doctor.registry import CHECKS, LinkCheck
from orchestrator.services.doctor.results import Check, Status, fail
from orchestrator.services.doctor.subject import Subject

_LONGEST: Final = 1000
"""Characters of a text that are printed."""
_REPORT_COMMAND: Final = "orchestrator doctor --json"


@dataclass(frozen=True)
class Finding:
    """A check that was made."""

    check: Check
    seconds: float
    """How long all checks of its link took."""
    repaired: str = ""
    """What was corrected before; empty if nothing was."""


@dataclass(frozen=True)
class Diagnosis:
    """All findings about a project."""

    findings: tuple[Finding, ...]

    @property
    def first_broken(self) -> Check | None:
        """The first broken link of the chain; None if there is none."""
        checks = (finding.check for finding in self.findings)
        return next((each for each in checks if each.status is Status.BROKEN), None)

    @property
    def exit_code(self) -> int:
        """The exit code: 0, or that of the first broken link."""
        return int(self.first_broken.fault) if self.first_broken else 0


def diagnose(
    subject: Subject,
    on_finding: Callable[[Finding], None],
    *,
    repairing: bool = False,
    checks: Sequence[LinkCheck] | None = None,
) -> Diagnosis:
    """Make all checks; a check that crashes or hangs is a broken link, and ends nothing.

    Args:
        subject: what is checked.
        on_finding: receives each finding as soon as it is made.
        repairing: whether what can be corrected safely is corrected, and checked again.
        checks: the checks to make; all if None.
    """
    found: list[Finding] = []
    for each in CHECKS if checks is None else checks:
        for finding in _run_link(subject, each, repairing=repairing):
            found.append(finding)
            on_finding(finding)
    return Diagnosis(tuple(found))


def _run_link(subject: Subject, link: LinkCheck, *, repairing: bool) -> Iterator[Finding]:
    started = time.monotonic()
    checks = run_check(subject, link)
    done = [text for each in checks for text in _repair(each)] if repairing else []
    if done:
        checks = run_check(subject, link)
    seconds = time.monotonic() - started
    for number, check in enumerate(checks):
        yield Finding(_bound(check), seconds, "" if number else "; ".join(done))


def run_check(subject: Subject, link: LinkCheck) -> list[Check]:
    """Return the results of a check, within its time limit."""
    results: list[Check] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.extend(link.function(subject))
        except Exception as error:  # noqa: BLE001 -- a fault of one check must not hide the others
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(link.seconds)
    if thread.is_alive():
        cause = f"the check did not end within {link.seconds:g} s"
        return [*results, fail(link.link, "it could not be checked", cause, _REPORT_COMMAND)]
    if errors:
        cause = f"the check failed: {type(errors[0]).__name__}: {errors[0]}"
        return [*results, fail(link.link, "it could not be checked", cause, _REPORT_COMMAND)]
    return results


def _repair(check: Check) -> Iterator[str]:
    """Make the repair of a check, if it has one, and yield what was done."""
    if check.repair is None:
        return
    try:
        check.repair.apply()
    except Exception as error:  # noqa: BLE001 -- as for a check
        yield f"could not {check.repair.description}: {error}"
    else:
        yield f"done: {check.repair.description}"


def _bound(check: Check) -> Check:
    """Return a check with short texts without secrets: they may quote a project's files."""
    return replace(
        check,
        text=_shorten(check.text),
        cause=_shorten(check.cause),
        command=_shorten(check.command),
    )


def _shorten(text: str) -> str:
    masked = " ".join(mask_text(text).split())
    return masked if len(masked) <= _LONGEST else f"{masked[:_LONGEST]}..."

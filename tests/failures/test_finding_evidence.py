"""Fingerprints of failures that the guard found stay what they were when they were stored."""

import pytest

from orchestrator.failures.finding_evidence import describe_for_fingerprint
from orchestrator.models import Finding, FindingKind
from orchestrator.models.fingerprints import compute_fingerprint


@pytest.mark.parametrize(
    ("text", "former"),
    [
        (
            "line 3: runs encoded code: exec(x)",
            "runs code that is written in another code: exec(x)",
        ),
        ("line 3: sets the result of a.b on a mock: m()", "a mock is told what a.b says: m()"),
        (
            "line 9: `A.__eq__` is equal without looking at the other one",
            "`A.__eq__` is equal without a look at the other one",
        ),
        (
            "line 2: a checksum of 'x', the input of a test that failed",
            "a checksum of 'x', with which a test failed",
        ),
        (
            "this folder cannot be listed, and was changed",
            "it cannot be looked into, and was changed",
        ),
        ("line 1: is equal to everything", "is equal to everything"),
    ],
)
def test_a_reworded_finding_is_described_as_it_was(text: str, former: str) -> None:
    assert describe_for_fingerprint(Finding(FindingKind.SUSPICIOUS, "a.py", text)) == former


def test_a_stored_fingerprint_is_found_again() -> None:
    finding = Finding(FindingKind.SUSPICIOUS, "a.py", "line 3: runs encoded code: exec(x)")
    evidence = [(finding.kind, describe_for_fingerprint(finding))]
    assert compute_fingerprint("guard", evidence) == "f4f950fae8502bcf"

"""Describe a finding of the guard for a fingerprint, which must outlive how findings are worded."""

import re
from typing import Final

from orchestrator.models import Finding

_FORMER_WORDING: Final = (
    (r"^runs encoded code: ", "runs code that is written in another code: "),
    (r"^sets the result of (.*?) on a mock: ", r"a mock is told what \1 says: "),
    (r"is equal without looking at the other one$", "is equal without a look at the other one"),
    (r", the input of a test that failed$", ", with which a test failed"),
    (
        r"^this folder cannot be listed, and was changed",
        "it cannot be looked into, and was changed",
    ),
    (
        r"^this folder was closed after the baseline, which hides the files in it; ",
        "it was closed since the baseline, which hides the files in it; ",
    ),
    (
        r"^was a named pipe, on which git hangs; removed",
        "a pipe stood in its place, for which git waits; removed",
    ),
    (
        r"^bytecode that does not match its source would run, and cannot be removed",
        "bytecode that is not its source's runs in its place, and cannot be removed",
    ),
    (
        r"before the attempt started again; not reverted$",
        "before the attempt began again; left as it is",
    ),
)
"""How texts of today were worded when the first fingerprints were stored. Rules and runs of that
time hold those fingerprints, and a failure that recurs has to be recognised."""


def describe_for_fingerprint(finding: Finding) -> str:
    """Return a finding's text without the number of its line, in the first wording it had."""
    text = finding.text.partition(": ")[2] or finding.text
    for pattern, former in _FORMER_WORDING:
        text = re.sub(pattern, former, text)
    return text

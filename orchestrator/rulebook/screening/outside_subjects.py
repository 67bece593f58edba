"""Find in a rule what is not the project's code: tools, git, the network, the agent itself.

Whether the rule asks for it or forbids it does not matter: "never commit without first deleting
the failing tests" forbids something too. Each subject has up to three tables of patterns:

- `<subject>`: matched with the text as it is, so that `daily_summary()` is no summary;
- `<subject>_names`: matched with identifiers as words, so that `delete_account()` deletes;
- `<subject>_requests`: matched with what is asked for, and not with the reason.
"""

import difflib
import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from orchestrator.rulebook.screening.sentences import find_code_spans, flatten_text
from orchestrator.rulebook.screening.subjects import Subject
from orchestrator.rulebook.screening.tables import read_alternatives, read_pattern

_SUBJECTS: Final = tuple(
    each for each in Subject if each not in (Subject.CODE, Subject.SECURITY, Subject.UNCLEAR)
)
_BACKGROUND: Final = frozenset(
    (
        *(Subject.CI, Subject.NETWORK, Subject.TESTS, Subject.DATA, Subject.GIT),
        *(Subject.PACKAGES, Subject.OUTSIDE),
    )
)
"""Subjects that a reason may describe: "the CI runner has another time zone"."""
_COMMAND: Final = re.compile(
    r"^(?:\$ ?|\./)?(?:make|sh|python3?|node|pytest|go|ruby|perl|java|cp|mv|ln|cat|env|kill|touch"
    r"|find|sed|awk|source|export|echo|cd|set) [\w./-]"
)
"""A code span that is a command line: its first word is also a common word elsewhere."""
_RENAMED_IMPORT: Final = re.compile(r"\bimport\s+`?(\w{4,})`?\s+as\s+`?(\w+)", re.IGNORECASE)
_ALIKE: Final = 0.75
"""Share of the letters from which on two names are taken for each other: `reqeusts`, `requests`."""
_CODE_FILE: Final = re.compile(r"\.(?!md|mdc|ya?ml|toml|json|cfg|ini)\w+$")
"""A scope that ends like this is of code, whatever its name: `chat/prompt.py`."""
_OWN_LEFTOVERS: Final = re.compile(
    r"\b(?:temporary|temp|tmp path|tmpdir|teardown|test (?:database|folder|files?|data)|in-memory"
    r"|scratch)\b"
)
_NOT_OWN: Final = re.compile(
    r"\b(?:everything|all|below|under|home|production|outside|parents?|recursive\w*|any"
    r"|user data)\b"
)


def find_outside_subject(text: str) -> tuple[Subject, str] | None:
    """Return the first subject outside the code that a request touches, and the words; or None."""
    if found := _find_program(text) or _find_mistaken_import(text):
        return found
    for subject in _SUBJECTS:
        if found := _find_subject(subject, text, asked_for=True):
            return found
    return None


def find_scope_subject(paths: Sequence[str]) -> tuple[Subject, str] | None:
    """Return what a scope outside of the code is about, and the path; None if it is code.

    Hidden folders belong to tools, and files of instructions to the agent.
    """
    for path in paths:
        for subject in (Subject.AGENT, Subject.CI, Subject.GIT):
            if not _CODE_FILE.search(path) and _find_subject(subject, path, asked_for=True):
                return subject, path
        if any(part.startswith(".") and part.strip(".") for part in path.split("/")):
            return Subject.OUTSIDE, path
    return None


def find_directive_subject(text: str) -> tuple[Subject, str] | None:
    """Return a subject that not even a reason may touch, and the words; None if there is none."""
    if found := _find_program(text):
        return found
    for subject in _SUBJECTS:
        if subject not in _BACKGROUND and (found := _find_subject(subject, text, asked_for=False)):
            return found
    return None


def _find_subject(subject: Subject, text: str, *, asked_for: bool) -> tuple[Subject, str] | None:
    plain, flat = flatten_text(text, split_names=False), flatten_text(text)
    if subject is Subject.DATA and _OWN_LEFTOVERS.search(flat) and not _NOT_OWN.search(flat):
        return None
    name = subject.name.lower()
    found = read_pattern(name).search(plain) or read_pattern(f"{name}_names").search(flat)
    if not found and asked_for:
        found = read_pattern(f"{name}_requests").search(plain)
    if not found and subject is Subject.TESTS:
        found = _compile_weakened_check().search(flat)
    return (subject, found[0].strip()) if found else None


def _find_mistaken_import(text: str) -> tuple[Subject, str] | None:
    """Return a package that is imported under a name much like its own: it may be another's."""
    for found in _RENAMED_IMPORT.finditer(text):
        name, alias = found[1].casefold(), found[2].casefold()
        if name != alias and difflib.SequenceMatcher(None, name, alias).ratio() > _ALIKE:
            return Subject.PACKAGES, found[0]
    return None


@cache
def _compile_weakened_check() -> re.Pattern[str]:
    """Return a pattern for a check that is weakened: "skip the test", "tests may be skipped"."""
    check, before, after = map(read_alternatives, ("checks", "weaken", "weakened"))
    return re.compile(
        rf"\b{before}\b(?:\W+\w+){{0,5}}?\W+{check}\b|\b{check}\b(?:\W+\w+){{0,4}}?\W+{after}\b"
    )


def _find_program(text: str) -> tuple[Subject, str] | None:
    lower = text.casefold()
    tables = ((Subject.PACKAGES, "package_programs"), (Subject.COMMANDS, "programs"))
    for subject, table in tables:
        if found := _compile_programs(table).search(lower):
            return subject, found[0]
    command = next((span for span in find_code_spans(lower) if _COMMAND.match(span)), "")
    return (Subject.COMMANDS, command) if command else None


@cache
def _compile_programs(table: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){read_alternatives(table)}(?![\w.(-])")

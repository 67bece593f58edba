"""Tracebacks as pytest prints them, in whatever style: which exception was raised, and where.

A chain of exceptions is several blocks, the cause first. `--tb=short` puts `path:line: in function`
above each line of code; the long style puts `path:line: Error` below; both begin the lines of the
exception itself with `E`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.failures.logs import clean, in_library, relative
from orchestrator.models import Case

_SAID: Final = re.compile(r"E(\s|$)")
_LOCATION: Final = re.compile(r"(?:  File \"(.+?)\", line |([^\s>:][^\n:]*):)\d+(?:[:,]|$)")
_ASSERTION: Final = re.compile(r"AssertionError|assert\b|Failed: |pytest\.fail")
_LAST_LINES: Final = 15


@dataclass(frozen=True)
class Raised:
    """One exception of a chain."""

    words: str
    """The lines of the exception itself."""
    code: str = ""
    """The line of code that raised it."""
    files: tuple[str, ...] = ()
    """The files of its frames, as they are printed; the one that raised is the last."""

    @property
    def assertion(self) -> bool:
        """Whether a test said so, and not the machine."""
        return _ASSERTION.match(self.words) is not None

    @property
    def pretended(self) -> bool:
        """Whether a fake raised it, or pytest was told to fail."""
        return bool(self.files) and re.search(r"(^|/)mock(/\w+)?\.py$", self.files[-1]) is not None

    def by_project(self, project: Path) -> bool:
        """Whether code of the project itself chose to raise it."""
        own = not self.files or not in_library(self.files[-1], project)
        return own and self.code.startswith("raise ")

    def deepest(self, project: Path) -> str:
        """The project's file that is nearest to the error, relative to it; empty if none is."""
        own = [file for file in self.files if not in_library(file, project)]
        return relative(own[-1], project) if own else ""


def chain(case: Case) -> list[Raised]:
    """List the exceptions that a case ended with, the cause first; never empty."""
    detail = clean(case.detail)
    found = [*_blocks(detail.splitlines())]
    if found:
        return found
    # Another runner: what matters stands at the end of what it printed.
    tail = "\n".join(detail.strip().splitlines()[-_LAST_LINES:])
    return [Raised("\n".join(filter(None, (case.message, tail))))]


def _blocks(lines: list[str]) -> Iterator[Raised]:
    before: list[str] = []
    at = 0
    while at < len(lines):
        if not _SAID.match(lines[at]):
            before.append(lines[at])
            at += 1
            continue
        end = at
        while end < len(lines) and _SAID.match(lines[end]):
            end += 1
        words = "\n".join(line[1:].strip() for line in lines[at:end])
        files = [*_files(before), *_files(_until_code(lines[end:]))]
        code = next((text for text in map(_code, reversed(before)) if text), "")
        yield Raised(words, code, tuple(files))
        before, at = [], end


def _until_code(lines: list[str]) -> list[str]:
    """The long style's location, which follows the exception."""
    following = [line for line in lines[:2] if line.strip()]
    return [line for line in following if not line.rstrip().split(": ", 1)[-1].startswith("in ")]


def _files(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if match := _LOCATION.match(line):
            yield match[1] or match[2]


def _code(line: str) -> str:
    if _LOCATION.match(line) or not line.startswith((" ", ">")):
        return ""
    return line.lstrip("> ").strip()

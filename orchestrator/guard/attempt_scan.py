"""Scans what one attempt added. What the project did before is not held against the attempt."""

import contextlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from orchestrator.guard.findings import escape_name, limit_findings
from orchestrator.guard.path_rules import is_in_tests
from orchestrator.guard.protection import Protection
from orchestrator.guard.scan.checksums import Checksums
from orchestrator.guard.scan.dynamic_loading import has_dynamic_loading, iter_outside_paths
from orchestrator.guard.scan.expected_answers import Answers
from orchestrator.guard.scan.hard_coded_answers import iter_hard_coded_answers
from orchestrator.guard.scan.javascript_scan import iter_javascript_suspicions
from orchestrator.guard.scan.patches import Patch
from orchestrator.guard.scan.python_scan import find_suspicions, read_syntax
from orchestrator.guard.scan.syntax import Suspicion, Syntax, starts_on_lines
from orchestrator.guard.scripts import Language, detect_language
from orchestrator.models import Finding, FindingKind
from orchestrator.platform import files

_LARGEST: Final = 2_000_000
_MOST_READ: Final = 3000
_MOST_OUTSIDE: Final = 500
_SHOWN: Final = 30


class AttemptScan:
    """The scan of what one attempt added.

    Args:
        protection: the rules of the project.
        patch: what the attempt changed.
        answers: inputs and expected values of the tests.
        since: when the attempt started, in nanoseconds, by the clock that dates files.
        home: the home folder of the suite's user.
    """

    def __init__(
        self, protection: Protection, patch: Patch, answers: Answers, since: int, home: str
    ) -> None:
        self._protection, self._patch, self._answers = protection, patch, answers
        self._since, self._home = since, home

    def scan_files(self, sources: dict[str, bool], others: Collection[str]) -> list[Finding]:
        """Return the suspicious constructs in some files.

        Args:
            sources: names of the new and changed files, each with whether it is new.
            others: names of the project's other files, which show what it did before.
        """
        found = list(self._iter_checksum_findings(sources))
        before: dict[str, bool] = {}
        executes = False
        for name, new in sources.items():
            for each in self._iter_file_suspicions(name, new):
                decisive = each.decisive and not self._is_preexisting(each, name, others, before)
                text = f"line {each.line}: {each.text}"
                found.append(Finding(FindingKind.SUSPICIOUS, escape_name(name), text, decisive))
                executes |= each.executes_file
        if executes:
            found += self._iter_executed_findings(sources)
        return limit_findings(found, "what the attempt wrote", "suspicious lines", _SHOWN)

    def _iter_checksum_findings(self, sources: dict[str, bool]) -> Iterator[Finding]:
        """Yield a finding for each added line with a checksum of a test's input, data included."""
        checksums = Checksums(self._answers)
        for name, new in sources.items():
            if not checksums or self._is_test(name):
                continue
            text = self._read_source(name).decode("utf-8", "replace")
            added = None if new else self._patch.added.get(name)
            for line, given in checksums.iter_matches(text):
                if added is None or line in added:
                    said = f"line {line}: a checksum of {given!r}, the input of a test that failed"
                    yield Finding(FindingKind.SUSPICIOUS, escape_name(name), said, decisive=True)

    def _iter_executed_findings(self, sources: Collection[str]) -> Iterator[Finding]:
        """Yield findings for Python code in files that are no modules, but may be executed."""
        for name in sources:
            if name.endswith(".py"):
                continue
            syntax = read_syntax(self._read_source(name), name)
            for each in find_suspicions(syntax, None, test=False) if syntax else ():
                text = f"line {each.line}: {each.text}"
                yield Finding(FindingKind.SUSPICIOUS, escape_name(name), text, each.decisive)

    def _iter_file_suspicions(self, name: str, new: bool) -> Iterator[Suspicion]:
        source = self._read_source(name)
        if not source:
            return
        # Files that git ignores are in no patch: then any line may be new.
        added = None if new else self._patch.added.get(name)
        full = self._protection.project / name
        language = Language.PYTHON if name.endswith(".pyi") else detect_language(full)
        if language is Language.JAVASCRIPT or name.endswith((".ts", ".mts", ".jsx", ".tsx")):
            if not is_in_tests(name):
                yield from iter_javascript_suspicions(
                    source.decode("utf-8", "replace"), added, name
                )
            return
        if language is not Language.PYTHON or (syntax := read_syntax(source, name)) is None:
            return
        test = self._is_test(name)
        lines = source.decode("utf-8", "replace").splitlines()
        for each in find_suspicions(syntax, added, test=test):
            if not self._is_moved(each, lines):
                yield each
        if not test:
            yield from iter_hard_coded_answers(syntax, added, self._answers)
            yield from self._iter_outside_suspicions(syntax, added)

    def _read_source(self, name: str) -> bytes:
        """Return the content of a file; empty for a link, and for a file too large to be code."""
        full = self._protection.project / name
        data = b"" if files.is_link(full) else files.read_bytes(full, _LARGEST + 1)
        return data if len(data) <= _LARGEST else b""

    def _is_test(self, name: str) -> bool:
        if name in self._protection.free:
            return False
        folders = self._protection.test_folders
        if folders or self._protection.tests:
            below = any(name.startswith(f"{folder}/") for folder in folders)
            return below or name in self._protection.tests or is_in_tests(name)
        return is_in_tests(name)

    def _is_moved(self, each: Suspicion, lines: list[str]) -> bool:
        """Return whether a line was only moved: the patch removes the same one elsewhere."""
        text = lines[each.line - 1].strip() if 0 < each.line <= len(lines) else ""
        return len(text) > 8 and text in self._patch.removed

    def _iter_outside_suspicions(
        self, syntax: Syntax, added: Collection[int] | None
    ) -> Iterator[Suspicion]:
        """Yield where code is loaded from files outside of the project that the attempt wrote."""
        if not has_dynamic_loading(syntax):
            return
        for node, path in iter_outside_paths(syntax, self._protection.project, self._home):
            if starts_on_lines(node, added) and self._is_newer(path):
                text = f"loads code that the attempt wrote outside of the project: {path}"
                yield Suspicion(getattr(node, "lineno", 0), text)

    def _is_newer(self, path: Path) -> bool:
        for each in (path, *files.find_paths(path, "*")[:_MOST_OUTSIDE]):
            with contextlib.suppress(OSError):
                if each.lstat().st_ctime_ns >= self._since and not files.is_folder(each):
                    return True
        return False

    def _is_preexisting(
        self, each: Suspicion, name: str, others: Collection[str], before: dict[str, bool]
    ) -> bool:
        """Return whether the project had such a construct before the attempt.

        Args:
            each: the construct.
            name: the file that it is in.
            others: names of files that the attempt did not change.
            before: results for other files, by `trace`; updated here.
        """
        trace = each.trace
        if not trace:
            return False
        if trace not in before:
            pattern = re.compile(rf"(?<!\w){re.escape(trace)}")
            before[trace] = any(pattern.search(line) for line in self._patch.removed) or any(
                pattern.search(text) for text in self._iter_texts(others)
            )
        return before[trace] or self._is_in_old_lines(name, trace)

    def _iter_texts(self, others: Collection[str]) -> Iterator[str]:
        names = [each for each in others if each.endswith(".py") and not self._is_test(each)]
        for name in names[:_MOST_READ]:
            yield files.read_text(self._protection.project / name)

    def _is_in_old_lines(self, name: str, trace: str) -> bool:
        added = self._patch.added.get(name)
        if added is None:
            return False
        lines = files.read_text(self._protection.project / name).splitlines()
        return any(trace in line for at, line in enumerate(lines, 1) if at not in added)

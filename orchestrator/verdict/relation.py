"""What ties a failing case to the task and to the change.

A case is tied to a change by what its code uses, as the suite tells it, and never by where it lies.
It is tied to the task by a name: its own, its file's, or that of something that it uses.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.models import Case, FileChange
from orchestrator.verdict.exit_status import EXIT_STATUS, SUITE

_MISSING: Final = re.compile(r"No module named '([\w.]+)'|cannot import name '(\w+)'")
_PROSE: Final = (".md", ".rst", ".txt", ".adoc")
_CODE: Final = (".py", ".pyi")

_ALL_TESTS: Final = re.compile(
    r"""
    \b(?:fix|repair|mend)\s+(?:(?:all|the|these|every|failing|broken|red|old|unit)\s+)*
     (?:tests?|suite|build|ci)\b
    |\b(?:get|make|turn)\s+(?:\w+\s+){0,3}(?:tests?|suite|build|ci)\s+(?:to\s+)?
     (?:pass|green|succeed|work|run)\b
    |\b(?:all|every|the|failing|broken|red|remaining)\b[^.]{0,20}\b(?:tests?|suite|cases|checks)\b
     [^.]{0,30}\b(?:pass|passes|green|succeed|work|run)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def asks_for_all_tests(task: str) -> bool:
    """Return whether a task is about the tests as a whole: `make all tests pass`."""
    return _ALL_TESTS.search(task) is not None


@dataclass(frozen=True)
class Relation:
    """What the attempt changed and was asked for, to hold cases against.

    Args:
        task: the task's text.
        project: the project's folder.
        changes: what differs between the tree at the baseline and the tree after.
        reach: the files that a case's code uses, by id, as recorded at the baseline.
        must_pass: whether failures that were there before count as the task.
    """

    task: str
    project: Path
    changes: Sequence[FileChange]
    reach: Mapping[str, Sequence[str]] = field(default_factory=dict)
    must_pass: bool = False

    @property
    def changed(self) -> frozenset[str]:
        """Paths of what was changed, prose left out."""
        return frozenset(each.path for each in self.changes if not each.path.endswith(_PROSE))

    def is_new(self, case: Case) -> bool:
        """Return whether the attempt added the file that defines a case."""
        return any(each.path == case.file and each.status == "A" for each in self.changes)

    def reached(self, case: Case, *, if_unknown: bool) -> bool:
        """Return whether the change can reach a case, as far as anybody can tell.

        What the code uses is known of source files. Of a changed setting, template or script
        nobody knows who reads it: then, and where a case tells nothing, the answer is `if_unknown`.
        """
        changed = self.changed
        if not changed:
            return False
        used = (Path(file) for file in self.reach.get(case.id, ()))
        known = {*case.reach, *self._relative(used), *self._raised_in(case)} - {""}
        if not changed.isdisjoint({*known, case.file}):
            return True
        blind = known <= {case.file} or any(not path.endswith(_CODE) for path in changed)
        return if_unknown and blind

    def _raised_in(self, case: Case) -> set[str]:
        """Return the project's files through which the exceptions of a case went."""
        return self._relative({Path(file) for each in case.raised for file in each.files})

    def _relative(self, files: Iterable[Path]) -> set[str]:
        """Return the paths of those files that lie in the project, as seen from its folder."""
        inside = (self.project / file for file in files)
        return {
            file.relative_to(self.project).as_posix()
            for file in inside
            if file.is_relative_to(self.project)
        }

    def asked_for(self, case: Case) -> bool:
        """Return whether a case is what the task is about."""
        # A runner that tells no file tells only whether all is well, and so is the task's.
        whole = not case.file and case.id not in (SUITE, EXIT_STATUS)
        if whole or self.must_pass or asks_for_all_tests(self.task):
            return True
        files = {case.file, PurePosixPath(case.file).name}
        if any(_stands_in(name, self.task) for name in files if name):
            return True
        missing = [name for found in _MISSING.findall(case.message) for name in found if name]
        parts = {
            part for name in missing for part in (name, name.replace(".", "/"), _last_name(name))
        }
        own = () if case.collecting else (case.id, _last_name(case.function))
        names = (*own, *case.names, *parts)
        return any(_is_code(name, self.task) for name in names if name)

    def tied(self, case: Case) -> bool:
        """Return whether the change or the task has to do with a case."""
        return self.reached(case, if_unknown=False) or self.asked_for(case)


def _last_name(function: str) -> str:
    return re.split(r"[:.]", function)[-1]


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w/]){re.escape(name)}(?!\w)", text) is not None


def _is_code(name: str, text: str) -> bool:
    """Return whether a text names an identifier, and not just an English word that is spelt so."""
    if re.search(r"[_\d]|[a-z][A-Z]", name):
        return _stands_in(name, text)
    quoted = rf"[`'\"]{re.escape(name)}[`'\"(.]|(?<!\w){re.escape(name)}\(|\.{re.escape(name)}\b"
    return re.search(quoted, text) is not None


def names_of(cases: Iterable[str]) -> str:
    """Return `tests/a.py::test_x and 2 more`."""
    ids = list(cases)
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    return f"{ids[0]}{more}" if ids else "nothing"

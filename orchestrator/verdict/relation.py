"""Relates a failing case to the task and to the change.

A case is related to a change by the files that its code uses, as the suite recorded them, and never
by its own path. It is related to the task by a name: its own, its file's, or that of something that
it uses.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.models import Case, FileChange
from orchestrator.platform import files
from orchestrator.suites.pytest.node_ids import find_test_names
from orchestrator.verdict.definitions import (
    MODULE,
    Reduction,
    collect_import_names,
    find_changed_definitions,
    find_reachable_names,
)
from orchestrator.verdict.exit_status import EXIT_STATUS, SUITE
from orchestrator.verdict.missing_modules import find_missing_modules
from orchestrator.verdict.task_text import (
    asks_for_all_tests,
    asks_for_form,
    list_wanted_words,
    mentions_file,
    mentions_identifier,
)

_MISSING: Final = re.compile(
    r"cannot import name '(\w+)'|has no attribute '(\w+)'|name '(\w+)' is not defined"
    r"|unexpected keyword argument '(\w+)'"
)
_READS_CODE: Final = re.compile(
    r"__doc__|docstring|getdoc|\bhelp\(|pydoc|docopt|\b(?:cmd|ply|fire|typer|fastapi|pydantic|attrs?|"
    r"injector|beartype|typeguard|singledispatch|inspect)\b|__annotations__|get_type_hints|signature\("
)
"""Libraries and functions that read docstrings or annotations, so that these count."""
_PROSE: Final = (".md", ".rst", ".txt", ".adoc")
_CODE: Final = (".py", ".pyi")
_LEAST_STEM: Final = 5
"""Minimum length at which a missing name is searched for at the beginning of the task's words."""


@dataclass(frozen=True)
class Relation:
    """Relates cases to the task, and to what the attempt changed.

    Args:
        task: the task's text.
        project: the project's folder.
        changes: the differences between the tree at the baseline and the tree after.
        reach: the files that a case's code uses, by id, as recorded at the baseline.
        must_pass: whether old failures belong to the task.
        versions: returns the texts of a changed file before and after; empty if it did not exist.
    """

    task: str
    project: Path
    changes: Sequence[FileChange]
    reach: Mapping[str, Sequence[str]] = field(default_factory=dict)
    must_pass: bool = False
    versions: Callable[[str], tuple[str, str]] = lambda _: ("", "")
    _answers: dict[tuple[Case, bool], bool] = field(default_factory=dict, compare=False)
    _names: dict[tuple[str, Reduction], frozenset[str]] = field(default_factory=dict, compare=False)

    @cached_property
    def changed(self) -> frozenset[str]:
        """Paths of the changed files, without prose."""
        return frozenset(each.path for each in self.changes if not each.path.endswith(_PROSE))

    @cached_property
    def _task_tests(self) -> frozenset[str]:
        """Names of test functions in the task's text."""
        return find_test_names(self.task)

    def is_new(self, case: Case) -> bool:
        """Return whether the attempt added the file that defines a case."""
        return any(each.path == case.file and each.status == "A" for each in self.changes)

    def is_reached(self, case: Case, *, if_unknown: bool) -> bool:
        """Return whether the change can affect a case.

        Which source files a case uses is recorded. Who reads a changed setting, template or script
        is not: then, and if nothing is recorded for a case, the result is `if_unknown`.
        """
        key = case, if_unknown
        if key not in self._answers:
            self._answers[key] = self._check_reached(case, if_unknown=if_unknown)
        return self._answers[key]

    def _check_reached(self, case: Case, *, if_unknown: bool) -> bool:
        changed = self.changed
        if not changed:
            return False
        known = self._collect_known_files(case)
        common = changed & {*known, case.file}
        if common and self._can_reach_change(case, common, known):
            return True
        blind = not known
        blind = blind or any(not path.endswith(_CODE) for path in changed)
        return if_unknown and blind

    def _collect_known_files(self, case: Case) -> set[str]:
        """Return the files that a case's code is known to use."""
        recorded = self.reach.get(case.id) or self.reach.get(case.function) or ()
        return {
            *case.reach,
            *self._make_relative(map(Path, recorded)),
            *self._collect_traceback_files(case),
        } - {""}

    def _can_reach_change(self, case: Case, changed: Iterable[str], known: set[str]) -> bool:
        """Return whether a case can reach the changed definitions in files that its code uses."""
        paths = [path for path in sorted({*known, case.file}) if path.endswith(_CODE)]
        sources = [files.read_text(self.project / path) for path in paths]
        reduction = self._reduction
        if any(_READS_CODE.search(source) for source in sources):
            reduction = Reduction.NONE
        names = {name for path in changed for name in self._find_changed_names(path, reduction)}
        if MODULE in names or not names:
            return MODULE in names
        if case.collecting:
            return not names.isdisjoint(collect_import_names(sources))
        found = find_reachable_names(_extract_last_name(case.function), sources)
        return found is None or not names.isdisjoint(found)

    @cached_property
    def _asks_for_form(self) -> bool:
        """Whether the task only asks for how code reads, and not for what it does."""
        return asks_for_form(self.task)

    @property
    def _reduction(self) -> Reduction:
        """The parts of a change that make no difference: some, if the task only asks for form."""
        return Reduction.DOCS_AND_ANNOTATIONS if self._asks_for_form else Reduction.NONE

    def _find_changed_names(self, path: str, reduction: Reduction) -> frozenset[str]:
        """Return the names of the definitions that differ in a file; `MODULE` if unknown."""
        key = path, reduction
        if key not in self._names:  # there may be thousands of cases, and git reads both versions
            old, new = self.versions(path) if path.endswith(_CODE) else ("", "")
            changed = find_changed_definitions(old, new, reduction) if old or new else {MODULE}
            self._names[key] = frozenset(changed)
        return self._names[key]

    def _collect_traceback_files(self, case: Case) -> set[str]:
        """Return the project's files in the tracebacks of a case."""
        return self._make_relative({Path(file) for each in case.raised for file in each.files})

    def _make_relative(self, files: Iterable[Path]) -> set[str]:
        """Return the relative paths of the files that are in the project."""
        inside = (self.project / file for file in files)
        return {
            file.relative_to(self.project).as_posix()
            for file in inside
            if file.is_relative_to(self.project)
        }

    @cached_property
    def keeps_behaviour(self) -> bool:
        """Whether neither the task nor the change is about what the code does.

        The task's words alone do not show it: with a test written first, any words may ask for a
        change of behaviour.
        """
        if self.must_pass or self._task_tests or not self._asks_for_form:
            return False
        return not any(self._find_changed_names(path, self._reduction) for path in self.changed)

    def can_break_again(self, case: Case) -> bool:
        """Return whether a change of form may make an old failure fail in another way.

        An annotation whose name or module is missing can; a docstring cannot.
        """
        if self._task_tests or not self._asks_for_form:
            return False
        used = self._collect_known_files(case) & self.changed
        return any(self._find_changed_names(path, Reduction.DOCS) for path in used)

    def is_asked_for(self, case: Case) -> bool:
        """Return whether the task is about a case."""
        # A runner that names no files only reports success or failure of the whole suite, which the
        # task is then about.
        if self.must_pass or (not case.file and case.id not in (SUITE, EXIT_STATUS)):
            return True
        if self._task_tests:
            names = set(re.findall(r"\w+", case.function or case.id))
            return not names.isdisjoint(self._task_tests)
        if asks_for_all_tests(self.task):
            return True
        files = {case.file, PurePosixPath(case.file).name} - {""}
        if any(mentions_file(self.task, name) for name in files):
            return True
        own = () if case.collecting else (case.id, _extract_last_name(case.function))
        # A task that asks for a docstring names the function, not its tests.
        used = () if self.keeps_behaviour else case.names
        names = {*own, *used, *_collect_missing_names(case)} - {""}
        return any(
            mentions_identifier(self.task, name) for name in names
        ) or self._asks_for_missing(case)

    def _asks_for_missing(self, case: Case) -> bool:
        """Return whether the task mentions what a case misses: "subtraction" for `subtract`."""
        stems = {part for name in _collect_missing_names(case) for part in name.lower().split("_")}
        long = [stem for stem in stems if len(stem) >= _LEAST_STEM]
        return any(word.startswith(stem) for stem in long for word in list_wanted_words(self.task))

    def is_tied(self, case: Case) -> bool:
        """Return whether a case that failed before is related to the change or the task."""
        if self._task_tests and not self.is_asked_for(case):
            return False  # the task names the tests that it is about
        if self.is_asked_for(case):
            return True
        return self.is_reached(case, if_unknown=False)


def _collect_missing_names(case: Case) -> set[str]:
    """Return the modules, attributes and names whose absence makes a case fail."""
    found = find_missing_modules(case.message)
    found += [name for match in _MISSING.findall(case.message) for name in match if name]
    return {
        part for name in found for part in (name, name.replace(".", "/"), _extract_last_name(name))
    }


def _extract_last_name(function: str) -> str:
    return re.split(r"[:.]", function)[-1]


def summarize_names(cases: Iterable[str]) -> str:
    """Return `tests/a.py::test_x and 2 more`."""
    ids = list(cases)
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    return f"{ids[0]}{more}" if ids else "nothing"

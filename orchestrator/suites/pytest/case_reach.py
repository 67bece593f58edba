"""Store which files each case uses, from the records of the plugin."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from orchestrator.models import Case

CASE_BOUND: Final = 2_000
"""Limit for the files that are stored with one failing case."""

REPORT_BOUND: Final = 100_000
"""Limit for the files of all failing cases of a report, because each attempt stores a report."""


@dataclass
class ReachedFiles:
    """Collects the records of all processes, and stores each set of files once."""

    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The files that each case reaches, by the id of the case."""
    _names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _paths: dict[str, str] = field(default_factory=dict)
    _sets: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    def add_record(self, record: Mapping[str, Any], id_of: Callable[[str], str]) -> None:
        """Add one record.

        Args:
            record: a record of kind `reach`.
            id_of: returns the id of a case for its node id.
        """
        paths = [self._paths.setdefault(each, each) for each in record["files"]]
        given = [tuple(paths[at] for at in reached) for reached in record["sets"]]
        sets = [self._sets.setdefault(each, each) for each in given]
        for node, at in record["cases"].items():
            self.files[id_of(node)] = sets[at]
        for node, names in record["names"].items():
            self._names[id_of(node)] = tuple(names)

    def attach_reach(self, cases: Iterable[Case], workspace: Path) -> tuple[tuple[Case, ...], str]:
        """Return the cases, failing ones with their reach, and a note if a limit cut some off.

        For those, the footprint still has what the case reached at the baseline.
        """
        inside, found, left, cut = _RelativePathCache(workspace), [], REPORT_BOUND, 0
        for case in cases:
            if not case.is_failing or case.id not in self.files:
                found.append(case)
                continue
            reach = inside.list_relative_paths(self.files[case.id])
            stored = reach[: min(CASE_BOUND, left)]
            cut += len(stored) < len(reach)
            left -= len(stored)
            found.append(replace(case, reach=stored, names=self._names.get(case.id, ())))
        note = f"the files that {cut} failing cases use are not all recorded" if cut else ""
        return tuple(found), note


class _RelativePathCache:
    """Computes the relative paths of the files in a folder, once for each set of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._results: dict[int, tuple[str, ...]] = {}

    def list_relative_paths(self, files: tuple[str, ...]) -> tuple[str, ...]:
        """Return the relative paths of those files that are in the folder.

        Args:
            files: must live as long as this object, because results are cached by its `id()`.
        """
        if id(files) not in self._results:
            self._results[id(files)] = tuple(dict.fromkeys(self._iter_relative_paths(files)))
        return self._results[id(files)]

    def _iter_relative_paths(self, files: tuple[str, ...]) -> Iterator[str]:
        for each in map(Path, files):
            if each.is_relative_to(self._folder):
                yield each.relative_to(self._folder).as_posix()

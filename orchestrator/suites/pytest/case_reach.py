"""What the code of cases uses, from the records of the plugin."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from orchestrator.models import Case

CASE_BOUND: Final = 2_000
"""Files that one failing case carries."""

REPORT_BOUND: Final = 100_000
"""Files that all failing cases of a report carry together: reports are kept for each attempt."""


@dataclass
class ReachedFiles:
    """Takes what each process says of its cases, and holds each set of files once."""

    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The files that each case reaches, by its id."""
    _names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _paths: dict[str, str] = field(default_factory=dict)
    _sets: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    def add_record(self, record: Mapping[str, Any], id_of: Callable[[str], str]) -> None:
        """Take one record.

        Args:
            record: the plugin's.
            id_of: returns a case's id by the runner's own.
        """
        paths = [self._paths.setdefault(each, each) for each in record["files"]]
        given = [tuple(paths[at] for at in reached) for reached in record["sets"]]
        sets = [self._sets.setdefault(each, each) for each in given]
        for node, at in record["cases"].items():
            self.files[id_of(node)] = sets[at]
        for node, names in record["names"].items():
            self._names[id_of(node)] = tuple(names)

    def attach_reach(self, cases: Iterable[Case], workspace: Path) -> tuple[tuple[Case, ...], str]:
        """Return the cases, the failing ones with what they reach, and a note of what is left out.

        Of what is left out, the footprint still tells what the case reached at the baseline.
        """
        inside, found, left, cut = _RelativePathCache(workspace), [], REPORT_BOUND, 0
        for case in cases:
            if not case.is_failing or case.id not in self.files:
                found.append(case)
                continue
            reach = inside.list_relative_paths(self.files[case.id])
            kept = reach[: min(CASE_BOUND, left)]
            cut += len(kept) < len(reach)
            left -= len(kept)
            found.append(replace(case, reach=kept, names=self._names.get(case.id, ())))
        note = f"the files that {cut} failing cases use are not all recorded" if cut else ""
        return tuple(found), note


class _RelativePathCache:
    """Finds the paths of the files that lie in a folder; each set of files is worked out once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._known: dict[int, tuple[str, ...]] = {}

    def list_relative_paths(self, files: tuple[str, ...]) -> tuple[str, ...]:
        """Return the paths from the folder of those of `files` that lie in it.

        Args:
            files: a set that outlives this, since it is known by its identity.
        """
        if id(files) not in self._known:
            self._known[id(files)] = tuple(dict.fromkeys(self._iter_relative_paths(files)))
        return self._known[id(files)]

    def _iter_relative_paths(self, files: tuple[str, ...]) -> Iterator[str]:
        for each in map(Path, files):
            if each.is_relative_to(self._folder):
                yield each.relative_to(self._folder).as_posix()

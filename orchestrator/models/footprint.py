"""The footprint of a verdict: the files and the environment that it depends on.

A suite records it at the baseline, from what the runner reports and not from the names of files.
Paths are absolute and real, because files outside of the project count too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True)
class Module:
    """A module that was imported while the suite ran."""

    name: str
    file: str
    imports: tuple[str, ...] = ()
    """Files of the modules that it uses directly, in the project or beside it."""
    provides: bool = False
    """Whether fixtures or hooks of the runner are defined in it."""


class Reach(Mapping[str, tuple[str, ...]]):
    """For each case id, the project's files that its code uses, directly or through others.

    Many cases use the same files, so each set of files is stored once.
    """

    def __init__(self, given: Mapping[str, tuple[str, ...]]) -> None:
        positions: dict[tuple[str, ...], int] = {}
        self._cases = {
            case: positions.setdefault(files, len(positions)) for case, files in given.items()
        }
        self._sets = tuple(positions)

    def __getitem__(self, case_id: str) -> tuple[str, ...]:
        """Return the files that a case reaches."""
        return self._sets[self._cases[case_id]]

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of the cases."""
        return iter(self._cases)

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self._cases)

    def as_json(self) -> dict[str, Any]:
        """Return the values for JSON, with each file and each set once."""
        files: dict[str, int] = {}
        sets = [[files.setdefault(each, len(files)) for each in reached] for reached in self._sets]
        return {"files": list(files), "sets": sets, "cases": self._cases}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the object for the result of `as_json`.

        Raises:
            TypeError, KeyError, IndexError: the values are not the result of `as_json`.
        """
        files = values["files"]
        sets = [tuple(files[at] for at in reached) for reached in values["sets"]]
        return cls({case: sets[at] for case, at in values["cases"].items()})


@dataclass(frozen=True)
class Footprint:
    """What the verdict of one suite depends on."""

    tests: tuple[str, ...] = ()
    """Files that define collected cases, or the code that generates them."""
    steering: tuple[str, ...] = ()
    """Files that affected the runner: configuration, conftest files, plugins outside of the
    environment's own folders."""
    absent: tuple[str, ...] = ()
    """Paths at which the runner would read a configuration or conftest file if there were one."""
    modules: tuple[Module, ...] = ()
    """Imported modules that belong neither to the standard library nor to a site folder."""
    data: tuple[str, ...] = ()
    """Files that test code itself opened for reading. In the call stack without libraries, the
    innermost frame is in a file of `tests` or `steering`, or in one that these import and the code
    under test does not."""
    runner: tuple[str, ...] = ()
    """Installed files of the runner, its plugins and their dependencies, as far as imported."""
    installed: tuple[str, ...] = ()
    """All other files of installed packages and the standard library that were imported."""
    search_path: tuple[str, ...] = ()
    """`sys.path` as the suite left it."""
    site_folders: tuple[str, ...] = ()
    """Folders of installed packages on the search path, the user's own included."""
    standard_modules: tuple[str, ...] = ()
    """Names of the standard library's top-level modules."""
    interpreter: str = ""
    """The program that ran the tests (`sys.executable`)."""
    version: str = ""
    """Version of the interpreter: `3.11.7`."""
    prefix: str = ""
    """`sys.prefix`: the environment's folder."""
    reach: Reach = field(default_factory=lambda: Reach({}))
    """For each case id the project's files that its code uses, directly or through others."""

    def as_json(self) -> dict[str, Any]:
        """Return the values for JSON."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        modules = [asdict(each) for each in self.modules]
        return {**plain, "modules": modules, "reach": self.reach.as_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the footprint for the result of `as_json`.

        Raises:
            TypeError, KeyError, IndexError: the values are not the result of `as_json`.
        """
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name not in ("modules", "reach")
        }
        modules = tuple(
            Module(each["name"], each["file"], tuple(each["imports"]), each["provides"])
            for each in values["modules"]
        )
        return cls(**plain, modules=modules, reach=Reach.from_json(values["reach"]))

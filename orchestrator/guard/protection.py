"""What is guarded in one project, why, and what must not appear.

It is derived once, at the baseline, and kept as JSON: a process that resumes a run, or looks after
the agent worked, must not derive it from files that the agent may have written.

A file's *name* is its path from the project's folder, or its absolute path outside of it.
"""

import fnmatch
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self

from orchestrator.suites.pytest.settings import CONFIG_NAMES as RUNNER_CONFIG_NAMES

CONFIG_NAMES: Final = frozenset({*RUNNER_CONFIG_NAMES, ".coveragerc"})
"""Files that pytest and coverage read in a folder of tests, and in those above it."""

STARTUP: Final = ("sitecustomize.py", "usercustomize.py")


class Kind(StrEnum):
    """Why a file is guarded."""

    TEST = "test"
    CONFIG = "config"


@dataclass(frozen=True)
class GuardedFile:
    """One guarded file: its name, and why it is guarded, in words."""

    path: str
    kind: Kind
    why: str


@dataclass(frozen=True)
class SearchFolder:
    """A folder in which modules are found, and what it held at the baseline."""

    path: str
    """Absolute."""
    names: frozenset[str]
    """Names of the top-level modules and packages in it."""
    installed: bool
    """Whether it is a site folder, or one of the standard library."""


@dataclass(frozen=True)
class Protection:
    """The rules for one project, as they were derived at the baseline.

    Args:
        project: the project's real folder.
        guarded: the guarded files, by name.
        absent: names at which nothing may appear, with the reason.
        free: names that are never guarded: the code under test, and what the suite regenerates.
        regenerated: names of the files whose content the suite itself changed at the baseline.
        touched: names of all files that it touched then, if only by `chmod`.
        rewritten: those of them that it wrote, if only with the same content.
        volatile: those of these that may come out otherwise the next time: all but tests and what
            decides on them.
        unguarded: globs of names that the user freed.
        whole: names of shared files of which every byte counts.
        tests: names of the files with cases.
        test_folders: folders of which every file is guarded, save those of the product.
        environments: folders of Python environments, which a walk does not enter.
        search: where modules are found, in order.
        reserved: names of modules that none of the project's folders may take.
        closed: names of folders of the project, and of guarded files, that could not be looked at.
    """

    project: Path
    guarded: dict[str, GuardedFile] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    free: frozenset[str] = frozenset()
    unguarded: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()
    tests: frozenset[str] = frozenset()
    test_folders: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    search: tuple[SearchFolder, ...] = ()
    reserved: frozenset[str] = frozenset()
    regenerated: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    rewritten: frozenset[str] = frozenset()
    volatile: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()

    @cached_property
    def relevant_folders(self) -> frozenset[str]:
        """Folders with guarded files, and those in which modules are found."""
        searched = {each.path for each in self.search if not each.installed}
        names = (normalize_name(self.project, path) for path in searched)
        inside = (f"{name}/" for name in names if not name.startswith("/"))
        return collect_parents((*self.guarded, *inside))

    def is_free(self, name: str) -> bool:
        """Return whether a file is never guarded."""
        return name in self.free or self.is_unguarded(name)

    def is_unguarded(self, name: str) -> bool:
        """Return whether the user freed a file by a glob."""
        return any(
            fnmatch.fnmatchcase(name, glob) or PurePosixPath(name).match(glob)
            for glob in self.unguarded
        )

    def explain_prohibition(self, name: str) -> str:
        """Return why no new file may have this name; empty where one may."""
        why = self._find_prohibition(name)
        return "" if why and self.is_free(name) else why

    def _find_prohibition(self, name: str) -> str:
        if name in self.absent:
            return self.absent[name]
        folder, _, base = name.rpartition("/")
        if (base == "conftest.py" or base in CONFIG_NAMES) and folder in self._above_tests:
            return "read for the tests at or below its folder"
        if base == "__init__.py" and folder in self.test_folders and folder in self._above_tests:
            return "imported before the tests in its folder"
        if base == "entry_points.txt" and folder.endswith((".egg-info", ".dist-info")):
            return "may register a plugin of pytest"
        return "imported at the start of Python" if base in STARTUP else ""

    @cached_property
    def _above_tests(self) -> frozenset[str]:
        return frozenset(
            "" if str(parent) == "." else str(parent)
            for test in self.tests
            for parent in PurePosixPath(test).parents
        )

    def as_json(self) -> dict[str, Any]:
        """Return the protection as plain JSON values."""
        values = asdict(self)
        values["search"] = [{**each, "names": sorted(each["names"])} for each in values["search"]]
        return {
            name: sorted(value)
            if isinstance(value, frozenset)
            else os.fspath(value)
            if isinstance(value, Path)
            else value
            for name, value in values.items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the protection that `as_json` gave.

        Raises:
            TypeError, KeyError, ValueError: the values are not a protection's.
        """
        names = (
            "free",
            "whole",
            "tests",
            "test_folders",
            "environments",
            "reserved",
            "regenerated",
            "touched",
            "rewritten",
            "volatile",
        )
        return cls(
            Path(values["project"]),
            {
                name: GuardedFile(each["path"], Kind(each["kind"]), each["why"])
                for name, each in values["guarded"].items()
            },
            dict(values["absent"]),
            unguarded=tuple(values["unguarded"]),
            search=tuple(
                SearchFolder(each["path"], frozenset(each["names"]), each["installed"])
                for each in values["search"]
            ),
            closed=frozenset(values.get("closed", ())),
            **{name: frozenset(values[name]) for name in names},
        )


def normalize_name(project: Path, path: str | Path) -> str:
    """Return the name of a file: relative in the project, absolute outside of it.

    Args:
        project: the project's real folder.
        path: absolute, or relative to the project. Links are not followed.
    """
    full = os.path.normpath(project / path)
    top = f"{project}{os.sep}"
    return full[len(top) :] if full.startswith(top) else full


def collect_parents(names: Iterable[str]) -> frozenset[str]:
    """Return all folders in which files of these names lie, at any depth."""
    found: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return frozenset(found)

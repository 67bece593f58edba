"""What is guarded in one project and why, and which new files are prohibited.

It is derived once, at the baseline, and stored as JSON: a process that resumes a run, or checks
after the agent worked, must not derive it from files that the agent may have written.

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

from orchestrator.platform.packages import VIRTUALENV_MARK
from orchestrator.suites.pytest.settings import CONFIG_NAMES as RUNNER_CONFIG_NAMES

CONFIG_NAMES: Final = frozenset({*RUNNER_CONFIG_NAMES, ".coveragerc"})
"""Files that pytest and coverage read in a folder of tests, and in those above it."""

ANY_VIRTUALENV: Final = f"*/{VIRTUALENV_MARK}"
"""Prohibits that any folder of the project becomes a virtual environment."""

STARTUP: Final = ("sitecustomize.py", "usercustomize.py")


class Kind(StrEnum):
    """Why a file is guarded."""

    TEST = "test"
    CONFIG = "config"


@dataclass(frozen=True)
class GuardedFile:
    """A guarded file: its name, and why it is guarded, as a kind and as text for people."""

    path: str
    kind: Kind
    why: str


@dataclass(frozen=True)
class SearchFolder:
    """A folder in which Python finds modules, with its modules at the baseline."""

    path: str
    """Absolute."""
    names: frozenset[str]
    """Names of the top-level modules and packages in it."""
    installed: bool
    """Whether it is a site folder, or belongs to the standard library."""


_NAME_SETS: Final = (
    *("free", "whole", "tests", "test_folders", "environments"),
    *("reserved", "regenerated", "touched", "rewritten", "volatile"),
)
"""Fields of a protection that are stored as lists of names."""


@dataclass(frozen=True)
class Protection:
    """The rules for one project, derived at the baseline.

    Args:
        project: the project's real folder.
        guarded: the guarded files, by name.
        absent: names at which no file may appear, with the reason; one may be `ANY_VIRTUALENV`.
        free: names that are never guarded: the code under test, and files that the suite generates.
        regenerated: names of the files whose content the suite itself changed at the baseline.
        touched: names of all files that the suite touched then, if only by `chmod`.
        rewritten: those of `touched` that it wrote, if only with the same content.
        volatile: those of `rewritten` that may differ after the next run: all but tests and files
            that affect tests.
        unguarded: globs of names that the user excluded.
        whole: names of shared files of which every byte counts.
        tests: names of the files with cases.
        test_folders: folders in which every file is guarded, except for product files.
        environments: folders of Python environments, which are not walked.
        search: where Python finds modules, in order.
        reserved: names of modules that no folder of the project may define.
        closed: names of folders and guarded files that could not be read at the baseline.
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
        """Folders with guarded files, and folders in which Python finds modules."""
        searched = {each.path for each in self.search if not each.installed}
        names = (normalize_name(self.project, path) for path in searched)
        inside = (f"{name}/" for name in names if not name.startswith("/"))
        return collect_parents((*self.guarded, *inside))

    def is_free(self, name: str) -> bool:
        """Return whether a file is never guarded."""
        return name in self.free or self.is_unguarded(name)

    def is_unguarded(self, name: str) -> bool:
        """Return whether the user excluded a file by a glob (`tests.unguarded`)."""
        return any(
            fnmatch.fnmatchcase(name, glob) or PurePosixPath(name).match(glob)
            for glob in self.unguarded
        )

    def explain_prohibition(self, name: str) -> str:
        """Return why no new file may have this name; empty if one may."""
        why = self._find_prohibition(name)
        return "" if why and self.is_free(name) else why

    def _find_prohibition(self, name: str) -> str:
        if name in self.absent:
            return self.absent[name]
        folder, _, base = name.rpartition("/")
        if base == VIRTUALENV_MARK and "/" not in folder:
            return self.absent.get(ANY_VIRTUALENV, "")
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
            TypeError, KeyError, ValueError: the values do not describe a protection.
        """
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
            **{name: frozenset(values[name]) for name in _NAME_SETS},
        )


def normalize_name(project: Path, path: str | Path) -> str:
    """Return the name of a file: relative inside the project, absolute outside.

    Args:
        project: the project's real folder.
        path: absolute, or relative to the project. Links are not followed.
    """
    full = os.path.normpath(project / path)
    top = f"{project}{os.sep}"
    return full[len(top) :] if full.startswith(top) else full


def collect_parents(names: Iterable[str]) -> frozenset[str]:
    """Return all parent folders of some names, up to the project's folder."""
    found: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return frozenset(found)

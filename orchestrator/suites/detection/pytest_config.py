"""Read pytest's settings from the file that pytest itself would use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.suites.detection.project_files import find_table, list_texts, read_ini, read_toml
from orchestrator.suites.pytest.settings import CONFIG_NAMES

_SECTIONS: Final = {"setup.cfg": "tool:pytest"}
_DJANGO: Final = "DJANGO_SETTINGS_MODULE"
_MOST_WILDCARDS: Final = 3
_OWN_FILES: Final = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
"""Files that are pytest's settings even if they are empty."""


@dataclass(frozen=True)
class PytestConfig:
    """The settings of pytest that determine where it looks for tests."""

    file: str
    """Name of the file."""
    testpaths: tuple[str, ...] = ()
    """Those that exist."""
    has_file_names: bool = False
    """Whether it sets which files are tests; others than by default, so they are not found here."""
    has_django_settings: bool = False
    """Whether it names the settings of Django, for the plugin pytest-django."""


def find_pytest_config(project: Path) -> PytestConfig | None:
    """Return pytest's settings in the project's folder; None if there are none."""
    return next(_iter_configs(project), None)


def _iter_configs(project: Path) -> Iterator[PytestConfig]:
    for name in CONFIG_NAMES:
        values = _read_settings(project / name)
        if values is None and name in _OWN_FILES and files.is_file(project / name):
            values = {}
        if values is not None:
            given = list_texts(values.get("testpaths"))
            existing = tuple(each for each in given if _exists(project, each))
            has_django = _DJANGO in {each.upper() for each in values} or "--ds" in str(
                values.get("addopts", "")
            )
            yield PytestConfig(name, existing, "python_files" in values, has_django)


def _read_settings(path: Path) -> dict[str, object] | None:
    if path.name == "pyproject.toml":
        content = read_toml(path)
        options = find_table(content, "tool", "pytest", "ini_options")
        return options if options is not None else find_table(content, "tool", "pytest")
    if path.suffix == ".toml":
        return find_table(read_toml(path), "pytest")
    section = read_ini(path).get(_SECTIONS.get(path.name, "pytest"))
    return dict(section) if section is not None else None


def _exists(project: Path, pattern: str) -> bool:
    """Return whether a path or glob of `testpaths` matches; pytest is left to try a long one.

    Through links in a circle, a few more wildcards match more paths than can be listed.
    """
    parts = pattern.split("/")
    wild = [part for part in parts if re.search(r"[*?\[]", part)]
    if len(wild) > _MOST_WILDCARDS or (wild and (pattern.startswith("/") or ".." in parts)):
        return True
    try:
        return bool(files.find_paths(project, pattern))
    except (ValueError, OSError):  # a null byte
        return False

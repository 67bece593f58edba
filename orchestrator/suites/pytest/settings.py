"""List where pytest looks for its settings."""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

CONFIG_NAMES: Final = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
"""Files that may contain settings, in the order in which pytest tries them."""

CONFTEST_NAME: Final = "conftest.py"

OPTIONS_VARIABLE: Final = "PYTEST_ADDOPTS"


def list_environment_plugins(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the modules that pytest loads as plugins because of environment variables."""
    options = environment.get(OPTIONS_VARIABLE, "").split()
    named = (after for word, after in itertools.pairwise(options) if word == "-p")
    listed = environment.get("PYTEST_PLUGINS", "").split(",")
    return (*filter(None, listed), *named)


def list_config_candidates(start: Path, config: Path | None) -> tuple[Path, ...]:
    """List the paths at which pytest looks for a configuration file.

    Args:
        start: the common folder of the tests, or where pytest is started.
        config: the file that it found; pytest does not look above its folder.
    """
    folders = [start, *start.parents]
    if config and config.parent in folders:
        folders = folders[: folders.index(config.parent) + 1]
    return tuple(folder / name for folder in folders for name in CONFIG_NAMES)


def list_conftest_candidates(folders: Iterable[Path], top: Path) -> tuple[Path, ...]:
    """List the paths at which pytest looks for conftest files.

    Args:
        folders: folders with tests.
        top: the folder above which pytest does not look.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        for each in (folder, *folder.parents):
            if not each.is_relative_to(top):
                break
            found[each / CONFTEST_NAME] = None
    return tuple(found)

"""Checks the files that Python and pytest read when they start: `.pth` files, entry points."""

import configparser
import os
import re
from pathlib import Path
from typing import Final

from orchestrator.guard.scan import describe_suspicions
from orchestrator.guard.search_path import iter_modules
from orchestrator.platform import files

STARTUP: Final = ("sitecustomize", "usercustomize")
"""Modules that Python imports when it starts."""

INFO: Final = (".dist-info", ".egg-info")
"""Suffixes of the folders that describe an installed package."""

_HARMLESS_IMPORTS: Final = re.compile(
    r"import (__editable___\w+_finder); \1\.install\(\)"
    r"|import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os\.environ\.get\(var, '\w+'\) == "
    r"'local'; enabled and __import__\('_distutils_hack'\)(?:\.add_shim\(\))?;?"
    r"|import _virtualenv|import coverage; coverage\.process_startup\(\)"
)


def is_harmless(path: str) -> bool:
    """Return whether a start-up file neither runs code nor registers a plugin."""
    data = files.read_whole_file(path)
    if data is None:
        return False
    text = data.decode("utf-8", "replace")
    if path.endswith("entry_points.txt"):
        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        try:
            parser.read_string(text)
        except configparser.Error:
            return False
        return not parser.has_section("pytest11")
    if not path.endswith(".pth"):
        return False
    return all(_is_harmless_line(line.strip(), Path(path).parent) for line in text.splitlines())


def _is_harmless_line(line: str, folder: Path) -> bool:
    """Return whether a line of a .pth file is known to be harmless.

    `site` executes lines that begin with `import`, and appends all others to `sys.path`: a plain
    path runs code, too, if its folder has a sitecustomize.py or registers a plugin.
    """
    if not line or line.startswith("#"):
        return True
    if line.startswith(("import ", "import\t")):
        match = _HARMLESS_IMPORTS.fullmatch(line)
        finder = match and match[1]
        return bool(match) and not (finder and _is_odd_finder(folder / f"{finder}.py"))
    added = folder / line
    names = {*iter_modules(added)}
    info = any(each.name.endswith(INFO) for each in files.list_folder(added))
    return not names & set(STARTUP) and not (info and _has_plugins(added))


def _has_plugins(folder: Path) -> bool:
    points = files.find_paths(folder, "*-info/entry_points.txt")
    return any(not is_harmless(os.fspath(each)) for each in points)


def _is_odd_finder(finder: Path) -> bool:
    """Return whether the module of an editable install is not as setuptools writes it."""
    source = files.read_whole_file(finder)
    return (
        source is None
        or b"MAPPING" not in source
        or bool(describe_suspicions(source, None, test=False))
    )

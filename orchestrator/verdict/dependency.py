"""A module that the project declares and that is not installed: no fault of the code.

The experiment alone would blame the attempt, which was asked to use a package and declared it. Only
what is declared counts: a name that the attempt made up is its own failure, and is never advised.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from orchestrator.models import Case

_MISSING: Final = re.compile(r"No module named '(\w+)'")
_DECLARATIONS: Final = ("pyproject.toml", "setup.cfg", "setup.py", "Pipfile", "environment.yml")
_NAME: Final = re.compile(r"(?:^[ \t-]*|['\"])([A-Za-z][\w.-]*)", re.MULTILINE)
_READ_BOUND: Final = 100_000


def declared_but_missing(cases: Iterable[Case], project: Path) -> str:
    """Return the module for want of which all of some cases fail, if the project declares it."""
    missing = {match[1] if (match := _MISSING.search(_said(case))) else "" for case in cases}
    if len(missing) != 1 or "" in missing:
        return ""
    module = missing.pop()
    declared = {name.replace("-", "_").lower() for name in _declared(project)}
    return module if module.lower() in declared else ""


def _said(case: Case) -> str:
    types = "\n".join(f"{each.type}: {each.message}" for each in case.raised)
    return f"{case.message}\n{types}"


def _declared(project: Path) -> Iterator[str]:
    files = [project / name for name in _DECLARATIONS]
    files += [*project.glob("*requirements*.txt"), *project.glob("requirements/*.txt")]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")[:_READ_BOUND]
        except OSError:
            continue
        yield from _NAME.findall(text)

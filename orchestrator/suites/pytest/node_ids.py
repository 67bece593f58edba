"""pytest's ids of cases: what they are made of, and how they select cases again.

An id begins with the path of a file, from pytest's root folder; classes, function and parameters
follow. Parameters are free text, so what an id is made of is asked of pytest itself: the id of
the file is its beginning.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SEPARATOR: Final = "::"
_VALUED_OPTIONS: Final = frozenset(
    {
        *("-c", "--config-file", "--rootdir", "--confcutdir", "--basetemp", "--ignore"),
        *("--ignore-glob", "--deselect", "--junitxml", "--junit-xml", "--log-file", "--cov"),
        *("-o", "-k", "-m", "-p", "-n", "-W"),
    }
)
"""Options whose next word may look like a path of tests and is not one."""


def extract_file_part(node_id: str) -> str:
    """Return the path at the beginning of an id, where pytest did not tell it."""
    return node_id.split(_SEPARATOR, 1)[0]


def extract_function_part(node_id: str) -> str:
    """Return an id without parameters, where pytest did not tell it."""
    file = extract_file_part(node_id)
    return file + node_id[len(file) :].split("[", 1)[0]


def rebase_id(node_id: str, file_id: str, path: Path, workspace: Path) -> str:
    """Return an id as it selects its case from the workspace.

    Args:
        node_id: the runner's own, from its root folder.
        file_id: the id of the file that it begins with.
        path: where that file is.
        workspace: where pytest is started.
    """
    # Of the resolved folder only: a test file that is itself a link keeps its name.
    own = os.path.relpath(path.parent.resolve() / path.name, workspace.resolve())
    return own + node_id[len(file_id) :]


def find_test_names(text: str) -> frozenset[str]:
    """Return the names of test functions that a person's words give: `test_x`, `Suite::works`."""
    return frozenset(re.findall(r"\btest_\w+\b(?!\.py)|(?<=::)\w+", text))


def narrow_arguments(arguments: Sequence[str], select: Sequence[str], workspace: Path) -> list[str]:
    """Return pytest's arguments with these cases in place of the paths that they name."""
    return [*_drop_paths(arguments, workspace), *select]


def _drop_paths(arguments: Sequence[str], workspace: Path) -> list[str]:
    return [
        word
        for before, word in zip(("", *arguments), arguments, strict=False)
        if word.startswith("-")
        or before in _VALUED_OPTIONS
        or not os.path.lexists(workspace / extract_file_part(word))
    ]

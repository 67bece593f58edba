"""Parse pytest's node ids, and select cases by them.

A node id is the path of a file, relative to pytest's root folder, followed by classes, function
and parameters. Parameters are free text that may contain `::` and `[`, so an id cannot be parsed
reliably: where possible, pytest itself reports the id of the file, with which the node id begins.
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
"""Options whose value may look like the path of a test, but is not."""


def extract_file_part(node_id: str) -> str:
    """Return the path at the start of an id, for cases whose location pytest did not report."""
    return node_id.split(_SEPARATOR, 1)[0]


def extract_function_part(node_id: str) -> str:
    """Return an id without parameters, for cases whose location pytest did not report."""
    file = extract_file_part(node_id)
    return file + node_id[len(file) :].split("[", 1)[0]


def rebase_id(node_id: str, file_id: str, path: Path, workspace: Path) -> str:
    """Return the id that selects a case when pytest is started in the workspace.

    Args:
        node_id: the node id, relative to pytest's root folder.
        file_id: the id of its file, with which it begins.
        path: the path of that file.
        workspace: where pytest is started.
    """
    # Only the folder is resolved: pytest selects a test file that is a symbolic link by its name.
    own = os.path.relpath(path.parent.resolve() / path.name, workspace.resolve())
    return own + node_id[len(file_id) :]


_PARAMETERS: Final = re.compile(r"(?<=\w)\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\]")
"""Parameters after the name of a function, which may contain what looks like part of an id."""


def find_test_names(text: str) -> frozenset[str]:
    """Return the names of test functions in a text by a person: `test_x`, `Suite::works`."""
    names = re.findall(r"\btest_\w+\b(?!\.py)|(?<=::)\w+", _PARAMETERS.sub("", text))
    return frozenset(names)


def narrow_arguments(arguments: Sequence[str], select: Sequence[str], workspace: Path) -> list[str]:
    """Return pytest's arguments with these cases instead of the paths in them."""
    return [*_drop_paths(arguments, workspace), *select]


def _drop_paths(arguments: Sequence[str], workspace: Path) -> list[str]:
    return [
        word
        for before, word in zip(("", *arguments), arguments, strict=False)
        if word.startswith("-")
        or before in _VALUED_OPTIONS
        or not os.path.lexists(workspace / extract_file_part(word))
    ]

"""Find the modules of a project by their names."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from orchestrator.platform import files

_SOURCE_FOLDERS: Final = ("", "src", "lib", "python")


def find_module(project: Path, name: str, folders: Iterable[str] = _SOURCE_FOLDERS) -> Path | None:
    """Return the path of a top-level module of the project; None if it has none of that name.

    Args:
        project: the project's folder.
        name: the name of the module.
        folders: the folders of code in the project, in which it is searched.
    """
    for folder in folders:
        package, file = project / folder / name, project / folder / f"{name}.py"
        if files.is_folder(package):
            return package
        if files.exists(file):
            return file
    return None

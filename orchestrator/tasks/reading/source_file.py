"""Read the file of a list: bounded, UTF-8, and in the project where a link leads."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform.bom import split_bom
from orchestrator.rulebook.files import Content, read_content, resolve_path, translate_os_errors

MOST_BYTES: Final = 5_000_000
"""Longest list that is read."""


@dataclass(frozen=True)
class SourceFile:
    """A file of a list as it was read."""

    path: Path
    """Its real path."""
    content: Content
    bom: str
    """Its byte order mark, or nothing."""
    text: str
    """Its text after the byte order mark, with the line endings as they are."""

    def encode(self, text: str) -> bytes:
        """Return the bytes of the file with another text."""
        return (self.bom + text).encode()


def read_source_file(path: Path, project: Path, name: str) -> SourceFile:
    """Read the file of a list.

    Args:
        path: the file.
        project: the folder that a link in it must not lead out of.
        name: what errors call it.

    Raises:
        UsageError: there is no such file, it is too long, or it is not UTF-8 text.
        LoopError: it is a link out of the project, or may not be read.
    """
    inside = project if path.is_relative_to(project) else None
    real = resolve_path(path, inside)
    with translate_os_errors(path, "read"):
        try:
            status = real.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{name} does not exist", "name the file of the list") from None
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{name} is a folder, not a file", "name a file")
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{name} is not a regular file", "name a file with the list")
    if status.st_size > MOST_BYTES:
        raise UsageError(
            f"{name} is longer than {MOST_BYTES // 1_000_000} MB ({status.st_size:,} bytes)",
            "split the list",
        )
    content = read_content(real, MOST_BYTES)
    if b"\0" in content.data:
        raise UsageError(f"{name} is not UTF-8 text", "save it as UTF-8")
    try:
        bom, text = split_bom(content.data.decode())
    except UnicodeDecodeError as error:
        line = content.data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}:{line}: is not UTF-8 text", "save it as UTF-8") from None
    return SourceFile(real, content, bom, text)

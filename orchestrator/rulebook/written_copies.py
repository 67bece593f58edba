"""A copy of each rule file as a process of this program wrote it last.

Later changes by people or an agent are not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from orchestrator.platform.folders import hash_path
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.rulebook import files


@dataclass(frozen=True)
class WrittenCopies:
    """The copies, by the real paths of the files.

    Args:
        folder: the private folder for the copies; None to make none.
    """

    folder: Path | None

    def read(self, path: Path) -> bytes | None:
        """Return the copy of a file; None if there is none."""
        copy = self.locate(path)
        return copy.read_bytes() if copy and copy.exists() else None

    def read_content(self, path: Path) -> files.Content:
        """Return the copy of a file with its status, for `save`."""
        copy = self.locate(path)
        return files.read_content(copy) if copy else files.Content(b"", None)

    def read_digests(self) -> Mapping[str, str]:
        """Return the digests of all copies, by their names."""
        copies = self.folder.glob("*.md") if self.folder else ()
        return {copy.name: sha256(copy.read_bytes()).hexdigest() for copy in copies}

    def save(self, path: Path, data: bytes, before: files.Content | None) -> None:
        """Write the copy of a file, before the file itself.

        If the process is killed in between, the copy already says what the file is to contain.
        """
        if not (copy := self.locate(path)):
            return
        with files.translate_os_errors(copy, "written"):
            make_private_folder(copy.parent)
            if before is None or not files.replace_file(copy, data, before):
                files.replace_file(copy, data, files.read_content(copy))

    def locate(self, path: Path) -> Path | None:
        """Return where the copy of a file is, or will be."""
        return self.folder / f"{hash_path(path)}.md" if self.folder else None

"""Open the transcript of a stored session: from where Claude Code keeps it, or from the archive."""

import gzip
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.platform import files
from orchestrator.platform.folders import hash_path
from orchestrator.platform.secret_folders import create_secret_folder
from orchestrator.sessions.reading.files import Family
from orchestrator.sessions.reading.homes import PROJECTS
from orchestrator.sessions.reading.large_outputs import FOLDER
from orchestrator.sessions.store.archive_index import DAMAGES, SUFFIX, ArchiveIndex
from orchestrator.sessions.store.listing import SessionSummary
from orchestrator.storage.database import Database

if TYPE_CHECKING:
    from orchestrator.sessions.models import Session

_CHUNK: Final = 1 << 20
_SHORTEST_WORD: Final = 3


@dataclass(frozen=True)
class StoredFamily:
    """The files of a stored session: where they were, and their copies."""

    family: Family
    """As it was when it was read last."""
    index: ArchiveIndex
    """Names the copies; which there are is looked up in the archive."""

    @property
    def is_complete(self) -> bool:
        """Whether all files are still where Claude Code wrote them."""
        return bool(self.family.files) and all(map(files.is_file, self.family.files))

    def list_copies(self) -> dict[str, Path]:
        """Return the copies of all files of the session, by their names in the archive."""
        names = list(self.name_files(self.family.files))
        if self.family.folder:
            folder = self.index.folder / PROJECTS / self.family.folder
            for copy in files.iter_files(folder):
                relative = Path(copy).relative_to(self.index.folder).as_posix()
                if relative.endswith(SUFFIX):
                    names.append(relative.removesuffix(SUFFIX))
        found = {name: self.index.find_copy(name) for name in names}
        return {name: copy for name, copy in found.items() if files.is_file(copy)}

    def list_large_outputs(self) -> list[Path]:
        """Return the outputs that stand beside the transcript, where Claude Code wrote them."""
        if not self.family.folder:
            return []
        return list(map(Path, files.iter_files(self.index.root / self.family.folder / FOLDER)))

    def name_files(self, paths: Iterable[Path]) -> dict[str, Path]:
        """Return files by their names in the archive, without those that it refuses."""
        named = {}
        for path in paths:
            with suppress(ValueError):
                named[self.index.name_file(path)] = path
        return named


def find_family(database: Database, archive: Path, name: str) -> StoredFamily:
    """Return the files of a stored session.

    Args:
        database: the database.
        archive: the folder of the archive.
        name: the family's name as it is stored: the path of its main file.
    """
    rows = database.fetch_rows(
        "SELECT path, home FROM transcripts WHERE family = ? ORDER BY path", (name,)
    )
    main = Path(name)
    home = Path(rows[0][1]) if rows else main.parent.parent.parent
    paths = sorted((Path(path) for path, _ in rows), key=lambda path: (path != main, path))
    project = main.parent.name if main.parent != home / PROJECTS else ""
    family = Family(main.stem, tuple(paths), home, project)
    return StoredFamily(family, ArchiveIndex(archive / hash_path(home), home))


@contextmanager
def open_family(stored: StoredFamily) -> Iterator[Family]:
    """Yield a session's files, unpacked from the archive where the originals are gone.

    Raises:
        UsageError: they are neither there nor in the archive.
        InfrastructureError: a copy cannot be unpacked.
    """
    if stored.is_complete:
        yield stored.family
        return
    copies = stored.list_copies()
    present = stored.name_files(path for path in stored.family.files if files.is_file(path))
    if not copies and not present:
        raise UsageError(
            f"the transcript of session {stored.family.name} is gone, and there is no copy of it",
            "only what `orchestrator sessions list` shows of it is stored",
        )
    with create_secret_folder() as folder:
        try:
            family = _unpack(stored, copies, present, folder)
        except DAMAGES as error:
            raise InfrastructureError(
                f"the archived transcript of session {stored.family.name} cannot be read: {error}",
                "free space in the temporary folder, or remove the damaged copy",
            ) from error
        yield family


def _unpack(
    stored: StoredFamily, copies: dict[str, Path], present: dict[str, Path], folder: Path
) -> Family:
    for name, copy in copies.items():
        if name in present:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(copy, "rb") as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
    for name, path in present.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    family = stored.family
    found = [folder / name for name in stored.name_files(family.files)]
    return Family(family.name, tuple(filter(files.is_file, found)), folder, family.project)


@contextmanager
def open_session(database: Database, archive: Path, summary: SessionSummary) -> "Iterator[Session]":
    """Yield a stored session with all that its transcript says, copies of other sessions included.

    Raises:
        UsageError: the transcript is gone.
        InfrastructureError: its copy cannot be read.
    """
    stored = find_family(database, archive, summary.family)
    with open_family(stored) as family:
        for session in read_sessions(family):
            if session.id == summary.id:
                yield session
                return
    raise UsageError(
        f"the transcript of session {summary.id} does not contain it any more",
        "only what `orchestrator sessions list` shows of it is stored",
    )


def read_sessions(family: Family) -> "list[Session]":
    """Return the sessions in some files, with what the model said."""
    from orchestrator.sessions.reading.deduplication import KnownIds
    from orchestrator.sessions.reading.family_reading import read_family

    return read_family(family, KnownIds(), with_text=True, with_copies=True).sessions


def may_contain(stored: StoredFamily, text: str) -> bool:
    """Return whether a session's files may contain a text, by a look at their bytes.

    JSON writes quotes, ends of lines and some other characters in another way, so only the longest
    word of ASCII letters and digits in the text is looked for.
    """
    parts = "".join(each if each.isascii() and each.isalnum() else " " for each in text).split()
    word = max(parts, key=len, default="").lower().encode()
    if len(word) < _SHORTEST_WORD:
        return True
    copies = stored.list_copies() if not stored.is_complete else {}
    present = [path for path in stored.family.files if files.is_file(path)]
    large = stored.list_large_outputs()
    return any(_contains(path, word) for path in [*present, *large, *copies.values()])


def _contains(path: Path, word: bytes) -> bool:
    with suppress(*DAMAGES):
        is_copy = path.name.endswith(SUFFIX)
        with gzip.open(path, "rb") if is_copy else path.open("rb") as file:
            rest = b""
            while chunk := file.read(_CHUNK):
                block = (rest + chunk).lower()
                if word in block:
                    return True
                rest = block[-len(word) :]
    return False

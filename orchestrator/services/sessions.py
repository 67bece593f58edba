"""Read past sessions of Claude Code for the commands: scan, list, open, search, export."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.sessions.reading.homes import find_homes
from orchestrator.sessions.store.listing import LAST, SessionSummary, count_sessions, find_session
from orchestrator.sessions.store.scan_results import ScanResult
from orchestrator.sessions.store.scanning import scan_transcripts
from orchestrator.sessions.store.session_project import find_session_project
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory, transcripts_folder

if TYPE_CHECKING:
    from orchestrator.masking import Masker
    from orchestrator.sessions.views.searching import Match

UNREDACTED: Final = "NOT REDACTED: this file may contain passwords, keys and private texts."
"""What a file says that was written without masking."""


@dataclass(frozen=True)
class SessionStore:
    """The stored sessions, and where their transcripts are."""

    database: Database
    homes: tuple[Path, ...]
    environment: Mapping[str, str]
    project: Path
    """The folder at hand, whose configuration says what else is a secret."""

    @property
    def archive(self) -> Path:
        """The folder of the archive."""
        return transcripts_folder(self.database.directory)

    def scan(self, on_start: Callable[[int], None] | None = None) -> ScanResult:
        """Read the transcripts that are new or have changed.

        Raises:
            LoopError: the database fails, or the configuration is wrong.
        """
        return scan_transcripts(self.database, self.homes, self.create_masker, on_start=on_start)

    def create_masker(self) -> "Masker":
        """Return what removes secrets from texts, with the patterns of the project at hand.

        Raises:
            ConfigError: the configuration is wrong.
        """
        # Here, because it takes pydantic, and a list in which nothing is new should appear at once.
        from orchestrator.config import load_config
        from orchestrator.services.wiring import build_masker

        config = load_config(self.project, environment=self.environment).config
        return build_masker(config, self.environment, self.database.directory)

    @property
    def project_at_hand(self) -> str:
        """The project whose sessions are meant if none is named."""
        return find_session_project(str(self.project.absolute()))

    def find(self, session: str) -> SessionSummary:
        """Return a session by its id, the beginning of its id, or `last`.

        `last` is that of the project at hand; of all projects if it has none.

        Raises:
            UsageError: there is none, or more than one.
        """
        here = self.project_at_hand
        if session == LAST and count_sessions(self.database, project=here):
            with suppress(UsageError):  # all of them are our own
                return find_session(self.database, session, here)
        return find_session(self.database, session)

    def read_entries(self, summary: SessionSummary, *, redact: bool = True) -> list[dict[str, Any]]:
        """Return what happened in a session, as plain values.

        Raises:
            LoopError: its transcript is gone, or cannot be read.
        """
        from orchestrator.sessions.views.retrieval import open_session
        from orchestrator.sessions.views.transcript_values import iter_entry_values

        mask = self.create_masker().mask if redact else _leave_text
        with open_session(self.database, self.archive, summary) as session:
            return list(iter_entry_values(session, mask))

    def describe_source(self, summary: SessionSummary) -> str:
        """Return where the transcript of a session is: its path, or that it is archived."""
        from orchestrator.sessions.views.retrieval import find_family

        is_complete = find_family(self.database, self.archive, summary.family).is_complete
        path = self.create_masker().mask(summary.family)
        return path if is_complete else f"the archive, as {path} is gone"

    def search(self, summaries: Sequence[SessionSummary], text: str) -> Iterator["Match"]:
        """Yield the lines of some sessions that contain a text."""
        from orchestrator.sessions.views.searching import search_sessions

        return search_sessions(self.database, self.archive, summaries, text, self.create_masker())

    def describe_absence(self) -> str:
        """Return one line for people who have no sessions yet."""
        from orchestrator.platform.folders import find_config_folder

        folder = find_config_folder(self.environment)
        return f"no sessions of Claude Code yet: there are no transcripts in {folder}/projects"


def _leave_text(text: str) -> str:
    return text


@contextmanager
def open_session_store(project: Path | None = None) -> Iterator[SessionStore]:
    """Open the stored sessions of this user.

    Args:
        project: the folder at hand; the working directory if None.

    Raises:
        InfrastructureError: the database cannot be used.
    """
    with open_database(resolve_state_directory(), durable=False) as database:
        # Those of the configuration are known from a review, without reading it.
        rows = database.fetch_rows("SELECT DISTINCT home FROM transcripts ORDER BY home")
        homes = find_homes(os.environ, [Path(home) for (home,) in rows])
        yield SessionStore(database, tuple(homes), os.environ, project or _find_here())


def _find_here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working directory was deleted", "change to another one") from None


def write_export(path: Path, lines: Iterator[str]) -> None:
    """Write the lines of an export to a new file, for its owner alone.

    Raises:
        UsageError: the file exists.
        InfrastructureError: it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists", "remove it, or give another --output") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", "give another --output"
        ) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise InfrastructureError(
            f"{path} cannot be written: {error.strerror}", "free space there"
        ) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise

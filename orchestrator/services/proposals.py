"""Open the queue of proposals: of one project to decide, of all projects to look at."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.events import Listener
from orchestrator.platform import files
from orchestrator.proposals.decisions import ProposalManager
from orchestrator.proposals.queue import QueueItem, build_items
from orchestrator.proposals.records import ProposalStore
from orchestrator.proposals.states import refresh_proposals
from orchestrator.rulebook.history import History
from orchestrator.rulebook.records import Status
from orchestrator.services import rulebooks
from orchestrator.services.trust import RULES, load_known_config, load_trusted_config
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory

_PENDING: Final = (Status.WAITING.value, Status.QUARANTINED.value)


def find_gone_project(folder: Path) -> Path | None:
    """Return the path of a project whose folder is gone, if it has proposals or pending rules.

    Raises:
        InfrastructureError: the database cannot be used.
    """
    project = Path(os.path.realpath(folder))
    if files.exists(project):
        return None
    with open_database(resolve_state_directory()) as database:
        is_known = bool(ProposalStore(database).list_proposals(str(project)))
        book = str(rulebooks.resolve_rulebook_path(project))
        return project if is_known or book in _list_pending_books(database) else None


@contextmanager
def open_proposals(
    project: Path, config_file: Path | None, listener: Listener, *, adding: bool = False
) -> Iterator[ProposalManager]:
    """Open the proposals of a project with its rulebook.

    Args:
        project: the project's real path.
        config_file: the configuration that the user named.
        listener: receives notices about files.
        adding: whether to check first that Claude Code loads the file with the rules.

    Raises:
        LoopError: the configuration is wrong, or the rulebook or the database cannot be used.
    """
    config = load_trusted_config(project, config_file, of=RULES).config
    if adding:
        rulebooks.require_loaded(config, project)
    state = resolve_state_directory()
    with open_database(state) as database:
        book, history = rulebooks.open_rulebook(config, project, database, listener)
        yield ProposalManager(project, state, ProposalStore(database), book, history)


def list_all_items(
    report: Callable[[str], None], *, is_open: bool = True
) -> list[tuple[str, QueueItem]]:
    """Return the queues of all projects, with the project of each item.

    Only the record is read, and the files that proposals would change: no rulebook is opened.

    Args:
        report: receives a line for each project whose configuration cannot be read.
        is_open: whether to leave out what somebody has decided about.

    Raises:
        InfrastructureError: the database cannot be used.
    """
    state = resolve_state_directory()
    with open_database(state) as database:
        store = ProposalStore(database)
        found: list[tuple[str, QueueItem]] = []
        folders: dict[str, str] = {}
        of_proposals: set[tuple[str, str]] = set()
        for project in dict.fromkeys(each.project for each in store.list_proposals()):
            history = History(database, _find_book(Path(project), report))
            folders.setdefault(history.book, project)
            stored = store.list_proposals(project)
            proposals = refresh_proposals(store, stored, history, state)
            items = build_items(proposals, history.list_records(), is_open=is_open)
            found += [(project, item) for item in items if item.proposal]
            of_proposals |= {(history.book, each.rule) for each in proposals}
        # Projects may share one rulebook: each pending rule is listed once.
        for book in _list_pending_books(database):
            records = History(database, Path(book)).list_records()
            folder = folders.get(book, str(Path(book).parent))
            found += [
                (folder, item)
                for item in build_items((), records, is_open=True)
                if (book, item.id) not in of_proposals
            ]
        return found


def _find_book(project: Path, report: Callable[[str], None]) -> Path:
    """Return the file that identifies a project's rulebook; the usual one if it is not known."""
    try:
        config = load_known_config(project, None).config
    except LoopError as error:
        report(f"{project}: its configuration cannot be read: {error}")
        return rulebooks.resolve_rulebook_path(project)
    return rulebooks.resolve_book(config, project)


def _list_pending_books(database: Database) -> list[str]:
    rows = database.fetch_rows(
        "SELECT DISTINCT book FROM rules WHERE status IN (?, ?) ORDER BY book", _PENDING
    )
    return [str(book) for (book,) in rows]

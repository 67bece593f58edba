"""Archive the idle rules of a project, and write them down for people."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orchestrator.proposals.project_files import change_project_file
from orchestrator.rulebook.archive_text import append_rules, name_archive
from orchestrator.rulebook.history import History
from orchestrator.rulebook.idle_rules import IdleRules, archive_rules, find_idle_rules
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.storage.state_directory import resolve_state_directory


@dataclass(frozen=True)
class ArchivedRules:
    """What became of the active rules."""

    found: IdleRules
    file: Path
    """Where the archived rules are written down."""


def archive_idle_rules(
    project: Path,
    book: MarkdownRulebook,
    history: History,
    idle: timedelta,
    report: Callable[[str], None],
    *,
    dry_run: bool = False,
) -> ArchivedRules:
    """Archive the rules that have prevented nothing for a while.

    They are written down first: if the process is killed after that, they are still active, and
    are archived the next time.

    Args:
        project: the project's real path.
        book: its rulebook.
        history: the history of the rulebook.
        idle: how long a rule must have prevented nothing.
        report: receives a line for each archived rule.
        dry_run: whether nothing is changed.

    Raises:
        LoopError: a file cannot be read or written.
    """
    book.list_rules()  # people may have edited the files
    found = find_idle_rules(history, idle)
    file = project / name_archive(book.today())
    if found.idle and not dry_run:
        rules = [(record, history.list_events(record.rule.id)) for record in found.idle]

        def change(before: bytes | None) -> bytes:
            return append_rules(before or b"", book.today(), rules, found.why)

        change_project_file(file, project, resolve_state_directory(), change)
        archive_rules(history, book, found.idle, found.why, report)
    return ArchivedRules(found, file)

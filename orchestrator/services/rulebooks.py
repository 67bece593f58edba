"""Open the rulebook of a project as the configuration says, without the parts of a run."""

import os
from pathlib import Path

from orchestrator.config import Config
from orchestrator.errors import ConfigError
from orchestrator.events import Listener, Notice
from orchestrator.models import Approval
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_FOLDER, CLAUDE_MD
from orchestrator.platform.in_place import WriteOutcome
from orchestrator.rulebook import files
from orchestrator.rulebook.agents_md import find_shadowing_file
from orchestrator.rulebook.commit_notes import CommitNotes
from orchestrator.rulebook.history import History
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from orchestrator.session_hooks.writeahead.locations import LEARNINGS, find_global_base
from orchestrator.storage.database import Database
from orchestrator.storage.state_directory import commits_folder, locks_folder


def open_rulebook(
    config: Config,
    project: Path,
    database: Database,
    listener: Listener,
    *,
    run: str = "",
    home: Path | None = None,
) -> tuple[MarkdownRulebook, History]:
    """Open the rulebook of a project and its history.

    If `project` is the work tree of an isolated run, `home` is the user's own folder of the
    project: the two share one history.
    """
    report_interrupted_writes(project, listener)
    shelf = resolve_rule_files(config, project, database.directory)
    shelf.remove_stale_files()
    users = shelf.target is Target.USER
    history = History(database, resolve_book(config, home or project))
    policy = RulebookPolicy(
        history,
        config.rules.max_rules,
        config.rules.max_tokens,
        approval=Approval(config.learning.approval),
        own=users or home in (None, project),
    )
    locks = locks_folder(database.directory)
    book = MarkdownRulebook(shelf, locks, run=run, on_event=listener, policy=policy)
    if policy.own:
        notes = open_commit_notes(project, database.directory)
        notes.finish_commits(history, shelf, listener)
    return book, history


def resolve_book(config: Config, project: Path) -> Path:
    """Return the file that identifies the rulebook of a project, by which its history is stored."""
    is_users = Target(config.rules.target) is Target.USER
    return resolve_rulebook_path(Path(find_global_base()) if is_users else project)


def open_commit_notes(project: Path, state: Path) -> CommitNotes:
    """Return the notes about commits of approved rules that are not made yet."""
    return CommitNotes(commits_folder(state), project)


def report_interrupted_writes(project: Path, listener: Listener) -> None:
    """Complete writes that a killed process left behind, and remove its temporary files.

    Args:
        project: the folder of the project.
        listener: receives a notice about each file that was completed.

    Raises:
        RulebookError, InfrastructureError: a file cannot be written.
    """
    for write in files.finish_interrupted_writes():
        if write.outcome is WriteOutcome.COMPLETED:
            listener(Notice(f"a write of {write.path} was cut short; it is complete now"))
        else:
            listener(
                Notice(
                    f"a write of {write.path} was cut short, and the file has changed since: "
                    f"it is left as it is; its content from before is in {write.copy}"
                )
            )
    files.remove_stale_files([project, project / CLAUDE_FOLDER, project / LEARNINGS])


def resolve_rulebook_path(folder: Path) -> Path:
    """Return the file that identifies a rulebook: projects that link to one file share its history.

    A link to another file in the same folder does not count as shared.
    """
    named = folder.resolve() / CLAUDE_MD
    # Not `resolve`, which raises for a link to itself: the rulebook explains what is wrong with it.
    real = Path(os.path.realpath(named))
    return named if real.parent == named.parent else real


def resolve_rule_files(config: Config, project: Path, state: Path) -> RuleFiles:
    """Return the files that contain the rules of a project."""
    target = Target(config.rules.target)
    root = Path(find_global_base()) if target is Target.USER else project
    return RuleFiles(root, target, mirror=config.rules.mirror, copies=state / "rulebooks")


def require_writable(config: Config, project: Path) -> None:
    """Check that a new rule can be written, before a token is spent on it.

    Raises:
        RulebookError, InfrastructureError: it cannot.
    """
    if Approval(config.learning.approval) is Approval.AUTO:  # otherwise a person writes it
        target = Target(config.rules.target)
        root = Path(find_global_base()) if target is Target.USER else project
        RuleFiles(root, target, mirror=config.rules.mirror).require_writable()


def require_loaded(config: Config, project: Path) -> None:
    """Check that Claude Code would load a new rule, before a token is spent on it.

    Raises:
        ConfigError: it would not.
    """
    if Target(config.rules.target) is not Target.AGENTS_MD or config.rules.mirror:
        return
    by = find_shadowing_file(project) if config.agent.kind == "claude_code" else None
    if by:
        raise ConfigError(
            f"rules.target is agents-md, and Claude Code does not load {AGENTS_MD} beside {by}",
            f"add a line @{AGENTS_MD} to {project / CLAUDE_MD}, or set rules.mirror",
        )

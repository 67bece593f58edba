"""Opens the rulebook of a project as the configuration says, without the parts of a run."""

import os
from pathlib import Path

from orchestrator.config import Config
from orchestrator.errors import ConfigError
from orchestrator.events import Listener
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.agents_md import find_shadowing_file
from orchestrator.rulebook.history import History
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from orchestrator.session_hooks.writeahead.places import find_global_base
from orchestrator.storage.database import Database
from orchestrator.storage.place import locks_folder


def open_rulebook(
    config: Config,
    project: Path,
    database: Database,
    listener: Listener,
    *,
    run: str = "",
    home: Path | None = None,
) -> tuple[MarkdownRulebook, History]:
    """Open the rulebook of a project and the history behind it.

    `home` is the user's own folder of the project, where `project` is a work tree of ours: they
    share one history.
    """
    shelf = resolve_rule_files(config, project, database.directory)
    users = shelf.target is Target.USER
    known_as = _resolve_rulebook_path(shelf.root if users else home or project)
    history = History(database, known_as)
    policy = RulebookPolicy(
        history,
        config.rules.max_rules,
        config.rules.max_tokens,
        review=config.learning.approval == "review",
        own=users or home in (None, project),
    )
    locks = locks_folder(database.directory)
    book = MarkdownRulebook(shelf, locks, run=run, on_event=listener, policy=policy)
    return book, history


def _resolve_rulebook_path(folder: Path) -> Path:
    """The file by which a rulebook is known: projects that share one by a link share its history.

    A link to a file beside it is the project's own all the same.
    """
    named = folder.resolve() / CLAUDE_MD
    # `realpath` bears a link that leads to itself; the rulebook says what is wrong with it.
    real = Path(os.path.realpath(named))
    return named if real.parent == named.parent else real


def resolve_rule_files(config: Config, project: Path, state: Path) -> RuleFiles:
    """The files that the rules of a project stand in."""
    target = Target(config.rules.target)
    root = Path(find_global_base()) if target is Target.USER else project
    return RuleFiles(root, target, mirror=config.rules.mirror, copies=state / "rulebooks")


def require_loaded(config: Config, project: Path) -> None:
    """Make sure that a new rule would be loaded, before a token is spent on it.

    Raises:
        ConfigError: nobody would load it; says why, and the mend.
    """
    if Target(config.rules.target) is not Target.AGENTS_MD or config.rules.mirror:
        return
    by = find_shadowing_file(project) if config.agent.kind == "claude_code" else None
    if by:
        raise ConfigError(
            f"rules.target is agents-md, and Claude Code does not load {AGENTS_MD} beside {by}",
            f"add a line @{AGENTS_MD} to {project / CLAUDE_MD}, or set rules.mirror",
        )

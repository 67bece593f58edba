"""`orchestrator learnings`."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.hooks import resolve_settings_file, warn_if_disabled, warn_if_nested
from orchestrator.cli.rules import open_rulebook
from orchestrator.cli.run import config_file, project_directory
from orchestrator.cli.values import sanitize_text
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.learnings.entries import Entry
    from orchestrator.learnings.promotion import Promotion
    from orchestrator.learnings.workspace import Workspace
    from orchestrator.rulebook.rulebook import MarkdownRulebook

KINDS = ["ERR", "LRN", "FEAT"]

everywhere = click.option(
    "--global",
    "everywhere",
    is_flag=True,
    help="Use the global workspace, even where the project has its own.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def learnings() -> None:
    """Keep what was learned in `.learnings/`: log, review, promote, resume."""


@learnings.command()
@click.argument(
    "where", type=click.Choice(["local", "global"]), required=False, metavar="[local|global]"
)
@click.option(
    "--gitignore",
    "ignored",
    type=click.Choice(["personal", "shared", "none"]),
    help="What git ignores: all of it, only what belongs to this machine, or nothing.",
)
@click.option("--hooks/--no-hooks", default=None, help="Whether to add the hooks to settings.json.")
@project_directory
def init(where: str | None, ignored: str | None, hooks: bool | None, project_dir: Path) -> None:
    """Create the workspace, local or global.

    `local` is in the project, `global` under ~/.claude; without the word it asks. What is there
    already is left as it is.
    """
    from orchestrator.learnings import workspace as workspaces
    from orchestrator.platform.project import resolve_project

    project = resolve_project(project_dir)
    where = where or _ask_location()
    workspace = (
        workspaces.local_workspace(project) if where == "local" else workspaces.global_workspace()
    )
    for made in workspaces.initialize_workspace(workspace):
        click.echo(f"{'created' if made.created else 'kept   '} {made.path}")
    if where == "local":
        _offer_gitignore(workspace, ignored)
    _offer_hooks(where, project, hooks)


def _ask_location() -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "there is nobody to ask where the workspace goes",
            "orchestrator learnings init local, or: ... init global",
        )
    click.echo("local:  in this project, for whoever works on it\nglobal: under ~/.claude, for you")
    return str(click.prompt("Where", type=click.Choice(["local", "global"]), default="local"))


def _offer_gitignore(workspace: "Workspace", ignored: str | None) -> None:
    from orchestrator.learnings import gitignore

    if ignored is None:
        if gitignore.has_ignore_lines(workspace):
            return
        if not sys.stdin.isatty():
            click.echo("git: nothing ignored; --gitignore personal|shared adds the lines")
            return
        click.echo("personal: git ignores the workspace\nshared:   the team gets the learnings")
        choices = click.Choice(["personal", "shared", "none"])
        ignored = str(click.prompt("Lines for .gitignore", type=choices, default="shared"))
    if ignored != "none":
        for line in gitignore.add_lines(workspace, personal=ignored == "personal"):
            click.echo(f"ignored {line}")


def _offer_hooks(where: str, project: Path, wanted: bool | None) -> None:
    from orchestrator.session_hooks import settings

    path = resolve_settings_file(where, project)
    if settings.is_installed(path):
        click.echo(f"kept    hooks in {path}")
        return
    if wanted is None:
        if not sys.stdin.isatty():
            click.echo(f"hooks: not added; orchestrator hooks install {where} adds them")
            return
        wanted = click.confirm(f"Add the hooks to {path}", default=True)
    if wanted:
        change = settings.install_hooks(path)
        click.echo(f"hooks added to {path}")
        warn_if_nested(where, project)
        warn_if_disabled(change)


@learnings.command()
@click.argument("kind", type=click.Choice(KINDS, case_sensitive=False))
@click.argument("text")
@click.option(
    "--context", default="", metavar="C", help="In what situation [default: first sentence]."
)
@click.option("--action", default="", metavar="A", help="What was done about it.")
@click.option("--resolved", is_flag=True, help="That settled it. Needs --action.")
@everywhere
@project_directory
def log(
    kind: str,
    text: str,
    context: str,
    action: str,
    resolved: bool,
    everywhere: bool,
    project_dir: Path,
) -> None:
    """Log an error, a learning, a missing feature.

    ERR is an error, LRN a learning, FEAT a feature that is missing.

    The same context updates its entry and counts up.
    """
    from orchestrator.learnings import entry_log
    from orchestrator.learnings.entries import Kind
    from orchestrator.learnings.workspace import open_workspace

    if resolved and not action:
        raise UsageError("--resolved without --action", "say what was done with --action")
    logged = entry_log.log_entry(
        open_workspace(project_dir, everywhere=everywhere),
        Kind(kind.upper()),
        text,
        context=context,
        action=action,
        resolved=resolved,
    )
    said = "updated" if logged.updated else "logged"
    times = f", {logged.occurrences} times by now" if logged.updated else ""
    again = "; it was resolved, and is pending again" if logged.reopened else ""
    click.echo(f"{said} {logged.id} in {logged.path}{times}{again}")


@learnings.command()
@everywhere
@as_json
@project_directory
def review(everywhere: bool, as_json: bool, project_dir: Path) -> None:
    """Show what recurs, what waits, and the totals.

    Failed tool calls that the hook noted become entries first.
    """
    from orchestrator.cli import learnings_view
    from orchestrator.learnings import review as reviews
    from orchestrator.learnings.workspace import open_workspace

    found = reviews.review_workspace(open_workspace(project_dir, everywhere=everywhere))
    if as_json:
        click.echo(json.dumps(learnings_view.serialize_review(found)))
        return
    for line in learnings_view.iter_review_lines(found):
        click.echo(line)


@learnings.command()
@click.argument("entry", metavar="ID")
@click.option("--action", default="", metavar="A", help="What was done about it.")
@everywhere
@project_directory
def resolve(entry: str, action: str, everywhere: bool, project_dir: Path) -> None:
    """Set a pending entry to resolved."""
    from orchestrator.learnings.status_changes import resolve_entry as set_resolved
    from orchestrator.learnings.workspace import open_workspace

    workspace = open_workspace(project_dir, everywhere=everywhere)
    resolved = set_resolved(workspace, entry, action)
    click.echo(f"{resolved.id} is resolved: {sanitize_text(resolved.action)}")


@learnings.command()
@click.argument("entry", metavar="ID")
@click.option(
    "--line", default="", metavar="L", help="The rule, as an order, at most 80 characters."
)
@click.option("--when", default="", metavar="W", help="Where it applies.")
@click.option("--why", default="", metavar="W", help="The reason.")
@click.option(
    "--target",
    default="",
    metavar="FILE",
    help="CLAUDE.md or AGENTS.md [default: as rules.target says].",
)
@click.option("--commit/--no-commit", "commit", default=None, help="Whether to commit it.")
@yes
@everywhere
@project_directory
@config_file
def promote(
    entry: str,
    line: str,
    when: str,
    why: str,
    target: str,
    commit: bool | None,
    yes: bool,
    everywhere: bool,
    project_dir: Path,
    config_file: Path | None,
) -> None:
    """Make a resolved entry a rule, as a teacher's lesson becomes one.

    The change is shown, and confirmed, before it is written. What is not given comes from the
    entry, where that says it: the rule from its action, when from its context, why from its
    content.

    A rule that contradicts another, reads like an attack, or was turned down before is not
    written; then the entry stays resolved, and the command ends with 1.
    """
    from orchestrator.learnings import promotion
    from orchestrator.learnings.rule_text import build_rule_text
    from orchestrator.learnings.workspace import open_workspace

    workspace = open_workspace(project_dir, everywhere=everywhere)
    known = workspace.find_entry(entry)
    promotion.require_promotable(known)
    text = build_rule_text(known, line or _ask_line(known), when, why)
    with _open_rulebook(workspace, target, config_file) as book:
        if not _confirm_change(promotion.preview_promotion(book, known, text), yes=yes):
            click.echo("nothing written")
            return
        done = promotion.promote_entry(workspace, entry, text, book)
    click.echo(sanitize_text(_describe_promotion(done)))
    _offer_commit(workspace, done, commit)


def _ask_line(entry: "Entry") -> str:
    from orchestrator.learnings.rule_text import check_line, suggest_line

    suggested = suggest_line(entry)
    if not sys.stdin.isatty():
        if not suggested:
            raise UsageError(
                f"{entry.id} has no sentence that could be the line", "give one with --line"
            )
        return suggested
    click.echo(f"{entry.id}: {sanitize_text(entry.content)}\naction: {sanitize_text(entry.action)}")

    def check(line: str) -> str:
        try:
            return check_line(line)
        except UsageError as error:
            raise click.BadParameter(f"{error.message}; {error.hint}") from None

    return str(click.prompt("Line, as an order", default=suggested or None, value_proc=check))


@contextmanager
def _open_rulebook(
    workspace: "Workspace", target: str, config_file: Path | None
) -> "Iterator[MarkdownRulebook]":
    """Open the rulebook of the workspace's own folder, and close it at the end."""
    from orchestrator.config import Override
    from orchestrator.learnings.promotion import resolve_target

    chosen = resolve_target(workspace, target)
    origin = f"command line --target {target}" if target else "the global workspace"
    overrides = [Override("rules.target", str(chosen), origin)] if chosen else []
    with open_rulebook(workspace.base, config_file, overrides, adding=True) as (book, _):
        yield book


def _confirm_change(diff: str, *, yes: bool) -> bool:
    """Show what would change, and ask, if anything would."""
    if not diff:
        return True
    click.echo(sanitize_text(diff), nl=False)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("nothing written: there is nobody to confirm it", "add --yes")
    return click.confirm("Write this")


def _describe_promotion(done: "Promotion") -> str:
    """Return a line that says what became of an entry."""
    if done.rule is None:
        return f"{done.entry.id} is promoted: a line of {done.path} says it; no rule was added"
    if done.already:
        return f"{done.entry.id} is promoted: {done.rule.id} says it: {done.rule.text.rule}"
    return f"{done.entry.id} is promoted: {done.rule.id} in {done.path}"


def _offer_commit(workspace: "Workspace", done: "Promotion", wanted: bool | None) -> None:
    from orchestrator.learnings import promotion
    from orchestrator.rulebook.committing import is_in_work_tree

    if wanted is None:
        if not sys.stdin.isatty() or not is_in_work_tree(workspace.base):
            return
        wanted = click.confirm("Commit it", default=False)
    if wanted:
        click.echo(f"committed: {promotion.commit_promotion(workspace, done)}")


@learnings.command()
@click.option("--run-checks", is_flag=True, help="Run the checks that entries name, unasked.")
@everywhere
@project_directory
def resume(run_checks: bool, everywhere: bool, project_dir: Path) -> None:
    """Check what was under way before a break.

    Holds the working buffer against the real state.

    PENDING operations that clearly were done get their status, and those that a check answers for;
    a check that an entry names is run only if you say so. Then comes what is still to do.
    """
    from orchestrator.learnings import resume as resuming
    from orchestrator.learnings.workspace import open_workspace

    def allow(command: str) -> bool:
        question = f"The buffer names this check: {sanitize_text(command)}\nRun it"
        return run_checks or (sys.stdin.isatty() and click.confirm(question, default=False))

    workspace = open_workspace(project_dir, everywhere=everywhere)
    found = resuming.verify_pending_steps(workspace, allow)
    if not found.verified:
        click.echo("no operation is pending")
    for one in found.verified:
        click.echo(f"{one.finding.upper():<8} {sanitize_text(one.step.operation)}")
        click.echo(f"         {sanitize_text(one.evidence)}")
        if one.finding is resuming.Finding.UNKNOWN:
            click.echo(f"         still PENDING in {workspace.buffer}")
            if one.step.rollback:
                click.echo(f"         rollback: {sanitize_text(one.step.rollback)}")
    if found.open_steps:
        click.echo("still to do:")
    for step in found.open_steps:
        click.echo(f"  [ ] {sanitize_text(step)}")


_score_range = click.FloatRange(0, 10)


@learnings.command()
@click.option(
    "--frequency",
    type=_score_range,
    required=True,
    metavar="0-10",
    help="Will this recur? Weight 3.",
)
@click.option(
    "--failure-reduction",
    type=_score_range,
    required=True,
    metavar="0-10",
    help="Does it prevent real breakage? Weight 3.",
)
@click.option(
    "--user-burden",
    type=_score_range,
    required=True,
    metavar="0-10",
    help="Does it save the user effort? Weight 2.",
)
@click.option(
    "--self-cost",
    type=_score_range,
    required=True,
    metavar="0-10",
    help="Is it little effort? Weight 2.",
)
@as_json
@project_directory
def score(
    frequency: float,
    failure_reduction: float,
    user_burden: float,
    self_cost: float,
    as_json: bool,
    project_dir: Path,
) -> None:
    """Say whether to act, or to defer.

    To act is to do it without being asked, to defer is to make a note.

    Act from 50 of 100 on, or from VFM_THRESHOLD: in the environment, or on a line of the
    project's CLAUDE.md or AGENTS.md.
    """
    from orchestrator.learnings import score as scores

    values = {
        "frequency": frequency,
        "failure reduction": failure_reduction,
        "user burden": user_burden,
        "self cost": self_cost,
    }
    found = scores.score_action(values, project_dir)
    verdict = "act" if found.should_act else "defer"
    if as_json:
        facts = {"total": found.total, "threshold": found.threshold, "verdict": verdict}
        click.echo(json.dumps({**facts, "values": values}))
        return
    for name, weight in scores.WEIGHTS.items():
        click.echo(f"{name:<18} {values[name]:>4g} x {weight} = {values[name] * weight:>3g}")
    limit = f"threshold {found.threshold:g}, {found.origin}"
    click.echo(f"{'total':<18}            {found.total:>3g} -> {verdict} ({limit})")

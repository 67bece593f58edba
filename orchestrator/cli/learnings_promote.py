"""`orchestrator learnings promote`: turn an entry into a rule, with the user's consent."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import config_file, use_global, working_directory
from orchestrator.cli.rules import open_rulebook
from orchestrator.cli.values import sanitize_text
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.learnings.entries import Entry
    from orchestrator.learnings.promotion import Promotion
    from orchestrator.learnings.workspace import Workspace
    from orchestrator.rulebook.rulebook import MarkdownRulebook


@click.command()
@click.argument("entry", metavar="ID")
@click.option(
    "--line", default="", metavar="L", help="The rule, as an instruction of at most 80 characters."
)
@click.option("--when", default="", metavar="W", help="When the rule applies.")
@click.option("--why", default="", metavar="W", help="The reason for the rule.")
@click.option(
    "--target",
    default="",
    metavar="FILE",
    help="CLAUDE.md or AGENTS.md [default: the value of rules.target].",
)
@click.option("--commit/--no-commit", "commit", default=None, help="Whether to commit the change.")
@click.option("--yes", is_flag=True, help="Write the change without asking.")
@use_global
@working_directory
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
    """Turn a resolved entry into a rule.

    You are shown the change and asked to confirm it. Any text that you do not give as an option is
    taken from the entry if possible: the rule from its action, `when` from its context, `why` from
    its content.

    A rule is not written if it contradicts another one, is about something else than code (then it
    waits for your approval; see `rules pending`), looks like a prompt injection, or was
    rejected before. The entry then stays resolved, and the exit code is 1.
    """
    from orchestrator.learnings import promotion
    from orchestrator.learnings.rule_text import build_rule_text
    from orchestrator.learnings.workspace import open_workspace

    workspace = open_workspace(project_dir, everywhere=everywhere)
    found = workspace.find_entry(entry)
    promotion.require_promotable(found)
    text = build_rule_text(found, line or _ask_line(found), when, why)
    with _open_rulebook(workspace, target, config_file) as book:
        if not _confirm_change(promotion.preview_promotion(book, found, text), yes=yes):
            click.echo("nothing was written")
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
                f"no sentence of {entry.id} can be used as a rule", "write one with --line"
            )
        return suggested
    click.echo(f"{entry.id}: {sanitize_text(entry.content)}\naction: {sanitize_text(entry.action)}")

    def check(line: str) -> str:
        try:
            return check_line(line)
        except UsageError as error:
            raise click.BadParameter(f"{error.message}; {error.hint}") from None

    question = "The rule, as an instruction"
    return str(click.prompt(question, default=suggested or None, value_proc=check))


@contextmanager
def _open_rulebook(
    workspace: "Workspace", target: str, config_file: Path | None
) -> "Iterator[MarkdownRulebook]":
    """Open the rulebook of the folder that holds the workspace; close it afterwards."""
    from orchestrator.config import Override
    from orchestrator.learnings.promotion import resolve_target

    # An override and not a parameter, so that an error about the target can name where it is from.
    chosen = resolve_target(workspace, target)
    origin = f"command line --target {target}" if target else "the global workspace"
    overrides = [Override("rules.target", str(chosen), origin)] if chosen else []
    with open_rulebook(workspace.base, config_file, overrides, adding=True) as (book, _):
        yield book


def _confirm_change(diff: str, *, yes: bool) -> bool:
    """Print the diff and ask whether to write it; an empty diff needs no answer.

    Raises:
        UsageError: there is no terminal to ask on, and `yes` is not set.
    """
    if not diff:
        return True
    click.echo(sanitize_text(diff), nl=False)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("not written: there is no terminal to confirm on", "confirm with --yes")
    return click.confirm("Write this change?")


def _describe_promotion(done: "Promotion") -> str:
    """Return a line that says which rule an entry became."""
    head = f"{done.entry.id} was promoted"
    if done.rule is None:
        return f"{head}: {done.path} already contains this rule; none was added"
    if done.already:
        return f"{head}: rule {done.rule.id} already says the same: {done.rule.text.rule}"
    return f"{head}: rule {done.rule.id} in {done.path}"


def _offer_commit(workspace: "Workspace", done: "Promotion", wanted: bool | None) -> None:
    from orchestrator.learnings import promotion
    from orchestrator.rulebook.committing import is_in_work_tree

    if wanted is None:
        if not sys.stdin.isatty() or not is_in_work_tree(workspace.base):
            return
        wanted = click.confirm("Commit this change?", default=False)
    if wanted:
        click.echo(f"committed: {promotion.commit_promotion(workspace, done)}")

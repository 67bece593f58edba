"""`orchestrator undo`: restore the files as they were before a run."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.options import as_json, project_of_last_run
from orchestrator.cli.output import find_width, fit_lines, print_lines
from orchestrator.cli.values import sanitize_text
from orchestrator.counts import format_count
from orchestrator.errors import UsageError
from orchestrator.masking import mask_text

if TYPE_CHECKING:
    from orchestrator.events import Event
    from orchestrator.models import FileChange
    from orchestrator.services.saved_files import Obstacles
    from orchestrator.services.undo import UndoPlan, UndoResult

_MOST_NAMED: Final = 20
"""Files that are listed of each kind; the command that is printed shows all."""

_COMMAND: Final = "  $ "
"""What a command to paste begins with."""

_QUOTE: Final = "    "
"""What a line of the diff begins with."""

_VERBS: Final = {"A": "create", "D": "remove", "M": "restore", "T": "restore"}
"""What an undo does with a file, by git's letter."""


@click.command()
@click.argument("run", default="last")
@click.option(
    "--attempt",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Undo attempt N and those after it [default: the whole run].",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@project_of_last_run
@as_json
def undo(
    run: str, attempt: int | None, dry_run: bool, yes: bool, project_dir: Path, as_json: bool
) -> None:
    """Restore the files as they were before RUN [default: the project's last run].

    What was changed since the run is left alone, and so are the rules that it learned. Replaced
    files are saved in the state directory. HEAD, index, branches and stash are not touched. An
    undone run cannot be resumed.
    """
    from orchestrator.services.undo import open_undo
    from orchestrator.storage.runs import Store

    with Store() as store, open_undo(run, attempt, project_dir, store, _print_notice) as opened:
        plan = opened.plan()
        if not as_json:
            print_lines(_fit_lines(_iter_plan_lines(plan)))
        done = None
        if plan.has_work and not dry_run and _confirm(yes, as_json):
            done = opened.carry_out(plan)
        if as_json:
            click.echo(json.dumps(_serialize(plan, done)))
        elif done:
            print_lines(_fit_lines(_iter_result_lines(plan, done)))


def _fit_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines that fit the terminal, but for commands to paste and the diff."""
    width = find_width()
    for line in lines:
        yield from [line] if line.startswith((_COMMAND, _QUOTE)) else fit_lines([line], width)


def _confirm(yes: bool, as_json: bool) -> bool:
    """Return whether the user wants it.

    Raises:
        UsageError: nobody can be asked.
    """
    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        raise UsageError("nothing was undone: there is no terminal to ask on", "confirm with --yes")
    return click.confirm("Undo this?", default=False)


def _print_notice(event: "Event") -> None:
    from orchestrator.events import Notice

    if isinstance(event, Notice):
        click.echo(f"! {_format(event.text)}", err=True)


def _iter_plan_lines(plan: "UndoPlan") -> Iterator[str]:
    what = f"attempt {plan.attempt} and later ones of run" if plan.attempt > 1 else "run"
    yield f"undo     {what} {plan.run.id}: {_format(plan.run.task.text)[:60]}"
    yield f"project  {_format(plan.run.task.project)}"
    if not plan.is_end_known:
        yield (
            "note     its process was killed, so all that was changed until it was resumed or "
            "undone counts as the run's, your own edits too"
        )
    if plan.has_work:
        if plan.run.is_resumable:
            yield "note     after the undo, `orchestrator resume` can no longer continue the run"
        yield from _iter_change_lines(plan)
    else:
        yield f"nothing is to be undone: {_describe_no_work(plan)}"
    yield from _iter_left_lines(plan)
    yield from _iter_unseen_lines(plan)
    if not plan.undone_to:
        yield "files that git ignores are in no snapshot: they are left as they are"


def _iter_unseen_lines(plan: "UndoPlan") -> Iterator[str]:
    exists = {each: os.path.lexists(plan.run.task.project / each) for each in plan.unseen}
    for is_there, text in ((True, "left as it is"), (False, "gone, and not restored")):
        found = [each for each in plan.unseen if exists[each] is is_there]
        if found:
            names = ", ".join(map(_format, found[:3])) + ", ..." * (len(found) > 3)
            yield f"not in the snapshots, {text}: {names}"


def _iter_change_lines(plan: "UndoPlan") -> Iterator[str]:
    if changes := plan.diff.changes:
        yield f"changes  {plan.diff.summary}"
        yield from (f"  {_describe_change(each)}" for each in changes[:_MOST_NAMED])
        yield from _iter_rest(len(changes))
        yield from (f"{_QUOTE}{sanitize_text(line)}" for line in mask_text(plan.patch).splitlines())
        yield "all of it:"
        yield f"{_COMMAND}{plan.diff_command}"
    folders = [f"{action:<8} {_format(path)}" for path, action in _list_folders(plan)]
    if folders:
        yield f"folders  {format_count(len(folders), 'empty folder')}"
        yield from (f"  {each}" for each in folders[:_MOST_NAMED])
        yield from _iter_rest(len(folders))


def _list_folders(plan: "UndoPlan") -> list[tuple[str, str]]:
    """Return the path of each folder, and what is done with it."""
    from os import fsdecode

    created = [(f"{fsdecode(path)}/", _VERBS["A"]) for path in plan.folders.created]
    return created + [(f"{fsdecode(path)}/", _VERBS["D"]) for path in plan.folders.removed]


def _describe_no_work(plan: "UndoPlan") -> str:
    if plan.undone_to:
        return f"already undone to before attempt {plan.undone_to}"
    if plan.left:
        return "what remains of the run's changes is left as it is"
    return f"no file that the run changed differs from what it was before {_name_start(plan)}"


def _name_start(plan: "UndoPlan") -> str:
    return f"attempt {plan.attempt}" if plan.attempt > 1 else "the run"


def _iter_left_lines(plan: "UndoPlan") -> Iterator[str]:
    from orchestrator.workspace.restore_plan import LeftReason

    if not plan.left:
        return
    yield "left as it is:"
    for path, reason in islice(plan.left.items(), _MOST_NAMED):
        yield f"  {_format(path)}: {reason}"
    yield from _iter_rest(len(plan.left))
    reasons = set(plan.left.values())
    if LeftReason.RULES in reasons:
        yield "to remove a rule: orchestrator rules retire ID (list them: orchestrator rules list)"
    if reasons - {LeftReason.RULES}:
        yield "what the run changed in a file:"
        yield f"{_COMMAND}{plan.run_command}"
    if LeftReason.EDITED in reasons and plan.later:
        yield f"run {plan.later[0]} worked here later: undo it first if the changes are its own"


def _iter_result_lines(plan: "UndoPlan", done: "UndoResult") -> Iterator[str]:
    for path in done.left:
        yield f"left as it is, because it has just been changed: {_format(path)}"
    counts = [
        (len(plan.diff.changes) - len(done.left), "file"),
        (len(_list_folders(plan)), "empty folder"),
    ]
    restored = [format_count(count, name) for count, name in counts if count or name == "file"]
    yield f"{' and '.join(restored)} restored as before {_name_start(plan)}"
    if done.saved:
        yield f"the replaced files are in {done.saved}"
    if done.saved and not done.left:  # else it would overwrite what has just been changed
        yield from _iter_copy_lines(plan, done.saved, done.obstacles)
    if plan.run.is_resumable:
        yield "the run can no longer be resumed"


def _iter_copy_lines(plan: "UndoPlan", saved: Path, obstacles: "Obstacles") -> Iterator[str]:
    """Yield the command that copies the saved files into the project again."""
    from shlex import quote

    project = plan.run.task.project
    steps = []
    for command, paths in (("rm", obstacles.files), ("rmdir", obstacles.folders)):
        names = [str(project / os.fsdecode(path)) for path in paths]
        if len(names) > _MOST_NAMED or not all(map(_can_paste, names)):
            yield "to bring them back, first remove what the undo created in their place"
            return
        if names:
            steps.append(f"{command} {' '.join(map(quote, names))}")
    # Without the option, GNU's cp would write through a link that the undo has restored.
    copy = "cp -RP --remove-destination" if sys.platform == "linux" else "cp -RP"
    steps.append(f"{copy} {quote(f'{saved}/.')} {quote(f'{project}/')}")
    stays = sum(change.status == "A" for change in plan.diff.changes) - len(obstacles.files)
    rest = f" ({format_count(stays, 'created file')} will stay)" if stays else ""
    yield f"to bring them back{rest}:"
    yield f"{_COMMAND}{' && '.join(steps)}"


def _can_paste(name: str) -> bool:
    """Return whether a terminal shows a name as it is; unlike with secrets or escape sequences."""
    return name.isprintable() and name == _format(name)


def _iter_rest(count: int) -> Iterator[str]:
    if count > _MOST_NAMED:
        yield f"  and {count - _MOST_NAMED} more"


def _describe_change(change: "FileChange") -> str:
    verb = _VERBS.get(change.status, change.status)
    lines = "binary" if change.added is None else f"+{change.added} -{change.removed}"
    return f"{verb:<8} {_format(change.path)}  {lines}"


def _serialize(plan: "UndoPlan", done: "UndoResult | None") -> dict[str, Any]:
    return {
        "run": plan.run.id,
        "project": str(plan.run.task.project),
        "attempt": plan.attempt,
        "done": done is not None,
        "changes": [
            {
                "path": mask_text(each.path),
                "action": _VERBS.get(each.status, each.status),
                "added": each.added,
                "removed": each.removed,
            }
            for each in plan.diff.changes
        ],
        "folders": [
            {"path": mask_text(path), "action": action} for path, action in _list_folders(plan)
        ],
        "left": [{"path": mask_text(path), "reason": reason} for path, reason in plan.left.items()],
        "left_at_last": [mask_text(path) for path in done.left] if done else [],
        "saved": str(done.saved) if done and done.saved else None,
        "is_end_known": plan.is_end_known,
        "is_resumable": plan.run.is_resumable and done is None,
        "diff_command": plan.diff_command,
    }


def _format(text: object) -> str:
    """Return a text from outside in one line, without secrets and control characters."""
    shown = str(text).encode("utf-8", "backslashreplace").decode()
    return sanitize_text(mask_text(shown).replace("\n", "\\n").replace("\t", "\\t"))

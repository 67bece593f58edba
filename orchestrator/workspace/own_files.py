"""Find the files that are still as a run, or an undo of it, has left them.

A file is the run's own while it has a content that a process of the run left in it. What somebody
else wrote between two processes never becomes the run's own, although it is there at the end.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.models import Snapshot
from orchestrator.workspace.git import decode_path
from orchestrator.workspace.run_trees import Span
from orchestrator.workspace.snapshots import GitWorkspace
from orchestrator.workspace.trees import Content

Changes = Mapping[str, Content]
"""What differs from the files that are to be restored; a path that does not is missing."""


@dataclass(frozen=True)
class OwnFiles:
    """The files that differ from those before a run or an attempt, by whose they are.

    Args:
        run: those that are as the run or an undo of it left them.
        edited: those that the run changed, and somebody else since.
        undone: those that an undo to an earlier attempt left.
        others: those that somebody else changed, `edited` included.
        base: the files to restore, but with what the run changed in them: present contents of
            `run`, and what the run left at its end in the others.
    """

    run: frozenset[str]
    edited: frozenset[str]
    undone: frozenset[str]
    others: frozenset[str]
    base: Snapshot


@dataclass(frozen=True)
class _Step:
    """What a process found and left, as differences from the files that are to be restored.

    Args:
        start: what it found.
        end: what it left.
        is_run: whether it executed the run; otherwise it undid it.
        is_earlier: whether it undid the run to the start of an earlier attempt.
    """

    start: Changes
    end: Changes
    is_run: bool
    is_earlier: bool


def find_own_files(
    workspace: GitWorkspace, spans: Sequence[Span], to: Snapshot, attempt: int, now: Snapshot
) -> OwnFiles:
    """Return whose the present changes are.

    Args:
        workspace: the project's files.
        spans: the files as each process found and left them; at least one executed the run.
        to: the files that are to be restored.
        attempt: the attempt that starts with them.
        now: the present files.

    Raises:
        InfrastructureError: git failed, or there is no space.
    """
    steps = [
        _Step(
            workspace.list_changed_contents(to, span.start.snapshot),
            workspace.list_changed_contents(to, span.end.snapshot),
            not span.attempt,
            0 < span.attempt < attempt,
        )
        for span in spans
    ]
    present = workspace.list_changed_contents(to, now)
    traces = {path: _trace_file(path, steps) for path in present}
    undone = {path for path, content in present.items() if content in traces[path].undone}
    run = {path for path, content in present.items() if content in traces[path].run} - undone
    others = present.keys() - undone - run
    at_end = [step.end for step in steps if step.is_run][-1]
    by_run = {path for path in at_end.keys() | others if _is_changed_by_run(path, steps)}
    # What the run left at its end stays visible in those that somebody changed since: the restore
    # has to know whether the run changed the ignore rules.
    base = {path: at_end[path] for path in by_run & at_end.keys()}
    base |= {path: present[path] for path in run}
    return OwnFiles(
        frozenset(run),
        frozenset(others & by_run),
        frozenset(undone),
        frozenset(others),
        workspace.build_snapshot(to, base),
    )


def list_run_changes(workspace: GitWorkspace, spans: Sequence[Span]) -> dict[str, bool]:
    """Return the files that a run has changed by the end of its last process, in order.

    Args:
        workspace: the project's files.
        spans: the files as each process found and left them, at least one.

    Returns:
        Whether each is new. Paths are for people.

    Raises:
        InfrastructureError: git failed, or there is no space.
    """
    start, end = spans[0].start.snapshot, spans[-1].end.snapshot
    own = find_own_files(workspace, spans, start, 1, end)
    before = workspace.list_changed_contents(end, start)
    return {decode_path(os.fsencode(path)): not before[path].exists for path in sorted(own.run)}


@dataclass(frozen=True)
class _Trace:
    """The contents that processes have left in one file; None is that which is to be restored.

    Args:
        run: those left by the run, or by an undo to this attempt or a later one.
        undone: those left by an undo to an earlier attempt.
    """

    run: set[Content | None] = field(default_factory=set)
    undone: set[Content | None] = field(default_factory=set)


def _trace_file(path: str, steps: Sequence[_Step]) -> _Trace:
    trace, is_foreign = _Trace(), False
    previous: Content | None = None
    for number, step in enumerate(steps):
        start, end = step.start.get(path), step.end.get(path)
        if number and start != previous:  # somebody changed it between the two processes
            is_foreign = start is not None and start not in trace.run | trace.undone
        if not is_foreign:
            (trace.undone if step.is_earlier else trace.run).add(end)
        previous = end
    return trace


def _is_changed_by_run(path: str, steps: Sequence[_Step]) -> bool:
    """Return whether the run left another content in a file than is to be restored."""
    changes = ((step.start.get(path), step.end.get(path)) for step in steps if step.is_run)
    return any(end is not None and start != end for start, end in changes)

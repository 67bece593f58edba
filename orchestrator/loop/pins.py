"""Describes the tree that is stored for a learned rule, so that the rule can be put on trial."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from orchestrator.masking import Masker
from orchestrator.models import Attempt, ChangeKind, RuleChange, Task
from orchestrator.workspace.pinning import PinnedTree
from teacher.models import Failure

_LEARNED: Final = (
    *(ChangeKind.ADDED, ChangeKind.AMENDED),
    *(ChangeKind.WAITS_FOR_APPROVAL, ChangeKind.ALREADY_KNOWN),
)
"""Changes of the rulebook after which a rule may be put on trial. One that is already known may
have been written by this very step, before its process was killed."""


def is_learned(change: RuleChange) -> bool:
    """Return whether a tree is to be stored for the rule of this change."""
    return change.change in _LEARNED


def is_known(change: RuleChange) -> bool:
    """Return whether the rule was known before, so that a stored tree of it is the right one."""
    return change.change is ChangeKind.ALREADY_KNOWN


def describe_tree(
    task: Task,
    run: str,
    attempt: Attempt,
    failure: Failure,
    change: RuleChange,
    unseen: Sequence[str],
    masker: Masker,
) -> PinnedTree:
    """Return the tree that an attempt started with, without secrets.

    Args:
        task: what was to be done.
        run: the run's id.
        attempt: the attempt that failed.
        failure: what was taught.
        change: what was learned.
        unseen: paths that are in no snapshot.
        masker: removes the secrets.
    """
    return PinnedTree(
        rule=change.rule.id,
        run=run,
        attempt=attempt.number,
        tree=attempt.before.tree,
        task=masker.mask(task.text),
        cases=tuple(map(masker.mask, failure.cases)),
        project=str(task.project),
        at=datetime.now(UTC).isoformat(),
        left_out=tuple(map(masker.mask, unseen)),
    )

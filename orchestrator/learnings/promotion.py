"""Promote a resolved entry: write its rule, on the same way as every other lesson.

No teacher is asked: a person words the rule, and missing parts come from the entry. The rulebook
checks it as it checks each lesson (its subject, contradictions, rejected texts, the budget). If it
refuses the rule, the entry stays resolved.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError, UsageError
from orchestrator.learnings.entries import Entry, Status, first_sentence
from orchestrator.learnings.plain_lines import find_opposite_line, find_same_line
from orchestrator.learnings.status_changes import set_fields
from orchestrator.learnings.workspace import Workspace
from orchestrator.masking import mask_text
from orchestrator.models import PENDING_CHANGES, ChangeKind, Rule
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook import committing
from orchestrator.rulebook.lesson_editing import Outcome, apply_lesson
from orchestrator.rulebook.rule_file_set import RuleFileSet, Target
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.text import sanitize_line, sanitize_word
from teacher.models import Action, Failure, FailureType, Lesson, RuleText

SOURCE: Final = "learning"

_SUMMARY_BOUND: Final = 200
_TARGETS: Final = {CLAUDE_MD: Target.PROJECT, AGENTS_MD: Target.AGENTS_MD}


class NotPromotedError(LoopError):
    """The rule is not active, so the entry stays resolved."""

    exit_code = 1


@dataclass(frozen=True)
class Promotion:
    """A promoted entry and its rule."""

    entry: Entry
    text: RuleText
    path: Path
    """The file that contains the rule."""
    rule: Rule | None
    """The active rule; None if a line that an older version, or a person, wrote says the same."""
    already: bool
    """Whether it was there before."""
    files: tuple[Path, ...] = ()
    """The rule files that were changed."""


def require_promotable(entry: Entry) -> None:
    """Check that an entry may be promoted: pending, resolved, promoted, in this order.

    Raises:
        UsageError: it may not; the hint says what to do first.
    """
    if entry.status == Status.PROMOTED:
        raise UsageError(f"{entry.id} is already promoted", "nothing is left to do")
    if entry.status != Status.RESOLVED:
        raise UsageError(
            f"{entry.id} is {entry.status}; only a resolved entry can be promoted",
            f"orchestrator learnings resolve {entry.id} --action 'what was done'",
        )


# ---- the target


def resolve_target(workspace: Workspace, target: str) -> Target | None:
    """Return where to write the rule; None leaves it to the configuration.

    Raises:
        UsageError: rules cannot be written to a file of this name.
    """
    if workspace.everywhere and target in ("", CLAUDE_MD):
        return Target.USER
    if not target:
        return None
    if workspace.everywhere or target not in _TARGETS:
        known = CLAUDE_MD if workspace.everywhere else " or ".join(_TARGETS)
        raise UsageError(f"rules cannot be promoted to {target}", f"choose {known}")
    return _TARGETS[target]


# ---- the promotion


def preview_promotion(book: MarkdownRulebook, entry: Entry, text: RuleText) -> str:
    """Return what a promotion would change in the rule files; empty if it would change none.

    Raises:
        NotPromotedError: it contradicts a line that an older version promoted.
        LoopError: a file cannot be read.
    """
    book.list_rules()  # people may have edited the files
    if _find_line(book, entry, text):
        return ""
    return _preview_lesson(book, _build_lesson(entry, text), _build_failure(entry))[0]


def promote_entry(
    workspace: Workspace, identity: str, text: RuleText, book: MarkdownRulebook
) -> Promotion:
    """Write the rule, then set the entry to promoted.

    After an interruption it can be repeated: an existing rule is not written a second time.

    Raises:
        NotPromotedError: the rulebook refuses the rule, or it waits for a person's approval.
        UsageError: the entry may not be promoted.
        LoopError: a file cannot be written.
    """
    entry = workspace.find_entry(identity)
    require_promotable(entry)
    book.list_rules()  # people may have edited the files
    path = _find_line(book, entry, text)
    done = Promotion(entry, text, path, None, True) if path else _write_rule(book, entry, text)
    values = {
        "Status": Status.PROMOTED,
        "Promoted to": _format_location(workspace, done.path),
        "Occurrences then": str(entry.occurrences),
        **({"Rule": done.rule.id} if done.rule else {}),
    }
    set_fields(workspace, entry, Status.RESOLVED, values)
    return replace(done, entry=workspace.find_entry(entry.id))


def commit_promotion(workspace: Workspace, promotion: Promotion) -> str:
    """Commit the files that the promotion changed, and nothing else; return the subject.

    Ignored files are left out, and so are rule files outside of the workspace's repository. The
    user's git hooks and signing apply: it is their commit.

    Raises:
        UsageError: the files are in no git work tree, or ignored there; or git refuses.
        InfrastructureError: git is missing.
    """
    changed = (*promotion.files, workspace.locate_file(promotion.entry.kind).resolve())
    paths = committing.find_committable(changed, workspace.base)
    if not paths:
        raise UsageError("the files are ignored by git, or in no repository", "nothing to commit")
    line = sanitize_line(promotion.text.rule)
    subject = f"docs(memory): promote {promotion.entry.id} \N{EM DASH} {line}"
    committing.commit_files(paths, subject)
    return subject


def _write_rule(book: MarkdownRulebook, entry: Entry, text: RuleText) -> Promotion:
    """Apply the lesson to the rulebook.

    Raises:
        NotPromotedError: no rule is active afterwards.
    """
    lesson, failure = _build_lesson(entry, text), _build_failure(entry)
    before = book.read_files()
    outcome = _preview_lesson(book, lesson, failure)[1]
    change = book.apply(lesson, failure) if outcome.rule else None
    if change is None:
        raise NotPromotedError(
            f"{entry.id} stays resolved, no rule was written: {outcome.reason}",
            "`orchestrator rules list --all` shows it; `rules restore` and `rules add` overrule",
        )
    if change.change in PENDING_CHANGES:
        rule = change.rule.id
        raise NotPromotedError(
            f"{entry.id} stays resolved, its rule {rule} waits: {change.reason}",
            f"orchestrator rules approve {rule}, then promote it again; or rules reject {rule}",
        )
    after = book.read_files()
    changed = tuple(path for path in {**before, **after} if before.get(path) != after.get(path))
    return Promotion(
        entry, text, change.path, change.rule, change.change is not ChangeKind.ADDED, changed
    )


def _preview_lesson(
    book: MarkdownRulebook, lesson: Lesson, failure: Failure
) -> tuple[str, Outcome]:
    """Return the diff of a lesson, and its outcome, without writing anything."""
    outcomes: list[Outcome] = []

    def apply(file_set: RuleFileSet) -> RuleFileSet:
        context = book.read_context()
        outcome = apply_lesson(file_set, lesson, failure, today=book.today(), context=context)
        outcomes.append(outcome)
        return outcome.file_set

    return book.preview_change(apply), outcomes[-1]


def _find_line(book: MarkdownRulebook, entry: Entry, text: RuleText) -> Path | None:
    """Return the file with a plain line that says the same as the rule; None if there is none.

    Raises:
        NotPromotedError: a line that an older version promoted says the opposite.
    """
    found = book.read_files()
    for path, data in found.items():
        if find_same_line(data, text):
            return path
    for path, data in found.items():
        if line := find_opposite_line(data, text):
            raise NotPromotedError(
                f"{entry.id} stays resolved: it contradicts a line of {path}: {line}",
                "change that line, or remove it, first",
            )
    return None


def _build_lesson(entry: Entry, text: RuleText) -> Lesson:
    return Lesson(Action.ADD, f"a person promoted {entry.id}", text)


def _build_failure(entry: Entry) -> Failure:
    """Return the entry as a failure.

    If a run logged the entry, its fingerprint makes later runs count recurrences of the rule.
    """
    about = entry.context or first_sentence(entry.content)
    return Failure(
        FailureType.OTHER,
        f"{SOURCE}:{entry.id}",
        sanitize_line(mask_text(f"{entry.id}: {about}"), _SUMMARY_BOUND),
        sanitize_word(entry.fingerprint),
    )


def _format_location(workspace: Workspace, path: Path) -> str:
    """Return the name of the rule's file in the entry, without paths of the user's home.

    The entry may be shared with others.
    """
    if path.is_relative_to(workspace.base):
        return path.relative_to(workspace.base).as_posix()
    return path.name if workspace.everywhere else f"the user's {path.name}"

"""A resolved entry becomes a line of an instruction file."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator import process
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.memory import files
from orchestrator.memory.agents_md import agents_in_force
from orchestrator.memory.learnings import storage
from orchestrator.memory.learnings.entries import Entry, Status
from orchestrator.memory.learnings.placing import with_line
from orchestrator.memory.learnings.workspace import Workspace, first_sentence, set_fields
from orchestrator.memory.text import safe_line

LINE_BOUND: Final = 80
TARGETS: Final = ("CLAUDE.md", "AGENTS.md", ".github/copilot-instructions.md", "references/NAME.md")

_TEXT_BOUND: Final = 4000
_NO_ORDER: Final = frozenset(
    (
        "a", "an", "the", "i", "we", "you", "he", "she", "it", "they", "this", "that", "these",
        "those", "there", "our", "my", "your", "was", "were", "is", "are", "had", "has", "have",
        "did", "does", "because", "since", "when",
    )
)  # fmt: skip
_ORDERS: Final = frozenset(
    (
        "accept", "add", "allow", "always", "annotate", "apply", "ask", "assert", "assume", "avoid",
        "await", "back", "be", "bed", "begin", "bleed", "break", "bring", "build", "bump", "cache",
        "call", "catch", "change", "check", "choose", "clean", "close", "commit", "compare",
        "configure", "confirm", "consider", "convert", "copy", "create", "declare", "define",
        "delete", "deploy", "do", "document", "don't", "drop", "embed", "enable", "encode",
        "ensure", "escape", "exceed", "exclude", "expect", "export", "feed", "fetch", "fix",
        "follow", "format", "generate", "get", "give", "go", "grant", "guard", "handle", "heed",
        "ignore", "import", "include", "install", "keep", "leave", "let", "limit", "list", "load",
        "lock", "log", "look", "make", "mark", "match", "measure", "merge", "migrate", "mind",
        "mock", "move", "name", "need", "never", "only", "open", "order", "parse", "pass", "pin",
        "ping", "prefer", "preserve", "preview", "proceed", "provide", "pull", "push", "put",
        "quote", "raise", "read", "rebase", "rebuild", "refuse", "regenerate", "reload",
        "remember", "remove", "rename", "replace", "request", "require", "reset", "resolve",
        "restart", "restore", "retry", "return", "reuse", "revert", "review", "ring", "rotate",
        "run", "save", "search", "see", "seed", "select", "send", "separate", "serve", "set",
        "shed", "show", "shred", "skip", "sort", "specify", "speed", "split", "spring", "start",
        "stop", "store", "string", "succeed", "swing", "sync", "tag", "take", "tell", "test",
        "treat", "trim", "try", "turn", "type", "update", "upgrade", "use", "validate", "verify",
        "wait", "watch", "wed", "weed", "wrap", "wring", "write",
    )
)  # fmt: skip
"""Words that an order begins with; those in `-ed` and `-ing` are no tale for all that."""


@dataclass(frozen=True)
class Promotion:
    """What became of a promotion."""

    entry: Entry
    line: str
    path: Path
    """The instruction file."""
    already: bool
    """Whether the line stood there before."""


def demand_promotable(entry: Entry) -> None:
    """Check that an entry may be promoted: pending, resolved, promoted, in this order.

    Raises:
        UsageError: it may not; says what to do first.
    """
    if entry.status == Status.PROMOTED:
        raise UsageError(f"{entry.id} is promoted already", "nothing is left to do")
    if entry.status != Status.RESOLVED:
        raise UsageError(
            f"{entry.id} is {entry.status}; only a resolved entry is promoted",
            f"orchestrator learnings resolve {entry.id} --action 'what was done'",
        )


def draft(entry: Entry) -> str:
    """A line to begin with: the first sentence that is surely an order, if there is one."""
    for text in (entry.action, entry.content):
        sentence = safe_line(first_sentence(text), _TEXT_BOUND)
        if len(sentence) <= LINE_BOUND and _first_word(sentence).casefold() in _ORDERS:
            return sentence
    return ""


def checked_line(line: str) -> str:
    """The line as it is written: one line, safe in Markdown.

    Raises:
        UsageError: it is empty, too long, or no order.
    """
    safe = safe_line(line, _TEXT_BOUND).removeprefix("- ")
    if not safe:
        raise UsageError("the line is empty", "say what to do, with --line")
    if len(safe) > LINE_BOUND:
        raise UsageError(
            f"the line has {len(safe)} characters, and {LINE_BOUND} are the most", "shorten it"
        )
    if not _imperative(safe):
        raise UsageError(
            f"{safe!r} tells a story", "say what to do: Never ..., Always ..., Run ... before ..."
        )
    return safe


def target_path(workspace: Workspace, target: str) -> Path:
    """The file that a target names; the project's own instruction file if it names none.

    Raises:
        UsageError: it is none of the targets.
    """
    base = workspace.base
    if not target:
        agents_only = not (base / "CLAUDE.md").exists() and (base / "AGENTS.md").exists()
        return base / ("AGENTS.md" if agents_only and not workspace.everywhere else "CLAUDE.md")
    guide = re.fullmatch(r"references/[\w-][\w.-]*\.md", target)
    if target == "CLAUDE.md" or (not workspace.everywhere and (target in TARGETS[:3] or guide)):
        return base / target
    known = "CLAUDE.md" if workspace.everywhere else ", ".join(TARGETS)
    raise UsageError(f"{target} is no target of a promotion", f"choose one of {known}")


def promote(workspace: Workspace, identity: str, line: str, target: Path) -> Promotion:
    """Write the line into the target, then set the entry to promoted.

    Broken off in between, it can be done again: a line that is there is not written twice.

    Raises:
        UsageError: the entry may not be promoted, or the line is none.
        LoopError: a file cannot be written.
    """
    entry = workspace.find(identity)
    demand_promotable(entry)
    line = checked_line(line)
    path = files.locate(target, workspace.project)
    with files.explained(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
    imports = agents_in_force(workspace.base) if _is_claude_md(workspace, target) else ()
    with storage.rulebook_locked(path):
        written = storage.edit(
            target, lambda data: with_line(data, line, imports), workspace.project
        )
    name = target.relative_to(workspace.base).as_posix()
    values = {
        "Status": Status.PROMOTED,
        "Promoted to": name,
        "Occurrences then": str(entry.occurrences),
    }
    set_fields(workspace, entry, Status.RESOLVED, values)
    return Promotion(workspace.find(entry.id), line, target, already=not written)


def commit(workspace: Workspace, promotion: Promotion) -> str:
    """Commit the two files, and nothing else that is staged or changed; gives the subject.

    The user's own hooks and signing are in force: it is their commit.

    Raises:
        UsageError: the files are in no git work tree, or ignored there.
        InfrastructureError: git refuses.
    """
    paths = [
        str(path)
        for path in (promotion.path, workspace.file(promotion.entry.kind))
        if _git(workspace.base, "check-ignore", "-q", "--", str(path)).returncode == 1
    ]
    if not paths:
        raise UsageError("the files are ignored by git, or in no repository", "nothing to commit")
    subject = f"docs(memory): promote {promotion.entry.id} \N{EM DASH} {promotion.line}"
    for arguments in (["add", "--", *paths], ["commit", "-q", "-m", subject, "--", *paths]):
        done = _git(workspace.base, *arguments)
        if done.returncode:
            raise InfrastructureError(
                f"git {arguments[0]} failed: {done.text.strip()}", "commit the files yourself"
            )
    return subject


def can_commit(workspace: Workspace) -> bool:
    """Whether the workspace is in a git work tree."""
    return _git(workspace.base, "rev-parse", "--is-inside-work-tree").stdout.strip() == b"true"


def _git(folder: Path, *arguments: str) -> process.Completed:
    try:
        return process.capture(["git", *arguments], cwd=folder, env=dict(os.environ))
    except FileNotFoundError as error:
        raise InfrastructureError("git was not found", "install git") from error
    except OSError as error:
        raise InfrastructureError(f"git cannot be started: {error}", "install git") from error


def _is_claude_md(workspace: Workspace, target: Path) -> bool:
    return target.name == "CLAUDE.md" and not workspace.everywhere


def _imperative(line: str) -> bool:
    """Whether the line may be an order: no pronoun, article or `EKS`, no `-ed` or `-ing` form."""
    word = _first_word(line)
    first = word.casefold()
    if first in _ORDERS:
        return True
    if not first or first in _NO_ORDER or (word.isupper() and len(word) > 1):
        return False
    return not first.endswith(("ed", "ing"))


def _first_word(line: str) -> str:
    word = re.match(r"[\W_]*([\w']+)", line.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    return word[1] if word else ""

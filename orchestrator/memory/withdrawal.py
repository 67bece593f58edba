"""Whether a rule that has left the files was taken out by a person, or stands on another branch.

A rule that was deleted is not to come back by itself; one that left with a checkout is nobody's
word, and the next failure may teach it again. git tells the two apart.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.errors import RulebookError
from orchestrator.memory.document import parse
from orchestrator.workspace.git import Git

_UNTOUCHED = ("--no-textconv", "--no-ext-diff", "--no-show-signature")
"""Options for `git log`, with which it runs nothing that a repository configures."""


def withdrawn(rule: str, files: Mapping[Path, bytes]) -> bool:
    """Whether a person took a rule out.

    So it is where there is no git; where the last commit has the rule, or an earlier one of its
    line; and where the rule was in no commit, but the file has changes that are not committed.
    It is not where another branch or a stash has the rule, nor where the file is as it was
    committed: then it left with everything else.

    Args:
        rule: its id.
        files: what the files hold that it may have stood in, by their real paths. Those that are
            as we wrote them, or have lost all their rules at once, say nothing of a person's
            wish, and are not among them.

    Raises:
        InfrastructureError: git is missing, or fails in the repository.
    """
    return any(_withdrawn_from(rule, path, data) for path, data in files.items())


def _withdrawn_from(rule: str, path: Path, data: bytes) -> bool:
    git = Git(path.parent)
    inside = git.run("rev-parse", "--is-inside-work-tree", allowed=(0, 128))
    if inside.stdout.strip() != b"true":
        return True
    committed = git.run("cat-file", "blob", f"HEAD:./{path.name}", allowed=(0, 128)).stdout
    if any(known == rule for known in _rules(committed)) or _has_had(git, rule, path, "HEAD"):
        return True
    return not _has_had(git, rule, path, "--all") and data != committed


def _has_had(git: Git, rule: str, path: Path, where: str) -> bool:
    """Whether a commit from there brought or removed the rule."""
    looked = ("log", "-1", "--format=%H", *_UNTOUCHED, "-S", rule, where, "--", path.name)
    return bool(git.run(*looked, allowed=(0, 128)).stdout.strip())


def _rules(data: bytes) -> Iterator[str]:
    try:
        yield from (rule.id for rule in parse(data).rules)
    except RulebookError:
        return

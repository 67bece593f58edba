"""Commit an approved rule to the user's repository: its files, and nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.masking import mask_text
from orchestrator.rulebook.records import RuleRecord
from orchestrator.rulebook.text import sanitize_line
from orchestrator.workspace.repository_history import RepositoryHistory, open_user_history

_COMMIT_HINT: Final = "or approve without --commit"
_GIT_OPERATIONS: Final = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}
"""Files in git's folder that say which operation is in progress. A commit would become part of the
operation, or git would refuse it."""
_SUBJECT_CHARS: Final = 58


def check_committable(paths: Sequence[Path]) -> None:
    """Raise an error unless these files can be committed with the rule as their only change.

    Args:
        paths: the real paths of the files that will change; they need not exist yet.

    Raises:
        UsageError: a file is in no repository, is ignored, or has uncommitted changes; or the
            repository is locked, is in the middle of a merge or the like, or knows no author.
        InfrastructureError: git is missing.
    """
    tops = {_find_top(path) for path in paths}
    if len(tops) > 1:
        where = ", ".join(map(str, sorted(tops)))
        raise UsageError(
            f"the rule goes into several repositories: {where}", "approve without --commit"
        )
    for top in tops:
        history = open_user_history(top)
        _require_finished(history, top)
        if (lock := top / history.find_git_path("index.lock")).exists():
            raise UsageError(
                f"another git process is at work: {lock}", f"wait for it, {_COMMIT_HINT}"
            )
        history.require_identity()
        for path in paths:
            _require_clean(history, path)


def commit_rule(paths: Sequence[Path], record: RuleRecord) -> str:
    """Commit the files with the rule's evidence in the message, and return the short commit id.

    What is staged stays staged and is not in the commit. The user's own git hooks run.

    Raises:
        UsageError: git refuses, for example because of a hook; or no file was changed.
        InfrastructureError: git is missing.
    """
    return commit_files(paths, render_message(record))


def commit_files(paths: Sequence[Path], text: str) -> str:
    """Commit these files, and nothing else, with a message, and return the short commit id.

    Raises:
        UsageError, InfrastructureError: as for `commit_rule`.
    """
    if not paths:
        raise UsageError("no file was changed, so there is nothing to commit")
    pathspecs = [_build_pathspec(path) for path in paths]
    history = open_user_history(_find_top(paths[0]))
    history.stage("--", *pathspecs)  # `git commit --only` does not take a file that is new to git
    return history.commit_paths(pathspecs, text)


def is_committed(paths: Sequence[Path]) -> bool:
    """Return whether none of these files has changes that are not committed.

    Raises:
        UsageError: a file is in no repository.
        InfrastructureError: git is missing.
    """
    return not any(
        open_user_history(_find_top(path)).read_status(_build_pathspec(path)) for path in paths
    )


def is_in_work_tree(folder: Path) -> bool:
    """Return whether a folder is in a git work tree.

    Raises:
        InfrastructureError: git is missing.
    """
    return open_user_history(folder).is_work_tree()


def find_committable(paths: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Return those files that git can commit in the work tree of a folder.

    Left out are files that git ignores, and files that are gone and were never tracked.

    Args:
        paths: the real paths of the files.
        folder: a folder; if it is in no work tree, no file can be committed.

    Raises:
        InfrastructureError: git is missing.
    """
    if not is_in_work_tree(folder):
        return ()
    top = open_user_history(folder).find_top()
    history = open_user_history(top)
    return tuple(
        path
        for path in paths
        if path.is_relative_to(top)
        and not history.is_ignored(path)
        and (path.exists() or history.is_tracked(_build_pathspec(path)))
    )


def render_message(record: RuleRecord) -> str:
    """Return the commit message of a rule.

    The evidence comes from outside, so each value is a single line after its name: a value with
    lines of its own could forge a trailer that names an author or a reviewer.
    """
    text, origin = record.rule.text, record.origin
    evidence = {
        "Rule": text.rule,
        "When": text.when,
        "Why": text.why,
        "Rule-Id": record.rule.id,
        "Failed": origin.summary,
        "Failing": ", ".join(origin.cases),
        "Failure": origin.failure,
        "Run": origin.run,
        "Model": origin.model,
    }
    values = {name: sanitize_line(mask_text(value)) for name, value in evidence.items()}
    lines = "\n".join(f"{name}: {value}" for name, value in values.items() if value)
    return f"docs(memory): {sanitize_line(mask_text(text.rule), _SUBJECT_CHARS)}\n\n{lines}\n"


def _require_finished(history: RepositoryHistory, top: Path) -> None:
    for name, operation in _GIT_OPERATIONS.items():
        if (top / history.find_git_path(name)).exists():
            raise UsageError(
                f"a {operation} is in progress in {top}", f"finish it first, {_COMMIT_HINT}"
            )
    # A `git stash pop` that failed leaves conflicts, but none of the files above.
    if history.has_conflicts():
        raise UsageError(f"files in {top} are not merged", f"merge them first, {_COMMIT_HINT}")


def _require_clean(history: RepositoryHistory, path: Path) -> None:
    # `git status` is silent about a file that does not exist yet, but `git add` would refuse it.
    if history.is_ignored(path):
        raise UsageError(f"git ignores {path}", f"change .gitignore, {_COMMIT_HINT}")
    if status := history.read_status(_build_pathspec(path)).strip():
        raise UsageError(
            f"{path} has uncommitted changes of yours, or is not tracked by git: {status}",
            f"commit it first, {_COMMIT_HINT}",
        )


def _build_pathspec(path: Path) -> str:
    """Return a pathspec for one file; git would take `[ab].md` for a pattern."""
    return f":(literal){path}"


def _find_top(path: Path) -> Path:
    """Return the top of the file's repository, found from the nearest folder that exists."""
    folder = next(parent for parent in path.parents if parent.is_dir())
    return open_user_history(folder).find_top()

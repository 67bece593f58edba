"""One approved rule as one commit of the user's repository: its files, and nothing else."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.masking import mask_text
from orchestrator.platform import process
from orchestrator.rulebook.records import RuleRecord
from orchestrator.rulebook.text import sanitize_line

_COMMIT_HINT: Final = "or approve without --commit"
_GIT_OPERATIONS: Final = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}
"""What git keeps in its folder while it is in the middle of something, which a commit of ours
would become a part of, or which forbids it."""
_SUBJECT_CHARS: Final = 58


def check_committable(paths: Sequence[Path]) -> None:
    """Make sure that these files can be committed, and that it would be our change alone.

    Args:
        paths: the files that are to change, there or not, by their real paths.

    Raises:
        UsageError: one is in no repository, ignored, or has changes that are not committed; or
            git is in the middle of a merge or the like, locked, or knows no author.
        InfrastructureError: git is missing.
    """
    tops = {_find_repository(path) for path in paths}
    if len(tops) > 1:
        where = ", ".join(map(str, sorted(tops)))
        raise UsageError(f"the rule goes into several repositories: {where}", _COMMIT_HINT[3:])
    for top in tops:
        _require_finished(top)
        if (lock := top / _run_git(top, "rev-parse", "--git-path", "index.lock").strip()).exists():
            raise UsageError(f"another git is at work: {lock}", f"wait for it, {_COMMIT_HINT}")
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            _run_git(top, "var", who)
        for path in paths:
            _require_clean(top, path)


def commit_rule(paths: Sequence[Path], record: RuleRecord) -> str:
    """Commit the files, with the rule's evidence in the message; give the commit's short id.

    What is staged stays staged, and is not in the commit; the user's own git hooks run.

    Raises:
        UsageError: git refuses, as a hook may; or nothing was changed.
        InfrastructureError: git is missing.
    """
    return commit_files(paths, render_message(record))


def commit_files(paths: Sequence[Path], text: str) -> str:
    """Commit these files, and nothing else, with a message; give the commit's short id.

    Raises:
        UsageError, InfrastructureError: as for `commit`.
    """
    if not paths:
        raise UsageError("no file was changed, so there is nothing to commit")
    names, folder = [_build_pathspec(path) for path in paths], _find_repository(paths[0])
    _run_git(folder, "add", "--", *names)
    _run_git(folder, "commit", "--quiet", "--only", "-m", text, "--", *names)
    return _run_git(folder, "rev-parse", "--short", "HEAD").strip()


def is_in_work_tree(folder: Path) -> bool:
    """Return whether a folder is in a git work tree.

    Raises:
        InfrastructureError: git is missing.
    """
    return _run_git(folder, "rev-parse", "--is-inside-work-tree", fine=(0, 128)).strip() == "true"


def find_committable(paths: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Return those files that are in the work tree of a folder, and that git can commit there.

    That is none that it ignores, and none that is gone and was never under git.

    Args:
        paths: the files, by their real paths.
        folder: a folder; in no work tree no file can be committed.

    Raises:
        InfrastructureError: git is missing.
    """
    if not is_in_work_tree(folder):
        return ()
    top = Path(_run_git(folder, "rev-parse", "--show-toplevel").strip())
    return tuple(
        path
        for path in paths
        if path.is_relative_to(top)
        and not _run_git(top, "check-ignore", "--", str(path), fine=(0, 1))
        and (path.exists() or _run_git(top, "ls-files", "--", _build_pathspec(path)))
    )


def render_message(record: RuleRecord) -> str:
    """The message of a rule's commit.

    The evidence comes from outside: each value is one line behind its name, or it could pose as a
    trailer, and name an author or a reviewer.
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


def _require_finished(top: Path) -> None:
    for name, what in _GIT_OPERATIONS.items():
        if (top / _run_git(top, "rev-parse", "--git-path", name).strip()).exists():
            raise UsageError(
                f"a {what} is in progress in {top}", f"finish it first, {_COMMIT_HINT}"
            )
    if _run_git(top, "ls-files", "--unmerged"):
        raise UsageError(f"files in {top} are not merged", f"merge them first, {_COMMIT_HINT}")


def _require_clean(top: Path, path: Path) -> None:
    # A file that is not there has no status; but git would not add it, if it is to be ignored.
    if _run_git(top, "check-ignore", "--", str(path), fine=(0, 1)):
        raise UsageError(f"git ignores {path}", f"mend .gitignore, {_COMMIT_HINT}")
    if said := _run_git(top, "status", "--porcelain", "--", _build_pathspec(path)).strip():
        raise UsageError(
            f"{path} has changes of yours, or is not under git: {said}",
            f"commit it first, {_COMMIT_HINT}",
        )


def _build_pathspec(path: Path) -> str:
    """A path for git, which would take `[ab].md` for several files."""
    return f":(literal){path}"


def _find_repository(path: Path) -> Path:
    """A folder of the repository that stays when the file goes."""
    folder = next(up for up in path.parents if up.is_dir())
    return Path(_run_git(folder, "rev-parse", "--show-toplevel").strip())


def _run_git(folder: Path, *arguments: str, fine: Sequence[int] = (0,)) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_INDEX")}
    environment |= {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}
    try:
        done = process.capture(["git", *arguments], cwd=folder, env=environment)
    except OSError as error:
        raise InfrastructureError(f"git cannot be started: {error}", "install git") from error
    if done.returncode not in fine:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise UsageError(f"git {arguments[0]} refuses: {said}", "see `git status`")
    return done.stdout.decode("utf-8", "replace")

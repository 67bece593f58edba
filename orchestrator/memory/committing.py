"""One approved rule as one commit of the user's repository: its files, and nothing else."""

import os
from collections.abc import Sequence
from pathlib import Path

from orchestrator import process
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.memory.records import RuleRecord


def check_committable(paths: Sequence[Path]) -> None:
    """Make sure that a commit of these files would hold our change alone.

    Args:
        paths: the files that a rule may go into, by their real paths.

    Raises:
        UsageError: one is in no repository, ignored, or has changes that are not committed.
        InfrastructureError: git is missing.
    """
    for path in paths:
        folder = next(up for up in path.parents if up.is_dir())
        asked = ("status", "--porcelain", "--ignored", "--", str(path))
        if said := _git(folder, *asked).strip():
            raise UsageError(
                f"{path} has changes of yours, or is not under git: {said}",
                "commit it first, or approve without --commit",
            )


def commit(paths: Sequence[Path], record: RuleRecord) -> str:
    """Commit the files, with the rule's evidence in the message; give the commit's short id.

    What is staged stays staged, and is not in the commit; the user's own git hooks run.

    Raises:
        UsageError: git refuses: a hook, no author, an ignored file; or nothing was changed.
        InfrastructureError: git is missing.
    """
    if not paths:
        raise UsageError("no file was changed, so there is nothing to commit")
    names, folder = [str(path) for path in paths], _top(paths[0])
    _git(folder, "add", "--", *names)
    _git(folder, "commit", "--quiet", "--only", "-m", message(record), "--", *names)
    return _git(folder, "rev-parse", "--short", "HEAD").strip()


def message(record: RuleRecord) -> str:
    """The message of a rule's commit."""
    text, origin = record.rule.text, record.origin
    evidence = {
        "When": text.when,
        "Why": text.why,
        "Rule-Id": record.rule.id,
        "Failed": origin.summary,
        "Failing": ", ".join(origin.cases),
        "Failure": origin.failure,
        "Run": origin.run,
        "Model": origin.model,
    }
    lines = "\n".join(f"{name}: {value}" for name, value in evidence.items() if value)
    subject = text.rule if len(text.rule) <= 58 else text.rule[:57] + "…"
    return f"docs(memory): {subject}\n\n{text.rule}\n\n{lines}\n"


def _top(path: Path) -> Path:
    """A folder of the repository that stays when the file goes."""
    folder = next(up for up in path.parents if up.is_dir())
    return Path(_git(folder, "rev-parse", "--show-toplevel").strip())


def _git(folder: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_INDEX")}
    environment |= {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}
    try:
        done = process.capture(["git", *arguments], cwd=folder, env=environment)
    except OSError as error:
        raise InfrastructureError(f"git cannot be started: {error}", "install git") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise UsageError(f"git {arguments[0]} refuses: {said}", "see `git status`")
    return done.stdout.decode("utf-8", "replace")

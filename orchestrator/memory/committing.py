"""One approved rule as one commit of the user's repository: that file, and nothing else."""

import os
from pathlib import Path

from orchestrator import process
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.memory.records import RuleRecord


def check_committable(file: Path) -> None:
    """Make sure that a commit of the file would hold our change alone.

    Raises:
        UsageError: it is in no repository, or has changes that are not committed.
        InfrastructureError: git is missing.
    """
    said = _git(file, "status", "--porcelain", "--ignored", "--", file.name)
    if said.strip():
        raise UsageError(
            f"{file} has changes of yours, or is not under git: {said.strip()}",
            "commit it first, or approve without --commit",
        )


def commit(file: Path, record: RuleRecord) -> str:
    """Commit the file, with the rule's evidence in the message; give the commit's short id.

    What is staged stays staged, and is not in the commit; the user's own git hooks run.

    Raises:
        UsageError: git refuses: a hook, no author.
        InfrastructureError: git is missing.
    """
    _git(file, "add", "--", file.name)
    _git(file, "commit", "--quiet", "--only", "-m", message(record), "--", file.name)
    return _git(file, "rev-parse", "--short", "HEAD").strip()


def message(record: RuleRecord) -> str:
    """The message of a rule's commit."""
    text, origin = record.rule.text, record.origin
    evidence = {
        "When": text.when,
        "Why": text.why,
        "Rule-Id": record.rule.id,
        "Failing": origin.cases,
        "Failure": origin.failure,
        "Run": origin.run,
        "Model": origin.model,
    }
    lines = "\n".join(f"{name}: {value}" for name, value in evidence.items() if value)
    subject = text.rule if len(text.rule) <= 58 else text.rule[:57] + "…"
    return f"docs(memory): {subject}\n\n{text.rule}\n\n{lines}\n"


def _git(file: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_INDEX")}
    environment |= {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}
    try:
        done = process.capture(["git", *arguments], cwd=file.parent, env=environment)
    except OSError as error:
        raise InfrastructureError(f"git cannot be started: {error}", "install git") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise UsageError(f"git {arguments[0]} refuses: {said}", "see `git status`")
    return done.stdout.decode("utf-8", "replace")

"""Repositories in which git fails after it has begun to write."""

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Run git, which has to end well, and give what it says."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def failing_filter(folder: Path) -> None:
    """A changed `a.txt` in a repository whose smudge filter fails, as git-lfs does offline."""
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("1\n", encoding="utf-8")
    (folder / "z.lfs").write_text("1\n", encoding="utf-8")
    (folder / ".gitattributes").write_text("*.lfs filter=x\n", encoding="utf-8")
    git(folder, "add", "a.txt", "z.lfs", ".gitattributes")
    git(folder, "commit", "-q", "-m", "1")
    for name, value in (("clean", "cat"), ("smudge", "false"), ("required", "true")):
        git(folder, "config", f"filter.x.{name}", value)
    (folder / "a.txt").write_text("mine\n", encoding="utf-8")
    (folder / "z.lfs").write_text("mine\n", encoding="utf-8")


def dying_remote(folder: Path, remote: Path) -> None:
    """A remote of `folder` that dies as soon as a push to it has arrived."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "1")
    git(folder, "init", "-q", "--bare", str(remote))
    git(folder, "remote", "add", "origin", str(remote))
    git(folder, "push", "-q", "origin", "main")
    git(folder, "commit", "-q", "--allow-empty", "--amend", "-m", "2")
    hook = remote / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" != committed ] || kill -9 $PPID\n', encoding="utf-8")
    hook.chmod(0o755)

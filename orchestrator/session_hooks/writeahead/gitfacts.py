"""Read the branches of a repository from its files: starting git would take too long."""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH112, PTH113, PTH118, PTH123

import os

from orchestrator.platform.folders import GIT_FOLDER, list_enclosing_folders
from orchestrator.session_hooks.writeahead.grammar import format_remote_tip


def read_head(directory: str) -> str:
    """Return `<commit> on <branch>`; empty where it cannot be read."""
    git = _find_git_folder(directory)
    if not git:
        return ""
    text = _read_text(os.path.join(git, "HEAD"))
    if not text.startswith("ref: "):
        return f"{text} (detached)" if text else ""
    name = text[5:]
    commit = _resolve_ref(git, name)
    return f"{commit} on {name.removeprefix('refs/heads/')}" if commit else ""


def read_remote_tip(directory: str, arguments: list[str]) -> str:
    """Return `<ref> <commit>` of the remote branch of a push, as far as this clone knows it.

    Empty if it does not.
    """
    git = _find_git_folder(directory)
    if not git:
        return ""
    branch = _read_text(os.path.join(git, "HEAD")).removeprefix("ref: refs/heads/")
    remote = arguments[0] if arguments else "origin"
    named = arguments[1].lstrip("+").rpartition(":")[2] if len(arguments) > 1 else ""
    if named not in ("", "HEAD", "@"):
        branch = named.removeprefix("refs/heads/")
    name = f"refs/remotes/{remote}/{branch}"
    commit = _resolve_ref(git, name)
    return format_remote_tip(name, commit) if commit else ""


def _find_git_folder(directory: str) -> str:
    top = list_enclosing_folders(directory)[-1]
    git = os.path.join(top, GIT_FOLDER)
    if os.path.isfile(git):
        return os.path.join(top, _read_text(git).removeprefix("gitdir: "))
    return git if os.path.isdir(git) else ""


def _resolve_ref(git: str, name: str) -> str:
    """Return the commit of a ref, loose or packed; empty if there is none.

    A linked work tree has only its own HEAD; `commondir` names the folder with the other refs.
    """
    if "\0" in name or ".." in name.split("/"):
        return ""
    common = _read_text(os.path.join(git, "commondir"))
    for folder in (git, os.path.join(git, common)) if common else (git,):
        if commit := _read_text(os.path.join(folder, name)):
            return commit
        try:
            with open(os.path.join(folder, "packed-refs"), encoding="utf-8", errors="replace") as f:
                for line in f:
                    commit, _, packed = line.rstrip("\n").partition(" ")
                    if packed == name:
                        return commit
        except OSError:
            continue
    return ""


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return ""

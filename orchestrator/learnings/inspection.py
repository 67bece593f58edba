"""Find out whether a destructive command that may have been interrupted was completed.

Nothing here can prove that a command was *not* started: files that exist may be half of them, or
new ones, and an unchanged HEAD may hide lost changes. So the finding is DONE if the state is the
one that the command leaves, and otherwise UNKNOWN, with the evidence.
"""

import glob
import re
from enum import StrEnum
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.session_hooks.writeahead.danger import Danger, DangerKind
from orchestrator.session_hooks.writeahead.folders import EXPANSION_MARKS
from orchestrator.session_hooks.writeahead.git_commands import (
    CLEAN_VALUES,
    extract_git_arguments,
    find_pushed_refspec,
)
from orchestrator.session_hooks.writeahead.grammar import find_head, find_remote_tip
from orchestrator.session_hooks.writeahead.options import read_options
from orchestrator.workspace.git import Git

_RELATIVE: Final = re.compile(r"(?:HEAD|@)((?:[~^]\d*)*)")


class Finding(StrEnum):
    """Whether a command was completed."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


def inspect_danger(danger: Danger, before: str) -> tuple[Finding, str]:
    """Return whether a command was completed, and the evidence.

    Args:
        danger: the command, in a folder that git may be run in.
        before: the state before it, as the entry describes it.
    """
    if danger.through:
        return (
            Finding.UNKNOWN,
            "it was run on another machine or through another program; look there",
        )
    if not danger.sure:
        return Finding.UNKNOWN, "the folder that it was run in is not certain"
    inspections = {
        DangerKind.REMOVE: _inspect_paths,
        DangerKind.HARD_RESET: _inspect_head,
        DangerKind.FORCED_PUSH: _inspect_remote,
        DangerKind.CLEAN: _inspect_untracked,
    }
    if danger.kind not in inspections:
        return Finding.UNKNOWN, _format_hint(danger)
    try:
        return inspections[danger.kind](danger, before)
    except LoopError as error:
        return Finding.UNKNOWN, error.message
    except ValueError as error:  # a NUL in a path
        return Finding.UNKNOWN, f"it cannot be looked at: {error}"


def _open_git(directory: str) -> Git:
    """Return a git that runs no program of the repository's configuration.

    `git status` runs the clean filters of changed files, and the repository may be a stranger's.
    """
    git = Git(Path(directory), any_owner=False)
    listed = git.run("config", "-z", "--name-only", "--get-regexp", "^filter[.]", allowed=(0, 1))
    names = sorted(set(listed.stdout.decode("utf-8", "surrogateescape").split("\0")) - {""})
    variables = {"GIT_CONFIG_COUNT": str(len(names))}
    for number, name in enumerate(names):
        variables[f"GIT_CONFIG_KEY_{number}"] = name
        variables[f"GIT_CONFIG_VALUE_{number}"] = "false" if name.endswith(".required") else ""
    return git.with_folder(git.folder, **variables)


def _resolve_commit(git: Git, name: str) -> str:
    """Return the commit that a name resolves to; empty if it resolves to none."""
    if name.startswith("-"):
        return ""
    done = git.run("rev-parse", "-q", "--verify", f"{name}^{{commit}}", allowed=(0, 1, 128))
    return done.stdout.decode().strip()


def _inspect_paths(danger: Danger, _before: str) -> tuple[Finding, str]:
    program, *words = danger.words
    if program.endswith("find") or not EXPANSION_MARKS.isdisjoint("".join(words)):
        return Finding.UNKNOWN, "the entry does not name its files; only the shell knew them"
    left = [target for target in danger.targets if _is_present(target)]
    if left:
        return Finding.UNKNOWN, f"exists, as before, in part or created again: {', '.join(left)}"
    return Finding.DONE, f"gone: {', '.join(danger.targets)}"


def _is_present(target: str) -> bool:
    found = glob.glob(target)  # noqa: PTH207 -- the whole path is a pattern, as the shell read it
    return bool(found) or Path(target).is_symlink() or Path(target).exists()


def _inspect_head(danger: Danger, before: str) -> tuple[Finding, str]:
    if not extract_git_arguments(danger):
        return Finding.UNKNOWN, "see what `git status` and `git reflog` say"
    git = _open_git(danger.directory)
    head, was = _resolve_commit(git, "HEAD"), find_head(before)
    seen = f"HEAD is {head[:12]}" + (f", and was {was[:12]}" if was else "")
    (target, *more) = danger.targets
    if relative := _RELATIVE.fullmatch(target):
        target = was + relative[1] if was else ""
    elif "@{" in target or target.endswith("HEAD"):
        target = ""  # it may name another commit by now
    wanted = _resolve_commit(git, target) if target and not more else ""
    changes = git.read_output(
        "status", "--porcelain", "--untracked-files=no", "--ignore-submodules"
    )
    if changes.strip():
        return Finding.UNKNOWN, f"{seen}; tracked files have changes"
    if not wanted or head != wanted:
        return Finding.UNKNOWN, f"{seen}; it was to become {wanted[:12] or danger.targets[0]}"
    return Finding.DONE, f"{seen}; it is where it was to be, and no tracked file has changes"


def _inspect_remote(danger: Danger, before: str) -> tuple[Finding, str]:
    tip, spec = find_remote_tip(before), find_pushed_refspec(danger)
    if not tip or not spec:
        return Finding.UNKNOWN, "see what `git fetch` and `git log` say of the remote branch"
    ref, known = tip
    git = _open_git(danger.directory)
    now = _resolve_commit(git, ref)
    source = spec.partition(":")[0]
    wanted = _resolve_commit(git, source) if source else ""
    if now == known:
        return Finding.UNKNOWN, f"{ref} is {now[:12]} as before, as far as this clone knows"
    seen = f"{ref} is {now[:12] or 'gone'}, and was {known[:12]}"
    if now != wanted:
        return Finding.UNKNOWN, f"{seen}; it was to become {wanted[:12] or 'gone'}"
    return Finding.DONE, f"{seen}; that is what was pushed"


def _inspect_untracked(danger: Danger, _before: str) -> tuple[Finding, str]:
    arguments = extract_git_arguments(danger)
    options, paths = read_options(arguments, CLEAN_VALUES)
    known = {"-d", "-x", "-X", "-f", "-q", "--force", "--quiet"}
    twice = "".join(word for word in arguments if word[:1] == "-").count("f") > 1
    if not arguments or not options <= known or twice:
        return Finding.UNKNOWN, "see what the same command with -n says"
    letters = [option for option in ("-d", "-x", "-X") if option in options]
    left = _open_git(danger.directory).read_output("clean", "-n", *letters, "--", *paths)
    if left.strip():
        count = left.count(b"\n")
        return Finding.UNKNOWN, f"untracked, and there in spite of it, or since: {count}"
    return Finding.DONE, "nothing untracked is left"


def _format_hint(danger: Danger) -> str:
    hints = {
        DangerKind.TERRAFORM: "see what `terraform state list` says",
        DangerKind.KUBECTL: f"see what `kubectl get {' '.join(danger.targets)}` says",
        DangerKind.SQL: "look into the database",
    }
    return hints.get(danger.kind, "look for yourself")

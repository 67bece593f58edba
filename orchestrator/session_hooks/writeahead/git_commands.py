"""Destructive git commands: a hard reset, a forced push, a clean."""

from orchestrator.session_hooks.writeahead.danger import Danger, DangerKind
from orchestrator.session_hooks.writeahead.folders import join_path
from orchestrator.session_hooks.writeahead.options import read_options

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from orchestrator.session_hooks.writeahead.script import Command

CLEAN_VALUES = ("-e", "--exclude")

_GIT_VALUES = ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env")
_PUSH_VALUES = ("-o", "--push-option", "--receive-pack", "--exec", "--repo")
_MANY_REFS = ("--mirror", "--all", "--tags", "--prune", "--repo", "-d", "--delete")
_SUBCOMMAND_VALUES = {"push": _PUSH_VALUES, "clean": CLEAN_VALUES}


def judge_git(command: "Command", directory: str) -> Danger | None:
    """Return what is destructive about a git command; None if nothing is."""
    words, at = command.words, 1
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "-C" and at + 1 < len(words):
            directory = join_path(directory, words[at + 1], bool(command.through))
        at += 2 if words[at] in _GIT_VALUES else 1
    subcommand, arguments = (words[at : at + 1] or [""])[0], words[at + 1 :]
    options, plain = read_options(arguments, _SUBCOMMAND_VALUES.get(subcommand, ()))
    if subcommand == "reset" and "--hard" in options:
        return Danger(
            DangerKind.HARD_RESET, words, directory, plain or ["HEAD"],
            "uncommitted changes to tracked files are lost; commits stay in the reflog",
            "commits: git reset --hard to the commit below; uncommitted changes: none",
        )  # fmt: skip
    dry = not options.isdisjoint(("-n", "--dry-run"))
    if subcommand == "push" and not dry and _is_forced(options, plain):
        return Danger(
            DangerKind.FORCED_PUSH, words, directory, plain or ["the branch's upstream"],
            "commits that only the remote has; everybody who works on the branch",
            "push the former tip again, from this clone's reflog or from somebody else's clone",
        )  # fmt: skip
    if subcommand == "clean" and not dry and not options.isdisjoint(("-f", "--force")):
        return Danger(
            DangerKind.CLEAN,
            words,
            directory,
            plain or ["."],
            "files that git does not track",
            "none",
        )
    return None


def extract_git_arguments(danger: Danger) -> list[str]:
    """Return the arguments of the git subcommand; none if options but -C come before it."""
    words = danger.words[1:]
    while words[:1] == ["-C"]:
        words = words[2:]
    return words[1:] if words and not words[0].startswith("-") else []


def find_pushed_refspec(danger: Danger) -> str:
    """Return what a push of one branch pushes, `source:destination` or less.

    Empty if it may push more than one branch.
    """
    arguments = extract_git_arguments(danger)
    options, plain = read_options(arguments, _PUSH_VALUES)
    if not arguments or not options.isdisjoint(_MANY_REFS) or len(plain) > 2:
        return ""
    return plain[1].lstrip("+") if len(plain) > 1 else "HEAD"


def _is_forced(options: set[str], plain: list[str]) -> bool:
    wanted = ("-f", "--force", "-d", "--delete", "--mirror", "--force-with-lease")
    return not options.isdisjoint(wanted) or any(
        word.startswith(("+", ":")) and len(word) > 1 for word in plain[1:]
    )

"""Destructive commands of programs but git: rm, find, dropdb, terraform, kubectl."""

from orchestrator.session_hooks.writeahead.danger import BACKUP, Danger, DangerKind
from orchestrator.session_hooks.writeahead.folders import join_path
from orchestrator.session_hooks.writeahead.git_commands import judge_git
from orchestrator.session_hooks.writeahead.options import read_options

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from orchestrator.session_hooks.writeahead.script import Command

_TERRAFORM_VALUES = (
    "target", "var", "var-file", "replace", "state", "state-out", "backup", "lock-timeout",
    "parallelism",
)  # fmt: skip
_DROPDB_VALUES = ("-h", "--host", "-p", "--port", "-U", "--username", "--maintenance-db")
_KUBECTL_VALUES = (
    "-n", "--namespace", "--context", "--kubeconfig", "--cluster", "--user", "-s", "--server",
    "--as", "--token", "-v", "-l", "--selector", "-f", "--filename", "-k", "--field-selector",
)  # fmt: skip


def _judge_rm(command: "Command", directory: str) -> Danger | None:
    options, plain = read_options(command.words[1:])
    if options.isdisjoint(("-r", "-R", "--recursive")):
        return None
    if not plain and not command.through:
        return None
    return _build_removal(command, directory, plain or ["what is read from standard input"])


def _judge_find(command: "Command", directory: str) -> Danger | None:
    if "-delete" not in command.words:
        return None
    return _build_removal(command, directory, _find_start_points(command.words[1:]) or ["."])


def _judge_dropdb(command: "Command", directory: str) -> Danger:
    _, plain = read_options(command.words[1:], _DROPDB_VALUES)
    return Danger(DangerKind.SQL, command.words, directory, plain, "the whole database", BACKUP)


def _build_removal(command: "Command", directory: str, targets: list[str]) -> Danger:
    paths = [
        target
        if "$" in target or "`" in target or command.through
        else join_path(directory, target)
        for target in targets
    ]
    return Danger(
        DangerKind.REMOVE, command.words, directory, paths,
        "the files, and everything below the folders",
        "what git tracks: git checkout -- PATH; anything else: none",
    )  # fmt: skip


def _judge_terraform(command: "Command", directory: str) -> Danger | None:
    words, plain, targets, at = command.words, [], [], 1
    while at < len(words):
        name, attached, value = words[at].partition("=")
        at += 1
        if not name.startswith("-"):
            plain.append(words[at - 1])
            continue
        name = name.lstrip("-")
        if name in _TERRAFORM_VALUES and not attached:
            value = "".join(words[at : at + 1])
            at += 1
        if name == "target":
            targets.append(value)
        elif name == "chdir":
            directory = join_path(directory, value, bool(command.through))
        elif name == "help":
            return None
    if plain[:1] == ["run-all"]:
        del plain[0]
    if plain[:1] not in (["apply"], ["destroy"]):
        return None
    destroys = plain[0] == "destroy" or "-destroy" in words
    return Danger(
        DangerKind.TERRAFORM, words, directory,
        targets or [f"everything in the state of {directory or 'its folder'}"],
        "the resources are destroyed" if destroys else "resources may be changed or replaced",
        "apply the former configuration; what was destroyed is to be restored from backups",
    )  # fmt: skip


def _judge_kubectl(command: "Command", directory: str) -> Danger | None:
    words, plain, at = command.words, [], 1
    while at < len(words):
        if words[at].startswith("-"):
            at += 2 if words[at] in _KUBECTL_VALUES else 1
            continue
        plain.append(words[at])
        at += 1
    dry = any(word.startswith("--dry-run") and word != "--dry-run=none" for word in words)
    if plain[:1] != ["delete"] or dry:
        return None
    return Danger(
        DangerKind.KUBECTL, words, directory, plain[1:] or ["what the options name"],
        "the objects, and what they own", "apply their manifests again",
    )  # fmt: skip


def _find_start_points(arguments: list[str]) -> list[str]:
    for at, word in enumerate(arguments):
        if word.startswith(("-", "(", "!")):
            return arguments[:at]
    return arguments


JUDGES = {
    "git": judge_git,
    "rm": _judge_rm,
    "find": _judge_find,
    "terraform": _judge_terraform,
    "tofu": _judge_terraform,
    "terragrunt": _judge_terraform,
    "kubectl": _judge_kubectl,
    "dropdb": _judge_dropdb,
}
"""For each program, what finds out whether one of its commands is destructive, and why."""

"""Which commands destroy what is hard to bring back, and what to say about each.

The list is the published one: `git reset --hard`, `git push --force`, `git clean -fd`, `rm -rf`,
`terraform apply|destroy`, `kubectl delete`, `DROP TABLE`, and what the user adds in
`.learnings/destructive.txt`, one command a line: its program, then words that follow in this
order, with anything between them (`aws s3 rm --recursive`; `*` and `?` match as in file names).
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH111, PTH118, PTH119

import os
import re
from collections.abc import Collection

from orchestrator.session_hooks.writeahead.reader import Chain, Command, Scope
from orchestrator.session_hooks.writeahead.shell import parse_commands

FORCED_PUSH = "git push --force"
HARD_RESET = "git reset --hard"
CLEAN = "git clean"
REMOVE = "rm -r"
TERRAFORM = "terraform"
KUBECTL = "kubectl delete"
SQL = "SQL"
OWN = "own"

EXPANSION_MARKS = frozenset("$`{(")
"""Marks of what only the shell can tell: variables, substitutions, braces, patterns in brackets."""

_MOVES = ("cd", "pushd", "popd")
_TAKE_SCRIPTS = frozenset(("ssh", "su", "trap"))
_LONGEST_PATH = 1000
"""Characters up to which one `cd` after the other is followed."""

_BACKUP = "restore from a backup or a dump"
_SQL_CLIENTS = frozenset(
    (
        "psql", "pgcli", "mysql", "mariadb", "mycli", "sqlite3", "sqlcmd", "isql", "tsql", "usql",
        "duckdb", "clickhouse", "clickhouse-client", "cqlsh", "cockroach", "snowsql", "bq", "trino",
        "presto", "hive", "beeline", "impala-shell", "sqlplus",
    )
)  # fmt: skip
# Compiled when the first database tool comes by: the hook starts without them.
_SQL_NOISE = r"(?s)--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'"
_SQL_DROP = (
    r"(?i)\b(?:ALTER\s+TABLE\s[^;]*?\sDROP\s+COLUMN|TRUNCATE(?:\s+TABLE)?"
    r"|DROP\s+(?:TABLE|DATABASE|SCHEMA|(?:MATERIALIZED\s+)?VIEW))\s+(?:IF\s+EXISTS\s+)?"
    r"([\w.\"`\[\]]+)"
)
_GIT_VALUES = ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env")
_PUSH_VALUES = ("-o", "--push-option", "--receive-pack", "--exec", "--repo")
CLEAN_VALUES = ("-e", "--exclude")
_MANY_REFS = ("--mirror", "--all", "--tags", "--prune", "--repo", "-d", "--delete")
_SUBCOMMAND_VALUES = {"push": _PUSH_VALUES, "clean": CLEAN_VALUES}
_TERRAFORM_VALUES = (
    "target", "var", "var-file", "replace", "state", "state-out", "backup", "lock-timeout",
    "parallelism",
)  # fmt: skip
_DROPDB_VALUES = ("-h", "--host", "-p", "--port", "-U", "--username", "--maintenance-db")
_KUBECTL_VALUES = (
    "-n", "--namespace", "--context", "--kubeconfig", "--cluster", "--user", "-s", "--server",
    "--as", "--token", "-v", "-l", "--selector", "-f", "--filename", "-k", "--field-selector",
)  # fmt: skip


class Danger:
    """One destructive command: what it is, what it hits, and what could be done about it."""

    __slots__ = (
        "blast", "command", "directory", "kind", "rollback", "started_in", "sure", "targets",
        "words",
    )  # fmt: skip

    def __init__(
        self, kind: str, words: list[str], directory: str, targets: list[str], blast: str,
        rollback: str,
    ) -> None:  # fmt: skip
        self.kind, self.words, self.directory = kind, words, directory
        self.targets, self.blast, self.rollback = targets, blast, rollback
        self.command: Command | None = None
        """Where it stands in a shell line; None for a database tool."""
        self.sure = True
        """Whether it is known that the directory is the one it is run in."""
        self.started_in = directory
        """Where the shell is; `git -C` and its like go on from there."""

    @property
    def through(self) -> tuple[str, ...]:
        """What starts it elsewhere, or with more arguments than are written; mostly nothing."""
        return self.command.through if self.command else ()

    @property
    def operation(self) -> str:
        """The command as one could type it, with what it is started through."""
        import shlex

        typed = shlex.join(self.words) if self.kind != SQL else " ".join(self.words)
        if not self.through:
            return typed
        if self.kind == SQL:
            return f"{typed} (through {shlex.join(self.through)})"
        folder = self.started_in
        script = f"cd {shlex.quote(folder)} && {typed}" if folder else typed
        if any(os.path.basename(word) in _TAKE_SCRIPTS for word in self.through):
            return shlex.join([*self.through, script])
        more = ["sh", "-c", script] if folder else self.words
        return shlex.join([*self.through, *more])


_FolderState = tuple[str, bool, "Chain | None"]
"""A folder, whether it is sure, and the chain of the last `cd`."""


class _Folders:
    """The folder that each command runs in, as far as the line tells."""

    def __init__(self, directory: str) -> None:
        self._start = (directory, True, None)
        self._states: dict[tuple[Scope | None, tuple[str, ...]], _FolderState] = {}

    def find_folder(self, command: Command) -> tuple[str, bool]:
        """Its folder, and whether that is sure; empty for one that is run elsewhere."""
        directory, sure, moved_in = self._find_state(command)
        # Behind `;` or `||` it runs also when the `cd` failed.
        return directory, sure and moved_in in (None, command.chain)

    def record_move(self, command: Command) -> None:
        """Take note of a `cd`."""
        directory, sure = self.find_folder(command)
        to = command.words[1] if len(command.words) == 2 and command.program == "cd" else "-"
        if to == "-" or not EXPANSION_MARKS.isdisjoint(to) or command.chain.alternative:
            sure = False
        if to != "-":
            directory = _join_path(directory, to, bool(command.through))
        if len(directory) <= _LONGEST_PATH:
            place = directory, sure, command.chain
        else:
            place = self._find_state(command)[0], False, command.chain
        self._states[command.scope, command.through] = place

    def _find_state(self, command: Command) -> "_FolderState":
        keys: list[tuple[Scope, tuple[str, ...]]] = []
        scope: Scope | None = command.scope
        while scope is not None and (scope, command.through) not in self._states:
            keys.append((scope, command.through))
            scope = scope.parent
        fresh = ("", True, None) if command.through else self._start
        place = self._states.get((scope, command.through), fresh)
        for key in keys:
            self._states[key] = place
        return place


def find_dangers(script: str, directory: str, patterns: tuple[str, ...] = ()) -> list[Danger]:
    """The destructive commands of a shell script that is run in `directory`."""
    found, folders = [], _Folders(directory)
    own = [(pattern, wanted[0]) for pattern in patterns if (wanted := parse_commands(pattern))]
    for command in parse_commands(script):
        here, sure = folders.find_folder(command)
        if command.program in _MOVES:
            folders.record_move(command)
        elif danger := _judge_command(command, here) or _match_patterns(command, here, own):
            danger.command, danger.started_in, danger.sure = command, here, sure
            found.append(danger)
    return found


def _join_path(directory: str, path: str, elsewhere: bool = False) -> str:
    """The path of what a command names; a home that is elsewhere stays `~`."""
    if elsewhere and path.startswith("~"):
        return path
    return os.path.normpath(
        os.path.join(directory, path if elsewhere else os.path.expanduser(path))
    )


def find_sql_dangers(text: str, directory: str) -> list[Danger]:
    """The destructive statements in what a database tool is given."""
    if "drop" not in text.lower() and "truncate" not in text.lower():
        return []
    found = list(re.finditer(_SQL_DROP, re.sub(_SQL_NOISE, " ", text)))
    if not found:
        return []
    return [
        Danger(
            SQL, ["; ".join(" ".join(match[0].split()) for match in found)], directory,
            [match[1] for match in found], "the rows, and what refers to them", _BACKUP,
        )
    ]  # fmt: skip


def _judge_command(command: Command, directory: str) -> Danger | None:
    if command.program in _SQL_CLIENTS:
        found = find_sql_dangers("\n".join([*command.words[1:], command.stdin]), directory)
        return found[0] if found else None
    judge = _JUDGES.get(command.program)
    return judge(command, directory) if judge else None


def _judge_git(command: Command, directory: str) -> Danger | None:
    words, at = command.words, 1
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "-C" and at + 1 < len(words):
            directory = _join_path(directory, words[at + 1], bool(command.through))
        at += 2 if words[at] in _GIT_VALUES else 1
    subcommand, arguments = (words[at : at + 1] or [""])[0], words[at + 1 :]
    options, plain = read_options(arguments, _SUBCOMMAND_VALUES.get(subcommand, ()))
    if subcommand == "reset" and "--hard" in options:
        return Danger(
            HARD_RESET, words, directory, plain or ["HEAD"],
            "uncommitted changes to tracked files are lost; commits stay in the reflog",
            "commits: git reset --hard to the commit below; uncommitted changes: none",
        )  # fmt: skip
    dry = not options.isdisjoint(("-n", "--dry-run"))
    if subcommand == "push" and not dry and _is_forced(options, plain):
        return Danger(
            FORCED_PUSH, words, directory, plain or ["the branch's upstream"],
            "commits that only the remote has; everybody who works on the branch",
            "push the former tip again, from this clone's reflog or from somebody else's clone",
        )  # fmt: skip
    if subcommand == "clean" and not dry and not options.isdisjoint(("-f", "--force")):
        return Danger(
            CLEAN, words, directory, plain or ["."], "files that git does not track", "none"
        )
    return None


def extract_git_arguments(danger: Danger) -> list[str]:
    """The arguments of the git subcommand; none, if other options than -C come before it."""
    words = danger.words[1:]
    while words[:1] == ["-C"]:
        words = words[2:]
    return words[1:] if words and not words[0].startswith("-") else []


def find_pushed_refspec(danger: Danger) -> str:
    """What a push of one branch pushes, `source:destination` or less; empty if it may push more."""
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


def _judge_rm(command: Command, directory: str) -> Danger | None:
    options, plain = read_options(command.words[1:])
    if options.isdisjoint(("-r", "-R", "--recursive")):
        return None
    if not plain and not command.through:
        return None
    return _build_removal(command, directory, plain or ["what is read from standard input"])


def _judge_find(command: Command, directory: str) -> Danger | None:
    if "-delete" not in command.words:
        return None
    return _build_removal(command, directory, _find_start_points(command.words[1:]) or ["."])


def _judge_dropdb(command: Command, directory: str) -> Danger:
    _, plain = read_options(command.words[1:], _DROPDB_VALUES)
    return Danger(SQL, command.words, directory, plain, "the whole database", _BACKUP)


def _build_removal(command: Command, directory: str, targets: list[str]) -> Danger:
    paths = [
        target
        if "$" in target or "`" in target or command.through
        else _join_path(directory, target)
        for target in targets
    ]
    return Danger(
        REMOVE, command.words, directory, paths, "the files, and everything below the folders",
        "what git tracks: git checkout -- PATH; anything else: none",
    )  # fmt: skip


def _judge_terraform(command: Command, directory: str) -> Danger | None:
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
            directory = _join_path(directory, value, bool(command.through))
        elif name == "help":
            return None
    if plain[:1] == ["run-all"]:
        del plain[0]
    if plain[:1] not in (["apply"], ["destroy"]):
        return None
    destroys = plain[0] == "destroy" or "-destroy" in words
    return Danger(
        TERRAFORM, words, directory,
        targets or [f"everything in the state of {directory or 'its folder'}"],
        "the resources are destroyed" if destroys else "resources may be changed or replaced",
        "apply the former configuration; what was destroyed is to be restored from backups",
    )  # fmt: skip


def _judge_kubectl(command: Command, directory: str) -> Danger | None:
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
        KUBECTL, words, directory, plain[1:] or ["what the options name"],
        "the objects, and what they own", "apply their manifests again",
    )  # fmt: skip


_JUDGES = {
    "git": _judge_git,
    "rm": _judge_rm,
    "find": _judge_find,
    "terraform": _judge_terraform,
    "tofu": _judge_terraform,
    "terragrunt": _judge_terraform,
    "kubectl": _judge_kubectl,
    "dropdb": _judge_dropdb,
}


def _match_patterns(
    command: Command, directory: str, patterns: list[tuple[str, Command]]
) -> Danger | None:
    if not patterns:
        return None
    import fnmatch

    for pattern, wanted in patterns:
        # Read like the command: `sudo`, quotes and the program's folder matter in neither.
        if fnmatch.fnmatchcase(command.program, wanted.program) and _contains_in_order(
            wanted.words[1:], command.words[1:]
        ):
            return Danger(
                OWN, command.words, directory, read_options(command.words[1:])[1],
                f"not known; your pattern: {pattern}", "not known",
            )  # fmt: skip
    return None


def _contains_in_order(wanted: list[str], words: list[str]) -> bool:
    rest = iter(words)
    import fnmatch

    return all(any(fnmatch.fnmatchcase(word, one) for word in rest) for one in wanted)


def read_options(
    arguments: list[str], with_value: Collection[str] = ()
) -> tuple[set[str], list[str]]:
    """The options, short ones each by itself and all without their values, and the other words."""
    options, plain, at = set(), [], 0
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if word == "--":
            plain += arguments[at:]
            break
        if word.startswith("--"):
            name, attached, _ = word.partition("=")
            options.add(name)
            at += name in with_value and not attached
        elif word.startswith("-") and word != "-":
            for place, letter in enumerate(word[1:], 2):
                options.add(f"-{letter}")
                if f"-{letter}" in with_value:
                    at += place == len(word)
                    break
        else:
            plain.append(word)
    return options, plain


def _find_start_points(arguments: list[str]) -> list[str]:
    for at, word in enumerate(arguments):
        if word.startswith(("-", "(", "!")):
            return arguments[:at]
    return arguments

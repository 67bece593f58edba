"""Which commands destroy what is hard to bring back, and what to say about each.

The list is the published one: `git reset --hard`, `git push --force`, `git clean -fd`, `rm -rf`,
`terraform apply|destroy`, `kubectl delete`, `DROP TABLE`, and what the user adds in
`.learnings/destructive.txt`, one command a line: its program, then words that follow in this
order, with anything between them (`aws s3 rm --recursive`; `*` and `?` match as in file names).
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH111, PTH118, PTH123

import os
import re

from orchestrator.writeahead.shell import Command, commands

FORCED_PUSH = "git push --force"
HARD_RESET = "git reset --hard"
CLEAN = "git clean"
REMOVE = "rm -r"
TERRAFORM = "terraform"
KUBECTL = "kubectl delete"
SQL = "SQL"
OWN = "own"

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
    r"(?i)\b(?:DROP\s+(?:TABLE|DATABASE|SCHEMA)|TRUNCATE(?:\s+TABLE)?)\s+(?:IF\s+EXISTS\s+)?"
    r"([\w.\"`\[\]]+)"
)
_GIT_VALUES = ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env")
_KUBECTL_VALUES = (
    "-n", "--namespace", "--context", "--kubeconfig", "--cluster", "--user", "-s", "--server",
    "--as", "--token", "-v", "-l", "--selector", "-f", "--filename", "-k", "--field-selector",
)  # fmt: skip


class Danger:
    """One destructive command: what it is, what it hits, and what could be done about it."""

    __slots__ = ("blast", "directory", "kind", "rollback", "targets", "words")

    def __init__(
        self, kind: str, words: list[str], directory: str, targets: list[str], blast: str,
        rollback: str,
    ) -> None:  # fmt: skip
        self.kind, self.words, self.directory = kind, words, directory
        self.targets, self.blast, self.rollback = targets, blast, rollback

    @property
    def operation(self) -> str:
        """The command as one could type it."""
        import shlex

        return shlex.join(self.words) if self.kind != SQL else " ".join(self.words)


def dangers(script: str, directory: str, patterns: tuple[str, ...] = ()) -> list[Danger]:
    """The destructive commands of a shell script that is run in `directory`."""
    found = []
    for command in commands(script):
        if command.program == "cd" and len(command.words) == 2:
            directory = os.path.normpath(
                os.path.join(directory, os.path.expanduser(command.words[1]))
            )
        elif danger := _judged(command, directory) or _own(command, directory, patterns):
            found.append(danger)
    return found


def dangers_in_sql(text: str, directory: str) -> list[Danger]:
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


def _judged(command: Command, directory: str) -> Danger | None:
    if command.program in _SQL_CLIENTS:
        found = dangers_in_sql("\n".join([*command.words[1:], command.stdin]), directory)
        return found[0] if found else None
    judge = _JUDGES.get(command.program)
    return judge(command.words, directory) if judge else None


def _git(words: list[str], directory: str) -> Danger | None:
    at = 1
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "-C" and at + 1 < len(words):
            directory = os.path.normpath(os.path.join(directory, words[at + 1]))
        at += 2 if words[at] in _GIT_VALUES else 1
    subcommand, arguments = (words[at : at + 1] or [""])[0], words[at + 1 :]
    if subcommand == "reset" and "--hard" in arguments:
        return Danger(
            HARD_RESET, words, directory, _plain(arguments) or ["HEAD"],
            "uncommitted changes to tracked files are lost; commits stay in the reflog",
            "commits: git reset --hard to the commit below; uncommitted changes: none",
        )  # fmt: skip
    if subcommand == "push" and _forced(arguments):
        return Danger(
            FORCED_PUSH, words, directory, _plain(arguments) or ["the branch's upstream"],
            "commits that only the remote has; everybody who works on the branch",
            "push the former tip again, from this clone's reflog or from somebody else's clone",
        )  # fmt: skip
    if (
        subcommand == "clean"
        and _short(arguments, "f", "--force")
        and not _short(arguments, "n", "--dry-run")
    ):
        return Danger(
            CLEAN, words, directory, _plain(arguments) or ["."],
            "files that git does not track", "none",
        )  # fmt: skip
    return None


def _forced(arguments: list[str]) -> bool:
    if _short(arguments, "n", "--dry-run"):
        return False
    deletes = _short(arguments, "d", "--delete")
    return (
        deletes
        or _short(arguments, "f", "--force")
        or any(word.startswith(("--force-with-lease", "--mirror")) for word in arguments)
        or any(word.startswith(("+", ":")) and len(word) > 1 for word in _plain(arguments)[1:])
    )


def _rm(words: list[str], directory: str) -> Danger | None:
    arguments = words[1:]
    if _short(arguments, "r", "--recursive") or _short(arguments, "R", "--recursive"):
        return _removal(words, directory, _plain(arguments))
    return None


def _find(words: list[str], directory: str) -> Danger | None:
    if "-delete" not in words:
        return None
    return _removal(words, directory, _before_options(words[1:]) or ["."])


def _dropdb(words: list[str], directory: str) -> Danger:
    return Danger(
        SQL, words, directory, _plain(words[1:]), "the whole database", _BACKUP
    )  # fmt: skip


def _removal(words: list[str], directory: str, targets: list[str]) -> Danger | None:
    if not targets and words[0].endswith("rm"):
        targets = ["what is read from standard input"]
    paths = [
        os.path.normpath(os.path.join(directory, os.path.expanduser(target)))
        if "$" not in target and "`" not in target
        else target
        for target in targets
    ]
    return Danger(
        REMOVE, words, directory, paths, "the files, and everything below the folders",
        "what git tracks: git checkout -- PATH; anything else: none",
    )  # fmt: skip


def _terraform(words: list[str], directory: str) -> Danger | None:
    for word in words[1:]:
        if word.startswith("-chdir="):
            directory = os.path.normpath(os.path.join(directory, word.removeprefix("-chdir=")))
    plain = _plain(words[1:])
    if plain[:1] == ["run-all"]:
        del plain[0]
    if plain[:1] not in (["apply"], ["destroy"]) or _short(words[1:], "", "-help"):
        return None
    targets = [word.partition("=")[2] for word in words if word.lstrip("-").startswith("target=")]
    destroys = plain[0] == "destroy" or "-destroy" in words
    return Danger(
        TERRAFORM, words, directory, targets or [f"everything in the state of {directory}"],
        "the resources are destroyed" if destroys else "resources may be changed or replaced",
        "apply the former configuration; what was destroyed is to be restored from backups",
    )  # fmt: skip


def _kubectl(words: list[str], directory: str) -> Danger | None:
    plain, at = [], 1
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
    "git": _git,
    "rm": _rm,
    "find": _find,
    "terraform": _terraform,
    "tofu": _terraform,
    "terragrunt": _terraform,
    "kubectl": _kubectl,
    "dropdb": _dropdb,
}


def _own(command: Command, directory: str, patterns: tuple[str, ...]) -> Danger | None:
    if not patterns:
        return None
    import fnmatch

    for pattern in patterns:
        # Read like the command: `sudo`, quotes and the program's folder matter in neither.
        wanted = next(iter(commands(pattern)), None)
        if (
            wanted
            and fnmatch.fnmatchcase(command.program, wanted.program)
            and _in_order(wanted.words[1:], command.words[1:])
        ):
            return Danger(
                OWN, command.words, directory, _plain(command.words[1:]),
                f"not known; your pattern: {pattern}", "not known",
            )  # fmt: skip
    return None


def _in_order(wanted: list[str], words: list[str]) -> bool:
    rest = iter(words)
    import fnmatch

    return all(any(fnmatch.fnmatchcase(word, one) for word in rest) for one in wanted)


def _plain(arguments: list[str]) -> list[str]:
    """The arguments that are no options."""
    if "--" in arguments:
        at = arguments.index("--")
        return [*_plain(arguments[:at]), *arguments[at + 1 :]]
    return [word for word in arguments if not word.startswith("-") or word == "-"]


def _before_options(arguments: list[str]) -> list[str]:
    for at, word in enumerate(arguments):
        if word.startswith(("-", "(", "!")):
            return arguments[:at]
    return arguments


def _short(arguments: list[str], letter: str, long: str) -> bool:
    """Whether an option is there, in its long form or among short ones run together."""
    if "--" in arguments:
        arguments = arguments[: arguments.index("--")]
    return any(
        word == long or (letter and word[:1] == "-" and word[:2] != "--" and letter in word[1:])
        for word in arguments
    )


def read_patterns(path: str) -> tuple[str, ...]:
    """The user's own patterns; none if there is no such file."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            lines = [line.strip() for line in file.read(65536).splitlines()]
    except FileNotFoundError:
        return ()
    return tuple(line for line in lines if line and not line.startswith("#"))

"""Find the commands of a shell script that destroy what is hard to restore.

The list is the published one: `git reset --hard`, `git push --force`, `git clean -fd`, `rm -rf`,
`terraform apply|destroy`, `kubectl delete`, `DROP TABLE`. The user adds to it in
`.learnings/destructive.txt`, one pattern a line: a program, then words that follow in this order
with anything between them (`aws s3 rm --recursive`; `*` and `?` match as in file names).
"""

import re

from orchestrator.session_hooks.writeahead.danger import BACKUP, Danger, DangerKind
from orchestrator.session_hooks.writeahead.effort import MAX_STEPS, Effort, TooMuchWorkError
from orchestrator.session_hooks.writeahead.folders import MOVES, FolderTracker
from orchestrator.session_hooks.writeahead.options import read_options
from orchestrator.session_hooks.writeahead.program_commands import JUDGES
from orchestrator.session_hooks.writeahead.script import Command
from orchestrator.session_hooks.writeahead.shell import parse_commands

_SQL_CLIENTS = frozenset(
    (
        "psql", "pgcli", "mysql", "mariadb", "mycli", "sqlite3", "sqlcmd", "isql", "tsql", "usql",
        "duckdb", "clickhouse", "clickhouse-client", "cqlsh", "cockroach", "snowsql", "bq", "trino",
        "presto", "hive", "beeline", "impala-shell", "sqlplus",
    )
)  # fmt: skip
_MOVE_OPTIONS = ("-C", "-chdir", "--chdir")
_MAX_SQL = 8 * MAX_STEPS
"""Characters of SQL that are searched; the patterns need a tenth of a microsecond for each."""
_SHOWN_CHARS = 200
"""Characters that an entry shows of a command that was not analysed."""
# Compiled at the first database tool: most hooks never need them.
_SQL_NOISE = r"(?s)--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'"
_SQL_DROP = (
    r"(?i)\b(?:ALTER\s+TABLE\s(?:(?!ALTER\s)[^;])*?\sDROP\s+COLUMN|TRUNCATE(?:\s+TABLE)?"
    r"|DROP\s+(?:TABLE|DATABASE|SCHEMA|(?:MATERIALIZED\s+)?VIEW))\s+(?:IF\s+EXISTS\s+)?"
    r"([\w.\"`\[\]]+)"
)


def find_dangers(script: str, directory: str, patterns: tuple[str, ...] = ()) -> list[Danger]:
    """Return the destructive commands of a shell script.

    A script that takes too long to analyse counts as destructive.

    Args:
        script: the script, as the shell gets it.
        directory: the folder that it is run in.
        patterns: the user's own, see above.
    """
    try:
        return _find_dangers(script, directory, patterns, Effort())
    except TooMuchWorkError:
        return [build_unread_danger(script, directory)]


def build_unread_danger(text: str, directory: str) -> Danger:
    """Return the danger for a command that cannot be analysed: it may be destructive."""
    return Danger(
        DangerKind.UNREAD, ["(too long to analyse)", text[:_SHOWN_CHARS]], directory,
        ["not known"], f"not known; the command has {len(text):,} characters", "not known",
    )  # fmt: skip


def _find_dangers(
    script: str, directory: str, patterns: tuple[str, ...], effort: Effort
) -> list[Danger]:
    found, folders = [], FolderTracker(directory)
    own = [
        (pattern, wanted[0]) for pattern in patterns if (wanted := parse_commands(pattern, effort))
    ]
    for command in parse_commands(script, effort):
        # Each folder of `git -C a -C b` is joined to those before it.
        moves = sum(word.startswith(_MOVE_OPTIONS) for word in command.words)
        effort.spend(len(command.words) * (1 + len(own) + moves))
        here, sure = folders.find_folder(command)
        if command.program in MOVES:
            folders.record_move(command)
        elif danger := _judge_command(command, here) or _match_patterns(command, here, own):
            danger.command, danger.started_in, danger.sure = command, here, sure
            found.append(danger)
    return found


def find_sql_dangers(text: str, directory: str) -> list[Danger]:
    """Return the destructive SQL statements in the input of a database tool, as one danger."""
    if "drop" not in text.lower() and "truncate" not in text.lower():
        return []
    if len(text) > _MAX_SQL:
        return [build_unread_danger(text, directory)]
    found = list(re.finditer(_SQL_DROP, re.sub(_SQL_NOISE, " ", text)))
    if not found:
        return []
    return [
        Danger(
            DangerKind.SQL, ["; ".join(" ".join(match[0].split()) for match in found)], directory,
            [match[1] for match in found], "the rows, and what refers to them", BACKUP,
        )
    ]  # fmt: skip


def _judge_command(command: Command, directory: str) -> Danger | None:
    if command.program in _SQL_CLIENTS:
        found = find_sql_dangers("\n".join([*command.words[1:], command.stdin]), directory)
        return found[0] if found else None
    judge = JUDGES.get(command.program)
    return judge(command, directory) if judge else None


def _match_patterns(
    command: Command, directory: str, patterns: list[tuple[str, Command]]
) -> Danger | None:
    if not patterns:
        return None
    import fnmatch

    for pattern, wanted in patterns:
        # Parsed like the command: `sudo`, quotes and the program's folder make no difference.
        if fnmatch.fnmatchcase(command.program, wanted.program) and _contains_in_order(
            wanted.words[1:], command.words[1:]
        ):
            return Danger(
                DangerKind.OWN, command.words, directory, read_options(command.words[1:])[1],
                f"not known; your pattern: {pattern}", "not known",
            )  # fmt: skip
    return None


def _contains_in_order(wanted: list[str], words: list[str]) -> bool:
    rest = iter(words)
    import fnmatch

    return all(any(fnmatch.fnmatchcase(word, one) for word in rest) for one in wanted)

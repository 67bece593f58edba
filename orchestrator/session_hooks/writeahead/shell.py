"""Find the commands that a shell script would start. It is read like a shell does, but never run.

Beyond what `reader` understands, wrappers such as `sudo` and `bash -c` are followed. Text that a
command prints or searches for (`echo "rm -rf x"`) is an argument, and so never a command.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH119

import os
import re
from collections.abc import Iterator, Sequence

from orchestrator.session_hooks.writeahead.effort import (
    STEPS_OF_A_COMMAND,
    Effort,
    TooMuchWorkError,
)
from orchestrator.session_hooks.writeahead.reader import Reader
from orchestrator.session_hooks.writeahead.script import Command

MAX_DEPTH = 8

_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "mksh"))

# Programs that start the program in their arguments: their options that take a value, and the
# number of their own arguments before that program.
_WRAPPERS = {
    "sudo": ("-u -g -p -C -h -r -t -T -D -R -U --user --group --prompt --chdir --host", 0),
    "doas": ("-u -C", 0),
    "env": ("-u -C --unset --chdir", 0),
    "nice": ("-n --adjustment", 0),
    "ionice": ("-c -n -p --class --classdata", 0),
    "chrt": ("-T -P -D", 1),
    "taskset": ("", 1),
    "timeout": ("-s -k --signal --kill-after", 1),
    "stdbuf": ("-i -o -e --input --output --error", 0),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "time": ("-f -o --format --output", 0),
    "exec": ("-a", 0),
    "builtin": ("", 0),
    "command": ("", 0),
    "busybox": ("", 0),
    "xargs": (
        "-I -n -P -L -d -a -s -E --max-args --max-procs --delimiter --arg-file --max-chars"
        " --process-slot-var",
        0,
    ),
    "parallel": ("-j --jobs", 0),
    "caffeinate": ("-t -w", 0),
}
# Their commands get arguments that the script does not contain, or end independently of them.
_INDIRECT = frozenset(("xargs", "parallel"))
_ELSEWHERE = frozenset(("-C", "-D", "--chdir"))
_DETACHING = frozenset(("-d", "--detach", "-f", "-b", "--background"))
_SSH_VALUES = "-p -i -l -o -F -L -R -D -J -b -c -E -e -I -m -O -Q -S -W -w -B"


def parse_commands(
    script: str, effort: Effort, depth: int = 0, origin: Command | None = None
) -> list[Command]:
    """Return every command that a script may start, without wrappers, in the order of the text.

    Args:
        script: the script.
        effort: counts the work.
        depth: how many other scripts it is nested in.
        origin: the command that starts the script.

    Raises:
        TooMuchWorkError: it is too long, or scripts are nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise TooMuchWorkError
    found: list[Command] = []
    reader = Reader(script, effort, origin)
    for pipeline in reader.read_pipelines():
        for inner in pipeline.nested:
            outer = Command([], pipeline.scope, pipeline.chain)
            outer.through = origin.through if origin else ()
            found += parse_commands(inner, effort, depth + 1, outer)
        upstream = ""
        for command in pipeline.commands:
            command.through = origin.through if origin else ()
            command.stdin = command.stdin or upstream
            effective = list(_iter_effective_commands(command, effort, depth))
            upstream = _predict_output(effective[-1]) if effective else ""
            found += effective
    return found


def _predict_output(command: Command) -> str:
    """Return the output of a command as far as it is known, which the next one reads in a pipe."""
    if command.program in ("echo", "printf"):
        return " ".join(command.words[1:]).replace("\\n", "\n")
    return command.stdin if command.program in ("cat", "tee") else ""


def _iter_effective_commands(command: Command, effort: Effort, depth: int) -> Iterator[Command]:
    effort.spend(STEPS_OF_A_COMMAND)
    while command.words:
        # Each turn copies the words: of `sudo sudo sudo ...` as many times as there are words.
        effort.spend(len(command.words))
        if _is_assignment(command.words[0]):
            command.words = command.words[1:]
            continue
        asks = command.program == "command" and command.words[1:2] in (["-v"], ["-V"])
        if command.program in _WRAPPERS and not asks:
            if command.program == "env" and (split := _find_env_script(command.words)):
                yield from parse_commands(split, effort, depth + 1, command)
                return
            command = _unwrap_command(command)
            continue
        if started := _find_script(command):
            script, through = started
            if command.program == "ssh":
                yield command  # one of the user's patterns may name its host
            yield from parse_commands(
                script, effort, depth + 1, _derive_command(command, [], through)
            )
            return
        inner = _find_started_programs(command, effort)
        for words, through in inner:
            started_command = _derive_command(command, words, through)
            yield from _iter_effective_commands(started_command, effort, depth + 1)
        if not inner:
            yield command
        return


def _unwrap_command(command: Command) -> Command:
    """Return the command that `sudo` and the like start."""
    words, program = command.words, command.program
    values, own = _WRAPPERS[program]
    rest = _skip_options(words[1:], values.split())
    while program in ("env", "sudo", "doas") and rest and _is_assignment(rest[0]):
        rest = rest[1:]
    rest = rest[own:]
    before = words[: len(words) - len(rest)]
    moves = any(word.partition("=")[0] in _ELSEWHERE for word in before)
    shown = before if program in _INDIRECT or (program in ("env", "sudo") and moves) else []
    return _derive_command(command, rest, shown, before)


def _derive_command(
    command: Command, words: list[str], through: Sequence[str] = (), by: Sequence[str] = ()
) -> Command:
    """Return a command that another one starts.

    Args:
        command: the other one.
        words: those of the new command.
        through: words of the other one to show with it.
        by: words of a wrapper, which are not shown.
    """
    started = Command(words, command.scope, command.chain, command.stdin)
    started.through = (*command.through, *through)
    before = [*through, *by]
    loses = not _DETACHING.isdisjoint(before) or (
        bool(before) and os.path.basename(before[0]) in (*_INDIRECT, "find", "trap", "setsid")
    )
    started.determines_success = command.determines_success and not loses
    return started


def _is_assignment(word: str) -> bool:
    return word.partition("=")[0].removesuffix("+").isidentifier() and "=" in word


def _find_env_script(words: list[str]) -> str:
    """Return the command line in `env -S 'VAR=x cmd'`; empty if there is none."""
    for at, word in enumerate(words[1:], 1):
        if word in ("-S", "--split-string") and at + 1 < len(words):
            return " ".join(words[at + 1 :])
        if word.startswith("-S") or word.startswith("--split-string="):
            return " ".join(
                [word.removeprefix("--split-string=").removeprefix("-S"), *words[at + 1 :]]
            )
        if not word.startswith("-"):
            return ""
    return ""


def _find_script(command: Command) -> tuple[str, list[str]] | None:
    """Return the script that a shell, `eval`, `ssh`, `su` or `trap` gets, and the words before it.

    None if it gets none.
    """
    words, program = command.words, command.program
    if program == "eval":
        return " ".join(words[1:]), []
    if program == "ssh":
        rest = _skip_options(words[1:], _SSH_VALUES.split())[1:]
        return " ".join(rest), words[: len(words) - len(rest)]
    if program == "trap" and len(words) > 1:
        return words[1], words[:1]
    if program == "su":
        positions = (
            n for n, word in enumerate(words, 1) if re.fullmatch("-[a-z]*c|--command", word)
        )
        at = next(positions, len(words))
        return (words[at], words[:at]) if at < len(words) else None
    return _find_shell_script(command) if program in _SHELLS else None


def _find_shell_script(command: Command) -> tuple[str, list[str]] | None:
    letters, rest = _split_shell_arguments(command.words[1:])
    if not rest or rest[0] == "-" or "s" in letters:
        return command.stdin, []
    return (rest[0], []) if "c" in letters else None


def _split_shell_arguments(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the letters of a shell's options, and the other arguments: a script or a file name."""
    letters, at = "", 0
    while at < len(arguments) and arguments[at][:1] in ("-", "+") and len(arguments[at]) > 1:
        word = arguments[at]
        at += 1
        if word == "--":
            break
        if not word.startswith("--"):
            letters += word[1:] if word[0] == "-" else ""
            at += word[-1] in "oO" and "c" not in letters  # the name of a shell option, not a file
    return letters, arguments[at:]


def _find_started_programs(command: Command, effort: Effort) -> list[tuple[list[str], list[str]]]:
    """Return the programs that `find -exec`, `docker exec` etc. start, and the words before."""
    words = command.words
    if command.program in _SHELLS:
        return [(_split_shell_arguments(words[1:])[1], [])]
    if command.program == "find":
        effort.spend(len(words) * sum(word.startswith(("-exec", "-ok")) for word in words))
        return [
            (words[at + 1 : _find_exec_end(words, at + 1)], words[: at + 1])
            for at, word in enumerate(words)
            if word in ("-exec", "-execdir", "-ok", "-okdir") and at + 1 < len(words)
        ]
    if command.program in ("docker", "podman", "docker-compose") and "exec" in words:
        known = (*_SHELLS, "psql", "mysql", "mariadb", "sqlite3", "rm", "env")
        for at in range(words.index("exec") + 2, len(words)):
            if os.path.basename(words[at]) in known:
                return [(words[at:], words[:at])]
    if command.program == "kubectl" and "exec" in words and "--" in words[:-1]:
        at = words.index("--") + 1
        return [(words[at:], words[:at])]
    return []


def _find_exec_end(words: list[str], start: int) -> int:
    for at in range(start, len(words)):
        if words[at] == ";" or (words[at] == "+" and words[at - 1] == "{}"):
            return at
    return len(words)


def _skip_options(words: list[str], with_value: list[str]) -> list[str]:
    """Return the words after the leading options."""
    at = 0
    while at < len(words) and words[at].startswith("-") and len(words[at]) > 1:
        if words[at] == "--":
            return words[at + 1 :]
        at += 2 if words[at] in with_value else 1
    return words[at:]

"""Which commands a shell line would start: read like a shell reads it, never run.

Quotes, escapes, operators, substitutions, here-documents and wrappers such as `sudo` and
`bash -c` are understood; variables and globs stay as they are written. What a command prints or
searches for (`echo "rm -rf x"`) is an argument, and so never a command.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH119

import os
import re
from collections.abc import Iterator

MAX_DEPTH = 8
MAX_CHARS = 200_000

_KEYWORDS = frozenset(
    ("if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "!", "{", "}")
)
_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "mksh"))
_META = " \t\n|&;()<>"

# Programs that start the program in their arguments: options that take a value, and how many
# arguments of their own come before it.
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
    "xargs": ("-I -i -n -P -L -d -a -s -E --max-args --max-procs --replace --delimiter", 0),
    "parallel": ("-j --jobs", 0),
    "caffeinate": ("-t -w", 0),
}
_SSH_VALUES = "-p -i -l -o -F -L -R -D -J -b -c -E -e -I -m -O -Q -S -W -w -B"


class Command:
    """One program with its arguments, and the text that is known to reach its standard input."""

    __slots__ = ("stdin", "words")

    def __init__(self, words: list[str], stdin: str = "") -> None:
        self.words, self.stdin = words, stdin

    @property
    def program(self) -> str:
        """The program's name without its folder."""
        return os.path.basename(self.words[0])


def commands(script: str, depth: int = 0) -> list[Command]:
    """Every command that the script may start, wrappers taken off, in the order of the text."""
    if depth > MAX_DEPTH:
        return []
    found: list[Command] = []
    for pipeline, nested in _Reader(script[:MAX_CHARS]).pipelines():
        for inner in nested:
            found += commands(inner, depth + 1)
        upstream = ""
        for command in pipeline:
            command.stdin = command.stdin or upstream
            effective = list(_unwrapped(command, depth))
            upstream = _printed(effective[-1]) if effective else ""
            found += effective
    return found


def _printed(command: Command) -> str:
    """What a command is known to print, for whoever reads it through a pipe."""
    if command.program in ("echo", "printf"):
        return " ".join(command.words[1:]).replace("\\n", "\n")
    return command.stdin if command.program in ("cat", "tee") else ""


def _unwrapped(command: Command, depth: int) -> Iterator[Command]:
    words = list(command.words)
    while words:
        while words and _is_assignment(words[0]):
            del words[0]
        if not words:
            return
        here = Command(words, command.stdin)
        program = here.program
        if program in _WRAPPERS:
            if program == "command" and words[1:2] and words[1] in ("-v", "-V"):
                break
            if program == "env" and (split := _env_split(words)):
                yield from commands(split, depth + 1)
                return
            values, own = _WRAPPERS[program]
            words = _after_options(words[1:], values.split())
            while program in ("env", "sudo", "doas") and words and _is_assignment(words[0]):
                del words[0]
            words = words[own:]
            continue
        if (script := _script(here)) is not None:
            if program == "ssh":
                yield here  # where it goes may be what a pattern of the user's is about
            yield from commands(script, depth + 1)
            return
        inner = _started(here)
        for other in inner:
            yield from _unwrapped(Command(other, command.stdin), depth + 1)
        if not inner:
            yield here
        return
    if words:
        yield Command(words, command.stdin)


def _is_assignment(word: str) -> bool:
    return word.partition("=")[0].removesuffix("+").isidentifier() and "=" in word


def _env_split(words: list[str]) -> str:
    """The command line in `env -S 'VAR=x cmd'`."""
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


def _script(command: Command) -> str | None:
    """The script that a shell, `eval` or `ssh` is given, if it is one of these."""
    arguments = command.words[1:]
    if command.program == "eval":
        return " ".join(arguments)
    if command.program == "ssh":
        return " ".join(_after_options(arguments, _SSH_VALUES.split())[1:])
    if command.program not in _SHELLS:
        return None
    letters, rest = _shell_arguments(arguments)
    if not rest or rest[0] == "-" or "s" in letters:
        return command.stdin
    return rest[0] if "c" in letters else None


def _shell_arguments(arguments: list[str]) -> tuple[str, list[str]]:
    """The letters of a shell's options, and what comes after: a script, or a file's name."""
    letters, at = "", 0
    while at < len(arguments) and arguments[at][:1] in ("-", "+") and len(arguments[at]) > 1:
        word = arguments[at]
        at += 1
        if word == "--":
            break
        if not word.startswith("--"):
            letters += word[1:] if word[0] == "-" else ""
            at += word[-1] in "oO" and "c" not in letters  # the option's name is no file
    return letters, arguments[at:]


def _started(command: Command) -> list[list[str]]:
    """Programs that `find -exec`, `docker exec` and their like start."""
    words = command.words
    if command.program in _SHELLS:
        return [_shell_arguments(words[1:])[1]]
    if command.program == "find":
        return [
            words[at + 1 : _end_of_exec(words, at + 1)]
            for at, word in enumerate(words)
            if word in ("-exec", "-execdir", "-ok", "-okdir") and at + 1 < len(words)
        ]
    if command.program in ("docker", "podman", "docker-compose") and "exec" in words:
        known = (*_SHELLS, "psql", "mysql", "mariadb", "sqlite3", "rm", "env")
        for at in range(words.index("exec") + 2, len(words)):
            if os.path.basename(words[at]) in known:
                return [words[at:]]
    if command.program == "kubectl" and "exec" in words and "--" in words[:-1]:
        return [words[words.index("--") + 1 :]]
    return []


def _end_of_exec(words: list[str], start: int) -> int:
    for at in range(start, len(words)):
        if words[at] == ";" or (words[at] == "+" and words[at - 1] == "{}"):
            return at
    return len(words)


def _after_options(words: list[str], with_value: list[str]) -> list[str]:
    """The words after the leading options."""
    at = 0
    while at < len(words) and words[at].startswith("-") and len(words[at]) > 1:
        if words[at] == "--":
            return words[at + 1 :]
        at += 2 if words[at] in with_value else 1
    return words[at:]


class _Reader:
    """Reads a script once, from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._piping = text, 0, False
        self._words: list[str] = []
        self._stdin = ""
        self._pipeline: list[Command] = []
        self._nested: list[str] = []
        self._heredocs: list[tuple[str, bool, bool, Command | None]] = []
        self._read: list[tuple[list[Command], list[str]]] = []

    def pipelines(self) -> list[tuple[list[Command], list[str]]]:
        """The commands of each pipeline, and the scripts in its substitutions."""
        text = self._text
        while self._at < len(text):
            char = text[self._at]
            if char in " \t":
                self._at += 1
            elif text.startswith("\\\n", self._at):
                self._at += 2
            elif char == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif char == "\n":
                self._at += 1
                self._newline()
            elif char in "<>" or text.startswith("&>", self._at):
                self._redirection()
            elif char in "|&;()":
                self._operator()
            else:
                self._word()
        self._end_pipeline()
        return self._read

    def _operator(self) -> None:
        two = self._text[self._at : self._at + 2]
        if two in ("&&", "||", ";;", "|&"):
            self._at += 2
        else:
            self._at += 1
        self._piping = two == "|&" or (two[0] == "|" and two != "||")
        if self._piping:
            self._end_command()
        else:
            self._end_pipeline()

    def _newline(self) -> None:
        self._end_command()
        self._take_heredocs()
        if not self._piping:
            self._end_pipeline()

    def _end_command(self) -> None:
        if self._words:
            command = Command(self._words, self._stdin)
            self._pipeline.append(command)
            # A here-document's body comes after the line, but belongs to this command.
            self._heredocs = [(*entry[:3], entry[3] or command) for entry in self._heredocs]
        self._words, self._stdin = [], ""

    def _end_pipeline(self) -> None:
        self._end_command()
        if self._pipeline or self._nested:
            self._read.append((self._pipeline, self._nested))
        self._pipeline, self._nested = [], []

    def _word(self) -> None:
        start, self._piping = self._at, False
        word = self._read_word()
        plain = self._text[start : self._at] == word
        if plain and word.isdigit() and self._text[self._at : self._at + 1] in ("<", ">"):
            return
        if plain and not self._words and word in _KEYWORDS:
            return
        if plain and word == "{" and self._words[:1] == ["function"]:
            self._words = []
            return
        self._words.append(word)

    def _redirection(self) -> None:
        rest = self._text[self._at : self._at + 3]
        if rest[:2] in ("<(", ">("):
            self._at += 1
            self._words.append(self._substitution())
            return
        if rest == "<<<":
            self._at += 3
            self._blanks()
            self._stdin = self._read_word()
            return
        if rest[:2] == "<<":
            self._at += 3 if rest == "<<-" else 2
            self._blanks()
            start = self._at
            delimiter = self._read_word()
            literal = self._text[start : self._at] != delimiter
            self._heredocs.append((delimiter, rest == "<<-", literal, None))
            return
        while self._at < len(self._text) and self._text[self._at] in "<>&|":
            self._at += 1
        self._blanks()
        self._read_word()

    def _take_heredocs(self) -> None:
        waiting, self._heredocs = self._heredocs, []
        for delimiter, tabs, literal, owner in waiting:
            body = self._heredoc_body(delimiter, tabs)
            if not literal:
                self._nested += _substitutions(body)
            if owner:
                owner.stdin = body

    def _heredoc_body(self, delimiter: str, tabs: bool) -> str:
        lines = []
        while self._at < len(self._text):
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            line = self._text[self._at : end]
            self._at = end + 1
            if (line.lstrip("\t") if tabs else line) == delimiter:
                break
            lines.append(line)
        return "\n".join(lines)

    def _blanks(self) -> None:
        while self._text[self._at : self._at + 1] in (" ", "\t"):
            self._at += 1

    def _read_word(self) -> str:
        text, parts = self._text, []
        while self._at < len(text) and text[self._at] not in _META:
            char = text[self._at]
            if char == "\\":
                parts.append(
                    ""
                    if text[self._at + 1 : self._at + 2] == "\n"
                    else text[self._at + 1 : self._at + 2]
                )
                self._at += 2
            elif char == "'":
                parts.append(self._until("'"))
            elif char == '"':
                parts.append(self._double_quoted())
            elif text.startswith("$'", self._at):
                self._at += 1
                parts.append(self._ansi_quoted())
            elif char == "`" or text.startswith("$(", self._at):
                parts.append(self._substitution())
            elif text.startswith("${", self._at):
                end = text.find("}", self._at)
                end = len(text) if end < 0 else end + 1
                parts.append(text[self._at : end])
                self._at = end
            else:
                parts.append(char)
                self._at += 1
        return "".join(parts)

    def _until(self, quote: str) -> str:
        end = self._text.find(quote, self._at + 1)
        end = len(self._text) if end < 0 else end
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return inside

    def _ansi_quoted(self) -> str:
        end = self._at + 1
        while end < len(self._text) and self._text[end] != "'":
            end += 2 if self._text[end] == "\\" else 1
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return re.sub(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", _ansi_escape, inside, flags=re.DOTALL)

    def _double_quoted(self) -> str:
        text, parts = self._text, []
        self._at += 1
        while self._at < len(text) and text[self._at] != '"':
            char, after = text[self._at], text[self._at + 1 : self._at + 2]
            if char == "\\" and after and after in '"\\$`\n':
                parts.append("" if after == "\n" else after)
                self._at += 2
            elif char == "`" or (char == "$" and after == "("):
                parts.append(self._substitution())
            else:
                parts.append(char)
                self._at += 1
        self._at += 1
        return "".join(parts)

    def _substitution(self) -> str:
        """Note the script of `$(...)`, `(...)` or backticks, and give it as it is written."""
        start = self._at
        if self._text[start] == "`":
            end = start + 1
            while end < len(self._text) and self._text[end] != "`":
                end += 2 if self._text[end] == "\\" else 1
            self._nested.append(self._text[start + 1 : end].replace("\\`", "`"))
        else:
            opening = start + (self._text[start] == "$")
            end = _closing(self._text, opening)
            self._nested.append(self._text[opening + 1 : end])
        self._at = end + 1
        return self._text[start : self._at]


def _ansi_escape(escape: re.Match[str]) -> str:
    code = escape[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8))
    return {
        "n": "\n",
        "t": "\t",
        "r": "\r",
        "a": "\a",
        "b": "\b",
        "e": "\x1b",
        "E": "\x1b",
        "f": "\f",
        "v": "\v",
    }.get(code, code)


def _closing(text: str, opening: int) -> int:
    """Where the bracket at `opening` is closed, quotes minded."""
    depth, at = 0, opening
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "'":
            end = text.find("'", at + 1)
            at = len(text) if end < 0 else end
        elif char == '"':
            at = _closing_quote(text, at)
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return at
        at += 1
    return len(text)


def _closing_quote(text: str, opening: int) -> int:
    at = opening + 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 1
        elif text.startswith("$(", at):
            at = _closing(text, at + 1)
        at += 1
    return at


def _substitutions(body: str) -> list[str]:
    """The scripts in a here-document's `$(...)` and backticks."""
    # Quotes mean nothing in there, which is how text inside double quotes is read.
    reader = _Reader('"' + body.replace('"', '\\"') + '"')
    return [script for _, nested in reader.pipelines() for script in nested]

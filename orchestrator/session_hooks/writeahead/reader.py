"""Read a shell script into pipelines of commands, in one pass.

Quotes, escapes, operators, substitutions and here-documents are understood; variables and globs
remain as they are written.
"""

import re

from orchestrator.session_hooks.writeahead.effort import STEPS_OF_A_COMMAND, Effort
from orchestrator.session_hooks.writeahead.quoting import decode_ansi_escape, find_closing
from orchestrator.session_hooks.writeahead.script import Chain, Command, Pipeline, Scope

_KEYWORDS = frozenset(
    ("if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "!", "{", "}")
)
_LEAVES = frozenset(("exit", "return", "exec"))
"""After these nothing of the script is run."""
_META = " \t\n|&;()<>"


class Reader:
    """Reads a script once, from left to right.

    Scripts may be hostile or huge: each character is looked at a bounded number of times.

    Args:
        text: the script.
        effort: counts the characters; raises if they are too many.
        origin: the command that starts the script.
    """

    def __init__(self, text: str, effort: Effort, origin: Command | None = None) -> None:
        effort.spend(len(text))
        self._text, self._at, self._piping, self._effort = text, 0, False, effort
        self._determines_success = origin is None or origin.determines_success
        self._whole = origin is None
        self._scope = Scope(origin.scope if origin else None)
        self._chain = origin.chain if origin else Chain()
        self._plain, self._unclosed_up_to = True, 0
        self._words: list[str] = []
        self._stdin = ""
        self._pipeline: list[Command] = []
        self._nested: list[str] = []
        self._heredocs: list[tuple[str, bool, bool, Command | None]] = []
        self._read: list[Pipeline] = []

    def read_pipelines(self) -> list[Pipeline]:
        """Return all pipelines, in the order of the text."""
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
                self._read_newline()
            elif char in "<>" or text.startswith("&>", self._at):
                self._read_redirection()
            elif char in "|&;()":
                self._read_operator()
            else:
                self._add_word()
        self._end_pipeline()
        self._mark_deciding_commands()
        return self._read

    def _mark_deciding_commands(self) -> None:
        """Mark the commands that determine the exit code of the script: those of its last chain."""
        if not self._plain or not self._determines_success or not self._read:
            return
        last = self._read[-1]
        if last.chain.alternative:
            return
        alone = self._whole and all(pipeline.chain is last.chain for pipeline in self._read)
        for pipeline in self._read:
            if pipeline.chain is last.chain and len(pipeline.commands) == 1:
                pipeline.commands[0].determines_success = True
                pipeline.commands[0].determines_failure = alone and pipeline is last
            if any(command.program in _LEAVES for command in pipeline.commands):
                return

    def _read_operator(self) -> None:
        self._effort.spend(STEPS_OF_A_COMMAND // 4)
        two = self._text[self._at : self._at + 2]
        self._at += 2 if two in ("&&", "||", ";;", "|&") else 1
        self._piping = two == "|&" or (two[0] == "|" and two != "||")
        background = two[0] == "&" and two != "&&"
        if self._piping:
            self._end_command()
            return
        self._end_pipeline(alone=background)
        if two[0] == "(":
            self._scope = Scope(self._scope)
        elif two[0] == ")":
            self._scope = self._scope.parent or self._scope
        elif two != "&&":
            self._chain = Chain(alternative=two == "||")
        self._plain = self._plain and two[0] not in "()" and not background

    def _read_newline(self) -> None:
        self._end_command()
        self._read_heredocs()
        if not self._piping:
            more = bool(self._pipeline)
            self._end_pipeline()
            if more:
                self._chain = Chain()

    def _end_command(self) -> None:
        if self._words:
            command = Command(self._words, self._scope, self._chain, self._stdin)
            self._pipeline.append(command)
            # A here-document's body comes after the line, but belongs to this command.
            self._heredocs = [(*entry[:3], entry[3] or command) for entry in self._heredocs]
        self._words, self._stdin = [], ""

    def _end_pipeline(self, alone: bool = False) -> None:
        self._end_command()
        self._effort.spend(STEPS_OF_A_COMMAND * len(self._pipeline))
        if len(self._pipeline) > 1 or alone:
            for command in self._pipeline:
                command.scope = Scope(self._scope)
        if self._pipeline or self._nested:
            self._read.append(Pipeline(self._pipeline, self._nested, self._scope, self._chain))
        self._pipeline, self._nested = [], []

    def _add_word(self) -> None:
        start, self._piping = self._at, False
        word = self._read_word()
        plain = self._text[start : self._at] == word
        if plain and word.isdigit() and self._text[self._at : self._at + 1] in ("<", ">"):
            return
        if plain and not self._words and word in _KEYWORDS:
            self._plain = False
            return
        if plain and word == "{" and self._words[:1] == ["function"]:
            self._words = []
            return
        self._words.append(word)

    def _read_redirection(self) -> None:
        rest = self._text[self._at : self._at + 3]
        if rest[:2] in ("<(", ">("):
            self._at += 1
            self._words.append(self._read_substitution())
            return
        if rest == "<<<":
            self._at += 3
            self._skip_blanks()
            self._stdin = self._read_word()
            return
        if rest[:2] == "<<":
            self._at += 3 if rest == "<<-" else 2
            self._skip_blanks()
            start = self._at
            delimiter = self._read_word()
            literal = self._text[start : self._at] != delimiter
            self._heredocs.append((delimiter, rest == "<<-", literal, None))
            return
        while self._at < len(self._text) and self._text[self._at] in "<>&|":
            self._at += 1
        self._skip_blanks()
        self._read_word()

    def _read_heredocs(self) -> None:
        waiting, self._heredocs = self._heredocs, []
        for delimiter, tabs, literal, owner in waiting:
            body = self._read_heredoc_body(delimiter, tabs)
            if not literal:
                self._nested += _find_substitutions(body, self._effort)
            if owner:
                owner.stdin = body

    def _read_heredoc_body(self, delimiter: str, tabs: bool) -> str:
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

    def _skip_blanks(self) -> None:
        while self._text[self._at : self._at + 1] in (" ", "\t"):
            self._at += 1

    def _read_word(self) -> str:
        text = self._text
        parts: list[str] = []
        while self._at < len(text):
            char = text[self._at]
            if char in _META:
                if char != "(" or not self._read_pattern(parts):
                    break
            elif char == "\\":
                parts.append(
                    ""
                    if text[self._at + 1 : self._at + 2] == "\n"
                    else text[self._at + 1 : self._at + 2]
                )
                self._at += 2
            elif char == "'":
                parts.append(self._read_until("'"))
            elif char == '"':
                parts.append(self._read_double_quoted())
            elif text.startswith("$'", self._at):
                self._at += 1
                parts.append(self._read_ansi_quoted())
            elif char == "`" or text.startswith("$(", self._at):
                parts.append(self._read_substitution())
            elif text.startswith("${", self._at):
                end = find_closing(text, self._at, marks="${}") + 1
                parts.append(text[self._at : end])
                self._nested += _find_substitutions(parts[-1], self._effort)
                self._at = end
            else:
                parts.append(char)
                self._at += 1
        return "".join(parts)

    def _read_pattern(self, parts: list[str]) -> bool:
        """Read brackets right after a word as part of it: `!(keep)`, zsh's `*(N)`, `list=(a b)`.

        The brackets of a function, and of a subshell after `if` or `!`, are not part of a word.
        Of brackets that are not closed on their line only the first one is added to `parts`, so
        that the word is recognized as incomplete.

        Returns:
            Whether the brackets were read.
        """
        first = not self._words or self._words == ["function"]
        if not parts or (first and "".join(parts[:6]) in _KEYWORDS):
            return False
        end = self._find_bracket_end()
        inside = self._text[self._at + 1 : end]
        if end < 0:
            parts.append("(")
            return False
        if first and not inside.strip():
            return False
        self._effort.spend(STEPS_OF_A_COMMAND + len(inside))
        self._nested.append(inside)
        parts.append(f"({inside})")
        self._at = end + 1
        return True

    def _find_bracket_end(self) -> int:
        """Return where the bracket here is closed; -1 if it is not closed on its line."""
        # Nothing is searched twice: the time of a hostile line would grow with its square.
        if self._at < self._unclosed_up_to:
            return -1
        end = find_closing(self._text, self._at)
        if end < len(self._text) and "\n" not in self._text[self._at : end]:
            return end
        self._unclosed_up_to = end
        return -1

    def _read_until(self, quote: str) -> str:
        end = self._text.find(quote, self._at + 1)
        end = len(self._text) if end < 0 else end
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return inside

    def _read_ansi_quoted(self) -> str:
        end = self._at + 1
        while end < len(self._text) and self._text[end] != "'":
            end += 2 if self._text[end] == "\\" else 1
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return re.sub(
            r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", decode_ansi_escape, inside, flags=re.DOTALL
        )

    def _read_double_quoted(self) -> str:
        text, parts = self._text, []
        self._at += 1
        while self._at < len(text) and text[self._at] != '"':
            char, after = text[self._at], text[self._at + 1 : self._at + 2]
            if char == "\\" and after and after in '"\\$`\n':
                parts.append("" if after == "\n" else after)
                self._at += 2
            elif char == "`" or (char == "$" and after == "("):
                parts.append(self._read_substitution())
            else:
                parts.append(char)
                self._at += 1
        self._at += 1
        return "".join(parts)

    def _read_substitution(self) -> str:
        """Record the script of `$(...)`, `(...)` or backticks, and return its text as written."""
        start = self._at
        if self._text[start] == "`":
            end = start + 1
            while end < len(self._text) and self._text[end] != "`":
                end += 2 if self._text[end] == "\\" else 1
            self._nested.append(self._text[start + 1 : end].replace("\\`", "`"))
        else:
            opening = start + (self._text[start] == "$")
            end = find_closing(self._text, opening)
            self._nested.append(self._text[opening + 1 : end])
        self._at = end + 1
        return self._text[start : self._at]


def _find_substitutions(body: str, effort: Effort) -> list[str]:
    """Return the scripts in the `$(...)` and backticks of a here-document."""
    # Quotes have no meaning in a here-document, as in a text between double quotes.
    reader = Reader('"' + body.replace('"', '\\"') + '"', effort)
    return [script for pipeline in reader.read_pipelines() for script in pipeline.nested]

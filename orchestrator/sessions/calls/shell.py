"""Split a shell command into its segments and words, without running anything.

A scanner in one pass over the text, so that no input costs more than its length. It knows quotes,
substitutions, here-documents, comments, redirections and the operators between commands. It does
not expand anything: what stands in `$(...)` or backticks is part of a word.
"""

import functools
import re
import string
from dataclasses import dataclass
from typing import Final, NamedTuple

MOST_OF_COMMAND: Final = 16_000
"""Characters of a command that are looked at; what is longer is a here-document."""

_PIECE: Final = re.compile(
    r"""[A-Za-z_./:=,@%+*?~^!\[\]-][^\\'`$"()<>&|;\n\s]*+|"[^"\\$`]*+"|\\.|'[^']*+(?:'|\Z)|`[^`]*+(?:`|\Z)|\$\{[^}]*+(?:\}|\Z)|\$\(|[<>]\(|"|\(|\)
    |\d*+(?:<<<|<<-?|>>|>\||<>|[<>])(?:&(?:\d++-?|-))?|&>>?|&&|\|\||\|&|[|;&\n]|[ \t\r]++|\#
    |[^\\'`$"()<>&|;\n\s\#\d]++|\d++|.""",
    re.DOTALL | re.VERBOSE,
)
_QUOTED_PIECE: Final = re.compile(r'\\.|"|\$\(|`[^`]*+(?:`|\Z)|[^\\"$`]++|.', re.DOTALL)
_DELIMITER: Final = re.compile(r"""[ \t]*+\\?(["']?)([\w.-]++)\1""")
_REDIRECTION: Final = re.compile(r"(\d*)(<<<|<<-?|>>|>\||<>|[<>])(&(?:\d+-?|-))?|&>>?")
_PLAIN_STARTS: Final = frozenset(string.ascii_letters + "_./:=,@%+*?~^![]-")
_SPECIAL: Final = re.compile(r"[\\'\"`$<>#(){}]|&\d|[|&;]\s*(?:$|[|&;])")
_PLAIN_OPERATOR: Final = re.compile(r"(&&|\|\||\|&|[|;&\n])")
_OPERATORS: Final = frozenset({"&&", "||", "|", "|&", ";", "&", "\n"})
_KEYWORDS: Final = frozenset(
    {"if", "then", "else", "elif", "while", "until", "do", "!", "{", "}", "time", "done", "fi"}
)
_LOOP_HEADS: Final = frozenset({"for", "case", "select", "function", "esac", "in"})
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*+(?:\[[^\]]*+\])?\+?=")


class Word(NamedTuple):
    """A word of a command, without its quotes."""

    text: str
    is_quoted: bool = False
    """Whether a part of it stands in quotes or is a substitution."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A simple command, and the operators around it."""

    words: tuple[Word, ...]
    """Without assignments, shell keywords and redirections."""
    after: str
    """The operator that follows it; `;` at the end."""
    keywords: tuple[str, ...] = ()
    """The shell keywords before it: `if`, `!`, `do`."""
    targets: tuple[str, ...] = ()
    """The files that its output is redirected to."""

    @property
    def program(self) -> str:
        """The name of the program, without folders; empty if there are only assignments."""
        return self.words[0].text.rpartition("/")[2] if self.words else ""


@functools.lru_cache(maxsize=1024)
def split_command(command: str) -> tuple[Segment, ...]:
    """Return the segments of a command in their order; a subshell's are like those around it."""
    text = command[:MOST_OF_COMMAND]
    plain = text.replace(" 2>&1", "").replace(" 2>/dev/null", "")
    if _SPECIAL.search(plain):
        return _Scanner(text).scan()
    return _split_plain(plain)


def _split_plain(text: str) -> tuple[Segment, ...]:
    """Return the segments of a command without quotes, substitutions and redirections.

    Most commands are such, and this takes a fifth of the time.
    """
    parts = _PLAIN_OPERATOR.split(text)
    segments = []
    for at in range(0, len(parts), 2):
        words = [Word(each) for each in parts[at].split()]
        if words:
            operator = parts[at + 1] if at + 1 < len(parts) else ";"
            keywords, rest = _strip_keywords(words)
            segments.append(Segment(rest, operator, keywords))
    return tuple(segments)


class _Scanner:
    """The state of the scan of one command."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._segments: list[Segment] = []
        self._words: list[Word] = []
        self._targets: list[str] = []
        self._parts: list[str] = []
        self._is_word = False
        self._is_quoted = False
        self._depths: list[str] = []
        """What is open: `"` a string, `(` a substitution or what stands in parentheses in one."""
        self._redirection = ""
        self._delimiters: list[str] = []

    def scan(self) -> tuple[Segment, ...]:
        text, at, end = self._text, 0, len(self._text)
        while at < end:
            in_string = bool(self._depths) and self._depths[-1] == '"'
            match = (_QUOTED_PIECE if in_string else _PIECE).match(text, at)
            if match is None:  # a backslash at the very end
                break
            piece, at = match[0], match.end()
            if not self._depths and (piece == " " or piece[0] in _PLAIN_STARTS):  # most of them
                if piece == " ":
                    self._end_word()
                else:
                    self._parts.append(piece)
                    self._is_word = True
            elif piece in {'"', "$(", "<(", ">("}:
                self._open_or_close(piece)
            elif in_string:
                self._add(piece[1:] if piece[0] == "\\" else piece, is_quoted=True)
            else:
                at = self._take_plain(piece, at)
        self._end_segment("")
        return tuple(self._segments)

    def _open_or_close(self, piece: str) -> None:
        if piece == '"':
            if self._depths and self._depths[-1] == '"':
                self._depths.pop()
            else:
                self._depths.append('"')
            self._add(piece if len(self._depths) > 1 else "", is_quoted=True)
        else:
            self._depths.append("(")
            self._add(piece, is_quoted=True)

    def _take_plain(self, piece: str, at: int) -> int:
        """Take a piece of text outside of a string; return where to go on."""
        if piece == "#" and not self._is_word:
            newline = self._text.find("\n", at)
            return len(self._text) if newline < 0 else newline
        if piece.lstrip("0123456789") in {"<<", "<<-"}:
            match = _DELIMITER.match(self._text, at)
            if match:
                self._delimiters.append(match[2])
                return match.end()
        elif piece == "\n" and self._delimiters:
            at = self._skip_documents(at)
        if self._depths:
            self._add_in_substitution(piece)
        elif piece in _OPERATORS:
            self._end_segment(piece)
        elif piece in {"(", ")"}:
            self._end_segment(";" if piece == "(" else "")
        elif piece[0] in " \t\r":
            self._end_word()
        elif _REDIRECTION.fullmatch(piece):
            self._start_redirection(piece)
        elif piece[0] == "\\":
            self._add(piece[1:].replace("\n", ""), is_quoted=False)
        else:
            is_string = piece[0] in "'\""
            text = piece[1:].removesuffix(piece[0]) if is_string else piece
            self._add(text, is_quoted=is_string or piece[0] in "`$")
        return at

    def _add_in_substitution(self, piece: str) -> None:
        if piece == "(":
            self._depths.append("(")
        elif piece == ")":
            self._depths.pop()
        self._add(piece, is_quoted=True)

    def _start_redirection(self, piece: str) -> None:
        if self._is_word and piece[0].isdigit():
            # `a2>b`: the digits belong to the word, as the scanner has them in one piece.
            digits = piece[: len(piece) - len(piece.lstrip("0123456789"))]
            self._add(digits, is_quoted=False)
            piece = piece[len(digits) :]
        self._end_word()
        if "&" not in piece or piece.startswith("&>"):
            self._redirection = piece

    def _skip_documents(self, at: int) -> int:
        """Return where the here-documents end whose first line starts here."""
        for delimiter in self._delimiters:
            while at < len(self._text):
                newline = self._text.find("\n", at)
                stop = len(self._text) if newline < 0 else newline
                line, at = self._text[at:stop], min(stop + 1, len(self._text))
                if line.strip("\t\r ") == delimiter:
                    break
        self._delimiters = []
        return at

    def _add(self, text: str, *, is_quoted: bool) -> None:
        self._parts.append(text)
        self._is_word = True
        self._is_quoted = self._is_quoted or is_quoted

    def _end_word(self) -> None:
        if not self._is_word:
            return
        text = "".join(self._parts)
        if not self._redirection:
            self._words.append(Word(text, self._is_quoted))
        elif ">" in self._redirection and text != "/dev/null":
            self._targets.append(text)
        self._parts, self._is_word, self._is_quoted, self._redirection = [], False, False, ""

    def _end_segment(self, after: str) -> None:
        self._end_word()
        self._redirection = ""
        if not self._words and not self._targets:
            if after in {";", "", "\n"} or not self._segments:
                return
            self._join_operator(after)
            return
        keywords, words = _strip_keywords(self._words)
        self._segments.append(Segment(words, after or ";", keywords, tuple(self._targets)))
        self._words, self._targets = [], []

    def _join_operator(self, after: str) -> None:
        """Give a closing parenthesis's operator to the last command in it: `(a; b) | c`."""
        last = self._segments[-1]
        if last.after in {";", "\n"}:
            self._segments[-1] = Segment(last.words, after, last.keywords, last.targets)


def _strip_keywords(words: list[Word]) -> tuple[tuple[str, ...], tuple[Word, ...]]:
    """Split a command into its keywords and the words from its program on."""
    keywords: list[str] = []
    for number, word in enumerate(words):
        if word.is_quoted and not _ASSIGNMENT.match(word.text):
            return tuple(keywords), tuple(words[number:])
        if word.text in _LOOP_HEADS:
            return (*keywords, word.text), ()
        if word.text in _KEYWORDS:
            keywords.append(word.text)
        elif not _ASSIGNMENT.match(word.text):
            return tuple(keywords), tuple(words[number:])
    return tuple(keywords), ()

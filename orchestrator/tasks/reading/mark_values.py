"""Parse the values of marks: ids, priorities, globs and commands."""

import re
import shlex
from typing import Final


def _split_words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLER: Final = _split_words(
    "and or on of the all is are task tasks issue issues completion completing completed done "
    "finished landing landed first being"
)
_NOTHING: Final = frozenset(("", "none", "n/a", "na", "-", "nothing", "no", "\u2013", "—"))
_ID: Final = re.compile(r"#?[A-Za-z0-9][\w./-]*")
_ID_RANGE: Final = re.compile(
    r"\b([A-Za-z]{0,12}[-_]?)(\d{1,6})(?:\s?(?:-|\u2013|—|\.\.)\s?"
    r"|(?P<word>\s+(?i:to|thru|through)\s+(?i:tasks?\s+)?))([A-Za-z]{0,12}[-_]?)(\d{1,6})"
)
_NAMED_NUMBER: Final = re.compile(r"\b([A-Za-z]+)[ \t]+(?=\d)")
_JOINT: Final = "\ue000"
_MOST_IN_RANGE: Final = 1000
_WORDS: Final = {
    **dict.fromkeys(("critical", "urgent", "blocker", "highest"), 1),
    **dict.fromkeys(("high", "important"), 2),
    **dict.fromkeys(("medium", "normal", "default"), 5),
    "low": 8,
    **dict.fromkeys(("lowest", "optional", "future", "someday", "nice to have"), 9),
}
"""Priorities by the words that people write."""
_GLOB: Final = re.compile(r"[\w./*?\[\]{},@+~!-]+")
_LONGEST_COMMAND: Final = 2000
_OPERATORS: Final = ";&|()<>"
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*", re.S)
_PROGRAMS: Final = _split_words(
    "bash bats bun bundle cargo cmake composer ctest cypress deno docker dotnet env eslint ginkgo "
    "git gradle grep hatch jest karma lein meson mix mocha mvn mypy ninja nox npm npx nx "
    "orchestrator pdm perl php phpunit pip playwright pnpm poetry pre-commit prettier pyright "
    "pytest python rake rspec ruby ruff rustc sbt sh shellcheck tox tsc turbo uv uvx vitest yarn "
    "zig"
)
"""First words that begin a command and no sentence."""
_VERBS: Final = _split_words("behave echo false go just make node prove stack swift task test true")
"""Programs whose names begin sentences, too: `make sure that it works`."""
_OF_SENTENCES: Final = _split_words(
    "a all an and any each every for in into it its new no of on or our sure that the them they "
    "this through to what whether with your"
)
_MOST_PLAIN_WORDS: Final = 8
_PROGRAM_PATH: Final = re.compile(
    r"\.{0,2}/\S*|(?:bin|scripts?|tools|vendor|node_modules|\.?venv)/\S+"
    r"|[\w./-]+\.(?:sh|py|js|ts|pl|rb)"
)
_SOURCE_FILE: Final = re.compile(r".*\.(?:py|js|ts|pl|rb)")
"""A file of tests rather than a program, in `**Tests:** `tests/test_a.py``."""
_VERSIONED: Final = re.compile(r"python\d(?:\.\d+)?")


class MarkError(Exception):
    """A mark has a value that cannot be meant."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def parse_ids(value: str, *, sure: bool) -> tuple[str, ...] | None:
    """Return the ids of tasks in a text; None if it names none.

    Args:
        value: such as `T001, T004-T006 and #12`.
        sure: whether a word without a digit is an id, too.
    """
    value = value.strip().rstrip(".")
    if value.lower() in _NOTHING:
        return ()
    ids = []
    value = _NAMED_NUMBER.sub(_join_number, _ID_RANGE.sub(_expand_range, value))
    for token in re.split(r"[,;&\s]+", value):
        word = token.strip("`*_()[]:.\"'")
        if word.lower() in _FILLER or not _ID.fullmatch(word.replace(_JOINT, "")):
            continue
        if any(map(str.isdigit, word)) or sure:
            ids.append(word.replace(_JOINT, " "))
    return tuple(dict.fromkeys(ids)) or None


def parse_priority(value: object) -> int | None:
    """Return a priority from 1 to 9; None if the value is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, 1), 9)
    if not isinstance(value, str):
        return None
    word = value.strip().strip("`*").lower().removesuffix("priority").strip()
    word = word.removeprefix("priority").lstrip(": ").strip()
    if found := re.fullmatch(r"p?(\d{1,9})", word):
        return min(max(int(found[1]), 1), 9)
    return _WORDS.get(word)


def parse_files(value: str) -> tuple[str, ...] | None:
    """Return the globs in a text; None if it is a part of a sentence.

    Raises:
        MarkError: a glob leads out of the project.
    """
    tokens = [token for each in _split_globs(value) if (token := each.strip("`\"'"))]
    if not tokens or not all(map(_GLOB.fullmatch, tokens)):
        return None
    if not all(set(each) & set("/.*") for each in tokens):
        return None
    return normalize_globs(tokens)


def _split_globs(value: str) -> list[str]:
    """Split at white space, and at commas that are not in braces."""
    globs, depth = [""], 0
    for character in value:
        depth += (character == "{") - (character == "}" and depth > 0)
        if character.isspace() or (character == "," and not depth):
            globs.append("")
        else:
            globs[-1] += character
    return globs


def normalize_globs(globs: list[str]) -> tuple[str, ...]:
    """Return globs from the project's folder, a folder as all that is in it.

    Raises:
        MarkError: one leads out of the project.
    """
    found = []
    for each in globs:
        glob = each.strip().removeprefix("./")
        if glob.startswith(("/", "~")) or ".." in glob.split("/"):
            raise MarkError(
                f"`files: {each}` leads out of the project", "name paths from the project's folder"
            )
        if glob:
            found.append(f"{glob}**" if glob.endswith("/") else glob)
    return tuple(dict.fromkeys(found))


def parse_check(value: str, *, sure: bool) -> str | None:
    """Return the command in a text; None if it is a part of a sentence.

    Args:
        value: such as `pytest -q`, or a command in a code span.
        sure: whether a code span is a command whatever it begins with.

    Raises:
        MarkError: it needs a shell, or its quotes are not closed.
    """
    value = value.strip()
    quoted = re.fullmatch(r"(`+)([^`]+)\1\.?", value)
    if not quoted and "`" in value:
        return None
    words = (quoted[2] if quoted else value).split()
    if not words or not ((quoted and sure) or _is_program(words)):
        return None
    if quoted and not sure and len(words) == 1 and _SOURCE_FILE.fullmatch(words[0]):
        return None
    return require_plain_command(quoted[2].strip() if quoted else value)


def require_plain_command(command: str) -> str:
    """Return a command that needs no shell.

    Raises:
        MarkError: it needs one, is too long, or its quotes are not closed.
    """
    shown = command if len(command) <= 80 else f"{command[:79]}…"
    if len(command) > _LONGEST_COMMAND or "\n" in command:
        raise MarkError(f"the command is too long: {shown}", "put it into a script")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise MarkError(f"the command cannot be parsed ({error}): {shown}", "close it") from None
    if operator := next((each for each in _quote_free(command) if each in _OPERATORS), ""):
        raise MarkError(
            f"the command has `{operator}`, and is started without a shell: {shown}",
            "put it into a script, and name that",
        )
    if not words or _ASSIGNMENT.fullmatch(words[0]):
        raise MarkError(
            f"the command has no program before its values: {shown}", "write `env NAME=VALUE ...`"
        )
    return command


def _quote_free(command: str) -> str:
    """Return a command without what is in quotes or after a backslash."""
    return re.sub(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"", " ", command, flags=re.S)


def _expand_range(found: re.Match[str]) -> str:
    first, last = int(found[2]), int(found[5])
    is_range = found[1] or found["word"]  # `1-3` may be an id
    is_range = is_range and found[1] == found[4] and 0 <= last - first < _MOST_IN_RANGE
    if not is_range:
        return found[0]
    width = len(found[2])
    return " ".join(f"{found[1]}{number:0{width}}" for number in range(first, last + 1))


def _join_number(found: re.Match[str]) -> str:
    """Return a word that belongs to the number after it, as in `Phase 2`, joined with that."""
    return found[0] if found[1].lower() in _FILLER else f"{found[1]}{_JOINT}"


def _is_program(words: list[str]) -> bool:
    """Return whether the first word is a program, and the others no sentence."""
    first = words[0]
    if first in _VERBS:
        return len(words) <= _MOST_PLAIN_WORDS and not _OF_SENTENCES.intersection(words)
    return bool(first in _PROGRAMS or _VERSIONED.fullmatch(first) or _PROGRAM_PATH.fullmatch(first))

"""Say what a shell command does: its key, and whether it only looks at things."""

import functools
import re
from typing import Final

from orchestrator.sessions.calls import programs
from orchestrator.sessions.calls.shell import Segment, Word, split_command
from orchestrator.sessions.calls.shortening import shorten_at_space

MOST_OF_KEY: Final = 200
"""Characters of a key; a longer command is not repeated by chance, and its start says enough."""

_WRITING_OPTIONS: Final = re.compile(
    r"-[a-zA-Z]*i[a-zA-Z]*(?:\..*)?|--in-place.*|-delete|-exec|-execdir|-ok|-fprint.*|-o|--output.*"
)
_WITH_WRITING_OPTIONS: Final = frozenset({"sed", "find", "fd", "sort", "tree", "yq", "awk", "gawk"})
_HELP: Final = frozenset({"--version", "-v", "--help", "-h", "version", "help"})
_MOST_OF_SUFFIX: Final = 5
_MOST_OF_NAME: Final = 80
_MOST_OF_PROGRAM: Final = 40
_NAMED: Final = re.compile(r"[a-z][\w:.-]*", re.ASCII)
_LETTERS: Final = re.compile(r"-[a-z]{1,4}", re.ASCII)
_ONE_DASH: Final = re.compile(r"-[a-z][a-z-]*", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?[a-zA-Z%]{0,2}")
_HEX: Final = re.compile(r"(?=\w*\d)[0-9a-f]{7,64}|[0-9a-f]{8}-[0-9a-f-]{27}")


def strip_wrappers(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return a command from the program on that does the work: `uv run pytest` is `pytest`."""
    while words:
        program = words[0].text.rpartition("/")[2]
        if program in programs.WRAPPERS:
            rest = _skip_options(words[1:], programs.WRAPPERS[program])
            if program in {"timeout", "gtimeout"}:
                rest = rest[1:]
        elif len(words) > 2 and (program, words[1].text) in programs.RUNNERS:
            rest = _skip_options(words[2:], "")
        else:
            return words
        if not rest:
            return words
        words = rest
    return words


def _skip_options(words: tuple[Word, ...], with_value: str) -> tuple[Word, ...]:
    at = 0
    while at < len(words):
        text = words[at].text
        if not (text.startswith("-") or ("=" in text and text.partition("=")[0].isidentifier())):
            break
        at += 2 if len(text) == 2 and text[1] in with_value and text[0] == "-" else 1
    return words[at:]


@functools.lru_cache(maxsize=1024)
def normalize(command: str) -> str:
    """Return the key of a command: equal for commands that do the same with other names.

    What only looks at things, as `cd` and `| tail` do, is left out unless nothing else is there.
    Of each other segment there are the program, its subcommands, its options, and placeholders for
    its other arguments, both in order of the alphabet: `cd /a && git add x.py | cat` gives
    `git add <path>`.
    """
    segments = [each for each in split_command(command) if each.words]
    working = [each for each in segments if not _only_reads(each)]
    looking = [each for each in segments if each.program not in programs.SILENT] or segments
    keys = [normalize_segment(each) for each in working or looking[:1]]
    return shorten_at_space(" && ".join(dict.fromkeys(keys)), MOST_OF_KEY)


def normalize_segment(segment: Segment) -> str:
    """Return the key of one segment, without the files it is redirected to."""
    words = strip_wrappers(segment.words)
    if not words:
        return ""
    program = shorten_at_space(words[0].text.rpartition("/")[2], _MOST_OF_PROGRAM)
    if words[0].is_quoted:
        program = "<text>"
    words = _drop_global_options(words, program)
    count = _count_subcommands(words, program)
    named = [each.text for each in words[1 : 1 + count]]
    has_words = program in programs.LONG_WITH_ONE_DASH
    rest = {_replace_argument(each, has_words): None for each in words[1 + count :]}
    options = sorted(each for each in rest if each.startswith("-"))
    others = sorted(each for each in rest if each.startswith("<"))
    return shorten_at_space(" ".join((program, *named, *options, *others)), MOST_OF_KEY)


def name_segment(segment: Segment) -> str:
    """Return the program of a segment and its subcommands: `git push`, `npm run lint`."""
    words = strip_wrappers(segment.words)
    if not words or words[0].is_quoted:
        return "<text>" if words else ""
    program = shorten_at_space(words[0].text.rpartition("/")[2], _MOST_OF_PROGRAM)
    words = _drop_global_options(words, program)
    count = _count_subcommands(words, program)
    named = [each.text for each in words[1 : 1 + count]]
    return shorten_at_space(" ".join((program, *named)), _MOST_OF_NAME)


def _count_subcommands(words: tuple[Word, ...], program: str) -> int:
    """Return how many words after the program say what it does."""
    if program.startswith("python") and len(words) > 2 and words[1].text == "-m":
        return 2
    most = programs.SUBCOMMANDS.get(program, 0 if program in programs.READERS else 1)
    if most == 1 and len(words) > 1 and words[1].text in programs.RUN:
        most = 2
    if program not in programs.SUBCOMMANDS and program in programs.PLAIN:
        return 0
    count = 0
    for each in words[1 : 1 + most]:
        if each.is_quoted or _is_path(each.text) or _HEX.fullmatch(each.text):
            break
        if not _NAMED.fullmatch(each.text):
            break
        count += 1
    return count


def _is_path(text: str) -> bool:
    if "/" in text or text.startswith((".", "~")):
        return True
    suffix = text.rpartition(".")[2] if "." in text else ""
    return 0 < len(suffix) <= _MOST_OF_SUFFIX and suffix.isalnum()


@functools.lru_cache(maxsize=4096)
def _replace_argument(word: Word, has_words: bool) -> str:
    """Return an option as it is, without its value, and a placeholder for anything else.

    Args:
        word: an argument.
        has_words: whether the program has options such as `-run`; others have their values there.
    """
    text = word.text
    if text.startswith("-") and len(text) > 1:
        if text == "--" or text[1:].isdigit():
            return ""
        option = text.partition("=")[0]
        if not (_LETTERS.fullmatch(option) or (has_words and _ONE_DASH.fullmatch(option))):
            option = option if option.startswith("--") else option[:2]
        return option if len(option) <= 40 and not _is_path(option) else "<option>"
    if "$(" in text or any(each in text for each in " \t\n"):
        return "<text>"
    if _NUMBER.fullmatch(text):
        return "<number>"
    return "<hex>" if _HEX.fullmatch(text) else "<path>" if _is_path(text) else "<name>"


@functools.lru_cache(maxsize=1024)
def is_read_only(command: str) -> bool:
    """Return whether a command surely changes no file of the project.

    A command without an effect (`cd`, `echo`, `sleep`) is one of them; an unknown one is not.
    """
    return all(_only_reads(each) for each in split_command(command))


@functools.lru_cache(maxsize=1024)
def leaves_files(command: str) -> bool:
    """Return whether a command surely leaves the source files of a project as they are.

    Linters, builds and commits may write elsewhere, so they are not `is_read_only`, but what was
    read before is still so after them.
    """
    return is_read_only(command) or all(_leaves_files(each) for each in split_command(command))


def _leaves_files(segment: Segment) -> bool:
    if _only_reads(segment):
        return True
    if any(not each.startswith(("/dev/", "/tmp/", "&")) for each in segment.targets):  # noqa: S108
        return False
    if any(each.text in {"--fix", "--write"} for each in segment.words):
        return False
    program, *subcommands = name_segment(segment).split(" ") or [""]
    if program not in programs.SUBCOMMANDS:
        return program in programs.CHECKERS
    task = subcommands[-1].partition(":")[0] if subcommands else ""
    return task in programs.CHECKS


def _only_reads(segment: Segment) -> bool:
    words = strip_wrappers(segment.words)
    writes = any(not each.startswith(("/dev/", "&")) for each in segment.targets)
    if writes or not words:
        return not writes
    for word in words:
        if word.is_quoted and any(each in word.text for each in ("$(", "`", "<(", ">(")):
            return False
    program = words[0].text.rpartition("/")[2]
    if program in programs.READERS:
        return program not in _WITH_WRITING_OPTIONS or not _has_writing_option(program, words)
    if len(words) == 2 and words[1].text in _HELP:
        return True
    return program in programs.READING and _reads_by_subcommand(program, words)


def _has_writing_option(program: str, words: tuple[Word, ...]) -> bool:
    if program.endswith("awk"):
        return any(
            ">" in each.text or "system" in each.text or each.text == "-i" for each in words[1:]
        )
    return any(_WRITING_OPTIONS.fullmatch(each.text) for each in words[1:])


def _reads_by_subcommand(program: str, words: tuple[Word, ...]) -> bool:
    names = [each.text for each in _drop_global_options(words, program)[1:]]
    if program == "gh":
        if names[:1] == ["api"]:
            return not any(
                each.startswith(("-X", "-f", "-F", "--method", "--field", "--raw-field", "--input"))
                for each in names
            )
        return any(each in programs.READING["gh"] for each in names[:2])
    if program == "git" and names[:1] in (["branch"], ["remote"], ["tag"], ["stash"], ["worktree"]):
        options = names[1:]
        return options[:1] in (["list"], ["show"], ["get-url"]) or (
            names[0] != "stash" and all(each in programs.BRANCH_LISTS for each in options)
        )
    if program == "git" and names[:1] == ["config"]:
        return any(each in {"--get", "--list", "-l", "--get-all", "get"} for each in names[1:])
    return bool(names) and names[0] in programs.READING[program]


def _drop_global_options(words: tuple[Word, ...], program: str) -> tuple[Word, ...]:
    """Return a command without the options before its subcommand: `git -C folder status`."""
    if program not in programs.SUBCOMMANDS:
        return words
    at = 1
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in programs.GLOBAL_OPTIONS else 1
    return (words[0], *words[at:]) if at < len(words) else words

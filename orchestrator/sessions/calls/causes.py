"""Normalize the errors of tool calls: what was the cause, whose fault it was, and a key.

One table for all that Claude Code itself says; what a shell command says is read line by line. The
table is matched at the start of a result only, because results of other calls may quote it. It
holds what 826 errors of 273 real sessions were, and what other readers' exclude lists hold.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from orchestrator.sessions.calls import programs
from orchestrator.sessions.calls.code_errors import is_code_error, reads_code
from orchestrator.sessions.calls.commands import name_segment
from orchestrator.sessions.calls.error_lines import MOST_RETURNED, find_error_line, normalize_line
from orchestrator.sessions.calls.shell import Segment, split_command
from orchestrator.sessions.calls.shortening import shorten_at_space
from orchestrator.sessions.calls.suite_outputs import TAIL, cut_output
from orchestrator.sessions.calls.suite_runs import Verdict, judge_call
from orchestrator.sessions.calls.tool_inputs import BashInput, EditInput, ReadInput, read_input
from orchestrator.sessions.models import ToolCall


class Cause(StrEnum):
    """What went wrong. The values are part of keys."""

    EXIT_CODE = "exit code"
    MISSING_PROGRAM = "missing program"
    TESTS_FAILED = "tests failed"
    NO_MATCH = "nothing found"
    TIMEOUT = "timeout"
    MISSING_FILE = "missing file"
    IS_FOLDER = "is a folder"
    TOO_LARGE = "too large"
    TEXT_NOT_FOUND = "text not found"
    TEXT_AMBIGUOUS = "text not unique"
    NO_CHANGE = "no change"
    NOT_READ = "not read before"
    CHANGED_SINCE = "changed since read"
    MISSING_TOOL = "missing tool"
    INVALID_INPUT = "invalid input"
    NETWORK = "network"
    MACHINE = "machine"
    CASCADE = "cascade"
    DENIED = "denied"
    CODE = "code"
    OTHER = "other"


class Origin(StrEnum):
    """Where an error comes from. Only those of the project may teach something."""

    PROJECT = "project"
    """A wrong idea of this project, its commands, or its environment."""
    EDIT = "edit"
    """An edit did not fit the file: counted by `edit_mismatches`."""
    WORK = "work"
    """A result, not a mistake: a test is red, a search found nothing."""
    CODE = "code"
    """The code that is being edited does not compile or pass a linter: it is only counted."""
    HARNESS = "harness"
    """How Claude Code works, on every project."""
    MACHINE = "machine"
    """The machine or the network."""
    CASCADE = "cascade"
    """Another call of the same message failed."""
    USER = "user"
    """A person, a hook or a setting refused it."""


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """The cause of one failed call."""

    cause: Cause
    origin: Origin
    key: str
    """The tool, the cause, and what it is about: equal in all sessions and on all machines."""
    line: str
    """The line that says it, as it stands in the transcript."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What a result starts with, and what it means."""

    starts: tuple[str, ...]
    cause: Cause
    origin: Origin


_TABLE: Final = (
    _Row(("Sibling tool call", "Cancelled: parallel tool call"), Cause.CASCADE, Origin.CASCADE),
    _Row(
        ("ENOENT: no such file or directory, posix_spawn", "spawn ", "ENOSPC", "EMFILE", "EAGAIN"),
        Cause.MACHINE,
        Origin.MACHINE,
    ),
    _Row(
        (
            *("[Request interrupted", "The user doesn't want to", "Permission to use"),
            *("Claude requested permissions", "Permission for this tool use was denied"),
        ),
        Cause.DENIED,
        Origin.USER,
    ),
    _Row(
        ("File does not exist", "Path does not exist", "Directory does not exist"),
        Cause.MISSING_FILE,
        Origin.PROJECT,
    ),
    _Row(("EISDIR",), Cause.IS_FOLDER, Origin.PROJECT),
    _Row(("File content (", "File is too large"), Cause.TOO_LARGE, Origin.HARNESS),
    _Row(("String to replace not found", "String not found"), Cause.TEXT_NOT_FOUND, Origin.EDIT),
    _Row(("Found ",), Cause.TEXT_AMBIGUOUS, Origin.EDIT),
    _Row(
        ("File has been modified since", "File has been unexpectedly modified"),
        Cause.CHANGED_SINCE,
        Origin.EDIT,
    ),
    _Row(("No changes to make",), Cause.NO_CHANGE, Origin.HARNESS),
    _Row(("File has not been read yet",), Cause.NOT_READ, Origin.HARNESS),
    _Row(
        ("Unknown skill", "Agent type ", "No such tool", "Error: No such tool"),
        Cause.MISSING_TOOL,
        Origin.PROJECT,
    ),
    _Row(("Skill ", "Task not found", "No task found"), Cause.OTHER, Origin.HARNESS),
    _Row(("InputValidationError",), Cause.INVALID_INPUT, Origin.HARNESS),
    _Row(("Command timed out", "Command was aborted"), Cause.TIMEOUT, Origin.PROJECT),
    _Row(
        (
            *("Request failed with status code", "Unable to fetch", "getaddrinfo"),
            *("Request timed out", "unable to verify", "Claude Code is unable to fetch"),
        ),
        Cause.NETWORK,
        Origin.MACHINE,
    ),
)
_OFFLINE: Final = (
    "Could not resolve host", "Temporary failure in name resolution", "Connection timed out",
    "No space left on device", "Network is unreachable", "error connecting to ",
)  # fmt: skip
_NOT_FOUND: Final = (
    re.compile(r"command not found: ([\w.+-]{1,60})"),
    re.compile(r"([\w.+-]{1,60}): (?:command )?not found"),
)
_EXIT: Final = re.compile(r"(?:Error: )?Exit code (\d{1,3})(?:\n|\Z)")
_FAILED_TASK: Final = re.compile(
    r"\[([\w:./-]{1,60})\] ERROR task failed|(?:[Ll]ifecycle script|Recipe) `([\w:.-]{1,60})`"
)
"""What task runners say of the task that failed."""
_MERGE: Final = re.compile(
    r"CONFLICT|error: could not apply|error: Your local changes|Automatic merge failed"
    r"|error: Merging is not possible|fatal: (?:Not possible to fast-forward|refusing to merge)"
)
"""What git says of what it could not merge."""
_MERGING: Final = frozenset(
    f"git {each}"
    for each in ("merge", "rebase", "pull", "cherry-pick", "revert", "stash", "checkout", "am")
)
_ASKS: Final = frozenset(
    {"grep", "egrep", "fgrep", "rg", "ag", "diff", "cmp", "test", "[", "[[", "pgrep", "which"}
    | {"command", "type", "false", "find", "ls", "lsof", "git diff", "git merge-base", "git grep"}
    | {
        "gh pr checks",
        "git config",
        "git rev-parse",
        "git show-ref",
        "git check-ignore",
        "git ls-files",
        "git branch",
    }
)
"""Commands that answer with exit code 1, and print nothing then."""
_MOST_OF_TOOL: Final = 80


def find_cause(call: ToolCall) -> ErrorCause | None:
    """Return why a call failed; None if it did not, as far as the transcript says."""
    if not call.is_error:
        return None
    tool = call.name[:_MOST_OF_TOOL]
    text = (call.result or "").lstrip()
    if call.denial is not None:
        return ErrorCause(Cause.DENIED, Origin.USER, f"{tool}: denied", _first_line(text))
    start = text.removeprefix("<tool_use_error>")[:MOST_RETURNED].lstrip()
    is_edit = call.name in {"Edit", "MultiEdit"}
    for row in _TABLE:
        if start.startswith(row.starts) and (row.cause is not Cause.TEXT_AMBIGUOUS or is_edit):
            return _build(call, row.cause, row.origin, _first_line(start))
    if call.name == "Bash":
        return _read_shell_error(call, text)
    line = find_error_line(cut_output(text))
    about = normalize_line(line)
    return ErrorCause(Cause.OTHER, Origin.PROJECT, f"{tool}: {about}", line)


def _first_line(text: str) -> str:
    line = text.lstrip().removeprefix("<tool_use_error>").partition("\n")[0]
    return line[:MOST_RETURNED].removesuffix("</tool_use_error>").strip()


def _build(call: ToolCall, cause: Cause, origin: Origin, line: str) -> ErrorCause:
    """Return a cause of the table, with the class of its target in the key."""
    about = ""
    if cause in {Cause.MISSING_FILE, Cause.IS_FOLDER}:
        about = _name_target(call, line)
    elif cause in {Cause.TEXT_NOT_FOUND, Cause.TEXT_AMBIGUOUS, Cause.CHANGED_SINCE}:
        about = find_suffix(call)
    elif cause is Cause.TIMEOUT:
        about = _name_failing(call, line)
    elif cause is Cause.MISSING_TOOL:
        about = shorten_at_space(line.partition(". ")[0], 80)
    key = f"{call.name[:_MOST_OF_TOOL]}: {cause}"
    return ErrorCause(cause, origin, f"{key}: {about}" if about else key, line)


def _name_target(call: ToolCall, line: str) -> str:
    """Return the name of the file that a call is about, without its folders and numbers."""
    given = read_input(call)
    path = given.file_path if isinstance(given, ReadInput | EditInput) else ""
    if not path and ": " in line:  # Grep and Glob: what they were given is not decoded
        path = line.partition(": ")[2].partition(". ")[0]
    name = PurePosixPath(path.replace("\\", "/")).name
    return re.sub(r"(?=[a-f]*\d)[0-9a-f]{12,}|\d+", "#", shorten_at_space(name, 80))


def find_suffix(call: ToolCall) -> str:
    """Return the kind of file that a call is about, as `*.py`; its name if it has no suffix."""
    given = read_input(call)
    path = PurePosixPath(given.path.replace("\\", "/")) if isinstance(given, EditInput) else None
    if path is None or not path.name:
        return ""
    return (
        shorten_at_space(f"*{path.suffix}", 20) if path.suffix else shorten_at_space(path.name, 40)
    )


def _read_shell_error(call: ToolCall, text: str) -> ErrorCause:
    """Return the cause of a shell command that failed, by what it printed."""
    run = judge_call(call)
    cut = cut_output(text)
    line = find_error_line(cut)
    if run is not None and run.verdict is Verdict.RED:
        return ErrorCause(
            Cause.TESTS_FAILED, Origin.WORK, f"Bash: tests failed: {run.runner}", line
        )
    if any(each in cut for each in _OFFLINE):
        return ErrorCause(Cause.NETWORK, Origin.MACHINE, "Bash: network", line)
    missing = next((found for each in _NOT_FOUND if (found := each.search(line))), None)
    if missing and _exit_code(text) == 127:
        key = f"Bash: {Cause.MISSING_PROGRAM}: {missing[1]}"
        return ErrorCause(Cause.MISSING_PROGRAM, Origin.PROJECT, key, line)
    name = _name_failing(call, line)
    about = normalize_line(line) or "no output"
    if is_code_error(cut, line) and (checker := _name_checker(call, name)):
        return ErrorCause(Cause.CODE, Origin.CODE, f"Bash: {checker}: {about}", line)
    if not line and _exit_code(text) == 1 and name in _ASKS:
        return ErrorCause(Cause.NO_MATCH, Origin.WORK, f"Bash: {Cause.NO_MATCH}: {name}", line)
    return ErrorCause(Cause.EXIT_CODE, Origin.PROJECT, f"Bash: {name}: {about}", line)


def _exit_code(text: str) -> int:
    match = _EXIT.match(text)
    return int(match[1]) if match else 0


def _name_failing(call: ToolCall, line: str) -> str:
    """Return the name of the segment that failed: the one that the output names, else the last."""
    names = _name_segments(call)
    if len(names) == 1:
        return names[0]
    task = _FAILED_TASK.search((call.result or "")[-TAIL:])
    program = re.match(r"([\w.+-]{1,40}):(?: |$)", line)
    by_git = line.startswith(("fatal: ", "CONFLICT", "error: ", "! ["))
    for each in reversed(names):
        first, _, rest = each.partition(" ")
        if task and rest.rpartition(" ")[2] in {task[1], task[2]}:
            return each
        if (program and first == program[1]) or (by_git and first == "git" and rest in line):
            return each
    by_git_only = [each for each in names if by_git and each.startswith("git ")]
    merging = [each for each in by_git_only if each in _MERGING and _MERGE.match(line)]
    return (merging or by_git_only or names)[-1]


def _name_checker(call: ToolCall, name: str) -> str:
    """Return the segment that read the code: the one that failed, else the last that does so."""
    names = (*_name_segments(call), name)
    return next((each for each in reversed(names) if reads_code(each)), "")


def _name_segments(call: ToolCall) -> list[str]:
    """Return the names of the segments of a command that can be why it failed."""
    given = read_input(call)
    segments = split_command(given.command) if isinstance(given, BashInput) else ()
    named = [name_segment(each) for each in _drop_filters(segments)]
    return [each for each in named if each] or ["<text>"]


def _drop_filters(segments: tuple[Segment, ...]) -> list[Segment]:
    """Return the segments that can be why a command failed."""
    kept: list[Segment] = []
    after = ";"
    for each in segments:
        is_filter = after in {"|", "|&"} and each.program in programs.FILTERS
        if each.words and not is_filter and each.program not in programs.SILENT:
            kept.append(each)
        after = each.after
    return kept or [each for each in segments if each.words]

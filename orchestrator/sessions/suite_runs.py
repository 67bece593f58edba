"""Tell which calls are runs of tests, what they say, and whether their exit code is hidden.

`is_error` does not say it: of 1,338 real test commands 711 hide the exit code, and half of the
failed ones carry no flag. So the output decides, and the flag only where the output is silent and
the flag is that of the tests.
"""

import functools
import re
from dataclasses import dataclass
from typing import Final

from orchestrator.sessions.commands import normalize_segment, strip_wrappers
from orchestrator.sessions.models import ToolCall
from orchestrator.sessions.programs import FILTERS, SILENT
from orchestrator.sessions.shell import Segment, split_command
from orchestrator.sessions.suite_outputs import Runner, Verdict, cut_output, judge_output
from orchestrator.sessions.tool_inputs import BashInput, read_input


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One call that runs tests."""

    runner: Runner
    verdict: Verdict
    is_hidden: bool
    """Whether the exit code of the tests does not reach the caller."""
    hidden_by: str = ""
    """What hides it, for people: `| tail`."""
    command: str = ""
    """The key of the segment that runs the tests."""


_MARKS: Final = ("test", "spec", "jest", "mocha", "tox", "nox", "check", "verify", "pest")
"""One of them stands in each command that runs tests."""
_PROGRAMS: Final = {
    "pytest": Runner.PYTEST, "py.test": Runner.PYTEST, "gotestsum": Runner.GO,
    "jest": Runner.JEST, "vitest": Runner.VITEST, "mocha": Runner.MOCHA, "rspec": Runner.RSPEC,
    "phpunit": Runner.PHPUNIT, "pest": Runner.PHPUNIT, "ctest": Runner.CTEST,
    "tox": Runner.OTHER, "nox": Runner.OTHER,
}  # fmt: skip
_SUBCOMMANDS: Final = {
    ("go", "test"): Runner.GO, ("cargo", "test"): Runner.CARGO, ("cargo", "nextest"): Runner.CARGO,
    ("dotnet", "test"): Runner.DOTNET, ("rails", "test"): Runner.OTHER, ("mix", "test"): Runner.OTHER,
    ("deno", "test"): Runner.OTHER, ("bun", "test"): Runner.OTHER, ("swift", "test"): Runner.OTHER,
    ("hatch", "test"): Runner.OTHER, ("sbt", "test"): Runner.OTHER, ("composer", "test"): Runner.OTHER,
    ("npm", "test"): Runner.OTHER, ("npm", "t"): Runner.OTHER, ("yarn", "test"): Runner.OTHER,
    ("pnpm", "test"): Runner.OTHER, ("playwright", "test"): Runner.OTHER, ("node", "--test"): Runner.NODE,
}  # fmt: skip
_TASKS: Final = frozenset(
    {"make", "gmake", "just", "task", "rake", "mise", "npm", "yarn", "pnpm", "bun", "composer"}
)
"""Programs that run a task of the project, which is one of tests if it is called so."""
_BUILDS: Final = {
    "gradle": Runner.GRADLE, "gradlew": Runner.GRADLE, "mvn": Runner.MAVEN, "mvnw": Runner.MAVEN
}  # fmt: skip
_TASK_NAME: Final = re.compile(
    r"(?:[\w.-]+:)?(?:test|tests|spec|pytest)(?:[:_-][\w:.-]+)?|[\w-]+:tests?"
)
_BUILD_TASK: Final = re.compile(r"(?:[\w:-]+:)?(?:\w*[tT]est|check|verify|install)")
_TEST_SCRIPT: Final = re.compile(r"(?:run[_-]?)?(?:all[_-]?)?tests?(?:\.(?:sh|py|js|ts|rb))?")
_LISTS_ONLY: Final = frozenset(
    "--collect-only --co --version --help -h --fixtures --listTests --no-run -N -list -c --list "
    "--show-only --dry-run".split(" ")
)
_LIST_MEANS: Final = {Runner.GO: frozenset({"-c", "-list"}), Runner.CTEST: frozenset({"-N"})}
"""Options of one letter that mean it with these runners only."""


_FAILED_TASK: Final = re.compile(
    r"\n\[[^\]\n]{0,30}test[^\]\n]{0,40}\] ERROR task failed"
    r"|\nnpm (?:ERR!|error) Test failed|\n.ELIFECYCLE. +Test failed|\nerror: Recipe `[^`\n]{0,30}test"
    r"|\nmake(?:\[\d{1,3}\])?: \*\*\* \[[^\]\n]{0,80}test[^\]\n]{0,40}\] Error"
)
"""What task runners say of a task of tests that failed."""
_NOT_RUN: Final = (
    "command not found", "Missing script", "No rule to make target", "unknown flag", "not defined: -",
    "no tasks ", "no task ", "unrecognized arguments", "Command running in background",
    "Command timed out", "no required module provides", "go: cannot find main module",
    "No module named pytest", "file or directory not found", "INTERNALERROR>",
)  # fmt: skip
"""What is printed where no test was run."""
_EXIT_CODE: Final = re.compile(r"\n(?:Error: )?Exit code (\d{1,3})\n")
_PRINTED_CODE: Final = re.compile(
    r"(?i)\n[^\n]{0,20}(?:exit|code|rc|status)[^\n\d]{0,20}(\d{1,3})\s*\Z"
)
_NOT_OF_TESTS: Final = frozenset({124, 126, 127, 130, 134, 137, 143})
"""Exit codes of a shell, a timeout or a signal."""
_RAN_SOME: Final = re.compile(
    r"\n(?:ok +\t[^\n\[]{1,300}(?:\n|\[cached)|--- PASS: |PASS\n(?!ok[^\n]*\[no tests))"
)
_LINES: Final = re.compile(r"-n?(\d{1,6})|(?<!.)\d{1,6}")


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a command says of its run of tests."""

    at: int
    runner: Runner
    hidden_by: str
    segments: tuple[Segment, ...]


def judge_call(call: ToolCall) -> SuiteRun | None:
    """Return what a call says of the tests; None if it runs none, or was not carried out."""
    if call.name != "Bash" or call.denial is not None:
        return None
    given = read_input(call)
    if not isinstance(given, BashInput) or not any(each in given.command for each in _MARKS):
        return None
    if given.run_in_background:
        reading = _read_command(given.command)
        return reading and SuiteRun(
            reading.runner, Verdict.UNKNOWN, is_hidden=True, hidden_by="in the background"
        )
    return judge_command(given.command, call.result, is_error=call.is_error)


@functools.lru_cache(maxsize=512)
def judge_command(command: str, result: str | None, *, is_error: bool) -> SuiteRun | None:
    """Return what a command and its output say of the tests; None if it runs none."""
    reading = _read_command(command)
    if reading is None:
        return None
    runner, verdict = reading.runner, Verdict.UNKNOWN
    if result is not None:
        runner, verdict = _judge_result(reading, cut_output(result), is_error=is_error)
    key = normalize_segment(reading.segments[reading.at])
    return SuiteRun(runner, verdict, bool(reading.hidden_by), reading.hidden_by, key)


def _judge_result(reading: _Reading, text: str, *, is_error: bool) -> tuple[Runner, Verdict]:
    """Return the verdict of an output, or of the flag where it is that of the tests."""
    runner, verdict = judge_output(text, reading.runner)
    if verdict is Verdict.RED:
        return runner, verdict
    if _FAILED_TASK.search(text):
        return runner, Verdict.RED
    is_alone = not reading.hidden_by and all(
        each is reading.segments[reading.at] or each.program in SILENT or not each.words
        for each in reading.segments
    )
    if verdict is Verdict.GREEN:
        if is_error and is_alone:
            return runner, Verdict.RED
        is_whole = not _is_partial(reading, text) and not _ran_nothing(text)
        return runner, verdict if is_whole else Verdict.UNKNOWN
    if any(each in text for each in _NOT_RUN):
        return runner, verdict
    if is_error:
        return runner, _judge_exit_code(text, runner) if is_alone else verdict
    if not reading.hidden_by:
        may_be_skipped = any(each.after == "||" for each in reading.segments[: reading.at])
        return runner, verdict if may_be_skipped or _ran_nothing(text) else Verdict.GREEN
    return runner, _judge_printed_code(text, reading)


def _judge_exit_code(text: str, runner: Runner) -> Verdict:
    match = _EXIT_CODE.match(text)
    code = int(match[1]) if match else 0
    says_nothing = code in _NOT_OF_TESTS or (runner is Runner.PYTEST and code in {3, 4, 5})
    return Verdict.UNKNOWN if says_nothing else Verdict.RED


def _judge_printed_code(text: str, reading: _Reading) -> Verdict:
    """Judge by an exit code that the command prints itself: `; echo "exit: $?"`."""
    following = reading.segments[reading.at + 1 : reading.at + 2]
    prints = following and any("$?" in each.text for each in following[0].words)
    match = _PRINTED_CODE.search(text) if prints and reading.hidden_by.startswith(";") else None
    if match is None:
        return Verdict.UNKNOWN
    return Verdict.GREEN if match[1] == "0" else Verdict.RED


def _is_partial(reading: _Reading, text: str) -> bool:
    """Tell whether a filter may have cut the lines that say that something failed."""
    if reading.segments[reading.at].after not in {"|", "|&"}:
        return False
    for each in reading.segments[reading.at + 1 :]:
        options = [word.text for word in each.words[1:]]
        if each.program in {"grep", "egrep", "rg"}:
            asked = " ".join(options).lower()
            if not any(mark in asked for mark in ("fail", "error", "-v", "summary", "passed")):
                return True
        elif each.program == "head":
            digits = [found[1] for word in options if (found := _LINES.fullmatch(word))]
            if text.count("\n") - 1 >= int(digits[0] if digits else "10"):
                return True
        if each.after not in {"|", "|&"}:
            break
    return False


def _ran_nothing(text: str) -> bool:
    """Tell whether no test was selected or found."""
    if "[no tests to run]" in text or "[no test files]" in text:
        return not _RAN_SOME.search(text)
    return "no tests ran" in text or "\nRan 0 tests" in text


@functools.lru_cache(maxsize=512)
def _read_command(command: str) -> _Reading | None:
    """Return the run of tests in a command: the first that is hidden, else the last."""
    segments = split_command(command)
    last: _Reading | None = None
    for at, each in enumerate(segments):
        runner = find_runner(each)
        if runner is not None:
            last = _Reading(at, runner, _find_hiding(segments, at, command), segments)
            if last.hidden_by:
                break
    return last


def find_runner(segment: Segment) -> Runner | None:
    """Return the runner of the tests that a segment runs; None if it runs none."""
    words = strip_wrappers(segment.words)
    if not words:
        return None
    program, rest = words[0].text.rpartition("/")[2], [each.text for each in words[1:]]
    while program.startswith("python") and rest and rest[0] in {"-u", "-B", "-X", "-W"}:
        rest = rest[2 if rest[0] in {"-X", "-W"} else 1 :]
    if program.startswith("python"):
        program, rest = _read_python(rest)
    runner = _name_runner(program, rest)
    if runner is None:
        return None
    lists = _LISTS_ONLY.intersection(rest)
    one_letter = frozenset({"-c", "-N", "-list"})
    if lists - one_letter or lists & _LIST_MEANS.get(runner, frozenset()):
        return None
    return runner


def _read_python(rest: list[str]) -> tuple[str, list[str]]:
    """Return the program that Python runs, and its arguments."""
    if len(rest) > 1 and rest[0] == "-m":
        return rest[1], rest[2:]
    if rest and rest[0].endswith("manage.py"):
        return "unittest" if rest[1:2] == ["test"] else "", rest[2:]
    return (rest[0].rpartition("/")[2], rest[1:]) if rest else ("", [])


def _name_runner(program: str, rest: list[str]) -> Runner | None:
    known = _PROGRAMS.get(program)
    if known is not None or program == "unittest":
        return known or Runner.UNITTEST
    names = [each for each in rest if not each.startswith("-") and "=" not in each]
    known = _SUBCOMMANDS.get((program, names[0] if names else ""))
    if known is None and program == "node" and "--test" in rest:
        known = Runner.NODE
    if known is None and program in _BUILDS and any(map(_BUILD_TASK.fullmatch, names)):
        known = _BUILDS[program]
    if known is None and program in _TASKS:
        tasks = names[1:2] if names[:1] in (["run"], ["r"], ["run-script"]) else names
        if any(map(_TASK_NAME.fullmatch, tasks)) or (program == "make" and "check" in tasks):
            known = Runner.OTHER
    if known is None and _TEST_SCRIPT.fullmatch(program) and program != "test":
        known = Runner.OTHER
    return known


def _find_hiding(segments: tuple[Segment, ...], at: int, command: str) -> str:
    """Return what hides the exit code of a segment; empty if it reaches the caller."""
    if "PIPESTATUS" in command or "pipestatus" in command:
        return ""
    options = " ".join(
        word.text for each in segments[:at] if each.program == "set" for word in each.words[1:]
    )
    if {"if", "elif", "while", "until", "!"}.intersection(segments[at].keywords):
        return segments[at].keywords[-1]
    if segments[at].after in {"|", "|&"}:
        if "pipefail" not in options:
            return f"| {_name(segments, at + 1)}".strip()
        while at < len(segments) - 1 and segments[at].after in {"|", "|&"}:
            at += 1
    stops = bool(re.search(r"(?:^| )-\w*e|errexit", options))
    while at < len(segments) - 1:
        hiding = _hides(segments, at, stops=stops)
        if hiding is not None:
            return hiding
        at += 1
    return "&" if segments[at].after == "&" else ""


def _hides(segments: tuple[Segment, ...], at: int, *, stops: bool) -> str | None:
    """Return whether the operator after a segment hides its failure; None: the next decides."""
    operator, following = segments[at].after, segments[at + 1]
    arguments = [each.text for each in following.words[1:]]
    if operator == "&&":  # a failure skips what follows, up to `||` or `;`
        return None
    if operator in {"||", ";", "\n"}:
        if following.program in {"exit", "return"}:
            return "" if arguments != ["0"] else f"{operator.strip()} exit 0".strip()
        if operator == "||":
            return "" if following.program == "false" else f"|| {_name(segments, at + 1)}"
        if stops:
            return ""
        return f"; {_name(segments, at + 1)}" if following.words else None
    return operator if operator == "&" else None


def _name(segments: tuple[Segment, ...], at: int) -> str:
    """Return the name of a program, as far as it is a well-known one."""
    name = segments[at].program if at < len(segments) else ""
    return name if name in FILTERS or name in {"echo", "true", "printf", ":"} else "another command"

"""Find the calls that are runs of tests, and judge them; their exit code is often hidden.

`is_error` does not say it: of 1,338 real test commands 711 hide the exit code, and half of the
failed ones carry no flag. So the output decides, and the flag only where the output is silent and
the flag is that of the tests.
"""

import functools
import re
from dataclasses import dataclass
from typing import Final

from orchestrator.sessions.calls.commands import normalize_segment
from orchestrator.sessions.calls.programs import SILENT
from orchestrator.sessions.calls.shell import Segment
from orchestrator.sessions.calls.suite_commands import SuiteCommand, read_suite_command
from orchestrator.sessions.calls.suite_outputs import Runner, Verdict, cut_output, judge_output
from orchestrator.sessions.calls.tool_inputs import BashInput, read_input
from orchestrator.sessions.models import Denial, ToolCall

__all__ = ["Runner", "SuiteRun", "Verdict", "judge_call", "judge_command"]


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One call that runs tests."""

    runner: Runner
    verdict: Verdict
    is_hidden: bool
    """Whether the exit code of the tests does not reach the caller."""
    hidden_by: str = ""
    """What hides it, for people: `| tail`."""
    segment: Segment | None = None
    """The part of the command that runs the tests."""

    @property
    def command(self) -> str:
        """The key of the segment that runs the tests."""
        return normalize_segment(self.segment) if self.segment else ""


_FAILED_TASK: Final = re.compile(
    r"\n\[[^\]\n]{0,30}test[^\]\n]{0,40}\] ERROR task failed"
    r"|\nnpm (?:ERR!|error) Test failed|\n.ELIFECYCLE. +Test failed"
    r"|\nerror: Recipe `[^`\n]{0,30}test"
    r"|\nmake(?:\[\d{1,3}\])?: \*\*\* \[[^\]\n]{0,80}test[^\]\n]{0,40}\] Error"
)
"""What task runners say of a task of tests that failed."""
_NOT_RUN: Final = (
    "command not found", "Missing script", "No rule to make target", "unknown flag",
    "not defined: -", "no tasks ", "no task ", "unrecognized arguments",
    "Command running in background", "Command timed out", "no required module provides",
    "go: cannot find main module", "go: updates to go.mod needed",
    "No module named pytest", "file or directory not found", "INTERNALERROR>",
)  # fmt: skip
"""What is printed where no test was run."""
_EXIT_CODE: Final = re.compile(r"\n(?:Error: )?Exit code (\d{1,3})\n")
_PRINTED_CODE: Final = re.compile(
    r"(?i)\n[^\n]{0,20}(?:exit|code|rc|status)[^\n\d]{0,20}(\d{1,3})\s*\Z"
)
_NOT_OF_TESTS: Final = frozenset({124, 126, 127, 130, 134, 137, 143})
"""Exit codes of a shell, a timeout or a signal."""
_RAN_SOME: Final = re.compile(r"\nok +\t[^\n\[]{1,300}(?:\n|\[cached)|--- PASS: ")
_LINES: Final = re.compile(r"-n?(\d{1,6})|(?<!.)\d{1,6}")


def judge_call(call: ToolCall) -> SuiteRun | None:
    """Return what a call says of the tests; None if it runs none, or was not carried out."""
    is_stopped = call.denial is Denial.INTERRUPTED
    if call.name != "Bash" or (call.denial is not None and not is_stopped):
        return None
    given = read_input(call)
    if not isinstance(given, BashInput) or read_suite_command(given.command) is None:
        return None
    if given.run_in_background or is_stopped:
        reading = read_suite_command(given.command)
        if reading is None:
            return None
        hidden_by = reading.hidden_by if is_stopped else "&"
        return SuiteRun(reading.runner, Verdict.UNKNOWN, bool(hidden_by), hidden_by)
    return judge_command(given.command, call.result, is_error=call.is_error)


@functools.lru_cache(maxsize=512)
def judge_command(command: str, result: str | None, *, is_error: bool) -> SuiteRun | None:
    """Return what a command and its output say of the tests; None if it runs none."""
    reading = read_suite_command(command)
    if reading is None:
        return None
    runner, verdict = reading.runner, Verdict.UNKNOWN
    if result is not None:
        runner, verdict = _judge_result(reading, cut_output(result), is_error=is_error)
    segment = reading.segments[reading.at]
    return SuiteRun(runner, verdict, bool(reading.hidden_by), reading.hidden_by, segment)


def _judge_result(reading: SuiteCommand, text: str, *, is_error: bool) -> tuple[Runner, Verdict]:
    """Return the verdict of an output, or of the flag where it is that of the tests."""
    runner, verdict = judge_output(text, reading.runner)
    if verdict is Verdict.UNKNOWN and (
        any(each in text for each in _NOT_RUN) or _ran_nothing(text)
    ):
        return runner, verdict
    if verdict is Verdict.RED or _FAILED_TASK.search(text):
        return runner, Verdict.RED
    if is_error and _read_exit_code(text) in _NOT_OF_TESTS:
        return runner, Verdict.UNKNOWN
    if verdict is Verdict.GREEN:
        if is_error and _is_alone(reading):
            return runner, Verdict.RED
        is_whole = not _is_partial(reading, text) and not _ran_nothing(text)
        return runner, verdict if is_whole else Verdict.UNKNOWN
    return runner, _judge_silent_run(reading, text, runner, is_error=is_error)


def _judge_silent_run(
    reading: SuiteCommand, text: str, runner: Runner, *, is_error: bool
) -> Verdict:
    """Return the verdict of a run whose output does not say it."""
    if reading.hidden_by:
        return _judge_printed_code(text, reading)
    if is_error:
        return _judge_exit_code(text, runner) if _is_alone(reading) else Verdict.UNKNOWN
    may_be_skipped = any(each.after == "||" for each in reading.segments[: reading.at])
    return Verdict.UNKNOWN if may_be_skipped else Verdict.GREEN


def _is_alone(reading: SuiteCommand) -> bool:
    """Return whether a failure of the command is one of the tests: nothing else in it can fail."""
    return not reading.hidden_by and all(
        each is reading.segments[reading.at] or each.program in SILENT or not each.words
        for each in reading.segments
    )


def _judge_exit_code(text: str, runner: Runner) -> Verdict:
    says_nothing = runner is Runner.PYTEST and _read_exit_code(text) in {3, 4, 5}
    return Verdict.UNKNOWN if says_nothing else Verdict.RED


def _read_exit_code(text: str) -> int:
    match = _EXIT_CODE.match(text)
    return int(match[1]) if match else 0


def _judge_printed_code(text: str, reading: SuiteCommand) -> Verdict:
    """Judge by an exit code that the command prints itself: `; echo "exit: $?"`."""
    following = reading.segments[reading.at + 1 : reading.at + 2]
    prints = following and any("$?" in each.text for each in following[0].words)
    match = _PRINTED_CODE.search(text) if prints and reading.hidden_by.startswith(";") else None
    if match is None:
        return Verdict.UNKNOWN
    return Verdict.GREEN if match[1] == "0" else Verdict.RED


def _is_partial(reading: SuiteCommand, text: str) -> bool:
    """Return whether a filter may have cut the lines that say that something failed."""
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
    """Return whether no test was selected or found."""
    if "[no tests to run]" in text or "[no test files]" in text:
        return not _RAN_SOME.search(text)
    return "no tests ran" in text or "\nRan 0 tests" in text

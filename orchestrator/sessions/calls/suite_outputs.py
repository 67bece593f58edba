"""Judge a run of tests by what it printed, because its exit code is hidden in half of them.

Mostly by plain substrings at the start of a line, and by patterns without nested repetition that
start at a line break: no output costs more than its length.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orchestrator.platform.escape_sequences import strip_escape_sequences

HEAD: Final = 4_000
TAIL: Final = 20_000
"""Characters of an output that are looked at: runners print their summary last, and `| head` and
a failed compiler show it first."""


class Runner(StrEnum):
    """A test runner. The values are stored and printed."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    GO = "go test"
    JEST = "jest"
    VITEST = "vitest"
    MOCHA = "mocha"
    NODE = "node --test"
    CARGO = "cargo test"
    RSPEC = "rspec"
    PHPUNIT = "phpunit"
    GRADLE = "gradle"
    MAVEN = "maven"
    CTEST = "ctest"
    DOTNET = "dotnet test"
    OTHER = "other"
    """A script or a task whose runner its output does not show."""


class Verdict(StrEnum):
    """What a run of tests says. The values are stored."""

    RED = "red"
    GREEN = "green"
    UNKNOWN = "unknown"
    """Nothing was run, or what was printed does not say it."""


def cut_output(text: str) -> str:
    """Return the beginning and the end of an output, each line after a line break."""
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]}\n{text[-TAIL:]}"
    if "\x1b" in text:
        text = strip_escape_sequences(text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"\n{text}\n"


def judge_output(text: str, runner: Runner) -> tuple[Runner, Verdict]:
    """Return the verdict of an output that `cut_output` gave, and whose it is.

    Args:
        text: the output.
        runner: the runner that was called; for OTHER, all are tried, and one that failed decides.
    """
    if "\n[" in text:  # task runners put the name of a task before each line
        text = _TASK_PREFIX.sub("\n", text)
    if runner is not Runner.OTHER:
        return runner, _judge(text, runner)
    found: tuple[Runner, Verdict] = (runner, Verdict.UNKNOWN)
    may_be_red = any(each in text for each in ("fail", "FAIL", "Fail", "rror", "ERROR", "not ok"))
    for each in _RULES:
        if found[1] is Verdict.GREEN and not may_be_red:
            break
        verdict = _judge(text, each)
        if verdict is Verdict.RED:
            return each, verdict
        if verdict is Verdict.GREEN and found[1] is Verdict.UNKNOWN:
            found = each, verdict
    return found


def find_failed_case(text: str, runner: Runner) -> str:
    """Return the first line that names a case that failed; empty if the output names none.

    What a case says is no name: "expected 2, got 3" or the place in a file are those of many.

    Args:
        text: an output that `cut_output` gave.
        runner: whose output it is.
    """
    pattern = _CASES.get(runner)
    if pattern is None:
        return ""
    found = pattern.search(_TASK_PREFIX.sub("\n", text) if "\n[" in text else text)
    return found[1].strip() if found else ""


@dataclass(frozen=True)
class _Rule:
    """How one runner reports. Red is asked for first."""

    red: tuple[str, ...] = ()
    green: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    """The patterns are tried only where one of these stands."""
    red_pattern: re.Pattern[str] | None = None
    green_pattern: re.Pattern[str] | None = None

    def judge(self, text: str) -> Verdict:
        for each in self.red:
            if each in text:
                return Verdict.RED
        has_hint = False
        for each in self.hints:
            has_hint = has_hint or each in text
        if has_hint and self.red_pattern and self.red_pattern.search(text):
            return Verdict.RED
        if any(each in text for each in self.green):
            return Verdict.GREEN
        if has_hint and self.green_pattern and self.green_pattern.search(text):
            return Verdict.GREEN
        return Verdict.UNKNOWN


def _judge(text: str, runner: Runner) -> Verdict:
    rule = _RULES[runner]
    return rule.judge(text) if isinstance(rule, _Rule) else rule(text)


_TASK_PREFIX: Final = re.compile(r"\n\[[\w:./-]{1,60}\] ")
_PYTEST_END: Final = re.compile(
    r"\n(?:=+ )?((?:\d{1,9} (?:failed|passed|errors?|skipped|deselected|xfailed|xpassed|warnings?"
    r"|rerun|subtests passed)(?:, )?){1,9})(?: in [\d.]{1,12}s)?"
)
_PYTEST_LINE: Final = re.compile(r"\n(?:FAILED|ERROR) (?:collecting )?[^\s:]{1,300}(?:::|\.py)")


def _judge_pytest(text: str) -> Verdict:
    """Judge by the last summary; without one, by the lines of failed cases."""
    if " passed" in text or " failed" in text or " error" in text:
        summaries = _PYTEST_END.findall(text)
        if summaries:
            last = summaries[-1]
            if "failed" in last or "error" in last:
                return Verdict.RED
            if "passed" in last:
                return Verdict.GREEN
    if ("\nFAILED " in text or "\nERROR " in text) and _PYTEST_LINE.search(text):
        return Verdict.RED
    is_red = "\nE   " in text or "errors during collection" in text
    return Verdict.RED if is_red else Verdict.UNKNOWN


_RULES: Final[dict[Runner, _Rule | Callable[[str], Verdict]]] = {
    Runner.GO: _Rule(
        red=("--- FAIL: ", "\nFAIL\t", "\nFAIL\n", "\nFAIL ", "\npanic: test timed out"),
        green=("\nok  \t", "\nPASS\n", "\n--- PASS: ", "\nok \t"),
        hints=("=== RUN", "DONE "),
        red_pattern=re.compile(r"\nDONE \d{1,9} tests,(?: \d{1,9} skipped,)? [1-9]\d{0,8} (?:f|e)"),
        green_pattern=re.compile(r"\nDONE \d{1,9} tests"),
    ),
    Runner.PYTEST: _judge_pytest,
    Runner.UNITTEST: _Rule(
        hints=("\nOK", "\nFAILED"),
        red_pattern=re.compile(r"\nFAILED \((?:failures|errors|unexpected successes)="),
        green_pattern=re.compile(r"\nOK(?: \([a-z]|\n)"),
    ),
    Runner.JEST: _Rule(
        hints=("Tests: ", "Test Suites: "),
        red_pattern=re.compile(
            r"\n *Test(?:s| Suites): +(?:\d{1,9} [a-z]{4,9}, ){0,3}\d{1,9} failed"
        ),
        green_pattern=re.compile(r"\n *Tests: +(?:\d{1,9} [a-z]{4,9}, ){0,3}\d{1,9} passed"),
    ),
    Runner.VITEST: _Rule(
        hints=(" Tests  ", " Test Files  ", " Errors  "),
        red_pattern=re.compile(r"\n *(?:Tests|Test Files|Errors) {2,8}\d{1,9} (?:failed|error)"),
        green_pattern=re.compile(r"\n *Tests {2,8}\d{1,9} passed"),
    ),
    Runner.MOCHA: _Rule(
        hints=(" passing", " failing"),
        red_pattern=re.compile(r"\n {1,8}\d{1,9} failing\n"),
        green_pattern=re.compile(r"\n {1,8}\d{1,9} passing "),
    ),
    Runner.NODE: _Rule(
        red=("\nnot ok ",),
        hints=(" fail ", " pass "),
        red_pattern=re.compile(r"\n(?:#|ℹ) fail [1-9]"),  # noqa: RUF001 -- what it prints
        green_pattern=re.compile(r"\n(?:#|ℹ) pass [1-9]"),  # noqa: RUF001
    ),
    Runner.CARGO: _Rule(
        red=("\ntest result: FAILED", "\nerror: could not compile", "\nerror[E"),
        green=("\ntest result: ok",),
        hints=("Summary [",),
        red_pattern=re.compile(r"\n *Summary \[[^\]\n]{1,40}\][^\n]{0,80}[1-9]\d{0,8} failed"),
        green_pattern=re.compile(r"\n *Summary \[[^\]\n]{1,40}\][^\n]{0,80}\d passed"),
    ),
    Runner.RSPEC: _Rule(
        hints=(" example",),
        red_pattern=re.compile(
            r"\n\d{1,9} examples?, (?:[1-9]\d{0,8} failure|0 failures[^\n]{0,40} error)"
        ),
        green_pattern=re.compile(r"\n[1-9]\d{0,8} examples?, 0 failures"),
    ),
    Runner.PHPUNIT: _Rule(
        red=("\nFAILURES!", "\nERRORS!"),
        green=("\nOK, but",),
        hints=("\nOK (", " Tests:"),
        red_pattern=re.compile(r"\n +Tests: +[1-9]\d{0,8} failed"),
        green_pattern=re.compile(r"\nOK \(\d{1,9} tests?|\n +Tests: +[1-9]\d{0,8} passed"),
    ),
    Runner.GRADLE: _Rule(red=("\nBUILD FAILED",), green=("\nBUILD SUCCESSFUL",)),
    Runner.MAVEN: _Rule(
        red=("BUILD FAILURE",),
        green=("BUILD SUCCESS\n",),
        hints=("Tests run: ",),
        red_pattern=re.compile(
            r"Tests run: \d{1,9}, (?:Failures: [1-9]|Failures: 0, Errors: [1-9])"
        ),
        green_pattern=re.compile(r"Tests run: [1-9]\d{0,8}, Failures: 0, Errors: 0"),
    ),
    Runner.CTEST: _Rule(
        red=("\nThe following tests FAILED:",),
        hints=("% tests passed",),
        red_pattern=re.compile(r"% tests passed, [1-9]\d{0,8} tests failed"),
        green_pattern=re.compile(r"\n100% tests passed"),
    ),
    Runner.DOTNET: _Rule(
        red=("\nFailed!  -", "\nTest Run Failed."),
        green=("\nPassed!  -", "\nTest Run Successful."),
        hints=("error CS",),
        red_pattern=re.compile(r"\): error CS\d{4}"),
    ),
}

_CASES: Final = {
    runner: re.compile(rf"\n[ \t]{{0,12}}({pattern}[^\n]{{0,4000}})")
    for runner, pattern in {
        Runner.GO: r"(?:--- FAIL: |=== FAIL: )\S",
        Runner.PYTEST: r"(?:FAILED|ERROR) [^\s:]{1,300}::",
        Runner.UNITTEST: r"(?:FAIL|ERROR): \w{1,200} \(",
        Runner.JEST: r"● [^\n\u203a]{1,300} \u203a ",
        Runner.VITEST: r"FAIL  [^\n>]{1,300} > ",
        Runner.MOCHA: r"1\) \S",
        Runner.NODE: r"(?:not ok \d{1,9} - |✖ )\S",
        Runner.CARGO: r"test [\w:]{1,300} \.\.\. FAILED",
        Runner.RSPEC: r"rspec \./[^\s#]{1,300} # ",
        Runner.PHPUNIT: r"1\) \w{1,200}::",
        Runner.GRADLE: r"[\w.$]{1,300} > [^\n]{1,200} FAILED",
        Runner.MAVEN: r"(?:\[ERROR\] {1,4})?[\w.$]{1,300}\.\w{1,200}(?::\d{1,6} | -- )",
        Runner.CTEST: r"\d{1,9} - [^\n]{1,200} \((?:Failed|Timeout|SEGFAULT)\)",
        Runner.DOTNET: r"Failed [\w.]{1,300}",
    }.items()
}
"""How a runner names a case that failed."""

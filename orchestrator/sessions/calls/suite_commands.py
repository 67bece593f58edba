"""Recognize the runs of tests in a shell command, and what hides their exit code."""

import functools
import re
from dataclasses import dataclass
from typing import Final

from orchestrator.sessions.calls.commands import strip_wrappers
from orchestrator.sessions.calls.programs import FILTERS
from orchestrator.sessions.calls.shell import MOST_OF_COMMAND, Segment, split_command
from orchestrator.sessions.calls.suite_outputs import Runner

_TASK_PROGRAMS: Final = (
    *(
        "go",
        "dotnet",
        "npm",
        "yarn",
        "bun",
        "deno",
        "rails",
        "mix",
        "swift",
        "hatch",
        "sbt",
        "make",
    ),
    *("composer", "playwright", "just", "task", "rake", "mise", "gradle", "gradlew", "mvn", "mvnw"),
    *("node", "manage.py"),
)
"""Programs with a subcommand or a task of tests; `cargo` and `pnpm` end like others."""
_MAY_RUN: Final = re.compile(
    "|".join(  # each begins with a letter of its own, by which the search skips quickly
        (
            *(
                "pytest",
                r"py\.test",
                "jest",
                "vitest",
                "mocha",
                "rspec",
                "phpunit",
                r"pest\b",
                "ctest",
            ),
            *(
                r"tox\b",
                r"nox\b",
                "unittest",
                "gotestsum",
                r"tests?\.(?:sh|py|js|ts|rb)",
                r"/tests?\b",
            ),
            *(
                rf"{re.escape(each)}\s[^;&|\n]{{0,120}}?(?:test|\bt\b|spec|check|verify)"
                for each in _TASK_PROGRAMS
            ),
        )
    )
)
"""What stands in each command that runs tests, so that few have to be split."""
_PROGRAMS: Final = {
    "pytest": Runner.PYTEST, "py.test": Runner.PYTEST, "gotestsum": Runner.GO,
    "jest": Runner.JEST, "vitest": Runner.VITEST, "mocha": Runner.MOCHA, "rspec": Runner.RSPEC,
    "phpunit": Runner.PHPUNIT, "pest": Runner.PHPUNIT, "ctest": Runner.CTEST,
    "tox": Runner.OTHER, "nox": Runner.OTHER,
}  # fmt: skip
_SUBCOMMANDS: Final = {
    ("go", "test"): Runner.GO,
    ("cargo", "test"): Runner.CARGO,
    ("cargo", "nextest"): Runner.CARGO,
    ("dotnet", "test"): Runner.DOTNET,
    ("node", "--test"): Runner.NODE,
    ("npm", "t"): Runner.OTHER,
    **{
        (program, "test"): Runner.OTHER
        for program in (
            *("npm", "yarn", "pnpm", "bun", "deno", "rails", "mix", "swift", "hatch", "sbt"),
            *("composer", "playwright"),
        )
    },
}
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
_BUILD_TASK: Final = re.compile(r"(?:[\w:-]+:)?(?:\w*[tT]est|check|verify)")
_TEST_SCRIPT: Final = re.compile(r"(?:run[_-]?)?(?:all[_-]?)?tests?(?:\.(?:sh|py|js|ts|rb))?")
_LISTS_ONLY: Final = frozenset(
    {
        *("--collect-only", "--co", "--version", "--help", "-h", "--fixtures", "--listTests"),
        *("--no-run", "-N", "-list", "-c", "--list", "--show-only", "--dry-run"),
        *("-DskipTests", "-Dmaven.test.skip=true"),
    }
)
_LIST_MEANS: Final = {Runner.GO: frozenset({"-c", "-list"}), Runner.CTEST: frozenset({"-N"})}
"""Options of one letter that mean it with these runners only."""


@dataclass(frozen=True, slots=True)
class SuiteCommand:
    """What a command says of its run of tests."""

    at: int
    runner: Runner
    hidden_by: str
    segments: tuple[Segment, ...]


def _has_word_of_tests(command: str) -> bool:
    """Return whether it is worth to search a command: a tenth of the time of the search."""
    return (
        "test" in command or "spec" in command or "check" in command or "verify" in command
        or "tox" in command or "nox" in command or "mocha" in command or "jest" in command
        or "npm t" in command or "pest" in command or "phpunit" in command
    )  # fmt: skip


@functools.lru_cache(maxsize=2048)
def read_suite_command(command: str) -> SuiteCommand | None:
    """Return the run of tests in a command: the first that is hidden, else the last."""
    if not _has_word_of_tests(command) or _MAY_RUN.search(command, 0, MOST_OF_COMMAND) is None:
        return None
    segments = split_command(command)
    last: SuiteCommand | None = None
    for at, each in enumerate(segments):
        runner = find_runner(each)
        if runner is not None:
            last = SuiteCommand(at, runner, find_hiding(segments, at, command), segments)
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


def find_hiding(segments: tuple[Segment, ...], at: int, command: str) -> str:
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
            is_judged = following.program == "false" or find_runner(following) is not None
            return "" if is_judged else f"|| {_name(segments, at + 1)}"
        if stops:
            return ""
        return f"; {_name(segments, at + 1)}" if following.words else None
    return operator if operator == "&" else None


def _name(segments: tuple[Segment, ...], at: int) -> str:
    """Return the name of a program, as far as it is a well-known one."""
    name = segments[at].program if at < len(segments) else ""
    return name if name in FILTERS or name in {"echo", "true", "printf", ":"} else "another command"

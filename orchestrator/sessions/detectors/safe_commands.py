"""Decide which shell commands a person could allow for good, and by which permission rule.

A rule is proposed only for programs of this table: runners of tests, linters, type checkers,
formatters and builds of a project's own code. So nothing is ever proposed for an interpreter, a
shell, the network, a deletion, an installation, a change of the repository, or a program that is
not known. What Claude Code lets pass without asking (`ls`, `git status`) is not in it either.
"""

import shlex
from typing import Final

_SCRIPTS: Final = frozenset(
    [
        "test",
        "tests",
        "unit",
        "lint",
        "check",
        "build",
        "typecheck",
        "type-check",
        "types",
        "fmt",
        "format",
        "vet",
        "coverage",
    ]
)
"""Names of scripts and targets that say that they are of these kinds."""
_ANY: Final = frozenset({""})

_SUBCOMMANDS: Final[dict[str, frozenset[str]]] = {
    "go": frozenset({"test", "build", "vet", "fmt"}),
    "cargo": frozenset({"test", "nextest", "build", "check", "clippy", "fmt"}),
    "make": _SCRIPTS,
    "just": _SCRIPTS,
    "task": _SCRIPTS,
    "rake": frozenset({"test", "spec"}),
    "dotnet": frozenset({"test", "build", "format"}),
    "swift": frozenset({"test", "build"}),
    "zig": frozenset({"test", "build", "fmt"}),
    "mix": frozenset({"test", "compile", "format"}),
    "mvn": frozenset({"test", "compile"}),
    "gradle": _SCRIPTS,
    "./gradlew": _SCRIPTS,
    "./mvnw": frozenset({"test", "compile"}),
    "npm": frozenset({"test"}),
    "pnpm": frozenset({"test"}),
    "yarn": frozenset({"test"}),
    "bun": frozenset({"test"}),
    "golangci-lint": frozenset({"run"}),
    "ruff": frozenset({"check", "format"}),
    "terraform": frozenset({"validate", "fmt"}),
    "cmake": frozenset({"--build"}),
    "helm": frozenset({"lint"}),
    **dict.fromkeys(
        [
            "pytest",
            "mypy",
            "pyright",
            "flake8",
            "pylint",
            "black",
            "isort",
            "jest",
            "vitest",
            "mocha",
            "eslint",
            "prettier",
            "tsc",
            "stylelint",
            "biome",
            "gofmt",
            "goimports",
            "staticcheck",
            "gotestsum",
            "rspec",
            "rubocop",
            "phpunit",
            "phpstan",
            "ctest",
            "shellcheck",
            "shfmt",
            "hadolint",
            "yamllint",
            "markdownlint",
            "clang-format",
            "clang-tidy",
            "ktlint",
            "swiftlint",
        ],
        _ANY,
    ),
}
"""The subcommands of each program; `_ANY` is a program that needs none."""
_SCRIPT_RUNNERS: Final = frozenset(
    {("npm", "run"), ("pnpm", "run"), ("yarn", "run"), ("bun", "run"), ("mise", "run")}
)
_PREFIXES: Final = frozenset({("poetry", "run"), ("bundle", "exec")})
"""Start a program of the table without installing anything."""

_PROGRAMS: Final = frozenset(
    {*_SUBCOMMANDS, *(first for first, _ in _SCRIPT_RUNNERS), *(first for first, _ in _PREFIXES)}
)

_UNSAFE_OPTIONS: Final = (
    "-exec",
    "-toolexec",
    "-vettool",
    "--config=",
    "--eval",
    "--manifest-path",
    "--shell",
    "SHELL=",
)
"""Options that start another program or lead out of the project."""
_EXPANDED: Final = frozenset("$`\n\r\x00")
"""Mean something to the shell even inside of double quotes."""
_OPERATORS: Final = ";&|<>()"
_QUOTES: Final = frozenset("'\"\\")
_HARMLESS_END: Final = ("2>&1", ">/dev/null", "2>/dev/null", "> /dev/null", "2> /dev/null")
"""Redirections that write no file."""
_MOST_READ: Final = 2_000


def find_permission_rule(command: str) -> str:
    """Return the permission rule that would allow a command, `Bash(go test *)`, empty if unsafe.

    The rule names the program and its subcommand only, so no id or temporary path is in it.
    """
    # Most commands are of other programs, and splitting costs a hundred times as much.
    if next(iter(command[:100].split(maxsplit=1)), "") not in _PROGRAMS:
        return ""
    words = _split_safely(command)
    prefix = _find_prefix(words)
    rest = words[len(prefix) :]
    if not prefix or any(_is_unsafe(word) for word in rest):
        return ""
    return f"Bash({' '.join(prefix)} *)" if rest else f"Bash({' '.join(prefix)})"


def widen_rule(rule: str) -> str:
    """Return the rule for the same command with any arguments: `Bash(make test *)`."""
    return rule if rule.endswith(" *)") else f"{rule.removesuffix(')')} *)"


def _split_safely(command: str) -> list[str]:
    """Return the words of a single plain command; nothing if it is anything else."""
    command = command.strip()
    while command.endswith(_HARMLESS_END):
        command = next(
            command.removesuffix(end) for end in _HARMLESS_END if command.endswith(end)
        ).rstrip()
    if not command or len(command) > _MOST_READ or _EXPANDED.intersection(command):
        return []
    if _QUOTES.isdisjoint(command):
        return [] if any(each in command for each in _OPERATORS) else command.split()
    lexer = shlex.shlex(command, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return []
    if any(word and not word.strip(_OPERATORS) for word in words):
        return []
    return words


def _find_prefix(words: list[str]) -> list[str]:
    """Return the program and its subcommand if they are safe, else nothing."""
    if tuple(words[:2]) in _PREFIXES:
        program = _find_prefix(words[2:])
        return words[:2] + program if program else []
    if tuple(words[:2]) in _SCRIPT_RUNNERS:
        return words[:3] if len(words) > 2 and _is_script(words[2]) else []
    known = _SUBCOMMANDS.get(words[0]) if words else None
    if known is None:
        return []
    if known is _ANY:
        return words[:1]
    return words[:2] if len(words) > 1 and words[1] in known else []


def _is_script(name: str) -> bool:
    """Return whether a script's name is of a known kind: `test`, `test:unit`, `lint-fix`."""
    return name.replace("-", ":").replace("_", ":").partition(":")[0] in _SCRIPTS


def _is_unsafe(word: str) -> bool:
    return word.startswith(_UNSAFE_OPTIONS) or word.lstrip("-").startswith(("exec=", "toolexec="))

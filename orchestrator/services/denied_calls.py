"""Find the permission that may be offered for a tool call that Claude Code was denied.

Only a call that builds or checks the project is offered, as it was made and nothing else. A call
that edits a file, deletes, publishes, raises privileges or contains shell syntax is none of these,
and whether the task needs it is for a person to decide.
"""

import re
import shlex
from typing import Final

_SHELL: Final = frozenset("|&;<>()$`\\\"'*?[]{}~#!\n…")
"""Characters with which a line is more than a program and its plain arguments."""
_CHECKERS: Final = frozenset(
    (
        *(
            "pytest",
            "py.test",
            "tox",
            "nox",
            "ruff",
            "flake8",
            "pylint",
            "mypy",
            "pyright",
            "black",
        ),
        *("jest", "vitest", "mocha", "eslint", "tsc", "ctest", "phpunit", "rspec", "unittest"),
    )
)
"""Programs that only check, whatever their arguments."""
_RUNNERS: Final = frozenset(
    (
        *("npm", "pnpm", "yarn", "bun", "npx", "deno", "make", "gmake", "just", "rake", "bundle"),
        *("go", "cargo", "mvn", "./mvnw", "gradle", "./gradlew", "dotnet", "swift", "bazel", "mix"),
        *("composer", "uv", "poetry", "pdm", "hatch", "python", "python3", "coverage"),
    )
)
"""Programs that do what their first words say."""
_PASSED_ON: Final = frozenset(("run", "exec", "-m", "coverage"))
"""Words after which the next one says what is done."""
_CHECKING: Final = re.compile(
    r"(?:test|check|lint|build|compile|type-?check|verify|vet|spec)s?(?:[:_-](?:unit|fast|all|ci))?"
)
"""What builds or checks, as the name of a subcommand, a target or a script."""


def build_permission(denied: str) -> str:
    """Return the rule that allows a denied call; empty if none may be offered.

    Args:
        denied: the tool and the call, as in `Bash: npm test`.
    """
    tool, _, call = denied.partition(": ")
    if tool != "Bash" or _SHELL & set(call) or "..." in call.replace("./...", ""):
        return ""
    words = shlex.split(call)
    return f"Bash({' '.join(words)})" if words and _is_check(*words) else ""


def _is_check(program: str, *arguments: str) -> bool:
    if program in _CHECKERS:
        return True
    job = next((word for word in arguments if word not in _PASSED_ON), "")
    return program in _RUNNERS and (job in _CHECKERS or bool(_CHECKING.fullmatch(job)))

"""Find the permission that may be offered for a tool call that Claude Code was denied.

Only a call that builds or checks the project is offered, as it was made and nothing else. A call
that edits, installs, deletes, publishes, raises privileges or contains shell syntax is none of
these, and whether the task needs it is for a person to decide.
"""

import re
from typing import Final

_ARGUMENTS: Final = r"(?: (?!--?(?:fix|write|exec|toolexec|in-place|o|w)\b)[\w./:@%+,=-]+)*"
"""Plain words; none with which a checker edits files or runs another program."""
_CHECKER: Final = r"(?:pytest|py\.test|mypy|pyright|flake8|pylint|ruff check)"
_JOB: Final = (
    r"(?:test|check|lint|build|compile|type-?check|verify|vet|spec)s?(?:[:_-](?:unit|fast|all|ci))?"
)
"""The name of a subcommand, a target or a script that builds or checks."""
_OFFERED: Final = re.compile(
    "|".join(
        (
            r"(?:(?:uv|poetry|pdm|hatch|pipenv) run )?(?:coverage run -m )?"
            r"(?:\.?v?env/bin/)?(?:python3? -m )?" + _CHECKER + _ARGUMENTS,
            r"(?:\.?v?env/bin/)?python3? -m unittest" + _ARGUMENTS,
            r"tox|nox|(?:tox -e|nox -s) (?:py\d+|" + _JOB + ")",
            r"(?:npm|pnpm|yarn|bun)(?: run)? " + _JOB,
            r"(?:npx |bunx |pnpm exec |yarn )(?:jest|vitest run|mocha|eslint|tsc)" + _ARGUMENTS,
            r"(?:make|gmake|just|rake|mvn|\./mvnw|gradle|\./gradlew)(?: " + _JOB + ")+",
            r"(?:go|cargo|dotnet|swift) (?:test|vet|build|check|clippy)" + _ARGUMENTS,
            r"(?:bundle exec )?rspec" + _ARGUMENTS,
        )
    )
)


def build_permission(denied: str) -> str:
    """Return the rule that allows a denied call; empty if none may be offered.

    Args:
        denied: the tool and the call, as in `Bash: npm test`.
    """
    tool, _, call = denied.partition(": ")
    is_whole = "..." not in call.replace(" ./...", "")  # what was cut ends with dots
    return f"Bash({call})" if tool == "Bash" and is_whole and _OFFERED.fullmatch(call) else ""

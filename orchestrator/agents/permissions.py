"""Build Claude Code's permission rules for running a project's own tests."""

import shlex
from typing import Final

_PYTEST: Final = ("pytest", "python -m pytest", "python3 -m pytest")
_UNFIT: Final = frozenset("()*\n")
"""Characters with a meaning in a rule (`Bash(npm run *)`)."""


def build_suite_permissions(command: str) -> tuple[str, ...]:
    """Return rules with which Claude Code may run the suite without asking.

    Args:
        command: the suite's command, as in `tests.command`.

    Returns:
        Rules for the command itself, for the command up to the word `pytest` where it has one
        (so that single tests can be run), and for the usual ways to call pytest.
    """
    prefixes = [command.strip(), _cut_after_pytest(command), *_PYTEST]
    fit = [prefix for prefix in prefixes if prefix and not _UNFIT & set(prefix)]
    rules = [rule for prefix in fit for rule in (f"Bash({prefix})", f"Bash({prefix} *)")]
    return tuple(dict.fromkeys(rules))


def _cut_after_pytest(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:  # an unbalanced quote, which the suite itself will report
        return ""
    for index, word in enumerate(words):
        if word.rsplit("/", 1)[-1] in ("pytest", "py.test"):
            return shlex.join(words[: index + 1])
    return ""

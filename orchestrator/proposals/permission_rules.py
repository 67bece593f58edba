"""Read Claude Code's permission rules for Bash, and decide whether one covers a command.

As seen with 2.1.332: `Bash(go test *)` and `Bash(go test:*)` cover `go test` with or without
arguments, `Bash(go test)` covers exactly that, a `*` elsewhere stands for any text, and each
command of a chain or pipe has to be covered. Commands that only read pass without a rule. A
variable before a command, or a redirection into a file, is not covered.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator.platform import files
from orchestrator.platform.folders import PROJECT_SETTINGS, SETTINGS, find_config_folder

_RULE: Final = re.compile(r"Bash(?:\((?P<pattern>.*)\))?", re.DOTALL)
_REDIRECTION: Final = re.compile(r"(?<![<>=-])(?:\d*|&)>{1,2}\|?(?!\s*(?:&\d|/dev/null\b))")
_READING: Final = frozenset(
    name
    for names in (
        "cd pwd ls cat head tail wc echo printf grep egrep fgrep rg sort uniq cut tr nl tac rev",
        "true false test stat file du df which type whoami id date basename dirname realpath",
        "readlink sleep diff cmp column",
    )
    for name in names.split()
)
"""Programs that only read, which Claude Code runs without a rule."""
_ANY_ARGUMENT: Final = "an-argument-that-no-rule-names"
_LARGEST: Final = 1 << 20


def is_covered(command: str, rules: Sequence[str]) -> bool:
    """Return whether Claude Code would run a Bash command without asking.

    Args:
        command: the command, as the model gave it.
        rules: the permission rules under `permissions.allow`.
    """
    from orchestrator.session_hooks.writeahead.effort import Effort, TooMuchWorkError
    from orchestrator.session_hooks.writeahead.reader import Reader

    patterns = [pattern for rule in rules if (pattern := _read_pattern(rule)) is not None]
    if any(pattern == "*" for pattern in patterns) or _is_matched(_fold(command), patterns):
        return True
    if _REDIRECTION.search(_blank_quotes(command)):
        return False
    try:
        pipelines = Reader(command, Effort()).read_pipelines()
    except TooMuchWorkError:
        return False
    parts = [each.words for pipeline in pipelines for each in pipeline.commands]
    nested = [script for pipeline in pipelines for script in pipeline.nested]
    return (
        bool(parts)
        and all(_is_allowed(words, patterns) for words in parts)
        and all(is_covered(script, rules) for script in nested)
    )


def is_rule_covered(rule: str, rules: Sequence[str]) -> bool:
    """Return whether other permission rules allow all that a rule for one command does."""
    pattern = _read_pattern(rule)
    if pattern is None or "*" in pattern.removesuffix(" *"):
        return rule in rules
    command = pattern.removesuffix(" *")
    examples = [command] if command == pattern else [command, f"{command} {_ANY_ARGUMENT}"]
    return all(is_covered(each, rules) for each in examples)


def read_allow_rules(project: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the permission rules that are allowed in a project: its own, and the user's.

    A settings file that is not valid has none: Claude Code ignores it.
    """
    paths = [Path(find_config_folder(environment)) / SETTINGS]
    paths += [project / name for name in PROJECT_SETTINGS]
    return tuple(dict.fromkeys(rule for path in paths for rule in _read_file(path)))


def _read_file(path: Path) -> list[str]:
    try:
        found: Any = json.loads(files.read_bytes(path, _LARGEST).decode("utf-8-sig") or "{}")
    except (ValueError, RecursionError):
        return []
    allowed = found.get("permissions") if isinstance(found, dict) else None
    rules = allowed.get("allow") if isinstance(allowed, dict) else None
    return [each for each in rules if isinstance(each, str)] if isinstance(rules, list) else []


def _read_pattern(rule: str) -> str | None:
    """Return the pattern of a rule for Bash; None for a rule for another tool."""
    found = _RULE.fullmatch(rule.strip())
    if not found:
        return None
    pattern = "*" if found["pattern"] is None else _fold(found["pattern"])
    return f"{pattern[:-2]} *" if pattern.endswith(":*") and len(pattern) > 2 else pattern


def _is_allowed(words: Sequence[str], patterns: Sequence[str]) -> bool:
    words = _skip_timeout(words)
    text = _fold(" ".join(words))
    return bool(words) and (words[0] in _READING or any(_matches(text, each) for each in patterns))


def _is_matched(text: str, patterns: Sequence[str]) -> bool:
    if any(sign in text for sign in ";|&\n`<>") or "$(" in text:
        return text in patterns  # its parts are compared one by one
    return any(_matches(text, pattern) for pattern in patterns)


def _matches(text: str, pattern: str) -> bool:
    if pattern.endswith(" *") and text == pattern[:-2]:
        return True
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None


def _skip_timeout(words: Sequence[str]) -> Sequence[str]:
    """Return the command after `timeout 60`, which Claude Code looks through."""
    is_timeout = len(words) > 2 and words[0] == "timeout" and words[1].rstrip("smhd").isdigit()
    return words[2:] if is_timeout else words


def _fold(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text.strip())


def _blank_quotes(command: str) -> str:
    return re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"", "''", command)

"""A check that enforces a rule which words alone do not: written out, for a person to take over."""

import re
from typing import Final

from orchestrator.memory.records import RuleRecord

_COMMAND: Final = re.compile(r"\b(git|rm|pip|npm|docker|kubectl|terraform|curl|make)\s+[\w-]+")
_CODE: Final = re.compile(r"`([^`]+)`|\b([A-Za-z_]\w*(?:\.\w+)+)\b|\b(print|assert|eval|exec)\b")
_FORBIDS: Final = re.compile(r"\b(?:never|avoid|do not|don't|must not|no)\b", re.IGNORECASE)


def suggestion(record: RuleRecord) -> str:
    """The check that fits the rule best: a hook for a command, a lint rule for code, or a test."""
    words = record.rule.text.rule
    if _FORBIDS.search(words):
        forbidden = _FORBIDS.split(words, maxsplit=1)[1].partition(";")[0]
        if command := _COMMAND.search(forbidden):
            return _hook(command[0], words)
        if code := _CODE.search(forbidden):
            return _lint(next(filter(None, code.groups())), record)
    return _test(record)


def _hook(command: str, words: str) -> str:
    return (
        f"a hook that stops the command. In .claude/settings.json, under `permissions.deny`:\n"
        f'  "Bash({command}:*)"\n'
        f"Claude Code then refuses `{command}`, whatever the model decides ({words})."
    )


def _lint(code: str, record: RuleRecord) -> str:
    pattern = re.escape(code)
    return (
        "a lint rule. In .pre-commit-config.yaml:\n"
        "  - repo: local\n"
        "    hooks:\n"
        f"      - id: no-{re.sub('[^a-z0-9]+', '-', code.lower()).strip('-') or 'pattern'}\n"
        f"        name: {record.rule.text.rule!r}\n"
        "        language: pygrep\n"
        f"        entry: {pattern!r}\n"
        "        types: [python]"
    )


def _test(record: RuleRecord) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", record.rule.text.rule.lower()).strip("_")[:60].rstrip("_")
    origin = record.origin
    seen = ", ".join(origin.cases[:3]) or origin.summary or "the failure that it was learned from"
    return (
        "a test of its own, that says in its message what to do:\n"
        f"  def test_{name}() -> None:\n"
        f'      """{record.rule.text.rule}"""\n'
        f"      # seen so far: {seen}\n"
        "      # when: " + (record.rule.text.when or "always")
    )

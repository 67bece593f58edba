"""Suggest a check that enforces a rule which words alone do not, for a person to copy.

Each is valid as it is, whatever the rule's text is.
"""

import json
import keyword
import re
import shlex
from dataclasses import replace
from typing import Final

from orchestrator.models import Rule
from orchestrator.rulebook.records import RuleRecord
from orchestrator.rulebook.text import sanitize_line

_PROHIBITION: Final = re.compile(
    r"\b(?:never|avoid|do not|don['\u2019]t|must not|stop|no)\b", re.IGNORECASE
)
_REST: Final = re.compile(r"[;.]\s|\b(?:instead|but)\b")
"""Where what is forbidden ends."""
_EXCEPT: Final = re.compile(r"\b(?:without|unless|except)\b")
"""What is forbidden only so; a check that looks for words would stop the rest too."""
_SPAN: Final = re.compile(r"`([^`]+)`")

_TOOLS: Final = "git|rm|pip|npm|yarn|docker|kubectl|terraform|curl|wget|make|sudo|chmod"
_TOOL: Final = re.compile(rf"(?:{_TOOLS})(?=\s|$)")
_UNQUOTED_COMMAND: Final = re.compile(
    rf"\b(?:run(?:ning)?|call(?:ing)?|us(?:e|ing)|execut(?:e|ing))\s+((?:{_TOOLS})(?=\s|$).*)",
    re.IGNORECASE,
)
"""A command without backticks: a tool's name right behind a word that says to run it."""
_FLAG: Final = re.compile(r"-{1,2}\w[\w-]*(?:=\S+)?")
_SUBCOMMAND: Final = re.compile(r"[a-z][a-z-]*")
_NO_SUBCOMMAND: Final = re.compile(
    "an?|the|on|in|at|to|for|from|with|by|of|and|or|when|while|before|after|if|as|into|inside|this"
    "|that|it|its|your|any|all|because|directly|again|here|there"
)
"""Where the words of a command end, and the sentence goes on."""

_CODE: Final = re.compile(r"\b(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w+\b|\b(?:print|assert|eval|exec)\b")
_WORDS: Final = frozenset(keyword.kwlist) - {"assert"}
_FUNCTION_NAMES: Final = ("print", "eval", "exec")
_PATH: Final = re.compile(r"/|\.(?:py|ya?ml|toml|json|md|txt|cfg|ini|sh|sql|lock|csv|html)$")


def suggest_check(record: RuleRecord) -> str:
    """Return the best check for a rule: a hook for a command, a lint rule for code, or a test."""
    words = record.rule.text.rule
    forbids = _PROHIBITION.search(words)
    forbidden = _REST.split(words[forbids.end() :], maxsplit=1)[0] if forbids else ""
    if _EXCEPT.search(_SPAN.sub(" ", forbidden)):
        return _render_test(record)
    if command := _find_command(forbidden):
        return _render_permission(command)
    if code := _find_code(forbidden):
        return _render_lint_rule(code, record)
    return _render_test(record)


def replace_rule(record: RuleRecord, rule: Rule) -> RuleRecord:
    """Return the record of a changed rule; a suggested check is made again from its text."""
    changed = replace(record, rule=rule)
    if not record.suggestion or rule.text == record.rule.text:
        return changed
    return replace(changed, suggestion=suggest_check(changed))


# ---- a command


def _find_command(text: str) -> list[str]:
    """Return the words and flags of the command that a rule names; empty if it names none."""
    for span in _SPAN.findall(text):
        if _TOOL.match(span):
            return str(span).split()
    said = _UNQUOTED_COMMAND.search(_SPAN.sub(" ", text))
    if not said:
        return []
    command: list[str] = []
    words = [word.rstrip(".,:") for word in said[1].split()]
    for word in words:
        named = _SUBCOMMAND.fullmatch(word) and not _NO_SUBCOMMAND.fullmatch(word)
        if not _FLAG.fullmatch(word) and not (named and len(command) < 2):
            break
        command.append(word)
    # A tool alone, in the middle of a sentence, is not what the rule is about.
    return command if len(command) > 1 or command == words else []


def _render_permission(command: list[str]) -> str:
    prefix = " ".join(command)
    lines = [
        "a permission that stops the command. In .claude/settings.json:",
        "  " + json.dumps({"permissions": {"deny": [f"Bash({prefix}:*)"]}}, ensure_ascii=False),
        f"It stops what begins with `{prefix}`, and nothing else.",
    ]
    if flags := [word for word in command if word.startswith("-")]:
        lines += [
            f"With {' '.join(flags)} further on, the command passes; a hook sees it there too:",
            "  " + _render_hook([word for word in command if word not in flags], flags),
        ]
    return "\n".join(lines)


def _render_hook(words: list[str], flags: list[str]) -> str:
    """Return a hook for settings.json that reads the call, and stops it with exit code 2."""
    named = [rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in words]
    looked_for = [".*".join(named), *(rf"(?<!\S){re.escape(flag)}(?![\w-])" for flag in flags)]
    script = (
        "import json, re, sys; said = json.load(sys.stdin)['tool_input']['command']; "
        f"stop = all(re.search(each, said) for each in {looked_for!r}); "
        "stop and print('a rule of this project forbids it', file=sys.stderr); "
        "sys.exit(2 if stop else 0)"
    )
    hook = {"type": "command", "command": f"python3 -c {shlex.quote(script)}"}
    return json.dumps({"hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [hook]}]}})


# ---- code


def _find_code(text: str) -> str:
    named = [span.strip() for span in _SPAN.findall(text)] or _CODE.findall(text)
    for code in named:
        if re.search(r"[A-Za-z]", code) and not _PATH.search(code) and code not in _WORDS:
            return str(code)
    return ""


def _render_lint_rule(code: str, record: RuleRecord) -> str:
    name = re.sub("[^a-z0-9]+", "-", code.lower()).strip("-")
    return (
        "a lint rule. In .pre-commit-config.yaml, under `repos`:\n"
        "  - repo: local\n"
        "    hooks:\n"
        f"      - id: no-{name}\n"
        f"        name: {_quote_yaml(record.rule.text.rule)}\n"
        "        language: pygrep\n"
        f"        entry: {_quote_yaml(_build_pattern(code))}\n"
        "        types: [python]"
    )


def _build_pattern(code: str) -> str:
    """Return a pattern for `re.search`: the code as whole words, however it is spaced."""
    called = code in _FUNCTION_NAMES or code.endswith("()")
    tokens = re.findall(r"\w+|[^\w\s]", code.removesuffix("()"))
    before = r"(?<![\w.])" if re.match(r"\w", tokens[0]) else ""
    after = r"\s*\(" if called else r"(?!\w)" if re.match(r"\w", tokens[-1]) else ""
    return before + r"\s*".join(map(re.escape, tokens)) + after


def _quote_yaml(text: str) -> str:
    """Return a text as YAML: as JSON, with the characters escaped that YAML allows only so."""
    return "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}"
        for char in json.dumps(text, ensure_ascii=False)
    )


# ---- anything else


def _render_test(record: RuleRecord) -> str:
    text, origin = record.rule.text, record.origin
    name = re.sub(r"[^a-z0-9]+", "_", text.rule.lower()).strip("_")[:60].rstrip("_")
    seen = ", ".join(origin.cases[:3]) or origin.summary or "the failure that it was learned from"
    return (
        "a test of its own, that says in its message what to do:\n"
        f"  def test_{name or 'the_rule'}() -> None:\n"
        f"      # seen so far: {sanitize_line(seen)}\n"
        f"      # when: {sanitize_line(text.when) or 'always'}\n"
        f"      raise AssertionError({text.rule!r})"
    )

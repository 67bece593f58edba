"""Draft a skill of Claude Code from a procedure: the commands that were run in the same order.

What stands in a SKILL.md is not inert, as seen with 2.1.332: `!` before a command in backticks is
executed when the skill is loaded, also inside of a code fence, `@name` includes a file there, and
`$1` and `$ARGUMENTS` are replaced. The commands come from transcripts, so none of this may come out
of them: backticks never get into a skill, and the other two are escaped. Nor does a character get
into one that a reader does not see.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.counts import format_count
from orchestrator.masking import mask_line
from orchestrator.rulebook.screening.characters import find_bad_characters
from orchestrator.rulebook.text import sanitize_line
from teacher.models import RuleText

LONGEST_COMMAND: Final = 300
MOST_COMMANDS: Final = 20
LONGEST_NAME: Final = 64
LONGEST_DESCRIPTION: Final = 400
_NAMED_STEPS: Final = 3
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_RESERVED: Final = re.compile(r"anthropic|claude")
"""Words that Claude Code refuses in the name of a skill."""
_IMPORT: Final = re.compile(r"(?<!\S)@")
_ARGUMENT: Final = re.compile(r"(?<!\\)\$(?=\d|ARGUMENTS|\{CLAUDE)")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_:.-]*")
_FRONT_MATTER_END: Final = re.compile(r"-{3,}")
"""Ends the front matter for Claude Code, wherever it stands in a line."""
_PLACEHOLDER: Final = re.compile(r"<[a-z][a-z ]*>")


@dataclass(frozen=True)
class Procedure:
    """Commands that were run in the same order in several sessions."""

    commands: Sequence[str]
    sessions: int
    """The number of distinct sessions."""
    first: str = ""
    """The date on which it was first seen, as ISO 8601."""
    last: str = ""
    """The date on which it was last seen."""


@dataclass(frozen=True)
class SkillDraft:
    """A SKILL.md, and the rule that makes it known."""

    name: str
    text: str
    index: RuleText


def draft_skill(procedure: Procedure, taken: Collection[str] = ()) -> SkillDraft | None:
    """Return a skill for a procedure; None if one of its commands cannot be written safely.

    Args:
        procedure: the commands, as they stand in transcripts.
        taken: names of skills that exist.
    """
    commands = [_escape_command(each) for each in procedure.commands[:MOST_COMMANDS]]
    if not commands or not all(commands):
        return None
    labels = _label_steps(commands)
    name = find_free_name(_derive_name(labels), taken)
    steps = _join_labels(labels)
    seen = f"in {format_count(procedure.sessions, 'session')} of this project"
    description = f"Runs {steps}, in this order. Use it when you are about to run {labels[0]}."
    text = _render_file(name, description, commands, seen, _describe_dates(procedure))
    index = build_index(name, labels, seen)
    return None if explain_unreadable_skill(text, index) else SkillDraft(name, text, index)


def build_index(name: str, labels: Sequence[str], seen: str) -> RuleText:
    """Return the rule that points to a skill: a skill that nothing names is rarely used."""
    return RuleText(
        sanitize_line(f"When you are about to run {_join_labels(labels)}, use the skill `{name}`"),
        sanitize_line(f"You are about to run {labels[0]}"),
        sanitize_line(f"The skill has these steps as they were done {seen}"),
    )


def find_free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that no skill has, with a number at its end if need be."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[: LONGEST_NAME - 4].rstrip('-')}-{number}"
    return free


def explain_invalid_skill(text: str, name: str) -> str:
    """Return why Claude Code would not load a SKILL.md as this skill; empty if it would."""
    head, separator, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or not separator:
        return "it does not begin with front matter between two lines of ---"
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    if fields.get("name", "").strip() != name:
        return f"its name is not {name}, as the name of its folder"
    if not fields.get("description", "").strip(" \"'"):
        return "it has no description"
    if _FRONT_MATTER_END.search(head):
        return "its front matter has --- in it, where Claude Code would end it"
    return "" if body.strip() else "it has no text"


def explain_unreadable_skill(text: str, index: RuleText | None = None) -> str:
    """Return what a reader of a SKILL.md, or of its index line, could not see; empty if nothing."""
    texts = (text, *vars(index).values()) if index else (text,)
    return next(filter(None, map(find_bad_characters, texts)), "")


def is_skill_name(name: str) -> bool:
    """Return whether Claude Code takes a text as the name of a skill."""
    is_short = len(name) <= LONGEST_NAME
    return is_short and bool(_NAME.fullmatch(name)) and not _RESERVED.search(name)


def _escape_command(command: str) -> str:
    """Return a command that can stand in a skill.

    It is empty if it has backticks, several lines, or characters that a reader does not see.
    """
    line = mask_line(command, LONGEST_COMMAND)
    # It is code: single letters in it are options, and no hidden words.
    if "`" in line or len(command.strip().splitlines()) != 1 or find_bad_characters(f"`{line}`"):
        return ""
    return _ARGUMENT.sub(r"\\$", _IMPORT.sub(r"\\@", line))


def _label_steps(commands: Sequence[str]) -> list[str]:
    """Return a name for each step: the program, and its command if it has one."""
    labels = []
    for command in commands:
        words = command.split()
        program = words[0].rpartition("/")[2] or words[0]
        count = 2 if words[1:2] == ["run"] else 1
        more = [word for word in words[1 : 1 + count] if _WORD.fullmatch(word)]
        label = " ".join([program, *more])
        labels.append("".join(char for char in label if char.isalnum() or char in " .:_-")[:40])
    return list(dict.fromkeys(each.strip(" .:_-") or "a command" for each in labels))


def _derive_name(labels: Sequence[str]) -> str:
    chosen = labels if len(labels) <= _NAMED_STEPS else [*labels[: _NAMED_STEPS - 1], labels[-1]]
    words = re.findall(r"[a-z0-9]+", _RESERVED.sub("", "-".join(chosen).lower()))
    name = "-".join(dict.fromkeys(words))
    if not name[:1].isalpha() or "-" not in name:  # it could be a number or a `no` in YAML
        name = f"run-{name}".rstrip("-")
    if len(name) > LONGEST_NAME:
        name = name[:LONGEST_NAME].rpartition("-")[0]
    return name if is_skill_name(name) else "repeated-steps"


def _join_labels(labels: Sequence[str]) -> str:
    shown = list(labels[:6])
    rest = f" and {len(labels) - len(shown)} more" if len(labels) > len(shown) else ""
    return f"{', '.join(shown)}{rest}" if rest or len(shown) == 1 else _join_last(shown)


def _join_last(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _describe_dates(procedure: Procedure) -> str:
    first, last = procedure.first[:10], procedure.last[:10]
    if not first or not last:
        return ""
    return f", on {first}" if first == last else f", from {first} to {last}"


def _render_file(
    name: str, description: str, commands: Sequence[str], seen: str, dates: str
) -> str:
    line = sanitize_line(description, LONGEST_DESCRIPTION)
    line = _FRONT_MATTER_END.sub("--", line.replace("<", "").replace(">", ""))
    note = "\nReplace what stands in angle brackets by what fits.\n"
    return (
        f"---\nname: {name}\ndescription: {json.dumps(line, ensure_ascii=False)}\n---\n\n"
        f"# {name.replace('-', ' ').capitalize()}\n\n"
        f"These steps were done in this order {seen}{dates}:\n\n"
        "```bash\n" + "".join(f"{command}\n" for command in commands) + "```\n"
        f"{note if any(map(_PLACEHOLDER.search, commands)) else ''}\n"
        "Stop at the first step that fails, and say which one it was.\n"
    )

"""Check what a person typed for a rule: its text and its scope."""

from collections.abc import Sequence
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.rulebook.scope import filter_globs
from orchestrator.rulebook.screening.screen import screen
from orchestrator.rulebook.text import MAX_CHARS, sanitize_line, sanitize_text
from teacher.models import RuleText

_EVERYTHING: Final = frozenset(("*", "**", "**/*"))
"""Globs that match every file, which is the same as no scope."""


def validate_text(text: RuleText) -> RuleText:
    """Return a text that is safe to write.

    Raises:
        UsageError: a field is blank, or too long.
    """
    for name in ("rule", "when", "why"):
        given = getattr(text, name)
        line = sanitize_line(given, limit=2 * len(given) + MAX_CHARS)
        if given and not line:
            raise UsageError(f"the {name} is empty", f"give it a text, or leave --{name} out")
        if len(line) > MAX_CHARS:
            raise UsageError(
                f"the {name} has {len(line)} characters; the maximum is {MAX_CHARS}",
                "say it in fewer words",
            )
    return sanitize_text(text)


def resolve_scope(paths: Sequence[str], *, can_scope_rules: bool) -> tuple[str, ...] | None:
    """Return the globs of a scope: empty for every file, None if no scope was given.

    Raises:
        UsageError: a path is no glob of project files, or rules cannot have a scope here.
    """
    if not paths:
        return None
    if any(path.strip() in _EVERYTHING for path in paths):
        return ()
    scope = filter_globs(paths)
    for path in paths:
        if path.strip().removeprefix("./") not in scope:
            hint = "name files of the project: --path 'src/**/*.py'"
            raise UsageError(f"{path!r} is no scope", hint)
    if not can_scope_rules:
        hint = "set rules.target: rules-dir for rules that apply to some files only"
        raise UsageError("a rule here applies to every file", hint)
    return scope


def build_warning(text: RuleText, paths: Sequence[str]) -> str:
    """Return a warning if a text may deceive a reader; a person may add it all the same."""
    # The text as it was typed: `validate_text` removes the characters that give an attack away.
    screening = screen(text, paths)
    if not screening.defect:
        return ""  # what it is about is shown with the rule
    return f"{screening.reason}; a teacher's rule like that would wait for your approval"

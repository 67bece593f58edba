"""Format how an exported workflow differs from this version's."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.cli.output import iter_wrapped_lines
from orchestrator.cli.values import format_yaml, sanitize_text
from orchestrator.masking import mask_text
from orchestrator.services.workflow_exports import CredentialsComparison, UpdatedWorkflow
from teacher.saved_executions import HOW_TO_DROP
from teacher.workflow_changes import Comparison, Difference, NodeChange, Setting

_LONGEST_SHORT: Final = 60
"""Most characters of a value that is shown in one line."""

_OPEN_CREDENTIAL: Final = (
    "where the variable of this token is not set in n8n, `Bearer undefined` is the password: "
    "import what `orchestrator teacher workflow --credentials` prints"
)


def iter_comparison(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of `orchestrator teacher workflow --diff`."""
    if comparison.is_equal:
        yield f"no difference: version {comparison.current_version}, with the same settings"
        return
    yield f"version: {comparison.exported_version} in the export, {comparison.current_version} here"
    yield from _iter_settings("edited in n8n; --update keeps these", comparison.edited, edited=True)
    yield from _iter_settings("changed here; --update brings these", comparison.renewed)
    if comparison.unknown:
        yield "settings that this version does not have; --update drops these:"
        yield from (f"  {sanitize_text(name)}" for name in comparison.unknown)
    yield from _iter_nodes(comparison)
    yield from _iter_warnings(comparison)


def iter_credentials_comparison(comparison: CredentialsComparison) -> Iterator[str]:
    """Yield the lines of `orchestrator teacher workflow --diff` for credentials."""
    if comparison.is_open:
        yield from iter_wrapped_lines("! ", _OPEN_CREDENTIAL)
    elif comparison.is_equal:
        yield "no difference: nobody gets in where the variable is not set"
    else:
        yield "the token is not the expression that this version prints, and is not shown here"


def iter_update_notes(updated: UpdatedWorkflow) -> Iterator[str]:
    """Yield what an update keeps, and what it does not carry over."""
    comparison = updated.comparison
    kept = ", ".join(each.name for each in comparison.edited) or "none, because none is edited"
    yield from iter_wrapped_lines("kept settings: ", sanitize_text(kept))
    yield "kept too: id, name, credentials, and the path and authentication of the trigger"
    if comparison.renewed:
        names = ", ".join(each.name for each in comparison.renewed)
        yield from iter_wrapped_lines("new settings: ", names)
    lost = [
        *comparison.unknown,
        *(_describe_node(each) for each in comparison.nodes if each.is_own),
    ]
    if lost:
        yield "not carried over; repeat it in n8n's editor if you still want it:"
        yield from (f"  {sanitize_text(each)}" for each in lost)
    if any(each.is_own is None for each in comparison.nodes):
        yield from iter_wrapped_lines(
            "! ",
            "whether somebody has edited other nodes than Settings cannot be known for version "
            f"{comparison.exported_version}: --diff lists the nodes that differ",
        )
    if comparison.open_triggers:
        yield from _iter_open_triggers(comparison)


def _iter_settings(
    title: str, settings: Iterable[Setting], *, edited: bool = False
) -> Iterator[str]:
    """Yield settings with their difference: from old to new, where an edit is newer."""
    settings = list(settings)
    if settings:
        yield f"settings {title}:"
    for each in settings:
        before, after = (_format_value(value) for value in (each.exported, each.current))
        if max(len(before), len(after)) <= _LONGEST_SHORT and "\n" not in before + after:
            yield f"  {each.name}: {_quote(before)} in the export, {_quote(after)} here"
            continue
        yield f"  {each.name}:"
        sides = [("in the export", before.splitlines()), ("here", after.splitlines())]
        (old, old_lines), (new, new_lines) = reversed(sides) if edited else sides
        lines = difflib.unified_diff(old_lines, new_lines, old, new, lineterm="", n=1)
        yield from (f"    {line}" for line in lines)


def _iter_nodes(comparison: Comparison) -> Iterator[str]:
    own = [each for each in comparison.nodes if each.is_own]
    other = [each for each in comparison.nodes if not each.is_own]
    if own:
        yield "nodes edited in n8n; --update does not carry these over:"
        yield from (f"  {sanitize_text(_describe_node(each))}" for each in own)
    if other:
        unknown = any(each.is_own is None for each in other)
        yield f"nodes that differ{'' if unknown else ' because of the version'}:"
        yield from (f"  {sanitize_text(_describe_node(each))}" for each in other)


def _iter_warnings(comparison: Comparison) -> Iterator[str]:
    if comparison.saved:
        kinds = ", ".join(comparison.saved)
        yield from iter_wrapped_lines(
            "! ",
            f"n8n may save {kinds} executions of this workflow, each with diff and token: "
            f"{HOW_TO_DROP}",
        )
    yield from _iter_open_triggers(comparison)


def _iter_open_triggers(comparison: Comparison) -> Iterator[str]:
    for name in comparison.open_triggers:
        yield from iter_wrapped_lines(
            "! ",
            f"the node {sanitize_text(name)} lets everybody in: set its Authentication to `Header "
            "Auth`",
        )


def _describe_node(change: NodeChange) -> str:
    if change.difference is Difference.CHANGED:
        return f"{change.name}: {', '.join(change.keys) or 'changed'}"
    return f"{change.name} ({change.difference})"


def _format_value(value: object) -> str:
    text = value if isinstance(value, str) else format_yaml(value)
    return sanitize_text(mask_text(text)).replace("\t", "    ")


def _quote(text: str) -> str:
    return text or "(empty)"

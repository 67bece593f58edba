"""Build the write-ahead entry of a tool call: what it would do, and the state before it."""

import time
from collections.abc import Iterable

from orchestrator.session_hooks.writeahead import gitfacts, grammar
from orchestrator.session_hooks.writeahead.danger import Danger, DangerKind


def build_entry(found: list[Danger], directory: str, call: str, session: str) -> str:
    """Return the entry of a tool call, its lines ended by newlines."""
    operation = " && ".join(_format_operation(danger, directory) for danger in found)
    values = {
        grammar.OPERATION: operation,
        grammar.AFFECTED: _join_unique(target for danger in found for target in danger.targets),
        grammar.BLAST: _join_unique(danger.blast for danger in found),
        grammar.ROLLBACK: _join_unique(danger.rollback for danger in found),
        grammar.STATUS: grammar.PENDING,
        grammar.DIRECTORY: directory,
        grammar.BEFORE: _describe_state(found),
        grammar.CALL: grammar.format_call(call, session),
    }
    return grammar.format_entry(time.strftime("%Y-%m-%d %H:%M"), values)


def _format_operation(danger: Danger, directory: str) -> str:
    if danger.kind in (DangerKind.SQL, DangerKind.UNREAD) or danger.through:
        return danger.operation
    import shlex

    folder = shlex.quote(danger.started_in)
    if not danger.sure:  # the command also runs if the `cd` fails
        return f"cd {folder}; {danger.operation}"
    if danger.started_in == directory:
        return danger.operation
    return f"cd {folder} && {danger.operation}"


def _join_unique(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def _describe_state(found: list[Danger]) -> str:
    here = [danger for danger in found if not danger.through]
    facts = []
    if here and (tip := gitfacts.read_head(here[0].directory)):
        facts.append(grammar.format_head(tip))
    for danger in here:
        if danger.kind is DangerKind.FORCED_PUSH:
            plain = [word for word in danger.targets if " " not in word]
            if tip := gitfacts.read_remote_tip(danger.directory, plain):
                facts.append(tip)
    return "; ".join(facts)

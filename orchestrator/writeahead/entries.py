"""The text of a write-ahead entry.

    ## WAL Entry — 2026-05-20 14:32
    **Operation**: rm -rf build
    **Affected resources**: /home/dev/shop/build
    **Blast radius**: the files, and everything below the folders
    **Rollback**: what git tracks: git checkout -- PATH; anything else: none
    **Status**: PENDING
    **Directory**: /home/dev/shop
    **Before**: HEAD 1f23ccc3... on main
    **Call**: toolu_01... in session 9f1c...

The first five fields are the published form; the others tell `resume` where to look, and the
hook which entry is whose.
"""

import time
from collections.abc import Iterable

from orchestrator.masking import mask_line
from orchestrator.writeahead import gitfacts
from orchestrator.writeahead.buffer import BOUND, HEADING, PENDING
from orchestrator.writeahead.destructive import FORCED_PUSH, SQL, Danger


def entry(found: list[Danger], directory: str, call: str, session: str) -> str:
    """The entry for one tool call, lines ended by newlines."""
    operation = " && ".join(_operation(danger, directory) for danger in found)
    fields = [
        ("Operation", operation),
        ("Affected resources", _listed(target for danger in found for target in danger.targets)),
        ("Blast radius", _listed(danger.blast for danger in found)),
        ("Rollback", _listed(danger.rollback for danger in found)),
        ("Status", PENDING),
        ("Directory", directory),
        ("Before", _before(found)),
        ("Call", f"{call} in session {session}"),
    ]
    lines = [f"{HEADING} \N{EM DASH} {time.strftime('%Y-%m-%d %H:%M')}"]
    lines += [f"**{name}**: {mask_line(value, BOUND)}" for name, value in fields if value]
    return "\n".join(lines) + "\n"


def _operation(danger: Danger, directory: str) -> str:
    if danger.kind == SQL or danger.through:
        return danger.operation
    import shlex

    folder = shlex.quote(danger.started_in)
    if not danger.sure:  # a `cd` that may fail, and the command is run all the same
        return f"cd {folder}; {danger.operation}"
    if danger.started_in == directory:
        return danger.operation
    return f"cd {folder} && {danger.operation}"


def _listed(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def _before(found: list[Danger]) -> str:
    here = [danger for danger in found if not danger.through]
    facts = []
    if here and (tip := gitfacts.head(here[0].directory)):
        facts.append(f"HEAD {tip}")
    for danger in here:
        if danger.kind == FORCED_PUSH:
            plain = [word for word in danger.targets if " " not in word]
            if tip := gitfacts.remote_tip(danger.directory, plain):
                facts.append(tip)
    return "; ".join(facts)

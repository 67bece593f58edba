"""Find sequences of commands, which may be a procedure if they recur in several sessions.

Every run of four different commands is one occurrence; `findings` joins those that overlap. What
only looks at things is left out, commands joined by `&&` are so many, and a command that is
repeated counts once: trying again is no procedure. `detail` holds `commands`, the four keys, and
`position`, by which overlapping ones are found.
"""

from collections.abc import Iterator
from typing import Final

from orchestrator.sessions.calls.commands import is_read_only, normalize
from orchestrator.sessions.calls.shortening import shorten_at_space
from orchestrator.sessions.detectors.calls import quote_command, read_command
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Session, ToolCall

LENGTH: Final = 4
"""Commands of a sequence; shorter ones recur by chance."""
LEAST_CALLS: Final = 2
MOST_OF_COMMAND: Final = 70
"""Characters of a command's key, so that four fit into a key that is stored."""
SEPARATOR: Final = "\n"
"""Between the commands of a key."""
_CHAIN: Final = " && "
"""Between the commands of one call, as `normalize` writes it."""


def find_procedures(session: Session) -> Iterator[Occurrence]:
    """Yield one occurrence for each sequence of commands in the main conversation.

    A command that was not carried out is not part of it, nor is one that failed.
    """
    steps: list[tuple[str, ToolCall, str]] = []
    for call in session.main.entries:
        if not isinstance(call, ToolCall) or call.name != "Bash" or call.denial or call.is_error:
            continue
        command = read_command(call)
        if not command or is_read_only(command):
            continue
        for whole in normalize(command).split(_CHAIN):
            key = shorten_at_space(whole, MOST_OF_COMMAND)
            if key and (not steps or steps[-1][0] != key):
                steps.append((key, call, command))
    for position in range(len(steps) - LENGTH + 1):
        part = steps[position : position + LENGTH]
        keys = [key for key, _, _ in part]
        # Several commands of one call are a script that the model wrote at once.
        if len(set(keys)) < LENGTH or len({call.row for _, call, _ in part}) < LEAST_CALLS:
            continue
        shown = dict.fromkeys(quote_command(command) for _, _, command in part)
        yield Occurrence(
            Detector.PROCEDURE,
            SEPARATOR.join(keys),
            row=part[0][1].row,
            at=part[0][1].at,
            quote="\n".join(shown),
            detail={"commands": keys, "position": position},
        )

"""Join short sequences of commands that overlap into the longest ones that recur."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Location: TypeAlias = tuple[str, int]
"""A session, and a position in it."""
Commands: TypeAlias = tuple[str, ...]

_LONGEST: Final = 12
"""Commands. A longer one is a day's work, not a procedure."""
_LEAST_SHARED: Final = 0.75
"""Part of the shorter sequence's commands that two procedures have in common if they are one."""


@dataclass(frozen=True)
class RecurringSequence:
    """Commands that follow each other in several sessions."""

    commands: Commands
    locations: tuple[Location, ...]
    """Where it begins, sorted."""

    @property
    def sessions(self) -> int:
        """The number of different sessions."""
        return _count_sessions(self.locations)


def join_sequences(
    grams: Mapping[Location, Sequence[str]], least_sessions: int
) -> list[RecurringSequence]:
    """Return the longest sequences that recur, each of which shares few commands with the others.

    A sequence grows to the right as long as it is found in enough sessions and no command stands
    in it twice. Of sequences that have most commands in common, the one is kept that covers most:
    length times sessions. The others are parts of it, or the same procedure started elsewhere.

    Args:
        grams: the commands of each location; all of one length.
        least_sessions: how many different sessions a sequence must be found in.
    """
    starting: defaultdict[Commands, list[Location]] = defaultdict(list)
    for location in sorted(grams):
        starting[tuple(grams[location])].append(location)
    found = []
    level = _keep_recurring(starting, least_sessions)
    while level:
        found += [RecurringSequence(commands, tuple(level[commands])) for commands in level]
        level = _keep_recurring(_extend(level, grams), least_sessions)
    found.sort(key=lambda each: (-len(each.commands) * each.sessions, each.commands))
    return _drop_alike(found)


def _extend(
    level: Mapping[Commands, Iterable[Location]], grams: Mapping[Location, Sequence[str]]
) -> dict[Commands, list[Location]]:
    longer: defaultdict[Commands, list[Location]] = defaultdict(list)
    for commands, locations in level.items():
        if len(commands) >= _LONGEST:
            continue
        for session, position in locations:
            last = grams.get((session, position + 1 + len(commands) - _length(grams)))
            if last is not None and last[-1] not in commands:
                longer[(*commands, last[-1])].append((session, position))
    return longer


def _length(grams: Mapping[Location, Sequence[str]]) -> int:
    return len(next(iter(grams.values())))


def _keep_recurring(
    sequences: Mapping[Commands, list[Location]], least_sessions: int
) -> dict[Commands, list[Location]]:
    return {
        commands: locations
        for commands, locations in sequences.items()
        if _count_sessions(locations) >= least_sessions
    }


def _count_sessions(locations: Iterable[Location]) -> int:
    return len({session for session, _ in locations})


def _drop_alike(found: Iterable[RecurringSequence]) -> list[RecurringSequence]:
    kept: list[RecurringSequence] = []
    for each in found:
        if not any(are_alike(each.commands, other.commands) for other in kept):
            kept.append(each)
    return kept


def are_alike(one: Iterable[str], other: Iterable[str]) -> bool:
    """Return whether two sequences are parts of each other, or of the same procedure."""
    mine, its = set(one), set(other)
    return len(mine & its) >= _LEAST_SHARED * min(len(mine), len(its))

"""Count each row and each answer of the model once, over all transcripts of a machine.

A fork copies rows with their ids into a new file, under a new session id; compaction on the desktop
and some clients write rows twice. A row is recognized by its `uuid`, an answer by its message id,
and both belong to the file that was read first. Nothing here knows of times: a copy outside of a
window must not hide the one inside, so a window is applied later, to what was stored.
"""

import zlib
from collections.abc import Iterable


class KnownIds:
    """The ids that count for some file already."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self.ids = set(ids)
        """Also changed by the reader itself: a call for each row would cost a tenth of its time."""

    def add(self, ids: Iterable[str]) -> set[str]:
        """Add the ids of a file that is not read again; return those that were not known."""
        new = set(ids) - self.ids
        self.ids |= new
        return new

    def release(self, ids: Iterable[str]) -> None:
        """Forget the ids of a file that is about to be read again."""
        self.ids.difference_update(ids)


def pack_ids(ids: Iterable[str]) -> bytes:
    """Return ids in the form in which they are stored."""
    return zlib.compress("\n".join(ids).encode("utf-8", "surrogatepass"), 1)


def unpack_ids(packed: bytes) -> list[str]:
    """Return the ids that `pack_ids` packed."""
    text = zlib.decompress(packed).decode("utf-8", "surrogatepass")
    return text.split("\n") if text else []

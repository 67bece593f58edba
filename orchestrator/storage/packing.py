"""Pack the JSON of a run's result for the database, and unpack it.

Apart from `codec`, which imports pydantic: listing runs unpacks results without decoding them.
"""

import zlib

from orchestrator.storage.database import Row


def pack_result(text: str) -> bytes:
    """Return the JSON of a result, compressed: the reports of its attempts repeat each other."""
    return zlib.compress(text.encode("ascii"), 6)


def unpack_result(row: Row) -> str:
    """Return the JSON of a result from a row whose first column is the packed result."""
    return zlib.decompress(row[0]).decode("ascii")

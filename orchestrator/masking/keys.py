"""The key of this user's tags: the same secret has the same tag in all of their runs."""

from __future__ import annotations

import os

_BYTES = 32


def read_key(state: str | os.PathLike[str]) -> bytes:
    """Return the key that a state directory keeps; make it when it is missing or damaged.

    Raises:
        OSError: it cannot be written.
    """
    path = os.path.join(state, "masking.key")  # noqa: PTH118 -- the hook has no time for pathlib
    for _ in range(2):
        try:
            with open(path, "rb") as file:  # noqa: PTH123 -- likewise
                key = file.read(_BYTES + 1)
        except FileNotFoundError:
            key = b""
        if len(key) == _BYTES:
            return key
        _make(path)
    raise OSError(0, "it is not what was written", path)


def _make(path: str) -> None:
    new = f"{path}.{os.getpid()}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 -- likewise
        file.write(os.urandom(_BYTES))
    os.replace(new, path)  # noqa: PTH105 -- likewise

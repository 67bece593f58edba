"""What the guard does about edits to guarded files, as `tests.guard` says."""

from enum import StrEnum


class GuardMode(StrEnum):
    """What happens to edits to guarded files."""

    RESTORE = "restore"
    """They are reverted and reported."""
    FLAG = "flag"
    """They are reported, but never prevent a passing verdict."""
    OFF = "off"
    """They are not detected."""

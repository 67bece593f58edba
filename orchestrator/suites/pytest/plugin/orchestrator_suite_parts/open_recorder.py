"""Record which files are opened for reading, and by which code of the project."""

from __future__ import annotations

import os
import sys
from typing import Any, Iterator

import pytest

from .project_files import is_project_file

_SOURCE_READERS = ("linecache.py", "tokenize.py", "rewrite.py", "inspect.py", "source.py")


class OpenRecorder:
    """Records the interpreter's audit event for each `open`.

    Args:
        items: a list to which each case that has run is appended.
    """

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self.current = ""
        """The file of the running case."""
        self.read_files: set[tuple[str, str]] = set()
        """Opened files, each with the innermost file of the project on the stack."""
        self.written_files: set[str] = set()
        # An audit hook sees opens in C code too; it cannot be removed again, nor by a test.
        sys.addaudithook(self._handle_audit_event)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        """Record which case is running."""
        self.current = str(getattr(item, "path", ""))
        yield
        self.current = ""
        self._items.append(item)

    def _handle_audit_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            try:
                self._record_open(*arguments)
            except Exception:  # noqa: BLE001, S110 -- raising here would make the suite's `open` fail
                pass

    def _record_open(self, path: Any, mode: str | None, flags: int) -> None:
        if not isinstance(path, (str, bytes)):
            return
        text = os.fsdecode(path)
        if text.endswith(".pyc"):
            return
        writes = flags & (os.O_WRONLY | os.O_RDWR) if isinstance(flags, int) else 0
        if writes or (mode and set(mode) & set("wax+")):
            self.written_files.add(os.path.abspath(text))
            if not (mode and "r" in mode) and not flags & os.O_RDWR:
                return
        frame: Any = sys._getframe(2)
        first = frame.f_code.co_filename
        if text.endswith(".py") and (
            first.startswith("<frozen importlib") or first.endswith(_SOURCE_READERS)
        ):
            return
        while frame is not None:
            file = frame.f_code.co_filename
            if not file.startswith("<") and is_project_file(file):
                break
            frame = frame.f_back
        by = file if frame is not None else self.current
        if by:
            self.read_files.add((os.path.abspath(text), by))

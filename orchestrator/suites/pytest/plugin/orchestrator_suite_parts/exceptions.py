"""Describe a chain of exceptions by type, message and files, whatever the traceback style."""

from __future__ import annotations

import os
from typing import Any, Iterator

_LONGEST_CHAIN, _LONGEST_MESSAGE, _MOST_FRAMES = 12, 2_000, 60

_runner_folders: tuple[str, ...] = ()


def describe_exceptions(error: BaseException) -> list[list[Any]]:
    """List type, message and files of each exception, the cause first."""
    found = list(_iter_causes(error, set()))[-_LONGEST_CHAIN:]
    return [[_format_type(each), _format_message(each), _list_files(each)] for each in found]


def describe_collection_error(error: BaseException) -> tuple[str, list[list[Any]]]:
    """Return message and chain of a collection error, without pytest's own wrapper."""
    chain = describe_exceptions(error)
    if chain[-1][0].endswith("CollectError") and len(chain) > 1:
        if chain[-2][0].startswith("_pytest."):
            return chain[-1][1], chain
        chain.pop()
    name, message, _files_of_it = chain[-1]
    kind = name.rpartition(".")[2]
    return (message if kind == "CollectError" else "{}: {}".format(kind, message)), chain


def _iter_causes(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    if id(error) in seen or len(seen) > 50:
        return
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _iter_causes(before, seen)
    parts = getattr(error, "exceptions", None)
    if isinstance(parts, tuple):
        for part in parts:
            if isinstance(part, BaseException):
                yield from _iter_causes(part, seen)
    yield error


def _format_type(error: BaseException) -> str:
    return "{}.{}".format(type(error).__module__, type(error).__qualname__)


def _format_message(error: BaseException) -> str:
    try:
        return str(error)[:_LONGEST_MESSAGE]
    except Exception:  # noqa: BLE001 -- calls the project's own `__str__`
        return ""


def _list_files(error: BaseException) -> list[str]:
    """List the files of the frames, except those of the runner."""
    found: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith("<") and not is_runner_file(name):
            path = os.path.abspath(name)
            if not found or found[-1] != path:
                found.append(path)
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename and not error.filename.startswith("<"):
        found.append(os.path.abspath(error.filename))
    return found[-_MOST_FRAMES:]


def is_runner_file(name: str) -> bool:
    """Return whether a file belongs to pytest, pluggy or this plugin."""
    global _runner_folders  # noqa: PLW0603 -- computed once
    if not _runner_folders:
        import _pytest
        import pluggy

        own = (os.path.dirname(str(each.__file__)) for each in (_pytest, pluggy))
        _runner_folders = tuple(each + os.sep for each in (*own, os.path.dirname(__file__)))
    return name.startswith(_runner_folders)

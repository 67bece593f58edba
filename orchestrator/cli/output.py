"""Standard output and standard error of a process whose result must not depend on them.

A terminal may hang up, the reader of a pipe may be gone (`| head`), and a disk may be full. The
work goes on in any case: what it costs is spent already, and the exit code says how it ended.
"""

import errno
import io
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import click

from orchestrator.errors import InfrastructureError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_UNREAD: Final = frozenset({errno.EPIPE, errno.EIO, errno.EBADF})
"""Errors of a stream that nobody reads any more: a pipe, a terminal that hung up."""

_MIN_ROOM: Final = 20
"""Fewest columns for a wrapped text, however narrow the terminal is."""


class _TolerantFile(io.FileIO):
    """A file that stores its first error, and from then on drops what is written to it."""

    error: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write some bytes, and return how many were taken; those that are dropped count."""
        size = memoryview(data).nbytes
        while self.error is None:
            try:
                written: int | None = super().write(data)
            except OSError as error:
                self.error = error
                break
            if written is not None:
                return written
            _wait_until_writable(self)  # another process has made the stream non-blocking
        return size


def _wait_until_writable(file: io.FileIO) -> None:
    import select

    select.select([], [file], [])


def make_output_tolerant() -> None:
    """Make the standard streams of this process drop what they cannot write."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _wrap_stream(stream))


def _wrap_stream(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    file = _TolerantFile(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they come, until all are printed or nobody reads them any more.

    Raises:
        Exit: they cannot be written, as on a full disk; `report_lost_output` says so.
    """
    for line in lines:
        click.echo(line)
        if error := _find_output_error():
            if error.errno in _UNREAD:
                return
            raise click.exceptions.Exit(InfrastructureError.exit_code)


def report_lost_output() -> None:
    """Write what is buffered, and say on standard error if a part of the output was lost."""
    sys.stdout.flush()
    error = _find_output_error()
    if error and error.errno not in _UNREAD:
        click.echo(f"orchestrator: standard output is not complete: {error.strerror}", err=True)
    sys.stderr.flush()


def _find_output_error() -> OSError | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.error if isinstance(raw, _TolerantFile) else None


def iter_wrapped_lines(label: str, text: str, width: int | None = None) -> Iterator[str]:
    """Yield a label and a text beside it, in lines that fit the terminal; words stay whole.

    Args:
        label: what the first line begins with.
        text: the text.
        width: the columns that the lines may take; those of the terminal if None.
    """
    columns = width or shutil.get_terminal_size().columns
    room = max(columns - len(label), min(_MIN_ROOM, columns))
    for line in text.splitlines() or [""]:
        for part in textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False) or [
            ""
        ]:
            yield f"{label}{part}".rstrip()
            label = " " * len(label)


def iter_labelled_lines(label: str, text: str, width: int | None) -> Iterator[str]:
    """Yield a label and a text beside it: wrapped on a terminal, elsewhere as one line.

    Args:
        label: what the first line begins with.
        text: the text, one line.
        width: the columns of the terminal; None if the output is not a terminal.
    """
    if width is None:
        yield f"{label}{text}".rstrip()
    else:
        yield from iter_wrapped_lines(label, text, width)


def fit_lines(lines: Iterable[str], width: int | None) -> Iterator[str]:
    """Yield lines that fit a terminal; what follows on the next line is indented further.

    Args:
        lines: the lines.
        width: the columns of the terminal; None to leave the lines as they are.
    """
    for line in lines:
        if width is None or len(line) <= width:
            yield line
            continue
        text = line.lstrip(" ")
        indent = " " * (len(line) - len(text))
        yield from textwrap.wrap(
            text,
            max(width, _MIN_ROOM),
            initial_indent=indent,
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def find_width() -> int | None:
    """Return the columns of the terminal that standard output is; None if it is none."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def print_error(text: str) -> None:
    """Print a text on standard error; on a terminal, words stay whole."""
    is_shown = sys.stderr is not None and sys.stderr.isatty()
    width = shutil.get_terminal_size().columns if is_shown else None
    for line in fit_lines(text.splitlines() or [""], width):
        click.echo(line, err=True)


def is_terminal() -> bool:
    """Return whether a person sees standard output on a terminal."""
    return sys.stdout.isatty()

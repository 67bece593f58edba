"""Shortens a patch of any size to what a teacher needs to see.

The patch is in git's format, which `git diff` describes under "Generating patch text with -p". It
is read once as a stream, and then only where it is shown.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from orchestrator.failures.log_excerpt import clean_text
from orchestrator.models import Diff

LINE_BOUND: Final = 400
"""Maximum of characters of one line: minified and generated lines have megabytes."""

_CHUNK: Final = 64 * 1024
_SMALLEST_SHARE: Final = 600


CUT: Final = "[cut: "
"""Beginning of a line that replaces changes which were cut from a patch."""


@dataclass
class Section:
    """One file's part of a patch, from byte `start` to byte `end`."""

    start: int
    end: int = 0
    path: str = ""
    lines: int = 0
    binary: bool = False

    @property
    def size(self) -> int:
        """Approximate maximum of characters in an excerpt."""
        return _SMALLEST_SHARE // 10 if self.binary else self.end - self.start


def build_patch_excerpt(diff: Diff, first: Sequence[str], bound: int) -> str:
    """Return the changes in about `bound` characters at most, with notes on omissions.

    Args:
        diff: the changes.
        first: paths whose changes matter most; they come first.
        bound: the maximum of characters.
    """
    if not diff.changes:
        return diff.summary
    try:
        with diff.patch.open("rb") as file:
            sections = sorted(
                read_sections(file), key=lambda section: _rank_path(section.path, first)
            )
            pieces = [*_iter_pieces(file, sections, bound)]
    except OSError as error:
        pieces = [f"[the patch cannot be read: {error.strerror}]", *_list_changes(diff)]
    return "\n".join([diff.summary, *pieces])


def _iter_pieces(file: BinaryIO, sections: Sequence[Section], left: int) -> Iterator[str]:
    # Each file gets a fair share at least; what small ones leave goes to the first ones.
    fair = max(_SMALLEST_SHARE, left // max(len(sections), 1))
    reserved = sum(min(section.size, fair) for section in sections)
    for at, section in enumerate(sections):
        if left < _SMALLEST_SHARE:
            yield _summarize_omitted(sections[at:])
            return
        reserved -= min(section.size, fair)
        share = max(_SMALLEST_SHARE, left - reserved)
        piece = (
            f"[binary file {section.path}]"
            if section.binary
            else _render_section(file, section, share)
        )
        left -= len(piece)
        yield piece


def _render_section(file: BinaryIO, section: Section, bound: int) -> str:
    file.seek(section.start)
    shown: list[str] = []
    lines = 0
    for line, begins in _iter_lines(file, section.end):
        if not begins:
            continue
        text = clean_text(line[: 4 * LINE_BOUND].decode("utf-8", "replace")).rstrip("\n")
        if len(text) > LINE_BOUND:
            text = text[:LINE_BOUND] + "…"
        bound -= len(text) + 1
        if bound < 0 and lines:
            shown.append(f"[... {section.lines - lines} more lines of {section.path} left out]")
            break
        shown.append(text)
        lines += 1
    return "\n".join(shown)


def read_sections(file: BinaryIO) -> list[Section]:
    """Read a patch as a stream; return the position of each file's part."""
    sections: list[Section] = []
    offset = 0
    in_header = False
    for line, begins in _iter_lines(file, None):
        if begins and line.startswith(b"diff --git "):
            _close_section(sections, offset)
            sections.append(Section(offset, path=_parse_diff_header(line)))
            in_header = True
        elif begins and sections and in_header:
            in_header = _read_header(sections[-1], line)
        if begins and sections:
            sections[-1].lines += 1
        offset += len(line)
    _close_section(sections, offset)
    return sections


def _read_header(section: Section, line: bytes) -> bool:
    """Read one line of a file's header; return whether more header lines follow."""
    if line.startswith((b"--- ", b"+++ ")) and (path := _parse_path(line[4:])):
        section.path = path
    if line.startswith((b"Binary files ", b"GIT binary patch")):
        section.binary = True
    return not section.binary and not line.startswith(b"@@")


def _close_section(sections: list[Section], offset: int) -> None:
    if sections:
        sections[-1].end = offset


def _iter_lines(file: BinaryIO, end: int | None) -> Iterator[tuple[bytes, bool]]:
    """Yield lines, long ones in pieces, each with whether it is the beginning of a line."""
    begins = True
    offset = file.tell()
    while (end is None or offset < end) and (line := file.readline(_CHUNK)):
        yield line, begins
        begins = line.endswith(b"\n")
        offset += len(line)


def _parse_path(name: bytes) -> str:
    """Return the path in a `--- a/x` or `+++ b/x` line; empty for /dev/null."""
    text = name.rstrip(b"\r\n").split(b"\t")[0]
    if text == b"/dev/null":
        return ""
    if text.startswith(b'"'):  # git's C-style quoting: \n, \", \303
        unquoted = text.strip(b'"').decode("ascii", "replace")
        text = unquoted.encode("ascii", "replace").decode("unicode_escape").encode("latin-1")
    return text[2:].decode("utf-8", "replace")


def _parse_diff_header(line: bytes) -> str:
    """Return the path in `diff --git a/x b/x`, for a change that no other line names.

    A change of the mode, and an added empty file, have neither `---` nor `+++`.
    """
    match = re.fullmatch(rb'diff --git "?a/(.+?)"? "?b/\1"?\s*', line)
    return match[1].decode("utf-8", "replace") if match else ""


def _rank_path(path: str, first: Sequence[str]) -> int:
    return first.index(path) if path in first else len(first)


def _summarize_omitted(sections: Sequence[Section]) -> str:
    names = ", ".join(section.path for section in sections[:10])
    more = f" and {len(sections) - 10} more" if len(sections) > 10 else ""
    return f"[changes of {len(sections)} more files left out: {names}{more}]"


def _list_changes(diff: Diff) -> list[str]:
    return [f"{change.status} {change.path}" for change in diff.changes[:50]]

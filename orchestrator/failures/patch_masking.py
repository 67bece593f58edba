"""Masks the secrets in a patch, and shortens a patch that is too large to be searched.

Masking takes up to 3 s for each MB. What people write is far smaller than the bound; larger patches
contain generated files, whose changes are cut in the middle. Small changes are retained in full.
The whole patch is still in git's objects: each cut names the command that prints it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from orchestrator.failures.patch_excerpt import CUT, LINE_BOUND, Section, read_sections
from orchestrator.masking import REDACTED, Masker
from orchestrator.platform import files

PATCH_BOUND: Final = 1_500_000
"""Bytes of a patch that are masked and stored."""

_SMALLEST: Final = 2_000
"""Minimum of bytes for a file's changes; if it does not fit, further files are left out."""
_EDGE: Final = 8_192
"""Bytes beside a cut that are masked and not stored, in case the cut divides a secret."""


@dataclass(frozen=True)
class MaskedPatch:
    """The result of masking a patch."""

    redactions: int
    """Number of secrets that were replaced."""
    retained_bytes: int | None = None
    """Bytes of the shortened patch; None if it was not shortened."""


def mask_patch(masker: Masker, path: Path, whole: str, bound: int = PATCH_BOUND) -> MaskedPatch:
    """Replace the secrets in a patch, and cut it to about `bound` bytes.

    Args:
        masker: finds the secrets.
        path: the patch; only written if something is replaced or cut.
        whole: the command that prints the whole patch.
        bound: the size in bytes above which the patch is shortened.

    Raises:
        OSError: it cannot be read or written.
    """
    size = path.stat().st_size
    if size > bound:
        with path.open("rb") as file:
            masked = "".join(_iter_masked_pieces(masker, file, whole, bound))
        data = masked.encode("utf-8", "surrogateescape")
        files.write_file(path, data)
        return MaskedPatch(masked.count(REDACTED), len(data))
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    masked = masker.mask(text)
    if masked != text:
        files.write_file(path, masked.encode("utf-8", "surrogateescape"))
    return MaskedPatch(masked.count(REDACTED) - text.count(REDACTED))


def _iter_masked_pieces(masker: Masker, file: BinaryIO, whole: str, bound: int) -> Iterator[str]:
    sections = read_sections(file)
    share = _find_share([section.end - section.start for section in sections], bound)
    for at, section in enumerate(sections):
        size = section.end - section.start
        if bound < min(size, _SMALLEST):
            more = len(sections) - at
            yield f"{CUT}the changes of {more} more files; all of it: {whole}]\n"
            return
        if size <= share:
            yield masker.mask(_read_span(file, section.start, section.end))
        else:
            yield from _iter_cut_section(masker, file, section, share, whole)
        bound -= min(size, share)


def _find_share(sizes: Sequence[int], bound: int) -> int:
    """Return the maximum of bytes for each size; what small ones leave goes to large ones."""
    left = bound
    for at, size in enumerate(sorted(sizes)):
        fair = left // (len(sizes) - at)
        if size > fair:
            return max(fair, _SMALLEST)
        left -= size
    return bound


def _iter_cut_section(
    masker: Masker, file: BinaryIO, section: Section, share: int, whole: str
) -> Iterator[str]:
    """Yield head and tail of a file's changes, with a line about the cut in between."""
    half = share // 2
    head_end = min(section.start + half + _EDGE, section.end)
    tail_start = max(section.end - half - _EDGE, section.start)
    head = masker.mask(_read_span(file, section.start, head_end))
    tail = masker.mask(_read_span(file, tail_start, section.end))
    head = head[: min(half, len(head) - (_EDGE if head_end < section.end else 0))]
    tail = tail[max(len(tail) - half, _EDGE if tail_start > section.start else 0) :]
    head, tail = _trim_last_line(head), _trim_first_line(tail)
    size = (section.end - section.start - len(head) - len(tail)) / 1e6
    yield head
    yield f"{CUT}{size:.1f} MB of {section.path}; all of it: {whole}]\n"
    yield tail


def _trim_last_line(head: str) -> str:
    """Return a head of whole lines; of a line longer than LINE_BOUND the beginning."""
    end = head.rfind("\n", len(head) - LINE_BOUND)
    return head[: end + 1] if end >= 0 else f"{head}…\n"


def _trim_first_line(tail: str) -> str:
    start = tail.find("\n", 0, LINE_BOUND)
    return tail[start + 1 :] if start >= 0 else f"…{tail}"


def _read_span(file: BinaryIO, start: int, end: int) -> str:
    file.seek(start)
    return file.read(end - start).decode("utf-8", "surrogateescape")

"""Masks the secrets in a patch, and cuts one that is too large to be looked through.

Masking takes up to 3 s for each MB. What people write is far below the bound; beyond it are
generated files, whose changes are cut in the middle. Small changes stay whole. All of the patch is
still in the objects of git, and the command that prints it stands where something was cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from orchestrator.failures.patch_excerpt import CUT, LINE_BOUND, Section, read_sections
from orchestrator.masking import REDACTED, Masker
from orchestrator.platform import files

PATCH_BOUND: Final = 1_500_000
"""Bytes of a patch that are masked and kept."""

_SMALLEST: Final = 2_000
"""Bytes that are kept of a file's changes, at least; of some files there are none, then."""
_EDGE: Final = 8_192
"""Bytes beside a cut that are masked and not kept: a secret that the cut divides is among them."""


@dataclass(frozen=True)
class MaskedPatch:
    """What became of a patch."""

    redactions: int
    """Secrets that were replaced."""
    retained_bytes: int | None = None
    """Bytes that are left of one that was cut; None of one that was not."""


def mask_patch(masker: Masker, path: Path, whole: str, bound: int = PATCH_BOUND) -> MaskedPatch:
    """Replace the secrets in a patch, and cut it to about `bound` bytes.

    Args:
        masker: finds the secrets.
        path: the patch, which is only written if something is replaced or cut.
        whole: the command that prints all of the patch.
        bound: bytes.

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
    """Return the bytes that each may take; what the small ones leave goes to the large ones."""
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
    """Yield the head and the tail of a file's changes, with a line between that says so."""
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
    """Return a head of whole lines; only of a line that is overlong the beginning stays."""
    end = head.rfind("\n", len(head) - LINE_BOUND)
    return head[: end + 1] if end >= 0 else f"{head}…\n"


def _trim_first_line(tail: str) -> str:
    start = tail.find("\n", 0, LINE_BOUND)
    return tail[start + 1 :] if start >= 0 else f"…{tail}"


def _read_span(file: BinaryIO, start: int, end: int) -> str:
    file.seek(start)
    return file.read(end - start).decode("utf-8", "surrogateescape")

"""Finds secrets in texts, and replaces each by a placeholder that names its kind.

Secrets are recognized by three sources: the shapes, the project's patterns (`redaction.patterns`),
and the values of variables. A secret that was found once is replaced everywhere from then on, also
where no shape matches it.

Texts are masked before they are shortened, so that no half of a secret remains. The time grows with
the length of the text and with the number of secrets, not with their product.
"""

from __future__ import annotations

import os
import re

from orchestrator.masking.environment_secrets import find_secret_values, has_secret_name
from orchestrator.masking.known_secrets import KnownSecrets
from orchestrator.masking.lazy_pattern import Pattern
from orchestrator.masking.shape_table import SHAPES
from orchestrator.masking.text_views import UnescapedLines
from orchestrator.masking.user_pattern import TooSlowError, UserPattern

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orchestrator.masking.known_secrets import Span
    from orchestrator.masking.shape import Shape

REDACTED = "[redacted: "
"""Beginning of a placeholder; the kind of the secret and a bracket follow."""

_WINDOW = 4_000
_OVERLAP = 1_000
"""A line longer than a window is searched in overlapping pieces: the time of a pattern may grow
with the square of the length that it searches."""

_CONTINUED = Pattern(
    rf"({re.escape(REDACTED)}[^\]\n]{{1,100}}\]"
    r"(?:[\"'][ \t]*\\?\n[ \t+-]*[\"']|\\\n[ \t+-]*|\n[ \t+-]+(?=[\w+/]{16,}={0,2}$)))"
    r"([\w+/=.-]{8,400})",
    re.MULTILINE,
)
"""The rest of a secret on the next line: a continued string, a folded header."""
_PLACEHOLDER = Pattern(
    rf"{re.escape(REDACTED)}(?:value of \w{{1,100}}|[a-z][a-z' ]{{2,30}}|[0-9a-f]{{8}})\]"
)
"""A placeholder in a text that was masked before. An agent may write text that looks similar."""
_REST = Pattern(r"[\w+/=.-]*")
_LONG = 2_000
"""Length of a match from which on the secret may continue after it."""


class Masker:
    """Replaces secrets by placeholders, equal secrets by equal placeholders.

    Args:
        patterns: the project's own regular expressions; a group, if there is one, is the secret.
        environment: variables; the values of those that are named as secrets are secrets.
        key: for the tags of secrets in identifiers; equal keys give equal tags.
    """

    def __init__(
        self,
        patterns: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        key: bytes = b"",
    ) -> None:
        self._key = key or os.urandom(32)
        self._patterns = tuple(map(UserPattern, patterns))
        self._known = KnownSecrets()
        for secret, name in find_secret_values(environment or {}).items():
            self._known.add(secret, f"value of {name}")

    def mask(self, text: str) -> str:
        """Return a text with a placeholder for each secret."""
        if not text:
            return text
        taken = [match.span() for match in _PLACEHOLDER.finditer(text)] if REDACTED in text else []
        spans = _exclude_spans(taken, self._iter_secrets(text))
        for start, end, kind in spans:
            self._known.learn(text[start:end], kind)
        spans += _exclude_spans(taken, self._known.iter_spans(text))
        masked = _replace_spans(text, spans, self._known.describe)
        return _CONTINUED.sub(rf"\1{REDACTED}secret]", masked) if spans else masked

    def mask_identifier(self, text: str) -> str:
        """Return a name with a placeholder for each secret; equal names always give equal results.

        A placeholder contains an HMAC of its secret, so that different names stay different, and
        nobody without the key can guess the secret. Secrets that are only known from texts are not
        replaced: whether one is known depends on which texts came before.
        """
        known = [
            span
            for span in self._known.iter_whole_spans(text)
            if not self._known.is_learned(text[span[0] : span[1]])
        ]
        spans = [*self._iter_secrets(text), *known]
        return _replace_spans(text, spans, lambda secret, _: self._compute_tag(secret))

    @property
    def count_learned(self) -> int:
        """How many secrets were learned from texts so far."""
        return self._known.count_learned

    def mask_again(self, text: str) -> str:
        """Return a masked text without the secrets that were learned since it was masked.

        Only known secrets are replaced, by tags, so that the ids of cases in it stay different.
        """
        taken = [match.span() for match in _PLACEHOLDER.finditer(text)] if REDACTED in text else []
        spans = _exclude_spans(taken, self._known.iter_spans(text))
        return _replace_spans(text, spans, lambda secret, _: self._compute_tag(secret))

    def _compute_tag(self, secret: str) -> str:
        import hmac  # the hook never computes a tag, and need not load it

        data = secret.encode("utf-8", "surrogateescape")
        return hmac.new(self._key, data, "sha256").hexdigest()[:8]

    def is_secret_variable(self, name: str, value: str) -> bool:
        """Return whether a variable may hold a secret, by its name, its value, or options in it."""
        return has_secret_name(name, value) or self.mask(value) != value

    # ---- below: finding --------------------------------------------------------------------

    def _iter_secrets(self, text: str) -> Iterator[Span]:
        yield from self._iter_shapes(text)
        # JSON or a literal in code: within it, a secret has lines and quotes of its own.
        lines = UnescapedLines(text)
        for start, end, kind in self._iter_shapes(lines.text) if lines.text else ():
            if found := lines.find_original(start, end):
                yield (*found, kind)

    def _iter_shapes(self, text: str) -> Iterator[Span]:
        for pattern in self._patterns:
            for start, end in _iter_windows(text, 0, len(text)):
                try:
                    found = pattern.find_matches(text, start, end)
                except TooSlowError:  # then nobody knows where a secret is
                    yield start, end, "pattern took too long"
                else:
                    yield from _iter_match_spans(iter(found), "project's secret")
        lower = _lower_text(text)
        for shape in SHAPES:
            for start, end in _iter_search_spans(shape, text, lower):
                matches = shape.pattern.finditer(text, start, end)
                for span in _iter_match_spans(matches, shape.kind):
                    if shape.accept(text[span[0] : span[1]]):
                        yield _complete_span(span, end, text, lower)


def _iter_match_spans(matches: Iterator[re.Match[str]], kind: str) -> Iterator[Span]:
    """Yield the spans of the groups of matches, or of whole matches without groups."""
    for match in matches:
        spans = [match.span(number) for number in range(1, len(match.groups()) + 1)]
        found = [span for span in spans if span[0] >= 0] or [match.span()]
        for start, end in found:
            secret = match.string[start:end]
            if secret.strip():
                yield start, end, kind


def _complete_span(span: Span, window: int, text: str, lower: str) -> Span:
    """Return a span extended to the end of its secret, as a password if the text before says so."""
    start, end, kind = span
    if end == window or end - start >= _LONG:
        end = next(iter(_REST.finditer(text, end))).end()
    before = lower[max(0, start - 60) : start].rpartition("\n")[2]
    if kind == "secret" and ("pass" in before or "pwd" in before):
        kind = "password"
    return start, end, kind


def _exclude_spans(taken: Sequence[tuple[int, int]], spans: Iterable[Span]) -> list[Span]:
    """Return the parts of some spans that are outside of the taken spans."""
    found, at = [], 0
    for start, end, kind in sorted(spans, key=lambda span: span[:2]):
        while at < len(taken) and taken[at][1] <= start:
            at += 1
        begin = start
        for first, last in taken[at:]:
            if first >= end:
                break
            found += [(begin, first, kind)] * (begin < first)
            begin = max(begin, last)
        found += [(begin, end, kind)] * (begin < end)
    return found


def _iter_search_spans(shape: Shape, text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of lines in which a shape may match, adjacent lines as one span."""
    if shape.lines < 0:
        if any(hint in lower for hint in shape.hints):
            yield 0, len(text)
        return
    lines = sorted(_find_hint_lines(shape.hints, lower, shape.lines))
    at = 0
    while at < len(lines):
        start, end = lines[at]
        while at + 1 < len(lines) and lines[at + 1][0] <= end + 1:
            at += 1
            end = max(end, lines[at][1])
        yield from _iter_windows(text, start, end)
        at += 1


def _find_hint_lines(hints: Sequence[str], lower: str, more: int) -> set[tuple[int, int]]:
    """Return the spans of the lines with a hint, each with `more` lines after it."""
    found = set()
    for hint in hints:
        at = lower.find(hint)
        while at >= 0:
            start, end = lower.rfind("\n", 0, at) + 1, at
            for _ in range(more + 1):
                end = lower.find("\n", end + 1)
                if end < 0:
                    end = len(lower)
                    break
            found.add((start, end))
            at = lower.find(hint, end)
    return found


def _iter_windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the pieces of a span: cut at ends of lines, or in windows where lines are long."""
    if end - start <= _WINDOW:
        yield start, end
        return
    at = start
    while at < end:
        piece_end = min(at + _WINDOW, end)
        if piece_end < end:
            line_end = text.rfind("\n", at + _OVERLAP, piece_end)
            if line_end > at:
                yield at, line_end
                at = line_end + 1
                continue
        yield at, piece_end
        if piece_end == end:
            return
        at = piece_end - _OVERLAP


def _lower_text(text: str) -> str:
    """Return a text in lower case, with each character at its position.

    `"\u0130".lower()` is two characters, and would shift all spans after it.
    """
    lower = text.lower()
    return lower if len(lower) == len(text) else text.replace("\u0130", "i").lower()


def _replace_spans(text: str, spans: Sequence[Span], describe: Callable[[str, str], str]) -> str:
    """Return a text with a placeholder for each span; overlapping spans share one."""
    if not spans:
        return text
    parts, at = [], 0
    ordered = sorted(spans, key=lambda span: (span[0], -span[1]))
    index = 0
    while index < len(ordered):
        start, end, kind = ordered[index]
        named = describe(text[start:end], kind)
        index += 1
        while index < len(ordered) and ordered[index][0] < end:
            end = max(end, ordered[index][1])
            index += 1
        parts += [text[at:start], f"{REDACTED}{named}]"]
        at = end
    return "".join([*parts, text[at:]])

"""The secrets that are known by their value, and where they stand in a text.

They are found in every form in which programs write them (`secret_forms`), and also if they are
divided: over two lines, between two adjacent strings, or by the escape codes of a terminal.
"""

from __future__ import annotations

from orchestrator.masking.secret_forms import (
    SHORTEST,
    is_distinctive,
    is_identifier,
    iter_forms,
    iter_values,
)
from orchestrator.masking.text_views import JoinedText

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int, str]
    """Start, end, and kind of a secret in a text."""

_FEW = 100
"""Up to so many forms are searched for one by one; more of them at once, by their beginnings."""
_MOST_ENCODED = 200
"""Number of secrets learned from texts that are also found in other forms. Of a text with more
secrets than that, the rest is found as it is written."""


class KnownSecrets:
    """Values that are replaced wherever they stand."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}
        self._heads: dict[str, list[str]] = {}
        self._learned: set[str] = set()
        """The forms that come from texts, and not from the environment."""
        self.count_learned = 0
        """How many secrets were learned from texts."""

    def add(self, secret: str, kind: str) -> None:
        """Remember a secret of the environment in all its forms."""
        for form in iter_forms(secret):
            self._remember_form(form, kind)

    def learn(self, secret: str, kind: str) -> None:
        """Remember a secret that a text contained, if it is distinctive."""
        if secret in self._kinds:
            return
        for value in iter_values(secret):
            if value not in self._kinds and is_distinctive(value) and not is_identifier(value):
                self.count_learned += 1
                many = self.count_learned > _MOST_ENCODED
                for form in (value,) if many else iter_forms(value):
                    self._learn_form(form, kind)

    def describe(self, form: str, kind: str) -> str:
        """Return the kind of a known secret, and `kind` for any other."""
        return self._kinds.get(form, kind)

    def is_learned(self, form: str) -> bool:
        """Return whether a secret is known from a text only."""
        return form in self._learned

    def iter_spans(self, text: str) -> Iterator[Span]:
        """Yield where known secrets stand, the parts of divided ones each by itself."""
        if not self._kinds:
            return
        yield from self.iter_whole_spans(text)
        joined = JoinedText(text)
        if joined.is_different:
            for start, end, kind in self.iter_whole_spans(joined.text):
                parts = joined.find_parts(start, end)
                if len(parts) > 1:
                    for first, last in parts:
                        yield first, last, kind

    def iter_whole_spans(self, text: str) -> Iterator[Span]:
        """Yield where known secrets stand undivided."""
        if len(self._kinds) <= _FEW:
            for secret, kind in self._kinds.items():
                at = text.find(secret)
                while at >= 0:
                    yield at, at + len(secret), kind
                    at = text.find(secret, at + len(secret))
            return
        heads = self._heads
        for at in range(len(text) - SHORTEST + 1):
            if text[at : at + SHORTEST] in heads:
                for secret in heads[text[at : at + SHORTEST]]:
                    if text.startswith(secret, at):
                        yield at, at + len(secret), self._kinds[secret]

    def _learn_form(self, form: str, kind: str) -> None:
        if form not in self._kinds:
            self._learned.add(form)
            self._remember_form(form, kind)

    def _remember_form(self, form: str, kind: str) -> None:
        if form not in self._kinds:
            self._kinds[form] = kind
            self._heads.setdefault(form[:SHORTEST], []).append(form)

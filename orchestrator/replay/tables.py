"""Mappings that know their line, so that every complaint can name the place and the key."""

import difflib
import math
from collections.abc import Sequence
from typing import Any

from orchestrator.replay.scenario import ScenarioError


class Node(dict[str, Any]):
    """A mapping that remembers the lines of its keys and its own."""

    def __init__(
        self, values: dict[str, Any], line: int, lines: dict[str, int] | None = None
    ) -> None:
        super().__init__(values)
        self.line, self.lines = line, lines or {}


class Table:
    """One mapping of the file, read key by key; it knows where it stands."""

    def __init__(self, source: str, where: str, value: object, keys: Sequence[str]) -> None:
        self.source, self.where = source, where
        self._node = value if isinstance(value, Node) else Node({}, 1)
        self.line = self._node.line
        if not isinstance(value, Node):
            raise self.error(f"must be a mapping with {listed(keys)}")
        for key in value:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                hint = f"did you mean `{near[0]}`?" if near else f"known are {listed(keys)}"
                raise self.error(f"is not a key here; {hint}", key)

    def __contains__(self, key: str) -> bool:
        return key in self._node

    def error(self, problem: str, key: str = "") -> ScenarioError:
        """The complaint about a key, or about the whole mapping."""
        what = f"{self.where}: `{key}`" if key else self.where
        return ScenarioError(f"{self.source}, line {self.line_of(key)}: {what} {problem}")

    def line_of(self, key: str) -> int:
        """The line of a key, or of the mapping when it has no such key."""
        return self._node.lines.get(key, self.line)

    def value(self, key: str) -> Any:  # noqa: ANN401 -- whatever stands there
        """Whatever stands under a key; None when nothing does."""
        return self._node.get(key)

    def table(self, key: str, keys: Sequence[str]) -> "Table":
        """A mapping with no other keys than `keys`."""
        value = self.value(key)
        if not isinstance(value, Node):
            raise self.error(f"must be a mapping with {listed(keys)}", key)
        return Table(self.source, f"{self.where}, {key}", value, keys)

    def items(self, key: str) -> list[Any]:
        """A list that is not empty."""
        value = self.value(key)
        if not isinstance(value, list) or not value:
            raise self.error("must be a list with at least one item", key)
        return value

    def text(self, key: str) -> str:
        """A text; empty when the key is not there."""
        value = self._node.get(key, "")
        if not isinstance(value, str):
            raise self.error(f"must be text, not {value!r}; put it in quotes", key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """One text, or a list of them."""
        value = self._node.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(t, str) and t for t in found):
            raise self.error("must be a text or a list of texts, none empty", key)
        return tuple(found)

    def choice(self, key: str, known: Sequence[str]) -> str:
        """One of the known words."""
        value = self.value(key)
        if value not in known:
            raise self.error(f"is {value!r}; known are {listed(known)}", key)
        return str(value)

    def whole(self, key: str, *, least: int) -> int | None:
        """A whole number from `least` up; None when the key is not there."""
        value = self._node.get(key)
        if key in self and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise self.error(f"must be a whole number from {least} up, not {value!r}", key)
        return value

    def number(self, key: str) -> float | None:
        """A number of seconds; None when the key is not there."""
        if key not in self:
            return None
        value = self.value(key)
        wrong = not isinstance(value, int | float) or isinstance(value, bool)
        if wrong or not 0 <= value < math.inf:
            raise self.error(f"must be a number of seconds, not {value!r}", key)
        return float(value)

    def json(self, key: str) -> Any:  # noqa: ANN401 -- any JSON value
        """A value that JSON can carry; None when the key is not there."""
        if key in self and self.value(key) is None:
            raise self.error("is empty", key)
        return self._plain(key, self.value(key))

    def _plain(self, key: str, value: object) -> object:
        """A value as JSON has it."""
        if isinstance(value, dict):
            return {name: self._plain(key, item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._plain(key, item) for item in value]
        fits = value is None or isinstance(value, str | int | bool)
        if not fits and not (isinstance(value, float) and math.isfinite(value)):
            raise self.error(f"holds {value!r}, which JSON does not have; put it in quotes", key)
        return value


def listed(words: Sequence[str]) -> str:
    """Words as messages list them: each in backquotes."""
    return ", ".join(f"`{word}`" for word in words)

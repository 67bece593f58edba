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
            raise self.build_error(f"must be a mapping with {format_names(keys)}")
        for key in value:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                hint = f"did you mean `{near[0]}`?" if near else f"known are {format_names(keys)}"
                raise self.build_error(f"is not a key here; {hint}", key)

    def __contains__(self, key: str) -> bool:
        return key in self._node

    def build_error(self, problem: str, key: str = "") -> ScenarioError:
        """The complaint about a key, or about the whole mapping."""
        what = f"{self.where}: `{key}`" if key else self.where
        return ScenarioError(f"{self.source}, line {self.find_line(key)}: {what} {problem}")

    def find_line(self, key: str) -> int:
        """The line of a key, or of the mapping when it has no such key."""
        return self._node.lines.get(key, self.line)

    def get_value(self, key: str) -> Any:  # noqa: ANN401 -- whatever stands there
        """Whatever stands under a key; None when nothing does."""
        return self._node.get(key)

    def get_table(self, key: str, keys: Sequence[str]) -> "Table":
        """A mapping with no other keys than `keys`."""
        value = self.get_value(key)
        if not isinstance(value, Node):
            raise self.build_error(f"must be a mapping with {format_names(keys)}", key)
        return Table(self.source, f"{self.where}, {key}", value, keys)

    def get_items(self, key: str) -> list[Any]:
        """A list that is not empty."""
        value = self.get_value(key)
        if not isinstance(value, list) or not value:
            raise self.build_error("must be a list with at least one item", key)
        return value

    def get_text(self, key: str) -> str:
        """A text; empty when the key is not there."""
        value = self._node.get(key, "")
        if not isinstance(value, str):
            raise self.build_error(f"must be text, not {value!r}; put it in quotes", key)
        return value

    def get_texts(self, key: str) -> tuple[str, ...]:
        """One text, or a list of them."""
        value = self._node.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(t, str) and t for t in found):
            raise self.build_error("must be a text or a list of texts, none empty", key)
        return tuple(found)

    def get_choice(self, key: str, known: Sequence[str]) -> str:
        """One of the known words."""
        value = self.get_value(key)
        if value not in known:
            raise self.build_error(f"is {value!r}; known are {format_names(known)}", key)
        return str(value)

    def get_integer(self, key: str, *, least: int) -> int | None:
        """A whole number from `least` up; None when the key is not there."""
        value = self._node.get(key)
        if key in self and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise self.build_error(f"must be a whole number from {least} up, not {value!r}", key)
        return value

    def get_number(self, key: str) -> float | None:
        """A number of seconds; None when the key is not there."""
        if key not in self:
            return None
        value = self.get_value(key)
        wrong = not isinstance(value, int | float) or isinstance(value, bool)
        if wrong or not 0 <= value < math.inf:
            raise self.build_error(f"must be a number of seconds, not {value!r}", key)
        return float(value)

    def get_json(self, key: str) -> Any:  # noqa: ANN401 -- any JSON value
        """A value that JSON can carry; None when the key is not there."""
        if key in self and self.get_value(key) is None:
            raise self.build_error("is empty", key)
        return self._convert_to_json(key, self.get_value(key))

    def _convert_to_json(self, key: str, value: object) -> object:
        """A value as JSON has it."""
        if isinstance(value, dict):
            return {name: self._convert_to_json(key, item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._convert_to_json(key, item) for item in value]
        fits = value is None or isinstance(value, str | int | bool)
        if not fits and not (isinstance(value, float) and math.isfinite(value)):
            raise self.build_error(
                f"holds {value!r}, which JSON does not have; put it in quotes", key
            )
        return value


def format_names(words: Sequence[str]) -> str:
    """Words as messages list them: each in backquotes."""
    return ", ".join(f"`{word}`" for word in words)

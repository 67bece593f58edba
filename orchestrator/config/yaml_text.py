"""Parse YAML of any origin in bounded time and memory, with the line of every value.

A cloned repository brings its own `orchestrator.yaml`, so that file may be hostile.
"""

from typing import Any, Final

import yaml

MOST_BYTES: Final = 256 * 1024
"""Longest file that is parsed. PyYAML parses about 0.1 MB a second."""

YamlError: Final = yaml.YAMLError
"""Raised for a text that cannot be parsed."""

_WIDTH: Final = 72
"""Columns after which a long text is folded, where it has spaces."""
_MOST_NODES: Final = 10_000
"""Most values in a file, an alias counted as everything that it stands for: nine lines of aliases
can stand for a billion values ("billion laughs")."""
_DEEPEST: Final = 50
"""Most values inside each other. PyYAML's time grows with the square of the depth."""


class _BoundedLoader(yaml.SafeLoader):
    """Raises `yaml.YAMLError` for too many or too deep values, or one that contains itself.

    Args:
        text: the YAML text.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._total = self._depth = 0
        self._sizes: dict[int, int] = {}
        """The number of values in a node, by the node's id."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 -- as in PyYAML
        """Compose one node, and count the values in it."""
        before = self._total
        is_alias = self.check_event(yaml.AliasEvent)
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(
                problem=f"more than {_DEEPEST} values inside each other", problem_mark=mark
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        size = self._sizes.get(id(node)) if is_alias else self._total - before + 1
        if size is None:
            raise yaml.MarkedYAMLError(problem="a value contains itself", problem_mark=mark)
        self._total = before + size
        if not is_alias:
            self._sizes[id(node)] = size
        if self._total > _MOST_NODES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {_MOST_NODES:,} values, aliases expanded", problem_mark=mark
            )
        return node


def parse_yaml(text: str) -> tuple[yaml.Node | None, Any]:
    """Return the node and the value of a YAML text; None for both if it is empty.

    Raises:
        yaml.YAMLError: the text is not valid YAML, has too many values, or has a value that Python
            cannot represent.
    """
    loader = _BoundedLoader(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    # PyYAML's constructors raise whatever Python does for a date like 2026-13-45, an integer of
    # 5,000 digits, or a tag such as `!!bool maybe`.
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
        raise yaml.YAMLError(f"a value cannot be read: {error}") from None
    finally:
        loader.dispose()


def format_block(value: Any) -> str:  # noqa: ANN401 -- JSON
    """Return a value of JSON as YAML, in lines; what is not printable is escaped."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDTH)
    if all(character.isprintable() or character == "\n" for character in text):
        return text
    escaped: str = yaml.safe_dump(value, sort_keys=False, width=_WIDTH)
    return escaped

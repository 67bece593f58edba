"""JSON text with the position of every value, so that one value can be changed in the text.

`json` returns values without their positions, and rewriting a file with it would change the
user's layout.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

_BLANKS: Final = " \t\r\n"
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True)
class Node:
    """One value and its position.

    `members` are an object's values by name; the last one of a name that occurs twice, as in
    `json`. `items` are all values of an object or array, in order. `starts` are the offsets of the
    items; those of an object's items are the offsets of their names.
    """

    value: Any
    start: int
    end: int
    members: dict[str, "Node"] = field(default_factory=dict)
    items: tuple["Node", ...] = ()
    starts: tuple[int, ...] = ()


def parse_json(text: str, expanded: str | None = None) -> Node:
    """Parse a JSON text.

    Args:
        text: the text.
        expanded: the only member of the outermost object whose own parts are needed as nodes; all
            if None. Values without parts are parsed fifty times as fast.

    Raises:
        ValueError: it is not valid JSON, or has a number of more than 4,300 digits.
        RecursionError: it is nested too deeply.
    """
    json.loads(
        text, parse_constant=_refuse_constant
    )  # raises for invalid texts, so that the parser below need not check
    return _parse_value(text, _skip_blanks(text, 0), expanded)


def add_item(text: str, node: Node, item: Any, unit: str, name: str | None = None) -> str:  # noqa: ANN401 -- JSON
    """Return the text with another item at the end of an array, or member of an object.

    The layout is that of the container: the item gets lines of its own unless the container has
    items and is on one line.

    Args:
        text: the whole text.
        node: the array or object in it.
        item: the value to add.
        unit: one step of indentation.
        name: the member's name; None for an array.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    last = node.items[-1].end if node.items else node.start + 1
    before = text[node.start : node.starts[0]] if node.items else "\n"
    label = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
    comma = "," if node.items else ""
    if "\n" not in before:
        return f"{text[:last]}{comma} {label}{json.dumps(item, ensure_ascii=False)}{text[last:]}"
    outer = _find_indentation(text, node.start)
    inner = _find_indentation(text, node.starts[0]) if node.items else outer + unit
    lines = json.dumps(item, indent=unit, ensure_ascii=False).splitlines()
    body = f"{newline}{inner}".join(lines)
    added = f"{comma}{newline}{inner}{label}{body}"
    rest = text[last:] if node.items else f"{newline}{outer}{text[node.end - 1 :]}"
    return text[:last] + added + rest


def remove_item(text: str, node: Node, at: int) -> str:
    """Return the text without the item with index `at`, its comma and the space around them."""
    if len(node.items) == 1:
        return text[: node.start + 1] + text[node.end - 1 :]
    if at == 0:
        return text[: node.starts[0]] + text[node.starts[1] :]
    return text[: node.items[at - 1].end] + text[node.items[at].end :]


def detect_indentation(text: str, root: Node) -> str:
    """Return one level of the text's indentation; two spaces where it has none."""
    if root.starts and "\n" in text[root.start : root.starts[0]]:
        return _find_indentation(text, root.starts[0]) or "  "
    return "  "


def _find_indentation(text: str, at: int) -> str:
    """Return the white space at the beginning of the line of an offset."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())]


def _parse_value(text: str, at: int, expanded: str | None = None) -> Node:
    if text[at] not in "{[":
        return _parse_plain_value(text, at)
    start, is_object = at, text[at] == "{"
    members: dict[str, Node] = {}
    items: list[Node] = []
    starts: list[int] = []
    at = _skip_blanks(text, at + 1)
    while text[at] not in "}]":
        starts.append(at)
        name = None
        if is_object:
            name, at = _DECODER.raw_decode(text, at)
            at = _skip_blanks(text, _skip_blanks(text, at) + 1)
        is_plain = expanded is not None and name != expanded
        item = _parse_plain_value(text, at) if is_plain else _parse_value(text, at)
        items.append(item)
        if name is not None:
            members[name] = item
        at = _skip_blanks(text, item.end)
        if text[at] == ",":
            at = _skip_blanks(text, at + 1)
    value = {name: item.value for name, item in members.items()} if is_object else [
        item.value for item in items
    ]  # fmt: skip
    return Node(value, start, at + 1, members, tuple(items), tuple(starts))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


def _parse_plain_value(text: str, at: int) -> Node:
    value, end = _DECODER.raw_decode(text, at)
    return Node(value, at, end)


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at

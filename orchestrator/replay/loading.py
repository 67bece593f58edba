"""Read a scenario from YAML. Every error names the file, the line and the key."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.replay.scenario import Answer, Scenario, ScenarioError
from orchestrator.replay.schema import ENTRIES, Entry, ScenarioEntry, list_keys

Location = Sequence[str | int]
"""Where a value is in the file: keys and positions from the outside in, as pydantic has them."""

_ITEMS: Final = {"answers": ("answer", 1), "steps": ("step", 0), "tools": ("tool", 1)}
"""How messages call an item of a list, and the number of the first. Steps count as in `when`."""

_JSON: Final = ("json", "input")
"""Keys with a JSON value: what a location has after them is not of the format."""

_PROBLEMS: Final = {
    "missing": "is missing",
    "too_short": "must be a list with at least one item",
    "string_too_short": "must not be empty",
    "dict_type": "must be a mapping",
}
"""Errors of pydantic whose messages would not read well after the name of a key."""


class Node(dict[str, Any]):
    """A mapping that remembers its line and the lines of its keys."""

    def __init__(self, values: dict[str, Any], line: int, lines: dict[str, int]) -> None:
        super().__init__(values)
        self.line, self.lines = line, lines


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file. The format is described in `docs/replay.md`.

    Raises:
        ScenarioError: the file cannot be read, or is no scenario.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"cannot read the scenario {path}: {error}") from None
    return parse_scenario(text, str(path))


def parse_scenario(text: str, source: str = "scenario") -> Scenario:
    """Parse a scenario from YAML text; `source` is what messages call it.

    Raises:
        ScenarioError: the text is no scenario.
    """
    try:
        return _parse_scenario(text, source)
    except RecursionError:
        raise ScenarioError(f"{source}: it is nested too deeply") from None


def _parse_scenario(text: str, source: str) -> Scenario:
    document = _parse_yaml(text, source)
    try:
        entry = ScenarioEntry.model_validate(document)
    except ValidationError as error:
        # Unknown keys first: a key that is missing is often the one that was misspelled.
        errors = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise _build_error(errors[0], document, source) from None
    return Scenario(tuple(_iter_answers(entry, document)), source)


def _parse_yaml(text: str, source: str) -> object:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 -- _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError(f"{source}, line {line}: not YAML: {error.problem}") from None
    # ValueError: a day such as 2001-99-99, or a number with thousands of digits.
    except (yaml.YAMLError, ValueError) as error:
        raise ScenarioError(f"{source}: not YAML: {error}") from None


def _iter_answers(entry: ScenarioEntry, document: object) -> Iterator[Answer]:
    """Yield the answers in order; an entry with `steps` makes one for each step."""
    for index, each in enumerate(entry.answers):
        when, location = each.when.build_condition(), ("answers", index)
        if each.reply:
            line = _find_line(document, location)
            yield Answer(each.reply.build_reply(), when, each.times, each.name, line)
        for step, reply in enumerate(each.steps):
            line = _find_line(document, (*location, "steps", step))
            condition = replace(when, step=step)
            yield Answer(reply.build_reply(), condition, each.times, each.name, line)


def _build_error(error: ErrorDetails, document: object, source: str) -> ScenarioError:
    """Return what pydantic found wrong as one line with file, line, path and key."""
    location = error["loc"]
    line = _find_line(document, location)
    return ScenarioError(
        f"{source}, line {line}: {_describe_location(location)} {_describe_problem(error)}"
    )


def _find_line(document: object, location: Location) -> int:
    """Return the line of a value, or of the innermost mapping on the way to it."""
    value, line = document, document.line if isinstance(document, Node) else 1
    for part in location:
        if isinstance(value, Node) and part in value:
            line, value = value.lines[str(part)], value[str(part)]
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
            line = value.line if isinstance(value, Node) else line
        # Anything else is no part of the file: pydantic names the type of a JSON value here.
    return line


def _describe_location(location: Location) -> str:
    """Return a location in words: "answer 2, reply, tool 1: `name`"."""
    path, key = list[str](), ""
    for part in location:
        if key in _JSON:
            break
        if isinstance(part, str):
            path += [key] if key else []
            key = part
        elif key in _ITEMS:
            noun, first = _ITEMS[key]
            path.append(f"{noun} {first + part}")
            key = ""
    where = ", ".join(path) or "scenario"
    return f"{where}: `{key}`" if key else where


def _describe_problem(error: ErrorDetails) -> str:
    """Return what is wrong, to follow the location."""
    kind, location, given = error["type"], error["loc"], error["input"]
    if kind == "extra_forbidden":
        return _describe_unknown_key(str(location[-1]), list_keys(_find_entry(location[:-1])))
    if kind == "model_type":
        return f"must be a mapping with {_format_keys(list_keys(_find_entry(location)))}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "invalid-json-value" or any(part in location[:-1] for part in ("json", "input")):
        return f"holds {given!r}, which JSON does not have; put it in quotes"
    if kind in _PROBLEMS:
        return _PROBLEMS[kind]
    hint = "; put it in quotes" if kind == "string_type" else ""
    return f"{error['msg'].replace('Input should', 'must')}, not {given!r}{hint}"


def _describe_unknown_key(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return "is not a key here; " + (
        f"did you mean `{near[0]}`?" if near else f"known are {_format_keys(known)}"
    )


def _find_entry(location: Location) -> type[Entry]:
    """Return the model of the mapping at a location."""
    keys = [part for part in location if part in ENTRIES]
    return ENTRIES[str(keys[-1])] if keys else ScenarioEntry


def _format_keys(keys: Sequence[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys)


class _Loader(yaml.SafeLoader):
    """SafeLoader whose mappings are `Node`s; a duplicate key is an error."""

    def build_node(self, node: yaml.MappingNode) -> Node:
        """Construct a mapping with its lines."""
        seen = set[str]()
        for key_node, _ in node.value:
            name = str(key_node.value)
            if name in seen:
                problem = f"the key `{name}` is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(name)
        self.flatten_mapping(node)
        values, lines = dict[str, Any](), dict[str, int]()
        for key_node, value_node in node.value:
            key = str(self.construct_object(key_node, deep=True))
            values[key] = self.construct_object(value_node, deep=True)
            lines[key] = key_node.start_mark.line + 1
        return Node(values, node.start_mark.line + 1, lines)


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.build_node)

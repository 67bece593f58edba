"""Reads a scenario from YAML. Every complaint names the file, the line and the key."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from orchestrator.replay.scenario import (
    Answer,
    Fault,
    FaultKind,
    Reply,
    Scenario,
    ScenarioError,
    Speaker,
    Tokens,
    ToolCall,
    When,
)
from orchestrator.replay.tables import Node, Table
from orchestrator.replay.wire import ERROR_TYPES, STOP_REASONS

_ANSWER_KEYS: Final = ("name", "when", "times", "reply", "steps")
_WHEN_KEYS: Final = ("speaker", "step", "contains", "lacks", "last_contains", "model")
_REPLY_KEYS: Final = ("say", "tools", "json", "stop_reason", "usage", "fault", "delay")
_FAULT_KEYS: Final = ("kind", "status", "message", "retry_after", "seconds")
_PARTIAL_FAULTS: Final = (FaultKind.STALL, FaultKind.CUT)
"""Faults that send a part of the reply."""


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
    """Read a scenario from YAML text; `source` is what messages call it.

    Raises:
        ScenarioError: the text is no scenario.
    """
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 -- _Loader is a SafeLoader
        top = Table(source, "scenario", document, ("description", "answers"))
        top.get_text("description")
        answers = [
            answer
            for number, item in enumerate(top.get_items("answers"), 1)
            for answer in _parse_answers(Table(source, f"answer {number}", item, _ANSWER_KEYS))
        ]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError(f"{source}, line {line}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not YAML: {error}") from None
    return Scenario(tuple(answers), source)


def _parse_answers(table: Table) -> list[Answer]:
    """The answer that a table describes, or, when it has `steps`, one for each step."""
    when, times, name = (
        _parse_condition(table),
        table.get_integer("times", least=1),
        table.get_text("name"),
    )
    if ("reply" in table) == ("steps" in table):
        raise table.build_error("needs either `reply` or `steps`")
    if "reply" in table:
        return [
            Answer(
                _parse_reply(table.get_table("reply", _REPLY_KEYS)), when, times, name, table.line
            )
        ]
    if when.step is not None:
        raise table.build_error("has `steps`, which set the step themselves", "when.step")
    answers = []
    for step, item in enumerate(table.get_items("steps")):
        inner = Table(table.source, f"{table.where}, step {step}", item, _REPLY_KEYS)
        answers.append(
            Answer(_parse_reply(inner), replace(when, step=step), times, name, inner.line)
        )
    return answers


def _parse_condition(table: Table) -> When:
    if "when" not in table:
        return When()
    when = table.get_table("when", _WHEN_KEYS)
    return When(
        speaker=Speaker(when.get_choice("speaker", tuple(Speaker))) if "speaker" in when else None,
        step=when.get_integer("step", least=0),
        contains=when.get_texts("contains"),
        lacks=when.get_texts("lacks"),
        last_contains=when.get_texts("last_contains"),
        model=when.get_text("model"),
    )


def _parse_reply(table: Table) -> Reply:
    reply = Reply(
        say=table.get_text("say"),
        tools=tuple(
            _parse_tool_call(
                Table(table.source, f"{table.where}, tool {number}", item, ("name", "input"))
            )
            for number, item in enumerate(table.get_items("tools") if "tools" in table else (), 1)
        ),
        json=table.get_json("json"),
        stop_reason=table.get_choice("stop_reason", STOP_REASONS) if "stop_reason" in table else "",
        usage=_parse_tokens(table),
        fault=_parse_fault(table) if "fault" in table else None,
        delay=table.get_number("delay") or 0.0,
    )
    if reply.json is not None and (reply.say or reply.tools):
        raise table.build_error("goes with neither `say` nor `tools`", "json")
    if reply.is_empty and reply.fault is None and "say" not in table:
        raise table.build_error("says nothing: give `say`, `tools`, `json` or `fault`")
    if reply.fault and not reply.is_empty and reply.fault.kind not in _PARTIAL_FAULTS:
        raise table.build_error(f"is {reply.fault.kind}, which sends nothing of the reply", "fault")
    return reply


def _parse_tool_call(table: Table) -> ToolCall:
    if not table.get_text("name"):
        raise table.build_error("is missing", "name")
    value = table.get_json("input")
    if value is not None and not isinstance(value, dict):
        raise table.build_error("must be a mapping", "input")
    return ToolCall(table.get_text("name"), value or {})


def _parse_tokens(table: Table) -> Tokens:
    if "usage" not in table:
        return Tokens()
    usage = table.get_table("usage", ("input", "output", "cache_read", "cache_write"))
    return Tokens(
        usage.get_integer("input", least=0),
        usage.get_integer("output", least=0),
        usage.get_integer("cache_read", least=0) or 0,
        usage.get_integer("cache_write", least=0) or 0,
    )


def _parse_fault(table: Table) -> Fault:
    """A fault: a status, the name of a kind, or a mapping with either and more."""
    value = table.get_value("fault")
    if not isinstance(value, dict):
        key = "status" if isinstance(value, int) else "kind"
        value = Node({key: value}, table.find_line("fault"))
    fault = Table(table.source, f"{table.where}, fault", value, _FAULT_KEYS)
    status = fault.get_integer("status", least=0)
    if status is not None and status not in ERROR_TYPES:
        known = ", ".join(map(str, ERROR_TYPES))
        raise fault.build_error(f"is {status}; known are {known}", "status")
    kinds = tuple(FaultKind)
    kind = FaultKind(fault.get_choice("kind", kinds)) if "kind" in fault else FaultKind.STATUS
    if (kind is FaultKind.STATUS) != (status is not None):
        raise fault.build_error("needs a `status`, or a `kind` other than status")
    lasting = (FaultKind.STALL, FaultKind.HANG)
    for key, fits in (
        ("message", kind is FaultKind.STATUS),
        ("retry_after", kind is FaultKind.STATUS),
        ("seconds", kind in lasting),
    ):
        if key in fault and not fits:
            raise fault.build_error(f"does not go with {kind}", key)
    return Fault(
        kind,
        status or 0,
        fault.get_text("message"),
        fault.get_number("retry_after"),
        fault.get_number("seconds"),
    )


class _Loader(yaml.SafeLoader):
    """SafeLoader whose mappings are `Node`s; a key that stands twice is an error."""

    def build_node(self, node: yaml.MappingNode) -> Node:
        """Make a mapping."""
        seen = set[str]()
        for key_node, _ in node.value:
            name = str(key_node.value)
            if name in seen:
                problem = f"the key `{name}` stands twice"
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

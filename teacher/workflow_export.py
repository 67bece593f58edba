"""Read a teacher workflow, or its credentials, that n8n has exported.

A workflow is an object as the editor downloads it, or an array with one as `n8n export:workflow`
writes it. It is recognized by its node with the prompts, whatever its name; the MCP variant by its
trigger. Credentials are an array as `n8n export:credentials` writes it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from teacher.earlier_workflows import FIRST_SETTINGS
from teacher.workflow import Workflow, digest_setting

FIRST_VERSION: Final = 1
"""The version of the workflows that name none."""
SHIPPED: Final = "shipped"
"""The setting with the digest of each value that a person may edit, as it was shipped."""
_VERSION: Final = "version"
_MARKS: Final = ("model", "prompt_shared", "question")
"""Settings that every version of the workflow has, and hardly another workflow."""
_MCP_TRIGGER: Final = "mcpTrigger"
TRIGGERS: Final = ("webhook", _MCP_TRIGGER)
"""Types of the nodes that receive a request, without the name of their package."""

SAVING: Final = {
    "saveDataSuccessExecution": ("successful", "none"),
    "saveDataErrorExecution": ("failed", "none"),
    "saveManualExecutions": ("manual", False),
    "saveExecutionProgress": ("unfinished", False),
}
"""A workflow's own settings: which executions each is about, and the value that drops them."""
_DROPPED_BY_DEFAULT: Final = ("saveExecutionProgress",)

_HOW_TO_EXPORT: Final = (
    "in n8n's editor ... > Export JSON, or `n8n export:workflow --id=ID --output=FILE`"
)

_MOST_LAYERS: Final = 100
"""Limit on objects and lists in each other; the shipped workflow has 11."""
_TOO_DEEP: Final = "is not JSON that n8n writes: it is nested too deeply"

Node = dict[str, Any]


class ExportError(ValueError):
    """A file is not an export that can be used.

    Args:
        problem: what is wrong with it.
        hint: what to do about it.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)
        self.problem, self.hint = problem, hint


@dataclass(frozen=True)
class ExportedWorkflow:
    """A teacher workflow, exported or as this program prints it."""

    content: Workflow

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes, by name."""
        return {node["name"]: node for node in self.content["nodes"]}

    @property
    def is_mcp(self) -> bool:
        """Whether it is the variant that serves as an MCP tool."""
        return any(read_type(node) == _MCP_TRIGGER for node in self.content["nodes"])

    @property
    def settings_node(self) -> Node:
        """The node with model and prompts."""
        return next(node for node in self.content["nodes"] if _has_prompts(node))

    @property
    def assignments(self) -> dict[str, dict[str, Any]]:
        """The assignments of the node with the settings, by name."""
        return _read_assignments(self.settings_node)

    @property
    def values(self) -> dict[str, Any]:
        """The values of the settings, by name."""
        return {name: each.get("value") for name, each in self.assignments.items()}

    @property
    def version(self) -> int:
        """The version of the workflow."""
        version = self.values.get(_VERSION)
        text = str(version).strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else FIRST_VERSION

    @property
    def shipped(self) -> dict[str, str]:
        """The digests of the settings as they were shipped; empty if they cannot be read."""
        value = self.values.get(SHIPPED)
        if value is None and self.version == FIRST_VERSION:
            return dict(FIRST_SETTINGS)
        if isinstance(value, str):
            try:
                value = json.loads(value.removeprefix("="))
            except (ValueError, RecursionError):
                return {}
        return {str(name): str(each) for name, each in value.items()} if _is_object(value) else {}

    def is_edited(self, name: str) -> bool:
        """Return whether a person has edited a setting, as far as the workflow shows."""
        digest = self.shipped.get(name)
        return digest is None or digest != digest_setting(self.values.get(name))


def parse_export(text: str) -> list[dict[str, Any]]:
    """Return the objects of an exported file.

    Raises:
        ExportError: the text is not an export of n8n.
    """
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    if not text.strip():
        raise ExportError("is empty", f"export the workflow again: {_HOW_TO_EXPORT}")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ExportError(
            f"is not JSON: {error.msg} in line {error.lineno}",
            f"export the workflow again: {_HOW_TO_EXPORT}",
        ) from None
    except ValueError:
        raise ExportError("is not JSON that n8n writes: a number is too long, or none") from None
    except RecursionError:
        raise ExportError(_TOO_DEEP) from None
    if _is_too_deep(value):
        raise ExportError(_TOO_DEEP)
    objects = value if isinstance(value, list) else [value]
    if not objects or not all(map(_is_object, objects)):
        raise ExportError(
            "is JSON, but not what n8n exports", f"export the workflow: {_HOW_TO_EXPORT}"
        )
    return objects


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _is_too_deep(value: object) -> bool:
    """Return whether objects and lists are in each other more deeply than all readers follow."""
    layer = _keep_containers([value])
    for _ in range(_MOST_LAYERS):
        if not layer:
            return False
        layer = _keep_containers(
            part for each in layer for part in (each.values() if _is_object(each) else each)
        )
    return bool(layer)


def _keep_containers(values: Iterable[Any]) -> list[Any]:
    return [each for each in values if isinstance(each, dict | list) and each]


def is_credentials(objects: list[dict[str, Any]]) -> bool:
    """Return whether these are exported credentials."""
    return all("data" in each and "type" in each and "nodes" not in each for each in objects)


def find_workflow(objects: list[dict[str, Any]]) -> ExportedWorkflow:
    """Return the teacher workflow among exported workflows.

    Raises:
        ExportError: there is none, or more than one, or it is damaged.
    """
    found = [each for each in objects if _has_settings(each)]
    if not found:
        raise ExportError(
            f"has no workflow with the node Settings of the shipped one ({', '.join(_MARKS)}, ...)",
            f"export the workflow that came from `orchestrator teacher workflow`: {_HOW_TO_EXPORT}",
        )
    if len(found) > 1:
        raise ExportError(
            f"has {len(found)} teacher workflows: "
            f"{', '.join(str(each.get('name')) for each in found)}",
            "export one of them: `n8n export:workflow --id=ID --output=FILE`",
        )
    _check_nodes(found[0])
    return ExportedWorkflow(found[0])


def read_type(node: Node) -> str:
    """Return the type of a node without the name of its package."""
    return str(node.get("type", "")).rpartition(".")[2]


def list_saved_kinds(settings: object) -> list[str]:
    """Return the kinds of executions that the settings of a workflow do not drop.

    Those that the settings do not mention are saved or not as n8n's own settings say, and by
    default they are, except unfinished ones.
    """
    given: dict[str, Any] = settings if _is_object(settings) else {}
    kept = {name: dropping for name, (_, dropping) in SAVING.items()}
    defaults = {name: kept[name] for name in _DROPPED_BY_DEFAULT}
    values = {**dict.fromkeys(SAVING, "DEFAULT"), **defaults, **given}
    return [kind for name, (kind, dropping) in SAVING.items() if values[name] != dropping]


def has_open_token(credentials: list[dict[str, Any]]) -> bool:
    """Return whether the token of a credential has a known value where its variable is not set.

    `'Bearer ' + $env.TOKEN` is `Bearer undefined` then, which anybody can send.
    """
    return any(map(_is_open, credentials))


def _is_open(credential: Mapping[str, Any]) -> bool:
    data = credential.get("data")
    value = data.get("value") if _is_object(data) else None
    if credential.get("type") != "httpHeaderAuth" or not isinstance(value, str):
        return False
    # Text beside the braces (`=Bearer {{ $env.TOKEN }}`) is joined with nothing for a variable that
    # is not set; only within them does JavaScript add the word `undefined`.
    expressions = re.findall(r"\{\{(.*?)\}\}", value, re.DOTALL) if value.startswith("=") else []
    return any(
        re.search(r"\$(?:env|vars)\b", each)
        and re.search(r"\+|\$\{|concat", each)
        and not re.search(r"\?|\|\||&&", each)
        for each in expressions
    )


def _has_settings(workflow: dict[str, Any]) -> bool:
    nodes = workflow.get("nodes")
    return isinstance(nodes, list) and any(
        _is_object(node) and _has_prompts(node) for node in nodes
    )


def _has_prompts(node: Node) -> bool:
    return read_type(node) == "set" and _read_assignments(node).keys() >= set(_MARKS)


def _read_assignments(node: Node) -> dict[str, dict[str, Any]]:
    value: Any = node.get("parameters")
    for _ in range(2):
        value = value.get("assignments") if _is_object(value) else None
    found = value if isinstance(value, list) else []
    return {str(each.get("name")): each for each in found if _is_object(each)}


def _check_nodes(workflow: Workflow) -> None:
    """Check that what the comparison reads has the form that n8n writes. Raises ExportError."""
    for number, node in enumerate(workflow["nodes"], 1):
        named = _is_object(node) and isinstance(node.get("name"), str)
        fields = ("parameters", "credentials")
        if not named or not all(_is_object(node.get(field, {})) for field in fields):
            raise ExportError(
                f"is damaged: node {number} is not one", f"export it again: {_HOW_TO_EXPORT}"
            )
    for field in ("connections", "settings"):
        if not _is_object(workflow.get(field) or {}):
            raise ExportError(
                f"is damaged: `{field}` is not an object", f"export it again: {_HOW_TO_EXPORT}"
            )


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:  # noqa: ANN401 -- JSON
    return isinstance(value, dict)

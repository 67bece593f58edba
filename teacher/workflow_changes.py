"""Compare a teacher workflow that a person has imported with the one that this version prints.

n8n's editor does not save parameters that have their default value, and adds settings of its own to
an imported workflow. Neither is a change.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from teacher.earlier_workflows import EARLIER_NODES
from teacher.workflow import Workflow, digest_setting
from teacher.workflow_export import (
    SAVING,
    SHIPPED,
    TRIGGERS,
    ExportedWorkflow,
    Node,
    list_saved_kinds,
    read_type,
)

_EDITOR_DEFAULTS: Final[tuple[tuple[str, object], ...]] = (
    *(("resource", "row"), ("operation", "insert"), ("condition", "eq"), ("keyName", "id")),
    *(
        ("matchType", "anyCondition"),
        ("type", "string"),
        ("source", "database"),
        ("mode", "manual"),
        ("options", {}),
    ),
)
"""Parameters that n8n's editor leaves out when it saves one of the shipped nodes."""

_TRIGGER_KEYS: Final = ("path", "authentication", "options")
"""Parameters of a trigger that decide who is let in, and where: a person's, not the version's."""


@dataclass(frozen=True)
class Setting:
    """A setting that differs."""

    name: str
    exported: object
    current: object


class Difference(StrEnum):
    """How a node differs."""

    ONLY_EXPORTED = "only in the export"
    ONLY_CURRENT = "missing in the export"
    CHANGED = "different"


@dataclass(frozen=True)
class NodeChange:
    """A node that differs, with the keys of its parameters that do."""

    name: str
    difference: Difference
    keys: tuple[str, ...] = ()
    is_own: bool | None = None
    """Whether a person has made the difference, and not another version; None if unknown."""


@dataclass(frozen=True)
class Comparison:
    """How an exported workflow differs from the one that this version prints."""

    exported_version: int
    current_version: int
    edited: tuple[Setting, ...] = ()
    """Settings that a person has edited."""
    renewed: tuple[Setting, ...] = ()
    """Settings that nobody has edited, and that have another value now."""
    unknown: tuple[str, ...] = ()
    """Settings that a person has added, or that this version does not have any more."""
    nodes: tuple[NodeChange, ...] = ()
    saved: tuple[str, ...] = ()
    """Kinds of executions that the workflow's own settings do not drop."""
    open_triggers: tuple[str, ...] = ()
    """Triggers that let everybody in."""

    @property
    def is_equal(self) -> bool:
        """Whether there is nothing to report."""
        different = (self.edited, self.renewed, self.unknown, self.nodes, self.saved)
        return (
            self.exported_version == self.current_version
            and not self.open_triggers
            and not any(different)
        )


def compare_workflows(exported: ExportedWorkflow, current: ExportedWorkflow) -> Comparison:
    """Return how an exported workflow differs from the one that this version prints."""
    differing = [
        Setting(name, exported.values[name], value)
        for name, value in current.values.items()
        if name in exported.values
        and _is_editable(name, current)
        and not _is_same_value(exported.values[name], value)
    ]
    own = exported.values.keys() - current.values.keys()
    return Comparison(
        exported.version,
        current.version,
        tuple(each for each in differing if exported.is_edited(each.name)),
        tuple(each for each in differing if not exported.is_edited(each.name)),
        tuple(name for name in exported.values if name in own),
        tuple(_iter_node_changes(exported, current)),
        tuple(list_saved_kinds(exported.content.get("settings"))),
        tuple(_iter_open_triggers(exported)),
    )


def update_workflow(exported: ExportedWorkflow, current: ExportedWorkflow) -> Workflow:
    """Return the workflow of this version with what a person has made of an exported one.

    That is: edited settings, credentials, id and name, path and protection of the trigger, and the
    workflow's own settings except those that save executions.
    """
    new: Workflow = json.loads(json.dumps(current.content))
    updated = ExportedWorkflow(new)
    assignments = updated.assignments
    for each in compare_workflows(exported, current).edited:
        kept = exported.assignments[each.name]
        assignments[each.name] |= {key: kept[key] for key in ("value", "type") if key in kept}
    new |= {key: exported.content[key] for key in ("id", "name") if exported.content.get(key)}
    own = {key: each for key, each in _read_settings(exported).items() if key not in SAVING}
    new["settings"] = {**own, **new["settings"]}
    _keep_credentials(exported, updated)
    for node in new["nodes"]:
        if other := _find_trigger(exported, read_type(node)):
            _keep_trigger(other, node)
    return new


def _read_settings(workflow: ExportedWorkflow) -> Mapping[str, Any]:
    """Return the workflow's own settings, such as its time zone."""
    return workflow.content.get("settings") or {}


def _is_editable(name: str, current: ExportedWorkflow) -> bool:
    return name in current.shipped if current.shipped else name not in (SHIPPED, "version", "asked")


def _is_same_value(one: object, other: object) -> bool:
    if digest_setting(_normalize(one)) == digest_setting(_normalize(other)):
        return True
    return _read_json(one) is not None and _read_json(one) == _read_json(other)


def _normalize(value: object) -> object:
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _read_json(value: object) -> object:
    """Return the object in a text, such as a schema, which the editor may lay out differently."""
    if not isinstance(value, str):
        return value if isinstance(value, dict) else None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def digest_node(node: Node) -> str:
    """Return the digest of what a node does, the same before and after n8n's editor saved it."""
    parameters = node.get("parameters", {})
    if read_type(node) in TRIGGERS:
        parameters = {key: each for key, each in parameters.items() if key not in _TRIGGER_KEYS}
    content = [node["name"], read_type(node), _drop_defaults(parameters)]
    return digest_setting(json.dumps(content, sort_keys=True))


def _iter_node_changes(
    exported: ExportedWorkflow, current: ExportedWorkflow
) -> Iterator[NodeChange]:
    known, given = _list_working_nodes(current), _list_working_nodes(exported)
    for name, node in given.items():
        is_own = _is_own(node, exported.version, current.version)
        if name not in known:
            yield NodeChange(name, Difference.ONLY_EXPORTED, is_own=is_own)
        elif keys := tuple(_iter_changed_keys(node, known[name])):
            yield NodeChange(name, Difference.CHANGED, keys, is_own)
    same_version = exported.version == current.version
    for name in known:
        if name not in given:
            yield NodeChange(name, Difference.ONLY_CURRENT, is_own=same_version)
    if same_version and _read_wires(exported) != _read_wires(current):
        yield NodeChange("connections", Difference.CHANGED, is_own=True)


def _is_own(node: Node, version: int, current: int) -> bool | None:
    """Return whether a node that differs from the current version's was made by a person."""
    if version == current:
        return True
    digests = EARLIER_NODES.get(version)
    return None if digests is None else digest_node(node) not in digests


def _drop_defaults(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, dict):
        return {
            key: _drop_defaults(each)
            for key, each in value.items()
            if (key, each) not in _EDITOR_DEFAULTS
        }
    return (
        [_drop_defaults(each) for each in value] if isinstance(value, list) else _normalize(value)
    )


def _list_working_nodes(workflow: ExportedWorkflow) -> dict[str, Node]:
    """Return the nodes that do something, without the settings, by name."""
    settings = workflow.settings_node["name"]
    return {
        name: node
        for name, node in workflow.nodes.items()
        if name != settings and read_type(node) != "stickyNote"
    }


def _iter_changed_keys(exported: Node, current: Node) -> Iterator[str]:
    for field in ("type", "typeVersion", "onError", "disabled", "alwaysOutputData", "executeOnce"):
        if exported.get(field) != current.get(field) and (
            exported.get(field) or current.get(field)
        ):
            yield field
    one, other = exported.get("parameters", {}), current.get("parameters", {})
    kept = _TRIGGER_KEYS if read_type(exported) in TRIGGERS else ()
    for key in {**other, **one}:
        # `authentication` that nobody is asked for is reported by itself.
        if key not in kept and not _is_same_parameter(key, one, other):
            yield key


def _is_same_parameter(key: str, exported: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Return whether a parameter is equal, or left out by the editor because it is the default."""
    if key not in exported:
        return (key, current[key]) in _EDITOR_DEFAULTS
    if key not in current:
        return (key, exported[key]) in _EDITOR_DEFAULTS
    return _is_same_tree(exported[key], current[key])


def _is_same_tree(exported: Any, current: Any) -> bool:  # noqa: ANN401 -- JSON
    if isinstance(exported, dict) and isinstance(current, dict):
        return all(_is_same_parameter(key, exported, current) for key in {**exported, **current})
    if isinstance(exported, list) and isinstance(current, list):
        return len(exported) == len(current) and all(map(_is_same_tree, exported, current))
    return type(exported) is type(current) and bool(_normalize(exported) == _normalize(current))


def _read_wires(workflow: ExportedWorkflow) -> set[tuple[str, str, int, str]]:
    """Return the connections as (from, kind, output, to)."""
    found = set()
    for name, kinds in (workflow.content.get("connections") or {}).items():
        for kind, outputs in kinds.items() if isinstance(kinds, dict) else ():
            for number, ends in enumerate(outputs if isinstance(outputs, list) else ()):
                listed = ends if isinstance(ends, list) else ()  # n8n writes null for no wire
                targets = [end.get("node") for end in listed if isinstance(end, dict)]
                found |= {(name, kind, number, str(target)) for target in targets}
    return found


def _iter_open_triggers(workflow: ExportedWorkflow) -> Iterator[str]:
    for node in workflow.content["nodes"]:
        if read_type(node) in TRIGGERS:
            authentication = node.get("parameters", {}).get("authentication", "none")
            if authentication == "none":
                yield str(node["name"])


def _find_trigger(workflow: ExportedWorkflow, type_: str) -> Node | None:
    if type_ not in TRIGGERS:
        return None
    return next((node for node in workflow.content["nodes"] if read_type(node) == type_), None)


def _keep_trigger(exported: Node, new: Node) -> None:
    """Keep the path of a trigger and its protection, both as they are."""
    parameters = exported.get("parameters", {})
    for key in _TRIGGER_KEYS:
        new["parameters"].pop(key, None)
        if key in parameters:
            new["parameters"][key] = parameters[key]
    if "webhookId" in exported:
        new["webhookId"] = exported["webhookId"]
    if "credentials" in exported:
        new["credentials"] = exported["credentials"]


def _keep_credentials(exported: ExportedWorkflow, new: ExportedWorkflow) -> None:
    """Choose in each node the credential of the same kind that the exported workflow uses."""
    chosen = {
        kind: credential
        for node in exported.content["nodes"]
        for kind, credential in node.get("credentials", {}).items()
    }
    for node in new.content["nodes"]:
        for kind in node.get("credentials", {}):
            node["credentials"][kind] = chosen.get(kind, node["credentials"][kind])

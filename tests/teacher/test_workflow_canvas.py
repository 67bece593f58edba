"""The canvas of both workflows: nothing lies on something else, and no wire runs behind a node.

Sizes and wires are those of n8n's editor (2.39): nodes on a grid of 16, a name below each node, a
wire is a Bézier curve with horizontal ends, or a detour where it leads back.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from teacher.workflow import build_mcp_workflow, build_webhook_workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKFLOWS = {"webhook": build_webhook_workflow(), "mcp": build_mcp_workflow()}
SIZE = 96
NAME = 44
MARGIN = 12
STEPS = 60

Point = tuple[float, float]


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def has(self, point: Point) -> bool:
        return self.left <= point[0] <= self.right and self.top <= point[1] <= self.bottom


class Wire(NamedTuple):
    source: str
    target: str
    points: list[Point]


def is_note(node: dict[str, Any]) -> bool:
    return str(node["type"]).endswith(".stickyNote")


def list_boxes(workflow: dict[str, Any]) -> dict[str, Box]:
    """Return where each node is, with its name."""
    boxes = {}
    for node in workflow["nodes"]:
        x, y = node["position"]
        wide, high = SIZE, SIZE + NAME
        if is_note(node):
            wide, high = node["parameters"]["width"], node["parameters"]["height"]
        elif node["type"].endswith(".mcpTrigger"):
            wide = 240
        boxes[node["name"]] = Box(x, y, x + wide, y + high)
    return boxes


def count_outputs(node: dict[str, Any]) -> int:
    rules = node["parameters"].get("rules", {}).get("values", [])
    own = 2 if node["type"].endswith(".if") else len(rules) or 1
    return own + (node.get("onError") == "continueErrorOutput")


def list_wires(workflow: dict[str, Any]) -> Iterator[Wire]:
    nodes = {node["name"]: node for node in workflow["nodes"]}
    for source, outputs in workflow["connections"].items():
        for at, ends in enumerate(outputs.get("main", [])):
            for end in ends:
                (x, y), (to_x, to_y) = nodes[source]["position"], nodes[end["node"]]["position"]
                height = SIZE * (at + 1) / (count_outputs(nodes[source]) + 1)
                start = (float(x + SIZE), y + height)
                yield Wire(source, end["node"], draw_curve(start, (to_x, to_y + SIZE / 2)))


def draw_curve(start: Point, end: Point) -> list[Point]:
    (x, y), (to_x, to_y) = start, end
    reach = (to_x - x) / 2
    points = []
    for step in range(STEPS + 1):
        t = step / STEPS
        a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
        at_x = a * x + b * (x + reach) + c * (to_x - reach) + d * to_x
        points.append((at_x, (a + b) * y + (c + d) * to_y))
    return points


def is_crossing(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    def turns(a: Point, b: Point, c: Point) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    (a, b), (c, d) = one, other
    return turns(a, b, c) * turns(a, b, d) < 0 and turns(c, d, a) * turns(c, d, b) < 0


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_nothing_lies_on_something_else(workflow: dict[str, Any]) -> None:
    boxes = list_boxes(workflow)
    assert len(boxes) >= 10
    pairs = itertools.combinations(boxes.items(), 2)
    assert [(a, b) for (a, one), (b, other) in pairs if one.overlaps(other)] == []
    positions = [node["position"] for node in workflow["nodes"]]
    assert not [each for each in positions if each[0] % 16 or each[1] % 16]


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_no_wire_leads_back_or_runs_behind_a_node(workflow: dict[str, Any]) -> None:
    boxes, wires = list_boxes(workflow), list(list_wires(workflow))
    assert len(wires) >= 9
    assert [wire[:2] for wire in wires if wire.points[-1][0] < wire.points[0][0] + 40] == []
    behind = [
        (wire.source, wire.target, name)
        for wire in wires
        for name, box in boxes.items()
        if name not in wire[:2] and any(widen(box).has(point) for point in wire.points)
    ]
    assert behind == []


def widen(box: Box) -> Box:
    return Box(box.left - MARGIN, box.top - MARGIN, box.right + MARGIN, box.bottom + MARGIN / 4)


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_no_wires_cross(workflow: dict[str, Any]) -> None:
    crossings = []
    for one, other in itertools.combinations(list_wires(workflow), 2):
        # Wires to the same node come together in front of it.
        end = one.points[-1][0] - (40 if one.target == other.target else 0)
        pieces = [
            [piece for piece in itertools.pairwise(wire.points) if piece[1][0] <= end]
            for wire in (one, other)
        ]
        if any(is_crossing(a, b) for a, b in itertools.product(*pieces)):
            crossings.append((one[:2], other[:2]))
    assert crossings == []


def test_the_layout_is_checked_at_all() -> None:
    """A node that is moved onto a wire is found."""
    workflow = json.loads(json.dumps(WORKFLOWS["webhook"]))
    nodes = {node["name"]: node for node in workflow["nodes"]}
    nodes["Look up answer"]["position"] = [1248, 0]
    with pytest.raises(AssertionError):
        test_no_wire_leads_back_or_runs_behind_a_node(workflow)
    nodes["Ask Claude"]["position"] = nodes["Decide"]["position"]
    with pytest.raises(AssertionError):
        test_nothing_lies_on_something_else(workflow)

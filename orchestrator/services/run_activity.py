"""Say in one line what a run is doing, from one of its events."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

_DESCRIPTIONS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "notice": lambda values: str(values["text"]),
    "step_started": lambda values: str(values["name"]),
    "attempt_started": lambda _values: "the agent starts",
    "agent_spoke": lambda values: str(values["text"]),
    "tool_used": lambda values: f"{values['tool']} {os.fspath(values['detail'])}",
    "agent_waiting": lambda values: f"waits: {values['reason']}",
    "suite_running": lambda values: f"the suite runs, {values['seconds']:.0f} s {values['case']}",
    "rule_written": lambda _values: "a rule was learned",
}


def describe_activity(kind: str, attempt: int, values: Mapping[str, Any]) -> str:
    """Return what a run is doing; empty if its event does not say.

    Args:
        kind: the name of the event.
        attempt: the number of the attempt; 0 if it belongs to none.
        values: the fields of the event, as JSON has them.

    Raises:
        LookupError: a field that such an event has is missing; likewise TypeError, ValueError and
            AttributeError for one of another type.
    """
    describe = _DESCRIPTIONS.get(kind)
    text = describe(values) if describe else ""
    return f"attempt {attempt}: {text}" if text and attempt else text

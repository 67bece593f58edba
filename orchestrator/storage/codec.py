"""Convert values to JSON and back, so that later versions and people can read what is stored.

Only the dataclasses listed here can be converted; another type is a bug.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from orchestrator.models import (
    AgentResult,
    Attempt,
    Diff,
    Findings,
    Judgement,
    RuleChange,
    RunResult,
    Snapshot,
    SuiteReport,
    Teaching,
)
from teacher.models import Lesson

_TYPES: Final[Sequence[type[Any]]] = (
    AgentResult,
    Attempt,
    Judgement,
    Diff,
    Findings,
    Lesson,
    RuleChange,
    RunResult,
    Snapshot,
    SuiteReport,
    Teaching,
    type(None),
)
_BY_NAME: Final = {kind.__name__: kind for kind in _TYPES}


def dumps(value: object) -> str:
    """Return a value as JSON that names its type.

    Raises:
        KeyError: the value's type is not listed here.
    """
    name = type(value).__name__
    return json.dumps(
        {"type": name, "value": _build_adapter(name).dump_python(value, mode="json")},
        ensure_ascii=True,
    )


def loads(text: str) -> Any:  # noqa: ANN401 -- the text names the type
    """Return the value that `dumps` has converted.

    Raises:
        KeyError: its type is not listed here.
        ValueError: the text is not JSON, or not a value of its type.
    """
    stored = json.loads(text)
    return _build_adapter(stored["type"]).validate_python(stored["value"])


@cache
def _build_adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_BY_NAME[name])  # building one takes milliseconds

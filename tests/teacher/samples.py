"""One failure, two known rules, words of a model, and how they travel."""

import json

from teacher.models import Failure, FailureType, KnownRule, RuleText
from teacher.retry import Retries
from tests.teacher.loopback import Reply, json_reply

FAILURE = Failure(
    type=FailureType.TEST_FAILURE,
    source="pytest",
    summary="11 passed, 1 failed",
    fingerprint="f00d",
    task="Make safe_divide safe",
    diff="+    return 0",
    logs="assert 0 is None",
    context="second attempt",
)

KNOWN = (
    KnownRule("r-0001", RuleText("Never round early; round once.", "Money.", "Cents are lost.")),
    KnownRule("r-0002", RuleText("Never return 0 for absence; use None.", "Ratios.", "Zero is.")),
    KnownRule(
        "r-0003",
        RuleText("Never divide twice; store the quotient.", "Loops.", "It is slow."),
        note="rejected by a person: it is not active, and must not be proposed again",
    ),
)

TEXT = {
    "rule": "Never stand a number in for a missing result; return None.",
    "when": "A function has no valid result to give.",
    "why": "A caller cannot tell the stand-in from a real result.",
}
RULE = RuleText(**TEXT)


def make_answer(**keys: object) -> str:
    """An answer as structured output gives it: every key there, null where there is nothing."""
    empty: dict[str, object] = {
        "target": None,
        "rule": None,
        "when": None,
        "why": None,
        "paths": [],
    }
    return json.dumps({"reason": "The stand-in hid the absence.", **empty, **keys})


ADD = make_answer(action="add", **TEXT)
REINFORCE = make_answer(action="reinforce", target="r-0002")
AMEND = make_answer(action="amend", target="r-0001", paths=["billing/**"], **TEXT)
NONE = make_answer(action="none", reason="The test depends on the clock.")


def message_saying(text: str, **keys: object) -> Reply:
    """An answer of the Messages API; `keys` replace parts of it."""
    whole = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    return json_reply({**whole, **keys})


def make_instant_retries(tries: int = 5, seconds: float = 120.0) -> tuple[Retries, list[float]]:
    """Retries that wait for nothing, and the list of waits that they would have made."""
    waits: list[float] = []
    return Retries(tries, seconds, waits.append), waits

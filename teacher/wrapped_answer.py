r"""Find the lesson in what a webhook answers, which n8n and its nodes wrap in several ways.

    [{...}]                                 Webhook or Respond node set to "All Incoming Items"
    {"output": "```json\n{...}\n```"}       AI Agent; `text` for a Basic LLM Chain
    {"message": {"content": "{...}"}}       OpenAI node; `choices` around it for the API's answer
    {"content": [{"text": "{...}"}], ...}   Anthropic node, or the API's answer itself
    {"body": {...}, "statusCode": 200}      HTTP Request node with the full response
    {"json": {...}, "pairedItem": ...}      an item as the Code node sees it
    {"data": {...}}                         an Aggregate or Set node

An answer without any lesson is a matter of one node's setting, which the error names.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from teacher.answer import ANSWER_KEYS, quote_answer, strip_code_fence
from teacher.errors import TeacherUnavailable

_LESSON_KEYS: Final = ("rule", "action")
"""An object with one of them is meant as a lesson, whether or not it is a valid one."""

_WRAPPERS: Final = (
    *("output", "text", "content", "message", "choices", "response", "result", "answer", "lesson"),
    *("body", "json", "data"),
)
"""Keys that may contain the lesson; no other key is searched."""

_MOST_LAYERS: Final = 8

_RESPOND_NODE: Final = "`Using 'Respond to Webhook' Node`"
_FIRST_ITEM: Final = "set Respond With of the node Respond to Webhook to `First Incoming Item`"


@dataclass(frozen=True)
class WrappedAnswer:
    """What a webhook answered."""

    text: str
    """The lesson as JSON, or the whole answer if it has none."""
    objects: tuple[Mapping[str, Any], ...] = ()
    """The objects around the lesson, the outermost first, and the lesson itself."""


def unwrap_answer(text: str, url: str) -> WrappedAnswer:
    """Return the lesson in a webhook's answer.

    Args:
        text: the body of an answer with status 2xx.
        url: the webhook, for the error.

    Raises:
        TeacherUnavailable: no model can have written this; the error names the setting to change.
    """
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    value = _parse_json(text)
    if path := next(_find_lessons(value, ()), None):
        # Without the bill and other keys: a strange number in one of them costs no lesson.
        lesson = {key: value for key, value in path[-1].items() if key in ANSWER_KEYS}
        return WrappedAnswer(json.dumps(lesson), path)
    if problem := _find_wrong_setting(text, value):
        what, hint = problem
        raise TeacherUnavailable(f"{url} {what}; {quote_answer(text)}", hint)
    return WrappedAnswer(text, (value,) if isinstance(value, dict) else ())


def _find_lessons(
    value: object, path: tuple[Mapping[str, Any], ...], layers: int = _MOST_LAYERS
) -> Iterator[tuple[Mapping[str, Any], ...]]:
    """Yield the lessons in a value, each as the objects around it and itself."""
    if layers == 0:
        return
    if isinstance(value, str):
        value = _parse_json(strip_code_fence(value))
    if isinstance(value, list):
        texts = [each for each in value if isinstance(each, dict) and each.get("type") == "text"]
        items = texts if len(value) > 1 else value  # a model's answer has other blocks, too
        if len(items) == 1:
            yield from _find_lessons(items[0], path, layers - 1)
    elif isinstance(value, dict):
        if any(key in value for key in _LESSON_KEYS):
            yield (*path, value)
            return
        for key in _WRAPPERS:
            yield from _find_lessons(value.get(key), (*path, value), layers - 1)


def is_web_page(text: str) -> bool:
    """Return whether a body is a page for a browser: of a login, a proxy or n8n's editor."""
    start = text.lstrip()[:200].lower()
    return start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body"))


def _find_wrong_setting(text: str, value: object) -> tuple[str, str] | None:
    """Return what is wrong with an answer without a lesson, and the setting to change."""
    if not text.strip() or value == [] or value in ("", {}):
        return (
            "answered without any content",
            f"set Respond of the node Webhook to {_RESPOND_NODE}, and connect that node; if it is, "
            "look at the workflow's last execution",
        )
    if is_web_page(text):
        return (
            "answered with a web page",
            "set n8n.webhook_url to the Production URL that the node Webhook shows; if it is, a "
            "login page is in front of n8n: let the webhook's path pass without a login",
        )
    if isinstance(value, dict) and "workflow was started" in str(value.get("message")).lower():
        return (
            "answered before the workflow ended",
            f"set Respond of the node Webhook from `Immediately` to {_RESPOND_NODE}",
        )
    if isinstance(value, list) and len(value) > 1 and all(isinstance(each, dict) for each in value):
        return f"answered with {len(value)} items instead of one", _FIRST_ITEM
    return None


def _parse_json(text: str) -> Any:  # noqa: ANN401 -- any JSON
    try:
        return json.loads(text, parse_int=_parse_int)
    except (ValueError, RecursionError):
        return None


def _parse_int(digits: str) -> float:
    # Python refuses to convert more digits, and a bill may have them beside a good lesson.
    return int(digits) if len(digits) < 1000 else math.inf

"""One table of what the Messages API may reply, for the local teacher and for `lesson.js`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from teacher.errors import (
    TeacherError,
    TeacherMisconfigured,
    TeacherUnavailable,
    UnusableAnswer,
)
from tests.teacher.samples import ADD

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ReplyCase:
    """What the Messages API or something in its place replies, and what that is for each road."""

    name: str
    status: int = 200
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the message that are different, with status 200."""
    body: object = None
    """The whole body; None for a message."""
    headers: Mapping[str, str] = field(default_factory=dict)
    error: type[TeacherError] | None = None
    """The local teacher's error; None if the reply is a lesson."""
    kind: str = ""
    """The workflow's kind of error."""
    words: str = ""
    """Words of both errors."""

    @property
    def is_retried(self) -> bool:
        """Whether both roads ask again."""
        return self.kind == "try_again"


def _describe_error(message: str) -> object:
    return {"type": "error", "error": {"type": "some_error", "message": message}}


_CUT: Mapping[str, Any] = {"error": UnusableAnswer, "kind": "unusable_answer", "words": "cut off"}
_FOREIGN: Mapping[str, Any] = {
    "error": TeacherUnavailable,
    "kind": "misconfigured",
    "words": "the Messages API",
}
_NO_CONTENT: Mapping[str, object] = {
    "of nothing": [],
    "null": None,
    "that is text": ADD,
    "of other things": [None, 1, "x", [], {"text": 1}],
}

REPLIES = (
    *(
        ReplyCase(f"stopped by {reason}", changes={"stop_reason": reason})
        for reason in ("end_turn", "stop_sequence", "tool_use", "pause_turn", "unheard_of", None)
    ),
    *(
        ReplyCase(f"stopped by {reason}", changes={"stop_reason": reason}, **_CUT)
        for reason in ("max_tokens", "model_context_window_exceeded")
    ),
    ReplyCase(
        "refusal",
        changes={"stop_reason": "refusal"},
        error=UnusableAnswer,
        kind="unusable_answer",
        words="the model refused to answer",
    ),
    ReplyCase(
        "text in blocks",
        changes={
            "content": [
                {"type": "thinking", "thinking": "{"},
                {"type": "text", "text": ADD[:20]},
                {"type": "text", "text": ADD[20:]},
            ]
        },
    ),
    *(
        ReplyCase(
            f"content {name}",
            changes={"content": content},
            error=UnusableAnswer,
            kind="unusable_answer",
            words="it is not JSON",
        )
        for name, content in _NO_CONTENT.items()
    ),
    ReplyCase(
        "text with a lone surrogate",
        changes={"content": [{"type": "text", "text": ADD.replace("Never", "\ud83d")}]},
        error=UnusableAnswer,
        kind="unusable_answer",
        words="it is not JSON",
    ),
    ReplyCase("status 201", status=201),
    ReplyCase("usage of null counts", changes={"usage": {"input_tokens": None}}),
    ReplyCase("no usage", changes={"usage": None}, **_FOREIGN),
    ReplyCase("usage that is a list", changes={"usage": [1]}, **_FOREIGN),
    ReplyCase("stop reason that is a list", changes={"stop_reason": []}, **_FOREIGN),
    ReplyCase("stop reason that is a number", changes={"stop_reason": 1}, **_FOREIGN),
    ReplyCase("a web page", body="<html>Sign in</html>", **_FOREIGN),
    ReplyCase("another API", body={"choices": []}, **_FOREIGN),
    ReplyCase("a list", body=[], **_FOREIGN),
    ReplyCase(
        "unknown model",
        404,
        body=_describe_error("model: m"),
        error=TeacherMisconfigured,
        kind="unknown_model",
        words="404",
    ),
    *(
        ReplyCase(
            f"status {status}",
            status,
            body=_describe_error("no such luck"),
            error=TeacherUnavailable,
            kind="misconfigured",
            words="no such luck",
        )
        for status in (400, 401, 402, 403, 405, 413, 422)
    ),
    *(
        ReplyCase(
            f"status {status}",
            status,
            body=_describe_error("no such luck"),
            error=TeacherUnavailable,
            kind="try_again",
            words="no such luck",
        )
        for status in (408, 409, 429, 500, 502, 503, 504, 524, 529)
    ),
    *(
        ReplyCase(
            f"status {status}, final",
            status,
            body=_describe_error("no such luck"),
            headers={"x-should-retry": "false"},
            error=TeacherUnavailable,
            kind="refused",
            words="no such luck",
        )
        for status in (429, 500)
    ),
    ReplyCase(
        "a proxy's page",
        503,
        body="<html>\n<h1>Busy</h1></html>",
        error=TeacherUnavailable,
        kind="try_again",
        words="Busy",
    ),
    ReplyCase(
        "an error whose message is no text",
        400,
        body={"error": {"message": ["x"]}},
        error=TeacherUnavailable,
        kind="misconfigured",
        words="400",
    ),
    ReplyCase(
        "an error of another form",
        500,
        body={"error": "broken"},
        error=TeacherUnavailable,
        kind="try_again",
        words="500",
    ),
    ReplyCase(
        "an error without words",
        500,
        body="",
        error=TeacherUnavailable,
        kind="try_again",
        words="500",
    ),
)
"""Replies whose text, where they have one, is `ADD`."""

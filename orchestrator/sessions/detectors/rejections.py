"""Find what people wrote when they rejected a tool call: the best source of rules there is.

144 of 199 real rejections carry such words, and they hardly ever begin with "no". One of them is
already a candidate; whether it is general is for the teacher to judge. `detail` holds `tool` and
`intent`, since a question, a statement, or "I'll take it from here" teaches nothing unless it
recurs.
"""

from collections.abc import Iterator

from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.detectors.user_text import (
    find_intent,
    normalize_text,
    strip_harness_text,
)
from orchestrator.sessions.models import Denial, Session, SessionClass, ToolCall

_ANSWERED_WHEN_REJECTED = frozenset({"AskUserQuestion"})
"""A person who rejects these answers in free words, and corrects nothing."""


def find_rejections(session: Session) -> Iterator[Occurrence]:
    """Yield one occurrence for each text with which a person rejected tool calls.

    Calls of one message that were rejected with the same words were rejected once. Only a person
    rejects: where a program gives the prompts, it also writes what is said of its calls.
    """
    if session.kind is not SessionClass.HUMAN:
        return
    for thread in session.threads:
        seen: set[tuple[str, str]] = set()
        for call in thread.entries:
            if not isinstance(call, ToolCall) or call.denial is not Denial.REJECTED:
                continue
            words = strip_harness_text(call.user_message)
            key = normalize_text(words)
            if not key or (call.message, key) in seen:
                continue
            seen.add((call.message, key))
            answered = call.name in _ANSWERED_WHEN_REJECTED
            intent = "answer" if answered else find_intent(words).value
            yield Occurrence(
                Detector.REJECTION,
                key,
                row=call.result_row or call.row,
                at=call.result_at or call.at,
                quote=words,
                agent=thread.agent,
                detail={"tool": call.name, "intent": intent},
            )

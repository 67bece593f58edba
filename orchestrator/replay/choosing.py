"""Choose the answer to a request, or explain why none fits."""

import threading
from fnmatch import fnmatchcase
from typing import Final

from orchestrator.replay.request import RecordedRequest, collapse_whitespace
from orchestrator.replay.scenario import Answer, Scenario, Speaker, When

_CLOSEST: Final = 3


class Chooser:
    """Picks the first answer that fits a request and is not used up. Thread-safe."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._lock = threading.Lock()
        self._left = [answer.times for answer in scenario.answers]

    def choose_answer(self, request: RecordedRequest) -> Answer | None:
        """Return the answer for a request and count it as used; None when none fits."""
        with self._lock:
            for index, answer in enumerate(self._scenario.answers):
                if self._left[index] != 0 and not find_mismatches(answer.when, request):
                    if (left := self._left[index]) is not None:
                        self._left[index] = left - 1
                    return answer
        return None

    def explain_mismatch(self, request: RecordedRequest) -> str:
        """Return why no answer fits: the request in short, and the closest answers."""
        candidates = []
        with self._lock:
            for index, answer in enumerate(self._scenario.answers):
                reasons = find_mismatches(answer.when, request)
                if self._left[index] == 0:
                    reasons.append(f"used up (times: {answer.times})")
                other = answer.when.speaker not in (None, request.speaker)
                # An answer for another speaker is rarely the one that was meant.
                candidates.append(((other, len(reasons), index), answer, reasons))
        closest = "; ".join(
            f"{self._scenario.label_answer(answer)}: {', '.join(reasons)}"
            for _, answer, reasons in sorted(candidates, key=lambda item: item[0])[:_CLOSEST]
        )
        return (
            f"{self._scenario.source}: no answer fits this request: {request.summary}. "
            f"Closest: {closest or 'the scenario has no answers'}"
        )


def find_mismatches(when: When, request: RecordedRequest) -> list[str]:
    """Return the reasons why a request does not meet a condition; empty when it does."""
    reasons = []
    if when.speaker is None and request.speaker is Speaker.SIDE:
        reasons.append("side requests need `speaker: side`")
    if when.speaker is not None and request.speaker is not when.speaker:
        reasons.append(f"speaker is {request.speaker}, not {when.speaker}")
    if when.step is not None and request.step != when.step:
        reasons.append(f"step is {request.step}, not {when.step}")
    if when.model and not fnmatchcase(request.model, when.model):
        reasons.append(f"model is {request.model}, not {when.model}")
    text, last = request.flat_text, request.flat_last_text
    reasons += [
        f"{_shorten_text(part)} is missing"
        for part in when.contains
        if collapse_whitespace(part) not in text
    ]
    reasons += [
        f"{_shorten_text(part)} is there"
        for part in when.lacks
        if collapse_whitespace(part) in text
    ]
    reasons += [
        f"{_shorten_text(part)} is not in the last message"
        for part in when.last_contains
        if collapse_whitespace(part) not in last
    ]
    return reasons


def _shorten_text(text: str) -> str:
    short = collapse_whitespace(text)
    return f'"{short}"' if len(short) <= 60 else f'"{short[:57]}..."'

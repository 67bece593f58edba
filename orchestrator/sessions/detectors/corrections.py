"""Find texts with which a person corrected the model, in English, German, Spanish and French.

Only short prompts, and what was typed while the model worked, right after something that the model
did, that are no questions and begin as corrections do (`correction_openers`). Of what looser
patterns found in real sessions, a third was none, and most of the rest of it had been written by
Claude Code. `detail.tool` is the last tool that was used before, `detail.intent` what is wanted.
"""

from collections.abc import Iterator
from typing import Final

from orchestrator.sessions.detectors.correction_openers import says_correction
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.detectors.user_text import ends_as_question, find_intent, normalize_text
from orchestrator.sessions.models import (
    Interjection,
    ModelCall,
    Prompt,
    Session,
    SessionClass,
    ToolCall,
)

LONGEST_CORRECTION: Final = 300
"""Characters. Longer prompts are tasks, whatever they begin with."""
_INJECTED: Final = ("<", "[Request interrupted", "Caveat:", "Stop hook", "This session is being")
"""A prompt that begins so is not typed, or quotes what is not."""


def find_corrections(session: Session) -> Iterator[Occurrence]:
    """Yield one occurrence for each text that corrects what the model did just before.

    Only a person corrects: the prompts of other sessions are written by programs.
    """
    if session.kind is not SessionClass.HUMAN:
        return
    has_acted = False
    tool = ""
    for entry in session.main.entries:
        if isinstance(entry, ModelCall):
            has_acted = True
        elif isinstance(entry, ToolCall):
            has_acted, tool = True, entry.name
        elif isinstance(entry, Prompt | Interjection):
            if has_acted and is_correction(entry.text):
                yield Occurrence(
                    Detector.CORRECTION,
                    normalize_text(entry.text),
                    row=entry.row,
                    at=entry.at,
                    quote=entry.text.strip(),
                    detail={"tool": tool, "intent": find_intent(entry.text).value},
                )
            has_acted, tool = False, ""


def is_correction(text: str) -> bool:
    """Return whether a prompt reads as a correction of what came before."""
    text = text.strip()
    return (
        0 < len(text) <= LONGEST_CORRECTION
        and not text.startswith(_INJECTED)
        and not ends_as_question(text)
        and says_correction(text)
        and normalize_text(text) != ""
    )

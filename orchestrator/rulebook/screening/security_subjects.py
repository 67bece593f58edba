"""Find in a rule code that protects something, and decide whether the rule treats it safely.

A rule about passwords, queries or permissions may be an honest rule about code. It may become
active by itself only if it has one of a few forms that cannot weaken anything: it names a safe
function, it refuses access, it begins with a protecting verb, or it advises against a known
mistake. Everything else about such code waits for a person.
"""

import re
from collections.abc import Sequence
from typing import Final

from orchestrator.rulebook.screening.sentences import Segment, flatten_text
from orchestrator.rulebook.screening.tables import read_pattern
from teacher.models import RuleText

_PROTECTING_VERB: Final = re.compile(
    r"^(?:(?:always|please|and|then|in \w+|first) )*(?:redact|mask|escape|quote|sanitize|sanitise"
    r"|hash|encrypt|parameterize|parameterise|reject|refuse|deny|validate|verify)\b"
)
_REJECTING: Final = re.compile(
    r"\b(?:rejects?|refuses?|den(?:y|ies))\b.*\b(?:without|missing|invalid|expired|unsigned|wrong)\b"
)
"""What is rejected may lack something, or be wrong."""
_REFUSING: Final = re.compile(
    r"\b(?:returns?|raises?|answers?|gives?|responds? with|status(?: is| code)?)\W+"
    r"(?:an? |http |status )*(?:401|403|404|429|(?:http )?(?:response )?forbidden\w*"
    r"|permission ?denied|permission ?error|unauthori[sz]ed\w*|false\b)"
    r"|\b(?:must|should) be false\b"
)
_READ_SETTING: Final = re.compile(
    r"^read (?:\w+ )?(?:secrets?|keys?|tokens?|credentials?|passwords?)(?: \w+){0,3} from (?:the )?"
    r"(?:environment|environ|settings|config|configuration|secret manager|vault|keyring)$"
)
_PASSED_TO_CHILD: Final = re.compile(
    r"\bcopy (?:the )?environment variables into the (?:subprocess|child)\b"
    r"|\bpass (?:the )?(?:full |whole )?environ\w* to the (?:subprocess|child)\b"
)
_RELEASING: Final = re.compile(
    r"^(?:(?:requires?|needs?|should|must|is|has|are) )?(?:requires?|needs?|should|must|blocked"
    r"|locked|banned|expired|revoked|denied|limited|suspicious|malicious|spam|dangerous|invalid"
    r"|tampered|forged)\b"
)
"""The names of functions that release something when they return False: `needs_approval()`."""
_LEXING: Final = re.compile(r"\btokens?\b")
_LEXING_WORDS: Final = re.compile(
    r"\b(?:lex(?:er|es|ing)?|parsers?|parsing|scanner|tokeni[sz]\w*|grammar|syntax|ast|eof|iterator"
    r"|whitespace|expressions?|operators?|literals?|brackets?)\b"
)
_AUTH_WORDS: Final = re.compile(
    r"\b(?:access|auth\w*|sessions?|api|csrf|bearer|secrets?|passwords?|login|jwt|refresh|user)\b"
)
"""A token is either a piece of a text or a proof of identity."""
_MASKED_END: Final = re.compile(
    r"\b(?:to (?:its|the) |but (?:its |the )?)last (?:four|4|two|2) \w+\b"
)
_REVERSING: Final = re.compile(
    r"\b(?:without|unless|except|until|before|forget|neglect|omit|fail to)\b"
)


def find_unsafe_part(segments: Sequence[Segment], when: str, why: str) -> str:
    """Return the words about protecting code that a rule does not treat safely; empty if none.

    Args:
        segments: the rule.
        when: the situation, from `flatten_text`; protecting code may be named only there.
        why: the reason, from `flatten_text`; so may a known mistake.
    """
    whole = " ".join((when, *(segment.flat for segment in segments)))
    for segment in segments:
        flat = _remove_lexing(read_pattern("other_meanings").sub(" ", segment.flat), whole)
        protected = (
            read_pattern("protected").search(flat)
            or read_pattern("dangerous").search(flat)
            or read_pattern("unchecked").search(flat)
        )
        if protected and not _is_safe(segment, flat):
            return protected[0].strip()
        if segment.is_negative and (avoided := read_pattern("safe_parts").search(flat)):
            return avoided[0].strip()
    rest = read_pattern("other_meanings").sub(" ", when)
    named = read_pattern("protected").search(_remove_lexing(rest, whole))
    if named and not any(_is_safe(segment, segment.flat) for segment in segments):
        return named[0].strip()
    mistake = read_pattern("dangerous").search(why)
    is_named = mistake and any(_find_known(segment.flat) for segment in segments)
    return mistake[0].strip() if mistake and not is_named else ""


def find_protected_part(text: RuleText) -> str:
    """Return the words about protecting code in a rule, treated safely or not; empty if none."""
    flat = read_pattern("other_meanings").sub(" ", flatten_text(f"{text.rule} {text.when}"))
    found = read_pattern("protected").search(_remove_lexing(flat, flat))
    return found[0].strip() if found else ""


def _remove_lexing(flat: str, whole: str) -> str:
    """Return a part of a rule without its tokens if they are pieces of a text, as `whole` shows."""
    is_lexing = _LEXING_WORDS.search(whole) and not _AUTH_WORDS.search(whole)
    return _LEXING.sub(" ", flat) if is_lexing else flat


def _find_known(flat: str) -> bool:
    """Return whether a text names a known mistake, or how to avoid one."""
    return bool(read_pattern("dangerous").search(flat) or read_pattern("safe_parts").search(flat))


def _is_safe(segment: Segment, flat: str) -> bool:
    if read_pattern("unchecked").search(flat):
        return False
    if segment.is_negative:
        return _advises_against_mistake(flat)
    if _PASSED_TO_CHILD.search(flat) or _READ_SETTING.search(flat) or _REFUSING.search(flat):
        rest = _REFUSING.sub(" ", flat)
        return not read_pattern("weakening").search(rest) and not _RELEASING.search(flat)
    if read_pattern("dangerous").search(flat):
        return False
    if _REJECTING.search(flat):
        return True
    if flat.startswith(("mask", "redact")):
        flat = _MASKED_END.sub(" ", flat)
    protects = read_pattern("safe_parts").search(flat) or _PROTECTING_VERB.search(flat)
    return bool(protects) and not read_pattern("weakening").search(flat)


def _advises_against_mistake(flat: str) -> bool:
    if _REVERSING.search(flat.removeprefix("without ")) or read_pattern("safe_parts").search(flat):
        return False
    if read_pattern("dangerous").search(flat):
        return True
    return bool(read_pattern("leaks").search(flat) and read_pattern("leakable").search(flat))

"""Recognise notices in which an agent's program says why it does not work.

The program writes them where the model's text goes too, so a mention is not enough: in a text of
unknown origin a notice has to be the whole text. A notice is parsed as clauses. The first one
states the limit or the missing login, each further one names the reset or gives advice:

    You've hit your weekly limit · resets Mon 12:00am · /upgrade for more
    head                           reset                advice
"""

import itertools
import json
import re
from enum import Enum, auto
from typing import Any, Final

from orchestrator.agents.wording import strip_control_characters

_LAST_LINES: Final = 15
"""Lines at the end of a failed program's output that are searched."""

_LONGEST: Final = 2_000
"""Characters of a line that are searched."""
_MOST_BRACES: Final = 50
"""Braces at which JSON is looked for: the time for all of them grows with the square."""


class NoticeKind(Enum):
    """The subject of a notice."""

    LIMIT = auto()
    LOGIN = auto()
    API = auto()


# ---- patterns of a notice --------------------------------------------------------------

_SIGNS: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4\u0060\uff07", "'"),
        **dict.fromkeys("\u2219\u2022\u22c5\u2027\u30fb\u00b7\u25cf\u2014\u2013|", "\u00b7"),
        "*": None,
    }
)
"""Apostrophes as `'`; bullets, bars and dashes as `·`; nothing in bold."""

_PREFIX: Final = re.compile(
    r"(?:[^\w/$']|\d{4}-\d\d-\d\d[T ][\d:.,]+Z?\b"
    r"|(?:(?:api|stream|fatal) )?\w*(?:error|warning)\b:?"
    r"|\w+_\w+:|\d{3}\b(?!%| ?h|-)|(?:claude(?: code)?|codex|gemini|failed):)+",
    re.I,
)
"""Symbols, times and words before the first clause of a notice: `[API Error: `, `ERROR: `, `■ `."""

_SEPARATOR: Final = re.compile(
    r"\s*\u00b7\s*|[.!?;:]+\s+|\s+-\s+|,\s+(?=please\b|or\b|upgrade\b|contact\b|visit\b)"
)

_TIME_WORD: Final = (
    r"(?:\(?[a-z_]+/[a-z_/+-]+\)?|\(?(?:utc|gmt)(?:[+-]\d[\d:]*)?\)?|\([a-z]{2,5}\)|[pecm][sd]?t"
    r"|\d[\d:.,TZ+-]*(?:st|nd|rd|th|[ap]\.?m|[dhms][dhms\d]*)?|[ap]\.?m"
    r"|at|on|in|after|about|and|next|an?|today|tomorrow|midnight|noon|months?|weeks?"
    r"|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    r"|days?|hours?|hrs?|min(?:ute)?s?|sec(?:ond)?s?|[dhms])(?![a-z])[,.)]*"
)
_RESET_CLAUSE: Final = re.compile(
    r"[\s,(]*\b(?:and |or |but )?(?:please )?"
    r"(?:(?:^|(?<=[\u00b7.;:,-] ))"
    r"(?:(?:your|the|it|its|access|you|will|be|quota|usage|plan|session"
    r"|[\w'-]+ limits?|limits?) ){0,5})?"
    rf"(?:(?:which |that )?(?:resets?|try(?:ing)? again|available again|regain access)\b"
    rf"(?:[\s,:]+{_TIME_WORD}){{0,14}}|until(?:[\s,:]+{_TIME_WORD}){{1,14}})\)?",
    re.I,
)

_ADVICE: Final = re.compile(
    r"(?:/[\w-]+|https?:|(?:and|or|please|contact|ask|add|upgrade|visit|turn on|enable|buy|purchase"
    r"|switch|run|use|see|learn|manage|request|wait|continue|keep|check|to|try|for more|go to"
    r"|choose|your admin|you can|set|increase|raise|sign in|log in|fix|get|obtain)\b).{0,240}",
    re.I,
)

_NOT_USAGE: Final = (
    r"(?!.*\b(?:rate|tokens?|context|size|turns?|recursion|output|memory|time|budget|length|depth"
    r"|retry|per[- ]minute)\b)"
)
"""Excludes limits that are not those of a plan."""

_LIMIT_NAMES: Final = (
    r"(?:(?:claude|ai|code|pro|max|team|enterprise|anthropic|chatgpt|codex|gemini|opus|sonnet|haiku"
    r"|fable|mythos|gpt[\w.-]*|(?:\d+|five|seven)[- ]?(?:h|hours?|hr|days?)|hourly|session|daily"
    r"|weekly|monthly|current|usage|plan|spend|spending|extra|fast|subscription|api|account"
    r"|organization|org|your|this|the|models?|only|all|premium|messages?|requests?|credits?|quota"
    r"|specified|free|tier|user|\d+(?:\.\d+)?)(?:'s)? )"
)
_AMOUNT: Final = r"(?:limits?|quota|usage|allowance|allocation|cap|credits?)"
_FOR: Final = r"(?: (?:for|on) [\w' .-]{1,40})?"
_REACHED_PHRASE: Final = (
    r"(?:(?:is|are|was|has been|have been|have|has) )?(?:reached|exceeded|hit|met|exhausted|used up"
    r"|depleted|spent|r[au]n out)"
)

_LIMIT_HEADS: Final = (
    rf"you(?:'ve| have|'re| are)? (?:now |already )?"
    rf"(?:hit|reached|exceeded|exhausted|at|used(?: up)?(?: all| 100 ?%)?|run out)(?: of)?"
    rf" (?:(?:your|the) )(?:[\w.'/-]+ ){{0,6}}?{_AMOUNT}{_FOR}",
    r"(?:you(?:'re| are| have|'ve)? )?(?:now |currently )?(?:run )?(?:out of|no)(?: more)?"
    r" (?:(?:extra|included) )?(?:usage|credits|quota)(?: credits)?"
    r"(?: left| remaining| available)?",
    rf"(?:your|this|the) (?:[\w'-]+ ){{1,3}}"
    r"(?:(?:is out of|ran out of|has run out of) (?:extra )?usage"
    r"|has (?:hit|reached|exceeded|used up|exhausted) (?:its|the|your) "
    rf"(?:[\w-]+ ){{0,4}}?{_AMOUNT})",
    rf"(?:\w+ )?{_LIMIT_NAMES}{{1,6}}?limits? {_REACHED_PHRASE}{_FOR}",
    rf"(?:{_LIMIT_NAMES}{{0,4}})(?:usage|quota|allowance|usage credits)(?: balance)? "
    rf"{_REACHED_PHRASE}{_FOR}",
    r"your seat type doesn't include (?:extra )?usage(?: credits)?",
    r"your usage allocation has been disabled by your admin",
    r"your group's usage limit is set to \$0",
    r"(?:fable|haiku|mythos|opus|sonnet)[\w. ]{0,30} requires usage credits",
)
_LIMIT_HEAD: Final = re.compile(_NOT_USAGE + "(?:" + "|".join(_LIMIT_HEADS) + ")", re.I)
_LIMIT_WITH_RESET: Final = re.compile(
    rf"(?:[\w.'/-]+ ){{0,2}}?limits? {_REACHED_PHRASE}{_FOR}"
    r"|(?:you've )?hit your (?:[\w.'-]+ ){0,4}limit"
    r"|usage limit",
    re.I,
)
"""First clauses of a limit with another name; they count only with a reset."""

_LOGIN_HEAD: Final = re.compile(
    r"(?:you(?:'re| are) )?not (?:logged|signed) in|login (?:expired|required)"
    r"|login reached its time limit|(?:please )?(?:run|use) '?(?:[\w-]+ ){0,2}/?(?:auth )?login'?"
    r"|please (?:log|sign) in(?: again)?|(?:invalid|incorrect|missing|no|expired)"
    r" (?:api key|auth token|x-api-key|bearer token|credentials)(?: provided| found)?"
    r"|api key (?:not found|not valid|is missing|is invalid|expired|has expired)"
    r"|(?:your )?oauth (?:token|session) (?:has )?(?:been )?(?:expired|revoked)"
    r"(?: and [\w ]{1,40})?"
    r"|failed to authenticate(?:(?: with)? [\w ]{1,30})?"
    r"|authentication (?:required|failed|error)|authentication_error"
    r"|(?:unexpected status )?401 unauthorized|unauthorized|(?:your )?session (?:has )?expired"
    r"|(?:your account|(?:your|this) organization) does not have access to [\w ]{1,30}"
    r"|your organization has disabled [\w ]{1,60}|oauth authentication is [\w ]{1,40}"
    r"|(?:auth token|credentials) (?:has |have )?(?:been )?(?:expired|revoked)"
    r"|please set an auth method\b.{0,160}",
    re.I,
)
_LOGIN_CLAUSE: Final = re.compile(r"this login\b.{0,240}|[A-Z]+_[A-Z_]+", re.I)

_API: Final = re.compile(
    r"\W*(?:API Error(?:: ?|\s\()(?:\d{3}\b|(?:[\w'-]+ ){0,6}?"
    r"(?:time|timed|connect\w*|overloaded|terminated|fetch|rejected|aborted|socket|stream"
    r"|ECONN\w+|internal|server|rate)\b)"
    r"|Unable to connect to API\b|Repeated \d{3} \w+ errors"
    r"|There's an issue with the selected model \(|(?:Prompt is|Conversation) too long\b(?! )"
    r"|Credit balance is too low\W*$|Request timed out\W*$|Connection error\W*$)",
    re.I,
)

# ---- patterns of an error: looser, because the program wrote its text ----------------------

_ERROR_LIMIT: Final = re.compile(
    r"\byou(?:'ve| have)? (?:hit|reached|exhausted|exceeded|used up) (?:your|the) "
    r"(?!(?:[\w-]+ ){0,4}(?:rate|tokens?|context|size|turns?|output|budget|per-minute)\b)"
    r"|\bout of (?:extra )?usage\b|\busage credits\b"
    r"|(?<!not your )\busage[ _]limits?\b(?! (?:policy|policies))"
    r"|\b(?:(?:[57]|five|seven)[- ]?(?:h|hour|day)|session|weekly|monthly|opus|sonnet|haiku)"
    rf" limits? {_REACHED_PHRASE}\b"
    r"|\bextra usage\b(?! is required)|\busage quota\b|\bdaily quota\b",
    re.I,
)
_ERROR_LOGIN: Final = re.compile(
    r"\bnot (?:logged|signed) in\b|/login\b|\b(?:run|use) [`']?[\w -]{0,20}\blogin\b"
    r"|OAuth (?:token|session)|failed to authenticate|authentication_(?:error|failed)"
    r"|\bauthentication required\b|\bAPI Error(?:: ?| \()401\b|\boauth authentication is\b"
    r"|\borganization has disabled (?:api key|claude subscription)|\bauth token (?:expired|revoked)"
    r"|\binvalid (?:api key|auth token|x-api-key|bearer token)"
    r"|\bapi key (?:not valid|not found|is invalid|is missing)|\bincorrect api key"
    r"|\b401 unauthorized",
    re.I,
)


def classify_error(text: str) -> NoticeKind | None:
    """Classify the text of an error, which is known to come from the program."""
    message = _normalize_text(unwrap_error_json(text))
    if _ERROR_LIMIT.search(message) or _classify_clauses(message) is NoticeKind.LIMIT:
        return NoticeKind.LIMIT
    if _ERROR_LOGIN.search(message):
        return NoticeKind.LOGIN
    return None


def classify_first_line(text: str) -> NoticeKind | None:
    """Return the kind of notice in the first line of a text; None if it is none."""
    lines = _split_lines(text)
    return _classify_line(lines[0]) if lines else None


def classify_whole_text(text: str) -> NoticeKind | None:
    """Return the kind of notice that a text consists of; None for any other text."""
    first, *rest = _split_lines(text) or [""]
    return _classify_line(first) if all(map(_can_follow_notice, rest)) else None


def find_last_notice(text: str) -> tuple[NoticeKind, str] | None:
    """Find the last line of a failed program's output that is a notice.

    Returns:
        Its kind, and its text up to the end of the output: a line break of the terminal may have
        separated the time of a reset.
    """
    lines = _split_lines(text)[-_LAST_LINES:]
    for index in reversed(range(len(lines))):
        if kind := _classify_line(lines[index]):
            return kind, " ".join(lines[index:])
    return None


def find_closing_notice(text: str) -> tuple[NoticeKind, str] | None:
    """Find the notice at the end of a program's output, followed by nothing but advice."""
    lines = _split_lines(text)
    for start in reversed(range(max(0, len(lines) - 3), len(lines))):
        if kind := classify_whole_text("\n".join(lines[start:])):
            return kind, " ".join(lines[start:])
    return None


def unwrap_error_json(text: str) -> str:
    """Return a text with the JSON of an error replaced by the message in it."""
    start = text.find("{")
    for _ in range(_MOST_BRACES):
        if start < 0:
            break
        try:
            value, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        if message := _extract_message(value):
            return f"{text[:start]}{message}{text[end:]}"
        break
    return text


def _extract_message(value: Any) -> str:  # noqa: ANN401 -- whatever the JSON holds
    """Return `overloaded_error: Overloaded`, or an agent's result; "" when there is neither."""
    if not isinstance(value, dict):
        return ""
    inner = value.get("error")
    if isinstance(inner, dict):
        return _extract_message({"type": inner.get("status"), **inner})
    texts = (value.get(key) for key in ("message", "error", "result"))
    message = next((text for text in texts if isinstance(text, str)), "")
    if message.lstrip().startswith("{"):
        message = unwrap_error_json(message)
    kind = value.get("type")
    named = isinstance(kind, str) and kind.isidentifier() and kind not in ("error", "result")
    return f"{kind}: {message}" if message and named else message


def _split_lines(text: str) -> list[str]:
    lines = (line.strip() for line in strip_control_characters(text).splitlines())
    return [line for line in lines if line]


def _normalize_text(text: str) -> str:
    """Return a text with uniform apostrophes, bullets and spaces."""
    return " ".join(text[:_LONGEST].translate(_SIGNS).split())


def _classify_line(line: str) -> NoticeKind | None:
    message = _normalize_text(unwrap_error_json(line[:_LONGEST]))
    if kind := _classify_clauses(message):
        return kind
    if _API.match(message):
        return NoticeKind.LOGIN if _ERROR_LOGIN.search(message) else NoticeKind.API
    return None


def _can_follow_notice(line: str) -> bool:
    """Return whether a line may follow a notice: advice, the reset, another notice."""
    text = _normalize_text(line)
    only_reset = not _RESET_CLAUSE.sub("", text).strip(" .\u00b7")
    return only_reset or bool(_ADVICE.fullmatch(text) or _classify_line(line))


def _classify_clauses(line: str) -> NoticeKind | None:
    bare = line[found.end() :] if (found := _PREFIX.match(line)) else line
    rest, resets = _RESET_CLAUSE.subn(" \u00b7 ", bare.rstrip(" ]})\"'"))
    head, *others = [
        each for part in _SEPARATOR.split(rest) if (each := part.strip(" .,!?:;]"))
    ] or [""]
    head = re.sub(r" \(\w+\)$", "", head)
    if _LIMIT_HEAD.fullmatch(head) or (resets and _LIMIT_WITH_RESET.fullmatch(head)):
        return NoticeKind.LIMIT if all(map(_can_continue_limit, others)) else None
    if _LOGIN_HEAD.fullmatch(head):
        # What follows `API Error` is text of the server.
        own = itertools.takewhile(lambda clause: not clause.lower().startswith("api error"), others)
        return NoticeKind.LOGIN if all(map(_can_continue_login, own)) else None
    return None


def _can_continue_limit(clause: str) -> bool:
    bare = re.sub(r" \(\w+\)$", "", clause)
    return bool(
        _ADVICE.fullmatch(clause) or _LIMIT_HEAD.fullmatch(bare) or re.fullmatch(r"[\d ]+", clause)
    )


def _can_continue_login(clause: str) -> bool:
    patterns = (_ADVICE, _LOGIN_HEAD, _LOGIN_CLAUSE)
    return any(pattern.fullmatch(clause) for pattern in patterns)

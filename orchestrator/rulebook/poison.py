"""Find lessons that are attacks: instructions to fetch, run, leak or disable something.

A rule is read by an agent in every later session, so what a failing test's output talked a teacher
into would stay active. A rule says how code is written here; it needs no address, no blob, no
markup, and no word on what the agent may do. What is found is held back for a person to see, not
repaired: nobody knows what else is wrong with it.
"""

import ipaddress
import re
import unicodedata
from typing import Final

from orchestrator.platform.bom import BOM
from teacher.models import Lesson

_INVISIBLE_CHARS: Final = frozenset("\u200b\u2060\u00ad\u180e" + BOM)
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_NOT: Final = r"(?:never|not|n't|avoid|instead of|rather than|without|no longer)\b"

_MARKS: Final = (
    (r"[a-z][a-z0-9+.-]{1,15}://\S|\bwww\.\w|\b(?:javascript|data|file|mailto):\S", "an address"),
    (r"[\w.+-]+@[\w-]+\.[a-z]{2,}\b", "an address"),
    (r"\b(?:[\w-]+\.)+(?:com|net|org|io|dev|sh|xyz|ru|cn|example)/[\w.%~-]+", "an address"),
    (
        r"<!--|--!?>|</?(?:script|img|a|iframe|svg|style|div|object|embed|link|meta|form|input"
        r"|html|body|details|p|br|span|system|instructions?)\b[^>]*>",
        "HTML or a comment mark",
    ),
    (r"(?:\\x[0-9a-f]{2}){4,}|(?:\\u[0-9a-f]{4}){4,}|(?:%[0-9a-f]{2}){6,}", "an encoded text"),
    (r"(?:^|[\s`])@(?:~|/|\.{1,2}/)\S+", "an import of a file"),
    (r"^\s*(?:#{1,6}\s|```|~~~)", "markup that would break the list of rules"),
)
"""Found anywhere, these are enough."""

_ORDERS: Final = (
    (
        r"\|\s*(?:ba|z|da)?sh\b|\bpiped? (?:in)?to (?:ba|z|da)?sh\b"
        r"|\b(?:curl|wget)\b[^.;]*(?:\||&&|;|-o\b)|\bcurl\s*\|",
        "to fetch and run something",
    ),
    (
        r"\b(?:fetch|download|get|load)\b.{0,40}\b(?:and|then)\s+(?:run|execute|follow|source|eval)",
        "to fetch and run something",
    ),
    (
        r"\b(?:fetch|download|get|load|read)\b.{0,30}\b(?:instructions|rules|prompts?)\b",
        "to take instructions from elsewhere",
    ),
    (
        r"\b(?:decode|eval|evaluate)\b.{0,80}(?:\brun\b|\bbase64 -d|`?eval|\bat the start)"
        r"|\bexec\s*\([^)]*open|\beval\s+[\"'`]?\$\(|\bbase64\s+(?:-d|--decode)",
        "to run something encoded",
    ),
    (
        r"\b(?:send|upload|post|copy|print|include|leak|share|e-?mail|commit|echo|reveal)\b"
        r".{0,40}(?:\.env\b|\bid_rsa|\.ssh\b|\.aws\b|\bcredentials?\b|\benvironment variables"
        r"|\b\w*(?:API_?KEY|_TOKEN|_SECRET|PASSWORD)\b|\b(?:api )?keys? and secrets?"
        r"|\bprivate keys?)",
        "to give secrets away",
    ),
    (
        r"\b(?:ignore|disregard|forget|override)s?\b.{0,40}\b(?:previous|prior|above|earlier|all|"
        r"everything|every|safety|system)\b.{0,30}(?:instructions?|rules?|prompts?|told|checks?|$)",
        "to set other instructions aside",
    ),
    (
        r"\byou are (?:now|no longer)\b|\bsystem prompt\b|\bno restrictions\b|\bjailbreak",
        "to be somebody else",
    ),
    (
        r"\b(?:(?:do not|don't|never) (?:tell|show|inform|mention)|hide|conceal)\b.{0,40}"
        r"\b(?:users?|reviewers?|developers?|humans?|owner)\b",
        "to hide something from the user",
    ),
    (
        r"\b(?:disable|skip|delete|remove|deselect|turn off|comment out|switch off|bypass|weaken)\b"
        r".{0,30}(?:\btests?\b|tests?/|\btest_|\bassert(?:ion)?s?\b|\blinters?\b|\btype check"
        r"|\bchecks?\b|\bhooks?\b|\bsandbox|\bbranch protection|\bTLS\b|\bverification|\bpermission"
        r"|\bguards?\b|\bother rules|\brules are)",
        "to switch checks off",
    ),
    (
        r"\bmark (?:the |all )?(?:failing|broken|red)\b.{0,30}\b(?:xfail|expected (?:to )?fail)",
        "to switch checks off",
    ),
    (
        r"--dangerously[\w-]*|\bbypassPermissions\b|\bBash\(\*|--no-verify|--force\b.{0,20}\bmain"
        r"|\bverify=False|\ballow all commands|\bapprove (?:every|all|any)|\bwithout asking"
        r"|\b(?:permission|approv\w+|grant\w*)\b.{0,40}"
        r"\bwithout (?:a |any )?(?:prompt|confirmation)"
        r"|\bno review\b|\.claude/settings|\.bashrc|\.zshrc|\.profile\b",
        "to loosen what the agent may do",
    ),
    (
        r"\b(?:rewrite|edit|overwrite|replace|change)\b.{0,20}\b(?:CLAUDE|AGENTS)\.md",
        "to rewrite the rules",
    ),
    (
        r"\bsudo\b|\bchmod -R 777|\brm -rf\s+(?:~|/|\$HOME)|\bnc\b.{0,10}-e\b|\breverse shell"
        r"|\bcron ?(?:job|tab)|/dev/tcp/|\bmkfs\b|\bdd if=",
        "to run something dangerous",
    ),
    (
        r"\b(?:pip|npm|gem|cargo|brew|apt(?:-get)?)\s+(?:install|add)\s+[\w@][\w@.-]*.{0,30}"
        r"\b(?:before|at the start|each|every)",
        "to install something",
    ),
)
"""Orders. One that is forbidden in the same breath (`never skip tests`) is an honest rule."""

_NUMBERS: Final = re.compile(
    r"(?<![\w.])(?<!version )(?<!==)((?:\d{1,3}\.){3}\d{1,3})(?!\.?\w)", re.IGNORECASE
)
_BLOB: Final = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{32,}={0,2}(?![\w+/=-])")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F-]{36}")


def find_poison(lesson: Lesson) -> str:
    """Return why a lesson must not be written; empty if nothing is wrong with it."""
    if lesson.text is None:
        return ""
    texts = (lesson.text.rule, lesson.text.when, lesson.text.why)
    for text in (*texts, *lesson.paths):
        if found := _find_bad_characters(text) or _find_marks(text):
            return f"it carries {found}"
    for text in texts:
        if found := _find_orders(unicodedata.normalize("NFKC", text)):
            return f"it reads like an order {found}"
    return ""


def _find_bad_characters(text: str) -> str:
    if any(char in _BIDI for char in text):
        return "characters that turn the direction of text"
    if any(char in _INVISIBLE_CHARS or "\U000e0000" <= char <= "\U000e007f" for char in text):
        return "invisible characters"
    if any(map(_has_mixed_scripts, re.findall(r"\w+", text))):
        return "letters that look like others"
    if any(
        unicodedata.category(char) in ("Cc", "Cs", "Co") and char not in "\t\n" for char in text
    ):
        return "control characters"
    return ""


def _has_mixed_scripts(word: str) -> bool:
    """Return whether a word has Latin letters beside Cyrillic ones: a unit has Greek ones."""
    names = {unicodedata.name(char, "").partition(" ")[0] for char in word if char.isalpha()}
    return {"LATIN", "CYRILLIC"} <= names


def _find_marks(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    for pattern, what in _MARKS:
        if re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            return what
    if any(map(_is_global_address, _NUMBERS.findall(text))):
        return "an address"
    blobs = [blob[0] for blob in _BLOB.finditer(text) if not _HEX.fullmatch(blob[0])]
    return "an encoded text" if any(map(_is_likely_encoded, blobs)) else ""


def _is_global_address(text: str) -> bool:
    """Return whether four numbers are the address of a machine elsewhere."""
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


def _is_likely_encoded(blob: str) -> bool:
    """Return whether a text mixes capitals, small letters and digits as no identifier does."""
    kinds = (r"[A-Z]", r"[a-z]", r"[0-9]")
    mixed = sum(bool(re.search(kind, blob)) for kind in kinds)
    changes = len(re.findall(r"[a-z][A-Z]|[A-Z]{2}[a-z]|[A-Za-z][0-9]|[0-9][A-Za-z]", blob))
    return mixed == 3 and changes >= len(blob) // 8 and "_" not in blob.strip("_")


def _find_orders(text: str) -> str:
    for pattern, what in _ORDERS:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            clause = re.split(r"[.;:!?]\s|,\s", text[: match.start()])[-1]
            if not re.search(_NOT, clause + " ", re.IGNORECASE):
                return what
    return ""

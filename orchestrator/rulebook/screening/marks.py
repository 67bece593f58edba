"""Find what a rule about code has no use for: addresses, markup, encoded text, imports.

What is found is held back for a person to see, not repaired: nobody knows what else is wrong with
the rule.
"""

import ipaddress
import re
import unicodedata
from typing import Final

_TOP_LEVELS: Final = (
    "com|net|org|io|dev|app|sh|co|xyz|ru|cn|de|fr|nl|uk|eu|us|me|info|biz|cloud|tech|site|online"
    "|example|test|local|internal|onion|zip|link|page|ai|gg|to|cc|tk|top|run|live|host|space|pw"
)
_HOST_ENDINGS: Final = "com|net|org|io|co|xyz|ru|cn|biz|onion|example|dev|cloud|cc|tk|pw"
"""Of a bare host name: other endings are attributes too, as in `asyncio.run`."""
_MARKS: Final = (
    (r"[a-z][a-z0-9+.-]{1,15}://\S|(?<![\w/])//[\w-]+\.\w|\bwww\.\w", "an address"),
    (r"\b(?:javascript|data|file|mailto):\S", "an address"),
    (r"[\w.+-]+@[\w-]+\.[a-z]{2,}\b", "an address"),
    (rf"(?<![\w.])(?:[a-z0-9-]+\.)+(?:{_TOP_LEVELS})(?::\d+)?/[\w.%~-]", "an address"),
    (rf"(?<![\w./`])(?:[a-z0-9-]+\.)+(?:{_HOST_ENDINGS})(?![\w(./-])", "an address"),
    (rf"(?<=`)(?:[a-z0-9-]+\.){{2,}}(?:{_HOST_ENDINGS})(?=`)", "an address"),
    (r"(?<![\w.])(?:[a-z0-9-]+\.)+[a-z]{2,}:\d{2,5}\b", "an address"),
    (r"\b[\w-]+\s+(?:dot|\(dot\)|\[dot\]|punkt)\s+[\w-]+", "an address"),
    (r"\]\(", "a link"),
    (
        r"<!--|--!?>|</?(?:system|instructions?|important)\b[^>]*>",
        "HTML or a comment mark",
    ),
)
_MARKS_OUTSIDE_CODE: Final = (
    (
        r"</?(?:script|img|a|iframe|svg|style|div|object|embed|link|meta|form|input"
        r"|html|body|details|summary|p|br|b|i|span|user|assistant)"
        r"\b[^>]*>",
        "HTML or a comment mark",
    ),
    (r"(?:\\x[0-9a-f]{2}){4,}|(?:\\u[0-9a-f]{4}){4,}|(?:%[0-9a-f]{2}){6,}", "an encoded text"),
    (r"\b(?:rot-?13|base-?64|base-?32|b64decode|unhexlify|fromhex)\b.*\b(?:run|exec|eval|"
     r"interpret\w*|execute|comes? out|import)\b|\b(?:exec|eval)\b.*\b(?:rot-?13|base-?64|"
     r"b64decode)\b", "an encoded text"),
    (r"(?:^|[\s`:(])@(?:~|\.{0,2}/|[\w-]*\.[\w.-]*/|\.[\w-]+|[\w-]+/)\S*", "an import of a file"),
    (r"^\s*(?:#{1,6}\s|```|~~~|---\s*$)", "markup that would break the list of rules"),
)  # fmt: skip

_NUMBERS: Final = re.compile(
    r"(?<![\w.])(?<!version )(?<!==)((?:\d{1,3}\.){3}\d{1,3})(?!\.?\w)", re.IGNORECASE
)
_BLOB: Final = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{32,}={0,2}(?![\w+/=-])")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F-]{36}")
_CODE_SPAN: Final = re.compile(r"`[^`]*`")
_GLOB: Final = re.compile(r"(?:[\w.@+\[\]{},*?!-]+/)*[\w.@+\[\]{},*?!-]*")


def find_marks(text: str) -> str:
    """Return what a text contains that no rule about code needs; empty if nothing."""
    text = unicodedata.normalize("NFKC", text)
    outside = _CODE_SPAN.sub(" ", text)
    for table, searched in ((_MARKS, text), (_MARKS_OUTSIDE_CODE, outside)):
        for pattern, what in table:
            if re.search(pattern, searched, re.IGNORECASE | re.MULTILINE):
                return what
    if any(map(_is_global_address, _NUMBERS.findall(text))):
        return "an address"
    blobs = [blob[0] for blob in _BLOB.finditer(text) if not _HEX.fullmatch(blob[0])]
    return "an encoded text" if any(map(_is_likely_encoded, blobs)) else ""


def is_plain_glob(path: str) -> bool:
    """Return whether a scope is a glob of files, and not a text."""
    return bool(_GLOB.fullmatch(path.strip()))


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

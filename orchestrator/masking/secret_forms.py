"""The forms in which programs write a secret, and which secrets are replaced without their name.

A value whose name says that it is secret is always replaced beside that name. Everywhere else it is
replaced only if it is distinctive: `postgres`, `1234` or `true` occur in any output by chance, and
there they are evidence.
"""

from __future__ import annotations

import os
from binascii import a2b_base64, b2a_base64, hexlify

from orchestrator.masking.lazy_pattern import Pattern
from orchestrator.masking.value_checks import is_path

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST = 8
"""Minimum length of a value that is replaced without its name, and of each of its forms."""
_WORD_LENGTH = 16
"""Up to this length, letters of one case are taken for a word."""
_COMMON = Pattern(
    r"disabled|enabled|required|optional|undefined|localhost(?:[:/].*)?"
    r"|[\d.:]*[.:][\d.:]*|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])|(.)\1*"
    r"|[a-z]+(?:[-_.][a-z]+)?\d?|(?:password|passw0rd|changeme|postgres|username)\d{0,4}",
    0,
)
"""Switches, addresses and versions, dates, a repeated character, one or two plain words."""
_IDENTIFIER = Pattern(r"[A-Za-z_.]*")
_ESCAPED = Pattern(r"\\(.)")
_UNQUOTED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def is_distinctive(value: str) -> bool:
    """Return whether a secret is replaced everywhere: long enough, and no word, path or date."""
    if len(value) < SHORTEST or value.isspace():
        return False
    if len(value) < _WORD_LENGTH and (
        _COMMON.fullmatch(value)
        or (value.isalpha() and (value.islower() or value.isupper() or value.istitle()))
    ):
        return False
    # A path, and no password that begins with such a character.
    return not (value[0] in "/~." and (is_path(value) or os.path.exists(value)))  # noqa: PTH110


def is_identifier(value: str) -> bool:
    """Return whether a value that a text called a secret may be a name in its code."""
    return len(value) < _WORD_LENGTH and bool(_IDENTIFIER.fullmatch(value))


def iter_forms(secret: str) -> Iterator[str]:
    """Yield a secret as programs write it: as it is, quoted, escaped, URL-encoded, base64, hex."""
    seen = set[str]()
    for form in _iter_all_forms(secret):
        if len(form) >= SHORTEST and form not in seen:
            seen.add(form)
            yield form


def iter_values(written: str) -> Iterator[str]:
    """Yield the value of a secret as it stood in a text: without quotes, escapes, URL encoding."""
    yield written
    value = written
    if value[:1] in ("'", '"') and value[-1:] == value[0]:
        value = value[1:-1].replace("'\\''", "'").replace("'\"'\"'", "'")
    if "\\" in value:
        value = _ESCAPED.sub(r"\1", value)
    yield value
    if "%" in value:
        parts = value.encode("utf-8", "surrogateescape").split(b"%")
        yield b"".join([parts[0], *map(_decode_percent, parts[1:])]).decode("utf-8", "replace")
    if (password := _decode_login(value)) is not None:
        yield password


def _decode_percent(part: bytes) -> bytes:
    try:
        return bytes.fromhex(part[:2].decode("ascii")) + part[2:]
    except ValueError:
        return b"%" + part


def _decode_login(value: str) -> str | None:
    """Return the password in base64 of `user:password`, as HTTP and Docker have it, or None."""
    if len(value) % 4 or not 12 <= len(value) <= 400:
        return None
    try:
        user, colon, password = a2b_base64(value).decode("ascii").partition(":")
    except ValueError:
        return None
    return password if colon and user and (user + password).isprintable() else None


def _iter_all_forms(secret: str) -> Iterator[str]:
    data = secret.encode("utf-8", "surrogateescape")
    yield secret
    if not secret.isalnum() or not secret.isascii():
        yield from _iter_escaped(secret, data)
    for skipped in range(3):
        text = _encode_base64(data, skipped)
        yield text
        yield text.replace("+", "-").replace("/", "_")
    digits = hexlify(data).decode("ascii")
    yield digits
    yield digits.upper()


def _iter_escaped(secret: str, data: bytes) -> Iterator[str]:
    quoted = "".join(chr(c) if chr(c) in _UNQUOTED else f"%{c:02X}" for c in data)
    yield quoted
    yield "".join(chr(c) if chr(c) in _UNQUOTED else f"%{c:02x}" for c in data)
    yield quoted.replace("%20", "+")
    yield quoted.replace("%2F", "/")
    yield quoted.replace("%", "%25")
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    yield repr(data)[2:-1]
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
    yield escaped
    yield escaped.replace("/", "\\/")
    yield escaped.replace("\\", "\\\\").replace('"', '\\"')  # JSON within JSON
    plain = "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in escaped)
    yield plain
    yield plain.replace("\\", "\\\\").replace('"', '\\"')
    yield secret.replace("'", "'\\''")
    yield secret.replace("'", "'\"'\"'")
    yield "".join(c if c.isalnum() or c in "_-./:=@%+," else f"\\{c}" for c in secret)
    markup = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield markup
    yield markup.replace('"', "&quot;").replace("'", "&#x27;")
    yield markup.replace('"', "&#34;").replace("'", "&#39;")


def _encode_base64(data: bytes, skipped: int) -> str:
    """Return the characters of base64 that depend on some bytes only, `skipped` bytes in.

    In base64 of a longer text, as of `user:password`, a secret begins at any of three positions.
    """
    text = b2a_base64(b"\0" * skipped + data, newline=False).decode("ascii")
    return text[(skipped * 8 + 5) // 6 : (skipped + len(data)) * 8 // 6]

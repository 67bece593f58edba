"""Finds the secrets in the variables of an environment."""

from __future__ import annotations

import os
import re
from binascii import b2a_base64

from orchestrator.masking.lazy_pattern import Pattern

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHORTEST = 8
"""Minimum length of a value: a shorter one is in too many texts by chance."""

_NAME = Pattern(
    r"pass(?:w(?:or)?d|phrase|code)?(?:$|[^a-z])|passw|pwd|(?:^|[^a-z])pw(?:$|[^a-z])|secret|token(?!iz)|"
    r"api_?key|(?:^|[^a-z])(?:private)?_?key(?:s|$|[^a-z])|credential|(?:^|[^a-z])creds?(?:$|[^a-z])|"
    r"(?:^|[^a-z])(?:auth|pat|salt|otp|pin|jwt|sk|dsn|bearer|cookie|hmac|webhook|signature)(?:$|[^a-z])|"
    r"session_?(?:id|key|cookie)|connection_?string|conn_?str",
    re.IGNORECASE,
)
_NAMED_IN_VALUE = Pattern(r"(?:^|\s)-{1,2}([A-Za-z][\w-]*)|([A-Za-z][\w-]*)\s*=")
"""Names of options and settings in the value of a variable."""
_SECRET_WORDS = Pattern(r"pass|pw|auth|token|secret|key|cred|bearer|cookie|session", re.IGNORECASE)
"""Parts of names that may hold a secret. A false match only means that a value is not stored."""
_PASSWORD_IN_URL = Pattern(r"://[^\s/@]*?:([^\s@]+)@|://([^\s:/@]{8,}):?@")
_UNQUOTED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SWITCH = frozenset({"disabled", "enabled", "required", "optional", "undefined"})


def find_secret_values(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets in an environment, each with the name of its variable.

    Of an address, only the password is returned: programs print the parts of an address separately.
    Each secret is also returned as programs write it: URL-encoded, escaped, in base64.
    """
    found: dict[str, str] = {}
    for name, value in environment.items():
        for secret in _iter_secrets(name, value):
            for written in _iter_encodings(secret):
                found.setdefault(written, name)
    return found


def _iter_secrets(name: str, value: str) -> Iterator[str]:
    match = _PASSWORD_IN_URL.search(value)
    if match:
        secret = match[1] or match[2]
        if len(secret) >= _SHORTEST:
            yield secret
    if "://" not in value and _NAME.search(name) and _can_be_secret(value):
        yield value


def _can_be_secret(value: str) -> bool:
    """Return whether a value can be replaced everywhere: no word, no switch, no path."""
    if len(value) < _SHORTEST or value.lower() in _SWITCH:
        return False
    if value[0] in "/~." and (value.count("/") > 1 or os.path.exists(value)):  # noqa: PTH110
        return False  # a path, and no password that begins with such a character
    return not (value.isalpha() and (value.islower() or value.isupper()) and len(value) < 16)


def _iter_encodings(secret: str) -> Iterator[str]:
    data = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield "".join(chr(c) if chr(c) in _UNQUOTED else f"%{c:02X}" for c in data)
    yield repr(secret)[1:-1]
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    yield b2a_base64(data, newline=False).decode("ascii").rstrip("=")


def has_secret_name(name: str, value: str) -> bool:
    """Return whether a variable may hold a secret, by its name, or by an option in its value.

    The name of an option is enough (`--token x`): the value need not look like a secret.
    """
    options = (match[1] or match[2] for match in _NAMED_IN_VALUE.finditer(value))
    return any(map(_SECRET_WORDS.search, (name, *options)))

"""Which variables of an environment hold a secret."""

from __future__ import annotations

import os
import re
from binascii import b2a_base64

from orchestrator.masking.lazy_pattern import Pattern

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHORTEST = 8
"""Characters that a value has at least: a shorter one stands in too many texts by chance."""

_NAME = Pattern(
    r"pass(?:w(?:or)?d|phrase|code)?(?:$|[^a-z])|passw|pwd|(?:^|[^a-z])pw(?:$|[^a-z])|secret|token(?!iz)|"
    r"api_?key|(?:^|[^a-z])(?:private)?_?key(?:s|$|[^a-z])|credential|(?:^|[^a-z])creds?(?:$|[^a-z])|"
    r"(?:^|[^a-z])(?:auth|pat|salt|otp|pin|jwt|sk|dsn|bearer|cookie|hmac|webhook|signature)(?:$|[^a-z])|"
    r"session_?(?:id|key|cookie)|connection_?string|conn_?str",
    re.IGNORECASE,
)
_NAMED_IN_VALUE = Pattern(r"(?:^|\s)-{1,2}([A-Za-z][\w-]*)|([A-Za-z][\w-]*)\s*=")
"""Options and settings that the value of a variable names."""
_SECRET_WORDS = Pattern(r"pass|pw|auth|token|secret|key|cred|bearer|cookie|session", re.IGNORECASE)
"""Parts of names of what may hold a secret; what they hit in vain is not written down either."""
_PASSWORD_IN_URL = Pattern(r"://[^\s/@]*?:([^\s@]+)@|://([^\s:/@]{8,}):?@")
_UNQUOTED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SWITCH = frozenset({"disabled", "enabled", "required", "optional", "undefined"})


def find_secret_values(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets in an environment, each with the name of its variable.

    An address's password stands for itself: programs print the parts of an address one by one. A
    value that programs write in another way (escaped, encoded) is listed in these ways too.
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
    """Return whether a value can be replaced wherever it stands: no word, no switch, no path."""
    if len(value) < _SHORTEST or value.lower() in _SWITCH:
        return False
    if value[0] in "/~." and (value.count("/") > 1 or os.path.exists(value)):  # noqa: PTH110
        return False  # a path, and no password with a sign in front
    return not (value.isalpha() and (value.islower() or value.isupper()) and len(value) < 16)


def _iter_encodings(secret: str) -> Iterator[str]:
    data = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield "".join(chr(c) if chr(c) in _UNQUOTED else f"%{c:02X}" for c in data)
    yield repr(secret)[1:-1]
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    yield b2a_base64(data, newline=False).decode("ascii").rstrip("=")


def has_secret_name(name: str, value: str) -> bool:
    """Return whether a variable may hold a secret: by its name, or an option's in its value.

    An option's name is enough (`--token x`): what a person calls a token need not look like one.
    """
    options = (match[1] or match[2] for match in _NAMED_IN_VALUE.finditer(value))
    return any(map(_SECRET_WORDS.search, (name, *options)))

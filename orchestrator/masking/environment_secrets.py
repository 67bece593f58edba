"""Finds the secrets in the variables of an environment."""

from __future__ import annotations

import re

from orchestrator.masking.lazy_pattern import Pattern
from orchestrator.masking.secret_forms import SHORTEST, is_distinctive

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def find_secret_values(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets in an environment, each with the name of its variable.

    Of an address, only the password is returned: programs print the parts of an address separately.
    """
    found: dict[str, str] = {}
    for name, value in environment.items():
        for secret in _iter_secrets(name, value):
            found.setdefault(secret, name)
    return found


def _iter_secrets(name: str, value: str) -> Iterator[str]:
    match = _PASSWORD_IN_URL.search(value)
    if match:
        secret = match[1] or match[2]
        if len(secret) >= SHORTEST:
            yield secret
    if "://" not in value and _NAME.search(name) and is_distinctive(value):
        yield value


def has_secret_name(name: str, value: str) -> bool:
    """Return whether a variable may hold a secret, by its name, or by an option in its value.

    The name of an option is enough (`--token x`): the value need not look like a secret.
    """
    options = (match[1] or match[2] for match in _NAMED_IN_VALUE.finditer(value))
    return any(map(_SECRET_WORDS.search, (name, *options)))

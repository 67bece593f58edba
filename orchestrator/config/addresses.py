"""Which settings are addresses, and what of them may be shown and stored.

A user, a password or a query in an address may be secret, whatever they look like, so they are left
out wherever the setting is printed or recorded.
"""

import json
from typing import Final

from teacher.address import format_address

ADDRESSES: Final = frozenset({"n8n.webhook_url"})
"""The settings that are addresses."""


def hide_address_secrets(key: str, value: object) -> object:
    """Return the value of a setting as it may be shown."""
    return format_address(value) if key in ADDRESSES and isinstance(value, str) else value


def hide_json_secrets(key: str, text: str) -> str:
    """Return the value of a setting as it may be shown; both as ASCII JSON."""
    return json.dumps(hide_address_secrets(key, json.loads(text))) if key in ADDRESSES else text

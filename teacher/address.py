"""Format an address for people, without what may be secret in it: user, password and query."""

from typing import Final
from urllib.parse import urlsplit

_HIDDEN: Final = "***"


def format_address(address: str) -> str:
    """Return an address as it may be printed and stored.

    Scheme, host and port are those that are used, so that nobody trusts another host than the one
    that is asked. Of a text that is no address, nothing is shown if a part of it may be secret.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port  # both are checked only on access
    except ValueError:
        host = None
    if not host:
        return _HIDDEN if any(mark in address for mark in "@?#") else address
    user, _, location = parts.netloc.rpartition("@")
    # An @ behind the host: a slash, ? or # in a user or password moves the rest of them there.
    behind = f"{parts.path}{parts.query}{parts.fragment}"
    path = f"/{_HIDDEN}" if "@" in behind else parts.path
    query = f"?{_HIDDEN}" if parts.query else ""
    return f"{parts.scheme}://{f'{_HIDDEN}@' if user else ''}{location}{path}{query}"

"""Servers on this machine: a model's gateway, or n8n."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine, by its name or address alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def build_direct_mounts(url: str) -> dict[str, None]:
    """Return httpx mounts that keep requests to this machine away from the user's proxy.

    No proxy gets there for us, and few people have named localhost in NO_PROXY.
    """
    host = urlsplit(url).hostname or ""
    if not is_loopback(host):
        return {}
    return {f"all://[{host}]" if ":" in host else f"all://{host}": None}

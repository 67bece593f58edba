"""Detect servers on this machine, such as a model gateway or n8n, and bypass the proxy for them."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine, without a DNS lookup."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def build_direct_mounts(url: str) -> dict[str, None]:
    """Return httpx mounts that send requests to this machine directly, without the user's proxy.

    A proxy cannot reach this machine's loopback, and few people list localhost in NO_PROXY.
    """
    host = urlsplit(url).hostname or ""
    if not is_loopback(host):
        return {}
    # httpx requires brackets around an IPv6 address in a pattern.
    return {f"all://[{host}]" if ":" in host else f"all://{host}": None}

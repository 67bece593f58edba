"""Choose how a request leaves this machine: through which proxy, trusting which certificates.

The variables are those that curl and Python know (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
`NO_PROXY`, `SSL_CERT_FILE`, `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`; proxies also in
lower case, which takes precedence). The HTTP libraries read some of them too, but only when a
client is built, after the agent was paid, and fail there for a proxy that the teacher's address
does not need. So they are read and checked here.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from teacher.deadline import DeadlineError, call_within
from teacher.errors import TeacherMisconfigured, TeacherUnavailable

_SCHEMES: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""The kinds of proxies that the HTTP libraries support, with their usual ports."""

_PROBE_SECONDS: Final = 5.0
"""A proxy is near: one that takes longer to accept a connection is as good as none."""

_HOST_NAME: Final = re.compile(
    r"(?!\d+(?:\.\d+){3}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.ASCII
)
"""The name of a host. Others are unusual for a proxy, and libraries differ on them."""

_CERTIFICATE_NAME: Final = re.compile(r"[0-9a-fA-F]{8}\.\d+")
"""A file name that OpenSSL finds in `SSL_CERT_DIR`, as `openssl rehash` makes it."""

_CERTIFICATE_VARIABLES: Final = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
"""What names the certificates to trust, the first that is set; the last two are those of requests
and curl, which people with a company's proxy have set already."""


@dataclass(frozen=True)
class Proxy:
    """A proxy for a request."""

    origin: str
    """The variable that names it, or `the system's settings`."""
    address: str
    """May contain a user and a password, so it must not be printed."""

    @property
    def location(self) -> str:
        """Host and port, for messages."""
        url = urlsplit(self.address)
        return f"{url.hostname}:{url.port or _SCHEMES[url.scheme]}"


@dataclass(frozen=True)
class Connection:
    """How to reach an address."""

    proxy: Proxy | None = None
    certificates: ssl.SSLContext | None = None
    """The trusted certificates, if a variable names them."""

    @property
    def proxy_address(self) -> str | None:
        """The proxy's address, for an HTTP client."""
        return self.proxy.address if self.proxy else None

    @property
    def verify(self) -> ssl.SSLContext | bool:
        """The argument `verify` of an HTTP client."""
        return self.certificates or True

    def describe_failure(self, cause: str, hint: str) -> str:
        """Return what to do about a request that did not arrive because of `cause`."""
        if "CERTIFICATE_VERIFY_FAILED" in cause:
            return self._describe_certificate(cause)
        if self.proxy:
            return f"check the proxy in {self.proxy.origin}, or list the host in NO_PROXY"
        return hint

    def _describe_certificate(self, cause: str) -> str:
        if "mismatch" in cause:
            return "use the name that the certificate is for in the address, or get one for this"
        if "expired" in cause or "not yet valid" in cause:
            return "renew the server's certificate; if it is not old, set the clock of this machine"
        variable = _find_certificates_variable()
        return (
            "if you trust the certificate, add that of its authority (of a self-signed one, "
            f"itself) to what {variable} names"
            if self.certificates
            else "if you trust the certificate, set SSL_CERT_FILE to a PEM file with that of its "
            "authority (of a self-signed one, itself)"
        )


def find_origin(error: BaseException) -> BaseException:
    """Return the error of the operating system or of TLS that an HTTP library has wrapped."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine, without a DNS lookup."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def plan_connection(url: str) -> Connection:
    """Return how to reach an address; sends nothing.

    Raises:
        TeacherMisconfigured: the address cannot be parsed.
        TeacherUnavailable: a variable that the address depends on cannot be used.
    """
    try:
        parts = urlsplit(url)
        proxy = _find_proxy(parts)
    except ValueError:  # its text may contain a part of a password
        raise TeacherMisconfigured(
            "the teacher's address cannot be parsed",
            "check ANTHROPIC_BASE_URL, or n8n.webhook_url with a webhook",
        ) from None
    schemes = {parts.scheme, urlsplit(proxy.address).scheme if proxy else ""}
    return Connection(proxy, _load_certificates() if "https" in schemes else None)


def check_connection(url: str) -> None:
    """Check the variables that an address depends on, and that its proxy accepts connections.

    Raises:
        TeacherUnavailable: they cannot be used, or the proxy does not answer.
    """
    proxy = plan_connection(url).proxy
    if proxy is None:
        return
    host, _, port = proxy.location.rpartition(":")
    try:
        call_within(
            _PROBE_SECONDS,
            lambda: socket.create_connection((host, int(port)), timeout=_PROBE_SECONDS).close(),
        )
    except (OSError, UnicodeError, DeadlineError) as error:
        cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TeacherUnavailable(
            f"the proxy in {proxy.origin} does not answer at {proxy.location}: {cause}",
            f"start it, or correct or unset {proxy.origin}, or list the teacher's host in NO_PROXY",
        ) from None


def _find_proxy(url: SplitResult) -> Proxy | None:
    """Return the proxy for an address; None if it is reached directly.

    Raises:
        TeacherUnavailable: the proxy's address cannot be used.
    """
    host = url.hostname or ""
    # A proxy cannot reach this machine's loopback, and few people list localhost in NO_PROXY.
    if not host or is_loopback(host) or _is_excluded(host, url.port):
        return None
    proxies = getproxies()
    name = next((name for name in (url.scheme, "all") if proxies.get(name)), None)
    if name is None:
        return None
    # `proxy.example:3128` without a scheme is usual.
    address = proxies[name] if "://" in proxies[name] else f"http://{proxies[name]}"
    proxy = Proxy(_name_origin(name), address)
    if problem := _find_problem(address):
        raise TeacherUnavailable(
            f"{proxy.origin} names a proxy that cannot be used: {problem}",
            f"correct or unset {proxy.origin}, or list the teacher's host in NO_PROXY",
        )
    return proxy


def _is_excluded(host: str, port: int | None) -> bool:
    """Return whether `NO_PROXY` excludes a host from the proxy."""
    if proxy_bypass(host) or (port and proxy_bypass(f"{host}:{port}")):
        return True
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return any(_matches_pattern(host, each.strip()) for each in listed.split(","))


def _matches_pattern(host: str, pattern: str) -> bool:
    """Return whether a host matches what the standard library does not know: `*.a.b`, `10.0.0.0/8`.

    Both are usual in NO_PROXY, because curl, Go and Docker accept them.
    """
    if pattern.startswith("*."):
        return host.lower().endswith(pattern[1:].lower())
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(pattern.strip("[]"), strict=False)
    except (ValueError, TypeError):
        return False


def _name_origin(name: str) -> str:
    """Return the variable that a proxy of the standard library's table comes from."""
    variables = (f"{name}_proxy", f"{name}_proxy".upper())
    return next((each for each in variables if os.environ.get(each)), "the system's settings")


def _find_problem(address: str) -> str:
    """Return why a proxy's address cannot be used; empty if it can. Shows no password."""
    try:
        url = urlsplit(address)
        host, _ = url.hostname or "", url.port  # both are checked only on access
    except ValueError:
        return "its address cannot be parsed"
    if url.scheme not in _SCHEMES:
        kinds = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        return f"{url.scheme}:// is not supported, only {kinds}"
    if not host:
        return "its address has no host"
    if not address.isprintable() or " " in address:
        return "its address contains a space or a control character"
    if not (_HOST_NAME.fullmatch(host) or _is_ip_address(host)):
        return "its host is not a name or an IP address"
    return ""


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _find_certificates_variable() -> str:
    """Return the variable that names the certificates to trust; empty if none does."""
    return next((name for name in _CERTIFICATE_VARIABLES if os.environ.get(name)), "")


def _load_certificates() -> ssl.SSLContext | None:
    """Return the certificates that a variable names; None for the library's own.

    Raises:
        TeacherUnavailable: they cannot be loaded.
    """
    if not (variable := _find_certificates_variable()):
        return None
    path = os.environ[variable]
    if variable == "SSL_CERT_DIR" or (variable == "REQUESTS_CA_BUNDLE" and _is_folder(path)):
        return _load_folders(path, variable)
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        problem = "is not a file with certificates in PEM format"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    raise TeacherUnavailable(
        f"{path}, which {variable} names, {problem}", f"correct or unset {variable}"
    )


def _load_folders(folders: str, variable: str) -> ssl.SSLContext:
    # OpenSSL accepts any text here, and then trusts nobody.
    if not any(_has_certificates(Path(each)) for each in folders.split(os.pathsep) if each):
        raise TeacherUnavailable(
            f"{folders}, which {variable} names, has no certificates",
            f"correct or unset {variable}, or run `openssl rehash` on the folder",
        )
    return ssl.create_default_context(capath=folders)


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def _has_certificates(folder: Path) -> bool:
    try:
        return any(_CERTIFICATE_NAME.fullmatch(each.name) for each in folder.iterdir())
    except OSError:
        return False

"""Check the variables that decide how requests leave this machine; no request is sent."""

from collections.abc import Iterator
from typing import Final

from orchestrator.agents.claude_environment import OFFICIAL_API
from orchestrator.services.doctor.results import Check, Fault, Link, fail, succeed
from orchestrator.services.doctor.subject import Subject
from teacher.address import format_address
from teacher.connection import check_connection
from teacher.errors import TeacherError, TeacherUnavailable

_VARIABLES: Final = (
    *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"),
    *("NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
)


def check_network(subject: Subject) -> Iterator[Check]:
    """Check proxies and certificates for the addresses that a run needs.

    Only a proxy is connected to, if there is one; the addresses themselves are not.
    """
    addresses = [subject.environment.get("ANTHROPIC_BASE_URL") or OFFICIAL_API]
    if subject.config.teacher.mode == "webhook" and subject.config.n8n.webhook_url:
        addresses.append(subject.config.n8n.webhook_url)
    for address in addresses:
        try:
            check_connection(address)
        except TeacherError as error:
            is_machine = isinstance(error, TeacherUnavailable)
            fault = Fault.MACHINE if is_machine else Fault.CONFIGURATION
            text = f"{format_address(address)} cannot be reached as configured"
            yield fail(Link.NETWORK, text, f"{error.message}: {error.hint}", "env | grep -iE "
                       "'proxy|ssl_cert|ca_bundle'", fault)  # fmt: skip
            return
    given = [name for name in _VARIABLES if subject.environment.get(name)]
    used = f"with {', '.join(given)}" if given else "directly, no proxy or certificates are set"
    yield succeed(Link.NETWORK, f"{', '.join(map(format_address, addresses))} {used}")

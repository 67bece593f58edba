"""Explain a request to a webhook that got no answer: what is wrong, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.http_client import Missing, NoReplyError
from teacher.refusals import USE_PRODUCTION_URL

if TYPE_CHECKING:
    from teacher.connection import Connection
    from teacher.refusals import Endpoint


def build_unreachable(
    error: NoReplyError, endpoint: Endpoint, connection: Connection
) -> TeacherError:
    """Return the error for a request that got no answer."""
    cause = " ".join(str(error).split())
    if error.reason is Missing.LATE:
        return TeacherUnavailable(
            f"{endpoint.shown} did not answer within {endpoint.timeout_seconds:g} s",
            "raise n8n.timeout, or check what the workflow waits for",
        )
    if error.reason is Missing.REDIRECT:
        return TeacherUnavailable(
            f"{endpoint.shown} redirects to an address that cannot be parsed",
            USE_PRODUCTION_URL,
        )
    if error.reason is Missing.INVALID_ADDRESS:
        return TeacherMisconfigured(
            f"n8n.webhook_url cannot be used: {cause}", "correct its host name"
        )
    return TeacherUnavailable(
        f"{endpoint.shown} was not reached: {cause}",
        connection.describe_failure(cause, _find_hint(error.reason, endpoint)),
    )


def _find_hint(reason: Missing, endpoint: Endpoint) -> str:
    host = urlsplit(endpoint.address).hostname or ""
    if reason is Missing.UNKNOWN_HOST:
        if "." not in host:
            return (
                f"correct the host in n8n.webhook_url; {host} is known only inside a network of "
                "containers, if it is the name of one: from outside, use its published port, such "
                "as http://127.0.0.1:5678"
            )
        return "correct the host in n8n.webhook_url, or check the network"
    if reason is Missing.NO_TLS:
        return (
            "the server does not speak TLS there: correct the port, or set n8n.webhook_url to http"
        )
    if reason is Missing.BROKEN:
        return "look at n8n's log; if n8n expects https, set n8n.webhook_url to https"
    return "start n8n, or correct host and port in n8n.webhook_url"

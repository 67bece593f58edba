"""Find out whether a webhook answers those who do not have its token.

A stranger sends no token, or a text that n8n makes of a token that is missing: where a credential
joins `Bearer ` with a variable that is not set, `Bearer undefined` is the password. The body is
empty, so the shipped workflow asks no model even if it lets the stranger in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from teacher.errors import TeacherError
from teacher.http_client import HttpClient, NoReplyError, Reply, TooLargeError
from teacher.web_token import sign_web_token
from teacher.webhook_client import MAX_ANSWER_BYTES, STARTING
from teacher.webhook_replies import read_refusal
from teacher.wrapped_answer import is_web_page

_NOTHING_TO_COMPARE: Final = "No authentication data defined"
"""What n8n answers with status 500 where its credential has no token: nobody gets in."""
_EMPTY: Final = "an empty token"
_SECONDS: Final = 15.0
"""How long one request may take."""


class Reception(StrEnum):
    """What became of a stranger."""

    REFUSED = "refused"
    LET_IN = "let in"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Stranger:
    """What a stranger sent, and how it was received."""

    sent: str
    reception: Reception
    status: int = 0
    """The status of the answer; 0 without one."""
    cause: str = ""
    """Why it is unclear, if the status does not say it."""


def send_strangers(url: str, token_header: str, *, signed: bool = False) -> tuple[Stranger, ...]:
    """Return how a webhook receives strangers.

    Args:
        url: the webhook; user, password and query in it are not sent.
        token_header: the header that it expects the token in.
        signed: whether it expects a signature; then strangers sign with a missing token, too.
    """
    client = HttpClient(_remove_secrets(url), _SECONDS, MAX_ANSWER_BYTES)
    found = []
    for sent, headers in _iter_attempts(token_header, signed=signed):
        try:
            answer = client.post(b"{}", headers)
        except (NoReplyError, TooLargeError, TeacherError) as error:
            cause = error.message if isinstance(error, TeacherError) else str(error)
            found.append(Stranger(sent, Reception.UNCLEAR, cause=cause))
            break  # the others would wait as long
        found.append(Stranger(sent, *_judge_answer(answer)))
        if not headers and found[-1].reception is Reception.LET_IN:
            break  # the webhook looks at no token
    return tuple(found)


def _iter_attempts(token_header: str, *, signed: bool) -> Iterator[tuple[str, Mapping[str, str]]]:
    yield "no token", {}
    scheme = "Bearer " if token_header.lower() == "authorization" else ""
    for text in ("undefined", "null"):
        yield f"`{scheme}{text}`", {token_header: f"{scheme}{text}"}
    for text in ("undefined", "null") if signed else ():
        yield f"signed with `{text}`", {token_header: f"Bearer {sign_web_token(text)}"}
    # HTTP knows no space at the end of a header: servers remove it.
    yield (f"`{scheme}`" if scheme else _EMPTY), {token_header: scheme.strip()}


def _judge_answer(answer: Reply) -> tuple[Reception, int, str]:
    """Return how a stranger was received, the status, and why it is unclear."""
    status, text = answer.status, answer.text.strip()
    if status in (401, 403, 407) or 300 <= status < 400:  # to a login page
        return Reception.REFUSED, status, ""
    if status == 500 and _NOTHING_TO_COMPARE in text:
        return Reception.REFUSED, status, ""
    # No workflow was started: what answers strangers is in front of n8n, or another server.
    if text.startswith(STARTING):
        return Reception.UNCLEAR, status, "n8n is starting"
    if is_web_page(text):
        return Reception.UNCLEAR, status, f"a web page answered, with status {status}"
    refusal = read_refusal(answer)
    started = refusal.cause.kind or refusal.is_failed_execution or status < 300
    # A port for https says so with status 400; a workflow of one's own refuses the empty body.
    if started or (status in (400, 422) and "https" not in text.lower()):
        return Reception.LET_IN, status, ""
    return Reception.UNCLEAR, status, ""


def _remove_secrets(url: str) -> str:
    parts = urlsplit(url.strip())
    host = parts.netloc.rpartition("@")[2]
    return SplitResult(parts.scheme, host, parts.path, "", "").geturl()

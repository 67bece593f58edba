"""Shapes of secrets in addresses, headers and cookies."""

# ruff: noqa: E501 -- a pattern is read as a whole

import re

from orchestrator.masking.shape import Shape
from orchestrator.masking.value_checks import (
    CODE,
    NO_SECRETS,
    PLACEHOLDER,
    is_key,
    is_pair,
    is_random,
)

ADDRESSES: tuple[Shape, ...] = (
    # Up to the last @ before the next slash is the password, and the user says which account.
    Shape(
        "password",
        ("://",),
        r"\b[a-z][\w+.-]{0,20}://[^\s:/@'\"<>\[\]]{0,200}:(?P<s>[^\s'\"<>]{1,300}?)@(?=[\w\[{$(.-])"
        r"(?![^\s/'\"<>]{0,200}@)",
        accept=lambda value: (
            not PLACEHOLDER.fullmatch(value) and not re.match(r"\d{2,5}/|[^@]*//", value)
        ),
    ),
    Shape("token", ("://",), r"\b[a-z][\w+.-]{0,20}://(?P<s>[^\s:/@'\"<>{}$]{16,400}):?@"),
    Shape("token", ("://",), r"\b[a-z][\w+.-]{0,20}://(?P<s>[^\s:/@'\"<>{}$]{8,15}):?@", accept=is_key),
    Shape("password", (":thin:",), r":thin:[^\s/@:]{1,60}/(?P<s>[^\s/@]{1,100})@"),
    Shape(
        "webhook",
        ("hooks.slack.com",),
        r"\bhooks\.slack\.com/\w+/(?P<s>[^\s'\"<>]{8,200})",
    ),
    Shape(
        "webhook",
        ("/api/webhooks/", "webhook.office.com", "hooks.zapier.com"),
        r"(?:/api/webhooks|webhook\.office\.com/\w+|hooks\.zapier\.com/hooks/catch)/"
        r"(?P<s>[^\s'\"<>]{8,300})",
    ),
    Shape(
        "secret",
        ("sig=", "signature=", "token=", "x-amz-", "x-goog-", "code=", "key=", "secret=", "auth=",
         "pass", "pwd=", "jsessionid="),
        r"(?:[?&;]|%3F|%26)(?:sig|(?:x-amz-|x-goog-)?(?:signature|security-token|credential)|"
        r"[\w-]{0,30}token|(?:api|access)[-_]?key|key|[\w-]{0,30}secret|auth|pass(?:w(?:or)?d)?|pwd|"
        r"code|jsessionid)(?:=|%3D)(?P<s>[^\s'\"&<>#{}$;]{6,4000}?)(?=%26|[\s'\"&<>#{}$;.]|$)",
        accept=lambda value: value.lower() not in NO_SECRETS,
    ),
    Shape(
        "authorization",
        ("authorization",),
        r"\b(?:proxy-)?authorization['\"]?\]?[ \t]*[:=,][ \t]*(?:[bf]?['\"])?"
        r"(?:[A-Za-z][A-Za-z-]{1,20}[ \t]+)?"
        r"(?P<s>(?!(?:bearer|basic|token|digest|negotiate|aws4|ssws|apikey)\b)[^\s'\"`,}{$<()\]]{6,4000})",
        accept=lambda value: (
            value.lower() not in NO_SECRETS
            and not CODE.fullmatch(value)
            and not PLACEHOLDER.fullmatch(value)
            and not value.isalpha()
        ),
    ),
    Shape("authorization", ("bearer",), r"\bBearer[ +]+(?P<s>[\w.~+/-]{12,4000}={0,2})",
          accept=lambda value: bool(re.search(r"\d|[A-Z].*[a-z]", value))),
    Shape("signature", ("signature=", "response="),
          r"\b(?:Signature|response)=['\"]?(?P<s>[\w+/=-]{16,})"),
    Shape(
        "cookie",
        ("cookie:", "cookie'", 'cookie"', "--cookie", " -b ", "<cookie "),
        r"(?<=[;:=\s'\"])(?!expires|max-age|path|domain)[\w.-]{1,60}=(?P<s>[^;\s'\",<>]{8,4000})",
        accept=is_pair,
    ),
    Shape("cookie", ("\ttrue\t", "\tfalse\t"),
          r"\t\d+\t[^\t\n]{1,100}\t(?P<s>[^\t\n]{8,4000})$", accept=is_pair),
    Shape(
        "cookie",
        ("sess", "sid", "csrf", "xsrf"),
        r"\b(?:[\w.-]{0,20}sess(?:ion)?(?:[-_]?id)?|[\w.]{0,20}\.?sid|(?:csrf|xsrf)[\w-]{0,10}token)"
        r"['\"]?\s*[=:]\s*['\"]?(?P<s>[\w%.+/=-]{16,})",
        accept=is_random,
    ),
    Shape(
        "api key",
        ("key", "token", "auth", "secret"),
        r"(?:^|[\s'\"])(?<!public )(?:x-)?(?:[a-z]{1,20}-){0,4}(?:key|token|auth|secret)['\"]?:[ \t]*"
        r"(?P<s>[^\s'\",;}{$<(\[]{8,4000})",
        accept=is_random,
    ),
)  # fmt: skip

"""Parts of patterns: names of things that hold a secret, and what separates name and value."""

# ruff: noqa: S105 -- patterns of names, and no passwords

# A word as a shell splits it: adjacent quoted and plain parts, also across an escaped line end.
_QUOTED = r"""(?:"(?:[^"\\\n]|\\.){0,2000}"|'[^'\n]{0,2000}')"""
WORD = (
    rf"""(?:{_QUOTED}|\$\([^)\n]{{0,500}}\)|\\.|[^\s"'&;|<>\\])"""
    rf"""(?:(?!["']\s|\\x00){_QUOTED}|(?!\\x00)\\.|\\\n[ \t+-]*|[^\s"'&;|<>\\]){{0,2000}}"""
)

_NO_SUFFIX = (
    r"(?!s?[-_.]?(?:file|path|dir|stdin|env|name|policy|length|len|type|url|uri|arn|id\b|ids\b|count|"
    r"ttl|size|encryption|hint|colou?r|field|label|prompt|store\b|provider|manager|reset|version|"
    r"expir|helper|valid|algorithm|hash|ring|board|word_))"
)
"""Excludes suffixes by which a name is about a secret, and holds none: `token_file`."""

PASS_NAME = (
    r"(?:(?<![a-z])pass(?![a-z])|(?<=store)pass|(?<=key)pass|passw(?:or)?[dt]|passphrase|passcode|pwd|"
    r"kennwort|contrase[nñ]a|mot_?de_?passe|senha|psk(?![a-z])|(?<![a-z])pw(?![a-z]))"
)
SURE_NAME = (
    rf"(?:{PASS_NAME}|secret|token|credential|(?<!public )(?<!public[-_])(?:api|access|auth|"
    rf"private|secret|account|signing|encryption|master|shared|license|deploy|session|webhook|unseal)"
    rf"[-_. ]?key){_NO_SUFFIX}"
)
"""Parts of names whose values are secrets, whatever the values look like."""
SURE_HINTS = ("pass", "pwd", "secret", "token", "credential", "key", "kennwort", "contrase", "psk",
               "senha", "pw")  # fmt: skip
NAME = rf"[\w.-]{{0,60}}?{SURE_NAME}[\w.-]{{0,40}}"

LOOSE_NAME = (
    r"(?:[\w.-]{0,60}[_.-])?(?:pw|key|auth|pat|salt|otp|cred|creds|signature|sig|jwt|session|sid|"
    r"cookie|dsn|bearer|hmac|sk|pin|webhook)(?:[_-](?:key|value|b64|base64|data))?"
)
"""Words that name other things too: only a value that looks random is a secret."""
LOOSE_HINTS = ("pw", "key", "auth", "pat", "salt", "otp", "cred", "sig", "jwt", "session", "sid",
                "cookie", "dsn", "bearer", "hmac", "_sk", "pin", "webhook")  # fmt: skip
ASSIGNED = r"(?:[ \t]*(?::=|=>|==?|:)[ \t]*|%3D)"
BEFORE = r"(?:(?<![\w./:-])|(?<=env:))(?<!public )"

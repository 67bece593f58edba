"""What a hook may write down of a command: no secrets, one line, bounded."""

import re

MASK = "***"

_NAME = (
    r"[\w.-]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|AUTH)[\w.-]{0,60}"
)
_HINTS = ("key", "token", "secret", "passw", "passphrase", "pwd", "credential", "auth")
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'&;|<>]+)"""

_SECRETS = (
    # The user, if any, stays: it says which account; up to the last @ is the password.
    (("://",), r"(\b[a-z][\w+.-]{0,20}://[^\s:/@'\"]*):[^\s/'\"]+@", rf"\1:{MASK}@"),
    (
        ("private key",),
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        MASK,
    ),
    (
        ("authorization",),
        r"\b((?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?)(?:\w+\s+)?[^\s'\"]+",
        rf"\1{MASK}",
    ),
    (
        ("key", "token"),
        r"\b((?:x-)?(?:[a-z]{1,20}-){0,4}(?:api|auth|access|private)?[-_]?(?:key|token)['\"]?\s*:\s*['\"]?)"
        r"[^\s'\",}]+",
        rf"\1{MASK}",
    ),
    (("cookie",), r"\b((?:set-)?cookie\s*:\s*)[^'\"\n]+", rf"\1{MASK}"),
    (_HINTS, rf"(?<![\w.])({_NAME}=){_VALUE}", rf"\1{MASK}"),
    (_HINTS, rf"(--?{_NAME}[\s=]+)(?!-){_VALUE}", rf"\1{MASK}"),
    (_HINTS, rf"(['\"]{_NAME}['\"]\s*:\s*){_VALUE}", rf"\1{MASK}"),
    ((" -u", " --user"), r"(\s(?:-u|--user)[\s=]*['\"]?[^\s:'\"]+):[^\s'\"]+", rf"\1:{MASK}"),
    (
        ("mysql", "mariadb"),
        r"(\b(?:mysql|mariadb|mysqldump|mysqladmin)\b[^|;&\n]*?\s-p)[^\s]+",
        rf"\1{MASK}",
    ),
    (("bearer",), r"\bBearer\s+[\w.~+/=-]{8,}", f"Bearer {MASK}"),
    (("eyj",), r"\beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?", MASK),
    (
        ("sk-", "sk_", "pk_", "pk-", "rk_", "rk-"),
        r"\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]{1,20}[-_]){0,6}[A-Za-z0-9]{8,}[\w-]*",
        MASK,
    ),
    (
        ("gh", "glpat-", "xox", "aiza", "npm_", "pypi-", "hf_", "dop_v1_"),
        r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AIza|npm_|pypi-|hf_|dop_v1_)[\w-]{10,}",
        MASK,
    ),
    (("akia", "asia"), r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}", MASK),
)
"""Words of which one must be there, a pattern, and what to put in its place.

The words spare the hook most patterns: to compile them all takes longer than everything else."""


def masked(text: str) -> str:
    """The text with the values of what looks like secrets replaced by `***`."""
    for words, pattern, into in _SECRETS:
        lower = text.lower()
        if any(word in lower for word in words):
            text = re.sub(pattern, into, text, flags=re.IGNORECASE | re.DOTALL)
    return text


def shown(text: str, bound: int) -> str:
    """The text masked, on one line of at most `bound` characters, without control characters."""
    # A secret that the cut divides must still look like one, so the cut comes last; what is far
    # beyond it need not be looked at.
    text = masked(text[: 4 * bound + 4096])
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= bound else line[: bound - 1] + "…"

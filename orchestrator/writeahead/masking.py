"""What a hook may write down of a command: no secrets, one line, bounded."""

import os
import re

MASK = "***"

_WORDS = r"(?:KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|AUTH|SIGNATURE)"
_NAME = rf"[\w.-]{{0,60}}{_WORDS}[\w.-]{{0,60}}"
_HINTS = ("key", "token", "secret", "pass", "pwd", "credential", "auth", "signature")
# Names that end like this hold a secret also where a colon or a blank follows; `KeyError:` is none.
_SURE = (
    r"[\w.-]{0,60}(?:PASSWORD|PASSWD|PASSPHRASE|[_.-]PASS|PWD|SECRET|TOKEN|CREDENTIALS?"
    r"|(?:API|ACCESS|AUTH|PRIVATE|SECRET|ACCOUNT|SIGNING|ENCRYPTION)[-_ ]?KEY)"
)
_SURE_HINTS = ("key", "token", "secret", "pass", "pwd", "credential")
# A word as the shell reads it: quoted parts and plain ones, side by side.
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')"""
_VALUE = (
    rf"""(?:{_QUOTED}|\$\([^)]*\)|\\.|[^\s"'&;|<>\\])(?:(?!["']\s){_QUOTED}|\\.|[^\s"'&;|<>\\])*"""
)

_SECRETS = (
    # The user, if any, stays: it says which account; up to the last @ is the password.
    (("://",), r"(\b[a-z][\w+.-]{0,20}://[^\s:/@'\"]*):[^\s/'\"]+@", rf"\1:{MASK}@"),
    (("://",), r"(\b[a-z][\w+.-]{0,20}://)[^\s:/@'\"]{16,}@", rf"\1{MASK}@"),
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
    (
        _SURE_HINTS,
        rf"(?<![\w.])({_SURE}['\"]?\s*(?::=|=>|[:=])\s*)(?=[^\s{{[(]{{4}}){_VALUE}",
        rf"\1{MASK}",
    ),
    (
        ("key", "token", "pass"),
        r"(\b(?:[\w.-]{0,60}[-_](?:key|token)|[\w.-]{0,60}passw(?:or)?d|token)\s+)"
        r"(?=\S*\d)(?=\S*[A-Z])[\w+/=.~-]{16,}",
        rf"\1{MASK}",
    ),
    ((" -u", " --user"), r"(\s(?:-u|--user)[\s=]*['\"]?[^\s:'\"]+):[^\s'\"]+", rf"\1:{MASK}"),
    (
        ("mysql", "mariadb"),
        rf"(\b(?:mysql|mariadb|mysqldump|mysqladmin)\b[^|;&\n]*?\s-p){_VALUE}",
        rf"\1{MASK}",
    ),
    (
        ("sshpass", "redis-cli", "login"),
        rf"(\b(?:sshpass|redis-cli|login)\b[^|;&\n]*?\s-[pa]\s*){_VALUE}",
        rf"\1{MASK}",
    ),
    (
        ("sqlcmd", "zip"),
        rf"(\b(?:sqlcmd|bcp|zip|unzip)\b[^|;&\n]*?\s(?-i:-P)\s*){_VALUE}",
        rf"\1{MASK}",
    ),
    (
        ("htpasswd",),
        rf"(\bhtpasswd\s(?:[^|;&\n]*?\s)?-\w*(?-i:b)\w*\s+\S+\s+\S+\s+){_VALUE}",
        rf"\1{MASK}",
    ),
    (("enc ",), rf"(\bopenssl\s+enc\b[^|;&\n]*?\s-k\s+){_VALUE}", rf"\1{MASK}"),
    (
        ("vault ",),
        rf"(\bvault\s+(?:kv\s+(?:put|patch)|write)\s+(?:-\S+\s+)*\S+\s+){_VALUE}(?:\s+{_VALUE})*",
        rf"\1{MASK}",
    ),
    (("--from-literal",), rf"(--from-literal[=\s]+['\"]?[^\s=]+=){_VALUE}", rf"\1{MASK}"),
    (("_pat", "pat="), rf"(?<![\w.])((?:[\w.-]{{0,60}}_)?PAT=){_VALUE}", rf"\1{MASK}"),
    (("pass:",), rf"(\bpass:){_VALUE}", rf"\1{MASK}"),
    (
        ("password-stdin", "sudo"),
        rf"(\b(?:echo|printf)\s+(?:-\w+\s+)*(?:['\"]%s(?:\\n)?['\"]\s+)?){_VALUE}"
        r"(?=[^|;&\n]*\|[^|;&\n]*(?:--password-stdin|\bsudo\s(?:[^|;&\n]*\s)?-\w*(?-i:S)))",
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
        ("gh", "glp", "xox", "xapp-", "aiza", "npm_", "pypi-", "hf_", "dop_v1_", "shpat_",
         "lin_api_", "dckr_pat_", "age-secret-key-"),
        r"\b(?:gh[pousr]_|github_pat_|glp\w{1,3}-|xox[abeoprs][.-]|xapp-|AIza|npm_|pypi-|hf_|dop_v1_"
        r"|shpat_|lin_api_|dckr_pat_|AGE-SECRET-KEY-)[\w-]{10,}",
        MASK,
    ),
    (("ya29.", "sg."), r"\b(?:ya29\.[\w-]{10,}|SG\.[\w-]{16,}\.[\w-]{16,})", MASK),
    (("akia", "asia"), r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}", MASK),
    (
        ("hooks.slack.com", "/api/webhooks/"),
        r"(\b(?:hooks\.slack\.com/\w+|/api/webhooks)/)[^\s'\"]+",
        rf"\1{MASK}",
    ),
    (("sig=",), r"([?&]sig=)[^\s'\"&]+", rf"\1{MASK}"),
)  # fmt: skip
"""Words of which one must be there, a pattern, and what to put in its place.

The words spare the hook most patterns: to compile them all takes longer than everything else."""

_SECRET_NAMES = frozenset(
    ("KEY", "APIKEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "PWD",
     "CREDENTIAL", "CREDENTIALS", "PAT")
)  # fmt: skip
_SHORTEST = 8


def masked(text: str) -> str:
    """The text with the values of what looks like secrets replaced by `***`."""
    if not text:
        return text
    for value in _values_of_the_environment():
        text = text.replace(value, MASK)
    for words, pattern, into in _SECRETS:
        lower = text.lower()
        if any(word in lower for word in words):
            text = re.sub(pattern, into, text, flags=re.IGNORECASE | re.DOTALL)
    return text


def _values_of_the_environment() -> list[str]:
    """The values of variables whose names speak of secrets: a command may print them as they are.

    Words, numbers and paths are none: `postgres` as a password would hide every `postgres`.
    """
    found = [
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST
        and not _SECRET_NAMES.isdisjoint(name.upper().split("_"))
        and not (value.isalpha() or value.isdigit() or value[0] in "/~.")
    ]
    return sorted(found, key=len, reverse=True)


def shown(text: str, bound: int) -> str:
    """The text masked, on one line of at most `bound` characters, without control characters."""
    # A secret that the cut divides must still look like one, so the cut comes last; what is far
    # beyond it need not be looked at.
    text = masked(text[: 4 * bound + 4096])
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= bound else line[: bound - 1] + "…"

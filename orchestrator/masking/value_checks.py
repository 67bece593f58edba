"""Checks whether the value that a shape matched is a secret.

A shape matches `password = get_password()` as well as `password = hunter2`. Names, calls,
templates, paths and prose are no secrets.
"""

import re

from orchestrator.masking.lazy_pattern import Pattern

PLACEHOLDER = Pattern(
    r"\$(?!\((?:printf|echo)\b).*|%\w+%|%[sdr(].*|\{.*\}|<.*>?|.*>|\[.*\]|x{3,}|.*\.{2,}.*|\*+|-+"
    r"|(?:your|my|the)[-_ ].*|.*(?:redacted|example|placeholder|changeme|fake_?key).*",
    re.IGNORECASE | re.DOTALL,
)
CODE = Pattern(r".*[(){}\[\]<>$].*|%[sdr(].*|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.DOTALL)
"""A call, a template, an attribute."""
_WORDS = """
none null nil true false undefined str string int bool bytes text optional any required disabled
enabled yes no on off default auto self cls input value password passwd token secret key empty
missing invalid expired denied bearer basic digest hidden varchar char prompt stdin ask via the is
and or to for from in with a an of option flag correct wrong incorrect authentication hash plain
plaintext protected reset forgot ok failed failure error warning username user login admin name
email not unknown unset set strict number object array secretstr
"""
NO_SECRETS = frozenset(_WORDS.split())
_PLAIN_WORD = Pattern(r"[A-Za-z][A-Za-z'\u2019-]*[.,:;!?…]*|\d+")
_SLUG = Pattern(r"(?:[a-z]+\d{0,4}|\d{1,4}[a-z]?)(?:[-_](?:[a-z]+\d{0,4}|\d{1,4}[a-z]?))+[.:!?]*")
_UUID = Pattern(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PATH_SHAPE = Pattern(r"(?:~|\.{1,2})?(?:/[\w.@-]+)+/?|[A-Za-z]:[\\/].*")
_PATH_ROOT = Pattern(
    r"(?:~|\.{1,2})/.*|/(?:home|root|users|etc|var|run|tmp|opt|usr|srv|mnt|media|app|apps|data|private|work\w*"
    r"|secrets?|library|volumes|s?bin|dev|proc|sys|keys?|certs?|config|code|src|builds?|path|project\w*|repo\w*|api|v\d)(?:/.*)?"
    r"|.*\.[a-z]\w{0,9}",
    re.IGNORECASE,
)
"""A path that begins as paths usually do, or that ends in a suffix."""
_NAMES = Pattern(
    r"[a-z]+[A-Z][A-Za-z]*|[A-Z][a-z]+(?:[A-Z][a-z]+)+!?|[A-Z][A-Z_]+|[a-z]+(?:_[a-z]+)+\d{0,2}"
    r"|[a-z]{1,2}\d+|(?:pass\w*|pw|key|token|secret|val\w*|arg\w*|param\w*|text|data|str\w*)\d*"
    r"|https?://\S+|[a-z]+(?:-[a-z]+)+|[A-Z][a-z]+(?:-[A-Z][A-Za-z]+)+|[a-z][\w-]{1,30}=[\w%].*"
)
"""Identifiers and constants in code, and slugs."""


def is_path(value: str) -> bool:
    """Return whether a value is a path, and no password that begins with `/`, `~` or `.`."""
    if not _PATH_SHAPE.fullmatch(value):
        return False
    generated = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return not generated or bool(_PATH_ROOT.fullmatch(value)) or value[1:2] == ":"


def is_prose(value: str) -> bool:
    """Return whether a text has several words, most of them plain words or numbers."""
    words = value.split()
    plain = [word for word in words if _PLAIN_WORD.fullmatch(word)]
    return len(words) > 1 and len(plain) >= 0.6 * len(words)


def is_literal(value: str) -> bool:
    """Return whether a quoted value is a secret, and no template, path, name or prose."""
    return (
        len(value) >= 4
        and value.lower() not in NO_SECRETS
        and value[0] not in " \t)]},;"
        and not PLACEHOLDER.fullmatch(value)
        and not is_path(value)
        and not _NAMES.fullmatch(value)
        and not is_prose(value)
        and not re.search(r"\{\w*\}|%\(|\$\(|\$\{", value)
        and not (value.isalpha() and value.isascii() and len(value) <= 15)
    )


def is_word(value: str) -> bool:
    """Return whether a value named as a password is one, even if it is a plain word."""
    return value.isalnum() and value.lower() not in NO_SECRETS and not value[0].isupper()


def is_bare(value: str) -> bool:
    """Return whether an unquoted value is a secret, and no name, path or code."""
    mixed = re.search(r"\d", value) and re.search(r"[^\W\d_]", value)
    symbols = re.search(r"[!@#^*~?+=/&§€%-]", value) and re.search(r"\w", value)
    return (
        len(value) >= 6
        and bool(mixed or symbols)
        and value.lower().strip("!?") not in NO_SECRETS
        and not any(each.fullmatch(value) for each in (CODE, PLACEHOLDER, _NAMES))
        and not is_path(value)
    )


def is_random(value: str) -> bool:
    """Return whether a value looks randomly generated."""
    return (
        len(value) >= 16
        and bool(re.search(r"\d", value) and re.search(r"[A-Za-z]", value))
        and not any(each.fullmatch(value) for each in (CODE, PLACEHOLDER, _NAMES, _UUID))
        and not is_path(value)
        and not re.search(r"://|\.(?:py|js|ts|json|ya?ml|txt|pem|crt)$", value)
        and not re.fullmatch(r"[a-z]+(?:[-_][a-z]+)*(?:[-_]?\d{1,4})?(?:[-_][a-z]+)*", value)
    )


def is_scrambled(value: str) -> bool:
    """Return whether a value is generated, and too short for `is_random`: it has no syllable."""
    return (
        len(value) >= 10
        and is_key(value)
        and not re.search(r"[a-z]{3}|[A-Z]{4}", value)
        and not CODE.fullmatch(value)
    )


def is_slug(value: str) -> bool:
    """Return whether a value is made of lower-case words and short numbers: `hash_v2_rounds12`."""
    return bool(_SLUG.fullmatch(value) and re.search(r"[a-z]{4}", value))


def is_given(value: str) -> bool:
    """Return whether a value in the place of a secret is one, and no variable or placeholder."""
    plain = value.strip("\"'[]")
    return (
        bool(plain)
        and plain.lower() not in NO_SECRETS
        and not PLACEHOLDER.fullmatch(plain)
        and not is_path(plain)
        and not re.fullmatch(r"\(.*|[A-Z][A-Z_]*|[a-z]+\(.*|[a-z]+:[\w/:.-]+/[\w/:.-]+", plain)
    )


def is_pair(value: str) -> bool:
    """Return whether the value of a cookie or of a setting looks generated."""
    return len(value) >= 8 and bool(re.search(r"\d", value) and re.search(r"[A-Za-z]", value))


def is_key(value: str) -> bool:
    """Return whether a value has upper case, lower case and digits, as no hexadecimal hash has."""
    return all(re.search(kind, value) for kind in ("[A-Z]", "[a-z]", r"\d"))

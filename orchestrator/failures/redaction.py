"""Takes secrets out of what leaves the machine, and out of what is kept of a run.

Three sources say what a secret is: detect-secrets' plugins, with patterns of our own where those
find too little; the project's patterns (`redaction.patterns`); and the values of environment
variables whose names speak of secrets. detect-secrets' plugins for high entropy and for public
addresses are left out: hashes, node ids and versions are what a failure's evidence is made of.

It comes before any cut to size, so that no half of a secret survives one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from orchestrator.models import REDACTED, AgentResult, Case, SuiteReport
from teacher.models import Failure

SHORTEST: Final = 8
"""Characters that a value of the environment has at least to count as a secret."""

_REMEMBERED: Final = 12
"""Characters from which on a secret that was found once is replaced wherever it stands."""

_PIECE: Final = 4 * 1024 * 1024
_LINE_BOUND: Final = 1_000
_OVERLAP: Final = 300

_NAMES: Final = re.compile(
    r"(?:^|_)(?:KEY|APIKEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|PAT)(?:_|$)"
)
_NAMED_IN_VALUE: Final = re.compile(r"(?:^|\s)-{1,2}([A-Za-z][\w-]*)|([A-Za-z][\w-]*)\s*=")
"""Options and settings that the value of a variable names."""
_SECRET_WORDS: Final = re.compile(
    r"pass|pw|auth|token|secret|key|cred|bearer|cookie|session", re.IGNORECASE
)
"""Parts of names of what may hold a secret; what they hit in vain is not written down either."""

_NO_VALUE: Final = re.compile(r"[/~.].*|true|false|disabled|enabled|\d+", re.IGNORECASE)

_BEGIN: Final = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_END: Final = r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"

_OWN: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "private key",
            rf"{_BEGIN}(?:[\w+/=\s\\:,.\"'>|-]{{0,8000}}?{_END}|[A-Za-z0-9+/=\s\\\"'-]*)",
        ),
        ("private key", rf"(?m)^(?:[+ -]?[A-Za-z0-9+/=]{{1,80}}[ \r]*\n){{1,400}}[+ -]?{_END}"),
        ("json web token", r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"),
        ("api key", r"\b(?:sk|pk|rk)[-_](?:ant|live|test|proj|or|svcacct|lf)[-_][\w-]{12,}"),
        ("api key", r"\bsk-[A-Za-z0-9]{32,}"),
        ("github token", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
        ("google key", r"\bAIza[\w-]{30,}|\bya29\.[\w-]{20,}"),
        (
            "token",
            r"\b(?:hf_|npm_|dop_v1_|shpat_|lin_api_|dckr_pat_|pypi-|xapp-|xoxe[.-])[\w-]{16,}",
        ),
        ("slack token", r"\bxox[abeoprs]-[\w-]{10,}"),
        ("password", r"://[^\s:/@'\"<>]*:([^\s/'\"@<>\[]{3,})@"),
        (
            "authorization",
            r"(?i)\bauthorization\b['\"]?\s*[:=,]\s*['\"]?(?:bearer|basic|token|digest)\s+"
            r"([\w.~+/=-]{8,})",
        ),
        ("authorization", r"\bBearer\s+([\w.~+/-]{16,}=*)"),
        (
            "secret",
            r"(?i)(?:api|access|auth|account|private|secret|signing|encryption|client)[\w-]*[_-]?"
            r"(?:key|token|secret)\w*['\"]?\s*[:=]\s*['\"]?(?=[^\s'\"]*\d)(?=[^\s'\"]*[A-Za-z])"
            r"([A-Za-z0-9+/_~=-]{16,})(?![\w.(\[])",
        ),
        (
            "secret",
            r"(?i)(?<![A-Za-z])(?:token|secret)['\"]?\s*[:=]\s*['\"]?(?=[^\s'\"]*\d)"
            r"(?=[^\s'\"]*[A-Za-z])([A-Za-z0-9+/_~=-]{16,})(?![\w.(\[])",
        ),
        (
            "password",
            r"(?i)(?:password|passwd|passphrase|pwd)\w*['\"]?\s*[:=]\s*(?=[^\s'\"]*\d)"
            r"(?=[^\s'\"]*[A-Za-z])([^\s'\",;()\[\]{}<>]{8,})(?![\w.(\[])",
        ),
    )
)
_SUSPICIOUS: Final = re.compile(
    r"[\w+/=.~-]{12}|://|pass|pwd|contrase|secret|key|token|authori", re.IGNORECASE
)
"""What stands in each line that one of the patterns for single lines could fit."""

_KEYWORDS: Final = re.compile(r"pass|secret|key|pwd|contrase", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[a-z_ .:-]{0,15}|.*[\s{}<>$()%].*|\[?redacted.*|.*\*\*.*|x+|\.+")
"""What stands for a password in code that has none: a word, a template, a call, stars."""


class Redactor:
    """Replaces secrets by placeholders; the same secret by the same placeholder.

    Args:
        patterns: the project's own regular expressions; a group, if there is one, is the secret.
        environment: variables whose values are secrets if their names say so.
    """

    def __init__(
        self, patterns: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._patterns = tuple(("project's secret", re.compile(each)) for each in patterns)
        self._known = {
            value: f"value of {name}"
            for name, value in (environment or {}).items()
            if len(value) >= SHORTEST and _NAMES.search(name) and not _NO_VALUE.fullmatch(value)
        }

    def text(self, text: str) -> str:
        """The text with a placeholder for each secret."""
        if not text:
            return text
        found: dict[str, str] = {}
        for secret, kind in self._secrets(_in_windows(text)):
            known = self._known.get(secret, kind)
            found.setdefault(secret, known)
            if len(secret) >= _REMEMBERED:
                self._known.setdefault(secret, known)
        # The longest first: one secret may be a part of another.
        for secret in sorted({**found, **self._known}, key=len, reverse=True):
            if secret in text:
                kind = found.get(secret) or self._known[secret]
                text = text.replace(secret, f"{REDACTED}{kind}]")
        return text

    def finds_secret_in_variable(self, name: str, value: str) -> bool:
        """Return whether a variable may hold a secret: by its name, its value, or options in it.

        An option's name is enough (`--token x`): what a person calls a token need not look like
        one.
        """
        options = (match[1] or match[2] for match in _NAMED_IN_VALUE.finditer(value))
        return any(map(_SECRET_WORDS.search, (name, *options))) or self.text(value) != value

    def agent(self, result: AgentResult) -> AgentResult:
        """What an agent said, without secrets."""
        return replace(
            result,
            message=self.text(result.message),
            stderr_tail=self.text(result.stderr_tail),
            denials=tuple(map(self.text, result.denials)),
        )

    def report(self, report: SuiteReport) -> SuiteReport:
        """What a suite said, without secrets."""
        message, output = self.text(report.message), self.text(report.output)
        cases = tuple(map(self._case, report.cases))
        forged = tuple(map(self.text, report.forged))
        return replace(report, cases=cases, message=message, output=output, forged=forged)

    def _case(self, case: Case) -> Case:
        if not (case.message or case.detail or case.raised):
            return case
        raised = tuple(replace(each, message=self.text(each.message)) for each in case.raised)
        message, detail = self.text(case.message), self.text(case.detail)
        return replace(case, message=message, detail=detail, raised=raised)

    def failure(self, failure: Failure) -> Failure:
        """A failure that can leave the machine."""
        return replace(
            failure,
            summary=self.text(failure.summary),
            task=self.text(failure.task),
            diff=self.text(failure.diff),
            logs=self.text(failure.logs),
            context=self.text(failure.context),
            cases=tuple(map(self.text, failure.cases)),
        )

    def file(self, path: Path) -> int:
        """Replace the secrets in a file, if there are any; give how many were replaced."""
        draft = path.with_suffix(".redacted")
        count, changed = 0, False
        with path.open("rb") as source, draft.open("wb") as target:
            while piece := source.read(_PIECE):
                piece += source.readline()
                text = piece.decode("utf-8", "surrogateescape")
                redacted = self.text(text)
                count += redacted.count(REDACTED) - text.count(REDACTED)
                changed = changed or redacted != text
                target.write(redacted.encode("utf-8", "surrogateescape"))
        if changed:
            draft.replace(path)
        else:
            draft.unlink()
        return count

    def _secrets(self, text: str) -> Iterator[tuple[str, str]]:
        lines = _suspicious_lines(text)
        for kind, pattern in (*self._patterns, *_OWN):
            if kind == "private key" and "PRIVATE KEY" not in text:
                continue
            whole = kind == "private key" or (kind, pattern) in self._patterns
            for match in pattern.finditer(text if whole else lines):
                secret = next((group for group in match.groups() if group), match[0])
                if secret.strip() and REDACTED not in secret:
                    yield secret, kind
        for kind, find in _plugins():
            for secret in find(lines):
                if secret.strip() and REDACTED not in secret:
                    yield secret.strip(' \t\r\n=:"'), kind
        for secret in _passwords(lines):
            yield secret, "password"


def _in_windows(text: str) -> str:
    """The text with overlong lines laid out in pieces that overlap.

    Patterns take a time that grows with the square of a line's length. What they find is replaced
    in the text itself, so the pieces are only for looking.
    """
    if len(text) <= _LINE_BOUND or all(len(line) <= _LINE_BOUND for line in text.splitlines()):
        return text
    return "\n".join(
        line[at : at + _LINE_BOUND]
        for line in text.splitlines()
        for at in range(0, max(len(line), 1), _LINE_BOUND - _OVERLAP)
    )


def _suspicious_lines(text: str) -> str:
    """The different lines that a secret could stand in. A large diff has few of them."""
    return "\n".join(line for line in dict.fromkeys(text.splitlines()) if _SUSPICIOUS.search(line))


def _passwords(text: str) -> Iterator[str]:
    """What stands in quotes beside a word for a secret, as detect-secrets finds it in code."""
    find = _keyword_plugin()
    for line in text.splitlines():
        if not _KEYWORDS.search(line):
            continue
        for secret in find(line):
            if len(secret) >= 6 and not _PLAIN.fullmatch(secret):
                yield secret


@cache
def _keyword_plugin() -> Callable[[str], Iterator[str]]:
    from detect_secrets.plugins.keyword import KeywordDetector

    return KeywordDetector().analyze_string


@cache
def _plugins() -> tuple[tuple[str, Callable[[str], Iterator[str]]], ...]:
    """The plugins by what they find. They are called directly, so no global setting matters."""
    from detect_secrets.plugins import (
        artifactory,
        aws,
        azure_storage_key,
        cloudant,
        discord,
        github_token,
        gitlab_token,
        ibm_cloud_iam,
        ibm_cos_hmac,
        mailchimp,
        npm,
        openai,
        pypi_token,
        sendgrid,
        slack,
        softlayer,
        square_oauth,
        stripe,
        telegram_token,
        twilio,
    )

    plugins = (
        aws.AWSKeyDetector(),
        azure_storage_key.AzureStorageKeyDetector(),
        cloudant.CloudantDetector(),
        discord.DiscordBotTokenDetector(),
        ibm_cloud_iam.IbmCloudIamDetector(),
        ibm_cos_hmac.IbmCosHmacDetector(),
        mailchimp.MailchimpDetector(),
        openai.OpenAIDetector(),
        pypi_token.PypiTokenDetector(),
        sendgrid.SendGridDetector(),
        softlayer.SoftlayerDetector(),
        square_oauth.SquareOAuthDetector(),
        stripe.StripeDetector(),
        telegram_token.TelegramBotTokenDetector(),
        twilio.TwilioKeyDetector(),
    )
    # Some patterns have groups for less than the secret: the whole match is what must go.
    whole = (
        artifactory.ArtifactoryDetector(),
        github_token.GitHubTokenDetector(),
        gitlab_token.GitLabTokenDetector(),
        npm.NpmDetector(),
        slack.SlackDetector(),
    )
    return (
        *((plugin.secret_type.lower(), plugin.analyze_string) for plugin in plugins),
        *((plugin.secret_type.lower(), _whole(plugin.denylist)) for plugin in whole),
    )


def _whole(patterns: Sequence["re.Pattern[str]"]) -> Callable[[str], Iterator[str]]:
    def find(text: str) -> Iterator[str]:
        for pattern in patterns:
            for match in pattern.finditer(text):
                if re.search(r"\d", match[0]):
                    yield match[0]

    return find

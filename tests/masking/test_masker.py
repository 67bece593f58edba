"""Secrets are masked; what is no secret is left."""

import base64
import json
import random
import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.failures.record_masking import mask_agent
from orchestrator.masking import REDACTED, Masker, mask_line
from orchestrator.models import AgentOutcome, AgentResult

LETTERS = string.ascii_letters + string.digits
ROOT = Path(__file__).parent.parent.parent


def made(length: int, alphabet: str = LETTERS) -> str:
    """Return what looks like a secret, the same in every run."""
    chance = random.Random(length)  # noqa: S311 -- repeatable, not secret
    return "a1B" + "".join(chance.choices(alphabet, k=length - 3))


def low(length: int) -> str:
    return f"a1b{made(length, 'abcdef0123456789')[3:]}"


def jwt() -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "Jo"}]
    coded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*coded, made(43)])


def pem(kind: str = "RSA ") -> str:
    lines = "\n".join(made(64) for _ in range(6))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


KINDS = {
    "aws key id": ("+key = {}", "AKIA" + "ABCDEFGH23456789"),
    "aws secret, quoted": ("+aws_secret_access_key = '{}'", made(40)),
    "aws secret, bare": ("+aws_secret_access_key = {}", made(40)),
    "github": ("token {}", "ghp_" + made(36)),
    "github, fine": ("E   {}", "github_pat_" + made(60)),
    "gitlab": ("url = glpat: {}", "glpat-" + made(20)),
    "slack": ("E   AssertionError: {}", "xoxb-123456789012-123456789012-" + made(24)),
    "slack hook": ("post to {}", f"https://hooks.slack.com/services/T0AB12CD/B0AB12CD/{made(24)}"),
    "stripe": ("+    key={}", "sk_live_" + made(24)),
    "anthropic": ("+ANTHROPIC_API_KEY={}", "sk-ant-api03-" + made(80)),
    "openai": ("k='{}'", "sk-" + made(20) + "T3BlbkFJ" + made(20)),
    "openai project": ("k='{}'", "sk-proj-" + made(48)),
    "google": ("+  apiKey: '{}',", "AIza" + made(35)),
    "sendgrid": ("{}", f"SG.{made(22)}.{made(43)}"),
    "twilio": ("sid {} x", "SK" + low(32)),
    "mailchimp": ("{}", low(32) + "-us12"),
    "npm": ("//registry.npmjs.org/:_authToken={}", "npm_" + made(36)),
    "pypi": ("password = {}", "pypi-AgEIcHlwaS5vcmc" + made(80)),
    "jwt": ("cookie: session={}; path=/", jwt()),
    "basic": ("DATABASE_URL=postgres://app:{}@db.internal:5432/x", made(14)),
    "bearer": ("Authorization: Bearer {}", made(40)),
    "basic header": ('{{"Authorization": "Basic {}"}}', made(24)),
    "password": ('+    password="{}",', "Tr0ub4dor&3x"),
    "password, bare": ("DB_PASSWORD={}", "hunter2hunter2"),
    "client secret": ('"client_secret": "{}"', made(32)),
    "azure": ("AccountKey={}", made(86) + "=="),
    "telegram": ("bot {}", "123456789:" + made(35)),
    "discord": ("{}", f"M{made(23)}.{made(6)}.{made(27)}"),
    "hugging face": ("login {}", "hf_" + made(34)),
    "digital ocean": ("{}", "dop_v1_" + low(64)),
    "private key": ("{}", pem()),
    "openssh key": ("{}", pem("OPENSSH ")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_secret_passes(kind: str) -> None:
    line, secret = KINDS[kind]
    text = f"before it\n{line.format(secret)}\nafter it\n"
    redacted = Masker().mask(text)
    for part in secret.split("\n"):
        if not part.startswith("-----"):
            assert part not in redacted
    assert REDACTED in redacted
    assert redacted.startswith("before it\n")
    assert redacted.endswith("after it\n")
    assert Masker().mask(redacted) == redacted


def test_a_private_key_in_a_diff_and_one_that_was_cut() -> None:
    key = pem()
    diff = "".join(f"+{line}\n" for line in key.splitlines())
    for text in (diff, key[: len(key) // 2], key[len(key) // 2 :]):
        redacted = Masker().mask(text)
        assert all(line not in redacted for line in key.splitlines()[2:3] + key.splitlines()[5:6])


def test_values_of_secret_looking_variables() -> None:
    environment = {
        "DEPLOY_TOKEN": "correct horse",
        "MY_KEY": "short",
        "SSH_KEY": "/home/dev/.ssh/key",
        "TOKENIZERS_PARALLELISM": "whatever it is",
        "HOME": "/home/developer",
    }
    text = "correct horse, short, /home/dev/.ssh/key, whatever it is, /home/developer"
    redacted = Masker(environment=environment).mask(text)
    assert redacted == text.replace("correct horse", "[redacted: value of DEPLOY_TOKEN]")


def test_patterns_of_the_project() -> None:
    masker = Masker([r"ACME-\d{4}", r"customer=(\w+)"])
    assert masker.mask("ACME-1234 customer=jones") == (
        "[redacted: project's secret] customer=[redacted: project's secret]"
    )


def test_one_secret_has_one_placeholder_also_where_nothing_hints_at_it() -> None:
    masker = Masker()
    assert masker.mask('password = "Tr0ub4dor&3x"') == 'password = "[redacted: password]"'
    assert masker.mask("E  Tr0ub4dor&3x is wrong") == "E  [redacted: password] is wrong"


def test_an_agents_words() -> None:
    said = AgentResult(AgentOutcome.COMPLETED, "the key is ghp_" + made(36))
    assert mask_agent(Masker(), said).message == "the key is [redacted: github token]"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTEST_ADDOPTS", "-q --token=sk-ant-api03-a1B2c3D4e5F6g7H8"),
        ("PYTEST_ADDOPTS", "--service-password hunter2"),
        ("PYTEST_ADDOPTS", "-o api_key=abc"),
        ("PYTEST_ADDOPTS", "--base-url https://me:pa55word@example.org/"),
        ("PYTEST_SECRET", "x"),
        *(("PYTEST_ADDOPTS", f"--{option} hunter2") for option in ("auth", "pw", "dbpassword")),
        ("GIT_CONFIG_VALUE_0", f"AUTHORIZATION: basic {made(24)}"),
        ("PIP_INDEX_URL", f"https://user:{made(14)}@pip.example.org/simple"),
    ],
)
def test_a_variable_that_may_hold_a_secret(name: str, value: str) -> None:
    assert Masker().is_secret_variable(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTEST_ADDOPTS", "-q -k token --durations=5 -p no:cacheprovider -o addopts="),
        ("PYTHONPATH", "/srv/token-service/src:/home/me/keys"),
        ("PYTHONHASHSEED", "0"),
        ("GIT_DIR", "/srv/repositories/a.git"),
        ("PYTEST_PLUGINS", "shop.fixtures,pytest_secrets"),
    ],
)
def test_a_variable_without_a_secret(name: str, value: str) -> None:
    assert not Masker().is_secret_variable(name, value)


def test_what_is_no_secret_stays() -> None:
    """At least 99 of 100 characters of a real diff, and hashes, ids and code about secrets."""
    harmless = [
        "commit 3f2b9c1d7e8a4b5c6d7e8f9a0b1c2d3e4f5a6b7c",
        "tests/test_auth.py::test_token[abc123-True] PASSED",
        "password = get_password(user)",
        "self.password = hash_password(raw, rounds=12)",
        'parser.add_argument("--api-key", help="key of the API")',
        'token = request.headers["X-Token"]',
        "E   KeyError: 'secret_key'",
        "index 83db48f..bf269f4 100644",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "session = 550e8400-e29b-41d4-a716-446655440000",
        "<Model object at 0x7f11c0a2d8e0>",
        "secret_key=settings.SECRET_KEY",
        'os.environ["ANTHROPIC_API_KEY"]',
        'password: "must have 8 characters"',
        "Never log the password hash_v2_rounds12 in the handler.",
        "password reset_token_expires_in_3600s",
        "GPIO_PIN=13 make",
        "docker run -u 1000:1000 -p 8080:80 image",
        "docker pull x@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        '"integrity": "sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17L=="',
        "login(user=user, password=password)",
        "tests/test_x.py:1200:note:foo:bar9baz",
        "https://example.com:8080/path@2",
    ]
    for line in harmless:
        assert Masker().mask(line) == line
    done = subprocess.run(
        ["git", "diff", "--no-index", "tests", "teacher"],  # no history, which grows
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    text = done.stdout.decode("utf-8", "replace")[-400_000:]
    assert len(text) > 100_000
    removed = len(text) - len(Masker().mask(text).replace(REDACTED, ""))
    assert abs(removed) <= 0.01 * len(text)


@given(st.text(max_size=300))
def test_any_text_can_be_redacted_twice(text: str) -> None:
    once = Masker().mask(text)
    assert Masker().mask(once) == once


@pytest.mark.parametrize("lines", [24, 2_000])
@pytest.mark.parametrize("line", ["+AAAA", "++++", "-ab=", " word"])
def test_words_beside_a_private_key_take_no_time(line: str, lines: int) -> None:
    # A pattern that may read the sign of a diff in two ways would take hours for 24 lines.
    text = f"private key\n{line}\n" + f"{line}\n" * lines + "x"
    assert Masker().mask(text) == text


@pytest.mark.parametrize("before", [0, 3_500, 9_000])
@pytest.mark.parametrize("name", ["client-key-data: ", "Authorization: Negotiate ", "TOKEN="])
def test_no_end_of_a_long_secret_survives(name: str, before: int) -> None:
    secret = made(6_000)
    masked = Masker().mask("x" * before + f" {name}{secret}")
    assert [at for at in range(0, len(secret), 12) if secret[at : at + 12] in masked] == []


def test_what_only_looks_like_a_placeholder_is_masked() -> None:
    token = "ghp_" + made(36)
    assert token not in Masker().mask(f"token is [redacted: {token}]")


def test_an_identifier_is_masked_alike_whatever_texts_have_told() -> None:
    masker = Masker()
    before = masker.mask_identifier("test_login[hunter2hunter2]")
    assert masker.mask('password = "hunter2hunter2"') == 'password = "[redacted: password]"'
    assert masker.mask_identifier("test_login[hunter2hunter2]") == before


def test_half_a_secret_at_the_place_of_a_cut_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "correct-Horse-9battery-staple")
    for blanks in range(4_860, 4_900):
        assert "correct" not in mask_line(" " * blanks + "correct-Horse-9battery-staple", 200)

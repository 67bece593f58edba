"""What the hook writes of a command holds no secret, and is one bounded line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.writeahead.masking import masked, shown

SECRET = "s3cr3tValue123456"


@pytest.mark.parametrize(
    "text",
    [
        f"API_KEY={SECRET} make",
        f"export AWS_SECRET_ACCESS_KEY='{SECRET}'",
        f'DB_PASSWORD="{SECRET} with spaces" ./run',
        f"curl -H 'Authorization: Bearer {SECRET}' https://x",
        f"curl -H 'authorization: Basic {SECRET}' https://x",
        f'curl -H "X-Api-Key: {SECRET}" https://x',
        f"curl -H 'PRIVATE-TOKEN: {SECRET}' https://x",
        f"curl --cookie 'Cookie: session={SECRET}' https://x",
        f"git clone https://user:{SECRET}@example.org/x.git",
        f"psql postgres://user:{SECRET}@db/shop",
        f"redis-cli -u redis://:{SECRET}@cache",
        f"curl -u admin:{SECRET} https://x",
        f"mysql -u root -p{SECRET} shop",
        f"deploy --token {SECRET}",
        f"deploy --password={SECRET}",
        f'{{"client_secret": "{SECRET}"}}',
        f"gh auth login ghp_{SECRET}abcdef",
        f"echo sk-ant-api03-{SECRET}",
        "echo eyJhbGciOiJIUzI1NiJ9.s3cr3tValue123456.abc",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert SECRET not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "rm -rf build",
        "git push --force origin main",
        "curl https://example.org/a:b",
        "ssh user@host",
        "pytest -k author",
        "kubectl delete secret my-secret",
        "ls -u file:x/y"[:5],
        "monkey patch the keyboard",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert masked(text) == text


def test_a_cut_does_not_bare_a_secret() -> None:
    text = "x" * 290 + f" TOKEN={SECRET * 3}"
    assert "s3cr3t" not in shown(text, 300)
    assert len(shown(text, 300)) <= 300


@given(st.text(max_size=300))
def test_one_bounded_printable_line(text: str) -> None:
    line = shown(text, 50)
    assert len(line) <= 50
    assert line.isprintable()

"""What the hook writes of a command holds no secret, and is one bounded line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.masking import REDACTED, mask_line, mask_text

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
        f"DB_PASS={SECRET} make",
        f"SMTP_PASS: {SECRET}",
        f"password: {SECRET}",
        f'api_key = "{SECRET}"',
        f"connect(password = '{SECRET}')",
        f"PASSWORD='a'\"'\"'{SECRET}' ./run",
        f"PASSWORD=a\\ {SECRET} ./run",
        f"TOKEN=$(printf {SECRET}) ./run",
        f"aws configure set aws_secret_access_key {SECRET}",
        f"git push --force https://{SECRET}@example.org/x.git",
        f"sshpass -p {SECRET} ssh host",
        f"docker login -u me -p {SECRET} example.org",
        f"echo {SECRET} | docker login --password-stdin",
        f"openssl rsa -in k -passin pass:{SECRET}",
        f"MY_PAT={SECRET} make",
        f"PAT='{SECRET}' make",
        f"sqlcmd -S db -U sa -P {SECRET}",
        f"zip -r -P {SECRET} x.zip x",
        f"htpasswd -b f user {SECRET}",
        f"htpasswd -cbB f user {SECRET}",
        f"openssl enc -aes-256-cbc -k {SECRET}",
        f"vault kv put secret/x value={SECRET}",
        f"vault kv put secret/x a=b value={SECRET}",
        f"kubectl create secret generic s --from-literal=db={SECRET}",
        f"kubectl create secret generic s --from-literal db={SECRET}",
        f"echo {SECRET} | sudo -S rm -rf x",
        f"printf '%s' {SECRET} | sudo -k -S ls",
        f"curl https://hooks.slack.com/services/T0/B0/{SECRET}",
        f"curl 'https://x/y?sig={SECRET}&v=1'",
        f"Authorization: AWS4-HMAC-SHA256 Credential=x, Signature={SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_are_mask(text: str) -> None:
    assert SECRET not in mask_text(text)
    assert REDACTED in mask_text(text)


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
        "KeyError: 'shop'",
        "--- PASS: TestCheckout (0.00s)",
        "12 passed: fine",
        "kubectl delete secret my-secret-2026-prod",
        "PATH=/bin:/usr/bin make",
        "sqlcmd -S db -Q 'select 1'",
        "echo done | sudo tee x",
        "zip -r x.zip x",
        "unzip -p x.zip x",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert mask_text(text) == text


def test_what_the_environment_keeps_secret_is_masked_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "8f3a-9c7d")
    monkeypatch.setenv("DB_PASSWORD", "postgres")
    monkeypatch.setenv("SSH_KEY", "/home/dev/.ssh/id_ed25519")
    text = "dropdb postgres 8f3a-9c7d /home/dev/.ssh/id_ed25519"
    assert (
        mask_text(text)
        == "dropdb postgres [redacted: value of SHOP_API_KEY] /home/dev/.ssh/id_ed25519"
    )


@pytest.mark.parametrize(
    "piece",
    [
        "key",
        "password: ",
        "mysql ",
        "a-token",
        "'pass'",
        "echo x ",
        "echo x | sudo ",
        "vault write a b ",
        "zip x ",
        "htpasswd -b ",
        "--from-literal a",
        "my_pat",
        "openssl enc -x ",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    # A pattern that goes back and forth would take hours for this.
    assert len(mask_line(piece * 2000, 500)) <= 500


def test_a_cut_does_not_bare_a_secret() -> None:
    text = "x" * 290 + f" TOKEN={SECRET * 3}"
    assert "s3cr3t" not in mask_line(text, 300)
    assert len(mask_line(text, 300)) <= 300


@given(st.text(max_size=300))
def test_one_bounded_printable_line(text: str) -> None:
    line = mask_line(text, 50)
    assert len(line) <= 50
    assert line.isprintable()

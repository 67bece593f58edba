"""The secrets in the variables of an environment."""

from pathlib import Path

import pytest

from orchestrator.masking import Masker
from orchestrator.storage.state_directory import ensure_masking_key

VALUE = "q7Wv-03xLz"
NAMES = """
    PGPASSWORD MYSQL_PWD DB_PASS DB_PASSWD SMTP_PASSWORD REDIS_PASSWORD ADMIN_PW db_password
    mypass AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN SECRET_KEY_BASE SECRET JWT_SECRET APP_KEY
    API_KEY APIKEY OPENAI_API_KEY STRIPE_SK ENCRYPTION_KEY SIGNING_KEY PRIVATE_KEY GH_TOKEN
    GITHUB_PAT NPM_AUTH_TOKEN VAULT_TOKEN BOT_TOKEN GOOGLE_CREDENTIALS CI_CREDS SESSION_KEY
    COOKIE PASSWORD_SALT LOGIN_OTP DOCKER_AUTH SLACK_WEBHOOK HMAC BEARER SENTRY_DSN N8N_API_KEY
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_names_of_secrets(name: str) -> None:
    assert VALUE not in Masker(environment={name: VALUE}).mask(f"it printed {VALUE}.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://app:q7Wv-03xLz@db:5432/shop"),
        ("REDIS_URL", "redis://:q7Wv-03xLz@cache:6379/0"),
        ("SENTRY_DSN", "https://q7Wv-03xLz@o1.ingest.example.org/2"),
    ],
)
def test_secrets_in_addresses(name: str, value: str) -> None:
    masked = Masker(environment={name: value}).mask("login with q7Wv-03xLz failed")
    assert "q7Wv-03xLz" not in masked


@pytest.mark.parametrize(
    "value", ["/3xLz-q7Wv0", "~3xLz-q7Wv0", ".3xLz-q7Wv0", "8364651029", "correct horse battery"]
)
def test_values_of_any_look(value: str) -> None:
    assert value not in Masker(environment={"DB_PASSWORD": value}).mask(f"it printed {value}.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSH_KEY", "/home/dev/.ssh/id_ed25519"),
        ("SSH_AUTH_SOCK", "/tmp/ssh-1/agent.2"),  # noqa: S108 -- a value, and no file
        ("PWD", "/home/dev/project"),
        ("DB_PASSWORD", "postgres"),
        ("USE_AUTH", "disabled"),
        ("TOKENIZERS_PARALLELISM", "whatever"),
        ("KEYBOARD", "de-latin1-nodeadkeys"),
        ("AUTHOR", "Ada Lovelace"),
        ("MY_KEY", "short"),
    ],
)
def test_values_that_are_none(name: str, value: str) -> None:
    text = f"it printed {value}."
    assert Masker(environment={name: value}).mask(text) == text


@pytest.mark.parametrize("text", ["%40b%2Fc-93xLz%25", "QGIvYy05M3hMeiU"])
def test_values_that_programs_write_otherwise(text: str) -> None:
    value = "@b/c-93xLz%"
    assert text not in Masker(environment={"DB_PASSWORD": value}).mask(f"sent {text} there")


def test_tags_tell_secrets_apart_and_need_the_key(tmp_path: Path) -> None:
    one, other = ("test_a[ghp_" + letter * 20 + "12345678]" for letter in "ab")
    key = ensure_masking_key(tmp_path)
    assert ensure_masking_key(tmp_path) == key
    assert (tmp_path / "masking.key").stat().st_mode & 0o777 == 0o600
    masker = Masker(key=key)
    assert masker.mask_identifier(one) == Masker(key=key).mask_identifier(one)
    assert masker.mask_identifier(one) != masker.mask_identifier(other)
    assert masker.mask_identifier(one) != Masker().mask_identifier(one)
    assert masker.mask_identifier("test_a[1]") == "test_a[1]"
    (tmp_path / "masking.key").write_bytes(b"short")
    assert len(ensure_masking_key(tmp_path)) == 32

"""Trust is for one project, key and value, and only this user can give it."""

import json
import stat
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.storage.trust_store import TrustStore

KEY, TEXT = "n8n.webhook_url", '"https://mine.example/"'


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "state")


def test_a_yes_is_for_one_project_key_and_value(store: TrustStore, project: Path) -> None:
    assert not store.is_trusted(project, KEY, TEXT)
    store.remember(project, {KEY: TEXT})
    assert store.is_trusted(project, KEY, TEXT)
    assert not store.is_trusted(project.with_name("copy"), KEY, TEXT)
    assert not store.is_trusted(project, "n8n.token_header", TEXT)
    assert not store.is_trusted(project, KEY, '"https://other.example/"')
    store.remember(project, {KEY: '"https://other.example/"'})
    assert not store.is_trusted(project, KEY, TEXT)


def test_a_yes_can_be_revoked(store: TrustStore, project: Path) -> None:
    store.remember(project, {KEY: TEXT, "tests.guard": '"off"'})
    assert store.revoke(project, "tests.timeout") == []
    assert store.revoke(project, "tests.guard") == ["tests.guard"]
    assert store.is_trusted(project, KEY, TEXT)
    assert store.revoke(project) == [KEY]
    assert not store.is_trusted(project, KEY, TEXT)
    assert store.list_settings() == {}


def test_the_file_is_private_and_has_no_secret(store: TrustStore, project: Path) -> None:
    store.remember(project, {KEY: '"https://me:hunter2Secret9@mine.example/"'})
    path = store.state / "trusted.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.state.stat().st_mode) == 0o700
    assert "hunter2Secret9" not in path.read_text(encoding="utf-8")
    (setting,) = store.list_settings()[str(project)]
    assert (setting.key, "mine.example" in setting.shown) == (KEY, True)


def test_the_trust_of_another_user_is_none(
    store: TrustStore, project: Path, tmp_path: Path
) -> None:
    """Who knows path, key and value still cannot make the digest."""
    theirs = TrustStore(tmp_path / "theirs")
    theirs.remember(project, {KEY: TEXT})
    store.remember(project, {"tests.guard": '"off"'})
    brought = (theirs.state / "trusted.json").read_bytes()
    (store.state / "trusted.json").write_bytes(brought)
    assert not store.is_trusted(project, KEY, TEXT)


def test_a_project_that_contains_the_state_is_not_trusted(project: Path) -> None:
    """A repository could bring the whole state directory with it, with its key."""
    elsewhere = TrustStore(project.parent / "state")
    elsewhere.remember(project, {KEY: TEXT})
    inside = TrustStore(elsewhere.state.rename(project / "state"))
    assert not inside.is_trusted(project, KEY, TEXT)
    with pytest.raises(UsageError, match="is inside the project"):
        inside.remember(project, {KEY: TEXT})
    link = project.parent / "link"
    link.symlink_to(project / "state")
    assert not TrustStore(link).is_trusted(project, KEY, TEXT)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"p": 1}', '{"PROJECT": {"KEY": 1}}', '{"PROJECT": {"KEY": {"digest": ""}}}',
     '{"PROJECT": {"KEY": {"digest": null}}}', '{"PROJECT": {"KEY": {"digest": "\\u00e9"}}}',
     "[" * 100_000, "\x00"],
)  # fmt: skip
def test_a_damaged_file_trusts_nothing(store: TrustStore, project: Path, content: str) -> None:
    store.remember(project, {KEY: TEXT})
    text = content.replace("PROJECT", json.dumps(str(project))[1:-1]).replace("KEY", KEY)
    (store.state / "trusted.json").write_text(text, encoding="utf-8")
    assert not store.is_trusted(project, KEY, TEXT)
    store.list_settings()
    store.remember(project, {KEY: TEXT})
    assert store.is_trusted(project, KEY, TEXT)


def test_a_yes_that_cannot_be_stored_is_an_error(tmp_path: Path, project: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(InfrastructureError, match="state directory"):
        TrustStore(tmp_path / "state").remember(project, {KEY: TEXT})

"""What a run's record has of its configuration: all of it, but for secrets."""

import json
from pathlib import Path

import pytest

from orchestrator.config import Config, load_config
from orchestrator.config.masked_config import ConfigMasker
from orchestrator.errors import UsageError
from orchestrator.masking import Masker

URL = "https://bob:hunter2Suite99@n8n.example/webhook/x"
SECRETS = {
    "agent": {"kind": "command", "command": ["run", "--token=c0nfigPassW0rd77", "{prompt}"]},
    "teacher": {"mode": "webhook"},
    "n8n": {"webhook_url": URL},
    "redaction": {"patterns": ["ours-[0-9]+"]},
}


KEEPER = ConfigMasker(Masker(), b"k" * 32)


def kept(config: Config, file: Path | None = None) -> str:
    return ConfigMasker(Masker(config.redaction.patterns), b"k" * 32).mask_config(config, file)


def load_trusted(project: Path) -> Config:
    return load_config(project, None, (), {}, lambda _: True).config


def test_a_configuration_without_secrets_is_kept_as_it_is(project: Path) -> None:
    config = Config.model_validate({"learning": {"max_retries": 7}, "agent": {"command": ["run"]}})
    assert KEEPER.restore_config(kept(config), project, {}) == config


def test_what_was_not_kept_comes_from_the_project(project: Path) -> None:
    (project / "orchestrator.yaml").write_text(json.dumps(SECRETS), encoding="utf-8")
    config = load_trusted(project)
    text = kept(config)
    assert "c0nfigPassW0rd77" not in text
    assert "hunter2Suite99" not in text
    assert "ours-[0-9]+" in text
    assert KEEPER.restore_config(text, project, {}) == config


def test_or_from_the_environment(project: Path) -> None:
    environment = {"ORCHESTRATOR_N8N_WEBHOOK_URL": URL}
    config = load_config(project, None, (), environment).config
    assert KEEPER.restore_config(kept(config), project, environment) == config
    with pytest.raises(UsageError, match=r"`n8n\.webhook_url` contained a secret") as caught:
        KEEPER.restore_config(kept(config), project, {})
    assert "set ORCHESTRATOR_N8N_WEBHOOK_URL as before" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_or_from_the_file_that_was_named(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(SECRETS), encoding="utf-8")
    config = load_config(project, file, (), {}).config
    assert KEEPER.restore_config(kept(config, file), project, {}) == config


def test_another_value_of_the_same_form_is_not_taken(project: Path) -> None:
    settings = project / "orchestrator.yaml"
    command = "curl -u me:hunter2Suite99 x; pytest"
    settings.write_text(json.dumps({"tests": {"command": command}}), encoding="utf-8")
    text = kept(load_trusted(project))
    assert "hunter2Suite99" not in text
    settings.write_text(json.dumps({"tests": {"command": f"{command}; rm x"}}), encoding="utf-8")
    with pytest.raises(UsageError, match=r"`tests\.command` contained a secret"):
        KEEPER.restore_config(text, project, {})


@pytest.mark.parametrize(
    "settings",
    [
        {"agent": {"command": ["bot", "--password", "Tr0ub4dor&3x", "{prompt}"]}},
        {"claude": {"sandbox": {"env": {"API_KEY": "s3cr3tvalue99x"}}}},
    ],
)
def test_a_secret_is_known_by_its_name(project: Path, settings: dict[str, object]) -> None:
    (project / "orchestrator.yaml").write_text(json.dumps(settings), encoding="utf-8")
    config = load_trusted(project)
    text = kept(config)
    assert "Tr0ub4dor" not in text
    assert "s3cr3tvalue99x" not in text
    assert KEEPER.restore_config(text, project, {}) == config

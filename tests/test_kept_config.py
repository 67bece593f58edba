"""What a run's record has of its configuration: all of it, but for secrets."""

import json
from pathlib import Path

import pytest

from orchestrator.config import Config, load
from orchestrator.errors import UsageError
from orchestrator.kept_config import mask_config, recall_config
from orchestrator.masking import Masker

URL = "https://bob:hunter2Suite99@n8n.example/webhook/x"
SECRETS = {
    "agent": {"kind": "command", "command": ["run", "--token=c0nfigPassW0rd77", "{prompt}"]},
    "teacher": {"mode": "webhook"},
    "n8n": {"webhook_url": URL},
    "redaction": {"patterns": ["ours-[0-9]+"]},
}


def kept(config: Config) -> str:
    return mask_config(config, Masker(config.redaction.patterns))


def test_a_configuration_without_secrets_is_kept_as_it_is(project: Path) -> None:
    config = Config.model_validate({"learning": {"max_retries": 7}, "agent": {"command": ["run"]}})
    assert recall_config(kept(config), project, {}) == config


def test_what_was_not_kept_comes_from_the_project(project: Path) -> None:
    (project / "orchestrator.yaml").write_text(json.dumps(SECRETS), encoding="utf-8")
    config = load(project, None, (), {}).config
    text = kept(config)
    assert "c0nfigPassW0rd77" not in text
    assert "hunter2Suite99" not in text
    assert "ours-[0-9]+" in text
    assert recall_config(text, project, {}) == config


def test_or_from_the_environment(project: Path) -> None:
    environment = {"ORCHESTRATOR_N8N_WEBHOOK_URL": URL}
    config = load(project, None, (), environment).config
    assert recall_config(kept(config), project, environment) == config
    with pytest.raises(UsageError, match=r"`n8n\.webhook_url` held a secret") as caught:
        recall_config(kept(config), project, {})
    assert "set ORCHESTRATOR_N8N_WEBHOOK_URL as before" in str(caught.value)
    assert "hunter2" not in str(caught.value)

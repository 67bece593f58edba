"""`config show`: each value with where it came from."""

from typing import Any

import pytest
import yaml

from orchestrator.config import load_config
from tests.cli.conftest import CHECKOUT, Call, Shop


def rows(text: str) -> dict[str, tuple[str, str]]:
    """Key -> (value, origin)."""
    parts = [line.rpartition("  # ") for line in text.splitlines()]
    pairs = [(setting.rstrip().split(": ", 1), origin) for setting, _, origin in parts]
    return {key: (value, origin) for (key, value), origin in pairs}


def test_values_and_origins(call: Call, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("orchestrator.yaml", "learning:\n  max_retries: 2\nclaude:\n  max_turns: 3\n")
    monkeypatch.setenv("ORCHESTRATOR_CLAUDE_MAX_TURNS", "9")
    monkeypatch.chdir(shop.project)
    done = call("config", "show")
    assert (done.code, done.err) == (0, "")
    shown = rows(done.out)
    assert shown["learning.max_retries"] == ("2", f"{shop.project}/orchestrator.yaml:2")
    assert shown["claude.max_turns"] == ("9", "environment ORCHESTRATOR_CLAUDE_MAX_TURNS")
    assert shown["claude.model"] == ("null", "default")
    assert set(shown) == {key for key, _, _ in load_config(shop.project).iter_values()}


def test_what_is_shown_is_the_configuration(call: Call, shop: Shop) -> None:
    file = CHECKOUT / "config.yaml"
    done = call("config", "show", "--project-dir", shop.project, "--config", file)
    assert done.code == 0
    nested: dict[str, Any] = {}
    for key, value in yaml.safe_load(done.out).items():
        section, _, name = key.partition(".")
        if name:
            nested.setdefault(section, {})[name] = value
        else:
            nested[section] = value
    assert (
        type(load_config(shop.project).config).model_validate(nested)
        == load_config(shop.project, file).config
    )


def test_an_unknown_key_is_reported_with_the_nearest(call: Call, shop: Shop) -> None:
    file = shop.write("orchestrator.yaml", "learning:\n  max_retrys: 7\n")
    done = call("config", "show", "--project-dir", shop.project)
    assert done.code == 2
    assert f"{file}:2: unknown key `learning.max_retrys`" in done.err
    assert "did you mean `learning.max_retries`?" in done.err

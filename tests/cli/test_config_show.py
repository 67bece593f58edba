"""`config show`: each value with where it came from."""

import re

import pytest
import yaml

from orchestrator.config import load_config
from tests.cli.conftest import CHECKOUT, Call, Shop


def origins(text: str) -> dict[str, str]:
    """Key -> origin, whether the comment is behind the value or above it."""
    found, section, above = {}, "", ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# ") and stripped.endswith(":"):
            above = stripped[2:-1]
        elif key := re.match(r"( *)([a-z0-9_]+):", line):
            if len(key[1]) == 0:
                section = key[2]
            name = key[2] if len(key[1]) == 0 else f"{section}.{key[2]}"
            origin = line.partition("  # ")[2] or above
            if origin:
                found[name] = origin
            above = ""
    return found


def test_values_and_origins(call: Call, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("orchestrator.yaml", "learning:\n  max_retries: 2\nclaude:\n  max_turns: 3\n")
    monkeypatch.setenv("ORCHESTRATOR_CLAUDE_MAX_TURNS", "9")
    monkeypatch.chdir(shop.project)
    done = call("config", "show")
    assert (done.code, done.err) == (0, "")
    shown, values = origins(done.out), yaml.safe_load(done.out)
    assert values["learning"]["max_retries"] == 2
    assert shown["learning.max_retries"] == f"{shop.project}/orchestrator.yaml:2"
    assert values["claude"]["max_turns"] == 9
    assert shown["claude.max_turns"] == "environment ORCHESTRATOR_CLAUDE_MAX_TURNS"
    assert (values["claude"]["model"], shown["claude.model"]) == (None, "default")
    assert set(shown) == {key for key, _, _ in load_config(shop.project).iter_values()}


def test_what_is_shown_is_the_configuration(call: Call, shop: Shop) -> None:
    file = CHECKOUT / "config.yaml"
    done = call("config", "show", "--project-dir", shop.project, "--config", file)
    assert done.code == 0
    pasted = shop.write("pasted.yaml", done.out)
    shown = load_config(shop.project, pasted).config
    assert shown == load_config(shop.project, file).config


def test_what_is_shown_can_be_pasted_into_the_projects_own_file(
    call: Call, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a: b # no comment\n- x\t\u202e\u00e9 " + "many words " * 20
    shop.configure(
        redaction={"patterns": ["acme-[0-9]+", "a: #b"]},
        agent={"command": ["sh", text, "{prompt}"]},
        failure_sources=[{"name": "manual", "enabled": False}],
        claude={"sandbox": {"enabled": True, "network": {"allow": ["a", None]}}},
    )
    # Only the user may set this: it is a comment, or the file would be refused.
    monkeypatch.setenv("ORCHESTRATOR_STATE_KEEP_DAYS", "7")
    before = load_trusting(shop)
    done = call("config", "show", "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    assert "  # keep_days: 7" in done.out
    assert "not in a project's own file: set ORCHESTRATOR_STATE_KEEP_DAYS" in done.out
    assert "\u202e" not in done.out
    shop.write("orchestrator.yaml", done.out)
    assert load_trusting(shop) == before
    again = call("config", "show", "--project-dir", shop.project)
    assert again.code == 0


def load_trusting(shop: Shop) -> object:
    return load_config(shop.project, is_trusted=lambda _choice: True).config


def test_an_unknown_key_is_reported_with_the_nearest(call: Call, shop: Shop) -> None:
    file = shop.write("orchestrator.yaml", "learning:\n  max_retrys: 7\n")
    done = call("config", "show", "--project-dir", shop.project)
    assert done.code == 2
    assert f"{file}:2: unknown key `learning.max_retrys`" in done.err
    assert "did you mean `learning.max_retries`?" in done.err

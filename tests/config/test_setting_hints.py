"""What an error says to write into the file can be pasted into it."""

import json
import re
from pathlib import Path

import pytest
import yaml

from orchestrator.config import Override, load_config
from orchestrator.config.loading import PROJECT_FILE
from orchestrator.config.schema import Config
from orchestrator.config.setting_hints import complete_hint, find_example, format_setting
from orchestrator.errors import ConfigError

_ALL = [key for key, _, _ in load_config(Path("/nonexistent")).iter_values()]


@pytest.mark.parametrize("key", _ALL)
def test_the_example_of_every_setting_is_valid_and_is_the_text_of_a_file(
    project: Path, key: str
) -> None:
    if "." not in key:
        return
    (project / PROJECT_FILE).write_text(format_setting(key, find_example(key)), "utf-8")
    load_config(project, project / PROJECT_FILE)


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("raise tests.timeout, or name fewer tests in tests.command", "tests: {timeout: 240"),
        ("set rules.target: rules-dir for rules that apply", "rules: {target: rules-dir}"),
        ("or set teacher.mode to webhook; with", "teacher: {mode: webhook}"),
        ("set limits.wait_for_reset to wait", "limits: {wait_for_reset: true}"),
        ("set n8n.webhook_url to the Production URL", 'webhook_url: "https://HOST/webhook/NAME"}'),
        ("set teacher.model to claude-opus-5", "teacher: {model: claude-opus-5}"),
        ("set teacher.model to one of opus", "teacher: {model: claude-"),
        ("raise limits.max_tokens", "limits: {max_tokens: 5000000}"),
        ("add a line, or set rules.mirror", "rules: {mirror: true}"),
    ],
)
def test_a_setting_that_a_hint_names_is_written_out(
    project: Path, hint: str, expected: str
) -> None:
    completed = complete_hint(hint)
    assert completed.startswith(f"{hint}; in orchestrator.yaml: ")
    pasted = completed.rpartition("; in orchestrator.yaml: ")[2]
    assert expected in pasted
    Config.model_validate(yaml.safe_load(pasted))


@pytest.mark.parametrize(
    "hint", ["", "see README.md", "install git", "set ORCHESTRATOR_RULES_TARGET for rules.target"]
)
def test_another_hint_stays_as_it_is(hint: str) -> None:
    assert complete_hint(hint) == hint


@pytest.mark.parametrize("key", ["limits.max_cost_usd", "tests.guard", "rules.mirror"])
def test_a_wrong_value_is_answered_with_one_that_can_be_pasted(project: Path, key: str) -> None:
    section, _, name = key.partition(".")
    file = project / PROJECT_FILE
    file.write_text(f"{section}:\n  {name}: [wrong]\n", "utf-8")
    with pytest.raises(ConfigError) as error:
        load_config(project)
    assert error.value.message.startswith(f"{file}:2: `{key}`: ")
    file.write_text(error.value.hint.removeprefix("as in: "), "utf-8")
    load_config(project)


def test_a_wrong_value_of_the_environment_or_command_line_too(project: Path) -> None:
    name = "ORCHESTRATOR_LIMITS_MAX_COST_USD"
    with pytest.raises(ConfigError, match=rf"\(as in: {name}=10.0\)"):
        load_config(project, environment={name: "much"})
    with pytest.raises(ConfigError, match=r"\(as in: --max-retries 3\)"):
        load_config(
            project, None, [Override("learning.max_retries", "x", "command line --max-retries")], {}
        )


def test_a_key_with_its_section_is_answered_with_both_apart(project: Path) -> None:
    """As an earlier `config show` printed it."""
    file = project / PROJECT_FILE
    file.write_text("tests.command: pytest -x tests\n", "utf-8")
    with pytest.raises(ConfigError, match=re.escape("unknown key `tests.command`")) as error:
        load_config(project)
    pasted = error.value.hint.removeprefix("write the section apart: ")
    assert json.dumps(yaml.safe_load(pasted)) == '{"tests": {"command": "pytest -x tests"}}'
    file.write_text(pasted, "utf-8")
    assert load_config(project).config.tests.command == "pytest -x tests"

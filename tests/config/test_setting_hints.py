"""What an error says to write into the file can be pasted into it."""

import re
from pathlib import Path

import pytest
import yaml

from orchestrator.config import Override, load_config
from orchestrator.config.loading import PROJECT_FILE
from orchestrator.config.schema import Config
from orchestrator.config.setting_hints import complete_hint, find_example, format_entry
from orchestrator.errors import ConfigError


def write_entry(key: str, value: object) -> str:
    """Return the text of a file with a section that has one line."""
    return f"{key.partition('.')[0]}:\n  {format_entry(key, value)}\n"


_ALL = [key for key, _, _ in load_config(Path("/nonexistent")).iter_values()]


@pytest.mark.parametrize("key", _ALL)
def test_the_example_of_every_setting_is_valid_and_is_the_text_of_a_file(
    project: Path, key: str
) -> None:
    if "." not in key:
        return
    (project / PROJECT_FILE).write_text(write_entry(key, find_example(key)), "utf-8")
    load_config(project, project / PROJECT_FILE)


@pytest.mark.parametrize(
    ("hint", "section", "entry"),
    [
        ("set rules.target: rules-dir for rules that apply", "rules", "target: rules-dir"),
        ("or set teacher.mode to claude; with", "teacher", "mode: claude"),
        ("set limits.wait_for_reset to wait", "limits", "wait_for_reset: true"),
        ("set n8n.webhook_url to the URL", "n8n", 'webhook_url: "https://HOST/webhook/NAME"'),
        ("set teacher.model to claude-opus-5", "teacher", "model: claude-opus-5"),
        ("set teacher.model to one of opus", "teacher", "model: claude-sonnet-5-5"),
        ("raise teacher.max_tokens (now 4096)", "teacher", "max_tokens: 8192"),
        ("raise n8n.timeout (now 2.5 s): it", "n8n", "timeout: 5"),
        ("add a line, or set rules.mirror", "rules", "mirror: true"),
    ],
)
def test_a_setting_that_a_hint_names_is_written_out(
    project: Path, hint: str, section: str, entry: str
) -> None:
    completed = complete_hint(hint)
    line = f"{hint}; in the section `{section}:` of orchestrator.yaml: `{entry}`"
    file = project / PROJECT_FILE
    file.write_text(f"{section}:\n  {entry}\n", "utf-8")
    withheld = load_config(project, None, is_trusted=lambda _choice: False).withheld
    assert completed == (f"{line}, then `orchestrator trust`" if withheld else line)
    # A section that `init` has written is not given twice.
    file.write_text(f"tests:\n  command: pytest\n{section}:\n  {entry}\n", "utf-8")
    load_config(project, file)


@pytest.mark.parametrize(
    ("settings", "hint", "place"),
    [
        (
            {"max_cost_usd_per_day": 0.5},
            "or raise limits.max_cost_usd_per_day",
            "in the section `limits:` of orchestrator.yaml: `max_cost_usd_per_day: 1`",
        ),
        (
            {"max_cost_usd_per_day": 200},
            "or raise limits.max_cost_usd_per_day",
            "in the section `limits:` of orchestrator.yaml: `max_cost_usd_per_day: 400`, then "
            "`orchestrator trust`",
        ),
        (
            {"max_tokens": 1000},
            "raise limits.max_tokens",
            "in the section `limits:` of orchestrator.yaml: `max_tokens: 2000`",
        ),
        (
            {"max_cost_usd_per_day": 0.5},
            "or raise limits.max_cost_usd_per_day (1.67 used)",
            "in the section `limits:` of orchestrator.yaml: `max_cost_usd_per_day: 3.34`",
        ),
    ],
)
def test_a_limit_is_raised_from_the_one_in_effect(
    settings: dict[str, float], hint: str, place: str
) -> None:
    config = Config.model_validate({"limits": settings})
    completed = complete_hint(hint, config)
    assert completed.startswith(f"{hint}; {place}")
    name = hint.partition("limits.")[2].partition(" ")[0]
    # Without the value in effect there is no number.
    assert complete_hint(hint) == f"{hint}; see `{name}` in the section `limits:` of {PROJECT_FILE}"


def test_the_origin_of_a_setting_is_named(project: Path) -> None:
    file = project / PROJECT_FILE
    file.write_text("tests:\n  timeout: 20\n", "utf-8")
    environment = {"ORCHESTRATOR_TEACHER_MAX_TOKENS": "100"}
    given = [Override("tests.command", "pytset", "command line --tests")]
    loaded = load_config(project, None, given, environment)

    def complete(hint: str) -> str:
        return complete_hint(hint, loaded.config, loaded.origins).removeprefix(f"{hint}; ")

    assert complete("correct tests.command") == "`tests.command` comes from --tests"
    assert complete("raise teacher.max_tokens").endswith("from ORCHESTRATOR_TEACHER_MAX_TOKENS")
    section = "in the section `tests:` of orchestrator.yaml (now in line 2)"
    assert complete("raise tests.timeout") == f"{section}: `timeout: 40`"
    other = project / "other.yaml"
    file.rename(other)
    loaded = load_config(project, other)
    assert complete("raise tests.timeout").startswith(f"in the section `tests:` of {other} (now")


@pytest.mark.parametrize(
    "hint",
    [
        "",
        "see README.md",
        "install git",
        "set ORCHESTRATOR_RULES_TARGET for rules.target",
        "did you mean `tests.command`?",
        "it is in line 3 of orchestrator.yaml, see tests.command",
    ],
)
def test_another_hint_stays_as_it_is(hint: str) -> None:
    assert complete_hint(hint) == hint


def test_a_hint_is_completed_once() -> None:
    for hint in ("correct tests.command", "raise teacher.max_tokens (now 4096)"):
        for origin in ("", "command line --tests", "environment NAME", "/elsewhere/a.yaml:3"):
            origins = {"tests.command": origin, "teacher.max_tokens": origin}
            completed = complete_hint(hint, Config(), origins)
            assert completed != hint
            assert complete_hint(completed) == completed


@pytest.mark.parametrize("key", ["limits.max_cost_usd", "tests.guard", "rules.mirror"])
def test_a_wrong_value_is_answered_with_one_that_can_be_pasted(project: Path, key: str) -> None:
    section, _, name = key.partition(".")
    file = project / PROJECT_FILE
    file.write_text(f"{section}:\n  {name}: [wrong]\n", "utf-8")
    with pytest.raises(ConfigError) as error:
        load_config(project)
    assert error.value.message.startswith(f"{file}:2: `{key}`: ")
    entry = error.value.hint.removeprefix("as in: ")
    file.write_text(f"{section}:\n  {entry}\n", "utf-8")
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
    pasted = error.value.hint.removeprefix("in the section `tests:`: ").strip("`")
    assert yaml.safe_load(pasted) == {"command": "pytest -x tests"}
    file.write_text(f"tests:\n  {pasted}\n", "utf-8")
    assert load_config(project).config.tests.command == "pytest -x tests"

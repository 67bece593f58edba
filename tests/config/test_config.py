"""The configuration: layers, origins, and one clear line for each mistake."""

from pathlib import Path

import pytest
import yaml

from orchestrator.config import Config, Override, load_config, override_limits
from orchestrator.errors import ConfigError
from teacher.models import FailureType

PUBLISHED = """\
# Teacher LLM mode: "local" (Anthropic SDK) or "webhook" (n8n)
teacher:
  mode: "local"
  model: "claude-3-5-sonnet-20241022"
  max_tokens: 1024

# n8n webhook (only used if teacher.mode is "webhook")
n8n:
  webhook_url: "https://your-instance.app.n8n.cloud/webhook/prompt-learning-teacher"
  timeout: 60

learning:
  max_retries: 3
  auto_retry: true

# Failure sources configuration
failure_sources:
  - name: "pytest"
    type: "automated"
    enabled: true

  - name: "manual"
    type: "user_reported"
    enabled: true

  - name: "semantic"
    type: "llm_analysis"
    enabled: false  # Future feature

# Maps failure types to specialized prompts
failure_prompts:
  test_failure: "default"
  planning_error: "planning_error_system"
  integration_error: "integration_error_system"
  workflow_error: "workflow_error_system"
  architecture_error: "architecture_error_system"

tests:
  framework: "pytest"
  command: "pytest tests/ -v --tb=short"
  timeout: 120

claude:
  max_turns: 15
  output_format: "json"
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "settings.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_published_file_loads_unchanged(project: Path) -> None:
    config = load_config(project, written(project, PUBLISHED), (), {}).config
    for section, values in yaml.safe_load(PUBLISHED).items():
        loaded = config.model_dump(mode="json")[section]
        if isinstance(values, dict):
            assert {key: loaded[key] for key in values} == values
        else:
            assert list(loaded) == values


def test_the_shipped_file_says_what_the_defaults_are() -> None:
    shipped = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
    assert Config.model_validate(shipped) == Config()
    assert shipped.keys() == Config.model_fields.keys()
    for section, values in shipped.items():
        if isinstance(values, dict) and section != "failure_prompts":
            assert values.keys() == type(getattr(Config(), section)).model_fields.keys()


def test_each_value_knows_where_it_came_from(project: Path) -> None:
    (project / "orchestrator.yaml").write_text(
        "learning:\n  max_retries: 1\n  auto_retry: false\nclaude:\n  model: haiku\n",
        encoding="utf-8",
    )
    loaded = load_config(
        project,
        None,
        [Override("claude.model", "opus", "command line --model")],
        {"ORCHESTRATOR_LEARNING_MAX_RETRIES": "7", "ORCHESTRATOR_STATE_DIR": "/nowhere"},
    )
    origins = {key: (value, origin) for key, value, origin in loaded.iter_values()}
    file = project / "orchestrator.yaml"
    assert origins["learning.max_retries"] == (7, "environment ORCHESTRATOR_LEARNING_MAX_RETRIES")
    assert origins["learning.auto_retry"] == (False, f"{file}:3")
    assert origins["claude.model"] == ("opus", "command line --model")
    assert origins["tests.timeout"] == (120, "default")


def test_a_list_in_the_file_gives_its_line_to_the_whole_value(project: Path) -> None:
    loaded = load_config(project, written(project, PUBLISHED), (), {})
    assert loaded.find_origin("failure_sources") == f"{project / 'settings.yaml'}:17"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "learning:\n  max_retires: 3\n",
            ":2: unknown key `learning.max_retires` (did you mean `learning.max_retries`?)",
        ),
        (
            "max_retries: 3\n",
            ":1: unknown key `max_retries` (did you mean `learning.max_retries`?)",
        ),
        (
            "wholly_unknown: 3\n",
            ":1: unknown key `wholly_unknown` (all settings: orchestrator docs configuration)",
        ),
        ("learning: 5\n", ":1: `learning`: should be a mapping of keys to values, not 5"),
        ("agent:\n  command: sh x\n", ":2: `agent.command`: should be a list, not 'sh x'"),
        ("failure_sources: 5\n", ":1: `failure_sources`: should be a list, not 5"),
        ("failure_prompts: [1]\n", ":1: `failure_prompts`: should be a mapping of keys to values"),
        ("learning:\n  max_retries: many\n", ":2: `learning.max_retries`: "),
        ("learning:\n  max_retries: -1\n", ":2: `learning.max_retries`: "),
        ("teacher:\n  mode: remote\n", ":2: `teacher.mode`: "),
        ("failure_prompts:\n  test_failur: x\n", ":2: `failure_prompts.test_failur`: "),
        ("tests:\n  timeout: 1\n  timeout: 2\n", ":3: duplicate key `tests.timeout`"),
        ("failure_sources:\n  - name: nope\n", ":1: `failure_sources.0.name`: "),
        ("a: [\n", ": is not valid YAML: "),
        ("!!python/object/apply:os.getcwd []", ": is not valid YAML: "),
        ("- 1\n", ": must be a mapping"),
        (b"\xff\xfe\x00", ": is not "),
        ("learning: {max_retries: .nan}\n", ":1: `learning.max_retries`: "),
    ],
)
def test_a_mistake_gets_one_line_that_says_where(
    project: Path, text: str | bytes, says: str
) -> None:
    path = written(project, text)
    with pytest.raises(ConfigError) as caught:
        load_config(project, path, (), {})
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_in_the_environment_names_the_variable(project: Path) -> None:
    with pytest.raises(ConfigError, match="environment ORCHESTRATOR_TESTS_TIMEOUT"):
        load_config(project, None, (), {"ORCHESTRATOR_TESTS_TIMEOUT": "soon"})
    with pytest.raises(ConfigError, match="environment ORCHESTRATOR_AGENT_COMMAND: is not a list"):
        load_config(project, None, (), {"ORCHESTRATOR_AGENT_COMMAND": "[codex"})


def test_the_environment_gives_text_numbers_and_lists(project: Path) -> None:
    config = load_config(
        project,
        None,
        (),
        {
            "ORCHESTRATOR_AGENT_COMMAND": '["codex", "exec", "{prompt}"]',
            "ORCHESTRATOR_LEARNING_AUTO_RETRY": "false",
            "ORCHESTRATOR_TESTS_COMMAND": "make: test",
            "ORCHESTRATOR_LIMITS_MAX_COST_USD": "2.5",
        },
    ).config
    assert config.agent.command == ("codex", "exec", "{prompt}")
    assert config.learning.auto_retry is False
    assert config.tests.command == "make: test"
    assert config.limits.max_cost_usd == 2.5


def test_a_file_that_is_not_there_is_named(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: cannot be read"):
        load_config(project, project / "nothing.yaml", (), {})


@pytest.mark.parametrize("text", ["", "# nothing\n", "learning:\n", "\ufefflearning:\n"])
def test_an_empty_file_or_section_means_the_defaults(project: Path, text: str) -> None:
    assert load_config(project, written(project, text), (), {}).config == Config()


def test_a_prompt_s_path_is_meant_from_the_file_that_names_it(project: Path) -> None:
    path = written(project, "failure_prompts:\n  other: prompts/mine.md\n  scope_error: default\n")
    config = load_config(Path("/elsewhere"), path, (), {}).config
    assert config.resolve_prompts()[FailureType.OTHER] == str(project / "prompts" / "mine.md")
    assert config.resolve_prompts()[FailureType.SCOPE_ERROR] == "default"


def test_a_project_does_not_choose_to_skip_permissions(project: Path) -> None:
    text = "claude:\n  dangerously_skip_permissions: true\n"
    (project / "orchestrator.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"orchestrator\.yaml:2: .*not allowed in a project"):
        load_config(project, None, (), {})
    assert load_config(
        project, written(project, text), (), {}
    ).config.claude.dangerously_skip_permissions
    flag = Override("claude.dangerously_skip_permissions", True, "command line")
    assert load_config(project, None, [flag], {}).config.claude.dangerously_skip_permissions


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rules.max_rules", "1"),
        ("rules.max_tokens", "100"),
        ("learning.approval", "strict"),
    ],
)
def test_a_project_does_not_choose_how_the_users_own_rules_are_kept(
    project: Path, key: str, value: str
) -> None:
    section, name = key.split(".")
    (project / "orchestrator.yaml").write_text(f"{section}:\n  {name}: {value}\n", encoding="utf-8")
    assert load_config(project, None, (), {}).find_origin(key).startswith(str(project))
    users = {"ORCHESTRATOR_RULES_TARGET": "user"}
    refused = rf"orchestrator\.yaml:2: `{key}`: this value is not allowed in a project"
    with pytest.raises(ConfigError, match=refused):
        load_config(project, None, (), users)
    variable = f"ORCHESTRATOR_{key.replace('.', '_').upper()}"
    own = load_config(project, None, (), {**users, variable: value})
    assert own.config.rules.target == "user"


@pytest.mark.parametrize(
    "rule", ["Bash", "Bash(*)", "Bash(:*)", "Bash( * )", "Read,Bash", "Bash(npm *) Bash"]
)
def test_a_project_does_not_choose_to_run_every_command(project: Path, rule: str) -> None:
    text = f"claude:\n  model: opus\n  allowed_tools: ['{rule}']\n"
    (project / "orchestrator.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"`claude.allowed_tools`: this value is not .*every one"):
        load_config(project, None, (), {})
    assert load_config(project, written(project, text), (), {}).config.claude.allowed_tools == (
        rule,
    )
    ours = {"ORCHESTRATOR_CLAUDE_ALLOWED_TOOLS": f"['{rule}']"}
    assert load_config(project, None, (), ours).config.claude.allowed_tools == (rule,)


def test_a_run_goes_on_with_other_limits(project: Path) -> None:
    config = load_config(project, written(project, "limits: {max_cost_usd: 1}\n"), (), {}).config
    more = [Override("limits.max_cost_usd", 5.0, "command line --max-cost-usd")]
    environment = {"ORCHESTRATOR_TESTS_TIMEOUT": "300", "ORCHESTRATOR_LEARNING_MAX_RETRIES": "9"}
    now = override_limits(config, more, environment)
    assert (now.limits.max_cost_usd, now.tests.timeout) == (5.0, 300)
    assert now.learning == config.learning
    with pytest.raises(ConfigError, match="command line --max-cost-usd"):
        override_limits(config, [Override("limits.max_cost_usd", -1, more[0].origin)], {})

"""Load the configuration: default < file < environment < command line.

The origin of each value is recorded, so that `config show` can print it and an error can say where
to fix the value.
"""

import difflib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from orchestrator.config.choices import Choice, allows_every_command, iter_choices
from orchestrator.config.schema import Config
from orchestrator.errors import ConfigError

PROJECT_FILE: Final = "orchestrator.yaml"
"""Read from the project when no file is named. (`config.yaml` would be too common a name.)"""

ENVIRONMENT_PREFIX: Final = "ORCHESTRATOR_"

Key = tuple[str, ...]


@dataclass(frozen=True)
class Override:
    """A value from the command line: `Override("claude.model", "opus", "--model")`."""

    key: str
    value: object
    origin: str


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration and the origin of each value that is not a default."""

    config: Config
    origins: Mapping[str, str]
    file: Path | None
    is_project_file: bool = False
    """Whether the file is the project's own, and was not named by the user."""

    def list_project_choices(self, of: Collection[str] = ()) -> list[Choice]:
        """Return the settings of the project's own file that a user should know; see `choices`."""
        return list(iter_choices(self.config, self.find_project_origin, of))

    def find_project_origin(self, key: str) -> str:
        """Return file and line of a value in the project's own file; empty if it is not there."""
        origin = self.find_origin(key)
        return origin if self.is_project_file and origin.startswith(f"{self.file}:") else ""

    def iter_values(self) -> Iterator[tuple[str, object, str]]:
        """Yield every value as (key, value, origin), in the order of the schema."""
        for key, value in _iter_leaves(self.config, ()):
            yield key, value, self.find_origin(key)

    def find_origin(self, key: str) -> str:
        """Return the origin of a value; a part of a value has the origin of the whole value.

        A section does not count as a value: keys that a section of a file omits are defaults.
        """
        parts = key.split(".")
        shortest = 2 if parts[0] in dict(_iter_sections()) else 1
        for length in range(len(parts), shortest - 1, -1):
            if found := self.origins.get(".".join(parts[:length])):
                return found
        return "default"


def load_config(
    project: Path,
    file: Path | None = None,
    overrides: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
) -> LoadedConfig:
    """Read the configuration for a project.

    Args:
        project: the project's directory; its `orchestrator.yaml` is read when `file` is None.
        file: the file the user named.
        overrides: values from the command line.
        environment: has `ORCHESTRATOR_<SECTION>_<KEY>` variables; the one of this process if None.

    Raises:
        ConfigError: an unreadable file, an unknown key, or a value of the wrong kind.
    """
    path = _choose_file(project, file)
    values, origins = _read_file(path) if path else ({}, {})
    for override in (*_iter_environment_overrides(environment), *overrides):
        _set_value(values, tuple(override.key.split(".")), override.value)
        origins[override.key] = override.origin
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise _build_config_error(error, origins) from None
    loaded = LoadedConfig(config, origins, path, is_project_file=file is None and path is not None)
    _reject_project_choices(loaded)
    return loaded


def override_limits(
    config: Config,
    overrides: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Return the configuration of a run with changed limits.

    Args:
        config: the configuration that the run was started with.
        overrides: values from the command line.
        environment: its `ORCHESTRATOR_LIMITS_*` and `ORCHESTRATOR_TESTS_TIMEOUT` are read again.

    Raises:
        ConfigError: a value is of the wrong kind.
    """
    values = config.model_dump()
    limits = [
        each
        for each in _iter_environment_overrides(environment)
        if each.key.startswith("limits.") or each.key == "tests.timeout"
    ]
    overrides = (*limits, *overrides)
    for override in overrides:
        _set_value(values, tuple(override.key.split(".")), override.value)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise _build_config_error(error, {each.key: each.origin for each in overrides}) from None


def _reject_project_choices(loaded: LoadedConfig) -> None:
    """Reject settings of the project's own file that affect more than the project.

    A cloned repository must not decide that the agent asks for no permission, or that rules are
    written for all of the user's projects. Nor how many rules those may have: a small
    `rules.max_rules` would archive most of the user's own rules.

    Raises:
        ConfigError: the project's own file has such a setting.
    """
    for key, (is_beyond, hint) in _list_user_choices(loaded.config).items():
        if is_beyond and (origin := loaded.find_project_origin(key)):
            raise ConfigError(
                f"{origin}: `{key}`: this value is not allowed in a project's own file",
                f"{hint}, or name the file with --config",
            )


def _list_user_choices(config: Config) -> dict[str, tuple[bool, str]]:
    """Return the settings for the user alone: whether the value is one, and how to set it."""
    is_user = config.rules.target == "user"
    return {
        "claude.dangerously_skip_permissions": (
            config.claude.dangerously_skip_permissions,
            "say --dangerously-skip-permissions",
        ),
        "claude.allowed_tools": (
            allows_every_command(config.claude.allowed_tools),
            "allow single commands instead of every one, as `Bash(npm *)`",
        ),
        "state.keep_days": (True, "set ORCHESTRATOR_STATE_KEEP_DAYS"),
        "rules.target": (is_user, "set ORCHESTRATOR_RULES_TARGET=user"),
        "rules.max_rules": (is_user, "set ORCHESTRATOR_RULES_MAX_RULES"),
        "rules.max_tokens": (is_user, "set ORCHESTRATOR_RULES_MAX_TOKENS"),
        "rules.mirror": (is_user, "set ORCHESTRATOR_RULES_MIRROR"),
        "learning.approval": (is_user, "set ORCHESTRATOR_LEARNING_APPROVAL"),
    }


def _choose_file(project: Path, file: Path | None) -> Path | None:
    if file is not None:
        return file
    candidate = project / PROJECT_FILE
    return candidate if candidate.is_file() else None


def _read_file(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {_summarize_yaml_error(error)}") from None
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}: must be a mapping of sections such as `learning:`")
    origins: dict[str, str] = {}
    _collect_origins(root, (), path, origins)
    values = {key: value for key, value in values.items() if value is not None}
    _resolve_prompt_paths(values, path.absolute().parent)
    return values, origins


def _resolve_prompt_paths(values: dict[str, Any], folder: Path) -> None:
    """Resolve relative paths of prompts from the folder of the file that names them."""
    prompts = values.get("failure_prompts")
    if not isinstance(prompts, dict):
        return
    for name, prompt in prompts.items():
        if isinstance(prompt, str) and prompt.endswith(".md"):
            prompts[name] = str(folder / prompt)


def _collect_origins(
    node: yaml.MappingNode, prefix: Key, path: Path, origins: dict[str, str]
) -> None:
    for key_node, value_node in node.value:
        key = ".".join((*prefix, str(key_node.value)))
        line = key_node.start_mark.line + 1
        if key in origins:
            # PyYAML would silently use the last of them.
            raise ConfigError(f"{path}:{line}: duplicate key `{key}`", "keep one of them")
        origins[key] = f"{path}:{line}"
        if isinstance(value_node, yaml.MappingNode):
            _collect_origins(value_node, (*prefix, str(key_node.value)), path, origins)


def _iter_environment_overrides(environment: Mapping[str, str] | None) -> Iterator[Override]:
    source = os.environ if environment is None else environment
    for section, model in _iter_sections():
        for name, field in model.model_fields.items():
            variable = f"{ENVIRONMENT_PREFIX}{section}_{name}".upper()
            if variable in source:
                value: object = source[variable]
                if get_origin(field.annotation) is tuple:
                    value = _parse_list(variable, source[variable])
                yield Override(f"{section}.{name}", value, f"environment {variable}")


def _parse_list(variable: str, text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(
            f"environment {variable}: is not a list", 'write it as ["one", "two"]'
        ) from None


def _iter_sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation


def _set_value(values: dict[str, Any], key: Key, value: object) -> None:
    for part in key[:-1]:
        values = values.setdefault(part, {})
    values[key[-1]] = value


def _build_config_error(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    first = error.errors()[0]
    location = [str(part) for part in first["loc"] if part != "[key]"]
    key = ".".join(location)
    where = next(
        (
            origins[candidate]
            for length in range(len(location), 0, -1)
            if (candidate := ".".join(location[:length])) in origins
        ),
        "configuration",
    )
    if first["type"] == "extra_forbidden":
        return ConfigError(f"{where}: unknown key `{key}`", _suggest_key(location))
    problem = first["msg"].removeprefix("Value error, ")
    given = f", not {first['input']!r}" if not isinstance(first["input"], dict) else ""
    return ConfigError(f"{where}: `{key}`: {problem}{given}")


def _suggest_key(location: Sequence[str]) -> str:
    known = {".".join(key.split(".")[: len(location)]) for key, _ in _iter_leaves(Config(), ())}
    wanted = ".".join(location)
    if close := difflib.get_close_matches(wanted, known, n=1):
        return f"did you mean `{close[0]}`?"
    # The other common mistake: a known name in the wrong section.
    for key, _ in _iter_leaves(Config(), ()):
        if key.rsplit(".", 1)[-1] == location[-1]:
            return f"did you mean `{key}`?"
    return "see docs/configuration.md"


def _iter_leaves(model: BaseModel, prefix: Key) -> Iterator[tuple[str, object]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _iter_leaves(value, (*prefix, name))
        else:
            yield ".".join((*prefix, name)), value


def _summarize_yaml_error(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"{problem} (line {mark.line + 1})" if mark else " ".join(str(problem).split())

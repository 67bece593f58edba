"""Load the configuration: default < file < environment < command line.

The origin of each value is recorded, so that `config show` can print it and an error can say where
to fix the value.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from orchestrator.config.choices import Choice, list_choices, remove_choices
from orchestrator.config.schema import Config
from orchestrator.config.value_errors import build_config_error, iter_leaves
from orchestrator.config.yaml_text import MOST_BYTES, parse_yaml
from orchestrator.errors import ConfigError

PROJECT_FILE: Final = "orchestrator.yaml"
"""Read from the project when no file is named. (`config.yaml` would be too common a name.)"""

ENVIRONMENT_PREFIX: Final = "ORCHESTRATOR_"

_MERGE: Final = "tag:yaml.org,2002:merge"

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
    trusted: tuple[Choice, ...] = ()
    """Settings of the project's own file that are used because the user has trusted them."""
    withheld: tuple[Choice, ...] = ()
    """Settings of the project's own file that are not used; `config` has the defaults instead."""

    def iter_values(self) -> Iterator[tuple[str, object, str]]:
        """Yield every value as (key, value, origin), in the order of the schema."""
        for key, value in iter_leaves(self.config, ()):
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


def trust_nothing(_choice: Choice) -> bool:
    """Return False: use no setting of a project's own file that is not harmless."""
    return False


def load_config(
    project: Path,
    file: Path | None = None,
    overrides: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
    is_trusted: Callable[[Choice], bool] = trust_nothing,
) -> LoadedConfig:
    """Read the configuration for a project.

    Args:
        project: the project's directory; its `orchestrator.yaml` is read when `file` is None.
        file: the file the user named, which is trusted.
        overrides: values from the command line.
        environment: has `ORCHESTRATOR_<SECTION>_<KEY>` variables; the one of this process if None.
        is_trusted: returns whether the user has trusted a setting of the project's own file that is
            not harmless. Others are withheld.

    Raises:
        ConfigError: an unreadable file, an unknown key, or a value of the wrong kind.
    """
    path = _choose_file(project, file)
    values, origins = _read_file(path) if path else ({}, {})
    above = (*_iter_environment_overrides(environment), *overrides)
    config = _build_config(values, above, origins)
    if path is None or file is not None:
        return _finish(config, above, origins, path)

    def find_origin(key: str) -> str:
        return origins.get(key) or origins.get(key.partition(".")[0]) or str(path)

    choices = list_choices(config, values, {each.key for each in above}, find_origin)
    withheld = tuple(choice for choice in choices if not is_trusted(choice))
    trusted = tuple(choice for choice in choices if choice not in withheld)
    if withheld:
        config = _build_config(remove_choices(values, withheld), above, origins)
        origins = {key: origin for key, origin in origins.items() if not _is_part(key, withheld)}
    return _finish(config, above, origins, path, trusted, withheld)


def _finish(
    config: Config,
    above: Sequence[Override],
    origins: Mapping[str, str],
    path: Path | None,
    trusted: tuple[Choice, ...] = (),
    withheld: tuple[Choice, ...] = (),
) -> LoadedConfig:
    origins = {**origins, **{each.key: each.origin for each in above}}
    return LoadedConfig(config, origins, path, trusted, withheld)


def _build_config(
    values: Mapping[str, Any], above: Sequence[Override], origins: Mapping[str, str]
) -> Config:
    """Build a configuration from the values of a file and those that override them."""
    # Copied: an override must not appear in the values of the file.
    merged = {name: dict(each) if isinstance(each, dict) else each for name, each in values.items()}
    for override in above:
        _set_value(merged, tuple(override.key.split(".")), override.value)
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        overriding = {each.key: each.origin for each in above}
        raise build_config_error(error, {**origins, **overriding}) from None


def _is_part(key: str, choices: Sequence[Choice]) -> bool:
    return any(key == each.key or key.startswith(f"{each.key}.") for each in choices)


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
        raise build_config_error(error, {each.key: each.origin for each in overrides}) from None


def _choose_file(project: Path, file: Path | None) -> Path | None:
    if file is not None:
        return file
    candidate = project / PROJECT_FILE
    return candidate if candidate.is_file() else None


def _read_file(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        root, values = parse_yaml(_read_text(path))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}", "check the path and its permissions"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{path}: is not valid YAML: {_summarize_yaml_error(error)}",
            "write each section as in: tests: {timeout: 120}",
        ) from None
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode) or not isinstance(values, dict):
        raise ConfigError(
            f"{path}: must be a mapping of sections such as `learning:`",
            "write each section as in: tests: {timeout: 120}",
        )
    origins: dict[str, str] = {}
    _collect_origins(root, (), path, origins)
    values = {key: value for key, value in values.items() if value is not None}
    _resolve_prompt_paths(values, path.absolute().parent)
    return values, origins


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ConfigError(f"{path}: is longer than {MOST_BYTES // 1024} KiB", "shorten it")
    return data.decode("utf-8-sig")


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
    merged: list[yaml.Node] = []
    for key_node, value_node in node.value:
        if key_node.tag == _MERGE:
            merged += value_node.value if value_node.id == "sequence" else [value_node]
            continue
        key = ".".join((*prefix, str(key_node.value)))
        line = key_node.start_mark.line + 1
        if key in origins:
            # PyYAML would silently use the last of them.
            raise ConfigError(f"{path}:{line}: duplicate key `{key}`", "keep one of them")
        origins[key] = f"{path}:{line}"
        if isinstance(value_node, yaml.MappingNode):
            _collect_origins(value_node, (*prefix, str(key_node.value)), path, origins)
    for other in merged:  # the values of `<<: {key: value}`, which a key of the mapping overrides
        if isinstance(other, yaml.MappingNode):
            found: dict[str, str] = {}
            _collect_origins(other, prefix, path, found)
            origins.update({key: each for key, each in found.items() if key not in origins})


def find_environment_origins(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the origins of the settings that variables of an environment set, by key."""
    return {each.key: each.origin for each in _iter_environment_overrides(environment)}


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
        return parse_yaml(text)[1]
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


def _summarize_yaml_error(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"{problem} (line {mark.line + 1})" if mark else " ".join(str(problem).split())

"""Decide which settings of a project's own file are harmless; all others need the user's trust.

An `orchestrator.yaml` is loaded without being named, also in a repository that has just been
cloned. Its author chooses the values, but the user's key, money and machine are used. So a setting
is used only if it is listed here as harmless with this value, or if the user has trusted this value
for this project. A new setting is not harmless until it is listed.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from orchestrator.config.plain_pytest import is_plain_pytest
from orchestrator.config.schema import DEFAULT_SOURCES, Config
from orchestrator.errors import ConfigError
from teacher.models import DEFAULT_PROMPTS, FailureType

_PROMPTS: Final = "failure_prompts"
_PROMPT_LIMIT: Final = 1_000_000
"""Bytes of a prompt that are compared."""


@dataclass(frozen=True)
class Choice:
    """A setting that the project's own file chooses, and that is not harmless."""

    key: str
    value: object
    origin: str
    """File and line."""
    text: str
    """The whole value, as ASCII: what is shown, and what the user trusts. Letters that only look
    like others are escaped."""
    is_effective: bool = True
    """Whether it has an effect with the other settings: the address of a webhook that is asked."""


Check = Callable[[Any, Any], bool]
"""Returns whether a value is harmless, given it and the default."""


def _always(_value: object, _default: object) -> bool:
    return True


def _at_most(value: float | None, default: float | None) -> bool:
    """Return whether a limit is at least as strict as the default; None means no limit."""
    return default is None or (value is not None and value <= default)


def _one_of(*values: object) -> Check:
    return lambda value, _default: value in values


def _at_least_in(*order: str) -> Check:
    """Return a check whether a value is as strict as the default; the strictest is the last."""
    return lambda value, default: value in order and order.index(value) >= order.index(default)


def _teaches_the_same(sources: Sequence[Any], _default: object) -> bool:
    """Return whether every source of failures is as enabled as by default."""
    given, usual = Config(failure_sources=tuple(sources)), Config()
    names = {each.name for each in (*sources, *DEFAULT_SOURCES)}
    return all(given.is_source_enabled(name) == usual.is_source_enabled(name) for name in names)


HARMLESS: Final[Mapping[str, Check]] = {
    # Each asks the same model for the same lesson, and is paid by the user, as the agent is.
    "teacher.mode": _one_of("auto", "local", "claude"),
    "teacher.max_tokens": _at_most,
    "teacher.timeout": _at_most,
    "n8n.auth": _always,
    "n8n.timeout": _at_most,
    "n8n.retry_for": _at_most,
    "n8n.max_requests_per_hour": _at_most,
    "n8n.max_cost_usd_per_day": _at_most,
    "learning.max_retries": _at_most,
    "learning.auto_retry": _always,
    "learning.retry_from": _always,
    "learning.approval": _at_least_in("auto", "review", "strict"),
    # `user` writes into every project: `loading` refuses it.
    "rules.target": _one_of("project", "rules-dir", "agents-md"),
    "rules.mirror": _always,
    "rules.max_rules": _at_most,
    "rules.max_tokens": _at_most,
    "failure_sources": _teaches_the_same,
    _PROMPTS: _one_of(*DEFAULT_PROMPTS.values()),
    "tests.command": lambda value, _default: is_plain_pytest(value),
    "tests.timeout": _at_most,
    "tests.old_failures": _always,
    "claude.max_turns": _at_most,
    "claude.output_format": _always,
    "claude.trust_project": _one_of(False),
    **{
        f"limits.{name}": _at_most
        for name in (
            *("max_cost_usd", "max_cost_usd_per_day", "max_tokens", "max_agent_starts_per_hour"),
            *("run_wall_clock", "wall_clock", "no_output", "max_processes"),
            *("same_tool_call", "stuck_after"),
        )
    },
    "workspace.isolate": _always,
    "tasks.max_failures": _at_most,
    "tasks.max_returns": _at_most,
    "tasks.stop_after": _at_most,
    "tasks.max_cost_usd": _at_most,
    "tasks.wall_clock": _at_most,
    "lanes.prepare_timeout": _at_most,
    "lanes.on_conflict": _always,
    "lanes.hot": _always,
    "review.max_lessons": _at_most,
    "review.max_cost_usd": _at_most,
}
"""The settings that are harmless in a project's own file, and with which values. The default is
always harmless. Stricter than the default is harmless too: less money, time and trust."""

_CONDITIONS: Final[Mapping[str, Callable[[Config], bool]]] = {
    "n8n.": lambda config: config.teacher.mode == "webhook",
    "teacher.fallback": lambda config: config.teacher.mode == "webhook",
    "agent.command": lambda config: config.agent.kind == "command",
}
"""Prefixes of settings that have no effect otherwise."""


def list_choices(
    config: Config,
    given: Mapping[str, Any],
    overridden: Collection[str],
    find_origin: Callable[[str], str],
) -> list[Choice]:
    """Return the settings of a project's own file that need the user's trust.

    They are found by the values of the file and not by the lines of its keys, because YAML has ways
    to give a value that is not on a line of its own, such as merge keys.

    Args:
        config: the configuration, with the values of the file and all that overrides them.
        given: the values of the file.
        overridden: the keys that the environment or the command line sets: these are the user's.
        find_origin: returns where in the file a setting is.

    Raises:
        ConfigError: it has a setting that no project may choose.
    """
    found = [each for each in _iter_given(config, given) if each[0] not in overridden]
    changed = {key for key, value, default in found if value != default}
    _reject_choices(config, changed, find_origin)
    choices = []
    for key, value, default in found:
        if not _is_harmless(key, value, default):
            text = _format_value(key, value)
            choices.append(Choice(key, value, find_origin(key), text, _is_effective(config, key)))
    return choices


def select_effective(choices: Iterable[Choice], prefixes: Sequence[str]) -> list[Choice]:
    """Return the settings that have an effect and begin with one of the prefixes; all if none."""
    return [
        each
        for each in choices
        if each.is_effective and (not prefixes or each.key.startswith(tuple(prefixes)))
    ]


def remove_choices(values: Mapping[str, Any], choices: Collection[Choice]) -> dict[str, Any]:
    """Return the values of a file without these settings, which then have their defaults."""
    removed = {choice.key for choice in choices}
    remaining: dict[str, Any] = {}
    for section, given in values.items():
        if not isinstance(given, dict):
            remaining |= {} if section in removed else {section: given}
        elif others := {
            name: value for name, value in given.items() if f"{section}.{name}" not in removed
        }:
            remaining[section] = others
    return remaining


def is_harmless(key: str, value: object) -> bool:
    """Return whether a project's own file may have a value without the user's trust."""
    section, _, name = key.partition(".")
    return _is_harmless(key, value, getattr(getattr(Config(), section), name))


def _is_harmless(key: str, value: object, default: object) -> bool:
    check = HARMLESS.get(_PROMPTS if key.startswith(f"{_PROMPTS}.") else key)
    return value == default or (check is not None and check(value, default))


def _is_effective(config: Config, key: str) -> bool:
    return all(applies(config) for part, applies in _CONDITIONS.items() if key.startswith(part))


def _iter_given(config: Config, given: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield key, value and default of each setting that a file gives."""
    usual = Config()
    for section, values in given.items():
        now, default = getattr(config, section), getattr(usual, section)
        if isinstance(now, BaseModel):
            for name in values:
                yield f"{section}.{name}", getattr(now, name), getattr(default, name)
        elif section == _PROMPTS:
            for name in values:
                kind = FailureType(name)
                yield f"{section}.{name}", now[kind], default.get(kind)
        else:
            yield section, now, default


def _reject_choices(
    config: Config, given: Collection[str], find_origin: Callable[[str], str]
) -> None:
    """Reject settings of the project's own file that affect more than the project.

    A cloned repository must not decide that the agent asks for no permission, or that rules are
    written for all of the user's projects. Nor how many rules those may have: a small
    `rules.max_rules` would archive most of the user's own rules.

    Raises:
        ConfigError: the project's own file has such a setting.
    """
    for key, hint in list_refused_settings(config).items():
        if key in given:
            raise ConfigError(
                f"{find_origin(key)}: `{key}`: this value is not allowed in a project's own file",
                f"{hint}, or name the file with --config",
            )


def list_refused_settings(config: Config) -> dict[str, str]:
    """Return the settings that a project's own file must not change, and how a user can."""
    return {key: hint for key, (is_beyond, hint) in _list_user_choices(config).items() if is_beyond}


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


def _format_value(key: str, value: object) -> str:
    text = json.dumps(to_jsonable_python(value), sort_keys=True, ensure_ascii=True)
    if not key.startswith(f"{_PROMPTS}."):
        return text
    # The text of a prompt counts, and not only its name: it may be changed after it was trusted.
    path, content = Path(str(value)), b""
    with contextlib.suppress(OSError, ValueError):
        if path.is_file():  # reading a device would never end
            with path.open("rb") as file:
                content = file.read(_PROMPT_LIMIT)
    return f"{text} (sha256 {hashlib.sha256(content).hexdigest()})"


def allows_every_command(rules: Sequence[str]) -> bool:
    """Return whether permission rules let Claude Code run any shell command: `Bash`, `Bash(*)`.

    Claude Code also accepts several rules in one string, separated by commas or spaces.
    """
    for rule in rules:
        bare = re.sub(r"\(([^()]*)\)", lambda found: "()" if found[1].strip(" :*") else "", rule)
        if "Bash" in re.split(r"[\s,]+", bare):
            return True
    return False

"""Find settings of the project's own file that the user should know before anything happens.

An `orchestrator.yaml` is loaded without being named, also in a repository that has just been
cloned. Most settings are harmless; some send something somewhere, run something or lower a guard.
They are effective nevertheless, because a user's own project may need them.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.config.schema import Config, LimitsSection


@dataclass(frozen=True)
class Choice:
    """A setting that the project's own file chooses."""

    key: str
    value: object
    origin: str
    """File and line."""


_DEFAULT: Final = LimitsSection()

_NOTABLE_SETTINGS: Final[Mapping[str, Callable[[Config], bool]]] = {
    "n8n.webhook_url": lambda config: config.teacher.mode == "webhook",
    "n8n.allow_http": lambda config: config.teacher.mode == "webhook" and config.n8n.allow_http,
    "agent.command": lambda config: config.agent.kind == "command",
    "tests.guard": lambda config: config.tests.guard != "restore",
    "tests.unguarded": lambda config: bool(config.tests.unguarded),
    "claude.allowed_tools": lambda config: bool(config.claude.allowed_tools),
    "claude.sandbox": lambda config: bool(config.claude.sandbox),
    "limits.max_cost_usd": lambda config: _is_above_default(
        config.limits.max_cost_usd, _DEFAULT.max_cost_usd
    ),
    "limits.max_cost_usd_per_day": lambda config: _is_above_default(
        config.limits.max_cost_usd_per_day, _DEFAULT.max_cost_usd_per_day
    ),
}
"""The settings, and when each of them sends something somewhere, runs something or lowers a
guard."""

TEACHING_PREFIXES: Final = ("n8n.",)
"""Prefixes of those that matter where only a teacher is asked."""


def iter_choices(
    config: Config, origin: Callable[[str], str], of: Collection[str] = ()
) -> Iterator[Choice]:
    """Yield the settings that send or run something or lower a guard, most important first.

    Args:
        config: the configuration.
        origin: returns where in the project's own file a setting is; empty if it is not there.
        of: prefixes of the settings to yield; all if empty.
    """
    for key, applies in _NOTABLE_SETTINGS.items():
        if of and not key.startswith(tuple(of)):
            continue
        if (found := origin(key)) and applies(config):
            section, name = key.split(".")
            yield Choice(key, getattr(getattr(config, section), name), found)


def allows_every_command(rules: Sequence[str]) -> bool:
    """Return whether permission rules let Claude Code run any shell command: `Bash`, `Bash(*)`.

    Claude Code also accepts several rules in one string, separated by commas or spaces.
    """
    for rule in rules:
        bare = re.sub(r"\(([^()]*)\)", lambda found: "()" if found[1].strip(" :*") else "", rule)
        if "Bash" in re.split(r"[\s,]+", bare):
            return True
    return False


def _is_above_default(value: float | None, default: float | None) -> bool:
    return default is not None and (value is None or value > default)

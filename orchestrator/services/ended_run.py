"""Describe a run that has ended, as far as the advice to a person depends on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config import Config
from orchestrator.config.setting_hints import SettingHint
from orchestrator.models import RunResult
from orchestrator.services.trust import format_command


@dataclass(frozen=True)
class EndedRun:
    """A run that has ended, as far as advice depends on it.

    Args:
        id: its id.
        project: the user's folder.
        result: its result.
        config: the settings that it used.
        origins: where those come from that are not in the project's own file, by key.
        changed: the files that a run that did not end has left changed, and whether each is new;
            None for those of its attempts.
    """

    id: str
    project: Path
    result: RunResult
    config: Config
    origins: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, bool] | None = None

    @property
    def has_edits(self) -> bool:
        """Whether an attempt changed files of the user's folder that were not restored at once."""
        if self.config.workspace.isolate:
            return False
        return any(
            change.path not in attempt.restored_paths
            for attempt in self.result.attempts
            for change in attempt.diff.changes
        )

    def describe_setting(self, hint: SettingHint) -> str:
        """Return where a setting is set, with the command that trusts it where that is needed."""
        return hint.describe(format_command(self.project))

    def change_setting(self, key: str, value: object) -> str:
        """Return how a setting is changed to a value."""
        return self.describe_setting(SettingHint(key, value, self.origins.get(key, "")))

"""What the doctor checks: a project with its configuration, and the user's machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import Config, LoadedConfig
from orchestrator.errors import LoopError
from orchestrator.platform.project import resolve_project
from orchestrator.services.trust import load_known_config
from orchestrator.services.trust_requests import list_untrusted_claude_settings
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.suites.environment import build_user_environment


@dataclass(frozen=True)
class Subject:
    """What is checked."""

    project: Path
    """The real path of the project's folder."""
    environment: Mapping[str, str]
    state: Path | None
    """The state directory; None if it cannot be determined."""
    config_file: Path | None = None
    loaded: LoadedConfig | None = None
    """The configuration, with the settings that the user has trusted; None if it is wrong."""
    config_error: LoopError | None = None
    state_error: LoopError | None = None
    is_live: bool = False
    """Whether one paid question may be sent to the teacher."""

    @property
    def config(self) -> Config:
        """The configuration; the defaults where it cannot be read, so that the rest is checked."""
        return self.loaded.config if self.loaded else Config()

    @property
    def user_environment(self) -> dict[str, str]:
        """The environment of the user's own programs, which finds none of the project's."""
        return build_user_environment(self.project, self.environment)

    def list_untrusted(self, folder: Path) -> list[str]:
        """Return the settings for Claude Code that are not trusted, as a run decides it."""
        return list_untrusted_claude_settings(self.project, folder, self.state or Path(os.devnull))


def examine(
    project: Path,
    config_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    is_live: bool = False,
) -> Subject:
    """Read what all checks need. What cannot be read becomes a finding of its check.

    Raises:
        UsageError: the project is not a directory.
    """
    project = resolve_project(project)
    environment = os.environ if environment is None else environment
    state = state_error = loaded = config_error = None
    try:
        state = resolve_state_directory()
    except LoopError as error:
        state_error = error
    try:
        known = state or Path(os.devnull)  # without one, nothing is trusted
        loaded = load_known_config(project, config_file, (), environment, state=known)
    except LoopError as error:
        config_error = error
    return Subject(
        project, environment, state, config_file, loaded, config_error, state_error, is_live
    )

"""The work tree in which combined trees are judged, and failures of the merge queue are taught.

No agent works in it, and nothing in it reaches a commit: commits are made of trees in git.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.config import Config
from orchestrator.errors import InfrastructureError
from orchestrator.masking import Masker
from orchestrator.services.lane_ports import reserve_ports
from orchestrator.services.lane_preparation import build_lane_environment, prepare_lane
from orchestrator.services.lane_unseen import prepare_noted, remove_unseen_files
from orchestrator.workspace.lanes import LaneRepository


@dataclass(frozen=True)
class JudgeTree:
    """The folder `judge` of a list.

    Args:
        repository: the repository of the lanes.
        folder: the list's folder.
        project: the user's folder of the project; it need not exist on this machine.
        config: the configuration.
        state: the state directory.
        user_environment: what the user's programs see.
        masker: removes secrets.
    """

    repository: LaneRepository
    folder: Path
    project: Path
    config: Config
    state: Path
    user_environment: Mapping[str, str]
    masker: Masker

    @property
    def top(self) -> Path:
        """The top of the work tree."""
        return self.folder / "judge"

    @property
    def project_folder(self) -> Path:
        """The project's folder in it."""
        return self.top / self.repository.prefix

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment of what runs in it.

        No bytecode is written: two commits follow each other within the second, and the same size,
        by which Python decides whether bytecode is up to date.
        """
        ports = reserve_ports(self.config.lanes.ports, self.top, self.state)
        own = build_lane_environment(self.user_environment, self.top, ports)
        return {**own, "PYTHONDONTWRITEBYTECODE": "1"}

    def check_out(self, commit: str) -> Path:
        """Make its files those of a commit, prepare it, and return the project's folder in it.

        What an earlier suite has left there is removed, also where git ignores it.

        Raises:
            ConfigError: `lanes.prepare` cannot be read.
            InfrastructureError: git or the command failed, or the commit has no such folder.
        """
        self.repository.add_lane(self.top, commit)
        self.repository.reset_lane(self.top, commit)
        if not self.project_folder.is_dir():
            raise InfrastructureError(
                f"commit {commit[:12]} has no folder {self.repository.prefix}",
                "the project's folder was removed: see `orchestrator tasks status`",
            )
        remove_unseen_files(self.repository, self.top, commit)
        prepare_noted(self.repository, self.top, commit, self._prepare)
        return self.project_folder

    def _prepare(self) -> tuple[str, ...]:
        return prepare_lane(
            self.config,
            self.project,
            self.project_folder,
            self.folder / "judge.log",
            environment=self.environment,
            masker=self.masker,
        )

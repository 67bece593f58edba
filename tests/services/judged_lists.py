"""A user's repository, and a task list's repository with works that are judged together."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.config import Config
from orchestrator.events import Event
from orchestrator.services.combined_judge import SuiteJudge
from orchestrator.services.judge_tree import JudgeTree
from orchestrator.services.wiring import build_masker
from orchestrator.storage.state_directory import list_folder
from orchestrator.workspace.lanes import open_lane_repository

PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider -p no:randomly"
SECRETS = {"MY_TOKEN": "hunter2-hunter2"}
"""In the environment of the list, and masked."""


class JudgedList:
    """A list of a project, and what its judge says.

    Args:
        folder: an empty folder.
        files: the user's files in the first commit.
        settings: the configuration.
    """

    def __init__(self, folder: Path, files: Mapping[str, str], **settings: Any) -> None:
        self.project, self.state = folder / "project", folder / "state"
        self.project.mkdir(parents=True)
        self.notices: list[str] = []
        for name, text in files.items():
            self.write(name, text)
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        tests = {"command": PYTEST, "timeout": 60, **settings.pop("tests", {})}
        self.config = Config.model_validate({"tests": tests, **settings})
        self.folder = list_folder(self.state, "20261128-000000-abcdef")
        self.repository = open_lane_repository(self.project, self.folder / "repository.git")
        self.base = self.repository.create_base()
        self.masker = build_masker(self.config, {**os.environ, **SECRETS}, self.state)

    def open_tree(self) -> JudgeTree:
        return JudgeTree(
            self.repository,
            self.folder,
            self.project,
            self.config,
            self.state,
            {**os.environ, **SECRETS},
            self.masker,
        )

    def open_judge(self) -> SuiteJudge:
        return SuiteJudge(self.open_tree(), self.listen)

    def listen(self, event: Event) -> None:
        self.notices.append(getattr(event, "text", ""))

    def commit(self, parent: str, files: Mapping[str, str | None], message: str = "work") -> str:
        """Return a commit of a work."""
        contents = {path: None if text is None else text.encode() for path, text in files.items()}
        return self.repository.replace_files(parent, contents, message)

    def combine(self, tip: str, work: str) -> str:
        merged = self.repository.merge(tip, work)
        assert not merged.conflicts
        return self.repository.commit_tree(merged.tree, [tip], "combined")

    def read(self, commit: str, path: str = "CLAUDE.md") -> str:
        return (self.repository.read_file(commit, path) or b"").decode()

    def write(self, name: str, text: str) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.project, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

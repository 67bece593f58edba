"""Every workspace passes the conformance suite."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.workspace import open_workspace
from orchestrator.workspace.fake import FakeWorkspace
from tests.workspace.conformance import Bench, WorkspaceConformance
from tests.workspace.repositories import DiskBench, repository


@dataclass
class FakeBench:
    workspace: FakeWorkspace = field(default_factory=FakeWorkspace)

    def write(self, path: str, content: bytes) -> None:
        self.workspace.files[path] = content

    def delete(self, path: str) -> None:
        del self.workspace.files[path]

    def files(self) -> dict[str, bytes]:
        return dict(self.workspace.files)


class TestFake(WorkspaceConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return FakeBench()


class TestRepository(WorkspaceConformance):
    @pytest.fixture
    def bench(self, project: Path, tmp_path: Path) -> Bench:
        repository(project)
        return DiskBench(project, open_workspace(project, tmp_path / "state"))


class TestSubfolder(WorkspaceConformance):
    @pytest.fixture
    def bench(self, project: Path, tmp_path: Path) -> Bench:
        repository(project, outside_txt="outside\n")
        inside = project / "sub" / "folder"
        inside.mkdir(parents=True)
        return DiskBench(inside, open_workspace(inside, tmp_path / "state"))


class TestFolderWithoutGit(WorkspaceConformance):
    @pytest.fixture
    def bench(self, project: Path, tmp_path: Path) -> Bench:
        return DiskBench(project, open_workspace(project, tmp_path / "state"))

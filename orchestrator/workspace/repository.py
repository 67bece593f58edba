"""What has to be known about the user's repository. It is only ever read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.workspace.git import Git

_FILE_SETTINGS: Final = (
    "core.checkstat",
    "core.excludesfile",
    "core.filemode",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.symlinks",
    "core.trustctime",
)
"""Settings that say how the file system behaves and what is ignored. All else stays behind."""


@dataclass(frozen=True)
class Repository:
    """Where the user's repository keeps what we read.

    `top` is the top of the work tree, `prefix` the project's path below it (`b""` or `b"a/b/"`).
    """

    top: Path
    prefix: bytes
    git_dir: Path
    common_dir: Path
    object_format: str

    @property
    def index(self) -> Path:
        """The user's index; it need not exist."""
        return self.git_dir / "index"

    @property
    def objects(self) -> Path:
        """The user's object database."""
        return self.common_dir / "objects"

    @property
    def exclude(self) -> Path:
        """The user's private ignore rules; it need not exist."""
        return self.common_dir / "info" / "exclude"


def find_repository(project: Path) -> Repository | None:
    """Find the repository that looks after a folder's files.

    A folder that its repository ignores is not looked after.

    Raises:
        InfrastructureError: git is missing, or cannot read the repository.
    """
    git = Git(project)
    asked = ("rev-parse", "--is-inside-work-tree")
    answer = git.run(*asked, allowed=(0, 128))
    if answer.returncode and b"not a git repository" not in answer.stderr:
        raise git.failure(asked, answer)
    if answer.returncode or answer.stdout.strip() != b"true":
        return None
    prefix = git.line("rev-parse", "--show-prefix")
    if prefix and git.run("check-ignore", "-q", ".", allowed=(0, 1)).returncode == 0:
        return None
    return Repository(
        top=_path(git.line("rev-parse", "--show-toplevel")),
        prefix=prefix,
        git_dir=_path(git.line("rev-parse", "--absolute-git-dir")),
        common_dir=project / _path(git.line("rev-parse", "--git-common-dir")),
        object_format=git.line("rev-parse", "--show-object-format").decode("ascii"),
    )


def file_settings(project: Path) -> tuple[str, ...]:
    """The settings in force about files and ignore rules, in the form that `git -c` takes."""
    pattern = f"^({'|'.join(_FILE_SETTINGS)})$".replace(".", "[.]")
    asked = ("config", "-z", "--type=path", "--get-regexp", pattern)
    found = Git(project).run(*asked, allowed=(0, 1)).stdout
    # `key NL value NUL`; a key without a value has no NL and means true, as it does after -c.
    return tuple(
        os.fsdecode(record.replace(b"\n", b"=", 1)) for record in found.split(b"\0") if record
    )


def paths_with_filters(repository: Repository, index: Path) -> set[bytes]:
    """Files of an index whose bytes git may hand to a program, or recode, on their way in."""
    git = Git(repository.top).at(repository.top, GIT_INDEX_FILE=str(index))
    unspoken_of = ":(exclude,attr:!filter !working-tree-encoding)"
    return set(git.output("ls-files", "-z", "--", ".", unspoken_of).split(b"\0")[:-1])


def _path(raw: bytes) -> Path:
    return Path(os.fsdecode(raw))

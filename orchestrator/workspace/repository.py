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

_FACTS: Final = (
    "--is-inside-work-tree",
    "--show-prefix",
    "--show-toplevel",
    "--absolute-git-dir",
    "--git-common-dir",
    "--show-object-format",
)
"""What `git rev-parse` is asked, one line each."""


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
    answer = git.run("rev-parse", *_FACTS, allowed=(0, 128))
    outside = not answer.stdout.startswith(b"true\n")  # a bare repository, or the folder .git
    if outside and (b"not a git repository" in answer.stderr or answer.stdout):
        return None
    if answer.returncode:
        raise git.build_error(("rev-parse", *_FACTS), answer)
    facts = answer.stdout.split(b"\n")[:-1]
    if len(facts) != len(_FACTS):  # there is a line end in a path
        facts = [git.read_line("rev-parse", each) for each in _FACTS]
    _, prefix, top, git_dir, common_dir, object_format = facts
    if prefix and git.run("check-ignore", "-q", ".", allowed=(0, 1)).returncode == 0:
        return None
    return Repository(
        top=_decode_path(top),
        prefix=prefix,
        git_dir=_decode_path(git_dir),
        common_dir=project / _decode_path(common_dir),
        object_format=object_format.decode("ascii"),
    )


def read_file_settings(project: Path) -> tuple[str, ...]:
    """The settings in force about files and ignore rules, in the form that `git -c` takes."""
    pattern = f"^({'|'.join(_FILE_SETTINGS)})$".replace(".", "[.]")
    asked = ("config", "-z", "--type=path", "--get-regexp", pattern)
    found = Git(project).run(*asked, allowed=(0, 1)).stdout
    # `key NL value NUL`; a key without a value has no NL and means true, as it does after -c.
    return tuple(
        os.fsdecode(record.replace(b"\n", b"=", 1)) for record in found.split(b"\0") if record
    )


def list_filtered_paths(repository: Repository, index: Path) -> set[bytes]:
    """Files of an index whose bytes git may hand to a program, or recode, on their way in."""
    git = Git(repository.top).with_folder(repository.top, GIT_INDEX_FILE=str(index))
    unspoken_of = ":(exclude,attr:!filter !working-tree-encoding)"
    return set(git.read_output("ls-files", "-z", "--", ".", unspoken_of).split(b"\0")[:-1])


def _decode_path(raw: bytes) -> Path:
    return Path(os.fsdecode(raw))

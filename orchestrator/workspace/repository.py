"""Read facts about the user's repository, which is never written."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
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
"""Settings that describe the file system and what is ignored. No other setting is copied."""

_FACTS: Final = (
    "--is-inside-work-tree",
    "--show-prefix",
    "--show-toplevel",
    "--absolute-git-dir",
    "--git-common-dir",
    "--show-object-format",
)
"""Questions to `git rev-parse`, each answered in one line."""

_DUBIOUS: Final = "dubious ownership"
_REMEDY: Final = re.compile(r"git config .*safe\.directory .+")


@dataclass(frozen=True)
class Repository:
    """The places in the user's repository that are read.

    `top` is the top of the work tree, `prefix` the project's path below it (`b""` or `b"a/b/"`).
    """

    top: Path
    prefix: bytes
    git_dir: Path
    common_dir: Path
    object_format: str

    @property
    def index(self) -> Path:
        """The user's index, which need not exist."""
        return self.git_dir / "index"

    @property
    def objects(self) -> Path:
        """The user's object database."""
        return self.common_dir / "objects"

    @property
    def exclude(self) -> Path:
        """The user's private ignore rules, a file that need not exist."""
        return self.common_dir / "info" / "exclude"


def find_repository(project: Path) -> Repository | None:
    """Find the repository that tracks a folder's files.

    Returns:
        None if there is none, or if the repository ignores the folder.

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
    if len(facts) != len(_FACTS):  # a path contains a newline
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


def require_trusted_repository(project: Path) -> None:
    """Check that git itself would work in a folder: its repository may belong to another user.

    Such a repository names filters and other programs, which would run as this user.

    Raises:
        UsageError: git refuses; the hint is git's own remedy.
        InfrastructureError: git is missing.
    """
    answer = Git(project, any_owner=False).run("rev-parse", "--git-dir", allowed=(0, 128))
    stderr = answer.stderr.decode("utf-8", "replace")
    if _DUBIOUS in stderr:
        found = _REMEDY.search(stderr)
        raise UsageError(
            f"the repository of {project} belongs to another user, so git does not trust it",
            f"if you do: {found[0] if found else 'see `git help config`, safe.directory'}",
        )


def read_file_settings(project: Path) -> tuple[str, ...]:
    """Return the effective settings about files and ignore rules, as `git -c` takes them."""
    pattern = f"^({'|'.join(_FILE_SETTINGS)})$".replace(".", "[.]")
    command = ("config", "-z", "--type=path", "--get-regexp", pattern)
    found = Git(project).run(*command, allowed=(0, 1)).stdout
    # `key NL value NUL`; a key without a value has no NL and means true, as it does after -c.
    return tuple(
        os.fsdecode(record.replace(b"\n", b"=", 1)) for record in found.split(b"\0") if record
    )


def list_filtered_paths(repository: Repository, index: Path) -> set[bytes]:
    """Return the paths of an index whose bytes git may filter or recode when it adds them."""
    git = Git(repository.top).with_folder(repository.top, GIT_INDEX_FILE=str(index))
    without_attributes = ":(exclude,attr:!filter !working-tree-encoding)"
    return set(git.read_output("ls-files", "-z", "--", ".", without_attributes).split(b"\0")[:-1])


def _decode_path(raw: bytes) -> Path:
    return Path(os.fsdecode(raw))

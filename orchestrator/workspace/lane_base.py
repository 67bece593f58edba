"""Create the repository that lanes share, and the commit that all of them start from.

    <folder>/                     a bare repository: <state>/lists/<list>/repository.git
    <folder>/withheld             what was not committed: secrets by their names, instruction files
    <folder>.draft/               while it is made; renamed at the end

It reads the user's objects in place. Those that the lanes need are copied: the user may rewrite
history and prune while the lanes work.
"""

import contextlib
import fnmatch
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform import atomic, files
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.workspace.carrying import is_instruction_file
from orchestrator.workspace.git import Git, build_write_error
from orchestrator.workspace.lane_files import STAGING, stage_files
from orchestrator.workspace.lane_history import open_lane_history
from orchestrator.workspace.private import build_ignore_rules, copy_index, write_alternates
from orchestrator.workspace.repository import Repository, read_file_settings
from orchestrator.workspace.repository_history import open_private_history
from orchestrator.workspace.worktree import read_identity

BASE: Final = "refs/orchestrator/base"
HEAD: Final = "refs/orchestrator/head"
"""The user's last commit when the base was made."""
WITHHELD: Final = "withheld"

_MESSAGE: Final = "Keep uncommitted work as it was when the task list started\n"
_MOST_COMMITS: Final = 1000
"""Commits that are copied of those that the user has nowhere but in their branches."""

_COPIED_SETTINGS: Final = (
    r"^(core\.(autocrlf|eol|attributesfile|excludesfile|bigfilethreshold"
    r"|sparsecheckout|sparsecheckoutcone)"
    r"|filter\..*\.(clean|smudge|process|required)|lfs\..*|user\.(name|email))$"
)
"""Settings of the user's repository that decide how files and commits of a lane look."""
_OWN_SETTINGS: Final = (
    ("core.repositoryFormatVersion", "1"),
    ("extensions.preciousObjects", "true"),  # an agent's `git gc --prune=now` removes nothing
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.logAllRefUpdates", "false"),
)
_COPIED_FILES: Final = ("attributes", "sparse-checkout")

_ALWAYS_SECRET: Final = (".env", ".env.*")
_SECRET: Final = (
    *_ALWAYS_SECRET,
    ".envrc",
    ".git-credentials",
    ".htpasswd",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    "*.jks",
    "*.key",
    "*.keystore",
    "*.p12",
    "*.pem",
    "*.pfx",
    "credentials*.json",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "id_rsa*",
    "secrets.y*ml",
    "service-account*.json",
)
_HARMLESS: Final = (".env.example", ".env.sample", ".env.template", ".env.dist", "id_*.pub")


def is_secret_name(path: str, *, always: bool = False) -> bool:
    """Return whether an untracked file's name says that it holds a secret.

    Args:
        path: the file.
        always: whether only those names count that are never meant to be committed.
    """
    name = path.rpartition("/")[2]
    patterns = _ALWAYS_SECRET if always else _SECRET
    return _matches(name, patterns) and not _matches(name, _HARMLESS)


def _is_private(path: str) -> bool:
    """Return whether an untracked file belongs to the user alone.

    Instruction files do: each run gets a copy of them (`carrying`), and what it learns is merged
    into the user's own.
    """
    return is_secret_name(path) or is_instruction_file(path)


def require_commit(project: Path, repository: Repository) -> str:
    """Return the id of the user's last commit.

    Raises:
        UsageError: there is none, or the project is not in it, or a merge is not finished.
        InfrastructureError: git failed.
    """
    history = open_private_history(Git(project))
    if not history.has_commit("HEAD"):
        raise UsageError(
            f"the repository of {project} has no commit, so no lane can start from it",
            "make a first commit",
        )
    if repository.prefix and not history.has_path("HEAD:./"):
        raise UsageError(
            f"{project} is not in the repository's last commit, so no lane can start from it",
            "commit it",
        )
    if open_private_history(Git(repository.top)).has_conflicts():
        raise UsageError(
            f"{repository.top} has files that are not merged, so no lane can start from it",
            "finish the merge or the rebase, or abort it",
        )
    return history.resolve_commit("HEAD")


def create_lane_repository(project: Path, repository: Repository, folder: Path) -> None:
    """Create the repository with its base, as a whole or not at all.

    The caller holds the lock, and has seen that there is none.

    Raises:
        UsageError: see `require_commit`.
        InfrastructureError: git failed, or it cannot be written.
    """
    head = require_commit(project, repository)
    draft = folder.with_name(f"{folder.name}.draft")
    try:
        files.remove_path(draft)
        make_private_folder(draft.parent)
        _create_draft(project, repository, draft, folder)
        base, withheld = _commit_files(project, repository, draft, head)
        _copy_objects(repository, draft, head, base)
        history = open_lane_history(open_bare(draft))
        history.set_ref(HEAD, head)
        history.set_ref(BASE, base)
        listed = b"".join(os.fsencode(path) + b"\0" for path in withheld)
        (draft / WITHHELD).write_bytes(listed)
        atomic.move_path(draft, folder)
        atomic.sync_folder(folder.parent)
    except OSError as error:
        raise build_write_error(error, folder) from error


def open_bare(folder: Path) -> Git:
    """Return git for the repository of a list, without a work tree."""
    return Git(folder, {"GIT_DIR": str(folder)})


def create_bare(folder: Path, object_format: str) -> Git:
    """Create the repository of a list, without any object, and return git for it.

    Raises:
        InfrastructureError: git failed.
        OSError: the folder cannot be created.
    """
    make_private_folder(folder)
    # The repository for agents is written as plain files, with the same configuration.
    bare = open_bare(folder).with_folder(folder, GIT_DEFAULT_REF_FORMAT="files")
    init = ("init", "--quiet", "--bare", "--template=", "--initial-branch=lanes")
    bare.run(*init, f"--object-format={object_format}")
    for key, value in _OWN_SETTINGS:
        bare.run("config", key, value)
    return bare


def _create_draft(project: Path, repository: Repository, draft: Path, folder: Path) -> None:
    bare = create_bare(draft, repository.object_format)
    for key, value in _list_copied_settings(repository):
        bare.run("config", "--add", key, value)
    info = draft / "info"
    info.mkdir(exist_ok=True)
    rules = build_ignore_rules(repository, _find_state(folder), repository.top)
    (info / "exclude").write_bytes(rules)
    for name in _COPIED_FILES:
        # The patterns of a sparse checkout belong to the work tree, the others to the repository.
        for source in (repository.common_dir, repository.git_dir):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(source / "info" / name, info / name)
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(repository.common_dir / "shallow", draft / "shallow")
    write_alternates(repository, draft)


def _find_state(folder: Path) -> Path:
    """Return the state directory, or what is known of it, for `info/exclude`."""
    parents = folder.parents
    return parents[2] if parents[1].name == "lists" else parents[0]


def _list_copied_settings(repository: Repository) -> Iterator[tuple[str, str]]:
    """Yield the settings of the user's repository itself; those of the user apply anyway."""
    listing = ("config", "-z", "--show-scope", "--get-regexp", _COPIED_SETTINGS)
    printed = Git(repository.top).run(*listing, allowed=(0, 1)).stdout
    words = printed.split(b"\0")[:-1]
    storage = repository.common_dir / "lfs"
    for scope, setting in zip(words[::2], words[1::2], strict=True):
        key, newline, value = setting.partition(b"\n")
        if key == b"lfs.storage":
            storage = repository.common_dir / os.fsdecode(value)
        elif scope in (b"local", b"worktree"):
            yield os.fsdecode(key), os.fsdecode(value) if newline else "true"
    # Git LFS finds the user's files there, and what lanes add goes there, with the branch.
    yield "lfs.storage", str(storage.absolute())
    yield "lfs.skipDownloadErrors", "true"


def _commit_files(
    project: Path, repository: Repository, draft: Path, head: str
) -> tuple[str, list[str]]:
    """Commit the user's files on top of HEAD, by a copy of their index.

    Returns:
        The commit, HEAD itself if nothing is uncommitted; and the paths that are withheld.
    """
    copy_index(repository, draft)
    config = (*read_file_settings(project), *STAGING)
    location = {"GIT_DIR": str(draft), "GIT_WORK_TREE": str(repository.top)}
    git = Git(repository.top, location, config)
    if not (draft / "index").exists():
        git.run("read-tree", "--empty")
    if any(draft.glob("sharedindex.*")):
        git.run("update-index", "--no-split-index")
    left_out = stage_files(git, _is_private, submodules=True).left_out
    tree = git.read_line("write-tree", "--missing-ok").decode("ascii")
    history = open_lane_history(open_bare(draft))
    for left in (*draft.glob("sharedindex.*"), draft / "index"):
        left.unlink(missing_ok=True)
    withheld = [path for path in left_out if _is_private(path)]
    if tree == history.resolve(f"{head}^{{tree}}"):
        return head, withheld
    identity = read_identity(open_private_history(Git(repository.top)))
    named = open_lane_history(open_bare(draft).with_folder(draft, **identity))
    return named.commit_tree(tree, [head], _MESSAGE), withheld


def _copy_objects(repository: Repository, draft: Path, head: str, base: str) -> None:
    """Copy what the lanes need, and what only the user's own branches keep.

    That is the whole tree, and the commits that no remote and no tag has: the branch of the list
    could not be published without them.
    """
    bare = open_bare(draft)
    user = Git(repository.top)
    shown = user.read_output(
        *("rev-list", "--objects", "--missing=allow-any", f"--max-count={_MOST_COMMITS}"),
        *(head, "--not", "--remotes", "--tags"),
    )
    trees = bare.read_output("ls-tree", "-r", "-t", "-z", "--full-tree", base)
    ids = {line.split(b" ", 1)[0] for line in shown.splitlines()}
    # `mode kind oid TAB path`; the commit of a submodule is in another repository
    entries = (entry.split(b"\t", 1)[0].split(b" ") for entry in trees.split(b"\0")[:-1])
    ids |= {oid for _, kind, oid in entries if kind != b"commit"}
    history = open_lane_history(bare)
    names = (head, f"{head}^{{tree}}", base, f"{base}^{{tree}}")
    ids |= {history.resolve(name).encode("ascii") for name in names}
    present = bare.read_output(
        "cat-file", "--batch-check", "--buffer", stdin=b"\n".join([*sorted(ids), b""])
    )
    known = [line.split(b" ", 1)[0] for line in present.splitlines() if b" missing" not in line]
    pack = draft / "objects" / "pack"
    pack.mkdir(parents=True, exist_ok=True)
    # `--window=0` does not search for deltas, which is slow; those of the user's packs are reused.
    command = ("pack-objects", "-q", "--window=0", "--non-empty", str(pack / "pack"))
    bare.run(*command, stdin=b"\n".join([*known, b""]))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

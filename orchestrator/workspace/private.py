"""The private git directory, in which snapshots are made.

It reads the user's object database and has a copy of the user's index, so that an unchanged file
is neither read nor stored again. Nothing is written outside of it.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.workspace.git import Git
from orchestrator.workspace.repository import Repository, list_filtered_paths, read_file_settings

MACHINE_MADE: Final = (
    ".venv/",
    "venv/",
    "node_modules/",
    "__pycache__/",
    "*.py[co]",
    "*.egg-info/",
    ".eggs/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".tox/",
    ".nox/",
    ".cache/",
    ".coverage",
    "htmlcov/",
    ".DS_Store",
)
"""Ignored unless the project's own rules say otherwise. A tracked file is always seen."""

RAW_BYTES: Final = "* -text -filter -ident -working-tree-encoding !eol !diff\n"
"""Content of `info/attributes`, which outranks every other attribute file: bytes are stored as they
are on disk."""

ISOLATED: Final = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}

_ENTRY: Final = re.compile(rb"(?P<mode>\d{6}) (?P<oid>[0-9a-f]+) \d\t(?P<path>[^\0]+)\0")
"""One entry as `git ls-files --stage -z` prints it."""

_TIMED_ENTRY: Final = re.compile(
    _ENTRY.pattern
    + rb"  ctime: .*\n  mtime: .*\n  dev: .*\n  uid: .*\n"
    + rb"  size: (?P<size>\d+)\tflags: (?P<flags>[0-9a-f]+)\n"
)
"""The same entry with `--debug`."""

_FLAGS: Final = 0x8000 | 0x3000 | 0x2000_0000 | 0x4000_0000
"""Assume-unchanged, merge stage, intent-to-add, skip-worktree (gitformat-index(5))."""

_GITLINK: Final = b"160000"


@dataclass(frozen=True)
class PrivateGit:
    """The private git directory.

    Args:
        project: git in the project's folder, with the user's work tree and the private directory.
        folder: the private git directory.
        top: the top of the user's work tree.
        prefix: the project's path below `top`: `b""` or `b"a/b/"`.
        empty_tree: the id of a tree without files.
    """

    project: Git
    folder: Path
    top: Path
    prefix: bytes
    empty_tree: str


def open_private_git(project: Path, repository: Repository | None, state: Path) -> PrivateGit:
    """Open the private git directory in `state`; create it if there is no complete one.

    Raises:
        InfrastructureError: git failed.
        OSError: `state` cannot be written.
    """
    folder = state / "git"
    top, prefix = (repository.top, repository.prefix) if repository else (project, b"")
    environment = {**ISOLATED, "GIT_DIR": str(folder), "GIT_WORK_TREE": str(top)}
    config = (
        *read_file_settings(project),
        "core.bare=false",
        "core.protectNTFS=false",
        "gc.auto=0",
    )
    hash_name = repository.object_format if repository else "sha1"
    empty_tree = hashlib.new(hash_name, b"tree 0\0", usedforsecurity=False).hexdigest()
    private = PrivateGit(Git(project, environment, config), folder, top, prefix, empty_tree)
    if not (folder / "info" / "attributes").exists():  # written last, it marks a complete one
        _create_repository(folder, repository, build_ignore_rules(repository, state, top))
    # Left behind by a process that was killed while it took a snapshot.
    (folder / "index.lock").unlink(missing_ok=True)
    _drop_untrusted_entries(private, repository)
    return private


def _create_repository(folder: Path, repository: Repository | None, ignore_rules: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)  # it will hold copies of private files
    init = ["init", "--quiet", "--bare", "--template="]
    if repository and repository.object_format != "sha1":
        init.append(f"--object-format={repository.object_format}")
    Git(folder).with_folder(folder, **ISOLATED, GIT_DIR=str(folder)).run(*init)
    (folder / "info").mkdir()
    (folder / "info" / "exclude").write_bytes(ignore_rules)
    if repository:
        _borrow_objects(repository, folder)
    (folder / "info" / "attributes").write_text(RAW_BYTES, encoding="ascii")


def build_ignore_rules(repository: Repository | None, state: Path, top: Path) -> bytes:
    """Return the content of `info/exclude`: generated files, the user's own rules, and `state`."""
    rules = "".join(f"{pattern}\n" for pattern in MACHINE_MADE).encode()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if repository:
            rules += repository.exclude.read_bytes().rstrip(b"\n") + b"\n"
    if state.is_relative_to(top):
        # If the project is the home directory, the state directory is inside it.
        inside = os.fsencode(state.relative_to(top))
        rules += b"/" + re.sub(rb"([\\*?\[])", rb"\\\1", inside) + b"/\n"
    return rules


def _borrow_objects(repository: Repository, folder: Path) -> None:
    """Read the user's objects in place, and start from a copy of the user's index."""
    write_alternates(repository, folder)
    copy_index(repository, folder)


def write_alternates(repository: Repository, folder: Path) -> None:
    """Let the git directory `folder` read the user's objects in place."""
    (folder / "objects" / "info").mkdir(exist_ok=True)
    alternates = format_alternates(repository.objects.resolve())
    (folder / "objects" / "info" / "alternates").write_bytes(alternates)


def format_alternates(objects: Path) -> bytes:
    """Return the content of `objects/info/alternates` for one folder of objects."""
    quoted = os.fsencode(objects)
    for raw, escaped in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n")):
        quoted = quoted.replace(raw, escaped)
    return b'"' + quoted + b'"\n'


def copy_index(repository: Repository, folder: Path) -> None:
    """Copy the user's index into the git directory `folder`."""
    # copy2 preserves the times: git compares the index's own time with a file's, and reads the file
    # again if it could have changed after the index was written.
    for shared in repository.git_dir.glob("sharedindex.*"):
        shutil.copy2(shared, folder / shared.name)
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(repository.index, folder / "index")


def _drop_untrusted_entries(private: PrivateGit, repository: Repository | None) -> None:
    """Drop the index entries that may differ from the bytes on disk.

    These are entries written through a filter or with converted line endings, and entries that the
    user marked with `--assume-unchanged`. Their files are read again. Entries of files that do not
    exist, or that are outside of the project, are removed.
    """
    index = private.folder / "index"
    if not index.exists():
        return
    git = private.project.with_folder(private.top)
    if any(private.folder.glob("sharedindex.*")):
        # A split index refers to a second file beside it. list_filtered_paths reads the index with
        # the user's git directory, where git would not find that file.
        git.run("update-index", "--no-split-index")
    filtered = list_filtered_paths(repository, index) if repository else set()
    doubtful = _find_untrusted_entries(git, filtered, private.prefix)
    if doubtful:
        # In reverse order: git moves all later entries for each one that it removes.
        changes = [_format_index_update(entry, private) for entry in reversed(doubtful.values())]
        git.run("update-index", "-z", "--index-info", stdin=b"".join(changes))


def _find_untrusted_entries(
    git: Git, filtered: Collection[bytes], prefix: bytes
) -> dict[bytes, re.Match[bytes]]:
    """Return the entries that cannot be trusted, by path."""
    listing = git.read_output("ls-files", "--stage", "--debug", "-z")
    # The matches are iterated twice, because a list of 100,000 of them takes too much memory.
    oids, length = [], 0
    for entry in _TIMED_ENTRY.finditer(listing):
        oids.append(entry["oid"])
        length += entry.end() - entry.start()
    if length < len(listing):
        # git may change the format of `--debug`. Then every file is read again, which is only slow.
        plain = git.read_output("ls-files", "--stage", "-z")
        return {entry["path"]: entry for entry in _ENTRY.finditer(plain)}
    return {
        entry["path"]: entry
        for entry, size in zip(
            _TIMED_ENTRY.finditer(listing), _iter_blob_sizes(git, oids), strict=True
        )
        if entry["size"] != size
        or (entry["flags"] != b"0" and int(entry["flags"], 16) & _FLAGS)
        or entry["path"] in filtered
        or not entry["path"].startswith(prefix)
    }


def _iter_blob_sizes(git: Git, oids: Sequence[bytes]) -> Iterator[bytes]:
    command = ("cat-file", "--buffer", "--batch-check=%(objecttype) %(objectsize)")
    stdin = b"\n".join([*oids, b""])
    answers = git.read_output(*command, stdin=stdin).splitlines() if oids else []
    # "blob 12"; "<oid> missing" for what a partial clone never fetched, "commit 300" for a gitlink
    return (answer.removeprefix(b"blob ") for answer in answers)


def _format_index_update(entry: re.Match[bytes], private: PrivateGit) -> bytes:
    """Return a line for `update-index --index-info`: the entry without times, or its removal."""
    path = entry["path"]
    in_project = path.startswith(private.prefix) and entry["mode"] != _GITLINK
    if in_project and os.path.lexists(private.top / os.fsdecode(path)):
        return entry["mode"] + b" " + entry["oid"] + b"\t" + path + b"\0"
    return b"0 " + b"0" * len(entry["oid"]) + b"\t" + path + b"\0"

"""Store the tree that a rule was learned from, complete, in a folder of its own.

    <folder>/tree.pack       one git pack with every object of the tree
    <folder>/pinned.json     whose tree it is, and what failed on it; written last

A snapshot borrows objects from the user's repository, which lose their last reference, and are
pruned, when history is rewritten there. A pinned tree depends on its folder only.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform import atomic, files
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.storage.state_directory import pins_folder
from orchestrator.workspace.git import Git
from orchestrator.workspace.private import ISOLATED, RAW_BYTES

MOST_BYTES: Final = 100 * 1024 * 1024
"""Total size of a tree's files; a larger tree is not pinned."""

_PACK: Final = "tree.pack"
_ABOUT: Final = "pinned.json"
_SHA256_DIGITS: Final = 64
_EXACT: Final = (
    "core.autocrlf=false",
    "core.fileMode=true",
    "core.symlinks=true",
    "core.protectNTFS=false",
    "core.protectHFS=false",
)
"""Files are restored byte for byte, also if their names are invalid on other systems."""


@dataclass(frozen=True)
class PinnedTree:
    """A tree, and the failure on it that a rule was learned from. All text is masked."""

    rule: str
    run: str
    attempt: int
    tree: str
    """The id of the tree before the attempt."""
    task: str
    cases: tuple[str, ...]
    """Ids of the test cases that failed."""
    project: str
    at: str
    """When the rule was learned: ISO 8601, in UTC."""
    left_out: tuple[str, ...] = ()
    """Nested repositories and unreadable files, which no snapshot contains."""


def locate_pin(state: Path, pinned: PinnedTree) -> Path:
    """Return the folder of a tree in the state directory, one for each time a rule was learned."""
    return pins_folder(state) / pinned.rule / f"{pinned.run}.{pinned.attempt}"


def pin_tree(git: Git, pinned: PinnedTree, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Store a tree in a folder of its own; do nothing if the folder exists.

    The folder is written under another name and renamed at the end, so that a process that is
    killed leaves no incomplete one.

    Args:
        git: can read the tree.
        pinned: the tree, and what it belongs to.
        folder: the folder to create, with its parents.
        most_bytes: the largest total size of the tree's files.

    Raises:
        InfrastructureError: the tree is too large or incomplete, or it cannot be written.
    """
    if files.exists(folder):
        return
    _require_small(git, pinned.tree, most_bytes)
    draft = folder.with_name(f".{folder.name}.draft")  # one process carries a run
    try:
        files.remove_path(draft)
        make_private_folder(draft)
        _write_pack(git, pinned.tree, draft / _PACK)
        about = json.dumps(asdict(pinned), indent=2) + "\n"
        files.write_file(draft / _ABOUT, about.encode("ascii"), 0o600, durable=True)
        atomic.move_path(draft, folder)
        atomic.sync_folder(folder.parent)
    except OSError as error:
        raise _build_write_error(folder, error) from error
    finally:
        with contextlib.suppress(OSError):  # the next call removes it
            files.remove_path(draft)


def read_pin(folder: Path) -> PinnedTree:
    """Return the description of the tree that is pinned in a folder.

    Raises:
        InfrastructureError: there is none, or it is damaged.
    """
    try:
        stored = json.loads((folder / _ABOUT).read_text(encoding="ascii"))
        lists = {name: tuple(stored[name]) for name in ("cases", "left_out")}
        return PinnedTree(**{**stored, **lists})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InfrastructureError(
            f"{folder} holds no pinned tree: {error}", "learn the rule again"
        ) from error


def check_out_pin(folder: Path, into: Path) -> PinnedTree:
    """Write the files of a pinned tree into a folder, byte for byte.

    Args:
        folder: the folder of the pinned tree.
        into: an empty folder; it is created if it does not exist.

    Raises:
        InfrastructureError: there is no pinned tree, it is damaged, or a file cannot be written.
    """
    pinned = read_pin(folder)
    try:
        into.mkdir(parents=True, exist_ok=True)
        if files.list_folder(into):
            raise InfrastructureError(f"{into} is not empty", "give an empty folder")
        with _open_pack(folder / _PACK, pinned.tree, into) as git:
            git.run("read-tree", pinned.tree)
            git.run("checkout-index", "--all", "--force")
    except OSError as error:
        raise _build_write_error(into, error) from error
    return pinned


def _require_small(git: Git, tree: str, most_bytes: int) -> None:
    listed = git.read_output("ls-tree", "-r", "-l", "-z", "--full-tree", tree).split(b"\0")[:-1]
    # `mode type oid SPACES size TAB path`
    size = sum(int(entry.split(b"\t", 1)[0].split()[3]) for entry in listed)
    if size > most_bytes:
        mega = 1024 * 1024
        raise InfrastructureError(
            f"the project's files take {size // mega} MB, and at most {most_bytes // mega} MB are "
            "stored for a rule",
            "add files that no test needs to .gitignore",
        )


def _write_pack(git: Git, tree: str, pack: Path) -> None:
    # `--window=0` does not search for deltas, which is slow; those of the user's packs are reused.
    command = ("pack-objects", "--revs", "--stdout", "-q", "--window=0")
    git.run(*command, stdin=f"{tree}\n".encode("ascii"), stdout_file=pack)
    pack.chmod(0o600)
    atomic.sync_file(pack)


@contextlib.contextmanager
def _open_pack(pack: Path, tree: str, work_tree: Path) -> Iterator[Git]:
    """Yield git for a temporary repository that contains nothing but the pack."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-pinned-") as temporary:
        repository = Path(temporary)
        plain = Git(repository).with_folder(repository, **ISOLATED, GIT_DIR=temporary)
        kind = "sha256" if len(tree) == _SHA256_DIGITS else "sha1"
        plain.run("init", "--quiet", "--bare", "--template=", f"--object-format={kind}")
        (repository / "info").mkdir(exist_ok=True)
        (repository / "info" / "attributes").write_text(RAW_BYTES, encoding="ascii")
        copied = repository / "objects" / "pack" / f"pack-{tree}.pack"
        copied.symlink_to(pack.absolute())
        plain.run("index-pack", "-o", str(copied.with_suffix(".idx")), str(copied))
        yield Git(
            work_tree,
            {**ISOLATED, "GIT_DIR": temporary, "GIT_WORK_TREE": str(work_tree)},
            ("core.bare=false", *_EXACT),
        )


def _build_write_error(path: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"{error.filename or path} cannot be written: {error.strerror}",
        "check that it is writable and has space",
    )

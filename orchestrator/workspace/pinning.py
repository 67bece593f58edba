"""Trees that last: what a rule was learned from, complete in a folder of its own.

    <folder>/tree.pack       one git pack with every object of the tree
    <folder>/pinned.json     whose tree it is, and what failed on it; written last

A snapshot borrows the objects of the user's repository, and a history that is rewritten there may
take them away. A pinned tree needs nothing but its folder: remove that, and it is gone.
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
from orchestrator.storage.state_directory import pins_folder
from orchestrator.workspace.git import Git
from orchestrator.workspace.private import ISOLATED, RAW_BYTES

MOST_BYTES: Final = 100 * 1024 * 1024
"""Size of all files of a tree; one that is larger is not pinned."""

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
"""Files come back as they were, also where their names would be odd on another system."""


@dataclass(frozen=True)
class PinnedTree:
    """A tree, and what a rule was learned from on it. All text is without secrets."""

    rule: str
    run: str
    attempt: int
    tree: str
    """The id of the tree that the attempt began with."""
    task: str
    cases: tuple[str, ...]
    """Ids of the test cases that failed."""
    project: str
    at: str
    """When the rule was learned: ISO 8601, in UTC."""
    left_out: tuple[str, ...] = ()
    """Repositories inside, and what could not be read: no snapshot has them."""


def locate_pin(state: Path, pinned: PinnedTree) -> Path:
    """Return where the state directory keeps a tree: a rule may be learned more than once."""
    return pins_folder(state) / pinned.rule / f"{pinned.run}.{pinned.attempt}"


def pin_tree(git: Git, pinned: PinnedTree, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Keep a tree in a folder of its own; where it is kept already, nothing is done.

    Whoever is killed in between leaves no folder that counts.

    Args:
        git: can read the tree.
        pinned: whose tree it is.
        folder: where it is kept; made with all its parents.
        most_bytes: how large the tree's files may be together.

    Raises:
        InfrastructureError: the tree is too large or not complete, or it cannot be written.
    """
    if files.exists(folder):
        return
    _require_small(git, pinned.tree, most_bytes)
    draft = folder.with_name(f".{folder.name}.draft")  # one process carries a run
    try:
        files.remove_path(draft)
        draft.mkdir(parents=True, mode=0o700)
        _write_pack(git, pinned.tree, draft / _PACK)
        about = json.dumps(asdict(pinned), indent=2) + "\n"
        files.write_file(draft / _ABOUT, about.encode("ascii"), 0o600, durable=True)
        atomic.move_path(draft, folder)
        atomic.sync_folder(folder.parent)
    except OSError as error:
        raise _build_write_error(folder, error) from error
    finally:
        with contextlib.suppress(OSError):  # the next one removes it
            files.remove_path(draft)


def read_pin(folder: Path) -> PinnedTree:
    """Return what is pinned in a folder.

    Raises:
        InfrastructureError: nothing is, or it was damaged.
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
    """Write the files of a pinned tree into a folder, byte by byte as they were.

    Args:
        folder: where the tree is pinned.
        into: an empty folder, or one that is made.

    Raises:
        InfrastructureError: nothing is pinned there, it was damaged, or cannot be written.
    """
    pinned = read_pin(folder)
    try:
        into.mkdir(parents=True, exist_ok=True)
        if files.list_folder(into):
            raise InfrastructureError(f"{into} is not empty", "name an empty folder")
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
            "kept for a rule",
            "add what no test needs to .gitignore",
        )


def _write_pack(git: Git, tree: str, pack: Path) -> None:
    # Without looking for deltas: those that the user's packs have are taken over.
    asked = ("pack-objects", "--revs", "--stdout", "-q", "--window=0")
    git.run(*asked, stdin=f"{tree}\n".encode("ascii"), stdout_file=pack)
    pack.chmod(0o600)
    atomic.sync_file(pack)


@contextlib.contextmanager
def _open_pack(pack: Path, tree: str, work_tree: Path) -> Iterator[Git]:
    """Give a git whose repository holds the pack alone, for as long as the block takes."""
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

"""Remembers guarded files byte for byte, outside of the project, and puts them back.

The disk is looked at directly, and not through git: what git sees can be narrowed by a line in
.gitignore, and an environment's own files are never in a snapshot.
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import InfrastructureError
from orchestrator.guard.essence import essence, shared
from orchestrator.guard.watch import Kind, Watch, tests_among
from orchestrator.workspace.bytecode import drop_bytecode


@dataclass(frozen=True)
class Entry:
    """One guarded file as it was."""

    kind: Kind
    digest: str
    """SHA-256 of its bytes, or of a link's target."""
    mode: int
    link: bool
    signature: str
    """Size, times and inode: while they are the same, so are the bytes. No program can choose the
    time of a file's last status change."""


@dataclass(frozen=True)
class Manifest:
    """All guarded files of a project at one moment, by their path in it."""

    entries: dict[str, Entry]
    sources: dict[str, str]
    """Signatures of all of the project's Python files, guarded or not."""

    def folders(self) -> frozenset[str]:
        """The folders that hold guarded files."""
        return frozenset(
            str(folder) for path in self.entries for folder in PurePosixPath(path).parents
        )


Look = dict[str, "os.DirEntry[str]"]
"""The files of a project as one walk found them, by path. What `stat` says of one is asked for when
it is first needed, and stays."""


@dataclass(frozen=True)
class Change:
    """A guarded file that is not as it was."""

    path: str
    kind: Kind
    what: str
    """`changed`, `deleted` or `added`."""


class Pristine:
    """The guarded files of one project, kept in a folder of ours.

    Args:
        project: the project's directory.
        rules: which files are guarded.
        folder: where they are kept; made when it is missing.
    """

    def __init__(self, project: Path, rules: Watch, folder: Path) -> None:
        self._project, self._rules, self._folder = project, rules, folder

    def look(self, manifest: Manifest | None = None) -> Look:
        """Walk through the project once; with the folders of what is guarded, wherever they are.

        Raises:
            InfrastructureError: a folder cannot be read.
        """
        with _explained(self._project):
            return dict(self._files(manifest))

    def remember(
        self,
        name: str | None,
        collected: Collection[str],
        known: Manifest | None = None,
        look: Look | None = None,
    ) -> Manifest:
        """Keep what is guarded now.

        Args:
            name: of this moment, for `recall`; None for one that is not asked for again.
            collected: files that had test cases when the suite ran.
            known: what was remembered earlier in this folder; saves reading what is the same.
            look: the project as it is, if somebody has just looked.

        Raises:
            InfrastructureError: a file cannot be read, or kept.
        """
        with _explained(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            look = self.look() if look is None else look
            plain = [path for path in look if not self._rules.foreign(path)]
            tests = tests_among(plain, collected)
            kinds = dict.fromkeys(tests, Kind.TEST) | {
                path: Kind.STEERING for path in look if self._rules.steers(path)
            }
            manifest = Manifest(
                {
                    path: self._keep(path, kind, _stat(look[path]), known)
                    for path, kind in kinds.items()
                },
                {path: _signature(_stat(look[path])) for path in plain if path.endswith(".py")},
            )
            if name:
                _write(self._folder / f"{name}.json", _as_json(manifest))
        return manifest

    def recall(self, name: str) -> Manifest | None:
        """What was remembered under a name; None if nothing was."""
        try:
            text = (self._folder / f"{name}.json").read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        found = json.loads(text)
        entries = {
            path: Entry(**{**entry, "kind": Kind(entry["kind"])})
            for path, entry in found["entries"].items()
        }
        return Manifest(entries, found["sources"])

    def changes(self, manifest: Manifest, look: Look | None = None) -> list[Change]:
        """What is not as it was, in the order of the paths."""
        look = self.look(manifest) if look is None else look
        with _explained(self._project):
            changes = [
                *self._differing(manifest, look),
                *(
                    Change(path, Kind.STEERING, "added")
                    for path, item in look.items()
                    if path not in manifest.entries
                    and self._rules.steers(path)
                    and not self._steers_nothing(path, _stat(item))
                ),
            ]
        return sorted(changes, key=lambda change: change.path)

    def new_sources(self, manifest: Manifest, look: Look) -> dict[str, bool]:
        """Python files that are new or changed and not guarded; with whether they are new."""
        with _explained(self._project):
            return {
                path: path not in manifest.sources
                for path, item in sorted(look.items())
                if path.endswith(".py")
                and path not in manifest.entries
                and not self._rules.foreign(path)
                and manifest.sources.get(path) != _signature(_stat(item))
            }

    def put_back(self, manifest: Manifest, changes: Collection[Change], kept: Path) -> None:
        """Make the changed files what they were; their present versions go to the folder `kept`.

        Done again after it was cut short, it comes to the same.

        Raises:
            InfrastructureError: a file cannot be written.
        """
        with _explained(self._project):
            for change in changes:
                self._set_aside(change.path, kept)
                entry = manifest.entries.get(change.path)
                if entry:
                    self._place(change.path, entry, kept)

    def drop_caches(self, manifest: Manifest) -> None:
        """Remove the bytecode of guarded files: a cache made by hand runs in place of the file."""
        own = [path for path in manifest.entries if not self._rules.foreign(path)]
        with _explained(self._project):
            drop_bytecode(self._project, own)

    # ---- below: one file -------------------------------------------------------------------

    def _files(self, manifest: Manifest | None) -> "Iterator[tuple[str, os.DirEntry[str]]]":
        """Files and links of the project, without following links to folders."""
        guarded = manifest.folders() if manifest else frozenset()
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                listed = list(os.scandir(self._project / folder))
            except (PermissionError, FileNotFoundError):
                continue  # what we cannot look into, the suite cannot either
            below = f"{folder}/" if folder else ""
            ours = not self._rules.foreign(below)
            for item in listed:
                path = below + item.name
                if item.is_dir(follow_symlinks=False):
                    if self._enters(path, guarded):
                        folders.append(path)
                elif ours or self._rules.steers(path):
                    yield path, item

    def _enters(self, folder: str, guarded: Collection[str]) -> bool:
        if not self._rules.enters(folder):
            return False
        # Somebody's further environment: pytest does not look into one either.
        further = (self._project / folder / "pyvenv.cfg").exists()
        return not further or folder in guarded or self._rules.foreign(f"{folder}/")

    def _differing(self, manifest: Manifest, look: Look) -> Iterator[Change]:
        for path, entry in manifest.entries.items():
            if path not in look:
                was = essence(path, self._kept(entry).read_bytes()) if shared(path) else True
                if was is not None:
                    yield Change(path, entry.kind, "deleted")
                continue
            at = _stat(look[path])
            if _signature(at) != entry.signature and not self._same(path, entry, at):
                yield Change(path, entry.kind, "changed")

    def _steers_nothing(self, path: str, at: os.stat_result) -> bool:
        plain = stat.S_ISREG(at.st_mode)
        return plain and shared(path) and essence(path, self._bytes(path)) is None

    def _same(self, path: str, entry: Entry, at: os.stat_result) -> bool:
        if stat.S_ISLNK(at.st_mode) != entry.link or not (entry.link or stat.S_ISREG(at.st_mode)):
            return False
        if not shared(path) or entry.link:
            executable = (at.st_mode ^ entry.mode) & 0o111
            return not executable and self._digest(path, at) == entry.digest
        return essence(path, self._bytes(path)) == essence(path, self._kept(entry).read_bytes())

    def _keep(self, path: str, kind: Kind, at: os.stat_result, known: Manifest | None) -> Entry:
        before = known.entries.get(path) if known else None
        if before and before.kind is kind and before.signature == _signature(at):
            return before
        link = stat.S_ISLNK(at.st_mode)
        readable = link or (stat.S_ISREG(at.st_mode) and os.access(self._project / path, os.R_OK))
        entry = Entry(
            kind,
            self._digest(path, at) if readable else "",
            stat.S_IMODE(at.st_mode),
            link,
            _signature(at),
        )
        copy = self._kept(entry)
        if readable and not copy.exists():
            if link:
                _write(copy, os.fsencode((self._project / path).readlink()))
            else:
                _copy(self._project / path, copy)
        return entry

    def _digest(self, path: str, at: os.stat_result) -> str:
        full = self._project / path
        if stat.S_ISLNK(at.st_mode):
            return hashlib.sha256(os.fsencode(full.readlink())).hexdigest()
        with full.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _bytes(self, path: str) -> bytes | None:
        try:
            return (self._project / path).read_bytes()
        except OSError:
            return None

    def _kept(self, entry: Entry) -> Path:
        return self._folder / "files" / entry.digest

    def _set_aside(self, path: str, kept: Path) -> None:
        full = self._project / path
        if not os.path.lexists(full) or self._below_a_link(path):
            return
        target = kept / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if full.is_dir() and not full.is_symlink():
            shutil.copytree(full, target, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(full)
            return
        shutil.copy2(full, target, follow_symlinks=False)
        full.unlink()

    def _below_a_link(self, path: str) -> bool:
        parents = [self._project / str(each) for each in PurePosixPath(path).parents][:-1]
        return any(each.is_symlink() for each in parents)

    def _place(self, path: str, entry: Entry, kept: Path) -> None:
        if not entry.digest:
            return  # it could not be read, so nobody changed it knowingly
        full = self._project / path
        self._clear_way(path, kept)
        full.parent.mkdir(parents=True, exist_ok=True)
        copy = self._kept(entry)
        with tempfile.TemporaryDirectory(prefix=".put-back-", dir=full.parent) as scratch:
            new = Path(scratch) / "new"
            if entry.link:
                new.symlink_to(os.fsdecode(copy.read_bytes()))
            else:
                shutil.copyfile(copy, new)
                new.chmod(entry.mode)
            new.replace(full)

    def _clear_way(self, path: str, kept: Path) -> None:
        """Set aside files and links that stand where a folder of the path was."""
        for folder in reversed(PurePosixPath(path).parents[:-1]):
            full = self._project / str(folder)
            if full.is_symlink() or (full.exists() and not full.is_dir()):
                target = kept / f"{folder}.instead"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copy2(full, target, follow_symlinks=False)
                full.unlink()


def _stat(item: "os.DirEntry[str]") -> os.stat_result:
    return item.stat(follow_symlinks=False)


def _as_json(manifest: Manifest) -> bytes:
    entries = {path: vars(entry) for path, entry in manifest.entries.items()}
    return json.dumps({"entries": entries, "sources": manifest.sources}).encode("ascii")


def _signature(at: os.stat_result) -> str:
    return f"{at.st_mode:o} {at.st_size} {at.st_mtime_ns} {at.st_ctime_ns} {at.st_ino}"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".new")
    shutil.copyfile(source, temporary)
    temporary.replace(target)


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".new")
    temporary.write_bytes(data)
    temporary.replace(target)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an `OSError` into an error that says what is wrong, and the mend."""
    try:
        yield
    except OSError as error:
        raise InfrastructureError(
            f"the tests cannot be guarded: {error.filename or path}: {error.strerror}",
            "make it readable and writable, or free some space; then run again",
        ) from error

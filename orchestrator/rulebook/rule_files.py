"""The rule files on disk: locked, read once into a `RuleFileSet`, and written."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError, RulebookError
from orchestrator.platform.bom import is_utf16
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook import files
from orchestrator.rulebook.agents_md import find_shadowable_files
from orchestrator.rulebook.document import contains_rules
from orchestrator.rulebook.file_differences import list_changed_files
from orchestrator.rulebook.locking import lock_instruction_files
from orchestrator.rulebook.rule_file_set import RULES_DIR, Destination, RuleFileSet, Target
from orchestrator.rulebook.written_copies import WrittenCopies

_LARGEST_RULES_FILE: Final = 1_000_000
"""Bytes up to which a file of the rules folder is read."""
_ErrorHandler = Callable[[OSError], None]
_NO_FILE: Final = files.Content(b"", None)


@dataclass(frozen=True)
class RuleFilesSnapshot:
    """The files as they were read. The keys of all mappings are the names in `file_set`."""

    file_set: RuleFileSet
    contents: Mapping[str, files.Content]
    paths: Mapping[str, Path]
    """The real paths."""
    last_written: Mapping[str, files.Content]
    """The content that a process of this program wrote last; empty if none did."""
    agents_md_above: Path | None = None
    """An AGENTS.md of a folder above that a first rule in CLAUDE.md would shadow."""


class RuleFiles:
    """The files that contain the rules of one rulebook.

    Args:
        root: the project's folder; for the user's own rules Claude Code's configuration folder.
        target: where new rules go.
        mirror: whether CLAUDE.md and AGENTS.md are to contain the same rules.
        copies: a private folder for a copy of each file as a process of this program wrote it
            last; None to make no copies.
    """

    def __init__(
        self,
        root: Path,
        target: Target = Target.PROJECT,
        *,
        mirror: bool = False,
        copies: Path | None = None,
    ) -> None:
        self.root = Path(root).absolute()
        self.target, self._mirror, self.copies = target, mirror, WrittenCopies(copies)

    def resolve_path(self, name: str) -> Path:
        """Return the file to read and write for a name: itself, or what it links to.

        The user's own file may be a link to anywhere: people keep it with other settings.

        Raises:
            RulebookError: a link leads out of the project, or to nothing.
        """
        named = self.root / name
        if self.target is Target.USER:
            return Path(os.path.realpath(named))
        folder = self.root / RULES_DIR
        if name.startswith(RULES_DIR) and folder.exists() and not folder.is_dir():
            raise RulebookError(f"{folder} is not a folder", "move it away")
        if name.startswith(RULES_DIR) and not self._is_own_folder():
            raise RulebookError(
                f"{folder} leads out of the project, where Claude Code loads nothing from",
                "make it a folder of the project",
            )
        return files.resolve_path(named)

    def list_names(self) -> tuple[str, ...]:
        """Return the names of the files that may contain rules, whether they exist or not.

        Raises:
            RulebookError: the file for new rules is a link that cannot be followed.
        """
        shared = (
            name
            for name in self._list_shared_names()
            if self._is_required(name) or self._read_optional(name)
        )
        return (*shared, *self._read_rules_folder()[0])

    def list_possible_names(self) -> tuple[str, ...]:
        """Return the names of `list_names`, and of the files that cannot be used as they are."""
        return (*self._list_shared_names(), *self._read_rules_folder()[0])

    def list_project_names(self) -> tuple[str, ...]:
        """Return the names of `list_names`; none if the files are outside of every project."""
        return () if self.target is Target.USER else self.list_names()

    def list_lock_paths(self) -> tuple[Path, ...]:
        """Return the real paths whose locks a writer needs.

        One lock covers the whole rules folder. Nothing is read, for that would be before the lock.

        Raises:
            RulebookError: as for `list_names`.
        """
        paths = [self.root / RULES_DIR]
        for name in self._list_shared_names():
            if self._is_required(name):
                paths.append(self.resolve_path(name))
                continue
            with contextlib.suppress(RulebookError):
                if (path := self.resolve_path(name)).exists():
                    paths.append(path)
        return tuple(paths)

    @contextlib.contextmanager
    def lock_and_read(self, locks: Path) -> Iterator[RuleFilesSnapshot]:
        """Hold the locks of the files, and give the files as they are then.

        Args:
            locks: the folder for lock files.

        Raises:
            RulebookError, InfrastructureError: as for `read`, or a lock is held for too long.
        """
        with lock_instruction_files(self.list_lock_paths(), locks):
            yield self.read()

    def read(self) -> RuleFilesSnapshot:
        """Read each file once.

        Raises:
            RulebookError: a file that rules go into cannot be read, or is no text.
            InfrastructureError: the disk fails.
        """
        paths: dict[str, Path] = {}
        contents: dict[str, files.Content] = {}
        unreadable: dict[str, str] = {}
        for name in self._list_shared_names():
            if self._is_required(name):
                paths[name] = self.resolve_path(name)
                contents[name] = files.read_content(paths[name])
            elif not os.path.lexists(self.root / name):
                continue
            elif found := self._read_optional(name):
                paths[name], contents[name] = found
            elif reason := self._explain_unreadable(name):
                unreadable[name] = reason
        in_folder, not_read = self._read_rules_folder()
        paths |= {name: self.resolve_path(name) for name in in_folder}
        contents |= in_folder
        data = {name: content.data for name, content in contents.items()}
        shadowable = find_shadowable_files(self.root, data.get(CLAUDE_MD))
        destination = self._build_destination(data, shadowable.names)
        return RuleFilesSnapshot(
            RuleFileSet(data, destination, {**not_read, **unreadable}),
            contents,
            paths,
            {name: self.copies.read_content(path) for name, path in paths.items()},
            shadowable.above,
        )

    def require_writable(self) -> None:
        """Check that new rules can be written, before anything is paid for them.

        Raises:
            RulebookError: a file or folder may not be written, or is none.
            InfrastructureError: the disk fails.
        """
        for name in self._list_shared_names():
            if self._is_required(name):
                files.require_writable(self.resolve_path(name))
        if self.target is Target.RULES_DIR:
            new = self.resolve_path(f"{RULES_DIR}/learned.md")
            for path in (new, *(self.resolve_path(name) for name in self._read_rules_folder()[0])):
                files.require_writable(path)

    def remove_stale_files(self) -> None:
        """Remove what writers that were killed left beside the files."""
        folders = {self.root, self.root / RULES_DIR}
        for name in self._list_shared_names():
            with contextlib.suppress(RulebookError):
                folders.add(self.resolve_path(name).parent)
        files.remove_stale_files(sorted(folders))

    def write(self, snapshot: RuleFilesSnapshot, file_set: RuleFileSet) -> bool:
        """Write the files that differ; False when somebody else has changed one since it was read.

        The caller holds the locks of `list_lock_paths`. Editors do not, hence the comparison.

        Raises:
            RulebookError: a file may not be written.
            InfrastructureError: the disk is full, or fails.
        """
        for name in list_changed_files(snapshot.file_set, file_set):
            path, data = snapshot.paths.get(name) or self.resolve_path(name), file_set.files[name]
            before = snapshot.contents.get(name, _NO_FILE)
            if self.target is Target.USER or (name.startswith(RULES_DIR) and self.root.is_dir()):
                with files.translate_os_errors(path, "written"):
                    path.parent.mkdir(parents=True, exist_ok=True)
            self.copies.save(path, data, snapshot.last_written.get(name))
            if not data and name.startswith(RULES_DIR):
                done = files.remove_file(path, before)
            else:
                done = files.replace_file(path, data, before)
            if not done:
                return False
        return True

    # ---- copies of what was written last

    def read_last_written(self, name: str) -> bytes | None:
        """Return what a process of this program wrote last into a file; None if that is unknown."""
        return self.copies.read(self.resolve_path(name))

    def read_digests(self) -> Mapping[str, str]:
        """Return the digests of all copies, for `read_written_since`."""
        return self.copies.read_digests()

    def read_written_since(self, name: str, before: Mapping[str, str]) -> bytes | None:
        """Return what `read_last_written` does; None also if `before` contains its digest."""
        written, copy = self.read_last_written(name), self.copies.locate(self.resolve_path(name))
        if written is None or copy is None:
            return None
        return None if sha256(written).hexdigest() == before.get(copy.name) else written

    # ---- which files there are

    def _build_destination(
        self, contents: Mapping[str, bytes], imports: tuple[str, ...]
    ) -> Destination:
        if self.target is Target.USER:
            return Destination(Target.USER)
        one = self._is_one_file()
        target = Target.PROJECT if one and self.target is Target.AGENTS_MD else self.target
        taken: Sequence[str] = ()
        with contextlib.suppress(OSError):
            taken = [f"{RULES_DIR}/{path.name}" for path in (self.root / RULES_DIR).iterdir()]
        return Destination(
            target,
            self._mirror and not one,
            imports,
            frozenset(taken).difference(contents),
        )

    def _list_shared_names(self) -> tuple[str, ...]:
        """Return the names of the files that others write too: not those of the rules folder."""
        if self.target is Target.USER or self._is_one_file():
            return (CLAUDE_MD,)
        return (CLAUDE_MD, AGENTS_MD)

    def _is_one_file(self) -> bool:
        """Return whether CLAUDE.md and AGENTS.md are the same file by a link."""
        claude, agents = self.root / CLAUDE_MD, self.root / AGENTS_MD
        linked = claude.is_symlink() or agents.is_symlink()
        return linked and os.path.realpath(claude) == os.path.realpath(agents)

    def _is_required(self, name: str) -> bool:
        """Return whether new rules go into this file, so that it has to be usable."""
        agents = self.target is Target.AGENTS_MD and not self._is_one_file()
        used = AGENTS_MD if agents else CLAUDE_MD
        return self._mirror or (name == used and self.target is not Target.RULES_DIR)

    def _read_optional(self, name: str) -> tuple[Path, files.Content] | None:
        """Return the path and content of a file, if it exists and can be used."""
        with contextlib.suppress(RulebookError):
            path = files.resolve_path(self.root / name)
            content = files.read_content(path)
            if content.stat and _is_readable(content):
                return path, content
        return None

    def _explain_unreadable(self, name: str) -> str:
        """Return why a file that may contain rules cannot be used; empty if it contains none."""
        try:
            content = files.read_content(Path(os.path.realpath(self.root / name)))
        except LoopError as error:
            return error.message
        there = self.root / name
        return f"{there} is a link out of the project" if contains_rules(content.data) else ""

    def _is_own_folder(self) -> bool:
        folder = os.path.realpath(self.root / RULES_DIR)
        return Path(folder).is_relative_to(os.path.realpath(self.root))

    def _read_rules_folder(self) -> tuple[Mapping[str, files.Content], Mapping[str, str]]:
        """Return the files of the rules folder that contain rules, and why others were not read."""
        found: dict[str, files.Content] = {}
        unread: dict[str, str] = {}

        def note_error(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                unread[str(error.filename)] = f"{error.filename} cannot be read: {error.strerror}"

        for path in self._walk_rules_folder(note_error):
            name = path.relative_to(self.root).as_posix()
            try:
                if path.is_symlink() or not path.is_file():
                    continue
                if path.stat().st_size > _LARGEST_RULES_FILE:
                    unread[name] = f"{path} is larger than {_LARGEST_RULES_FILE} bytes"
                    continue
                content = files.read_content(path)
            except OSError as error:
                note_error(error)
            except LoopError as error:
                unread[str(path)] = error.message
            else:
                if contains_rules(content.data):
                    found[name] = content
        return dict(sorted(found.items())), unread

    def _walk_rules_folder(self, onerror: _ErrorHandler) -> Iterator[Path]:
        if self.target is Target.USER or not self._is_own_folder():
            return
        for parent, _, names in os.walk(self.root / RULES_DIR, onerror=onerror):
            yield from (Path(parent, name) for name in names if name.endswith(".md"))


def _is_readable(content: files.Content) -> bool:
    """Return whether a file is no UTF-16.

    One with rules counts as readable, so that the error about it is reported: its rules would be
    lost to everybody.
    """
    return not is_utf16(content.data) or contains_rules(content.data)

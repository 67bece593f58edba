"""The files of a rulebook on disk: which there are, read and written as one."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError, RulebookError
from orchestrator.platform.bom import is_utf16
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD, hash_path
from orchestrator.rulebook import files
from orchestrator.rulebook.agents_md import find_active_agents_md
from orchestrator.rulebook.document import contains_rules
from orchestrator.rulebook.rule_file_set import (
    RULES_DIR,
    Destination,
    RuleFileSet,
    Target,
    list_changed_files,
)

_LARGEST_RULES_FILE: Final = 1_000_000
"""Bytes of a file in the rules folder that we look into."""


@dataclass(frozen=True)
class RuleFilesSnapshot:
    """The files as they were read."""

    file_set: RuleFileSet
    contents: Mapping[str, files.Content]


class RuleFiles:
    """Where the rules of one rulebook stand on disk.

    Args:
        root: the project's folder; for the user's own rules Claude Code's configuration folder.
        target: where new rules go.
        mirror: whether CLAUDE.md and AGENTS.md are to say the same rules.
        copies: a private folder for a copy of what was written last, by whichever of our
            processes; without one there are no copies.
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
        self.target, self._mirror, self._copies = target, mirror, copies

    def resolve_path(self, name: str) -> Path:
        """The file to read and write for a name: itself, or what it links to.

        The user's own file may be a link to anywhere: it is often kept with other settings.

        Raises:
            RulebookError: a link leads out of the project, or nowhere.
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
        """The files that rules may stand in, there or not.

        Raises:
            RulebookError: the file for new rules is a link that cannot be followed.
        """
        if self.target is Target.USER:
            return (CLAUDE_MD,)
        return tuple(
            name
            for name in self.list_possible_names()
            if name.startswith(RULES_DIR) or self._is_usable(name)
        )

    def list_possible_names(self) -> tuple[str, ...]:
        """The same, also those that cannot be used as they are now."""
        if self.target is Target.USER:
            return (CLAUDE_MD,)
        names = (CLAUDE_MD,) if self._is_one_file() else (CLAUDE_MD, AGENTS_MD)
        return (*names, *self._find_rules_files()[0])

    def list_project_names(self) -> tuple[str, ...]:
        """The same, but none where they are outside of every project."""
        return () if self.target is Target.USER else self.list_names()

    def list_lock_paths(self) -> tuple[Path, ...]:
        """The real paths whose locks a writer needs; those of the rules folder go with them.

        Raises:
            RulebookError: as for `names`.
        """
        shared = [name for name in self.list_names() if not name.startswith(RULES_DIR)]
        return (self.root / RULES_DIR, *(self.resolve_path(name) for name in shared))

    def read(self) -> RuleFilesSnapshot:
        """Read them all.

        Raises:
            RulebookError: one that rules go into cannot be read, or is no text.
            InfrastructureError: the disk fails.
        """
        contents = {name: files.read_content(self.resolve_path(name)) for name in self.list_names()}
        data = {name: content.data for name, content in contents.items()}
        return RuleFilesSnapshot(
            RuleFileSet(data, self._build_destination(contents), self._find_unreadable(contents)),
            contents,
        )

    def write(self, read: RuleFilesSnapshot, file_set: RuleFileSet) -> bool:
        """Write what differs; False when somebody else wrote a file in the meantime.

        The caller holds the locks of `lockable`.

        Raises:
            RulebookError: a file may not be written.
            InfrastructureError: the disk is full, or fails.
        """
        for name in list_changed_files(read.file_set, file_set):
            path, data = self.resolve_path(name), file_set.files[name]
            before = read.contents.get(name, files.Content(b"", None))
            if self.target is Target.USER or (name.startswith(RULES_DIR) and self.root.is_dir()):
                with files.translate_os_errors(path, "written"):
                    path.parent.mkdir(parents=True, exist_ok=True)
            self._save_copy(path, data)
            if not data and name.startswith(RULES_DIR):
                done = files.remove_file(path, before)
            else:
                done = files.replace_file(path, data, before)
            if not done:
                return False
        return True

    def read_last_written(self, name: str) -> bytes | None:
        """What one of our processes wrote last into a file; None if there is no word of that.

        What people, or an agent, wrote since is not in it.
        """
        copy = self._build_copy_path(self.resolve_path(name))
        return copy.read_bytes() if copy and copy.exists() else None

    def read_digests(self) -> Mapping[str, str]:
        """What was written last, of all files that have a copy: digests, for `written_since`."""
        copies = self._copies.glob("*.md") if self._copies else ()
        return {copy.name: sha256(copy.read_bytes()).hexdigest() for copy in copies}

    def read_written_since(self, name: str, before: Mapping[str, str]) -> bytes | None:
        """The same as `last_written`; None also if `before`, from `written`, knew it already."""
        written, copy = self.read_last_written(name), self._build_copy_path(self.resolve_path(name))
        if written is None or copy is None:
            return None
        return None if sha256(written).hexdigest() == before.get(copy.name) else written

    def _save_copy(self, path: Path, data: bytes) -> None:
        # First the copy: whoever is killed in between has decided what is to stand there.
        if copy := self._build_copy_path(path):
            with files.translate_os_errors(copy, "written"):
                copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                files.replace_file(copy, data, files.read_content(copy))

    def _build_copy_path(self, path: Path) -> Path | None:
        return self._copies / f"{hash_path(path)}.md" if self._copies else None

    def _build_destination(self, ours: Iterable[str]) -> Destination:
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
            find_active_agents_md(self.root),
            frozenset(taken).difference(ours),
        )

    def _is_one_file(self) -> bool:
        """Whether CLAUDE.md and AGENTS.md are the same file by a link."""
        claude, agents = self.root / CLAUDE_MD, self.root / AGENTS_MD
        linked = claude.is_symlink() or agents.is_symlink()
        return linked and os.path.realpath(claude) == os.path.realpath(agents)

    def _is_usable(self, name: str) -> bool:
        """Whether we may look into a file; the one that rules go into has to be so."""
        goes = (
            AGENTS_MD if self.target is Target.AGENTS_MD and not self._is_one_file() else CLAUDE_MD
        )
        if self._mirror or (name == goes and self.target is not Target.RULES_DIR):
            return True
        with contextlib.suppress(RulebookError):
            path = files.resolve_path(self.root / name)
            return path.exists() and _is_readable(files.read_content(path))
        return False

    def _is_own_folder(self) -> bool:
        folder = os.path.realpath(self.root / RULES_DIR)
        return Path(folder).is_relative_to(os.path.realpath(self.root))

    def _find_unreadable(self, read: Iterable[str]) -> Mapping[str, str]:
        """The files that may have rules, beside those that were read, and what is wrong there."""
        if self.target is Target.USER:
            return {}
        unread = dict(self._find_rules_files()[1])
        for name in {CLAUDE_MD, AGENTS_MD}.difference(read) if not self._is_one_file() else ():
            try:
                there = files.read_content(Path(os.path.realpath(self.root / name)))
            except LoopError as error:
                unread[name] = error.message
            else:
                if contains_rules(there.data):
                    unread[name] = f"{self.root / name} is a link out of the project"
        return unread

    def _find_rules_files(self) -> tuple[Sequence[str], Mapping[str, str]]:
        """The files in the rules folder that have rules of ours; those that we cannot look into."""
        found: list[str] = []
        unread: dict[str, str] = {}

        def noted(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                unread[str(error.filename)] = f"{error.filename} cannot be read: {error.strerror}"

        folder = self.root / RULES_DIR
        for parent, _, names in os.walk(folder, onerror=noted) if self._is_own_folder() else ():
            for path in (Path(parent, name) for name in names if name.endswith(".md")):
                name = path.relative_to(self.root).as_posix()
                try:
                    if path.is_symlink() or not path.is_file():
                        continue
                    if path.stat().st_size > _LARGEST_RULES_FILE:
                        unread[name] = f"{path} is larger than {_LARGEST_RULES_FILE} bytes"
                    elif contains_rules(path.read_bytes()):
                        found.append(name)
                except OSError as error:
                    noted(error)
        return sorted(found), unread


def _is_readable(content: files.Content) -> bool:
    """Whether it is no UTF-16, unless that has rules: then nobody could read them."""
    return not is_utf16(content.data) or contains_rules(content.data)

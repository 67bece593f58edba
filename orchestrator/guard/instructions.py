"""The files with learned rules, and what decides whether they are loaded: kept, and restored.

People, other commands and other runs write rules while an agent works. What one of our processes
wrote is known by the copy that it keeps (`Shelf.written_since`); that is then what the agent's
version is held against.
"""

import base64
import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from orchestrator.errors import LoopError, RulebookError
from orchestrator.guard.excludes import excludes_more, with_excludes_of
from orchestrator.guard.rules import rewritten, with_rules_of
from orchestrator.models import Finding, FindingKind
from orchestrator.platform.bom import UTF8_BOM
from orchestrator.platform.files import exists, is_folder, is_link
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD, PROJECT_SETTINGS, SETTINGS
from orchestrator.rulebook import files
from orchestrator.rulebook.agents_md import agents_unloaded
from orchestrator.rulebook.locking import instruction_files_locked
from orchestrator.rulebook.pages import RULES_DIR, Target
from orchestrator.rulebook.shelf import Shelf

_IMPORT: Final = f"@{AGENTS_MD}\n\n".encode()


@dataclass(frozen=True)
class Seen:
    """The files of one shelf as an attempt found them."""

    files: Mapping[str, bytes]
    links: Mapping[str, str]
    """Where each link on the way to one of them led, by its path from the shelf's root."""
    written: Mapping[str, str]
    """What `Shelf.written` said."""
    locks: frozenset[Path]
    """Real paths whose locks a writer needed."""
    agents: bool
    """Whether there were rules in AGENTS.md, and Claude Code loaded them."""


class Instructions:
    """The instruction files of one run.

    Args:
        shelves: the rulebooks whose files are loaded.
        folder: keeps what was remembered.
        locks: the folder for the locks of rulebooks.
    """

    def __init__(self, shelves: Sequence[Shelf], folder: Path, locks: Path) -> None:
        self._shelves, self._folder, self._locks = shelves, folder, locks

    def remember(self, attempt: int) -> None:
        """Remember the files as an attempt finds them.

        Raises:
            LoopError: one cannot be read or kept.
        """
        seen = []
        for shelf in self._shelves:
            with instruction_files_locked(_lockable(shelf), self._locks):
                seen.append(_as_json(_look(shelf)))
        kept = self._kept(attempt)
        with files.explained(kept, "written"):
            kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace(kept, json.dumps(seen).encode("ascii"), files.read(kept))

    def forget(self, attempt: int) -> None:
        """Hold nothing against an attempt any more."""
        self._kept(attempt).unlink(missing_ok=True)

    def tampered(self, attempt: int, aside: Path | None = None) -> tuple[Finding, ...]:
        """What was done to the rules, and to their being loaded, since an attempt began.

        Args:
            attempt: its number; of one that was not remembered nothing is known.
            aside: a folder for the present versions of what is then restored; without one,
                nothing is.

        Raises:
            LoopError: a file cannot be read or written.
        """
        kept = files.read(self._kept(attempt))
        if not kept.stat:
            return ()
        found: list[Finding] = []
        for number, (shelf, seen) in enumerate(
            zip(self._shelves, map(_from_json, json.loads(kept.data)), strict=True)
        ):
            there = aside and aside / f"{number}"
            with instruction_files_locked(seen.locks | _lockable(shelf), self._locks):
                found += _Held(shelf, seen, there).tampered()
        return tuple(found)

    def _kept(self, attempt: int) -> Path:
        return self._folder / f"rules-{attempt}.json"


@dataclass(frozen=True)
class _Held:
    """The files of one shelf, held against how they were seen; their locks are held too."""

    shelf: Shelf
    seen: Seen
    aside: Path | None

    def tampered(self) -> Iterator[Finding]:
        names = {*self.seen.files, *self.shelf.possible(), *_settings(self.shelf)}
        for name in sorted(names):
            if self._is_rewritten(name):
                what = "changed" if name in self.seen.files else "added"
                yield Finding(FindingKind.RULES, self._shown(name), what)
        if self.seen.agents and (by := agents_unloaded(self.shelf.root)):
            if self.aside:
                self._import_agents()
            text = f"kept {AGENTS_MD} from being loaded"
            yield Finding(FindingKind.RULES, os.path.relpath(by, self.shelf.root), text)

    def _is_rewritten(self, name: str) -> bool:
        relinked = self._is_relinked(name)
        if relinked and self._is_alias(name):
            return False
        astray = relinked and self._leads_astray(name)
        if astray and self.aside:
            self._clear_way(name)
        before, now = self._before(name), _read(self.shelf, name)
        changed = _rewritten(name, before, now)
        if self.aside and (changed or (astray and now is None)):
            self._write(name, before if now is None else _mended(name, before, now), now)
        return changed or astray

    def _before(self, name: str) -> bytes | None:
        """What the agent's version is held against."""
        with contextlib.suppress(RulebookError):  # a link that is reported, and stays
            written = self.shelf.written_since(name, self.seen.written)
            if written is not None:
                return written or None
        return self.seen.files.get(name)

    def _is_relinked(self, name: str) -> bool:
        root, links = self.shelf.root, self.seen.links
        return any(_link(root / part) != links.get(part, "") for part in _parts(name))

    def _is_alias(self, name: str) -> bool:
        """Whether it is the other instruction file by a link now, and had no rules of its own."""
        names = {CLAUDE_MD, AGENTS_MD}
        real = os.path.realpath(self.shelf.root / name)
        others = {os.path.realpath(self.shelf.root / other) for other in names - {name}}
        has_rules = rewritten(self.seen.files.get(name), None)
        return name in names and real in others and not has_rules

    def _leads_astray(self, name: str) -> bool:
        """Whether writing would write elsewhere now; of settings only what they say counts."""
        now = _read(self.shelf, name)
        return name not in _settings(self.shelf) or excludes_more(self.seen.files.get(name), now)

    def _clear_way(self, name: str) -> None:
        """Make links what they were; never is anything done to what one leads to."""
        for part in _parts(name):
            path, link = self.shelf.root / part, self.seen.links.get(part, "")
            blocks = exists(path) and is_folder(path) == (part == name)
            if _link(path) == link and (link or not blocks):
                continue
            with files.explained(path, "written"):
                self._set_aside(part)
                if link:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.symlink_to(link)

    def _set_aside(self, part: str) -> None:
        path = self.shelf.root / part
        if not os.path.lexists(path) or not self.aside:
            return
        kept = self.aside / f"{part}.instead"
        kept.parent.mkdir(parents=True, exist_ok=True)
        if is_folder(path) and not is_link(path):
            shutil.copytree(path, kept, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(path)
            return
        kept.unlink(missing_ok=True)
        shutil.copy2(path, kept, follow_symlinks=False)
        path.unlink()

    def _write(self, name: str, data: bytes | None, now: bytes | None) -> None:
        self._clear_way(name)
        path = _path(self.shelf, name)
        with files.explained(path, "written"):
            if now is not None and self.aside:
                kept = self.aside / name
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(now)
            if data is None:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, data, files.read(path))

    def _import_agents(self) -> None:
        """Have CLAUDE.md import AGENTS.md again, whatever else the agent wrote there."""
        now = _read(self.shelf, CLAUDE_MD)
        bom = UTF8_BOM if now and now.startswith(UTF8_BOM) else b""
        self._write(CLAUDE_MD, bom + _IMPORT + (now or b"").removeprefix(UTF8_BOM), now)

    def _shown(self, name: str) -> str:
        users = self.shelf.target is Target.USER
        shown = os.fspath(self.shelf.root / name) if users else name
        return os.fsencode(shown).decode("utf-8", "backslashreplace")


def _look(shelf: Shelf) -> Seen:
    names = {*shelf.possible(), *_settings(shelf)}
    parts = {part for name in names for part in _parts(name)} | {*_parts(RULES_DIR)}
    read = {name: _read(shelf, name) for name in names}
    agents = shelf.target is not Target.USER and rewritten(read.get(AGENTS_MD), None)
    return Seen(
        {name: data for name, data in read.items() if data is not None},
        {part: link for part in parts if (link := _link(shelf.root / part))},
        shelf.written(),
        _lockable(shelf),
        agents and agents_unloaded(shelf.root) is None,
    )


def _settings(shelf: Shelf) -> Sequence[str]:
    """The files that may keep the shelf's files from being loaded."""
    if shelf.target is Target.USER:
        return (SETTINGS,)
    return PROJECT_SETTINGS


def _rewritten(name: str, before: bytes | None, now: bytes | None) -> bool:
    return (excludes_more if name.endswith(".json") else rewritten)(before, now)


def _mended(name: str, before: bytes | None, now: bytes | None) -> bytes | None:
    return (with_excludes_of if name.endswith(".json") else with_rules_of)(before, now)


def _path(shelf: Shelf, name: str) -> Path:
    if name in _settings(shelf):  # the user's own may be a link to anywhere
        return Path(os.path.realpath(shelf.root / name))
    return shelf.path(name)


def _read(shelf: Shelf, name: str) -> bytes | None:
    """A file's bytes; None for one that is not there, or cannot be read."""
    with contextlib.suppress(LoopError):
        content = files.read(_path(shelf, name))
        return content.data if content.stat else None
    return None


def _lockable(shelf: Shelf) -> frozenset[Path]:
    try:
        return frozenset(shelf.lockable())
    except RulebookError:  # a link that nobody can follow: then nobody writes there either
        return frozenset((shelf.root / RULES_DIR,))


def _parts(name: str) -> Sequence[str]:
    """A path and the folders on the way to it, from the top."""
    pure = PurePosixPath(name)
    return [str(each) for each in (*reversed(pure.parents[:-1]), pure)]


def _link(path: Path) -> str:
    return os.fspath(path.readlink()) if is_link(path) else ""


def _as_json(seen: Seen) -> Mapping[str, Any]:
    return {
        "files": {name: base64.b64encode(data).decode() for name, data in seen.files.items()},
        "links": seen.links,
        "written": seen.written,
        "locks": [os.fspath(path) for path in seen.locks],
        "agents": seen.agents,
    }


def _from_json(found: Mapping[str, Any]) -> Seen:
    return Seen(
        {name: base64.b64decode(data) for name, data in found["files"].items()},
        found["links"],
        found["written"],
        frozenset(map(Path, found["locks"])),
        found["agents"],
    )

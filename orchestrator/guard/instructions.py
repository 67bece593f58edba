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
from orchestrator.guard.excludes import has_more_excludes, restore_excludes
from orchestrator.guard.rules import has_changed_rules, restore_rules
from orchestrator.models import Finding, FindingKind
from orchestrator.platform.bom import UTF8_BOM
from orchestrator.platform.files import exists, is_folder, is_link
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD, PROJECT_SETTINGS, SETTINGS
from orchestrator.rulebook import files
from orchestrator.rulebook.agents_md import find_shadowing_file
from orchestrator.rulebook.locking import lock_instruction_files
from orchestrator.rulebook.rule_file_set import RULES_DIR, Target
from orchestrator.rulebook.rule_files import RuleFiles

_IMPORT: Final = f"@{AGENTS_MD}\n\n".encode()


@dataclass(frozen=True)
class RuleFilesSnapshot:
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

    def __init__(self, shelves: Sequence[RuleFiles], folder: Path, locks: Path) -> None:
        self._rule_files, self._folder, self._locks = shelves, folder, locks

    def record_snapshot(self, attempt: int) -> None:
        """Remember the files as an attempt finds them.

        Raises:
            LoopError: one cannot be read or kept.
        """
        seen = []
        for shelf in self._rule_files:
            with lock_instruction_files(_list_lock_paths(shelf), self._locks):
                seen.append(_as_json(_read_snapshot(shelf)))
        kept = self._resolve_snapshot_path(attempt)
        with files.translate_os_errors(kept, "written"):
            kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace_file(kept, json.dumps(seen).encode("ascii"), files.read_content(kept))

    def remove_snapshot(self, attempt: int) -> None:
        """Hold nothing against an attempt any more."""
        self._resolve_snapshot_path(attempt).unlink(missing_ok=True)

    def find_tampering(self, attempt: int, aside: Path | None = None) -> tuple[Finding, ...]:
        """What was done to the rules, and to their being loaded, since an attempt began.

        Args:
            attempt: its number; of one that was not remembered nothing is known.
            aside: a folder for the present versions of what is then restored; without one,
                nothing is.

        Raises:
            LoopError: a file cannot be read or written.
        """
        kept = files.read_content(self._resolve_snapshot_path(attempt))
        if not kept.stat:
            return ()
        found: list[Finding] = []
        for number, (shelf, seen) in enumerate(
            zip(self._rule_files, map(_from_json, json.loads(kept.data)), strict=True)
        ):
            there = aside and aside / f"{number}"
            with lock_instruction_files(seen.locks | _list_lock_paths(shelf), self._locks):
                found += _TamperCheck(shelf, seen, there).iter_findings()
        return tuple(found)

    def _resolve_snapshot_path(self, attempt: int) -> Path:
        return self._folder / f"rules-{attempt}.json"


@dataclass(frozen=True)
class _TamperCheck:
    """The files of one shelf, held against how they were seen; their locks are held too."""

    rule_files: RuleFiles
    snapshot: RuleFilesSnapshot
    aside: Path | None

    def iter_findings(self) -> Iterator[Finding]:
        names = {
            *self.snapshot.files,
            *self.rule_files.list_possible_names(),
            *_list_settings_files(self.rule_files),
        }
        for name in sorted(names):
            if self._check_and_restore(name):
                what = "changed" if name in self.snapshot.files else "added"
                yield Finding(FindingKind.RULES, self._format_name(name), what)
        if self.snapshot.agents and (by := find_shadowing_file(self.rule_files.root)):
            if self.aside:
                self._import_agents()
            text = f"kept {AGENTS_MD} from being loaded"
            yield Finding(FindingKind.RULES, os.path.relpath(by, self.rule_files.root), text)

    def _check_and_restore(self, name: str) -> bool:
        relinked = self._is_relinked(name)
        if relinked and self._is_alias(name):
            return False
        astray = relinked and self._has_wrong_target(name)
        if astray and self.aside:
            self._restore_links(name)
        before, now = self._read_reference(name), _read_file(self.rule_files, name)
        changed = _has_changed(name, before, now)
        if self.aside and (changed or (astray and now is None)):
            self._write_file(
                name, before if now is None else _restore_content(name, before, now), now
            )
        return changed or astray

    def _read_reference(self, name: str) -> bytes | None:
        """What the agent's version is held against."""
        with contextlib.suppress(RulebookError):  # a link that is reported, and stays
            written = self.rule_files.read_written_since(name, self.snapshot.written)
            if written is not None:
                return written or None
        return self.snapshot.files.get(name)

    def _is_relinked(self, name: str) -> bool:
        root, links = self.rule_files.root, self.snapshot.links
        return any(
            _read_link(root / part) != links.get(part, "") for part in _list_path_parts(name)
        )

    def _is_alias(self, name: str) -> bool:
        """Whether it is the other instruction file by a link now, and had no rules of its own."""
        names = {CLAUDE_MD, AGENTS_MD}
        real = os.path.realpath(self.rule_files.root / name)
        others = {os.path.realpath(self.rule_files.root / other) for other in names - {name}}
        has_rules = has_changed_rules(self.snapshot.files.get(name), None)
        return name in names and real in others and not has_rules

    def _has_wrong_target(self, name: str) -> bool:
        """Whether writing would write elsewhere now; of settings only what they say counts."""
        now = _read_file(self.rule_files, name)
        return name not in _list_settings_files(self.rule_files) or has_more_excludes(
            self.snapshot.files.get(name), now
        )

    def _restore_links(self, name: str) -> None:
        """Make links what they were; never is anything done to what one leads to."""
        for part in _list_path_parts(name):
            path, link = self.rule_files.root / part, self.snapshot.links.get(part, "")
            blocks = exists(path) and is_folder(path) == (part == name)
            if _read_link(path) == link and (link or not blocks):
                continue
            with files.translate_os_errors(path, "written"):
                self._back_up_path(part)
                if link:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.symlink_to(link)

    def _back_up_path(self, part: str) -> None:
        path = self.rule_files.root / part
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

    def _write_file(self, name: str, data: bytes | None, now: bytes | None) -> None:
        self._restore_links(name)
        path = _resolve_path(self.rule_files, name)
        with files.translate_os_errors(path, "written"):
            if now is not None and self.aside:
                kept = self.aside / name
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(now)
            if data is None:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
        files.replace_file(path, data, files.read_content(path))

    def _import_agents(self) -> None:
        """Have CLAUDE.md import AGENTS.md again, whatever else the agent wrote there."""
        now = _read_file(self.rule_files, CLAUDE_MD)
        bom = UTF8_BOM if now and now.startswith(UTF8_BOM) else b""
        self._write_file(CLAUDE_MD, bom + _IMPORT + (now or b"").removeprefix(UTF8_BOM), now)

    def _format_name(self, name: str) -> str:
        users = self.rule_files.target is Target.USER
        shown = os.fspath(self.rule_files.root / name) if users else name
        return os.fsencode(shown).decode("utf-8", "backslashreplace")


def _read_snapshot(shelf: RuleFiles) -> RuleFilesSnapshot:
    names = {*shelf.list_possible_names(), *_list_settings_files(shelf)}
    parts = {part for name in names for part in _list_path_parts(name)} | {
        *_list_path_parts(RULES_DIR)
    }
    read = {name: _read_file(shelf, name) for name in names}
    agents = shelf.target is not Target.USER and has_changed_rules(read.get(AGENTS_MD), None)
    return RuleFilesSnapshot(
        {name: data for name, data in read.items() if data is not None},
        {part: link for part in parts if (link := _read_link(shelf.root / part))},
        shelf.read_digests(),
        _list_lock_paths(shelf),
        agents and find_shadowing_file(shelf.root) is None,
    )


def _list_settings_files(shelf: RuleFiles) -> Sequence[str]:
    """The files that may keep the shelf's files from being loaded."""
    if shelf.target is Target.USER:
        return (SETTINGS,)
    return PROJECT_SETTINGS


def _has_changed(name: str, before: bytes | None, now: bytes | None) -> bool:
    return (has_more_excludes if name.endswith(".json") else has_changed_rules)(before, now)


def _restore_content(name: str, before: bytes | None, now: bytes | None) -> bytes | None:
    return (restore_excludes if name.endswith(".json") else restore_rules)(before, now)


def _resolve_path(shelf: RuleFiles, name: str) -> Path:
    if name in _list_settings_files(shelf):  # the user's own may be a link to anywhere
        return Path(os.path.realpath(shelf.root / name))
    return shelf.resolve_path(name)


def _read_file(shelf: RuleFiles, name: str) -> bytes | None:
    """A file's bytes; None for one that is not there, or cannot be read."""
    with contextlib.suppress(LoopError):
        content = files.read_content(_resolve_path(shelf, name))
        return content.data if content.stat else None
    return None


def _list_lock_paths(shelf: RuleFiles) -> frozenset[Path]:
    try:
        return frozenset(shelf.list_lock_paths())
    except RulebookError:  # a link that nobody can follow: then nobody writes there either
        return frozenset((shelf.root / RULES_DIR,))


def _list_path_parts(name: str) -> Sequence[str]:
    """A path and the folders on the way to it, from the top."""
    pure = PurePosixPath(name)
    return [str(each) for each in (*reversed(pure.parents[:-1]), pure)]


def _read_link(path: Path) -> str:
    return os.fspath(path.readlink()) if is_link(path) else ""


def _as_json(seen: RuleFilesSnapshot) -> Mapping[str, Any]:
    return {
        "files": {name: base64.b64encode(data).decode() for name, data in seen.files.items()},
        "links": seen.links,
        "written": seen.written,
        "locks": [os.fspath(path) for path in seen.locks],
        "agents": seen.agents,
    }


def _from_json(found: Mapping[str, Any]) -> RuleFilesSnapshot:
    return RuleFilesSnapshot(
        {name: base64.b64decode(data) for name, data in found["files"].items()},
        found["links"],
        found["written"],
        frozenset(map(Path, found["locks"])),
        found["agents"],
    )

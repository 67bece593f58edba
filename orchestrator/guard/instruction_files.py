"""Detects and reverts what an agent did to files with learned rules, and to their being loaded.

People, other commands and other runs write rules while an agent works. What another process of this
program wrote is known by the copy that it stores (`RuleFiles.read_written_since`); the agent's
version is then compared with that copy.
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
from orchestrator.guard.claude_md_excludes import has_more_excludes, restore_excludes
from orchestrator.guard.learned_rules import has_changed_rules, restore_rules
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
    """The files of one rulebook when an attempt started."""

    files: Mapping[str, bytes]
    links: Mapping[str, str]
    """Target of each link in the paths of the files, by its path from the rulebook's root."""
    written: Mapping[str, str]
    """The result of `RuleFiles.read_digests`."""
    locks: frozenset[Path]
    """Real paths whose locks a writer needs."""
    agents: bool
    """Whether there were rules in AGENTS.md that Claude Code loaded."""


class Instructions:
    """The instruction files of one run.

    Args:
        rule_files: the rulebooks whose files are loaded.
        folder: where snapshots are stored.
        locks: the folder for the locks of rulebooks.
    """

    def __init__(self, rule_files: Sequence[RuleFiles], folder: Path, locks: Path) -> None:
        self._rule_files, self._folder, self._locks = rule_files, folder, locks

    def record_snapshot(self, attempt: int) -> None:
        """Store the files as they are when an attempt starts.

        Raises:
            LoopError: a file cannot be read or stored.
        """
        snapshots = []
        for rule_files in self._rule_files:
            with lock_instruction_files(_list_lock_paths(rule_files), self._locks):
                snapshots.append(_as_json(_read_snapshot(rule_files)))
        path, data = self._resolve_snapshot_path(attempt), json.dumps(snapshots).encode("ascii")
        with files.translate_os_errors(path, "written"):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace_file(path, data, files.read_content(path))

    def remove_snapshot(self, attempt: int) -> None:
        """Remove the snapshot of an attempt, so that `find_tampering` finds nothing."""
        self._resolve_snapshot_path(attempt).unlink(missing_ok=True)

    def find_tampering(self, attempt: int, aside: Path | None = None) -> tuple[Finding, ...]:
        """Return findings for changes of the rules, and of their being loaded, in an attempt.

        Args:
            attempt: its number; without a snapshot nothing is found.
            aside: a folder for the present versions of files that are restored; without it, nothing
                is restored.

        Raises:
            LoopError: a file cannot be read or written.
        """
        stored = files.read_content(self._resolve_snapshot_path(attempt), limit=None)
        if not stored.stat:
            return ()
        found: list[Finding] = []
        snapshots = map(_from_json, json.loads(stored.data))
        pairs = zip(self._rule_files, snapshots, strict=True)
        for number, (rule_files, snapshot) in enumerate(pairs):
            backup = aside and aside / f"{number}"
            locks = snapshot.locks | _list_lock_paths(rule_files)
            with lock_instruction_files(locks, self._locks):
                found += _TamperCheck(rule_files, snapshot, backup).iter_findings()
        return tuple(found)

    def _resolve_snapshot_path(self, attempt: int) -> Path:
        return self._folder / f"rules-{attempt}.json"


@dataclass(frozen=True)
class _TamperCheck:
    """Compares the files of one rulebook with a snapshot, while the caller holds their locks."""

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
        redirected = relinked and self._has_wrong_target(name)
        if redirected and self.aside:
            self._restore_links(name)
        before, now = self._read_reference(name), _read_file(self.rule_files, name)
        changed = _has_changed(name, before, now)
        if self.aside and (changed or (redirected and now is None)):
            self._write_file(
                name, before if now is None else _restore_content(name, before, now), now
            )
        return changed or redirected

    def _read_reference(self, name: str) -> bytes | None:
        """Return the content that the agent's version is compared with."""
        with contextlib.suppress(RulebookError):  # a link that is reported and left
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
        """Return whether a file is now a link to the other instruction file, and had no rules.

        CLAUDE.md as a link to AGENTS.md, or the reverse, is a common choice.
        """
        names = {CLAUDE_MD, AGENTS_MD}
        real = os.path.realpath(self.rule_files.root / name)
        others = {os.path.realpath(self.rule_files.root / other) for other in names - {name}}
        has_rules = has_changed_rules(self.snapshot.files.get(name), None)
        return name in names and real in others and not has_rules

    def _has_wrong_target(self, name: str) -> bool:
        """Return whether a link leads to another file, or to settings with more excludes."""
        now = _read_file(self.rule_files, name)
        return name not in _list_settings_files(self.rule_files) or has_more_excludes(
            self.snapshot.files.get(name), now
        )

    def _restore_links(self, name: str) -> None:
        """Restore links, without a change to their targets."""
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
        backup = self.aside / f"{part}.instead"
        backup.parent.mkdir(parents=True, exist_ok=True)
        if is_folder(path) and not is_link(path):
            shutil.copytree(path, backup, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(path)
            return
        backup.unlink(missing_ok=True)
        shutil.copy2(path, backup, follow_symlinks=False)
        path.unlink()

    def _write_file(self, name: str, data: bytes | None, now: bytes | None) -> None:
        self._restore_links(name)
        path = _resolve_path(self.rule_files, name)
        with files.translate_os_errors(path, "written"):
            if now is not None and self.aside:
                backup = self.aside / name
                backup.parent.mkdir(parents=True, exist_ok=True)
                backup.write_bytes(now)
            if data is None:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
        files.replace_file(path, data, files.read_content(path))

    def _import_agents(self) -> None:
        """Add an import of AGENTS.md to CLAUDE.md, whatever else the agent wrote there.

        Claude Code loads AGENTS.md only if no CLAUDE.md with content exists, or if that imports it.
        """
        now = _read_file(self.rule_files, CLAUDE_MD)
        bom = UTF8_BOM if now and now.startswith(UTF8_BOM) else b""
        self._write_file(CLAUDE_MD, bom + _IMPORT + (now or b"").removeprefix(UTF8_BOM), now)

    def _format_name(self, name: str) -> str:
        users = self.rule_files.target is Target.USER
        shown = os.fspath(self.rule_files.root / name) if users else name
        return os.fsencode(shown).decode("utf-8", "backslashreplace")


def _read_snapshot(rule_files: RuleFiles) -> RuleFilesSnapshot:
    names = {*rule_files.list_possible_names(), *_list_settings_files(rule_files)}
    parts = {part for name in names for part in _list_path_parts(name)} | {
        *_list_path_parts(RULES_DIR)
    }
    read = {name: _read_file(rule_files, name) for name in names}
    agents = rule_files.target is not Target.USER and has_changed_rules(read.get(AGENTS_MD), None)
    return RuleFilesSnapshot(
        {name: data for name, data in read.items() if data is not None},
        {part: link for part in parts if (link := _read_link(rule_files.root / part))},
        rule_files.read_digests(),
        _list_lock_paths(rule_files),
        agents and find_shadowing_file(rule_files.root) is None,
    )


def _list_settings_files(rule_files: RuleFiles) -> Sequence[str]:
    """Return the settings files that can exclude a rulebook's files from being loaded."""
    if rule_files.target is Target.USER:
        return (SETTINGS,)
    return PROJECT_SETTINGS


def _has_changed(name: str, before: bytes | None, now: bytes | None) -> bool:
    return (has_more_excludes if name.endswith(".json") else has_changed_rules)(before, now)


def _restore_content(name: str, before: bytes | None, now: bytes | None) -> bytes | None:
    return (restore_excludes if name.endswith(".json") else restore_rules)(before, now)


def _resolve_path(rule_files: RuleFiles, name: str) -> Path:
    if name in _list_settings_files(rule_files):  # users may link their settings to anywhere
        return Path(os.path.realpath(rule_files.root / name))
    return rule_files.resolve_path(name)


def _read_file(rule_files: RuleFiles, name: str) -> bytes | None:
    """Return a file's content; None if it is missing or cannot be read."""
    with contextlib.suppress(LoopError):
        content = files.read_content(_resolve_path(rule_files, name))
        return content.data if content.stat else None
    return None


def _list_lock_paths(rule_files: RuleFiles) -> frozenset[Path]:
    try:
        return frozenset(rule_files.list_lock_paths())
    except RulebookError:  # a broken link, which no writer can follow either
        return frozenset((rule_files.root / RULES_DIR,))


def _list_path_parts(name: str) -> Sequence[str]:
    """Return the folders of a path, from the top, and the path itself."""
    pure = PurePosixPath(name)
    return [str(each) for each in (*reversed(pure.parents[:-1]), pure)]


def _read_link(path: Path) -> str:
    return os.fspath(path.readlink()) if is_link(path) else ""


def _as_json(snapshot: RuleFilesSnapshot) -> Mapping[str, Any]:
    return {
        "files": {name: base64.b64encode(data).decode() for name, data in snapshot.files.items()},
        "links": snapshot.links,
        "written": snapshot.written,
        "locks": [os.fspath(path) for path in snapshot.locks],
        "agents": snapshot.agents,
    }


def _from_json(values: Mapping[str, Any]) -> RuleFilesSnapshot:
    return RuleFilesSnapshot(
        {name: base64.b64decode(data) for name, data in values["files"].items()},
        values["links"],
        values["written"],
        frozenset(map(Path, values["locks"])),
        values["agents"],
    )

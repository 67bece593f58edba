"""Remember which settings of which project the user has trusted.

<state>/trusted.json has, for each project's real path and each key, a digest of the trusted value,
what was shown of it, and since when. The digest depends on a key of this user: a repository cannot
bring its own trust with it, and no value can be guessed from the file.

{"/home/u/shop": {"tests.guard": {"digest": "6e0c...", "shown": "flag", "since": "2026-11-27..."}}}
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestrator.config.addresses import hide_json_secrets
from orchestrator.errors import UsageError
from orchestrator.masking import mask_text
from orchestrator.platform import files
from orchestrator.platform.locking import FileLock
from orchestrator.storage.state_directory import (
    build_state_error,
    create_state_folders,
    ensure_masking_key,
    locks_folder,
)

_FILE: Final = "trusted.json"
_LIMIT: Final = 16_000_000
"""Bytes of the file; a longer one counts as empty."""
_SHOWN: Final = 200
"""Characters of a value that the list of trusted settings shows."""


@dataclass(frozen=True)
class TrustedSetting:
    """A setting that the user has trusted."""

    key: str
    shown: str
    since: str
    """The date, as ISO 8601."""


@dataclass(frozen=True)
class TrustStore:
    """The settings that the user has trusted, by project and key.

    Args:
        state: the state directory.
    """

    state: Path

    def is_trusted(self, project: Path, key: str, text: str) -> bool:
        """Return whether the user has trusted exactly this value for this project.

        Args:
            project: the project's real path.
            key: the name of the setting.
            text: the whole value, as it was shown.
        """
        digest = self.find_digest(project, key)
        expected = self._hash(project, key, text) if digest else ""
        return bool(digest) and hmac.compare_digest(
            digest.encode("utf-8", "replace"), expected.encode("ascii")
        )

    def find_digest(self, project: Path, key: str) -> str:
        """Return the digest of the trusted value; empty if there is none."""
        if self._is_inside(project):
            return ""
        entry = self._read().get(str(project), {}).get(key, {})
        return str(entry.get("digest", ""))

    def remember(self, project: Path, texts: Mapping[str, str]) -> None:
        """Trust these values for this project, in place of earlier ones of the same keys.

        Raises:
            LoopError: they cannot be stored.
        """
        if self._is_inside(project):
            raise UsageError(
                f"the state directory {self.state} is inside the project, which could therefore "
                "trust itself",
                "use a state directory outside of the project",
            )
        create_state_folders(self.state)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        with self._change() as everything:
            known = everything.setdefault(str(project), {})
            for key, text in texts.items():
                hidden = hide_json_secrets(key, text)
                shown = mask_text(f"{key}: {hidden}").removeprefix(f"{key}: ")[:_SHOWN]
                digest = self._hash(project, key, text)
                known[key] = {"digest": digest, "shown": shown, "since": since}

    def revoke(self, project: Path, key: str = "") -> list[str]:
        """Trust a setting of a project no longer, or all of them; return their keys.

        Raises:
            LoopError: the change cannot be stored.
        """
        with self._change() as everything:
            known = everything.get(str(project), {})
            removed = [name for name in known if key in ("", name)]
            for name in removed:
                del known[name]
            if not known:
                everything.pop(str(project), None)
        return removed

    def list_settings(self) -> dict[str, list[TrustedSetting]]:
        """Return what is trusted, by project."""
        return {
            project: [
                TrustedSetting(key, str(entry.get("shown", "")), str(entry.get("since", "")))
                for key, entry in known.items()
            ]
            for project, known in self._read().items()
        }

    def _is_inside(self, project: Path) -> bool:
        return self.state.resolve().is_relative_to(project)

    def _hash(self, project: Path, key: str, text: str) -> str:
        value = json.dumps([str(project), key, text]).encode("ascii")
        return hmac.new(ensure_masking_key(self.state), value, hashlib.sha256).hexdigest()

    def _read(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the content of the file; nothing is trusted if it is missing or damaged."""
        try:
            content = json.loads(files.read_bytes(self.state / _FILE, _LIMIT) or b"{}")
        except (ValueError, RecursionError):
            return {}
        if not isinstance(content, dict):
            return {}
        return {
            project: {key: entry for key, entry in known.items() if isinstance(entry, dict)}
            for project, known in content.items()
            if isinstance(known, dict)
        }

    @contextmanager
    def _change(self) -> Iterator[dict[str, dict[str, dict[str, Any]]]]:
        """Yield the content of the file, and store what it is changed to."""
        try:
            with FileLock(locks_folder(self.state) / _FILE):
                content = self._read()
                yield content
                text = json.dumps(content, indent=1, sort_keys=True)
                files.write_file(self.state / _FILE, text.encode("ascii"), 0o600, durable=True)
        except OSError as error:
            raise build_state_error(self.state, error) from error

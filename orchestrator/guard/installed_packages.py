"""Reads the RECORD files of installed packages, which list installed files (PEP 376, PEP 627)."""

import base64
import hashlib
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from orchestrator.guard.environment_copies import digest_file
from orchestrator.platform import files

_RECORDS: Final = "*.dist-info/RECORD"
_LARGEST_RECORD: Final = 50_000_000


def collect_record_digests(folders: Iterable[str]) -> dict[str, str]:
    """Return the digests of the RECORD files in some site folders, by path."""
    return {
        os.fspath(record): digest_file(os.fspath(record), _LARGEST_RECORD)
        for folder in folders
        for record in files.find_paths(Path(folder), _RECORDS)
    }


def list_recorded_files(folders: Iterable[str]) -> set[str]:
    """Return the files that the RECORD files in site folders list, without their digests."""
    found: set[str] = set()
    for folder in folders:
        for record in files.find_paths(Path(folder), _RECORDS):
            lines = files.read_text(record, _LARGEST_RECORD).splitlines()
            found.update(f"{folder}/{line.split(',', 1)[0]}" for line in lines)
    return found


def find_reinstalled_files(changed: Collection[str], records: Mapping[str, str]) -> dict[str, str]:
    """Return the changed files that agree with a RECORD, each with the package's name.

    The name is empty if the RECORD is unchanged: the file was only touched, or installed again.
    Anybody can edit a RECORD so that it fits an edited file. So a changed RECORD does not count; a
    new one, of another version, does if all changed files that it lists agree with it.
    """
    found: dict[str, str] = {}
    for folder in {_find_site_folder(path) for path in changed} - {""}:
        inside = {path for path in changed if path.startswith(f"{folder}/")}
        for record in files.find_paths(Path(folder), _RECORDS):
            listed = _read_record(record)
            own = {path for path in inside if path in listed}
            right = {path for path in own if _compute_sha256(path) == listed[path]}
            known = os.fspath(record) in records
            digest = digest_file(os.fspath(record), _LARGEST_RECORD)
            if records.get(os.fspath(record)) == digest:
                found |= dict.fromkeys(right, "")
            elif not known and right == own:
                name = record.parent.name.removesuffix(".dist-info")
                found |= dict.fromkeys(right, name)
    return found


def _find_site_folder(path: str) -> str:
    match = re.match(r"(.*/(?:site|dist)-packages)/", path)
    return match[1] if match else ""


def _read_record(record: Path) -> dict[str, str]:
    """Return the SHA-256 digests in a RECORD (URL-safe base64, unpadded), by absolute path."""
    found = {}
    site = record.parent.parent
    for line in files.read_text(record, _LARGEST_RECORD).splitlines():
        parts = line.rsplit(",", 2)
        if len(parts) == 3 and parts[1].startswith("sha256="):
            found[f"{site}/{parts[0]}"] = parts[1].removeprefix("sha256=")
    return found


def _compute_sha256(path: str) -> str:
    data = files.read_whole_file(path)
    if data is None:
        return ""
    digest = hashlib.sha256(data).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

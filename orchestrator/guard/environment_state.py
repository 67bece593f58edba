"""Records the environment in which the suite runs: interpreter, start-up files, packages, programs.

It is taken for the same as long as `lstat` says so: no program can choose the time of a file's last
status change.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from orchestrator.guard.environment_copies import digest_file, record_copies
from orchestrator.guard.installed_packages import collect_record_digests, list_recorded_files
from orchestrator.guard.search_path import iter_modules
from orchestrator.guard.startup_files import INFO, STARTUP
from orchestrator.guard.tree import read_signature
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files

CACHE: Final = "__pycache__"


@dataclass(frozen=True)
class SiteFolder:
    """One folder of installed packages, as it was."""

    path: str
    signature: str
    names: tuple[str, ...]
    """Names of modules, `.pth` files and package infos in it."""
    starts: dict[str, str]
    """Signatures of what Python reads in it at its start, and of entry points."""


@dataclass(frozen=True)
class EnvironmentState:
    """The environment of the suite at the baseline."""

    fixed: dict[str, str] = field(default_factory=dict)
    """Signatures of interpreter, its configuration, and programs."""
    runner: dict[str, str] = field(default_factory=dict)
    """Signatures of the files of the runner and its plugins."""
    installed: dict[str, str] = field(default_factory=dict)
    """Signatures of the other installed files that were imported."""
    caches: dict[str, str] = field(default_factory=dict)
    """Signatures of the folders with bytecode, and of the bytecode of those files."""
    copies: dict[str, str] = field(default_factory=dict)
    """Digests of those of which a copy is kept."""
    digests: dict[str, str] = field(default_factory=dict)
    """Digests of installed files that no RECORD lists."""
    records: dict[str, str] = field(default_factory=dict)
    """Digests of the RECORD files of what is installed."""
    sites: tuple[SiteFolder, ...] = ()
    absent: tuple[str, ...] = ()
    """Paths that are searched for modules, and were not there."""

    def as_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the state that `as_json` gave.

        Raises:
            TypeError, KeyError: the values are not a state's.
        """
        sites = tuple(
            SiteFolder(each["path"], each["signature"], tuple(each["names"]), each["starts"])
            for each in values["sites"]
        )
        return cls(**{**values, "sites": sites, "absent": tuple(values["absent"])})


def record_environment(
    footprint: Footprint, programs: Collection[str], path: str, folder: Path
) -> EnvironmentState:
    """Take the state of the environment that a suite ran in, and keep copies of what is small.

    Args:
        footprint: what the suite recorded.
        programs: names of the programs that the suite's command starts.
        path: the PATH that it is given.
        folder: takes the copies.

    Raises:
        OSError: a copy cannot be written.
    """
    fixed = {each: read_signature(each) for each in _iter_program_paths(footprint, programs, path)}
    runner = {each: read_signature(each) for each in footprint.runner}
    known = {*fixed, *runner}
    installed = {each: read_signature(each) for each in footprint.installed if each not in known}
    sites = tuple(read_site_folder(each) for each in _list_site_folders(footprint))
    starts = [name for site in sites for name in site.starts]
    listed = list_recorded_files(site.path for site in sites)
    return EnvironmentState(
        fixed,
        runner,
        installed,
        _collect_cache_signatures({*runner, *installed}, footprint.version)
        | _collect_bytecode_signatures(runner),
        record_copies([*fixed, *runner, *starts], folder),
        {
            each: digest
            for each in installed
            if each not in listed and (digest := digest_file(each))
        },
        collect_record_digests(footprint.site_folders),
        sites,
        tuple(each for each in footprint.search_path if each and not os.path.lexists(each)),
    )


def read_site_folder(path: str) -> SiteFolder:
    """Look at a site folder: modules, and what Python or pytest reads at the start."""
    names, starts = set(iter_modules(Path(path))), {}
    for name in sorted(item.name for item in files.list_folder(path)):
        full = f"{path}/{name}"
        if name.endswith(".pth") or name.partition(".")[0] in STARTUP:
            names.add(name)
            start = f"{full}/__init__.py" if files.is_folder(full) else full
            starts[start] = read_signature(start)
        elif name.endswith(INFO):
            names.add(name)
            points = f"{full}/entry_points.txt"
            if signature := read_signature(points):
                starts[points] = signature
    return SiteFolder(path, read_signature(path), tuple(sorted(names)), starts)


def list_bytecode(folder: str) -> list[str]:
    """Return the paths of all bytecode in a folder, whoever wrote it."""
    return [item.path for item in files.list_folder(folder) if item.name.endswith(".pyc")]


def _iter_program_paths(
    footprint: Footprint, programs: Collection[str], path: str
) -> Iterator[str]:
    for each in (footprint.interpreter, *(shutil.which(name, path=path) for name in programs)):
        seen = 0
        while each and seen < 20:
            yield each
            seen += 1
            each = _resolve_next_link(each)  # noqa: PLW2901 - the chain of links, one by one
    if footprint.prefix:
        yield f"{footprint.prefix}/pyvenv.cfg"


def _resolve_next_link(path: str) -> str:
    try:
        return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))  # noqa: PTH115, PTH118, PTH120
    except OSError:
        return ""


def _list_site_folders(footprint: Footprint) -> list[str]:
    """Return the site folders in the order of the path, the user's own also where it is missing."""
    found = [each for each in footprint.search_path if each in footprint.site_folders]
    found += [each for each in footprint.site_folders if each not in found]
    version = ".".join(footprint.version.split(".")[:2])
    base = os.environ.get("PYTHONUSERBASE") or os.path.expanduser("~/.local")  # noqa: PTH111
    users = f"{base}/lib/python{version}/site-packages"
    # An environment of its own does not look there, and its pyvenv.cfg is watched.
    closed = files.exists(f"{footprint.prefix}/pyvenv.cfg")
    return found if users in found or closed or not version else [users, *found]


def _collect_bytecode_signatures(sources: Collection[str]) -> dict[str, str]:
    """Return the signatures of all bytecode beside some files, and of the folders with it."""
    found = {}
    for folder in {f"{source.rpartition('/')[0]}/{CACHE}" for source in sources}:
        found[folder] = read_signature(folder)  # first: what is added while we look is seen later
        found |= {path: read_signature(path) for path in list_bytecode(folder)}
    return found


def _collect_cache_signatures(sources: Collection[str], version: str) -> dict[str, str]:
    """Return the signatures of the bytecode of some files, and of the folders they lie in."""
    tag = "".join(version.split(".")[:2])
    found = {}
    for source in sources:
        folder, _, name = source.rpartition("/")
        if folder not in found:
            found[folder] = read_signature(folder)
        if name.endswith(".py"):
            cache = f"{folder}/{CACHE}/{name[:-3]}.cpython-{tag}.pyc"
            found[cache] = read_signature(cache)
    return found

"""Records the environment in which the suite runs: interpreter, start-up files, packages, programs.

A file counts as unchanged as long as `lstat` returns the same. A program can set a file's
modification time, and restore its size; only the kernel sets the status change time (ctime).
"""

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
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
    """A folder of installed packages at the baseline."""

    path: str
    signature: str
    names: tuple[str, ...]
    """Names of modules, `.pth` files and package infos in it."""
    starts: dict[str, str]
    """Signatures of the files in it that Python reads when it starts, and of entry points."""


@dataclass(frozen=True)
class EnvironmentState:
    """The suite's environment at the baseline."""

    fixed: dict[str, str] = field(default_factory=dict)
    """Signatures of the interpreter, its configuration, and programs."""
    runner: dict[str, str] = field(default_factory=dict)
    """Signatures of the files of the runner and its plugins."""
    installed: dict[str, str] = field(default_factory=dict)
    """Signatures of the other installed files that were imported."""
    caches: dict[str, str] = field(default_factory=dict)
    """Signatures of the folders with these files' bytecode, and of the bytecode."""
    copies: dict[str, str] = field(default_factory=dict)
    """Digests of the files that are stored as copies."""
    digests: dict[str, str] = field(default_factory=dict)
    """Digests of installed files that no RECORD lists."""
    records: dict[str, str] = field(default_factory=dict)
    """Digests of the RECORD files of installed packages."""
    sites: tuple[SiteFolder, ...] = ()
    absent: tuple[str, ...] = ()
    """Paths that Python searches for modules, and that did not exist."""

    def as_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the state that `as_json` gave.

        Raises:
            TypeError, KeyError: the values do not describe a state.
        """
        sites = tuple(
            SiteFolder(each["path"], each["signature"], tuple(each["names"]), each["starts"])
            for each in values["sites"]
        )
        return cls(**{**values, "sites": sites, "absent": tuple(values["absent"])})


def record_environment(
    footprint: Footprint, programs: Collection[str], path: str, folder: Path
) -> EnvironmentState:
    """Record the environment that a suite ran in, and store copies of its small files.

    Args:
        footprint: what the suite recorded.
        programs: names of the programs that the suite's command starts.
        path: the command's PATH.
        folder: where the copies are stored.

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
        _collect_digests(each for each in installed if each not in listed),
        collect_record_digests(footprint.site_folders),
        sites,
        tuple(each for each in footprint.search_path if each and not os.path.lexists(each)),
    )


def _collect_digests(paths: Iterable[str]) -> dict[str, str]:
    """Return the digests of files, by path; unreadable and large files are left out."""
    return {path: digest for path in paths if (digest := digest_file(path))}


def read_site_folder(path: str) -> SiteFolder:
    """Return the modules of a site folder, and the files that Python and pytest read there."""
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
    """Return the paths of all bytecode files in a folder, of any interpreter."""
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
    """Return the site folders in search order; the user's first, even if it does not exist yet."""
    found = [each for each in footprint.search_path if each in footprint.site_folders]
    found += [each for each in footprint.site_folders if each not in found]
    version = ".".join(footprint.version.split(".")[:2])
    base = os.environ.get("PYTHONUSERBASE") or os.path.expanduser("~/.local")  # noqa: PTH111
    users = f"{base}/lib/python{version}/site-packages"
    # A virtual environment does not search the user's folder unless its pyvenv.cfg says so, and
    # that file is recorded.
    isolated = files.exists(f"{footprint.prefix}/pyvenv.cfg")
    return found if users in found or isolated or not version else [users, *found]


def _collect_bytecode_signatures(sources: Collection[str]) -> dict[str, str]:
    """Return the signatures of all bytecode beside some files, and of the bytecode's folders."""
    found = {}
    for folder in {f"{source.rpartition('/')[0]}/{CACHE}" for source in sources}:
        # The folder comes first: what is added during the loop then shows in the next comparison.
        found[folder] = read_signature(folder)
        found |= {path: read_signature(path) for path in list_bytecode(folder)}
    return found


def _collect_cache_signatures(sources: Collection[str], version: str) -> dict[str, str]:
    """Return the signatures of the bytecode of some files, and of the folders of the files."""
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

"""Watches the environment in which the suite runs: interpreter, start-up files, packages, programs.

It is taken for the same as long as `lstat` says so: no program can choose the time of a file's last
status change. Only what differs is read.
"""

import base64
import configparser
import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from orchestrator import files
from orchestrator.footprint import Footprint
from orchestrator.guard.findings import bound_findings
from orchestrator.guard.scan import suspicious
from orchestrator.guard.search_path import modules_in
from orchestrator.guard.tree import signature_at
from orchestrator.models import Finding, FindingKind

_LARGEST_COPY: Final = 1_000_000
_LARGEST_DIGEST: Final = 400_000
_STARTUP: Final = ("sitecustomize", "usercustomize")
_INFO: Final = (".dist-info", ".egg-info")
_EDITABLE: Final = re.compile(
    r"import (__editable___\w+_finder); \1\.install\(\)"
    r"|import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os\.environ\.get\(var, '\w+'\) == "
    r"'local'; enabled and __import__\('_distutils_hack'\)(?:\.add_shim\(\))?;?"
    r"|import _virtualenv|import coverage; coverage\.process_startup\(\)"
)
_RECORDS: Final = "*.dist-info/RECORD"
_LARGEST_RECORD: Final = 50_000_000


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
    fixed = {each: signature_at(each) for each in _fixed(footprint, programs, path)}
    runner = {each: signature_at(each) for each in footprint.runner}
    known = {*fixed, *runner}
    installed = {each: signature_at(each) for each in footprint.installed if each not in known}
    sites = tuple(_site(each) for each in _site_folders(footprint))
    records = _records(footprint)
    starts = [name for site in sites for name in site.starts]
    listed = _listed(sites)
    return EnvironmentState(
        fixed,
        runner,
        installed,
        _caches({*runner, *installed}, footprint.version) | _bytecode_beside(runner),
        _copy_all([*fixed, *runner, *starts], folder),
        {each: digest for each in installed if each not in listed and (digest := _digest(each))},
        records,
        sites,
        tuple(each for each in footprint.search_path if each and not os.path.lexists(each)),
    )


class EnvironmentGuard:
    """Compares the environment with what it was, and restores what can be restored.

    Args:
        state: as it was at the baseline.
        folder: holds the copies.
        aside: takes what is replaced.
        restore: whether to restore at all.
    """

    def __init__(
        self, state: EnvironmentState, folder: Path, aside: Path, *, restore: bool
    ) -> None:
        self._state, self._folder, self._aside, self._restore = state, folder, aside, restore

    def findings(self, *, suite_ran: bool = False) -> list[Finding]:
        """Return what differs, restored where a copy is kept.

        Args:
            suite_ran: whether it differs since the suite began. Then Python may have compiled what
                it had not imported before, as in an environment that came without bytecode.

        Raises:
            OSError: something cannot be read, or restored.
        """
        state = self._state
        found = [*self._fixed()]
        changed = [p for p, was in state.runner.items() if signature_at(p) != was]
        found += self._runner(changed)
        others = [p for p, was in state.installed.items() if signature_at(p) != was]
        found += self._installed(others)
        for site in state.sites:
            found += self._site(site)
        found += [
            _decisive(path, "new on Python's search path, where nothing was")
            for path in state.absent
            if os.path.lexists(path)
        ]
        found += self._caches(frozenset({*changed, *others}), suite_ran=suite_ran)
        return bound_findings(found, "the environment")

    def _fixed(self) -> Iterator[Finding]:
        for path, was in self._state.fixed.items():
            if signature_at(path) != was and not self._same(path):
                yield from self._put_back(path, "interpreter or program changed")

    def _runner(self, changed: Collection[str]) -> Iterator[Finding]:
        if not (changed := [path for path in changed if not self._same(path)]):
            return
        upgraded = _consistent(changed, self._state.records)
        for path in changed:
            if path in upgraded:
                text = "the test runner was upgraded; the baseline was taken with another one"
                yield _decisive(path, text)
                return
            yield from self._put_back(path, "the test runner was changed")

    def _installed(self, changed: Collection[str]) -> Iterator[Finding]:
        changed = [path for path in changed if self._digest_differs(path)]
        if not changed:
            return
        upgraded = _consistent(changed, self._state.records)
        reported: set[str] = set()
        for path in changed:
            if path not in upgraded:
                yield _decisive(path, "an installed file was changed by hand")
            elif upgraded[path] and upgraded[path] not in reported:
                reported.add(upgraded[path])
                text = "an installed package was replaced by its installer"
                yield Finding(FindingKind.STEERING, upgraded[path], text)

    def _site(self, was: SiteFolder) -> Iterator[Finding]:
        for path, signature in was.starts.items():
            if signature_at(path) != signature and not self._same(path):
                if os.path.lexists(path) and _is_harmless(path):
                    continue
                yield from self._put_back(path, "read at the start of Python, changed")
        if signature_at(was.path) == was.signature:
            return
        now = _site(was.path)
        for path in sorted(now.starts.keys() - was.starts.keys()):
            if _is_harmless(path):
                continue
            yield from self._move_aside(path, "read at the start of Python or pytest, added")
        later = self._taken_after(was.path)
        for name in sorted(set(now.names) - set(was.names)):
            if name in later:
                yield _decisive(f"{was.path}/{name}", "found before a module of the same name")

    def _taken_after(self, folder: str) -> set[str]:
        """Return the names of modules in the folders that are searched after one."""
        folders = [site.path for site in self._state.sites]
        return {
            name
            for site in self._state.sites[folders.index(folder) + 1 :]
            for name in site.names
            if "." not in name
        }

    def _caches(self, changed: Collection[str], *, suite_ran: bool) -> Iterator[Finding]:
        """Yield findings for bytecode that changed while its source did not; drop it.

        Only that of recorded files counts: a folder of packages holds that of others too.
        """
        known = self._state.caches
        sources = self._state.runner.keys() | self._state.installed.keys()
        folders = {path for path, was in known.items() if signature_at(path) != was}
        folders |= _bytecode_beside(self._state.runner).keys() - known.keys()
        for path in sorted(folders):
            if not path.endswith(".pyc"):
                yield from self._package(path)
                continue
            source = _source_of(path)
            if source in changed or source not in sources or not os.path.lexists(path):
                continue
            if self._restore:
                Path(path).unlink(missing_ok=True)
            if suite_ran and not known.get(path):
                continue
            text = "bytecode changed while its source did not" + ", removed" * self._restore
            yield Finding(FindingKind.STEERING, path, text, decisive=not self._restore)

    def _package(self, folder: str) -> Iterator[Finding]:
        """Yield findings for new files in a package's folder that are found before its own."""
        sources = {*self._state.runner, *self._state.installed}
        stems = {Path(each).stem for each in sources if os.path.dirname(each) == folder}  # noqa: PTH120
        for item in files.list_folder(folder):
            stem = item.name.partition(".")[0]
            if item.path in sources or stem not in stems or stem == "__init__":
                continue
            package = files.exists(f"{item.path}/__init__.py")
            package = package and item.path + "/__init__.py" not in sources
            if package or item.name.endswith((".so", ".pyd")):
                yield _decisive(item.path, "found in the place of an installed module")

    # ---- one file --------------------------------------------------------------------------

    def _same(self, path: str) -> bool:
        """Return whether a file's content is what was kept."""
        kept = self._state.copies.get(path)
        return kept is not None and _digest(path, _LARGEST_COPY) == kept

    def _digest_differs(self, path: str) -> bool:
        known = self._state.digests.get(path) or self._state.copies.get(path)
        return known is None or _digest(path) != known

    def _put_back(self, path: str, text: str) -> Iterator[Finding]:
        digest = self._state.copies.get(path)
        data = _kept(self._folder, digest) if digest else None
        if data is None or not self._restore:
            yield _decisive(path, text)
            return
        self._set_aside(path)
        if data.startswith(_LINK):
            Path(path).symlink_to(os.fsdecode(data.removeprefix(_LINK)))
        else:
            files.write_file(Path(path), data, 0o755 if data[:2] == b"#!" else 0o644)
        yield Finding(FindingKind.STEERING, path, f"{text}, restored")

    def _move_aside(self, path: str, text: str) -> Iterator[Finding]:
        if not self._restore:
            yield _decisive(path, text)
            return
        self._set_aside(path)
        yield Finding(FindingKind.STEERING, path, f"{text}, reverted")

    def _set_aside(self, path: str) -> None:
        target = self._aside / "environment" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            target.unlink(missing_ok=True)
            shutil.move(path, target)


_LINK: Final = b"link to "


def _fixed(footprint: Footprint, programs: Collection[str], path: str) -> Iterator[str]:
    for each in (footprint.interpreter, *(shutil.which(name, path=path) for name in programs)):
        seen = 0
        while each and seen < 20:
            yield each
            seen += 1
            each = _next_link(each)  # noqa: PLW2901 - the chain of links, one by one
    if footprint.prefix:
        yield f"{footprint.prefix}/pyvenv.cfg"


def _next_link(path: str) -> str:
    try:
        return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))  # noqa: PTH115, PTH118, PTH120
    except OSError:
        return ""


def _site_folders(footprint: Footprint) -> list[str]:
    """Return the site folders in the order of the path, the user's own also where it is missing."""
    found = [each for each in footprint.search_path if each in footprint.site_folders]
    found += [each for each in footprint.site_folders if each not in found]
    version = ".".join(footprint.version.split(".")[:2])
    base = os.environ.get("PYTHONUSERBASE") or os.path.expanduser("~/.local")  # noqa: PTH111
    users = f"{base}/lib/python{version}/site-packages"
    # An environment of its own does not look there, and its pyvenv.cfg is watched.
    closed = files.exists(f"{footprint.prefix}/pyvenv.cfg")
    return found if users in found or closed or not version else [users, *found]


def _site(path: str) -> SiteFolder:
    """Look at a site folder: modules, and what Python or pytest reads at the start."""
    names, starts = set(modules_in(Path(path))), {}
    for name in sorted(item.name for item in files.list_folder(path)):
        full = f"{path}/{name}"
        if name.endswith(".pth") or name.partition(".")[0] in _STARTUP:
            names.add(name)
            start = f"{full}/__init__.py" if files.is_folder(full) else full
            starts[start] = signature_at(start)
        elif name.endswith(_INFO):
            names.add(name)
            points = f"{full}/entry_points.txt"
            if signature := signature_at(points):
                starts[points] = signature
    return SiteFolder(path, signature_at(path), tuple(sorted(names)), starts)


def _is_harmless(path: str) -> bool:
    """Return whether a start-up file neither runs code nor registers a plugin."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    if path.endswith("entry_points.txt"):
        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        try:
            parser.read_string(text)
        except configparser.Error:
            return False
        return not parser.has_section("pytest11")
    if not path.endswith(".pth"):
        return False
    return all(_is_harmless_line(line.strip(), Path(path).parent) for line in text.splitlines())


def _is_harmless_line(line: str, folder: Path) -> bool:
    if not line or line.startswith("#"):
        return True
    if line.startswith(("import ", "import\t")):
        match = _EDITABLE.fullmatch(line)
        finder = match and match[1]
        return bool(match) and not (finder and _is_odd(folder / f"{finder}.py"))
    added = folder / line
    names = {*modules_in(added)}
    info = any(each.name.endswith(_INFO) for each in files.list_folder(added))
    return not names & set(_STARTUP) and not (info and _has_plugins(added))


def _has_plugins(folder: Path) -> bool:
    points = files.find(folder, "*-info/entry_points.txt")
    return any(not _is_harmless(os.fspath(each)) for each in points)


def _is_odd(finder: Path) -> bool:
    try:
        source = finder.read_bytes()
    except OSError:
        return True
    return b"MAPPING" not in source or bool(suspicious(source, None, test=False))


# ---- installed packages --------------------------------------------------------------------


def _records(footprint: Footprint) -> dict[str, str]:
    return {
        os.fspath(record): _digest(os.fspath(record), _LARGEST_RECORD)
        for folder in footprint.site_folders
        for record in files.find(Path(folder), _RECORDS)
    }


def _listed(sites: Collection[SiteFolder]) -> set[str]:
    """Return the files that some RECORD lists, without reading their digests."""
    found: set[str] = set()
    for site in sites:
        for record in files.find(Path(site.path), _RECORDS):
            lines = files.read_text(record, _LARGEST_RECORD).splitlines()
            found.update(f"{site.path}/{line.split(',', 1)[0]}" for line in lines)
    return found


def _consistent(changed: Collection[str], records: Mapping[str, str]) -> dict[str, str]:
    """Return those of some changed files that are what an installer put there, with its name.

    The name is empty where a file is what it was: touched only, or installed again. That a package
    was replaced is believed where its version is another, and all its files agree with its RECORD.
    """
    found: dict[str, str] = {}
    for folder in {_site_of(path) for path in changed} - {""}:
        inside = {path for path in changed if path.startswith(f"{folder}/")}
        for record in files.find(Path(folder), _RECORDS):
            listed = _read_record(record)
            own = {path for path in inside if path in listed}
            right = {path for path in own if _sha256(path) == listed[path]}
            known = os.fspath(record) in records
            digest = _digest(os.fspath(record), _LARGEST_RECORD)
            if records.get(os.fspath(record)) == digest:
                found |= dict.fromkeys(right, "")
            elif not known and right == own:
                name = record.parent.name.removesuffix(".dist-info")
                found |= dict.fromkeys(right, name)
    return found


def _site_of(path: str) -> str:
    match = re.match(r"(.*/(?:site|dist)-packages)/", path)
    return match[1] if match else ""


def _read_record(record: Path) -> dict[str, str]:
    """Return the SHA-256 digests that a RECORD tells, by absolute path."""
    found = {}
    site = record.parent.parent
    for line in files.read_text(record, _LARGEST_RECORD).splitlines():
        parts = line.rsplit(",", 2)
        if len(parts) == 3 and parts[1].startswith("sha256="):
            found[f"{site}/{parts[0]}"] = parts[1].removeprefix("sha256=")
    return found


def _sha256(path: str) -> str:
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError:
        return ""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _caches(sources: Collection[str], version: str) -> dict[str, str]:
    """Return the signatures of the bytecode of some files, and of the folders they lie in."""
    tag = "".join(version.split(".")[:2])
    found = {}
    for source in sources:
        folder, _, name = source.rpartition("/")
        if folder not in found:
            found[folder] = signature_at(folder)
        if name.endswith(".py"):
            cache = f"{folder}/__pycache__/{name[:-3]}.cpython-{tag}.pyc"
            found[cache] = signature_at(cache)
    return found


def _bytecode_beside(sources: Collection[str]) -> dict[str, str]:
    """Return the signatures of all bytecode beside some files, whoever wrote it."""
    found = {}
    for folder in {source.rpartition("/")[0] for source in sources}:
        for item in files.list_folder(f"{folder}/__pycache__"):
            if item.name.endswith(".pyc"):
                found[item.path] = signature_at(item.path)
    return found


def _source_of(cache: str) -> str:
    folder, _, name = cache.rpartition("/__pycache__/")
    return f"{folder}/{name.partition('.cpython-')[0]}.py"


# ---- copies --------------------------------------------------------------------------------


def _copy_all(paths: Collection[str], folder: Path) -> dict[str, str]:
    found = {}
    for path in paths:
        try:
            data = _data(path, _LARGEST_COPY)
        except OSError:
            continue
        if data is not None:
            found[path] = hashlib.sha256(data).hexdigest()
            copy = folder / "files" / found[path]
            if not files.exists(copy):
                files.write_file(copy, data)
    return found


def _kept(folder: Path, digest: str) -> bytes | None:
    try:
        data = (folder / "files" / digest).read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None


def _data(path: str, largest: int) -> bytes | None:
    """Return a file's content, or a link's target; None for what is too large."""
    if files.is_link(path):
        return _LINK + os.fsencode(os.readlink(path))  # noqa: PTH115
    if os.lstat(path).st_size > largest:
        return None
    return Path(path).read_bytes()


def _digest(path: str, largest: int = _LARGEST_DIGEST) -> str:
    try:
        data = _data(path, largest)
    except OSError:
        return ""
    return hashlib.sha256(data).hexdigest() if data is not None else ""


def _decisive(path: str, text: str) -> Finding:
    return Finding(FindingKind.STEERING, path, text, decisive=True)

"""Derives what is guarded from what the baseline's verdict rested on."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.guard import path_rules
from orchestrator.guard.command_chain import Chain, follow_command
from orchestrator.guard.helper_modules import Evidence, find_product_files, has_test_import
from orchestrator.guard.prohibited_names import (
    collect_reserved_modules,
    find_program_shadows,
    iter_environment_names,
    iter_package_roots,
)
from orchestrator.guard.protection import (
    CONFIG_NAMES,
    GuardedFile,
    Kind,
    Protection,
    normalize_name,
)
from orchestrator.guard.search_path import find_search_folders
from orchestrator.guard.task_runners import Reference
from orchestrator.guard.tree import (
    Tree,
    find_closed_folders,
    find_environments,
    unpack_mode,
    walk_tree,
)
from orchestrator.models import SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files
from orchestrator.suites.environment import (
    find_virtualenv,
)

_SOURCE: Final = re.compile(r"\.(?:py|pyi|sh|[cm]?[jt]sx?|go|rs|rb|java|kt|c|cc|cpp|h|hpp|so|pyx)$")
_DOCUMENT: Final = re.compile(
    r"(?:^|/)(?:README|CHANGELOG|CHANGES|LICENSE|HISTORY|NEWS|requirements[^/]*\.txt"
    r"|Dockerfile)[^/]*$|\.(?:md|rst|lock)$|(?:^|/)\.(?:git|github|gitlab)[^/]*(?:/|$)",
    re.IGNORECASE,
)
_LARGEST_READ: Final = 300_000
_MOST_READ: Final = 3000
_MOST_OUTSIDE: Final = 2000


@dataclass(frozen=True)
class Basis:
    """The inputs from which the protection of a project is derived."""

    project: Path
    """The project's real folder."""
    command: str
    report: SuiteReport
    footprint: Footprint | None = None
    regenerated: frozenset[str] = frozenset()
    """Names of the files that the suite itself wrote at the baseline."""
    unguarded: tuple[str, ...] = ()
    path: str = ""
    """The PATH of the suite's command."""
    plugins: tuple[str, ...] = ()
    """Modules that pytest loads as plugins because of the environment."""
    task: str = ""
    """The task's text. A file that it names, and that a script only reads, is what is tested."""


class _ProtectionBuilder:
    """Collects the parts of a `Protection`."""

    def __init__(self) -> None:
        self.guarded: dict[str, GuardedFile] = {}
        self.absent: dict[str, str] = {}
        self.free: set[str] = set()
        self.tests: set[str] = set()
        self.folders: set[str] = set()

    def guard_file(self, name: str, kind: Kind, why: str) -> None:
        self.guarded.setdefault(name, GuardedFile(name, kind, why))


def derive_protection(basis: Basis) -> Protection:
    """Derive what is guarded from the project's present state."""
    project = basis.project
    environments = find_environments(project) | _find_own_environment(project)
    tree = walk_tree(project, environments)
    chain = follow_command(project, basis.command)
    chain.plugins.update(basis.plugins)
    if basis.footprint is None:
        found = _derive_by_paths(basis, tree, chain)
    else:
        found = _derive_by_footprint(basis, basis.footprint, tree, chain)
    _free_files(found, chain, basis)
    _add_chain(found, chain, tree)
    _add_links(found, project, tree)
    _add_absent_names(found, chain, basis)
    return _build_protection(basis, found, chain, environments)


def _free_files(found: _ProtectionBuilder, chain: Chain, basis: Basis) -> None:
    """Mark generated files and the files that the task is about as free, and helpers as guarded."""
    found.free |= basis.regenerated
    # In the project's top folder, only helpers that nothing else imports are in the chain.
    found.free -= {
        name
        for name, reference in chain.references.items()
        if "/" not in name and reference is Reference.IMPORTED
    }
    found.free |= {
        name
        for name, reference in chain.references.items()
        if _is_task_subject(name, reference, basis)
    }


def _add_absent_names(found: _ProtectionBuilder, chain: Chain, basis: Basis) -> None:
    """Prohibit new environments, programs and package roots."""
    project = basis.project
    found.absent |= dict.fromkeys(
        iter_environment_names(project), "would be the project's environment"
    )
    found.absent.update(find_program_shadows(project, basis.path, chain.programs))
    for name in iter_package_roots(project, found.tests):
        found.absent.setdefault(name, "would change where the tests find their modules")


def _build_protection(
    basis: Basis, found: _ProtectionBuilder, chain: Chain, environments: frozenset[str]
) -> Protection:
    project = basis.project
    guarded = {n: g for n, g in found.guarded.items() if n not in found.free}
    folders = find_search_folders(project, basis.footprint, found.tests)
    derived = Protection(
        project,
        guarded,
        {name: why for name, why in found.absent.items() if name not in guarded},
        frozenset(found.free),
        basis.unguarded,
        frozenset(chain.files) - {"package.json", "tox.ini", "setup.cfg", "pyproject.toml"},
        frozenset(found.tests),
        frozenset(found.folders),
        environments,
        folders,
        collect_reserved_modules(basis.footprint, guarded, folders),
        basis.regenerated,
    )
    looked_at = (*derived.relevant_folders, *guarded)
    closed = {name for name in looked_at if files.is_closed(project / name)}
    closed |= find_closed_folders(project, environments, derived.relevant_folders)
    return replace(derived, closed=frozenset(closed))


def _derive_by_paths(basis: Basis, tree: Tree, chain: Chain) -> _ProtectionBuilder:
    """Derive the protection by the names of files, if the suite recorded no footprint."""
    found = _ProtectionBuilder()
    collected = {case.file for case in basis.report.cases if case.file}
    product = {name for name in chain.product if not path_rules.is_test(name)}
    found.free |= product
    found.tests |= {name for name in collected if name in tree} - product
    found.tests |= {name for name in tree if path_rules.is_test(name)} - product
    for name in sorted(path_rules.find_test_files(tree, found.tests)):
        if name not in product:
            found.guard_file(name, Kind.TEST, "test, or in a folder of tests, by its name")
    found.folders |= path_rules.find_test_folders(found.tests)
    named = path_rules.find_plugin_files(basis.project, basis.command, chain.plugins)
    for name in sorted(named):
        found.guard_file(name, Kind.CONFIG, "plugin of pytest")
    above = {str(parent) for name in found.tests for parent in PurePosixPath(name).parents}
    for name in tree:
        folder, _, base = name.rpartition("/")
        if base == "conftest.py" or (base in CONFIG_NAMES and (folder or ".") in above):
            found.guard_file(name, Kind.CONFIG, "configuration of tests, by its name")
        elif base in ("sitecustomize.py", "usercustomize.py", ".env"):
            found.guard_file(name, Kind.CONFIG, "read at the start, by its name")
    return found


def _derive_by_footprint(
    basis: Basis, footprint: Footprint, tree: Tree, chain: Chain
) -> _ProtectionBuilder:
    """Derive the protection from what the runner recorded."""
    project, found = basis.project, _ProtectionBuilder()
    evidence = Evidence(project, footprint, basis.report)
    targets = {os.fspath(project / name) for name in chain.product}
    product = find_product_files(project, evidence, targets)
    offered = path_rules.read_offered_plugins(project)
    own_plugins = {module.file for module in footprint.modules if module.name in offered}
    free = evidence.product | product | own_plugins
    found.free |= {normalize_name(project, path) for path in free}
    tests = [path for path in footprint.tests if path not in free]
    found.tests |= {normalize_name(project, path) for path in tests}
    found.folders |= {normalize_name(project, folder) for folder in evidence.test_folders}
    for path in tests:
        found.guard_file(normalize_name(project, path), Kind.TEST, "holds tests")
    for path in footprint.steering:
        if path not in free:
            found.guard_file(normalize_name(project, path), Kind.CONFIG, "configures the runner")
    for path, why in evidence.helpers.items():
        found.guard_file(normalize_name(project, path), Kind.TEST, why)
    for path in _iter_data_files(footprint, evidence, project, tree):
        found.guard_file(normalize_name(project, path), Kind.TEST, "read by tests")
    _add_folders(found, evidence, project, tree)
    for path in footprint.absent:
        found.absent[normalize_name(project, path)] = "would configure the runner"
    return found


def _iter_data_files(
    footprint: Footprint, evidence: Evidence, project: Path, tree: Tree
) -> Iterator[str]:
    """Yield the data files that tests read as expected values, and not as what is tested."""
    outside = [path for path in footprint.data if not evidence.is_in_test_folder(path)]
    # All Python files, not only imported ones: a program that tests start reads its data too.
    code = [os.fspath(project / name) for name in tree if name.endswith(".py")][:_MOST_READ]
    product = {*evidence.product, *code} - evidence.test_code - evidence.helpers.keys()
    product = {path for path in product if not evidence.is_in_test_folder(path)}
    words = _read_product_text(product) if outside else ""
    for path in footprint.data:
        if evidence.is_in_test_folder(path):
            yield path
            continue
        name = normalize_name(project, path)
        configures = path in footprint.steering or PurePosixPath(path).name in CONFIG_NAMES
        system = name.startswith(("/usr/", "/etc/", "/proc/", "/dev/", "/sys/", "/tmp/pytest-"))  # noqa: S108
        if configures or system or _SOURCE.search(name) or _DOCUMENT.search(name):
            continue
        # Data that product code names belongs to the product, and may be what the task changes.
        pure = PurePosixPath(path)
        if pure.name not in words and f'"{pure.stem}"' not in words:
            yield path


def _read_product_text(product: Iterable[str]) -> str:
    """Return the text of the product's modules, with double quotes only."""
    texts = (files.read_text(path, _LARGEST_READ) for path in product)
    return "\n".join(texts).replace("'", '"')


def _add_folders(found: _ProtectionBuilder, evidence: Evidence, project: Path, tree: Tree) -> None:
    """Guard everything in folders of tests, except for the code under test."""
    prefixes = tuple(f"{folder}/" for folder in found.folders if not folder.startswith("/"))
    for name in tree:
        if not name.startswith(prefixes) or name in found.free:
            continue
        path = os.fspath(project / name)
        if name.endswith(".py") and path not in evidence.modules:
            # It was not imported at the baseline, so only its name and text show what it is for.
            base = PurePosixPath(name).name
            if not (
                path_rules.is_test(name)
                or base in ("conftest.py", "__init__.py")
                or any(path_rules.TEST_FOLDER.fullmatch(p) for p in PurePosixPath(name).parts[:-1])
                or has_test_import(path)
            ):
                continue
        found.guard_file(name, Kind.TEST, "in a folder of tests")
    for folder in found.folders:
        if folder.startswith("/"):
            paths = (path for path in files.iter_files(folder) if "/__pycache__/" not in path)
            for path in sorted(paths)[:_MOST_OUTSIDE]:
                if files.is_file(path):
                    found.guard_file(path, Kind.TEST, "in a folder of tests")


def _add_chain(found: _ProtectionBuilder, chain: Chain, tree: Tree) -> None:
    """Guard the files that the command leads to, except for the code under test."""
    for name, why in chain.files.items():
        if name not in found.free:
            found.guard_file(name, Kind.CONFIG, why)
    # A file that a recipe runs as the code under test is free, unless it holds the tests.
    found.free |= {name for name in chain.product if name not in found.guarded}
    found.absent |= chain.absent
    if ".env" in tree and ".env" not in found.free:
        found.guard_file(".env", Kind.CONFIG, "variables of the environment")
    found.absent.setdefault(".env", "variables of the environment")


def _is_task_subject(name: str, reference: Reference, basis: Basis) -> bool:
    """Return whether a file that a script of the command names is what the task is about."""
    if reference is Reference.READ or path_rules.is_test(name):
        return False
    words = (name, PurePosixPath(name).name)
    return any(re.search(rf"(?<![\w/]){re.escape(word)}(?!\w)", basis.task) for word in words)


def _add_links(found: _ProtectionBuilder, project: Path, tree: Tree) -> None:
    """Guard links to guarded files, and the targets of guarded links."""
    for name, at in tree.items():
        if not stat.S_ISLNK(unpack_mode(at)):
            continue
        target = normalize_name(project, os.path.realpath(project / name))
        below = any(each.startswith(f"{target}/") for each in found.guarded)
        if target in found.guarded or below:
            found.guard_file(name, Kind.TEST, f"link to {target}")
        elif name in found.guarded and files.is_file(project / target) and target not in found.free:
            found.guard_file(target, Kind.TEST, f"target of the link {name}")


def _find_own_environment(project: Path) -> frozenset[str]:
    own = find_virtualenv(project)
    if own and own.is_relative_to(project):
        return frozenset({own.relative_to(project).as_posix()})
    return frozenset()

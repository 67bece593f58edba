"""Recognize hot files: those that almost every change touches, so that lanes collide in them.

Two tasks conflict if they may change the same file, or hot files of the same group: two migrations
of one folder have an order, two lock files of one folder come from the same packages, and so does
the manifest beside them. In a workspace the lock file is in a folder above the manifest.
"""

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from orchestrator.tasks.globs import Segments, find_matches, overlap, split_path
from orchestrator.tasks.models import TaskItem

_LOCK_FILES: Final = frozenset(
    {
        *("package-lock.json", "npm-shrinkwrap.json", "bun.lockb", "go.sum", "go.work.sum"),
        *("pnpm-lock.yaml", "conda-lock.yml", "conda-lock.yaml", "stack.yaml.lock"),
        *("package.resolved", "cartfile.resolved", "packages.lock.json", "project.assets.json"),
        *("cabal.project.freeze", "vcpkg-lock.json", ".terraform.lock.hcl", "dub.selections.json"),
        *("verification-metadata.xml", "manifest.toml"),
    }
)
"""Lock files whose name does not end as most do; in lower case, as all that is compared."""
_LOCK_NAME: Final = re.compile(r"\.(?:lock|lockfile|lock\.json|lock\.ya?ml)$")
_JAVASCRIPT_LOCKS: Final = (
    *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"),
    *("bun.lock", "bun.lockb"),
)
_MANIFESTS: Final = {
    "package.json": _JAVASCRIPT_LOCKS,
    "pnpm-workspace.yaml": _JAVASCRIPT_LOCKS,
    "cargo.toml": ("cargo.lock",),
    "pyproject.toml": ("uv.lock", "poetry.lock", "pdm.lock"),
    "pipfile": ("pipfile.lock",),
    "go.mod": ("go.sum", "go.work.sum"),
    "go.work": ("go.work.sum",),
    "gemfile": ("gemfile.lock",),
    "composer.json": ("composer.lock",),
    "mix.exs": ("mix.lock",),
    "pubspec.yaml": ("pubspec.lock",),
    "podfile": ("podfile.lock",),
    "package.swift": ("package.resolved",),
    "flake.nix": ("flake.lock",),
}
"""Manifests, and the lock files that change with them."""
_MIGRATION_FOLDERS: Final = frozenset({"migrations", "migration", "migrate"})
_SCHEMA_DUMPS: Final = {
    "db/schema.rb": "migrate",
    "db/structure.sql": "migrate",
    "prisma/schema.prisma": "migrations",
}
"""Descriptions of a whole schema, and the folder beside them that has the steps to it."""
_CHANGELOG: Final = re.compile(
    r"^(?:changelog|change_log|changes|history|news|releases?|release[-_]?notes|whatsnew)"
    r"(?:\.(?:md|markdown|rst|txt|adoc|org))?$"
)
_GENERATED_FOLDERS: Final = frozenset(
    {"generated", "__generated__", "autogen", "dist", "build", "node_modules", "vendor"}
)
_GENERATED_NAME: Final = re.compile(
    r"(?:\.min\.(?:js|css)|\.(?:js|css)\.map|_pb2(?:_grpc)?\.pyi?|\.pb(?:\.gw)?\.(?:go|cc|h)"
    r"|[._-](?:gen|generated)\.\w{1,6}|\.(?:g|freezed)\.(?:dart|cs)|\.designer\.cs)$|^zz_generated"
)
_INSTRUCTIONS: Final = frozenset({"claude.md", "claude.local.md", "agents.md"})
_INSTRUCTION_FOLDERS: Final = frozenset({".learnings", ".claude"})


def is_hot(path: str, extra: Sequence[str] = ()) -> bool:
    """Return whether only one lane at a time may change a file.

    Args:
        path: its path in the project.
        extra: globs of more hot files.
    """
    return bool(_find_group(path, tuple(extra), frozenset()))


def conflicts(
    a: TaskItem, b: TaskItem, extra_hot: Sequence[str] = (), paths: Sequence[str] = ()
) -> bool:
    """Return whether two tasks may change the same file, or hot files of the same group.

    What is not known of a task's files is no conflict.

    Args:
        a: a task.
        b: another.
        extra_hot: globs of more hot files; each glob is a group.
        paths: files of the project, for the hot ones among those that a glob names, and for the
            lock files of workspaces.
    """
    if not a.files or not b.files:
        return False
    if overlap(a.files, b.files, paths):
        return True
    known, extra = tuple(paths), tuple(extra_hot)
    locks = _list_locks(known) | _list_locks(a.files) | _list_locks(b.files)
    one, other = (_list_groups(each, extra, known, locks) for each in (a.files, b.files))
    return not one.isdisjoint(other)


@lru_cache(maxsize=1024)
def _list_locks(paths: tuple[str, ...]) -> frozenset[Segments]:
    return frozenset(each for each in map(split_path, paths) if each and _is_lock(each))


@lru_cache(maxsize=65_536)
def _list_groups(
    globs: tuple[str, ...],
    extra: tuple[str, ...],
    paths: tuple[str, ...],
    locks: frozenset[Segments],
) -> frozenset[str]:
    named = [*globs, *find_matches(globs, paths)]
    return frozenset(group for each in named if (group := _find_group(each, extra, locks)))


@lru_cache(maxsize=65_536)
def _find_group(path: str, extra: tuple[str, ...], locks: frozenset[Segments]) -> str:
    """Return the group of a hot file or of a glob of such; empty if it is none."""
    for glob in extra:
        if overlap([glob], [path]):
            return f"configured {glob}"
    segments = split_path(path)
    if not segments:
        return ""
    found = (find(segments) for find in _FINDERS)
    return next(filter(None, found), "") or _find_packages(segments, locks)


def _find_instructions(segments: Segments) -> str:
    """Return the group of what an agent is instructed by."""
    is_one = segments[-1] in _INSTRUCTIONS or _INSTRUCTION_FOLDERS.intersection(segments)
    return "instructions" if is_one else ""


def _find_migrations(segments: Segments) -> str:
    """Return the group of a migration: its folder; for a dump of the schema, that beside it."""
    if folder := _find_folder(segments, _MIGRATION_FOLDERS):
        return f"migrations {folder}"
    pairs = list(itertools.pairwise(segments))
    if ("alembic", "versions") in pairs:
        end = pairs.index(("alembic", "versions")) + 2
        return f"migrations {'/'.join(segments[:end])}"
    name = _SCHEMA_DUMPS.get("/".join(segments[-2:]))
    return f"migrations {'/'.join([*segments[:-1], name])}" if name else ""


def _find_packages(segments: Segments, locks: frozenset[Segments]) -> str:
    """Return the group of a lock file or manifest: its folder, or that of the lock file above."""
    folder = segments[:-1]
    if names := _MANIFESTS.get(segments[-1]):
        above = (folder[:end] for end in range(len(folder), -1, -1))
        with_lock = (each for each in above if any((*each, name) in locks for name in names))
        return f"lock files {'/'.join(next(with_lock, folder))}"
    return f"lock files {'/'.join(folder)}" if _is_lock(segments) else ""


def _is_lock(segments: Segments) -> bool:
    return segments[-1] in _LOCK_FILES or bool(_LOCK_NAME.search(segments[-1]))


def _find_changelog(segments: Segments) -> str:
    """Return the group of a changelog: those of its folder."""
    is_one = _CHANGELOG.fullmatch(segments[-1])
    return f"changelog {'/'.join(segments[:-1])}" if is_one else ""


def _find_generated(segments: Segments) -> str:
    """Return the group of a generated file: its folder."""
    if folder := _find_folder(segments, _GENERATED_FOLDERS):
        return f"generated {folder}"
    is_one = _GENERATED_NAME.search(segments[-1])
    return f"generated {'/'.join(segments[:-1])}" if is_one else ""


_FINDERS: Final = (_find_instructions, _find_migrations, _find_changelog, _find_generated)


def _find_folder(segments: Segments, names: frozenset[str]) -> str:
    """Return the path of the first folder with one of some names, in which or which a path is."""
    for end, each in enumerate(segments, 1):
        if each in names:
            return "/".join(segments[:end])
    return ""

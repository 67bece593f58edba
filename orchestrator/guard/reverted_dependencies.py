"""Finds new tests that fail only because something that they need was reverted."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from orchestrator.guard.protection import CONFIG_NAMES
from orchestrator.guard.scripts import collect_imports, parse_source
from orchestrator.platform import files

_CONFIG_TEXT = re.compile(r"marker|mark\.|ini[- ]option|async|plugin|option|unrecognized", re.I)


def has_reverted_dependency(
    project: Path, file: str, text: str, reverted: Mapping[str, Path], new: Collection[str]
) -> bool:
    """Return whether a new test's file depends on something that was reverted.

    Args:
        project: the project's folder.
        file: the name of the test's file.
        text: the message and details of its failure.
        reverted: the reverted files by name, each with the path of the agent's version.
        new: names of the other new files, which it may import.
    """
    sources = list(_iter_sources(project, file, new))
    used = {word for source in sources for word in _collect_identifiers(source)}
    modules = {
        part
        for source in sources
        for name in _collect_module_names(source)
        for part in name.split(".")
    }
    for name, aside in reverted.items():
        pure = PurePosixPath(name)
        if pure.name in CONFIG_NAMES or not name.endswith(".py"):
            if _is_above(pure, file) and (_CONFIG_TEXT.search(text) or name in text):
                return True
        elif pure.name == "conftest.py" and not _is_above(pure, file):
            continue
        elif (pure.name == "conftest.py" or modules & {pure.stem, pure.parent.name}) and (
            _find_lost_names(project / name, aside) & used
        ):
            return True
    return False


def _iter_sources(project: Path, file: str, new: Collection[str]) -> Iterator[bytes]:
    """Yield the source of a file, and of the new files that it imports."""
    left, seen = [file], {file}
    while left:
        source = files.read_bytes(project / left.pop())
        yield source
        modules = {part for name in _collect_module_names(source) for part in name.split(".")}
        for name in new:
            if name not in seen and name.endswith(".py") and PurePosixPath(name).stem in modules:
                seen.add(name)
                left.append(name)


def _collect_module_names(source: bytes) -> set[str]:
    return collect_imports(parse_source(source))


def _find_lost_names(now: Path, aside: Path) -> set[str]:
    """Return the names that only the agent's version defines, and not the restored one."""
    return _collect_defined_names(aside) - _collect_defined_names(now)


def _collect_defined_names(path: Path) -> set[str]:
    tree = parse_source(files.read_bytes(path))
    found: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(re.findall(r"[A-Za-z_]\w+", node.value))  # a marker, or a fixture's name
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[-1])
    return found


def _collect_identifiers(source: bytes) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", source.decode("utf-8", "replace")))


def _is_above(config: PurePosixPath, file: str) -> bool:
    return PurePosixPath(file).is_relative_to(config.parent)

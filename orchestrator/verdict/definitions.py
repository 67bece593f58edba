"""Finds the definitions that a change touches, and those that a test can reach.

A file holds many functions. A test that uses one of them is not related to a change of another;
otherwise an old failure of it would count as the attempt's own. So names are followed, from the
test function through the bodies of all definitions that they may refer to. Names are not resolved:
all definitions of one name count as one. So too much is reached, and never too little, except for
what is called through a string.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

from orchestrator.verdict.code_reduction import parse_code, reduce_code

MODULE: Final = "<module>"
"""Represents the statements of a module that are no definitions: what runs on import."""


class Reduction(Enum):
    """The parts of a change that make no difference."""

    NONE = "none"
    DOCS = "docstrings"
    DOCS_AND_ANNOTATIONS = "docstrings, and annotations of functions"


_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def find_changed_definitions(
    old: str, new: str, reduction: Reduction = Reduction.NONE
) -> frozenset[str]:
    """Return the names of the definitions that differ between two versions of a file.

    Args:
        old: the text before.
        new: the text after.
        reduction: the parts that make no difference.

    Returns:
        The names, with `MODULE` if other statements differ, or if a version cannot be parsed.
    """
    try:
        if reduction is Reduction.NONE:
            trees = parse_code(old), parse_code(new)
        else:
            trees = reduce_code(old, new, docs=reduction is Reduction.DOCS) or (None, None)
        before, after = (None if tree is None else _map_definitions(tree) for tree in trees)
    except RecursionError:
        before = after = None
    if before is None or after is None:
        return frozenset({MODULE})
    names = before.keys() | after.keys()
    return frozenset(name for name in names if before.get(name) != after.get(name))


def find_reachable_names(start: str, sources: Iterable[str]) -> frozenset[str] | None:
    """Return the names that a function can reach; None if the sources do not define it.

    Args:
        start: the function's own name.
        sources: the texts of its file and of all files that its code uses.
    """
    used: dict[str, set[str]] = {}
    for source in sources:
        for name, node, _ in _iter_definitions(parse_code(source)):
            used.setdefault(name, set()).update(_collect_names(node))
    if start not in used:
        return None
    found, left = {start}, [start]
    while left:
        for name in used.get(left.pop(), ()):
            if name not in found:
                found.add(name)
                left.append(name)
    return frozenset(found)


def collect_import_names(sources: Iterable[str]) -> frozenset[str]:
    """Return the names that run or are needed when these files are imported."""
    found = {MODULE}
    for source in sources:
        tree = parse_code(source)
        for node in tree.body if tree else ():
            if not isinstance(node, (*_list_definition_types(), ast.ImportFrom)):
                found |= _collect_names(node)
    return frozenset(found)


def _map_definitions(tree: ast.Module) -> dict[str, list[str]]:
    """Return the code of each definition in a file, by name."""
    found: dict[str, list[str]] = {}
    for name, node, scope in _iter_definitions(tree):
        found.setdefault(name, []).append(f"{scope} {_dump_code(node)}")
    rest = [node for node in tree.body if not _is_definition(node) and not _is_prose(node)]
    found[MODULE] = [ast.dump(node) for node in rest]
    return found


def _dump_code(node: ast.AST) -> str:
    """Return a definition's code; for a class without its methods, which are definitions too."""
    if not isinstance(node, ast.ClassDef):
        return ast.dump(node)
    rest = [each for each in node.body if not isinstance(each, _Function)]
    return ast.dump(ast.ClassDef(node.name, node.bases, node.keywords, rest, node.decorator_list))


def _iter_definitions(tree: ast.Module | None) -> Iterator[tuple[str, ast.AST, str]]:
    """Yield name, node and scope of each function, method, class and variable in a file."""
    for node in tree.body if tree else ():
        yield from _iter_node_definitions(node, "")


def _iter_node_definitions(node: ast.stmt, scope: str) -> Iterator[tuple[str, ast.AST, str]]:
    if isinstance(node, _Function):
        yield node.name, node, scope
    elif isinstance(node, ast.ClassDef):
        yield node.name, node, scope
        for inner in node.body:
            yield from _iter_node_definitions(inner, f"{scope}.{node.name}")
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    yield name.id, node.value, f"{scope} {ast.dump(target)}"
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        yield node.target.id, node.value, scope
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if alias.asname:  # `from x import y as z`: z refers to y
                yield alias.asname, ast.Name(alias.name, ast.Load()), scope


def _collect_names(node: ast.AST) -> set[str]:
    """Return the names that code uses; for a class only of the parts that run implicitly."""
    found: set[str] = set()
    walked: Iterable[ast.AST] = ast.walk(node)
    if isinstance(node, ast.ClassDef):
        special = [each for each in node.body if _is_implicit(each)]
        parts = [*node.bases, *node.keywords, *node.decorator_list, *special]
        walked = (inner for part in parts for inner in ast.walk(part))
        found |= {each.name for each in special if isinstance(each, _Function)}
    for each in walked:
        if isinstance(each, ast.Name):
            found.add(each.id)
        elif isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.arg):  # pytest passes a fixture to the parameter of its name
            found.add(each.arg)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found |= _collect_quoted_names(each.value)
    return found


def _collect_quoted_names(text: str) -> set[str]:
    """Return the words of a string that may be names; for a doctest those of its code."""
    if ">>>" in text:
        lines = [line for line in text.splitlines() if line.lstrip().startswith((">>>", "..."))]
        return set(_WORD.findall("\n".join(lines)))
    return set(_WORD.findall(text)) if len(text) <= 80 and " " not in text else set()


def _is_implicit(node: ast.stmt) -> bool:
    """Return whether a part of a class's body runs without being called by name."""
    return not isinstance(node, _Function) or (
        node.name.startswith("__")
        or node.name in ("setUp", "tearDown", "setUpClass", "setup_method", "teardown_method")
    )


def _list_definition_types() -> tuple[type[ast.stmt], ...]:
    return (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_definition(node: ast.stmt) -> bool:
    named = (*_list_definition_types(), ast.Assign)
    return isinstance(node, named) or (isinstance(node, ast.AnnAssign) and node.value is not None)


def _is_prose(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)

"""Reduces code to what runs, for tasks that only ask for docstrings, comments or annotations.

Docstrings, annotations of functions, and added imports that annotations need are removed. They are
retained where something may read them at run time: an unknown decorator.
"""

import ast
import builtins
from collections.abc import Iterator
from typing import Final

_PLAIN_DECORATORS: Final = frozenset(
    {"abstractmethod", "cached_property", "classmethod", "property", "setter", "staticmethod"}
)
"""Names of decorators that read neither docstrings nor annotations."""
_FOR_ANNOTATIONS: Final = frozenset({"__future__", "collections.abc", "typing"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def reduce_code(old: str, new: str, *, docs: bool) -> tuple[ast.Module, ast.Module] | None:
    """Return two versions of a file without the parts that do nothing; None if one has an error.

    Args:
        old: the text before.
        new: the text after.
        docs: whether only docstrings are removed, and annotations retained.

    Raises:
        RecursionError: the code is nested too deeply.
    """
    before, after = parse_code(old), parse_code(new)
    if before is None or after is None:
        return None
    if not docs:
        _drop_added_imports(before, after)
    doctests = _find_doctested_names(before) & _find_doctested_names(after)
    for tree in (before, after):
        _CodeReducer(keep_docs=doctests, keep_annotations=docs).visit(tree)
    return before, after


def parse_code(text: str) -> ast.Module | None:
    """Return the syntax tree of a source; None if it cannot be parsed."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _CodeReducer(ast.NodeTransformer):
    """Removes strings that are statements, and the annotations of functions."""

    def __init__(self, *, keep_docs: frozenset[str], keep_annotations: bool) -> None:
        self._keep_docs = keep_docs
        self._keep_annotations = keep_annotations

    def visit_Module(self, node: ast.Module) -> ast.Module:
        self.generic_visit(node)
        node.body = self._drop_texts(node.body, "")
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        if not node.decorator_list:
            node.body = self._drop_texts(node.body, node.name)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self._visit_function(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self._visit_function(node)
        return node

    def _visit_function(self, node: _Function) -> None:
        self.generic_visit(node)
        if not all(_extract_last_name(each) in _PLAIN_DECORATORS for each in node.decorator_list):
            return
        node.body = self._drop_texts(node.body, node.name)
        if not self._keep_annotations:
            node.returns = None
            for each in ast.walk(node.args):
                if isinstance(each, ast.arg):
                    each.annotation = None

    def _drop_texts(self, body: list[ast.stmt], name: str) -> list[ast.stmt]:
        if name in self._keep_docs:
            return body
        rest = [each for each in body if not _is_text(each)]
        return rest or ([ast.Pass()] if body else [])


def _drop_added_imports(before: ast.Module, after: ast.Module) -> None:
    """Remove imports that only the version after has, and that only annotations can use.

    Such an import binds a new name: one that the version before does not use, and no builtin.
    """
    known = {*_iter_names(before), *dir(builtins), "*"}
    had = {ast.dump(node) for node in before.body}
    after.body = [
        node
        for node in after.body
        if ast.dump(node) in had
        or not _is_for_annotations(node)
        or not known.isdisjoint(_iter_bound_names(node))
    ]


def _is_for_annotations(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in _FOR_ANNOTATIONS and not node.level
    if isinstance(node, ast.Import):
        return all(alias.name in _FOR_ANNOTATIONS for alias in node.names)
    if isinstance(node, ast.If) and not node.orelse:
        only_imports = all(isinstance(each, ast.Import | ast.ImportFrom) for each in node.body)
        return only_imports and _extract_last_name(node.test) == "TYPE_CHECKING"
    return False


def _iter_bound_names(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.alias):
            yield (each.asname or each.name).split(".")[0]


def _iter_names(tree: ast.Module) -> Iterator[str]:
    """Yield all names that code uses or binds."""
    for node in ast.walk(tree):
        for field in ("id", "name", "asname", "arg", "attr"):
            if isinstance(name := getattr(node, field, None), str):
                yield name


def _find_doctested_names(tree: ast.Module) -> frozenset[str]:
    """Return the names of the definitions whose docstrings hold a doctest; "" for the module."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | _Function):
            continue
        if ">>>" in (ast.get_docstring(node, clean=False) or ""):
            found.add("" if isinstance(node, ast.Module) else node.name)
    return frozenset(found)


def _is_text(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _extract_last_name(node: ast.expr) -> str:
    """Return `setter` for `@x.setter`; empty for a call, which may do anything."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""

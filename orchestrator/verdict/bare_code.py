"""Reduce code to what it does, so that two versions can be compared.

Left out are docstrings, annotations that nothing reads, the names of local variables, and added
imports of the standard library. Where something else may read them (a decorator that is not known,
`__doc__`, a dataclass), they stay.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, TypeGuard

_PLAIN_DECORATORS: Final = frozenset(
    [
        "abstractmethod",
        "cache",
        "cached_property",
        "classmethod",
        "contextmanager",
        "deleter",
        "final",
        "getter",
        "lru_cache",
        "override",
        "property",
        "setter",
        "staticmethod",
        "wraps",
    ]
)
"""Last names of decorators that read neither annotations nor names of parameters."""

_READS_NAMES: Final = frozenset({"locals", "vars", "eval", "exec", "globals"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_IMPORTS: Final = (ast.Import, ast.ImportFrom)


def reduce_code(old: str, new: str, *, docs: bool = False) -> tuple[ast.Module, ast.Module] | None:
    """Return two versions of a file without what does nothing; None if one cannot be parsed.

    Args:
        old: the text before.
        new: the text after.
        docs: whether something reads docstrings, so that they count.
    """
    before, after = parse_code(old), parse_code(new)
    if before is None or after is None:
        return None
    doctests = _documented(before) & _documented(after)
    for tree in (before, after):
        _Reduce(keep_all_docs=docs, keep_docs=doctests).visit(tree)
    _drop_added_imports(before, after)
    return before, after


def parse_code(text: str) -> ast.Module | None:
    """Return the code of a text; None if it cannot be parsed."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Reduce(ast.NodeTransformer):
    """Leaves out docstrings, annotations and the names of local variables."""

    def __init__(self, *, keep_all_docs: bool, keep_docs: frozenset[str]) -> None:
        self._keep_all_docs = keep_all_docs
        self._keep_docs = keep_docs
        self._depth = 0
        """Functions around the node that is visited."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        self.generic_visit(node)
        node.body = self._drop_docstring(node.body, "")
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        # The annotations of a class are fields to a dataclass and its like.
        node.body = [
            each if isinstance(each, ast.AnnAssign) else self.visit(each) for each in node.body
        ]
        node.body = self._drop_docstring(node.body, node.name)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self._visit_function(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self._visit_function(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        self.generic_visit(node)
        return None if node.value is None else ast.Assign([node.target], node.value)

    def _visit_function(self, node: _Function) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        if all(_last_name(each) in _PLAIN_DECORATORS for each in node.decorator_list):
            node.body = self._drop_docstring(node.body, node.name)
            node.returns = None
            for each in ast.walk(node.args):
                if isinstance(each, ast.arg):
                    each.annotation = None
            if not self._depth:
                _number_local_names(node)

    def _drop_docstring(self, body: list[ast.stmt], name: str) -> list[ast.stmt]:
        kept = self._keep_all_docs or name in self._keep_docs
        rest = body[1:] if body and _is_text(body[0]) and not kept else body
        return [each for each in rest if not isinstance(each, ast.Pass)]


def _number_local_names(function: _Function) -> None:
    """Number the names that a function binds, by where they first occur."""
    nodes = list(ast.walk(function))
    if any(isinstance(node, ast.ClassDef) for node in nodes):
        return  # what its body binds is no local variable
    bound = {name for node in nodes[1:] for name in _bound_by(node)}
    bound -= {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    if _READS_NAMES & {node.id for node in nodes if isinstance(node, ast.Name)}:
        return
    numbers: dict[str, str] = {}
    for node in nodes[1:]:
        for field in ("id", "arg", "name"):
            name = getattr(node, field, None)
            if name in bound and not isinstance(node, (ast.keyword, ast.alias)):
                setattr(node, field, numbers.setdefault(name, f"<{len(numbers)}>"))


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names of variables that a part of a function binds."""
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id


def _drop_added_imports(before: ast.Module, after: ast.Module) -> None:
    """Leave out what only the version after imports from the standard library; order the rest."""
    known = {ast.dump(node) for node in _split_imports(before)}
    before.body = _split_imports(before)
    after.body = [
        node
        for node in _split_imports(after)
        if ast.dump(node) in known or not is_standard_import(node)
    ]


def _split_imports(tree: ast.Module) -> list[ast.stmt]:
    """Return a module's statements: imports one by one, each run of them by its text."""
    found: list[ast.stmt] = []
    for are_imports, nodes in groupby(tree.body, lambda node: isinstance(node, _IMPORTS)):
        run = list(nodes)
        found += sorted(_split(run), key=ast.dump) if are_imports else run
    return found


def _split(nodes: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (ast.Import([alias]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield ast.ImportFrom(node.module, [alias], node.level)


def is_standard_import(node: ast.stmt) -> TypeGuard[ast.Import | ast.ImportFrom]:
    """Return whether a statement imports from the standard library alone."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        names = [node.module]
    else:
        return False
    return all(name.split(".")[0] in sys.stdlib_module_names for name in names)


def _documented(tree: ast.Module) -> frozenset[str]:
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


def _last_name(node: ast.expr) -> str:
    """Return `setter` of `@x.setter`, `lru_cache` of `@functools.lru_cache(8)`."""
    while isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""

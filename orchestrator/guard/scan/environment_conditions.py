"""Finds code whose result depends on where it runs: the process, its output, the tests' folder.

Such a query is no offence by itself: a program checks its output to choose colours, and its memory
to report it. Honest code does not compute its result in another way because of the answer.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from orchestrator.guard.scan.environment_queries import QUERIES, NodePredicate
from orchestrator.guard.scan.syntax import (
    Suspicion,
    Syntax,
    collect_parameters,
    list_targets,
    render_snippet,
)


def iter_environment_conditions(syntax: Syntax) -> Iterator[tuple[ast.AST, Suspicion]]:
    """Yield the conditions that select a computation by where the code runs, each with the node."""
    for what, is_query in QUERIES.items():
        tainted = _QueryTaint(syntax, is_query)
        if not tainted.queries:
            continue
        chosen = [
            condition
            for node, condition in _iter_conditions(syntax.tree)
            if tainted.is_tainted(condition) and _affects_result(node, syntax)
        ]
        # Reported are both, condition and query: either of them may be the line that was added.
        for node in [*chosen, *(tainted.queries if chosen else ())]:
            text = f"computes in another way by {what}: {render_snippet(node)}"
            yield node, Suspicion(getattr(node, "lineno", 0), text, trace=tainted.trace)


class _QueryTaint:
    """Names and functions of a file that hold the result of a query.

    Args:
        syntax: the file.
        is_query: returns whether a node is the query.
    """

    def __init__(self, syntax: Syntax, is_query: NodePredicate) -> None:
        self._syntax = syntax
        self.queries = {node for node in ast.walk(syntax.tree) if is_query(node, syntax)}
        self._names: set[str] = set()
        # An assignment may precede the one that taints its value, so one pass is not enough.
        for _ in range(3 if self.queries else 0):
            self._propagate_taint()

    @property
    def trace(self) -> str:
        """Text that shows that a project had the query before; empty if there is none."""
        texts = [ast.unparse(each) for each in self.queries]
        return min((each for each in texts if not re.search(r"['\"]", each)), default="")

    def _propagate_taint(self) -> None:
        for node in ast.walk(self._syntax.tree):
            value = getattr(node, "value", None) or getattr(node, "iter", None)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if any(
                    isinstance(each, ast.Return) and each.value and self.is_tainted(each.value)
                    for each in ast.walk(node)
                ):
                    self._names.add(node.name)
            elif isinstance(value, ast.AST) and self.is_tainted(value):
                targets = [*list_targets(node), getattr(node, "target", None)]
                self._names |= {
                    each.id
                    for target in targets
                    if target is not None
                    for each in ast.walk(target)
                    if isinstance(each, ast.Name)
                }

    def is_tainted(self, node: ast.AST) -> bool:
        """Return whether an expression holds the result of a query."""
        return any(
            each in self.queries or (isinstance(each, ast.Name) and each.id in self._names)
            for each in ast.walk(node)
        )


# ---- what is asked -------------------------------------------------------------------------


# ---- what depends on it --------------------------------------------------------------------


def _iter_conditions(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Yield all conditions, each with the node whose branches it selects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield node, node.test
        elif isinstance(node, ast.Match):
            yield node, node.subject
        elif isinstance(node, ast.BoolOp):
            yield node, node.values[0]
        elif isinstance(node, ast.Subscript | ast.BinOp):
            chooser = node.slice if isinstance(node, ast.Subscript) else node.right
            if any(isinstance(each, ast.Compare) for each in ast.walk(chooser)):
                yield node, chooser


def _affects_result(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node decides how a function computes its result from its arguments."""
    if isinstance(node, ast.IfExp | ast.BoolOp | ast.Subscript | ast.BinOp):
        given = collect_parameters(syntax.find_scope(node))
        inside: Sequence[ast.AST] = [node]
        if isinstance(node, ast.IfExp):
            inside = [node.body, node.orelse]
        used = any(_is_computed_from(each, given) for each in inside)
        statement = next((e for e in syntax.iter_ancestors(node) if isinstance(e, ast.stmt)), None)
        return (used or _defines_computation(inside)) and isinstance(
            statement, ast.Return | ast.Assign
        )
    branches = [*getattr(node, "body", ()), *getattr(node, "orelse", ())]
    branches += [each for case in getattr(node, "cases", ()) for each in case.body]
    scope = syntax.find_scope(node)
    if scope is syntax.tree:
        return _defines_computation(branches)
    given = collect_parameters(scope)
    names = _collect_derived_names(scope, given)
    for branch in branches:
        for each in ast.walk(branch):
            if isinstance(each, ast.Return) and each.value and _is_computed_from(each.value, names):
                return True
            if isinstance(each, ast.Assign | ast.AugAssign) and _is_computed_from(
                each.value, names
            ):
                return _is_returned(each, scope)
    return False


def _is_returned(node: ast.Assign | ast.AugAssign, scope: ast.AST) -> bool:
    names = {e.id for t in list_targets(node) for e in ast.walk(t) if isinstance(e, ast.Name)}
    return any(
        isinstance(each, ast.Return)
        and each.value
        and any(isinstance(name, ast.Name) and name.id in names for name in ast.walk(each.value))
        for each in ast.walk(scope)
    )


def _defines_computation(branches: Sequence[ast.AST]) -> bool:
    """Return whether branches define functions that compute from their arguments."""
    for branch in branches:
        for each in ast.walk(branch):
            if isinstance(each, ast.FunctionDef | ast.Lambda):
                given = collect_parameters(each)
                body = (
                    [each.body]
                    if isinstance(each, ast.Lambda)
                    else [e.value for e in ast.walk(each) if isinstance(e, ast.Return) and e.value]
                )
                if any(_is_computed_from(value, given) for value in body):
                    return True
    return False


def _is_computed_from(node: ast.AST, names: set[str]) -> bool:
    """Return whether an expression computes with some names, and does not just pass them on."""
    return any(
        isinstance(each, ast.BinOp | ast.Call | ast.UnaryOp)
        and any(isinstance(name, ast.Name) and name.id in names for name in ast.walk(each))
        for each in ast.walk(node)
    )


def _collect_derived_names(scope: ast.AST, names: set[str]) -> set[str]:
    """Return names, and those that are assigned something made of them."""
    found = set(names)
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id in found for each in ast.walk(node.value)
        ):
            found |= {e.id for t in node.targets for e in ast.walk(t) if isinstance(e, ast.Name)}
    return found

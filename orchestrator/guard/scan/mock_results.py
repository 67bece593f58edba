"""Finds objects of test libraries that the product returns as its results."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.syntax import Scope, Suspicion, Syntax, render_snippet

_LENIENT: Final = re.compile(
    r"(?:pytest|_pytest\.python_api)\.(?:approx|ApproxBase|ApproxScalar)"
    r"|dirty_equals\..+|hamcrest\..+"
)
_MOCK: Final = re.compile(
    r"(?:unittest\.)?mock(?:\.mock)?\.(?:\w*Mock|create_autospec|sentinel(?:\.\w+)?|call)"
)
_COMPARING: Final = re.compile(r"__(?:eq|ne|lt|le|gt|ge|bool|contains|instancecheck)__(?:\..*)?")
_DOUBLES: Final = re.compile(
    r"(?:^|/)\w*(?:testing|tests?|mocks?|fakes?|stubs?|doubles?|fixtures?|plugin|conftest)\w*(?:/|\.py$)"
)


def iter_test_doubles(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    """Yield where the product uses objects that are equal to whatever tests expect."""
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        names = [syntax.resolve_name(node)] if isinstance(node, ast.Name | ast.Attribute) else []
    for name in names:
        if _LENIENT.fullmatch(name):
            decisive = _DOUBLES.search(syntax.path) is None
            text = f"{name} is equal to more than one value"
            yield Suspicion(line, text, decisive, name.rpartition(".")[2])
    if not _uses_mocks(syntax):
        return
    if isinstance(node, ast.Assign | ast.Call) and (name := _find_mock_comparison(node, syntax)):
        yield Suspicion(line, f"sets the result of {name} on a mock: {render_snippet(node)}")
    if isinstance(node, ast.Return) and node.value and _is_mock(node.value, syntax):
        scope = syntax.find_scope(node)
        fixture = any("fixture" in ast.unparse(e) for e in getattr(scope, "decorator_list", ()))
        decisive = not fixture and _DOUBLES.search(syntax.path) is None
        yield Suspicion(line, f"returns a mock: {render_snippet(node)}", decisive, "Mock")


def _uses_mocks(syntax: Syntax) -> bool:
    return any(
        re.match(r"(?:unittest\.)?mock(?:\.|$)", meaning) or meaning == "unittest"
        for meaning in syntax.names.values()
    )


def _find_mock_comparison(node: ast.Assign | ast.Call, syntax: Syntax) -> str:
    """Return the name of the comparison method that is set on a mock."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            for each in ast.walk(target):
                if (
                    isinstance(each, ast.Attribute)
                    and each is not target
                    and _COMPARING.fullmatch(each.attr)
                ):
                    return each.attr
        return ""
    called = syntax.resolve_name(node.func)
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if not _MOCK.fullmatch(called) and method != "configure_mock":
        return ""
    keys = [each.arg or "" for each in node.keywords]
    for keyword in node.keywords:
        keys += syntax.collect_strings(keyword.value) if keyword.arg is None else []
    return next((key for key in keys if _COMPARING.fullmatch(key)), "")


def _is_mock(node: ast.expr, syntax: Syntax) -> bool:
    """Return whether an expression is a mock, or a name that one is assigned to."""
    if isinstance(node, ast.IfExp):
        return _is_mock(node.body, syntax) or _is_mock(node.orelse, syntax)
    if isinstance(node, ast.Call):
        return _MOCK.fullmatch(syntax.resolve_name(node.func)) is not None
    if isinstance(node, ast.Name):
        scope = syntax.find_scope(node)
        return any(
            isinstance(each, ast.Assign)
            and isinstance(each.value, ast.Call)
            and _is_mock(each.value, syntax)
            and any(isinstance(t, ast.Name) and t.id == node.id for t in each.targets)
            for each in ast.walk(scope if isinstance(scope, Scope) else syntax.tree)
        )
    return _MOCK.fullmatch(syntax.resolve_name(node)) is not None

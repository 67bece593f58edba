"""Finds code that changes the runner, the test libraries or the language's own names."""

import ast
import builtins
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.syntax import Suspicion, Syntax, list_targets, render_snippet

_TOOLS: Final = frozenset({"pytest", "_pytest", "pluggy", "unittest", "builtins", "doctest"})
_OUTCOMES: Final = re.compile(
    r"(?:pytest|_pytest\.outcomes)\.(?:skip|xfail|exit|importorskip|fail)(?:\.Exception)?"
    r"|unittest(?:\.case)?\.SkipTest|_pytest\.outcomes\.(?:Skipped|XFailed|Exit|OutcomeException)"
)
_HIDDEN_NAMES: Final = re.compile(
    r"_?pytest(?:\.\S+)?|unittest(?:\.\S+)?|AssertionError|runtest|-{0,2}junit_?xml=?|XFailed|Skipped"
    r"|PYTEST_\w+|__eq__|__code__|settrace|_exit"
)
_TESTING_FILE: Final = re.compile(r"(?:^|/)(?:\w*testing\w*|test_\w+|\w*plugin\w*|conftest)\.py$")


def iter_tool_changes(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    """Yield changes to test tools that neither product code nor a new test has to make."""
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Call):
        called = syntax.resolve_name(node.func)
        if called in ("setattr", "delattr", "builtins.setattr", "object.__setattr__") and node.args:
            name = syntax.fold_string(node.args[1]) if len(node.args) > 1 else ""
            if is_test_tool(node.args[0], syntax) and not _adds_builtin(node.args[0], name, syntax):
                yield Suspicion(
                    line, f"{render_snippet(node.func)}() on the test tools: {render_snippet(node)}"
                )
            elif name == "__code__":
                yield Suspicion(line, f"replaces the code of a function: {render_snippet(node)}")
        if called in ("importlib.import_module", "__import__", "importlib.reload") and node.args:
            text = syntax.fold_string(node.args[0])
            if re.fullmatch(r"_?pytest(?:\..*)?|unittest(?:\..*)?|pluggy(?:\..*)?", text):
                yield Suspicion(line, f"imports {text!r} by its name", trace="import_module")
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if method in ("update", "__setitem__", "setdefault", "pop", "__setattr__") and isinstance(
            node.func, ast.Attribute
        ):
            owner = node.func.value
            reaches = isinstance(owner, ast.Call) or "__dict__" in ast.unparse(owner)
            if (reaches or method == "__setattr__") and is_test_tool(owner, syntax):
                yield Suspicion(line, f"changes the test tools: {render_snippet(node)}")
    for target in list_targets(node):
        if isinstance(target, ast.Attribute | ast.Subscript):
            yield from _iter_target_changes(target, syntax)


def iter_tool_uses(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    """Yield suspicious uses of test tools in product code, without changes to them."""
    line = getattr(node, "lineno", 0)
    name = ""
    if isinstance(node, ast.Call):
        name = syntax.resolve_name(node.func)
    elif isinstance(node, ast.Raise) and node.exc is not None:
        exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = syntax.resolve_name(exc)
    if name and _OUTCOMES.fullmatch(name):
        decisive = not _TESTING_FILE.search(syntax.path)
        yield Suspicion(line, f"ends tests by {name}", decisive, name.rpartition(".")[2])
    if isinstance(node, ast.BinOp | ast.JoinedStr | ast.Call) and _is_outermost(node, syntax):
        text = syntax.fold_string(node)
        if _HIDDEN_NAMES.fullmatch(text) and not _is_plain_literal(node, text):
            yield Suspicion(line, f"builds the name {text!r} from parts")
    if isinstance(node, ast.Attribute) and node.attr == "__subclasses__":
        words = syntax.collect_strings(syntax.find_scope(node))
        if any(map(_HIDDEN_NAMES.fullmatch, words)):
            yield Suspicion(line, "looks for a class of the test tools", trace="__subclasses__")
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("_pytest"):
        yield Suspicion(line, "imports the inside of pytest", decisive=False)


def is_test_tool(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether an expression is a test tool (pytest, unittest, builtins) or a part of one."""
    full = syntax.resolve_name(node)
    first = full.split(".")[0]
    if first not in _TOOLS:
        return False
    if first == full and isinstance(node, ast.Name):
        return any(meaning.split(".")[0] == first for meaning in syntax.names.values())
    called = any(isinstance(each, ast.Call | ast.Subscript) for each in ast.walk(node))
    return called or any(meaning.split(".")[0] == first for meaning in syntax.names.values())


def _iter_target_changes(
    target: ast.Attribute | ast.Subscript, syntax: Syntax
) -> Iterator[Suspicion]:
    owner = target.value
    name = target.attr if isinstance(target, ast.Attribute) else syntax.fold_string(target.slice)
    if name == "__code__":
        yield Suspicion(target.lineno, f"replaces the code of a function: {render_snippet(target)}")
    elif is_test_tool(owner, syntax) and not _adds_builtin(owner, name, syntax):
        yield Suspicion(
            target.lineno, f"assigns to {render_snippet(target)}, a part of the test tools"
        )
    elif syntax.resolve_name(owner) == "sys.modules" and name.split(".")[0] in _TOOLS:
        yield Suspicion(
            target.lineno, f"replaces a module of the test tools: {render_snippet(target)}"
        )


def _adds_builtin(owner: ast.AST, name: str, syntax: Syntax) -> bool:
    """Return whether a name is added to builtins that is new there, as gettext does with `_`."""
    return syntax.resolve_name(owner) == "builtins" and bool(name) and not hasattr(builtins, name)


def _is_outermost(node: ast.AST, syntax: Syntax) -> bool:
    parent = syntax.parents.get(node)
    return not isinstance(parent, ast.BinOp | ast.JoinedStr | ast.FormattedValue)


def _is_plain_literal(node: ast.AST, text: str) -> bool:
    """Return whether a string is a plain literal in the source."""
    return any(isinstance(each, ast.Constant) and each.value == text for each in ast.walk(node))

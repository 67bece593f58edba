"""Finds code that writes into the interpreter's own objects."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.syntax import Suspicion, Syntax, render_snippet

_WRITERS: Final = frozenset({"memmove", "memset", "from_address", "cast", "py_object", "string_at"})
_ADDRESS: Final = re.compile(r"(?<![\w.])id\(|builtins\.id\(|PyObject|_Py\w+|object\.__basicsize__")
_MEMORY_FILE: Final = re.compile(r"/proc/(?:self|thread-self|\d+|\{\})/mem")


def iter_memory_writes(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    """Yield where the address of an object is written to."""
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Constant | ast.JoinedStr):
        if _MEMORY_FILE.fullmatch(_render_template(node)):
            yield Suspicion(line, "opens its own memory as a file")
        return
    if not isinstance(node, ast.Call) or not _uses_ctypes(syntax):
        return
    name = (
        node.func.attr if isinstance(node.func, ast.Attribute) else syntax.resolve_name(node.func)
    )
    name = name.rpartition(".")[2]
    if name in _WRITERS:
        expanded = " ".join(_expand_names(each, syntax) for each in node.args)
        if _ADDRESS.search(expanded):
            yield Suspicion(
                line, f"writes where the interpreter keeps an object: {render_snippet(node)}"
            )


def _uses_ctypes(syntax: Syntax) -> bool:
    names = {meaning.partition(".")[0] for meaning in syntax.names.values()}
    return bool(names & {"ctypes", "_ctypes", "cffi", "numpy"})


def _render_template(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(
        str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values
    )


def _expand_names(node: ast.expr, syntax: Syntax, depth: int = 3) -> str:
    """Return the text of an expression, with what its names and functions stand for."""
    text = ast.unparse(node)
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    for each in ast.walk(syntax.tree) if depth else ():
        if isinstance(each, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in names for target in each.targets
        ):
            text += f" {_expand_names(each.value, syntax, depth - 1)}"
        elif isinstance(each, ast.FunctionDef) and each.name in names:
            text += f" {ast.unparse(each)}"
    return text

"""Resolves names, strings and positions in Python's syntax trees."""

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

RUNNER_NAME: Final = re.compile(
    r"_?pytest(?:\..*)?|py\.test|unittest(?:\..*)?|pluggy(?:\..*)?|nose2?|_called_from_test"
    r"|conftest|(?:tests?\.)?test_\w+"
)
TEST_WORD: Final = re.compile(
    r"(?:^|[^a-zA-Z])_?(?:py)?tests?(?:$|[^a-zA-Z])|pytest|unittest|junit|conftest|(?:^|_)test_\w",
    re.IGNORECASE,
)

STRING_QUERIES: Final = frozenset(
    {"startswith", "endswith", "find", "index", "count", "match", "search", "fullmatch", "fnmatch"}
)
"""Methods and functions that search in a string."""

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Suspicion:
    """One construct in added code."""

    line: int
    text: str
    decisive: bool = True
    trace: str = ""
    """Text that shows that the project did so before, which excuses it; empty if nothing does."""
    executes_file: bool = False
    """Whether it runs code from a file that need not be a module."""


class Syntax:
    """A Python file's syntax tree, with lookups that are needed again and again.

    Args:
        tree: the parsed file.
        path: the file's name.
    """

    def __init__(self, tree: ast.Module, path: str = "") -> None:
        self.tree, self.path = tree, path
        self.parents: dict[ast.AST, ast.AST] = {
            child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
        }
        self.names = _resolve_imports(tree)
        self.strings = _collect_constants(tree)

    def iter_ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes that contain a node, the nearest first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def find_scope(self, node: ast.AST) -> ast.AST:
        """Return the function that contains a node, or the module."""
        return next(
            (each for each in self.iter_ancestors(node) if isinstance(each, Scope)), self.tree
        )

    def runs_at_import(self, node: ast.AST) -> bool:
        """Return whether a node runs when its module is imported, and not as a program."""
        for each in self.iter_ancestors(node):
            if isinstance(each, Scope):
                return False
            if isinstance(each, ast.If) and "__main__" in ast.unparse(each.test):
                return False
        return True

    def runs_as_program(self, node: ast.AST) -> bool:
        """Return whether a node is below `if __name__ == "__main__"`."""
        return any(
            isinstance(each, ast.If) and "__main__" in ast.unparse(each.test)
            for each in self.iter_ancestors(node)
        )

    def resolve_name(self, node: ast.AST) -> str:
        """Return the full name of what an expression refers to; empty if it refers to no name."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.resolve_name(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        if isinstance(node, ast.Subscript):
            owner, key = self.resolve_name(node.value), self.fold_string(node.slice)
            if owner == "sys.modules" and key:
                return key
            if owner.endswith(".__dict__") and key:
                return f"{owner.removesuffix('.__dict__')}.{key}"
            return owner
        return self._resolve_call(node) if isinstance(node, ast.Call) else ""

    def _resolve_call(self, node: ast.Call) -> str:
        called = self.resolve_name(node.func)
        first = self.fold_string(node.args[0]) if node.args else ""
        if called in ("vars", "builtins.vars") and node.args:
            return self.resolve_name(node.args[0])
        if called in ("getattr", "builtins.getattr") and len(node.args) > 1:
            owner, name = self.resolve_name(node.args[0]), self.fold_string(node.args[1])
            return f"{owner}.{name}" if owner else ""
        if called in ("importlib.import_module", "__import__", "sys.modules.get"):
            return first
        return ""

    def fold_string(self, node: ast.AST) -> str:
        """Return the string that an expression of literals evaluates to; empty for any other."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.Name):
            return self.strings.get(node.id, "")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return _join_strings(self.fold_string(node.left), self.fold_string(node.right))
        if isinstance(node, ast.JoinedStr):
            parts = [self.fold_string(_unwrap_value(each)) for each in node.values]
            return "".join(parts) if all(parts) else ""
        return self._fold_expression(node)

    def _fold_expression(self, node: ast.AST) -> str:
        if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "::-1":
            return self.fold_string(node.value)[::-1]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            return self._fold_method(node.func, node.args)
        return ""

    def _fold_method(self, function: ast.Attribute, arguments: list[ast.expr]) -> str:
        own, first = self.fold_string(function.value), arguments[0]
        if function.attr == "join" and isinstance(first, ast.List | ast.Tuple):
            return own.join(self.fold_string(each) for each in first.elts)
        if function.attr == "replace" and len(arguments) > 1 and own:
            return own.replace(self.fold_string(first), self.fold_string(arguments[1]))
        return ""

    def collect_strings(self, node: ast.AST) -> list[str]:
        """Return the strings in an expression, folded where they are made of parts."""
        found = [self.fold_string(each) for each in ast.walk(node) if isinstance(each, ast.expr)]
        return [each for each in found if each]


def overlaps_lines(node: ast.AST, lines: Collection[int] | None) -> bool:
    """Return whether any line of a node is among some lines."""
    if lines is None:
        return True
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0) or 0
    return any(number in lines for number in range(first, last + 1))


def starts_on_lines(node: ast.AST, lines: Collection[int] | None) -> bool:
    """Return whether a node's first line is among some lines."""
    return lines is None or getattr(node, "lineno", 0) in lines


def list_targets(node: ast.AST) -> list[ast.expr]:
    """Return the targets that a statement assigns to, or deletes."""
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Delete) else []


def collect_parameters(scope: ast.AST) -> set[str]:
    """Return the parameters of a function without `self` and `cls`; none for a module."""
    if not isinstance(scope, Scope):
        return set()
    every = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)
    return {each.arg for each in every} - {"self", "cls"}


def collect_names(node: ast.AST) -> set[str]:
    """Return the plain names in a node, without attributes."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def render_snippet(node: ast.AST) -> str:
    """Return a node's text on one line of at most 80 characters."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _resolve_imports(tree: ast.Module) -> dict[str, str]:
    """Return the full name of each imported name, wherever in the file it is imported."""
    names: dict[str, str] = {"__builtins__": "builtins"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    aliases = [
        (node.targets[0].id, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
    ]
    for name, value in aliases:
        if isinstance(value, ast.Attribute | ast.Name) and name not in names:
            owner = ast.unparse(value).split(".")
            if owner[0] in names:
                names[name] = ".".join([names[owner[0]], *owner[1:]])
    return names


def _collect_constants(tree: ast.Module) -> dict[str, str]:
    """Return the names that are assigned exactly one string, made of literals."""
    found: dict[str, str] = {}
    reader = Syntax.__new__(Syntax)
    reader.names, reader.strings = {}, found
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = Syntax.fold_string(reader, node.value)
            if text and found.get(node.targets[0].id, text) == text:
                found[node.targets[0].id] = text
    return found


def _unwrap_value(node: ast.AST) -> ast.AST:
    return node.value if isinstance(node, ast.FormattedValue) else node


def _join_strings(left: str, right: str) -> str:
    return left + right if left and right else ""

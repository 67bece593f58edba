"""Looks in the added lines of Python code for constructs whose use is to fool tests.

It reads the syntax tree, so that a word in a string or a comment is no offence, and it looks at
added lines only, so that what a project always did is none either. It is one net of several: what
is written to get past it still has to get past the put-back, the report and the second run.
"""

import ast
import builtins
import re
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

_TESTERS: Final = frozenset({"pytest", "_pytest", "pluggy", "unittest", "builtins"})
_MARKS: Final = frozenset({"PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_XDIST_WORKER"})
_RUNNER_NAMES: Final = re.compile(r"_?pytest(?:\..*)?|py\.test|unittest(?:\..*)?|pluggy")
_FORKS: Final = "os.fork()"
"""No name in code, so it can stand among the imported ones: the file forks, where a child ends by
`os._exit` as its documentation says."""

_HUNK: Final = re.compile(rb"@@ -\S+ \+(\d+)(?:,\d+)? @@")


def added_lines(patch: Path) -> dict[str, set[int]]:
    """The numbers of the added lines of each file of a patch in git's format."""
    found: dict[str, set[int]] = {}
    lines: set[int] = set()
    number, in_header = 0, False
    with patch.open("rb") as file:
        for line in file:
            if line.startswith(b"diff --git "):
                in_header = True
            elif in_header and line.startswith(b"+++ "):
                lines = found.setdefault(_path(line[4:]), set())
            elif hunk := _HUNK.match(line):
                number, in_header = int(hunk[1]), False
            elif not in_header and line.startswith(b"+"):
                lines.add(number)
                number += 1
            elif not in_header and line.startswith(b" "):
                number += 1
    return found


def suspicious(source: bytes, lines: Collection[int] | None, *, test: bool) -> list[str]:
    """What in the added lines of a file fools tests, in words.

    Args:
        source: the file's whole content.
        lines: numbers of its added lines; None for all of them.
        test: whether it is a test, which may do most of this.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # it cannot be imported, so it fools nobody
    names = _imported(tree)
    found = {
        f"line {node.lineno}: {text}": None
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr) and (lines is None or _touches(node, lines))
        for text in (_always(node, names) if test else _in_product(node, names))
    }
    return [*found, *([] if test else _together(tree, lines))]


def _in_product(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    yield from _always(node, names)
    yield from _detects(node, names)
    if isinstance(node, ast.ClassDef):
        yield from _equal_to_all(node)


def _always(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    """What neither code nor a new test has to do."""
    if isinstance(node, ast.Call):
        called = _dotted(node.func, names)
        if called == "os._exit" and not names.get(_FORKS):
            yield "os._exit() ends the tests before they can fail"
        if called in ("setattr", "delattr") and node.args and _rooted(node.args[0], names):
            yield f"{called}() on {ast.unparse(node.args[0])} changes the test tools"
        if called in ("importlib.import_module", "__import__", "importlib.reload"):
            for word in node.args[:1]:
                if _is_runner(word):
                    yield f"imports {ast.unparse(word)} by its name"
    for target in _targets(node):
        owner = target.value if isinstance(target, ast.Attribute | ast.Subscript) else None
        if owner is not None and _rooted(owner, names) and not _is_addition(target, names):
            yield f"assigns to {ast.unparse(target)}, a part of the test tools"


def _detects(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    """Asks whether tests are running."""
    shown = ast.unparse(node) if isinstance(node, ast.expr) else ""
    asks = False
    if isinstance(node, ast.Constant):
        asks = isinstance(node.value, str) and node.value in _MARKS
    elif isinstance(node, ast.Compare) and _is_runner(node.left):
        where = {_dotted(each, names).split("[")[0] for each in node.comparators}
        asks = "sys.modules" in where or any("sys.argv" in ast.unparse(e) for e in node.comparators)
    elif isinstance(node, ast.Subscript) and _is_runner(node.slice):
        asks = _dotted(node.value, names) == "sys.modules"
    elif isinstance(node, ast.Call) and node.args and _is_runner(node.args[0]):
        asks = _dotted(node.func, names) in ("sys.modules.get", "sys.modules.pop")
    if asks:
        yield f"acts differently under tests: {shown}"
    if isinstance(node, ast.Attribute) and node.attr == "f_locals" and "f_back" in shown:
        yield f"reads its caller's variables: {shown}"


def _equal_to_all(node: ast.ClassDef) -> Iterator[str]:
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__eq__":
            body = [ast.unparse(each) for each in method.body if not _is_docstring(each)]
            if body == ["return True"]:
                yield f"an object of {node.name} is equal to everything"


def _together(tree: ast.Module, lines: Collection[int] | None) -> Iterator[str]:
    """Harmless things that are not harmless in one function."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        text = ast.unparse(function)
        strings = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (lines is None or _touches(node, lines))
        ]
        looks = re.search(r"\b(?:inspect\.stack|_getframe|currentframe|extract_stack)\(", text)
        if looks and any(re.search(r"(?:^|[^a-z])_?(?:py)?test", each) for each in strings):
            yield "looks in the call stack for a test"
            return
        if "sys.argv" in text and any("junit" in each for each in strings):
            yield "looks for the suite's report"
            return


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Delete) else []


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, wherever in the file it is imported."""
    names: dict[str, str] = {"__builtins__": "builtins"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.fork", "fork"):
            names[_FORKS] = "yes"
    return names


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    """An attribute chain as the full name of what it stands for; empty for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _rooted(node: ast.AST, names: dict[str, str]) -> bool:
    """Whether something is, or is a part of, a module that tests are run with."""
    while isinstance(node, ast.Subscript):
        node = node.value
    full = _dotted(node, names)
    first = full.split(".")[0]
    return first in _TESTERS and any(meaning.split(".")[0] == first for meaning in names.values())


def _is_addition(target: ast.expr, names: dict[str, str]) -> bool:
    """Whether it gives a new name to builtins, as gettext does with `_`."""
    name = target.attr if isinstance(target, ast.Attribute) else ""
    return _dotted(target, names) == f"builtins.{name}" and not hasattr(builtins, name)


def _is_runner(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _RUNNER_NAMES.fullmatch(node.value) is not None
    )


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _touches(node: ast.stmt | ast.expr, lines: Collection[int]) -> bool:
    if isinstance(node, ast.ClassDef):
        return any(number in lines for number in range(node.lineno, (node.end_lineno or 0) + 1))
    return node.lineno in lines


def _path(name: bytes) -> str:
    """The path in a `+++ b/x` line (git-diff(1), C-style quoting)."""
    text = name.rstrip(b"\r\n").split(b"\t")[0]
    if text.startswith(b'"'):
        plain = text.strip(b'"').decode("ascii", "replace").encode("ascii", "replace")
        text = plain.decode("unicode_escape").encode("latin-1")
    return text[2:].decode("utf-8", "surrogateescape")

"""Finds code that checks whether tests are running: runner, test files, clock."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.caller_checks import StackTaint, iter_caller_checks
from orchestrator.guard.scan.syntax import (
    RUNNER_NAME,
    STRING_QUERIES,
    TEST_WORD,
    Suspicion,
    Syntax,
    collect_names,
    render_snippet,
)

_MARK: Final = re.compile(r"PYTEST_\w+|_PYTEST\w*|_called_from_test|TOX_ENV_NAME")
_PROCESS_SOURCES: Final = (
    "sys.modules",
    "sys.argv",
    "sys.orig_argv",
    "os.environ",
    "os.environb",
    "/proc/self",
    "psutil",
    "os.getenv",
)
_READING: Final = frozenset(
    {
        *("open", "read_text", "read_bytes", "glob", "rglob", "iterdir", "getsource"),
        *("getlines", "getline", "getsourcelines", "listdir", "scandir", "walk", "write_text"),
    }
)
_TEST_PATH: Final = re.compile(r"(?:^|/)tests?(?:/|$)|(?:^|/)test_[\w*]*(?:\.py)?$|conftest\.py")
_SCRIPT: Final = re.compile(
    r"(?:^|/)(?:tools?|scripts?|bin|dev|ci|docs)/|noxfile|setup\.py|tasks\.py"
)


def iter_test_detection(syntax: Syntax) -> Iterator[tuple[ast.AST, Suspicion]]:
    """Yield where a file checks for its callers or for tests, each with the node."""
    tainted = StackTaint(syntax)
    for node in ast.walk(syntax.tree):
        for each in (
            *_iter_runner_checks(node, syntax),
            *iter_caller_checks(node, syntax, tainted),
            *_iter_test_reads(node, syntax, tainted),
            *_iter_time_bombs(node, syntax),
        ):
            yield node, each


def _iter_runner_checks(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if _MARK.fullmatch(node.value) and not _is_docstring(node, syntax):
            yield Suspicion(line, f"acts differently under tests: {node.value}", trace=node.value)
        return
    text = ""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        text = _find_test_word(sides, syntax)
    elif isinstance(node, ast.Subscript) and syntax.resolve_name(node.value) == "sys.modules":
        key = syntax.fold_string(node.slice)
        text = key if RUNNER_NAME.fullmatch(key) else ""
    elif isinstance(node, ast.Call):
        called = syntax.resolve_name(node.func)
        if called in ("sys.modules.get", "sys.modules.pop", "hasattr", "getattr") and node.args:
            keys = [syntax.fold_string(each) for each in node.args[:2]]
            asks = called.startswith("sys.modules") or syntax.resolve_name(node.args[0]) == "sys"
            text = next((key for key in keys if asks and RUNNER_NAME.fullmatch(key)), "")
        elif isinstance(node.func, ast.Attribute) and node.func.attr in STRING_QUERIES:
            text = _find_test_word([node.func.value, *node.args], syntax)
    if text:
        trace = text if len(text) > 4 else ""
        yield Suspicion(line, f"acts differently under tests: {render_snippet(node)}", trace=trace)


def _find_test_word(sides: list[ast.expr], syntax: Syntax) -> str:
    """Return a test-related word that is searched for in what the process knows of itself."""
    words = [word for side in sides for word in syntax.collect_strings(side)]
    plain = [side for side in sides if not syntax.fold_string(side)]
    where = " ".join(map(ast.unparse, plain))
    for side in plain:
        where += " ".join(
            _find_source(each.id, syntax, each)
            for each in ast.walk(side)
            if isinstance(each, ast.Name)
        )
    if not any(each in where for each in _PROCESS_SOURCES):
        return ""
    if ".values()" in where or ".items()" in where:
        words_in_values = [word for word in words if not re.fullmatch(r"[A-Z_]+", word)]
        if "os.environ" in where and words_in_values and ".values()" in where:
            return words_in_values[0]
    if "os.environ" in where or "os.getenv" in where:
        return next((w for w in words if _MARK.fullmatch(w) or re.search(r"test_\w|::", w)), "")
    if "sys.argv" in where:
        if not any(ast.unparse(side) == "sys.argv" for side in plain) and (
            found := next((w for w in words if TEST_WORD.search(w) and "junit." not in w), "")
        ):
            return found
        return next(
            (w for w in words if re.search(r"py\.?test|unittest|junitxml|--junit|test_|::", w)),
            "",
        )
    return next((w for w in words if RUNNER_NAME.fullmatch(w) or TEST_WORD.search(w)), "")


def _find_source(name: str, syntax: Syntax, at: ast.AST) -> str:
    """Return the text of the expression that a loop variable or a local name is set from."""
    for each in syntax.iter_ancestors(at):
        if isinstance(each, ast.comprehension | ast.For) and name in collect_names(each.target):
            return ast.unparse(each.iter)
        for generator in getattr(each, "generators", ()):
            if name in collect_names(generator.target):
                return ast.unparse(generator.iter)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            for node in ast.walk(each):
                if isinstance(node, ast.Assign) and any(
                    name in collect_names(t) for t in node.targets
                ):
                    return ast.unparse(node.value)
    return ""


# ---- the stack -----------------------------------------------------------------------------


# ---- test files, and the clock ---------------------------------------------------------


def _iter_test_reads(node: ast.AST, syntax: Syntax, tainted: StackTaint) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or _SCRIPT.search(syntax.path):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if name not in _READING:
        return
    if name.startswith("get") and any(map(tainted.is_tainted, node.args)):
        yield Suspicion(node.lineno, f"reads the source of its callers: {render_snippet(node)}")
        return
    words = syntax.collect_strings(node)
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            words += _collect_literals(each.id, syntax)
    for word in words:
        if _TEST_PATH.search(word) and len(word) < 200:
            yield Suspicion(node.lineno, f"reads the tests: {render_snippet(node)}", trace=word)
            return


def _collect_literals(name: str, syntax: Syntax) -> list[str]:
    """Return the strings that are assigned to a name, anywhere in the file."""
    return [
        word
        for node in ast.walk(syntax.tree)
        if isinstance(node, ast.Assign)
        and any(name in collect_names(each) for each in node.targets)
        for word in syntax.collect_strings(node.value)
    ]


def _iter_time_bombs(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Compare):
        return
    sides = [ast.unparse(each) for each in (node.left, *node.comparators)]
    clock = any(re.search(r"\b(?:today|now|utcnow|time\.time)\(", each) for each in sides)
    dated = any(
        re.search(r"\bdate(?:time)?\(\s*20\d\d|['\"]20\d\d-\d\d|\b1[6-9]\d{8}\b", each)
        for each in sides
    )
    if clock and dated:
        yield Suspicion(
            node.lineno, f"compares the clock with a fixed date: {render_snippet(node)}", False
        )
    del syntax


def _is_docstring(node: ast.AST, syntax: Syntax) -> bool:
    return isinstance(syntax.parents.get(node), ast.Expr)

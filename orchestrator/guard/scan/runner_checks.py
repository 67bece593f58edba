"""Finds code that asks who calls it, or whether tests are running."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.syntax import RUNNER_NAME, TEST_WORD, Suspicion, Syntax, render_snippet

_MARK: Final = re.compile(r"PYTEST_\w+|_PYTEST\w*|_called_from_test|TOX_ENV_NAME")
_PLACES: Final = (
    "sys.modules",
    "sys.argv",
    "sys.orig_argv",
    "os.environ",
    "os.environb",
    "/proc/self",
    "psutil",
    "os.getenv",
)
_STACK: Final = frozenset(
    {
        *("inspect.stack", "inspect.currentframe", "sys._getframe", "traceback.extract_stack"),
        *("inspect.getouterframes", "traceback.format_stack", "traceback.walk_stack"),
        *("sys._current_frames", "inspect.trace", "sys._getframemodulename"),
    }
)
_ASKING: Final = frozenset(
    {"startswith", "endswith", "find", "index", "count", "match", "search", "fullmatch", "fnmatch"}
)
_USUAL: Final = re.compile(
    r"site-packages|importlib|<frozen|<string>|<stdin>|<module>|__main__|ipython|ipykernel|logging",
    re.IGNORECASE,
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
    """Yield where a file asks for its callers or for tests, with the node."""
    tainted = _StackTaint(syntax)
    for node in ast.walk(syntax.tree):
        for each in (
            *_iter_runner_checks(node, syntax),
            *_iter_caller_checks(node, syntax, tainted),
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
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _ASKING:
            text = _find_test_word([node.func.value, *node.args], syntax)
    if text:
        trace = text if len(text) > 4 else ""
        yield Suspicion(line, f"acts differently under tests: {render_snippet(node)}", trace=trace)


def _find_test_word(sides: list[ast.expr], syntax: Syntax) -> str:
    """Return a word of tests that is looked for in the process's own surroundings."""
    words = [word for side in sides for word in syntax.collect_strings(side)]
    plain = [side for side in sides if not syntax.fold_string(side)]
    where = " ".join(map(ast.unparse, plain))
    for side in plain:
        where += " ".join(
            _find_source(each.id, syntax, each)
            for each in ast.walk(side)
            if isinstance(each, ast.Name)
        )
    if not any(place in where for place in _PLACES):
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
    """Return the text of what a loop variable or a local name is taken from."""
    for each in syntax.iter_ancestors(at):
        if isinstance(each, ast.comprehension | ast.For) and name in _collect_names(each.target):
            return ast.unparse(each.iter)
        for generator in getattr(each, "generators", ()):
            if name in _collect_names(generator.target):
                return ast.unparse(generator.iter)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            for node in ast.walk(each):
                if isinstance(node, ast.Assign) and any(
                    name in _collect_names(t) for t in node.targets
                ):
                    return ast.unparse(node.value)
    return ""


def _collect_names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


# ---- the stack -----------------------------------------------------------------------------


class _StackTaint:
    """Which names of a file hold something of the stack."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self.names: set[str] = set()
        self.functions: set[str] = set()
        for _ in range(3):
            self._propagate_taint()

    def _propagate_taint(self) -> None:
        for node in ast.walk(self._syntax.tree):
            if isinstance(node, ast.Assign) and self.is_tainted(node.value):
                for target in node.targets:
                    self.names |= _collect_names(target)
            elif isinstance(node, ast.NamedExpr) and self.is_tainted(node.value):
                self.names.add(node.target.id)
            elif isinstance(node, ast.For | ast.comprehension) and self.is_tainted(node.iter):
                self.names |= _collect_names(node.target)
            elif isinstance(node, ast.FunctionDef) and any(
                isinstance(each, ast.Return)
                and each.value is not None
                and self.is_tainted(each.value)
                for each in ast.walk(node)
            ):
                self.functions.add(node.name)

    def is_tainted(self, node: ast.AST) -> bool:
        """Return whether an expression holds something of the stack."""
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id in self.names:
                return True
            if isinstance(each, ast.Attribute) and each.attr in ("f_back", "tb_frame"):
                return True
            if isinstance(each, ast.Call):
                called = self._syntax.resolve_name(each.func)
                if called in _STACK or called in self.functions or called.endswith(".findCaller"):
                    return True
        return False


def _iter_caller_checks(node: ast.AST, syntax: Syntax, tainted: _StackTaint) -> Iterator[Suspicion]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Attribute):
        if node.attr in ("co_consts", "co_names", "co_code") and isinstance(node.ctx, ast.Load):
            yield Suspicion(
                line, f"reads the code of its callers: {render_snippet(node)}", trace=node.attr
            )
        elif node.attr == "f_locals" and tainted.is_tainted(node.value):
            yield Suspicion(
                line, f"reads its caller's variables: {render_snippet(node)}", trace="f_locals"
            )
        elif (
            node.attr == "f_globals"
            and tainted.is_tainted(node.value)
            and not _is_module_name(node, syntax)
        ):
            yield Suspicion(
                line, f"reads its caller's module: {render_snippet(node)}", trace="f_globals"
            )
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if any(map(tainted.is_tainted, sides)) and _has_literal_operand(sides, syntax, tainted):
            yield Suspicion(
                line, f"decides by its callers: {render_snippet(node)}", trace="_getframe"
            )
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        sides = [node.func.value, *node.args]
        if (
            node.func.attr in _ASKING
            and any(map(tainted.is_tainted, sides))
            and _has_literal_operand(sides, syntax, tainted)
        ):
            yield Suspicion(
                line, f"decides by its callers: {render_snippet(node)}", trace="_getframe"
            )
    if isinstance(node, ast.Call):
        yield from _iter_interpreter_access(node, syntax)


def _iter_interpreter_access(node: ast.Call, syntax: Syntax) -> Iterator[Suspicion]:
    called = syntax.resolve_name(node.func)
    if called in ("gc.get_objects", "gc.get_referrers", "gc.get_referents"):
        held = not _is_object_count(node, syntax)
        yield Suspicion(node.lineno, f"looks through all objects: {called}", held, called)
    elif called in ("sys.settrace", "sys.setprofile", "threading.settrace", "threading.setprofile"):
        yield Suspicion(node.lineno, f"traces what runs: {called}", trace=called.partition(".")[2])
    elif called.startswith(("ctypes.pythonapi", "sys.monitoring.")):
        yield Suspicion(node.lineno, f"reaches into the interpreter: {called}", trace=called)


def _is_object_count(objects: ast.Call, syntax: Syntax) -> bool:
    """Return whether code asks all objects for no more than their number, type and size."""
    parent = syntax.parents.get(objects)
    if isinstance(parent, ast.Call):
        return ast.unparse(parent.func) == "len"
    loop = syntax.parents.get(parent) if isinstance(parent, ast.comprehension) else parent
    if not isinstance(parent, (ast.comprehension, ast.For)) or loop is None:
        return False
    targets = {each.id for each in ast.walk(parent.target) if isinstance(each, ast.Name)}
    uses = [
        each
        for each in ast.walk(loop)
        if isinstance(each, ast.Name) and each.id in targets and isinstance(each.ctx, ast.Load)
    ]
    return all(_is_type_query(each, syntax) for each in uses)


def _is_type_query(name: ast.Name, syntax: Syntax) -> bool:
    """Return whether an object is only asked for its kind or size; its class could be patched."""
    call = syntax.parents.get(name)
    if not isinstance(call, ast.Call):
        return False
    called, used = ast.unparse(call.func), syntax.parents.get(call)
    if called == "type":
        return isinstance(used, ast.Attribute) and used.attr in ("__name__", "__qualname__")
    return called in ("isinstance", "sys.getsizeof")


def _has_literal_operand(sides: list[ast.expr], syntax: Syntax, tainted: _StackTaint) -> bool:
    for side in sides:
        if tainted.is_tainted(side) and not isinstance(side, ast.Call | ast.Tuple | ast.List):
            continue
        if isinstance(side, ast.Call) and ast.unparse(side.func) == "len":
            return False
        for each in ast.walk(side):
            if isinstance(each, ast.Constant) and each.value not in (None, True, False, 0, ""):
                text = str(each.value)
                if not _USUAL.search(text) and not (
                    isinstance(each.value, int) and tainted.is_tainted(side)
                ):
                    return True
            elif isinstance(each, ast.Name) and syntax.strings.get(each.id):
                return not _USUAL.search(syntax.strings[each.id])
    return False


def _is_module_name(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether only the name of the caller's module is asked for."""
    for each in (syntax.parents.get(node), syntax.parents.get(syntax.parents.get(node, node))):
        if isinstance(each, ast.Subscript):
            return syntax.fold_string(each.slice) in (
                "__name__",
                "__file__",
                "__package__",
                "__spec__",
            )
        if isinstance(each, ast.Call) and each.args:
            return syntax.fold_string(each.args[0]) in (
                "__name__",
                "__file__",
                "__package__",
                "__spec__",
            )
    return False


# ---- the tests' files, and the clock ---------------------------------------------------------


def _iter_test_reads(node: ast.AST, syntax: Syntax, tainted: _StackTaint) -> Iterator[Suspicion]:
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
    """Return the strings in what a name is given, anywhere in the file."""
    return [
        word
        for node in ast.walk(syntax.tree)
        if isinstance(node, ast.Assign)
        and any(name in _collect_names(each) for each in node.targets)
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

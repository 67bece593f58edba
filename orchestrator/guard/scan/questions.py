"""Finds code that asks who calls it, or whether tests are running."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.syntax import RUNNER_NAME, TEST_WORD, Suspicion, Syntax, shown

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


def questions(syntax: Syntax) -> Iterator[tuple[ast.AST, Suspicion]]:
    """Yield where a file asks for its callers or for tests, with the node."""
    tainted = _Tainted(syntax)
    for node in ast.walk(syntax.tree):
        for each in (
            *_asks_for_tests(node, syntax),
            *_looks_at_callers(node, syntax, tainted),
            *_reads_tests(node, syntax, tainted),
            *_time_bomb(node, syntax),
        ):
            yield node, each


def _asks_for_tests(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if _MARK.fullmatch(node.value) and not _is_docstring(node, syntax):
            yield Suspicion(line, f"acts differently under tests: {node.value}", trace=node.value)
        return
    text = ""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        text = _asked(sides, syntax)
    elif isinstance(node, ast.Subscript) and syntax.dotted(node.value) == "sys.modules":
        key = syntax.text(node.slice)
        text = key if RUNNER_NAME.fullmatch(key) else ""
    elif isinstance(node, ast.Call):
        called = syntax.dotted(node.func)
        if called in ("sys.modules.get", "sys.modules.pop", "hasattr", "getattr") and node.args:
            keys = [syntax.text(each) for each in node.args[:2]]
            asks = called.startswith("sys.modules") or syntax.dotted(node.args[0]) == "sys"
            text = next((key for key in keys if asks and RUNNER_NAME.fullmatch(key)), "")
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _ASKING:
            text = _asked([node.func.value, *node.args], syntax)
    if text:
        trace = text if len(text) > 4 else ""
        yield Suspicion(line, f"acts differently under tests: {shown(node)}", trace=trace)


def _asked(sides: list[ast.expr], syntax: Syntax) -> str:
    """Return a word of tests that is looked for in the process's own surroundings."""
    words = [word for side in sides for word in syntax.literals(side)]
    plain = [side for side in sides if not syntax.text(side)]
    where = " ".join(map(ast.unparse, plain))
    for side in plain:
        where += " ".join(
            _source_of(each.id, syntax, each)
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


def _source_of(name: str, syntax: Syntax, at: ast.AST) -> str:
    """Return the text of what a loop variable or a local name is taken from."""
    for each in syntax.above(at):
        if isinstance(each, ast.comprehension | ast.For) and name in _names(each.target):
            return ast.unparse(each.iter)
        for generator in getattr(each, "generators", ()):
            if name in _names(generator.target):
                return ast.unparse(generator.iter)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            for node in ast.walk(each):
                if isinstance(node, ast.Assign) and any(name in _names(t) for t in node.targets):
                    return ast.unparse(node.value)
    return ""


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


# ---- the stack -----------------------------------------------------------------------------


class _Tainted:
    """Which names of a file hold something of the stack."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self.names: set[str] = set()
        self.functions: set[str] = set()
        for _ in range(3):
            self._spread()

    def _spread(self) -> None:
        for node in ast.walk(self._syntax.tree):
            if isinstance(node, ast.Assign) and self.holds(node.value):
                for target in node.targets:
                    self.names |= _names(target)
            elif isinstance(node, ast.NamedExpr) and self.holds(node.value):
                self.names.add(node.target.id)
            elif isinstance(node, ast.For | ast.comprehension) and self.holds(node.iter):
                self.names |= _names(node.target)
            elif isinstance(node, ast.FunctionDef) and any(
                isinstance(each, ast.Return) and each.value is not None and self.holds(each.value)
                for each in ast.walk(node)
            ):
                self.functions.add(node.name)

    def holds(self, node: ast.AST) -> bool:
        """Return whether an expression holds something of the stack."""
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id in self.names:
                return True
            if isinstance(each, ast.Attribute) and each.attr in ("f_back", "tb_frame"):
                return True
            if isinstance(each, ast.Call):
                called = self._syntax.dotted(each.func)
                if called in _STACK or called in self.functions or called.endswith(".findCaller"):
                    return True
        return False


def _looks_at_callers(node: ast.AST, syntax: Syntax, tainted: _Tainted) -> Iterator[Suspicion]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Attribute):
        if node.attr in ("co_consts", "co_names", "co_code") and isinstance(node.ctx, ast.Load):
            yield Suspicion(line, f"reads the code of its callers: {shown(node)}", trace=node.attr)
        elif node.attr == "f_locals" and tainted.holds(node.value):
            yield Suspicion(line, f"reads its caller's variables: {shown(node)}", trace="f_locals")
        elif node.attr == "f_globals" and tainted.holds(node.value) and not _is_usual(node, syntax):
            yield Suspicion(line, f"reads its caller's module: {shown(node)}", trace="f_globals")
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if any(map(tainted.holds, sides)) and _against_literal(sides, syntax, tainted):
            yield Suspicion(line, f"decides by its callers: {shown(node)}", trace="_getframe")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        sides = [node.func.value, *node.args]
        if (
            node.func.attr in _ASKING
            and any(map(tainted.holds, sides))
            and _against_literal(sides, syntax, tainted)
        ):
            yield Suspicion(line, f"decides by its callers: {shown(node)}", trace="_getframe")
    if isinstance(node, ast.Call):
        yield from _collector(node, syntax)


def _collector(node: ast.Call, syntax: Syntax) -> Iterator[Suspicion]:
    called = syntax.dotted(node.func)
    if called in ("gc.get_objects", "gc.get_referrers", "gc.get_referents"):
        held = not _only_counts(node, syntax)
        yield Suspicion(node.lineno, f"looks through all objects: {called}", held, called)
    elif called in ("sys.settrace", "sys.setprofile", "threading.settrace", "threading.setprofile"):
        yield Suspicion(node.lineno, f"traces what runs: {called}", trace=called.partition(".")[2])
    elif called.startswith(("ctypes.pythonapi", "sys.monitoring.")):
        yield Suspicion(node.lineno, f"reaches into the interpreter: {called}", trace=called)


def _only_counts(objects: ast.Call, syntax: Syntax) -> bool:
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
    return all(_asks_kind(each, syntax) for each in uses)


def _asks_kind(name: ast.Name, syntax: Syntax) -> bool:
    """Return whether an object is only asked for its kind or size; its class could be patched."""
    call = syntax.parents.get(name)
    if not isinstance(call, ast.Call):
        return False
    called, used = ast.unparse(call.func), syntax.parents.get(call)
    if called == "type":
        return isinstance(used, ast.Attribute) and used.attr in ("__name__", "__qualname__")
    return called in ("isinstance", "sys.getsizeof")


def _against_literal(sides: list[ast.expr], syntax: Syntax, tainted: _Tainted) -> bool:
    for side in sides:
        if tainted.holds(side) and not isinstance(side, ast.Call | ast.Tuple | ast.List):
            continue
        if isinstance(side, ast.Call) and ast.unparse(side.func) == "len":
            return False
        for each in ast.walk(side):
            if isinstance(each, ast.Constant) and each.value not in (None, True, False, 0, ""):
                text = str(each.value)
                if not _USUAL.search(text) and not (
                    isinstance(each.value, int) and tainted.holds(side)
                ):
                    return True
            elif isinstance(each, ast.Name) and syntax.strings.get(each.id):
                return not _USUAL.search(syntax.strings[each.id])
    return False


def _is_usual(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether only the name of the caller's module is asked for."""
    for each in (syntax.parents.get(node), syntax.parents.get(syntax.parents.get(node, node))):
        if isinstance(each, ast.Subscript):
            return syntax.text(each.slice) in ("__name__", "__file__", "__package__", "__spec__")
        if isinstance(each, ast.Call) and each.args:
            return syntax.text(each.args[0]) in ("__name__", "__file__", "__package__", "__spec__")
    return False


# ---- the tests' files, and the clock ---------------------------------------------------------


def _reads_tests(node: ast.AST, syntax: Syntax, tainted: _Tainted) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or _SCRIPT.search(syntax.path):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if name not in _READING:
        return
    if name.startswith("get") and any(map(tainted.holds, node.args)):
        yield Suspicion(node.lineno, f"reads the source of its callers: {shown(node)}")
        return
    words = syntax.literals(node)
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            words += _literals_of(each.id, syntax)
    for word in words:
        if _TEST_PATH.search(word) and len(word) < 200:
            yield Suspicion(node.lineno, f"reads the tests: {shown(node)}", trace=word)
            return


def _literals_of(name: str, syntax: Syntax) -> list[str]:
    """Return the strings in what a name is given, anywhere in the file."""
    return [
        word
        for node in ast.walk(syntax.tree)
        if isinstance(node, ast.Assign) and any(name in _names(each) for each in node.targets)
        for word in syntax.literals(node.value)
    ]


def _time_bomb(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Compare):
        return
    sides = [ast.unparse(each) for each in (node.left, *node.comparators)]
    clock = any(re.search(r"\b(?:today|now|utcnow|time\.time)\(", each) for each in sides)
    dated = any(
        re.search(r"\bdate(?:time)?\(\s*20\d\d|['\"]20\d\d-\d\d|\b1[6-9]\d{8}\b", each)
        for each in sides
    )
    if clock and dated:
        yield Suspicion(node.lineno, f"compares the clock with a fixed date: {shown(node)}", False)
    del syntax


def _is_docstring(node: ast.AST, syntax: Syntax) -> bool:
    return isinstance(syntax.parents.get(node), ast.Expr)

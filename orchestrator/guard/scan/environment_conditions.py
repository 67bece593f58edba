"""Finds code whose result depends on where it runs: the process, its output, the tests' folder.

Such a question is no offence by itself: a program looks at its output to choose colours, and at its
memory to report it. What honest code does not do is to compute its result in another way by the
answer.
"""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from orchestrator.guard.scan.syntax import Scope, Suspicion, Syntax, list_targets, render_snippet

_PROCESS_FILE: Final = re.compile(
    r"/proc/(?:self|thread-self|curproc|\d+|\{\w*\}|%[ds])?/?(?:task/[^/]+/)?"
    r"(?:cmdline|environ|comm|exe|maps|fd(?:/\d*)?)"
)
_PROCESS_FOLDER: Final = re.compile(r"/proc/(?:self|thread-self)/?")
_PROCESS_PART: Final = re.compile(r"/?(?:cmdline|environ|comm|exe|maps)")
_LISTING: Final = re.compile(r"(?:/\S*/)?(?:ps|pgrep|pstree)(?:\s+-?\w.*)?")
_OF_PROCESS: Final = frozenset(
    {"cmdline", "environ", "exe", "name", "parent", "parents", "open_files", "memory_maps"}
)
_STREAMS: Final = frozenset({"sys.stdout", "sys.stderr", "sys.stdin"})
_STREAM_QUESTIONS: Final = frozenset({"type", "isinstance", "hasattr", "id", "vars", "dir", "repr"})
_HARNESS: Final = re.compile(
    r"faulthandler\.is_enabled|importlib\.util\.find_spec|importlib\.metadata\.(?:distribution|version)"
)
_HOOKS: Final = frozenset({"sys.unraisablehook", "sys.excepthook", "threading.excepthook"})
_EXISTS: Final = frozenset(
    {
        *("exists", "is_dir", "is_file", "isdir", "isfile", "lexists", "access", "stat", "lstat"),
        *("glob", "rglob", "iterdir", "listdir", "scandir", "walk", "resolve", "samefile"),
    }
)
_TEST_FILE: Final = re.compile(
    r"(?:^|/)tests?(?:/|$)|(?:^|/)test_[\w*]*(?:\.py)?$|(?:^|/)(?:conftest\.py|pytest\.ini)$"
)
_RUNNER: Final = re.compile(r"_?pytest(?:\..*)?|pluggy|nose2?|tests?|conftest")
_USUAL: Final = re.compile(
    r"ipy|jupyter|colab|OutStream|notebook|docker|systemd|gunicorn|uvicorn|celery|encod|buffer"
    r"|reconfigure|isatty",
    re.IGNORECASE,
)


def iter_environment_conditions(syntax: Syntax) -> Iterator[tuple[ast.AST, Suspicion]]:
    """Yield the conditions that choose a computation by where the code runs, with the node."""
    for what, asks in _QUESTIONS.items():
        answers = _AnswerTaint(syntax, asks)
        if not answers.asked:
            continue
        chosen = [
            condition
            for node, condition in _iter_conditions(syntax.tree)
            if answers.is_tainted(condition) and _affects_result(node, syntax)
        ]
        # Either the condition is new, or what it asks is.
        for node in [*chosen, *(answers.asked if chosen else ())]:
            text = f"computes in another way by {what}: {render_snippet(node)}"
            yield node, Suspicion(getattr(node, "lineno", 0), text, trace=answers.trace)


NodePredicate = Callable[[ast.AST, Syntax], bool]


class _AnswerTaint:
    """Which names and functions of a file hold the answer to a question."""

    def __init__(self, syntax: Syntax, asks: NodePredicate) -> None:
        self._syntax = syntax
        self.asked = {node for node in ast.walk(syntax.tree) if asks(node, syntax)}
        self._names: set[str] = set()
        for _ in range(3 if self.asked else 0):
            self._propagate_taint()

    @property
    def trace(self) -> str:
        """What a project that asked so before has in its text; empty where nobody can say."""
        texts = [ast.unparse(each) for each in self.asked]
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
        """Return whether an expression holds an answer."""
        return any(
            each in self.asked or (isinstance(each, ast.Name) and each.id in self._names)
            for each in ast.walk(node)
        )


# ---- what is asked -------------------------------------------------------------------------


def _is_process_query(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node reads what the system knows of the own process."""
    if isinstance(node, ast.Call):
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if method in _OF_PROCESS and owner is not None and _is_own_process(owner, syntax):
            return True
        called = syntax.resolve_name(node.func)
        if called.startswith(("subprocess.", "os.popen", "os.system")) and node.args:
            return _is_process_listing(node.args[0], syntax)
    text = _render_template(node, syntax)
    if _PROCESS_FILE.fullmatch(text):
        return True
    if isinstance(node, ast.BinOp | ast.Call):
        words = [
            _render_template(each, syntax) for each in ast.walk(node) if isinstance(each, ast.expr)
        ]
        return any(map(_PROCESS_FOLDER.fullmatch, words)) and any(
            map(_PROCESS_PART.fullmatch, words)
        )
    return False


def _is_own_process(node: ast.AST, syntax: Syntax) -> bool:
    found = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    names = [_find_value(each.id, syntax) for each in ast.walk(node) if isinstance(each, ast.Name)]
    found += [each for each in names if isinstance(each, ast.Call)]
    return any(
        syntax.resolve_name(each.func) == "psutil.Process"
        and (not each.args or re.search(r"os\.getp?pid", ast.unparse(each.args[0])))
        for each in found
    )


def _is_process_listing(node: ast.expr, syntax: Syntax) -> bool:
    first = node.elts[0] if isinstance(node, ast.List | ast.Tuple) and node.elts else node
    return _LISTING.fullmatch(_render_template(first, syntax)) is not None


def _is_output_query(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node asks what kind of object the output goes to."""
    if isinstance(node, ast.Call):
        called = syntax.resolve_name(node.func)
        first = syntax.resolve_name(node.args[0]) if node.args else ""
        if called in _STREAM_QUESTIONS and first in _STREAMS:
            return not _USUAL.search(ast.unparse(syntax.parents.get(node, node)))
        owner = called.rpartition(".")[0]
        if owner in _STREAMS:
            return called.endswith((".fileno", ".getvalue"))
        return called in ("os.fstat", "os.ttyname", "os.readlink") and bool(
            re.fullmatch(r"[012]|sys\.std\w+\.fileno\(\)", ast.unparse(node.args[0]))
            if node.args
            else False
        )
    if isinstance(node, ast.Attribute):
        named = node.attr in ("__class__", "__module__", "name", "mode")
        return named and syntax.resolve_name(node.value) in _STREAMS
    if isinstance(node, ast.Compare):
        sides = {syntax.resolve_name(each) for each in (node.left, *node.comparators)}
        return bool(sides & _STREAMS) and all(isinstance(o, ast.Is | ast.IsNot) for o in node.ops)
    return False


def _is_test_folder_query(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node looks for tests where the code itself lies, or is started."""
    if not isinstance(node, ast.Call):
        return False
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method not in _EXISTS:
        return False
    words = [word for each in _collect_parts(node, syntax) for word in syntax.collect_strings(each)]
    if not any(_TEST_FILE.search(word) for word in words):
        return False
    scope = syntax.find_scope(node)
    given = _collect_parameters(scope)
    names = {
        each.id
        for part in _collect_parts(node, syntax)
        for each in ast.walk(part)
        if isinstance(each, ast.Name)
    }
    # A folder that is given is what the program works on, and not where it runs.
    return not names & given


def _is_harness_query(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node asks for what a runner of tests sets up in its process."""
    if isinstance(node, ast.Call):
        called = syntax.resolve_name(node.func)
        if called == "faulthandler.is_enabled":
            return True
        first = syntax.fold_string(node.args[0]) if node.args else ""
        return _HARNESS.fullmatch(called) is not None and bool(_RUNNER.fullmatch(first))
    if isinstance(node, ast.Compare):
        sides = {syntax.resolve_name(each) for each in (node.left, *node.comparators)}
        return bool(sides & _HOOKS)
    if isinstance(node, ast.Attribute):
        if node.attr == "handlers":
            parents = [
                ast.unparse(each)
                for each in syntax.iter_ancestors(node)
                if isinstance(each, ast.expr)
            ]
            return any(re.search(r"\btype\(|__class__", each) for each in parents)
        return syntax.resolve_name(node) == "sys.meta_path"
    return False


_QUESTIONS: Final[dict[str, NodePredicate]] = {
    "what the system knows of its process": _is_process_query,
    "the kind of its output": _is_output_query,
    "whether tests lie beside it": _is_test_folder_query,
    "what a runner of tests sets up": _is_harness_query,
}


# ---- what depends on it --------------------------------------------------------------------


def _iter_conditions(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Yield all conditions, with the node that they decide about."""
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
    """Return whether a function's result is computed from what it is given, or not, by a node."""
    if isinstance(node, ast.IfExp | ast.BoolOp | ast.Subscript | ast.BinOp):
        given = _collect_parameters(syntax.find_scope(node))
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
    given = _collect_parameters(scope)
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
    """Return whether branches define functions that compute from what they are given."""
    for branch in branches:
        for each in ast.walk(branch):
            if isinstance(each, ast.FunctionDef | ast.Lambda):
                given = _collect_parameters(each)
                body = (
                    [each.body]
                    if isinstance(each, ast.Lambda)
                    else [e.value for e in ast.walk(each) if isinstance(e, ast.Return) and e.value]
                )
                if any(_is_computed_from(value, given) for value in body):
                    return True
    return False


def _is_computed_from(node: ast.AST, names: set[str]) -> bool:
    """Return whether an expression computes something of some names, and does not only pass."""
    return any(
        isinstance(each, ast.BinOp | ast.Call | ast.UnaryOp)
        and any(isinstance(name, ast.Name) and name.id in names for name in ast.walk(each))
        for each in ast.walk(node)
    )


def _collect_parameters(scope: ast.AST) -> set[str]:
    if not isinstance(scope, Scope):
        return set()
    every = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)
    return {each.arg for each in every} - {"self", "cls"}


def _collect_derived_names(scope: ast.AST, names: set[str]) -> set[str]:
    """Return names, and those that are given something of them."""
    found = set(names)
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id in found for each in ast.walk(node.value)
        ):
            found |= {e.id for t in node.targets for e in ast.walk(t) if isinstance(e, ast.Name)}
    return found


def _collect_parts(node: ast.Call, syntax: Syntax) -> list[ast.expr]:
    """Return the parts of a call, with what its names are given."""
    parts = [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
    for name in [
        each.id for part in parts for each in ast.walk(part) if isinstance(each, ast.Name)
    ]:
        value = _find_value(name, syntax)
        if value is not None:
            parts.append(value)
    return parts


def _find_value(name: str, syntax: Syntax) -> ast.expr | None:
    for node in ast.walk(syntax.tree):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return node.value
    return None


def _render_template(node: ast.AST, syntax: Syntax) -> str:
    """Return the text of a string, with `{}` for what is computed in it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values
        )
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
        return node.value.decode("ascii", "replace")
    return syntax.fold_string(node)

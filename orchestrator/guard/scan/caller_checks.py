"""Finds code that looks at its callers, through the stack or the interpreter."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.syntax import (
    STRING_QUERIES,
    Suspicion,
    Syntax,
    collect_names,
    render_snippet,
)

_STACK: Final = frozenset(
    {
        *("inspect.stack", "inspect.currentframe", "sys._getframe", "traceback.extract_stack"),
        *("inspect.getouterframes", "traceback.format_stack", "traceback.walk_stack"),
        *("sys._current_frames", "inspect.trace", "sys._getframemodulename"),
    }
)
_USUAL: Final = re.compile(
    r"site-packages|importlib|<frozen|<string>|<stdin>|<module>|__main__|ipython|ipykernel|logging",
    re.IGNORECASE,
)


_MODULE_NAMES: Final = frozenset({"__name__", "__file__", "__package__", "__spec__"})


class StackTaint:
    """Names of a file that hold something of the stack.

    Args:
        syntax: the file.
    """

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self.names: set[str] = set()
        self.functions: set[str] = set()
        # An assignment may precede the one that taints its value, so one pass is not enough.
        for _ in range(3):
            self._propagate_taint()

    def _propagate_taint(self) -> None:
        for node in ast.walk(self._syntax.tree):
            if isinstance(node, ast.Assign) and self.is_tainted(node.value):
                for target in node.targets:
                    self.names |= collect_names(target)
            elif isinstance(node, ast.NamedExpr) and self.is_tainted(node.value):
                self.names.add(node.target.id)
            elif isinstance(node, ast.For | ast.comprehension) and self.is_tainted(node.iter):
                self.names |= collect_names(node.target)
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


def iter_caller_checks(node: ast.AST, syntax: Syntax, tainted: StackTaint) -> Iterator[Suspicion]:
    """Yield where a node reads or compares the callers of its function.

    Args:
        node: any node of the file.
        syntax: the file.
        tainted: the names that hold something of the stack.
    """
    if isinstance(node, ast.Attribute):
        yield from _iter_frame_reads(node, syntax, tainted)
    elif isinstance(node, ast.Compare):
        if _compares_callers([node.left, *node.comparators], syntax, tainted):
            yield _build_caller_suspicion(node)
    elif isinstance(node, ast.Call):
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in STRING_QUERIES
            and _compares_callers([node.func.value, *node.args], syntax, tainted)
        ):
            yield _build_caller_suspicion(node)
        yield from _iter_interpreter_access(node, syntax)


def _iter_frame_reads(
    node: ast.Attribute, syntax: Syntax, tainted: StackTaint
) -> Iterator[Suspicion]:
    """Yield where the code, the variables or the module of a caller are read."""
    text = ""
    if node.attr in ("co_consts", "co_names", "co_code") and isinstance(node.ctx, ast.Load):
        text = "reads the code of its callers"
    elif node.attr == "f_locals" and tainted.is_tainted(node.value):
        text = "reads its caller's variables"
    elif node.attr == "f_globals" and tainted.is_tainted(node.value):
        # Loggers and deprecation helpers ask for their caller's `__name__`.
        text = "" if _is_module_name(node, syntax) else "reads its caller's module"
    if text:
        yield Suspicion(node.lineno, f"{text}: {render_snippet(node)}", trace=node.attr)


def _compares_callers(sides: list[ast.expr], syntax: Syntax, tainted: StackTaint) -> bool:
    return any(map(tainted.is_tainted, sides)) and _has_literal_operand(sides, syntax, tainted)


def _build_caller_suspicion(node: ast.Compare | ast.Call) -> Suspicion:
    text = f"decides by its callers: {render_snippet(node)}"
    return Suspicion(node.lineno, text, trace="_getframe")


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
    """Return whether code reads only number, type and size of all objects, as memory reports do."""
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
    """Return whether only the type's name or the size of an object is read.

    The type itself does not count: a class can be patched through it.
    """
    call = syntax.parents.get(name)
    if not isinstance(call, ast.Call):
        return False
    called, used = ast.unparse(call.func), syntax.parents.get(call)
    if called == "type":
        return isinstance(used, ast.Attribute) and used.attr in ("__name__", "__qualname__")
    return called in ("isinstance", "sys.getsizeof")


def _has_literal_operand(sides: list[ast.expr], syntax: Syntax, tainted: StackTaint) -> bool:
    """Return whether callers are compared with a literal that no honest code looks for there."""
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
    """Return whether only name, file, package or spec of the caller's module is read."""
    for each in (syntax.parents.get(node), syntax.parents.get(syntax.parents.get(node, node))):
        if isinstance(each, ast.Subscript):
            return syntax.fold_string(each.slice) in _MODULE_NAMES
        if isinstance(each, ast.Call) and each.args:
            return syntax.fold_string(each.args[0]) in _MODULE_NAMES
    return False

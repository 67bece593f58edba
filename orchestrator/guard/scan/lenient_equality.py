"""Finds objects that compare equal to other values than their own."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.syntax import Suspicion, Syntax, render_snippet

_ANY: Final = re.compile(
    r"(?:unittest\.)?mock(?:\.mock)?\.ANY|hamcrest\..*anything|dirty_equals\.(?:AnyThing|Is\w+)"
)
_COMPARING: Final = frozenset({"__eq__", "__ne__", "__instancecheck__", "__subclasscheck__"})
_VALUES: Final = frozenset({"int", "float", "str", "bytes", "complex", "tuple", "list", "dict"})
_NUMBERS: Final = frozenset({"int", "float", "complex", "Decimal", "Fraction"})
_TOLERANT: Final = re.compile(r"\babs\(|\bisclose\(|\bround\(|\bapprox\(")


def iter_odd_comparisons(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    """Yield comparison methods and objects that do not compare."""
    if isinstance(node, ast.ClassDef):
        yield from _iter_class_comparisons(node, syntax)
    elif isinstance(node, ast.Name | ast.Attribute | ast.ImportFrom):
        yield from _iter_any_objects(node, syntax)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            # Methods in a class body are found through the class.
            if isinstance(target, ast.Attribute) and target.attr in _COMPARING:
                yield from _iter_assigned_comparisons(
                    target.attr, node.value, render_snippet(target), syntax
                )
    elif isinstance(node, ast.Call):
        yield from _iter_call_comparisons(node, syntax)


def _iter_class_comparisons(node: ast.ClassDef, syntax: Syntax) -> Iterator[Suspicion]:
    bases = {syntax.resolve_name(base).rpartition(".")[2] for base in node.bases}
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name in _COMPARING:
            if text := _describe_comparison(each.name, each, syntax):
                yield Suspicion(each.lineno, f"an object of {node.name} {text}")
            elif bases & _VALUES and not _contains_name(
                each, {_find_first_argument(each)} - {""}, inside=True
            ):
                yield Suspicion(each.lineno, f"an object of {node.name} is equal to its kind")
            elif bases & _NUMBERS and _TOLERANT.search(ast.unparse(each)):
                yield Suspicion(each.lineno, f"an object of {node.name} is equal to others nearby")
        elif isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id in _COMPARING:
                    yield from _iter_assigned_comparisons(target.id, each.value, node.name, syntax)


def _iter_any_objects(
    node: ast.Name | ast.Attribute | ast.ImportFrom, syntax: Syntax
) -> Iterator[Suspicion]:
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        names = [syntax.resolve_name(node)]
    for name in names:
        if _ANY.fullmatch(name):
            yield Suspicion(node.lineno, f"{name} is equal to everything", trace="ANY")


def _iter_call_comparisons(node: ast.Call, syntax: Syntax) -> Iterator[Suspicion]:
    called = syntax.resolve_name(node.func)
    if called == "setattr" and len(node.args) > 2:
        name = syntax.fold_string(node.args[1])
        if name in _COMPARING:
            yield from _iter_assigned_comparisons(
                name, node.args[2], render_snippet(node.args[0]), syntax
            )
    elif called in ("type", "types.new_class", "dict") or called.endswith("make_dataclass"):
        for each in ast.walk(node):
            if isinstance(each, ast.Dict):
                for key, value in zip(each.keys, each.values, strict=True):
                    name = syntax.fold_string(key) if key is not None else ""
                    if name in _COMPARING:
                        yield from _iter_assigned_comparisons(name, value, "a new class", syntax)
            elif isinstance(each, ast.keyword) and each.arg in _COMPARING:
                yield from _iter_assigned_comparisons(
                    each.arg or "", each.value, "a new class", syntax
                )


def _iter_assigned_comparisons(
    name: str, value: ast.expr, owner: str, syntax: Syntax
) -> Iterator[Suspicion]:
    """Yield a suspicion if the value assigned to `__eq__` or its like does not compare."""
    if isinstance(value, ast.Lambda):
        text = _describe_comparison(name, value, syntax)
    elif isinstance(value, ast.Name) and (function := _find_function(value.id, syntax)):
        text = _describe_comparison(name, function, syntax)
    else:
        full = ast.unparse(value)
        fine = full.endswith(f".{name}") or full in ("None", "NotImplemented")
        text = "" if fine else f"compares by {full[:60]}"
    if text:
        yield Suspicion(value.lineno, f"an object of {owner} {text}")


def _find_function(name: str, syntax: Syntax) -> ast.FunctionDef | None:
    for node in ast.walk(syntax.tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    return None


def _describe_comparison(name: str, function: ast.FunctionDef | ast.Lambda, syntax: Syntax) -> str:
    """Return why a comparison method does not compare; empty for one that may."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    other = arguments[1].arg if len(arguments) > 1 else ""
    if isinstance(function, ast.Lambda):
        returns, tests = [function.body], list[ast.expr]()
    else:
        returns = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Return) and node.value is not None
        ]
        tests = [node.test for node in ast.walk(function) if isinstance(node, ast.If | ast.While)]
    if not returns:
        return ""
    constant = "False" if name == "__ne__" else "True"
    if all(_is_constant(each) and _evaluate_truth(each) == constant for each in returns):
        return "is equal to everything"
    reading = {other, *_collect_derived_names(function, other)}
    reads = any(_contains_name(each, reading) for each in (*returns, *tests))
    refuses = all(_is_constant(each) and _evaluate_truth(each) != constant for each in returns)
    if other and not reads and not refuses and not _is_not_implemented(returns):
        return "is equal without looking at the other one"
    decided = [each for each in returns if _is_constant(each) and _evaluate_truth(each) == constant]
    others = [each for each in returns if each not in decided]
    if decided and not others:
        return "is equal to everything"
    del syntax
    return ""


def _collect_derived_names(function: ast.AST, other: str) -> set[str]:
    """Return the names that are assigned something of the other object."""
    found = {other}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _contains_name(node.value, found):
            found |= {
                each.id for t in node.targets for each in ast.walk(t) if isinstance(each, ast.Name)
            }
        elif isinstance(node, ast.NamedExpr) and _contains_name(node.value, found):
            found.add(node.target.id)
    return found


def _find_first_argument(function: ast.FunctionDef) -> str:
    arguments = [*function.args.posonlyargs, *function.args.args]
    return arguments[0].arg if arguments else ""


def _contains_name(node: ast.AST, names: set[str], *, inside: bool = False) -> bool:
    if inside and _is_delegation(node):
        return True
    return any(isinstance(each, ast.Name) and each.id in names for each in ast.walk(node))


def _is_delegation(node: ast.AST) -> bool:
    """Return whether a method refuses, or leaves the work to `super()`."""
    returns = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
    texts = [ast.unparse(each) for each in returns]
    return all("super()" in text or text in ("NotImplemented", "False") for text in texts)


def _is_not_implemented(returns: list[ast.expr]) -> bool:
    return all(ast.unparse(each) == "NotImplemented" for each in returns)


def _is_constant(node: ast.expr) -> bool:
    """Return whether an expression says the same whatever the objects are."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return any(_is_constant(each) and _evaluate_truth(each) == "True" for each in node.values)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        same = ast.dump(node.left) == ast.dump(node.comparators[0])
        if same:
            return True
    names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
    return all(
        name in ("bool", "int", "len", "any", "all", "isinstance", "object") for name in names
    )


def _evaluate_truth(node: ast.expr) -> str:
    """Return `True` or `False` for an expression of constants; empty where nobody can say."""
    if isinstance(node, ast.Constant):
        return str(bool(node.value))
    if isinstance(node, ast.BoolOp):
        return "True"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return {"True": "False", "False": "True"}.get(_evaluate_truth(node.operand), "")
    if isinstance(node, ast.Call) and node.args:
        return _evaluate_truth(node.args[0])
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        same = ast.dump(node.left) == ast.dump(node.comparators[0])
        return str(same == isinstance(node.ops[0], ast.Eq | ast.Is | ast.LtE | ast.GtE))
    return "True"

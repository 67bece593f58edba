"""Reads the inputs and the expected values from the source of tests."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

Value = int | float | str | bytes
Pair = tuple[Value, Value]
"""An input and what is expected of it."""
_EQUAL: Final = re.compile(
    r"assert(?:_?[Ee]quals?|_?[Aa]lmost_?[Ee]quals?|Is|List|Dict|Sequence|Tuple)\w*|check\w*|expect\w*"
)
_LONG_TEXT: Final = 6
CHECKSUM: Final = re.compile(r"[0-9a-fA-F]{8,128}")
"""A string that may be a checksum, or the beginning of one."""


@dataclass
class Answers:
    """Inputs and expected values in the tests of a project."""

    pairs: set[Pair] = field(default_factory=set)
    """In all tests."""
    failing: set[Pair] = field(default_factory=set)
    """In the tests that failed at the baseline."""
    known: frozenset[str] = frozenset()
    """Strings of the tests and the task that may be checksums, in lower case."""


def collect_answers(sources: Iterable[bytes], failing: Collection[str], task: str) -> Answers:
    """Return the inputs and expected values of tests.

    Args:
        sources: the test files.
        failing: names of the test functions that failed at the baseline.
        task: the task's text; values in it are known to the agent, and may be written into code.
    """
    found = Answers()
    texts = [task]
    for source in sources:
        texts.append(source.decode("utf-8", "replace"))
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                pairs = {
                    pair for pair in _iter_expected_pairs(node) if not _is_named_in_task(pair, task)
                }
                found.pairs |= pairs
                if node.name in failing:
                    found.failing |= {pair for pair in pairs if is_distinctive(pair[1])}
    found.known = frozenset(each.casefold() for text in texts for each in CHECKSUM.findall(text))
    return found


def iter_table_pairs(node: ast.AST) -> Iterator[Pair]:
    """Yield keys and values of a literal table; nothing, or only a part, if it is none."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            key_value = evaluate_literal(key) if key is not None else None
            result = evaluate_literal(value)
            if key_value is None or result is None:
                return
            yield key_value, result
    elif isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            if not isinstance(each, ast.Tuple | ast.List) or len(each.elts) != 2:
                return
            first, second = map(evaluate_literal, each.elts)
            if first is None or second is None:
                return
            yield first, second


def _iter_expected_pairs(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Pair]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare):
            yield from _iter_call_pairs([node.test.left, *node.test.comparators])
        elif isinstance(node, ast.Call):
            name = (
                node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            )
            if _EQUAL.match(name) and len(node.args) > 1:
                yield from _iter_call_pairs(node.args[:2])
    for decorator in function.decorator_list:
        if "parametrize" in ast.unparse(decorator):
            yield from _iter_parametrize_pairs(decorator)
    for node in ast.walk(function):
        if isinstance(node, ast.For):
            yield from _iter_row_pairs(node.iter)


def _iter_call_pairs(sides: list[ast.expr]) -> Iterator[Pair]:
    """Yield each literal argument of a call with the literal that the result is compared with."""
    expected = [value for side in sides if (value := evaluate_literal(side)) is not None]
    calls = [
        side for side in sides if isinstance(side, ast.Call) and evaluate_literal(side) is None
    ]
    for call in calls:
        given = [value for each in call.args if (value := evaluate_literal(each)) is not None]
        yield from ((each, value) for each in given for value in expected)


def _iter_parametrize_pairs(decorator: ast.AST) -> Iterator[Pair]:
    if isinstance(decorator, ast.Call) and len(decorator.args) > 1:
        yield from _iter_row_pairs(decorator.args[1])


def _iter_row_pairs(node: ast.AST) -> Iterator[Pair]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value  # {...}.items()
    if isinstance(node, ast.Dict):
        yield from iter_table_pairs(node)
    for each in node.elts if isinstance(node, ast.List | ast.Tuple) else ():
        if isinstance(each, ast.Call):
            values = [evaluate_literal(part) for part in each.args]  # pytest.param
        elif isinstance(each, ast.Tuple | ast.List):
            values = [evaluate_literal(part) for part in each.elts]
        else:
            continue
        known = [value for value in values if value is not None]
        yield from ((given, expected) for given in known for expected in known if given != expected)


def evaluate_literal(node: ast.AST) -> Value | None:
    """Return the value of an expression of literals; None for any other expression."""
    if isinstance(node, ast.Constant):
        value = node.value
        return value if isinstance(value, int | float | str | bytes) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = evaluate_literal(node.operand)
        return -value if isinstance(value, int | float) else None
    if isinstance(node, ast.BinOp):
        left, right = evaluate_literal(node.left), evaluate_literal(node.right)
        return _apply_operator(node.op, left, right)
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        return _convert_value(
            ast.unparse(node.func).rpartition(".")[2], evaluate_literal(node.args[0])
        )
    return None


def _convert_value(name: str, value: Value | None) -> Value | None:
    if value is None or name not in ("int", "float", "str", "Decimal", "approx"):
        return None
    try:
        if name == "int":
            return int(value)
        return float(value) if name == "float" else str(value) if name == "str" else value
    except (ValueError, OverflowError):
        return None


def _apply_operator(sign: ast.operator, left: Value | None, right: Value | None) -> Value | None:
    if isinstance(left, str) and isinstance(right, str):
        return left + right if isinstance(sign, ast.Add) else None
    if isinstance(left, int | float) and isinstance(right, int | float):
        if isinstance(sign, ast.Add):
            return left + right
        if isinstance(sign, ast.Sub):
            return left - right
        if isinstance(sign, ast.Mult) and max(abs(left), abs(right)) < 10**9:
            return left * right
    return None


def is_distinctive(value: Value) -> bool:
    """Return whether a value is unlikely to be in code by chance."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) >= 100
    if isinstance(value, float):
        return value != int(value) if abs(value) < 1e15 else False
    return len(value) >= _LONG_TEXT


def _is_named_in_task(pair: Pair, task: str) -> bool:
    """Return whether a task names an expected value, so that the agent may write it down."""
    return str(pair[1]) in task

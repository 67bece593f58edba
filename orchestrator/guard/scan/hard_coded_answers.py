"""Finds the tests' own inputs and answers in the code, in the place of a computation.

A table of names or factors may well hold what a test asks for. What no honest code looks like is a
branch or a table that holds the tests' pairs and nothing else, beside a general computation, where
one of them belongs to a test that failed before.
"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from orchestrator.guard.scan.syntax import Suspicion, Syntax, starts_on_lines

Value = int | float | str | bytes
Pair = tuple[Value, Value]
"""An input and what is expected of it."""

_EQUAL: Final = re.compile(
    r"assert(?:_?[Ee]quals?|_?[Aa]lmost_?[Ee]quals?|Is|List|Dict|Sequence|Tuple)\w*|check\w*|expect\w*"
)
_HASHES: Final = re.compile(r"hashlib|crc32|adler32|\bhash\(|\bord\b|md5|sha\d|hexdigest")
_LONG_TEXT: Final = 6
CHECKSUM: Final = re.compile(r"[0-9a-fA-F]{8,128}")
"""What may be a checksum, or the beginning of one."""


@dataclass
class Answers:
    """What the tests expect."""

    pairs: set[Pair] = field(default_factory=set)
    """Of all tests."""
    failing: set[Pair] = field(default_factory=set)
    """Of the tests that failed before."""
    known: frozenset[str] = frozenset()
    """What stands in the tests or in the task and may be a checksum."""


def collect_answers(sources: Iterable[bytes], failing: Collection[str], task: str) -> Answers:
    """Return the inputs and expected values of tests.

    Args:
        sources: the test files.
        failing: names of the test functions that failed before.
        task: what was asked for; what stands in it is no secret of the tests.
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
                    found.failing |= {pair for pair in pairs if _is_distinctive(pair[1])}
    found.known = frozenset(each.casefold() for text in texts for each in CHECKSUM.findall(text))
    return found


def iter_hard_coded_answers(
    syntax: Syntax, lines: Collection[int] | None, answers: Answers
) -> Iterator[Suspicion]:
    """Yield where the added lines of a file hold the tests' answers.

    Args:
        syntax: the file.
        lines: numbers of its added lines; None for all of them.
        answers: of the tests.
    """
    if not answers.failing:
        return
    for function in ast.walk(syntax.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _iter_branch_answers(function, lines, answers)
    for node in ast.walk(syntax.tree):
        if starts_on_lines(node, lines) or lines is None:
            yield from _iter_table_answers(node, syntax, answers)


def _iter_branch_answers(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    lines: Collection[int] | None,
    answers: Answers,
) -> Iterator[Suspicion]:
    """Yield branches of a function that answer for the tests' inputs alone."""
    found = list(_iter_branch_pairs(function))
    new = [(at, pair) for at, pair in found if starts_on_lines(at, lines)]
    if new and len(new) == len(found) and _has_computation(function):
        pairs = {pair for _, pair in new}
        told = [at for at, pair in new if pair in answers.failing]
        if told and pairs <= answers.pairs:
            text = "answers for the inputs of a test that failed, and computes for others"
            yield Suspicion(getattr(told[0], "lineno", 0), text)
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.IfExp) and starts_on_lines(node, lines):
            results = {value for value in _iter_results(node) if _is_distinctive(value)}
            expected = {pair[1] for pair in answers.failing}
            if results & expected and _HASHES.search(ast.unparse(node.test)):
                yield Suspicion(node.lineno, "answers a test that failed, behind a hash")


def _iter_table_answers(node: ast.AST, syntax: Syntax, answers: Answers) -> Iterator[Suspicion]:
    pairs = set(_iter_table_pairs(node))
    if not pairs or not pairs <= answers.pairs or not pairs & answers.failing:
        return
    text = "a table holds the inputs and answers of tests, and nothing else"
    yield Suspicion(getattr(node, "lineno", 0), text, _has_fallback(node, syntax))


def _has_fallback(table: ast.AST, syntax: Syntax) -> bool:
    """Return whether a computation stands beside a table, for what is not in it."""
    scope = syntax.find_scope(table)
    names = {
        each.id
        for parent in syntax.iter_ancestors(table)
        if isinstance(parent, ast.Assign)
        for target in parent.targets
        for each in ast.walk(target)
        if isinstance(each, ast.Name)
    }
    functions = [scope] if isinstance(scope, ast.FunctionDef) else []
    functions += [
        node
        for node in ast.walk(syntax.tree)
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(each, ast.Name) and each.id in names for each in ast.walk(node))
    ]
    return any(_has_computation(each, names) for each in functions)


def _has_computation(function: ast.AST, tables: Collection[str] = ()) -> bool:
    """Return whether a function computes a result from what it is given."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    given = {each.arg for each in function.args.args}
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Return | ast.Assign) else None
        for each in ast.walk(value) if value is not None else ():
            if not isinstance(each, ast.BinOp | ast.Call):
                continue
            names = {name.id for name in ast.walk(each) if isinstance(name, ast.Name)}
            looks_up = bool(names & set(tables)) and not any(
                isinstance(inner, ast.Call | ast.BinOp)
                for part in (each.args if isinstance(each, ast.Call) else [])
                for inner in ast.walk(part)
            )
            if names & given and not looks_up:
                return True
    return False


# ---- pairs in the code ---------------------------------------------------------------------


def _iter_branch_pairs(function: ast.AST) -> Iterator[tuple[ast.AST, Pair]]:
    returned = {
        node.value.id
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Name)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.IfExp):
            for given in _iter_compared_literals(node.test):
                for result in _iter_results(node, returned):
                    yield node, (given, result)
        elif isinstance(node, ast.match_case):
            for each in ast.walk(node.pattern):
                known = evaluate_literal(each.value) if isinstance(each, ast.MatchValue) else None
                if known is not None:
                    yield from (
                        (node.pattern, (known, r))
                        for r in _iter_returned_values(node.body, returned)
                    )


def _iter_compared_literals(test: ast.AST) -> Iterator[Value]:
    """Yield the literals that something is compared with for equality."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.In):
            for side in (node.left, *node.comparators):
                parts = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
                for part in parts:
                    if (value := evaluate_literal(part)) is not None:
                        yield value


def _iter_results(node: ast.If | ast.IfExp, returned: Collection[str] = ()) -> Iterator[Value]:
    if isinstance(node, ast.IfExp):
        if (value := evaluate_literal(node.body)) is not None:
            yield value
        return
    yield from _iter_returned_values(node.body, returned)


def _iter_returned_values(body: list[ast.stmt], returned: Collection[str]) -> Iterator[Value]:
    """Yield the literals that statements return, or give to a name that is returned."""
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) not in returned:
            continue
        if isinstance(node, ast.Return | ast.Assign) and node.value is not None:
            value = evaluate_literal(node.value)
            if value is not None:
                yield value


def _iter_table_pairs(node: ast.AST) -> Iterator[Pair]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            given = evaluate_literal(key) if key is not None else None
            result = evaluate_literal(value)
            if given is None or result is None:
                return
            yield given, result
    elif isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            if not isinstance(each, ast.Tuple | ast.List) or len(each.elts) != 2:
                return
            first, second = map(evaluate_literal, each.elts)
            if first is None or second is None:
                return
            yield first, second


# ---- pairs in the tests --------------------------------------------------------------------


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
    """Yield each literal argument of a call with the literal that its result is compared with."""
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
        yield from _iter_table_pairs(node)
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
    """Return the value that an expression of literals comes to; None for anything else."""
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


def _is_distinctive(value: Value) -> bool:
    """Return whether a value hardly stands in code by chance."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) >= 100
    if isinstance(value, float):
        return value != int(value) if abs(value) < 1e15 else False
    return len(value) >= _LONG_TEXT


def _is_named_in_task(pair: Pair, task: str) -> bool:
    """Return whether a task names an expected value, so that it is meant to be written."""
    return str(pair[1]) in task

"""Finds the tests' own inputs and expected values in the code, in the place of a computation.

A table of names or factors may well hold values that a test checks. Suspicious is a branch or a
table that holds the tests' pairs and nothing else, beside a general computation, if one of the
pairs belongs to a test that failed at the baseline.
"""

import ast
import re
from collections.abc import Collection, Iterator
from typing import Final

from orchestrator.guard.scan.expected_answers import (
    Answers,
    Pair,
    Value,
    evaluate_literal,
    is_distinctive,
    iter_table_pairs,
)
from orchestrator.guard.scan.syntax import Suspicion, Syntax, starts_on_lines

_HASHES: Final = re.compile(r"hashlib|crc32|adler32|\bhash\(|\bord\b|md5|sha\d|hexdigest")


def iter_hard_coded_answers(
    syntax: Syntax, lines: Collection[int] | None, answers: Answers
) -> Iterator[Suspicion]:
    """Yield where the added lines of a file hold the expected values of tests.

    Args:
        syntax: the file.
        lines: numbers of its added lines; None for all of them.
        answers: inputs and expected values of the tests.
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
    """Yield branches of a function that return constants for the tests' inputs alone."""
    found = list(_iter_branch_pairs(function))
    new = [(at, pair) for at, pair in found if starts_on_lines(at, lines)]
    if new and len(new) == len(found) and _has_computation(function):
        pairs = {pair for _, pair in new}
        known = [at for at, pair in new if pair in answers.failing]
        if known and pairs <= answers.pairs:
            text = "answers for the inputs of a test that failed, and computes for others"
            yield Suspicion(getattr(known[0], "lineno", 0), text)
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.IfExp) and starts_on_lines(node, lines):
            results = {value for value in _iter_results(node) if is_distinctive(value)}
            expected = {pair[1] for pair in answers.failing}
            if results & expected and _HASHES.search(ast.unparse(node.test)):
                yield Suspicion(node.lineno, "answers a test that failed, behind a hash")


def _iter_table_answers(node: ast.AST, syntax: Syntax, answers: Answers) -> Iterator[Suspicion]:
    pairs = set(iter_table_pairs(node))
    if not pairs or not pairs <= answers.pairs or not pairs & answers.failing:
        return
    text = "a table holds the inputs and answers of tests, and nothing else"
    yield Suspicion(getattr(node, "lineno", 0), text, _has_fallback(node, syntax))


def _has_fallback(table: ast.AST, syntax: Syntax) -> bool:
    """Return whether a computation beside a table handles what is not in the table."""
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
    """Return whether a function computes a result from its arguments."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    parameters = {each.arg for each in function.args.args}
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
            if names & parameters and not looks_up:
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
    """Yield the literals that statements return, or assign to a name that is returned."""
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) not in returned:
            continue
        if isinstance(node, ast.Return | ast.Assign) and node.value is not None:
            value = evaluate_literal(node.value)
            if value is not None:
                yield value


# ---- pairs in the tests --------------------------------------------------------------------

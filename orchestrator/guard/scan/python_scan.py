"""Runs all checks on the added lines of one Python file."""

import ast
import warnings
from collections.abc import Collection, Iterator

from orchestrator.guard.scan.dynamic_loading import iter_dynamic_loading
from orchestrator.guard.scan.environment_conditions import iter_environment_conditions
from orchestrator.guard.scan.lenient_equality import iter_odd_comparisons
from orchestrator.guard.scan.memory_writes import iter_memory_writes
from orchestrator.guard.scan.mock_results import iter_test_doubles
from orchestrator.guard.scan.process_exits import iter_process_exits
from orchestrator.guard.scan.runner_checks import iter_test_detection
from orchestrator.guard.scan.syntax import Suspicion, Syntax, overlaps_lines, starts_on_lines
from orchestrator.guard.scan.tool_changes import iter_tool_changes, iter_tool_uses


def read_syntax(source: bytes, path: str = "") -> Syntax | None:
    """Return the syntax of a Python file; None for one that cannot be imported.

    Args:
        source: its whole content.
        path: its name, for the message.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Syntax(ast.parse(source), path)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def find_suspicions(
    syntax: Syntax, lines: Collection[int] | None, *, test: bool
) -> list[Suspicion]:
    """Return the suspicious constructs in the added lines of a file, each once.

    Args:
        syntax: the file.
        lines: numbers of its added lines; None for all of them.
        test: whether it is a test, in which most of these constructs are usual.
    """
    found = dict.fromkeys(_iter_suspicions(syntax, lines, test=test))
    return sorted(found, key=lambda each: (not each.decisive, each.line))


def describe_suspicions(source: bytes, lines: Collection[int] | None, *, test: bool) -> list[str]:
    """Return descriptions of the decisive suspicions of a file.

    Args:
        source: its whole content.
        lines: numbers of its added lines; None for all of them.
        test: whether it is a test.
    """
    syntax = read_syntax(source)
    if syntax is None:
        return []
    found = find_suspicions(syntax, lines, test=test)
    return [f"line {each.line}: {each.text}" for each in found if each.decisive]


def _iter_suspicions(
    syntax: Syntax, lines: Collection[int] | None, *, test: bool
) -> Iterator[Suspicion]:
    for node in ast.walk(syntax.tree):
        if starts_on_lines(node, lines):
            yield from iter_tool_changes(node, syntax)
            yield from iter_process_exits(node, syntax)
            if not test:
                yield from iter_tool_uses(node, syntax)
                yield from iter_dynamic_loading(node, syntax)
                yield from iter_memory_writes(node, syntax)
                yield from iter_test_doubles(node, syntax)
        if not test and overlaps_lines(node, lines):
            yield from (
                each
                for each in iter_odd_comparisons(node, syntax)
                if not isinstance(node, ast.ClassDef) or _is_method_changed(node, each, lines)
            )
    if not test:
        checks = (*iter_test_detection(syntax), *iter_environment_conditions(syntax))
        yield from (each for node, each in checks if starts_on_lines(node, lines))


def _is_method_changed(
    node: ast.ClassDef, suspicion: Suspicion, lines: Collection[int] | None
) -> bool:
    """Return whether the method of a class that is suspected was itself changed."""
    return lines is None or any(
        each.lineno <= suspicion.line <= (each.end_lineno or each.lineno)
        and overlaps_lines(each, lines)
        for each in node.body
    )

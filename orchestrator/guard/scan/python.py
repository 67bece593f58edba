"""Looks at one Python file."""

import ast
import warnings
from collections.abc import Collection, Iterator

from orchestrator.guard.scan.endings import endings
from orchestrator.guard.scan.equality import odd_equality
from orchestrator.guard.scan.loading import loading
from orchestrator.guard.scan.memory import memory_writes
from orchestrator.guard.scan.questions import questions
from orchestrator.guard.scan.stand_ins import stand_ins
from orchestrator.guard.scan.surroundings import decided_by_surroundings
from orchestrator.guard.scan.syntax import Suspicion, Syntax, begins_in, touches
from orchestrator.guard.scan.tools import changed_tools, reached_tools


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


def suspicions(syntax: Syntax, lines: Collection[int] | None, *, test: bool) -> list[Suspicion]:
    """Return what in the added lines of a file fools tests, each once.

    Args:
        syntax: the file.
        lines: numbers of its added lines; None for all of them.
        test: whether it is a test, which may do most of this.
    """
    found = dict.fromkeys(_found(syntax, lines, test=test))
    return sorted(found, key=lambda each: (not each.decisive, each.line))


def suspicious(source: bytes, lines: Collection[int] | None, *, test: bool) -> list[str]:
    """Return the decisive suspicions of a file, in words.

    Args:
        source: its whole content.
        lines: numbers of its added lines; None for all of them.
        test: whether it is a test.
    """
    syntax = read_syntax(source)
    if syntax is None:
        return []
    found = suspicions(syntax, lines, test=test)
    return [f"line {each.line}: {each.text}" for each in found if each.decisive]


def _found(syntax: Syntax, lines: Collection[int] | None, *, test: bool) -> Iterator[Suspicion]:
    for node in ast.walk(syntax.tree):
        if begins_in(node, lines):
            yield from changed_tools(node, syntax)
            yield from endings(node, syntax)
            if not test:
                yield from reached_tools(node, syntax)
                yield from loading(node, syntax)
                yield from memory_writes(node, syntax)
                yield from stand_ins(node, syntax)
        if not test and touches(node, lines):
            yield from (
                each
                for each in odd_equality(node, syntax)
                if not isinstance(node, ast.ClassDef) or _method_touched(node, each, lines)
            )
    if not test:
        asked = (*questions(syntax), *decided_by_surroundings(syntax))
        yield from (each for node, each in asked if begins_in(node, lines))


def _method_touched(
    node: ast.ClassDef, suspicion: Suspicion, lines: Collection[int] | None
) -> bool:
    """Return whether the method of a class that is suspected was itself changed."""
    return lines is None or any(
        each.lineno <= suspicion.line <= (each.end_lineno or each.lineno) and touches(each, lines)
        for each in node.body
    )

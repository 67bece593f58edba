"""Compares the doctests in product files with those at the baseline.

An example in a docstring is a test inside the code under test, so the file as a whole cannot be
guarded. The examples are: one that was removed, expects something else or is skipped by a directive
counts as an edited test. New examples are allowed unless they change what old ones mean.
"""

import ast
import doctest
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from orchestrator.guard.findings import limit_findings
from orchestrator.guard.protection import Protection
from orchestrator.guard.report_comparison import list_case_files
from orchestrator.guard.scripts import parse_source
from orchestrator.guard.tree import Tree, walk_tree
from orchestrator.models import Finding, FindingKind, SuiteReport
from orchestrator.platform import files

Example = tuple[str, str, str]
"""Source, expected output, and directives."""
Doctests = Mapping[str, tuple[Example, ...]]
"""The examples of each file."""

_RUNS_DOCTESTS: Final = re.compile(r"doctest\.\w+\(|-m doctest|DocTestSuite|testmod")
"""Code that runs the doctests of modules without pytest."""
_PROGRAMS: Final = (".py", ".sh", ".mk", "")
_LARGEST: Final = 2_000_000


def find_doctest_files(
    protection: Protection, command: str, report: SuiteReport, tree: Tree | None = None
) -> set[str]:
    """Return the product files whose doctests run, as far as is known.

    Args:
        protection: what is guarded.
        command: the suite's command.
        report: its cases show which files pytest collected; other runners name no files.
        tree: the project's files, if the caller has just read them.
    """
    project = protection.project
    paths = [project / name for name in (*protection.tests, *protection.guarded)]
    programs = (path for path in paths if path.suffix in _PROGRAMS)
    if any(map(_RUNS_DOCTESTS.search, (command, *map(files.read_text, programs)))):
        names = set(tree or walk_tree(project, protection.environments))
    else:
        names = list_case_files(report)
    return {name for name in names if name.endswith(".py") and name not in protection.guarded}


def read_doctests(project: Path, names: Collection[str]) -> Doctests:
    """Return the examples in the docstrings of Python files.

    Args:
        project: the project's folder.
        names: the files' names; files without examples are left out.
    """
    found = {
        name: tuple(_iter_all_examples(_iter_docstrings(project / name))) for name in sorted(names)
    }
    return {name: examples for name, examples in found.items() if examples}


def find_edited_doctests(project: Path, before: Doctests, names: Collection[str]) -> list[Finding]:
    """Return a finding for each example that was edited, removed or redefined.

    Args:
        project: the project's folder.
        before: the examples at the baseline.
        names: the files whose examples run now.
    """
    if not before:
        return []
    known = Counter(each for examples in before.values() for each in examples)
    docstrings = {name: list(_iter_docstrings(project / name)) for name in sorted(names)}
    now = Counter(
        each for each in _iter_all_examples(each for held in docstrings.values() for each in held)
    )
    found = list(_iter_missing_examples(before, known - now))
    for name, held in docstrings.items():
        for docstring in held:
            for example, word in _iter_redefinitions(docstring, known):
                source = _shorten_source(example[0])
                text = f"the new example `{source}` changes {word} for old ones"
                found.append(Finding(FindingKind.TEST, name, text, decisive=True))
    return limit_findings(found, "the doctests", "examples")


def _iter_missing_examples(before: Doctests, missing: Counter[Example]) -> Iterator[Finding]:
    """Yield a finding for each missing example, in the file that had it.

    Args:
        before: the examples at the baseline.
        missing: how often each example is missing. Examples are counted over all files, so that one
            may move with its function.
    """
    for name, examples in before.items():
        for example in examples:
            if missing[example]:
                missing[example] -= 1
                source = _shorten_source(example[0])
                text = f"the doctest `{source}` was changed, skipped or removed"
                yield Finding(FindingKind.TEST, name, text, decisive=True)


def _iter_redefinitions(
    docstring: list[Example], known: Collection[Example]
) -> Iterator[tuple[Example, str]]:
    """Yield new examples, each with a name that it binds and that a later old example uses."""
    for at, example in enumerate(docstring):
        if example in known:
            continue
        later = {
            name for old in docstring[at + 1 :] if old in known for name in _collect_names(old[0])
        }
        for name in sorted(_collect_bound_names(example[0]) & later):
            yield example, name


def _iter_docstrings(path: Path) -> Iterator[list[Example]]:
    """Yield the examples of each docstring in a file, docstrings without examples left out."""
    source = files.read_bytes(path, _LARGEST) if path.suffix == ".py" else b""
    tree = parse_source(source) if b">>>" in source else None
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node, clean=False)
        if text and ">>>" in text and (examples := list(_iter_examples(text))):
            yield examples


def _iter_examples(docstring: str) -> Iterator[Example]:
    try:
        parsed = doctest.DocTestParser().get_examples(docstring)
    except ValueError:  # pytest refuses such a docstring too
        return
    for each in parsed:
        options = ",".join(f"{key}={value}" for key, value in sorted(each.options.items()))
        expected = f"{each.want.strip()}{each.exc_msg or ''}"
        source = each.source.partition("# doctest:")[0] if options else each.source
        yield source.strip(), expected, options


def _iter_all_examples(docstrings: Iterator[list[Example]]) -> Iterator[Example]:
    for examples in docstrings:
        yield from examples


def _collect_names(source: str) -> set[str]:
    return {each.id for each in _walk_syntax(source) if isinstance(each, ast.Name)}


def _collect_bound_names(source: str) -> set[str]:
    """Return the names that an example binds, or whose attributes it sets."""
    found: set[str] = set()
    for node in _walk_syntax(source):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            found |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found


def _walk_syntax(source: str) -> Iterator[ast.AST]:
    tree = parse_source(source)
    return ast.walk(tree) if tree else iter(())


def _shorten_source(source: str) -> str:
    text = " ".join(source.split())
    return text if len(text) <= 60 else f"{text[:57]}..."

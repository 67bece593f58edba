"""Distinguishes programs that run tests from programs that are tested."""

import ast
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Final

from orchestrator.guard.tree import find_environments, walk_tree
from orchestrator.platform import files

TEST_FILE: Final = re.compile(
    r"test_.*\.py|.*_test\.py|tests\.py|.*[._](?:test|spec)\.(?:[cm]?[jt]sx?)|.*_test\.(?:go|rb|exs)"
    r"|.*_spec\.rb|.*Tests?\.(?:java|kt|cs|php)|.*\.(?:bats|snap)"
)
TEST_FOLDER: Final = re.compile(
    r"_?_?tests?_?_?|specs?|testing|e2e|integration|unit|functional|(?:.+[_-])?tests?|tests?[_-].+"
)

_RUNNERS: Final = frozenset(
    {
        *("unittest", "pytest", "py.test", "-m", "make", "tox", "nox", "node", "npm", "--test"),
        *("nose2", "sh", "bash", "jest", "vitest", "mocha"),
    }
)
_STARTERS: Final = frozenset({"subprocess", "os", "runpy", "pytest", "unittest"})


class Language(Enum):
    """What a file is written in."""

    PYTHON = "python"
    SHELL = "shell"
    JAVASCRIPT = "javascript"
    DATA = "data"
    """Text that is no program."""
    BINARY = "binary"


_SUFFIXES: Final = {
    ".py": Language.PYTHON,
    ".sh": Language.SHELL,
    ".bash": Language.SHELL,
    ".js": Language.JAVASCRIPT,
    ".cjs": Language.JAVASCRIPT,
    ".mjs": Language.JAVASCRIPT,
}


def detect_language(path: Path) -> Language:
    """Return the language of a file, by its suffix or its `#!` line."""
    if language := _SUFFIXES.get(path.suffix):
        return language
    head = files.read_bytes(path, 200)
    if b"\0" in head:
        return Language.BINARY
    first = head.split(b"\n")[0] if head.startswith(b"#!") else b""
    if b"python" in first:
        return Language.PYTHON
    if b"node" in first:
        return Language.JAVASCRIPT
    return Language.SHELL if re.search(rb"sh\b", first) else Language.DATA


def is_product(path: Path, language: Language, project: Path) -> bool:
    """Return whether a program that the suite's command runs holds the code under test.

    A program that starts a runner, or imports what it tests from elsewhere, decides the verdict. A
    program with functions of its own and a self-test is what the verdict is about.
    """
    if _is_test_location(path, project) or language is Language.SHELL:
        return False
    text = files.read_text(path)
    if language is Language.JAVASCRIPT:
        starts = re.search(r"child_process|node:test|\bjest\b|\bmocha\b|\bvitest\b", text)
        return not starts and re.search(r"\bfunction\b|=>|\bclass\b", text) is not None
    tree = parse_source(text)
    if tree is None:
        return False
    if _is_runner_script(tree):
        return False
    packaged = files.is_file(path.parent / "__init__.py")
    return _contains_definitions(tree) and (
        packaged or not _has_project_imports(tree, path, project)
    )


def iter_strings(path: Path) -> Iterator[str]:
    """Yield the strings of a Python or JavaScript program that may name files or commands."""
    text = files.read_text(path)
    if detect_language(path) is Language.PYTHON:
        tree = parse_source(text)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
        return
    for single, double, back in re.findall(r"'([^'\n]*)'|\"([^\"\n]*)\"|`([^`]*)`", text):
        yield single or double or back


def iter_sibling_imports(path: Path, project: Path) -> Iterator[Path]:
    """Yield the modules that a program imports from its own folder, if that holds only programs.

    A package's folder holds the code under test, so nothing is yielded there. The project's own
    folder may hold it too: there a module counts only if nothing else in the project imports it,
    and the program only starts a runner.
    """
    folder = path.parent
    if files.exists(folder / "__init__.py"):
        return
    if folder == project:
        yield from _iter_runner_helpers(path, project)
        return
    text = files.read_text(path)
    if detect_language(path) is Language.JAVASCRIPT:
        for name in re.findall(r"(?:require\(|from\s+|import\s+)['\"]\./([\w./-]+)['\"]", text):
            for end in ("", ".js", ".cjs", ".mjs"):
                if files.is_file(folder / f"{name}{end}"):
                    yield folder / f"{name}{end}"
        return
    for name in collect_imports(parse_source(text)):
        sibling = folder / f"{name.split('.')[0]}.py"
        if files.is_file(sibling):
            yield sibling


def _iter_runner_helpers(path: Path, project: Path) -> Iterator[Path]:
    """Yield the modules that only a runner in the project's own folder imports."""
    tree = parse_source(files.read_text(path)) if detect_language(path) is Language.PYTHON else None
    if tree is None or _has_tests(tree):
        return
    wanted = {name.partition(".")[0] for name in collect_imports(tree)}
    own = {each for name in wanted if files.is_file(each := project / f"{name}.py")} - {path}
    if not own:
        return
    others: set[str] = set()
    for name in walk_tree(project, find_environments(project)):
        full = project / name
        if name.endswith(".py") and full != path and full not in own:
            imported = collect_imports(parse_source(files.read_text(full)), relative=True)
            others |= {each.partition(".")[0] for each in imported}
    yield from sorted(each for each in own if each.stem not in others)


def _has_tests(tree: ast.Module) -> bool:
    """Return whether a program contains tests or assertions."""
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.FunctionDef) and node.name.startswith("test"))
        or (isinstance(node, ast.ClassDef) and "TestCase" in ",".join(map(ast.unparse, node.bases)))
        or (isinstance(node, ast.Attribute) and node.attr.startswith("assert"))
        for node in ast.walk(tree)
    )


def parse_source(text: str | bytes) -> ast.Module | None:
    """Return the syntax tree of a Python source; None if it cannot be parsed."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def collect_imports(tree: ast.Module | None, *, relative: bool = False) -> set[str]:
    """Return the names of the modules that a file imports absolutely, wherever in it.

    Args:
        tree: the file's syntax tree.
        relative: whether to include relative imports, without the dots.
    """
    found: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if relative and not node.module:
                found |= {alias.name for alias in node.names}
            if not node.module:
                continue
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _is_test_location(path: Path, project: Path) -> bool:
    inside = path.parent.relative_to(project).parts if path.is_relative_to(project) else ()
    in_folder = any(TEST_FOLDER.fullmatch(part) for part in inside)
    return in_folder or TEST_FILE.fullmatch(path.name) is not None


def _is_runner_script(tree: ast.Module) -> bool:
    """Return whether a program starts a test runner, by import or as a process."""
    starts = bool({name.split(".")[0] for name in collect_imports(tree)} & _STARTERS)
    words = {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in node.value.split()
    }
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return (starts and bool(words & _RUNNERS)) or bool(
        calls & {"pytest.main", "unittest.TestLoader", "unittest.defaultTestLoader.discover"}
    )


def _contains_definitions(tree: ast.Module) -> bool:
    """Return whether a file has functions or classes other than tests and entry points."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.lower().startswith(("test", "_test", "selftest"))
        and node.name not in ("main", "_main", "run")
        for node in tree.body
    )


def _has_project_imports(tree: ast.Module, path: Path, project: Path) -> bool:
    for name in collect_imports(tree):
        for top in (path.parent, project, project / "src"):
            base = top / name.split(".")[0]
            if files.is_folder(base) or files.is_file(base.with_name(f"{base.name}.py")):
                return True
    return False

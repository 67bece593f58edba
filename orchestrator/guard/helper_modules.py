"""Distinguishes helpers of tests from the code under test.

Tests import both. If a file under test passed for a helper, the very fix that the task asks for
would be reverted. So a module is a helper only on evidence, and never if product code imports it.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.guard.scripts import TEST_FILE, TEST_FOLDER, collect_imports, parse_source
from orchestrator.models import SuiteReport
from orchestrator.models.footprint import Footprint, Module
from orchestrator.platform import files

_ASSERTIONS: Final = re.compile(r"(?:pytest\.)?fail|self\.(?:assert|fail)\w*|\w+\.assert[A-Z_]\w*")
_ASSERTING_NAME: Final = re.compile(r"_?(?:assert|expect|verify|ensure|check|compare|same|equals?)")
_TEST_LIBRARIES: Final = frozenset({"pytest", "unittest", "hypothesis", "mock", "_pytest"})


class Evidence:
    """Evidence for what each module is for, from a footprint and the text of the modules.

    Args:
        project: the project's real folder.
        footprint: what the suite recorded.
        report: the baseline's report.
    """

    def __init__(self, project: Path, footprint: Footprint, report: SuiteReport) -> None:
        self._project, self._report = project, report
        self.modules = {module.file: module for module in footprint.modules}
        self._tests = frozenset(footprint.tests)
        config = {path for path in footprint.steering if path.endswith(".py")}
        self.test_code = self._tests | config
        self.importers = _collect_importers(footprint.modules)
        self.test_folders = frozenset(self._iter_test_folders())
        self.helpers = self._find_helpers()
        self.product = frozenset(self.modules) - self.test_code - self.helpers.keys()

    def _find_helpers(self) -> Mapping[str, str]:
        """Return the modules that are helpers, each with the reason."""
        found = {
            path: why
            for path, module in self.modules.items()
            if path not in self.test_code and (why := self._find_helper_reason(path, module))
        }
        # A module that a rejected helper imports is product code too, so this is repeated.
        while True:
            used = {path for path in found if self._is_used_by_product(path, found)}
            if not used:
                return found
            found = {path: why for path, why in found.items() if path not in used}

    def _is_used_by_product(self, path: str, helpers: Collection[str]) -> bool:
        return any(
            user not in self.test_code and user not in helpers for user in self.importers[path]
        )

    def _find_helper_reason(self, path: str, module: Module) -> str:
        if not self._is_used_by_tests(path):
            return ""
        if module.provides:
            return "provides fixtures or hooks"
        if self._has_own_test(path):
            return ""
        if self.is_in_test_folder(path):
            return "helper in a folder of tests"
        if self._is_assertion_module(path) and not self._has_failure(path):
            return "asserts for tests"
        return ""

    def _is_used_by_tests(self, path: str) -> bool:
        """Return whether test code imports a module, directly or through other modules."""
        seen, left = {path}, [path]
        while left:
            for user in self.importers[left.pop()]:
                if user in self.test_code:
                    return True
                if user not in seen:
                    seen.add(user)
                    left.append(user)
        return False

    def is_in_test_folder(self, path: str) -> bool:
        """Return whether a file is in or below a folder of tests."""
        return any(str(parent) in self.test_folders for parent in PurePosixPath(path).parents)

    def _has_own_test(self, path: str) -> bool:
        stem = Path(path).stem.strip("_")
        return any(
            Path(user).stem in (f"test_{stem}", f"{stem}_test", f"test{stem}")
            for user in self.importers[path] & self._tests
        )

    def _has_failure(self, path: str) -> bool:
        """Return whether a case failed in a module with anything but an assertion error."""
        return any(
            raised.files[-1:] == (path,) and not raised.type.endswith("AssertionError")
            for case in self._report.failing
            for raised in case.raised
        )

    # ---- folders of tests ------------------------------------------------------------------

    def _iter_test_folders(self) -> Iterator[str]:
        parents = {parent for test in self._tests for parent in PurePosixPath(test).parents}
        folders = {
            parent
            for parent in parents
            if parent != PurePosixPath(self._project)
            and parent.is_relative_to(self._project)
            and self._can_be_test_folder(str(parent))
        }
        yield from (str(folder) for folder in folders)
        for test in self._tests:
            outside = PurePosixPath(test).parent
            if not outside.is_relative_to(self._project) and not self._project.is_relative_to(
                str(outside)
            ):
                yield str(outside)

    def _can_be_test_folder(self, folder: str) -> bool:
        inside = [path for path in self.modules if path.startswith(f"{folder}/")]
        tests = [path for path in self._tests if path.startswith(f"{folder}/")]
        others = [path for path in inside if path not in self.test_code]
        if any(
            not user.startswith(f"{folder}/") and user not in self.test_code
            for path in others
            for user in self.importers[path]
        ):
            return False
        by_name = TEST_FOLDER.fullmatch(Path(folder).name) is not None
        tests_outside = [
            path for path in tests if self._has_outside_dependency(path, folder, by_name)
        ]
        if by_name:
            return bool(tests_outside)
        code = [path for path in others if Path(path).name != "__init__.py"]
        return len(tests_outside) == len(tests) > len(code) and not _is_package(Path(folder))

    def _has_outside_dependency(self, test: str, folder: str, by_name: bool) -> bool:
        """Return whether a test imports code of the project outside of a folder."""
        module = self.modules.get(test)
        uses = module.imports if module else ()
        seen, left = set(uses), list(uses)
        while left:
            path = left.pop()
            if not path.startswith(f"{folder}/"):
                return True
            more = set(self.modules[path].imports) - seen if path in self.modules else set()
            seen |= more
            left += more
        # A test that imports nothing of the project starts it as a program, or reads its files.
        return by_name and not uses

    # ---- assertion helpers -----------------------------------------------------------------

    def _is_assertion_module(self, path: str) -> bool:
        tree = parse_source(files.read_bytes(path))
        if tree is None or self._is_expected_to_raise(path):
            return False
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        public = [node for node in functions if not node.name.startswith("_")]
        return bool(public) and all(map(_is_assertion, public)) and not _has_classes(tree)

    def _is_expected_to_raise(self, path: str) -> bool:
        """Return whether tests expect a module's functions to raise: then these are under test."""
        stem = Path(path).stem
        for user in self.importers[path] & self.test_code:
            tree = parse_source(files.read_bytes(user))
            for node in ast.walk(tree) if tree else ():
                if isinstance(node, ast.With) and "raises" in ast.unparse(node.items[0]).casefold():
                    called = {
                        ast.unparse(call.func).split(".")[0]
                        for each in node.body
                        for call in ast.walk(each)
                        if isinstance(call, ast.Call)
                    }
                    if called & (_collect_imported_names(tree, stem) | {stem}):
                        return True
        return False


def find_product_files(project: Path, evidence: Evidence, named: Collection[str]) -> set[str]:
    """Return the files with cases that are code under test nevertheless.

    These are files with doctests only, modules that product code imports, and files with both
    tests and code that the command names.

    Args:
        project: the project's real folder.
        evidence: on the modules.
        named: absolute paths of the files that the command names.
    """
    found = set()
    for path in sorted(evidence.test_code):
        if not path.endswith(".py") or Path(path).name == "conftest.py":
            continue
        users = evidence.importers[path]
        if (users & evidence.product and not _contains_tests(path, strictly=True)) or (
            not _contains_tests(path)
            and (users or path in named)
            and ">>>" in files.read_text(path)
        ):
            found.add(path)
        elif (
            path in named and not TEST_FILE.fullmatch(Path(path).name) and _contains_non_tests(path)
        ):
            module = evidence.modules.get(path)
            outside = [each for each in module.imports if each != path] if module else []
            if not outside:
                found.add(path)
    return {path for path in found if Path(path).is_relative_to(project)}


def has_test_import(path: str) -> bool:
    """Return whether a Python file imports a library for tests."""
    names = {name.split(".")[0] for name in collect_imports(parse_source(files.read_bytes(path)))}
    return bool(names & _TEST_LIBRARIES)


def _collect_importers(modules: Collection[Module]) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for module in modules:
        for file in module.imports:
            if file != module.file:
                found[file].add(module.file)
    return found


def _is_assertion(function: ast.FunctionDef) -> bool:
    """Return whether a function asserts something about its arguments, and returns nothing."""
    arguments = {each.arg for each in (*function.args.posonlyargs, *function.args.args)}
    arguments |= {each.arg for each in function.args.kwonlyargs}
    asserts = False
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            return False
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return False
        used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} & arguments
        enough = len(used) > 1 or (used and _ASSERTING_NAME.match(function.name))
        if enough:
            asserts |= _is_assertion_node(node)
    return asserts


def _is_assertion_node(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return _ASSERTIONS.fullmatch(ast.unparse(node.func)) is not None
    return isinstance(node, ast.Assert) or (
        isinstance(node, ast.If) and _contains_assertion_raise(node)
    )


def _contains_assertion_raise(node: ast.AST) -> bool:
    for each in ast.walk(node):
        if isinstance(each, ast.Raise) and each.exc is not None:
            return ast.unparse(each.exc).startswith("AssertionError")
        if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.fail":
            return True
    return False


def _has_classes(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ClassDef) for node in tree.body)


def _collect_imported_names(tree: ast.Module | None, stem: str) -> set[str]:
    """Return the names that a file imports from a module."""
    return {
        alias.asname or alias.name
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] == stem
        for alias in node.names
    }


def _contains_tests(path: str, *, strictly: bool = False) -> bool:
    tree = parse_source(files.read_bytes(path))
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ClassDef) and any("TestCase" in ast.unparse(b) for b in node.bases):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            ("test", "it_", "should_")
        ):
            asserts = any(isinstance(each, ast.Assert) for each in ast.walk(node))
            if asserts or not strictly:
                return True
    return False


def _contains_non_tests(path: str) -> bool:
    """Return whether a file has functions or classes other than tests and fixtures."""
    tree = parse_source(files.read_bytes(path))
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.lower().startswith("test")
        and not any("fixture" in ast.unparse(each) for each in node.decorator_list)
        for node in (tree.body if tree else ())
    )


def _is_package(folder: Path) -> bool:
    return bool(files.read_text(folder / "__init__.py").strip())

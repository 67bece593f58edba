"""Find the project's files that a case uses, function by function in test code.

Outside test code whole files count, with everything that they use: the code of a call through an
object does not show which function it calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Container, Iterable

from . import functions as _functions
from .function_uses import FunctionReader, FunctionUses
from .project_files import is_project_file, resolve_path

if TYPE_CHECKING:
    from types import FunctionType

    from .import_graph import Graph

_MOST_NAMES = 200
_METHODS = frozenset(
    {
        *("setUp", "tearDown", "setUpClass", "tearDownClass", "asyncSetUp", "asyncTearDown"),
        *("setup_method", "teardown_method", "setup_class", "teardown_class"),
        *("setup", "teardown", "__init__", "__new__", "__getattr__"),
    }
)
_MODULE_FUNCTIONS = (
    *("setup_module", "teardown_module", "setUpModule", "tearDownModule"),
    *("setup_function", "teardown_function", "load_tests"),
)


class Reach:
    """Finds what the cases of one process use.

    Args:
        graph: of the project's files.
        test_code: all files of test code.
    """

    def __init__(self, graph: Graph, test_code: set[str]) -> None:
        self._graph = graph
        self._test_code = test_code
        self._reader = FunctionReader(graph, test_code)
        self._closures: dict[str, frozenset[str]] = {}
        self._results: dict[Any, tuple[frozenset[str], frozenset[str]]] = {}
        self._interned_sets: dict[frozenset[str], frozenset[str]] = {}
        self._product_names: dict[str, set[str]] | None = None

    def build_report(self, items: Iterable[Any], failed: Container[Any]) -> dict[str, Any]:
        """Return the reach of the cases as JSON values, with each file and each set only once.

        Args:
            items: the cases.
            failed: the cases for which to return the names that they use, too.
        """
        files: dict[str, int] = {}
        sets: dict[frozenset[str], int] = {}
        cases, names = {}, {}
        for item in items:
            reached, used = self.find_reach(item)
            cases[item.nodeid] = sets.setdefault(reached, len(sets))
            if item in failed:
                own = used | self._find_used_names(item, reached)
                names[item.nodeid] = sorted(own)[:_MOST_NAMES]
        return {
            "sets": [
                sorted(files.setdefault(each, len(files)) for each in reached) for reached in sets
            ],
            "files": list(files),
            "cases": cases,
            "names": names,
        }

    def find_reach(self, item: Any) -> tuple[frozenset[str], frozenset[str]]:
        """Return the files that a case reaches, and the names of the project that it uses."""
        roots = self._list_roots(item)
        values = self._find_parameter_files(item)
        path = resolve_path(str(getattr(item, "path", "")))
        key = (path, tuple(id(each) for each in roots), frozenset(values))
        if key not in self._results:
            reached, names = self._trace_reach(path, roots, values)
            self._results[key] = self._interned_sets.setdefault(reached, reached), names
        return self._results[key]

    def _find_used_names(self, item: Any, reached: frozenset[str]) -> set[str]:
        """Return the names in a case's own code that are functions in a file of its reach."""
        words: set[str] = set()
        for function in _functions.list_functions(_functions.find_item_object(item)):
            if resolve_path(function.__code__.co_filename) in self._test_code:
                for each in _functions.iter_codes(function.__code__):
                    words.update(each.co_names)
        if self._product_names is None:
            self._product_names = self._index_product_names()
        files_by_name = self._product_names
        return {word for word in words if not reached.isdisjoint(files_by_name.get(word, ()))}

    def _index_product_names(self) -> dict[str, set[str]]:
        """Return the files that define each name of a function or method under test."""
        found: dict[str, set[str]] = {}
        for file, module in self._graph.list_modules():
            if file in self._test_code:
                continue
            for name, value in list(vars(module).items()):
                members = list(vars(value).items()) if issubclass(type(value), type) else []
                for word, each in [(name, value), *members]:
                    # By its real type: reading an attribute of a proxy could load or connect it.
                    known = type(each).__module__ in ("builtins", "functools")
                    for function in _functions.list_functions(each)[:1] if known else ():
                        if resolve_path(function.__code__.co_filename) == file:
                            found.setdefault(word, set()).add(file)
        return found

    def _trace_reach(
        self, path: str, roots: list[FunctionType], values: set[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        start = FunctionUses()
        start.called_functions, start.followed_files = roots, set(values)
        seen: set[int] = set()
        files = {path} if path and is_project_file(path) else set()
        names: set[str] = set()
        pending, followed = [start], set()
        while pending:
            uses = pending.pop()
            followed |= uses.followed_files
            files |= uses.package_files
            names |= uses.names
            for function in uses.called_functions:
                if id(function) not in seen:
                    seen.add(id(function))
                    file = resolve_path(function.__code__.co_filename)
                    if file and is_project_file(file):
                        files.add(file)
                    pending.append(self._reader.find_uses(function))
        if not roots and path.endswith(".py"):  # a doctest runs in its module
            followed.add(path)
        for each in followed:
            files |= self._compute_closure(each)
        return frozenset(files), frozenset(names)

    def _list_roots(self, item: Any) -> list[FunctionType]:
        found = [*_functions.list_functions(_functions.find_item_object(item))]
        kind = getattr(item, "cls", None)
        for each in kind.__mro__ if isinstance(kind, type) else ():
            for name, value in vars(each).items():
                if name in _METHODS:
                    found += _functions.list_functions(value)
        module = getattr(item, "module", None)
        for name in _MODULE_FUNCTIONS:
            found += _functions.list_functions(getattr(module, name, None))
        known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
        for definitions in known.values():
            for definition in definitions:
                found += _functions.list_functions(definition.func)
        return found

    def _find_parameter_files(self, item: Any) -> set[str]:
        given = getattr(getattr(item, "callspec", None), "params", {})
        found = set()
        for value in given.values():
            each = next(iter(_functions.list_functions(value)), value)
            if file := self._graph.find_defining_file(each):
                found.add(file)
        return found

    def _compute_closure(self, file: str) -> frozenset[str]:
        """Return a file with all files that it uses, directly or indirectly."""
        if file not in self._closures:
            found: set[str] = set()
            packages: set[str] = set()
            pending = [file]
            while pending:
                each = pending.pop()
                if each in self._closures:
                    found |= self._closures[each]
                elif each not in found:
                    found.add(each)
                    uses = self._graph.find_uses(each)
                    packages |= uses.package_files
                    pending += uses.followed_files - self._test_code
            self._closures[file] = frozenset(found | packages)
        return self._closures[file]

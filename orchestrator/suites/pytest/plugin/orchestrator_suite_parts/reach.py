"""Find the project's files that the code of a case uses, function by function in test code.

Below test code whole files count, with all that they use: a call through an object does not show
in the code that makes it.
"""

from __future__ import annotations

import os
import re
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Container, Iterable

from . import functions as _functions
from .project_files import is_project_file, resolve_path

if TYPE_CHECKING:
    from .import_graph import Graph

_WORD = re.compile(r"[A-Za-z_]\w*")
_QUOTED = re.compile(r"[\"']([\w./-]+)[\"']")
_PATH = re.compile(r"[\w./ -]+\.\w{1,8}")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")
_MOST_NAMES = 200
_MOST_LINES = 80
_MOST_ELEMENTS = 100
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


class _Node:
    """What one function of test code uses directly."""

    def __init__(self) -> None:
        self.followed_files: set[str] = set()
        self.package_files: set[str] = set()
        self.called_functions: list[FunctionType] = []
        self.names: set[str] = set()


class Reach:
    """Answers for the cases of one process."""

    def __init__(self, graph: Graph, test_code: set[str]) -> None:
        self._graph = graph
        self._test_code = test_code
        self._nodes: dict[int, _Node] = {}
        self._closures: dict[str, frozenset[str]] = {}
        self._texts: dict[tuple[str, str], set[str]] = {}
        self._known: dict[Any, tuple[frozenset[str], frozenset[str]]] = {}
        self._shared: dict[frozenset[str], frozenset[str]] = {}
        self._product: dict[str, set[str]] | None = None

    def build_report(self, items: Iterable[Any], failed: Container[Any]) -> dict[str, Any]:
        """Return the reach of the cases as plain JSON values, each file and each set once.

        Args:
            items: the cases.
            failed: those of them of which the names are wanted too.
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
        """Return the files that a case reaches, and the names of the project's that it uses."""
        roots = self._list_roots(item)
        values = self._find_parameter_files(item)
        path = resolve_path(str(getattr(item, "path", "")))
        key = (path, tuple(id(each) for each in roots), frozenset(values))
        if key not in self._known:
            reached, names = self._trace_reach(path, roots, values)
            self._known[key] = self._shared.setdefault(reached, reached), names
        return self._known[key]

    def _find_used_names(self, item: Any, reached: frozenset[str]) -> set[str]:
        """Return the names in a case's own code that a file of its reach gives to a function."""
        words: set[str] = set()
        for function in _functions.list_functions(_functions.find_item_object(item)):
            if resolve_path(function.__code__.co_filename) in self._test_code:
                for each in _functions.iter_codes(function.__code__):
                    words.update(each.co_names)
        if self._product is None:
            self._product = self._index_product_names()
        return {word for word in words if not reached.isdisjoint(self._product.get(word, ()))}

    def _index_product_names(self) -> dict[str, set[str]]:
        """Return the names of functions and methods under test, and the files they are in."""
        found: dict[str, set[str]] = {}
        for file, module in self._graph.list_modules():
            if file in self._test_code:
                continue
            for name, value in list(vars(module).items()):
                held = list(vars(value).items()) if issubclass(type(value), type) else []
                for word, each in [(name, value), *held]:
                    # By its real type: of a proxy that stands for something else, ask nothing.
                    known = type(each).__module__ in ("builtins", "functools")
                    for function in _functions.list_functions(each)[:1] if known else ():
                        if resolve_path(function.__code__.co_filename) == file:
                            found.setdefault(word, set()).add(file)
        return found

    def _trace_reach(
        self, path: str, roots: list[FunctionType], values: set[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        start = _Node()
        start.called_functions, start.followed_files = roots, set(values)
        seen: set[int] = set()
        files = {path} if path and is_project_file(path) else set()
        names: set[str] = set()
        pending, followed = [start], set()
        while pending:
            node = pending.pop()
            followed |= node.followed_files
            files |= node.package_files
            names |= node.names
            for function in node.called_functions:
                if id(function) not in seen:
                    seen.add(id(function))
                    file = resolve_path(function.__code__.co_filename)
                    if file and is_project_file(file):
                        files.add(file)
                    pending.append(self._resolve_node(function))
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

    def _resolve_node(self, function: FunctionType) -> _Node:
        if id(function) not in self._nodes:
            node = self._nodes[id(function)] = _Node()
            file = resolve_path(function.__code__.co_filename)
            if file and is_project_file(file):
                if file in self._test_code:
                    self._read_function(function, file, node)
                else:
                    self._follow_file(file, node)
        return self._nodes[id(function)]

    def _follow_file(self, file: str, node: _Node) -> None:
        node.followed_files.add(file)
        node.package_files |= self._graph.find_package_files(file)

    def _read_function(self, function: FunctionType, file: str, node: _Node) -> None:
        words: set[str] = set()
        texts: set[str] = set()
        for each in _functions.iter_codes(function.__code__):
            words.update(each.co_names)
            words.update(each.co_freevars)
            texts.update(_collect_strings(each.co_consts))
        head = self._read_signature(function, file)
        words.update(_WORD.findall(head))
        decorating = set(_QUOTED.findall(head))
        for cell in function.__closure__ or ():
            try:
                self._add_value(cell.cell_contents, words, file, node)
            except ValueError:  # an empty cell
                continue
        for word in words:
            self._resolve_name(word, words, function.__globals__, file, node)
        named = "-m" in texts or bool(words & {"import_module", "run_module", "__import__"})
        for text in texts | decorating:
            self._resolve_text(text, named, file, node)

    def _read_signature(self, function: FunctionType, file: str) -> str:
        """Return the decorators and the signature."""
        lines = self._graph.read_source(file).split(
            "\n", function.__code__.co_firstlineno + _MOST_LINES
        )
        found = []
        for line in lines[function.__code__.co_firstlineno - 1 :][:_MOST_LINES]:
            found.append(line)
            if line.lstrip().startswith(("def ", "async def ")):
                break
        return "\n".join(found)

    def _resolve_name(
        self, word: str, words: set[str], names: dict[str, Any], file: str, node: _Node
    ) -> None:
        if word in names:
            self._add_value(names[word], words, file, node)
            if not self._follow_local_import(word, file, node):
                for inner in self._find_assigned_names(word, file):
                    if inner in names and inner != word:
                        self._add_value(names[inner], words, file, node)
                        self._follow_local_import(inner, file, node)
        else:
            self._follow_local_import(word, file, node)
            package = names.get("__package__") or ""
            for name in (word, "{}.{}".format(package, word) if package else word):
                if (
                    found := self._graph.find_module_file(name)
                    if name.isidentifier() or "." in name
                    else ""
                ):
                    self._follow_lazy_import(found, words, node)
                    break

    def _follow_lazy_import(self, file: str, words: set[str], node: _Node) -> None:
        """Follow a module that a function imports itself, or only what it takes from it."""
        module = self._graph.get_module(file)
        if module is not None:
            self._add_value(module, words, file, node)
        else:
            self._follow_file(file, node)

    def _follow_local_import(self, word: str, file: str, node: _Node) -> bool:
        """Follow what an import in the file gives a name, where it is no test code."""
        files = self._graph.find_uses(file).local.get(word, set()) - {file}
        for each in files - self._test_code:
            if each.endswith("__init__.py"):
                node.package_files.add(each)
            else:
                self._follow_file(each, node)
        return bool(files)

    def _find_assigned_names(self, word: str, file: str) -> set[str]:
        """Return the words of the statement that gives a global its value."""
        if (file, word) not in self._texts:
            pattern = r"^" + re.escape(word) + r"\b[^=\n]*=(.*(?:\n(?:[ \t)\]}].*|))*)"
            match = re.search(pattern, self._graph.read_source(file), re.MULTILINE)
            self._texts[file, word] = set(_WORD.findall(match[1])) if match else set()
        return self._texts[file, word]

    def _add_value(
        self, value: Any, words: set[str], file: str, node: _Node, depth: int = 3
    ) -> None:
        """Add what a name stands for."""
        if not depth:
            return
        if isinstance(value, ModuleType):
            self._add_module(value, words, file, node, depth)
        elif isinstance(value, type):
            self._add_class(value, node)
        elif isinstance(value, (list, tuple, set, frozenset, dict)):
            elements = list(value.values()) if isinstance(value, dict) else list(value)
            for each in elements[:_MOST_ELEMENTS]:
                if not isinstance(each, (str, bytes, int, float)):
                    self._add_value(each, words, file, node, depth - 1)
        else:
            functions = _functions.list_functions(value)
            for each in functions:
                node.called_functions.append(each)
                defining = resolve_path(each.__code__.co_filename)
                if defining and is_project_file(defining) and defining not in self._test_code:
                    node.names.add(each.__name__)
            if not functions:
                self._add_class(type(value), node)

    def _add_module(
        self, value: ModuleType, words: set[str], file: str, node: _Node, depth: int
    ) -> None:
        defining = self._graph.find_defining_file(value)
        if not defining:
            return
        own = vars(value)
        used = [own[word] for word in words if word in own and own[word] is not value]
        if defining not in self._test_code:
            node.names.add(value.__name__)
            if used and defining.endswith("__init__.py"):
                node.package_files |= {defining, *self._graph.find_package_files(defining)}
            else:
                self._follow_file(defining, node)
        for each in used:
            self._add_value(each, words, file, node, depth - 1)
        for word in words if defining.endswith("__init__.py") else ():
            for found in self._graph.find_uses(defining).local.get(word, set()) - self._test_code:
                self._follow_file(found, node)

    def _add_class(self, value: type, node: _Node) -> None:
        for each in type.mro(value) if value is not type else ():
            defining = self._graph.find_defining_file(each)
            if not defining:
                continue
            if defining in self._test_code:
                for held in list(vars(each).values()):
                    node.called_functions += _functions.list_functions(held)
            else:
                node.names.add(each.__name__)
                self._follow_file(defining, node)

    def _resolve_text(self, text: str, named: bool, file: str, node: _Node) -> None:
        if len(text) > 200:
            return
        if _DOTTED.fullmatch(text) or (named and text.isidentifier()):
            parts = text.split(".")
            for count in range(len(parts), 0, -1):
                if found := self._graph.find_module_file(".".join(parts[:count])):
                    if found not in self._test_code:
                        self._follow_file(found, node)
                    if found.endswith("__init__.py") and count == len(parts):
                        main = os.path.join(os.path.dirname(found), "__main__.py")
                        if os.path.isfile(main):
                            self._follow_file(main, node)
                    break
        if _PATH.fullmatch(text) or (os.sep in text and " " not in text):
            folder = os.path.dirname(file)
            places = [self._graph.invocation, self._graph.root, folder, os.path.dirname(folder)]
            for place in places:
                path = os.path.join(place, text)
                if os.path.isfile(path) and is_project_file(path):
                    self._follow_file(resolve_path(path), node)
                    break

    def _compute_closure(self, file: str) -> frozenset[str]:
        """Return a file with all that it uses, through others too."""
        if file not in self._closures:
            found: set[str] = set()
            passed: set[str] = set()
            pending = [file]
            while pending:
                each = pending.pop()
                if each in self._closures:
                    found |= self._closures[each]
                elif each not in found:
                    found.add(each)
                    uses = self._graph.find_uses(each)
                    passed |= uses.package_files
                    pending += uses.followed_files - self._test_code
            self._closures[file] = frozenset(found | passed)
        return self._closures[file]


def _collect_strings(constants: tuple[Any, ...]) -> set[str]:
    found: set[str] = set()
    for each in constants:
        if isinstance(each, str):
            found.add(each)
        elif isinstance(each, (tuple, frozenset)):
            found |= _collect_strings(tuple(each))
        elif isinstance(each, CodeType):
            continue
    return found

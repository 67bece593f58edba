"""Find what one function of test code uses directly: files of the project, functions, names.

Its names are looked up in its module and closure as they are at the end of the run, and strings
that look like modules or paths count too. Below test code whole files count, see `reach.py`.
"""

from __future__ import annotations

import os
import re
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from . import functions as _functions
from .project_files import is_project_file, resolve_path

if TYPE_CHECKING:
    from .import_graph import Graph

_WORD = re.compile(r"[A-Za-z_]\w*")
_QUOTED = re.compile(r"[\"']([\w./-]+)[\"']")
_PATH = re.compile(r"[\w./ -]+\.\w{1,8}")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")
_MODULE_RUNNERS = {"import_module", "run_module", "__import__"}
_MOST_SIGNATURE_LINES = 80
_MOST_ELEMENTS = 100
_LONGEST_STRING = 200


class FunctionUses:
    """What one function of test code uses directly."""

    def __init__(self) -> None:
        self.followed_files: set[str] = set()
        """Files under test; what they use counts too."""
        self.package_files: set[str] = set()
        """`__init__` files that are executed on import; what they use does not count."""
        self.called_functions: list[FunctionType] = []
        self.names: set[str] = set()
        """Names of what is used of the code under test."""

    def follow_file(self, file: str, graph: Graph) -> None:
        """Add a file under test with the packages that it is in."""
        self.followed_files.add(file)
        self.package_files |= graph.find_package_files(file)


class FunctionReader:
    """Reads functions of test code, each once.

    Args:
        graph: of the project's files.
        test_code: all files of test code.
    """

    def __init__(self, graph: Graph, test_code: set[str]) -> None:
        self._graph = graph
        self._test_code = test_code
        self._uses: dict[int, FunctionUses] = {}
        self._assigned_names: dict[tuple[str, str], set[str]] = {}

    def find_uses(self, function: FunctionType) -> FunctionUses:
        """Return what a function uses; of one outside test code, its file."""
        if id(function) not in self._uses:
            uses = self._uses[id(function)] = FunctionUses()
            file = resolve_path(function.__code__.co_filename)
            if file and is_project_file(file):
                if file in self._test_code:
                    self._read_function(function, file, uses)
                else:
                    uses.follow_file(file, self._graph)
        return self._uses[id(function)]

    def _read_function(self, function: FunctionType, file: str, uses: FunctionUses) -> None:
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
                self._add_value(cell.cell_contents, words, file, uses)
            except ValueError:  # an empty cell
                continue
        for word in words:
            self._resolve_name(word, words, function.__globals__, file, uses)
        named = "-m" in texts or bool(words & _MODULE_RUNNERS)
        for text in texts | decorating:
            self._resolve_string(text, named, file, uses)

    def _read_signature(self, function: FunctionType, file: str) -> str:
        """Return the source of the decorators and the signature.

        Decorators such as `parametrize` use names that are not in the function's code object.
        """
        lines = self._graph.read_source(file).split(
            "\n", function.__code__.co_firstlineno + _MOST_SIGNATURE_LINES
        )
        found = []
        for line in lines[function.__code__.co_firstlineno - 1 :][:_MOST_SIGNATURE_LINES]:
            found.append(line)
            if line.lstrip().startswith(("def ", "async def ")):
                break
        return "\n".join(found)

    def _resolve_name(
        self, word: str, words: set[str], names: dict[str, Any], file: str, uses: FunctionUses
    ) -> None:
        if word in names:
            self._add_value(names[word], words, file, uses)
            if not self._follow_local_import(word, file, uses):
                for inner in self._find_assigned_names(word, file):
                    if inner in names and inner != word:
                        self._add_value(names[inner], words, file, uses)
                        self._follow_local_import(inner, file, uses)
        else:
            self._follow_local_import(word, file, uses)
            package = names.get("__package__") or ""
            for name in (word, "{}.{}".format(package, word) if package else word):
                has_module_form = name.isidentifier() or "." in name
                if found := self._graph.find_module_file(name) if has_module_form else "":
                    self._follow_lazy_import(found, words, uses)
                    break

    def _follow_lazy_import(self, file: str, words: set[str], uses: FunctionUses) -> None:
        """Follow a module that a function imports itself, or only what it uses of it."""
        module = self._graph.get_module(file)
        if module is not None:
            self._add_value(module, words, file, uses)
        else:
            uses.follow_file(file, self._graph)

    def _follow_local_import(self, word: str, file: str, uses: FunctionUses) -> bool:
        """Follow the files that an import in the file binds a name to, except test code."""
        files = self._graph.find_uses(file).local.get(word, set()) - {file}
        for each in files - self._test_code:
            if each.endswith("__init__.py"):
                uses.package_files.add(each)
            else:
                uses.follow_file(each, self._graph)
        return bool(files)

    def _find_assigned_names(self, word: str, file: str) -> set[str]:
        """Return the names in the statement that assigns a global variable."""
        if (file, word) not in self._assigned_names:
            pattern = r"^" + re.escape(word) + r"\b[^=\n]*=(.*(?:\n(?:[ \t)\]}].*|))*)"
            match = re.search(pattern, self._graph.read_source(file), re.MULTILINE)
            self._assigned_names[file, word] = set(_WORD.findall(match[1])) if match else set()
        return self._assigned_names[file, word]

    def _add_value(
        self, value: Any, words: set[str], file: str, uses: FunctionUses, depth: int = 3
    ) -> None:
        """Add the object that a name is bound to."""
        if not depth:
            return
        if isinstance(value, ModuleType):
            self._add_module(value, words, file, uses, depth)
        elif isinstance(value, type):
            self._add_class(value, uses)
        elif isinstance(value, (list, tuple, set, frozenset, dict)):
            elements = list(value.values()) if isinstance(value, dict) else list(value)
            for each in elements[:_MOST_ELEMENTS]:
                if not isinstance(each, (str, bytes, int, float)):
                    self._add_value(each, words, file, uses, depth - 1)
        else:
            functions = _functions.list_functions(value)
            for each in functions:
                uses.called_functions.append(each)
                defining = resolve_path(each.__code__.co_filename)
                if defining and is_project_file(defining) and defining not in self._test_code:
                    uses.names.add(each.__name__)
            if not functions:
                self._add_class(type(value), uses)

    def _add_module(
        self, value: ModuleType, words: set[str], file: str, uses: FunctionUses, depth: int
    ) -> None:
        defining = self._graph.find_defining_file(value)
        if not defining:
            return
        own = vars(value)
        used = [own[word] for word in words if word in own and own[word] is not value]
        if defining not in self._test_code:
            uses.names.add(value.__name__)
            if used and defining.endswith("__init__.py"):
                uses.package_files |= {defining, *self._graph.find_package_files(defining)}
            else:
                uses.follow_file(defining, self._graph)
        for each in used:
            self._add_value(each, words, file, uses, depth - 1)
        for word in words if defining.endswith("__init__.py") else ():
            for found in self._graph.find_uses(defining).local.get(word, set()) - self._test_code:
                uses.follow_file(found, self._graph)

    def _add_class(self, value: type, uses: FunctionUses) -> None:
        for each in type.mro(value) if value is not type else ():
            defining = self._graph.find_defining_file(each)
            if not defining:
                continue
            if defining in self._test_code:
                for held in list(vars(each).values()):
                    uses.called_functions += _functions.list_functions(held)
            else:
                uses.names.add(each.__name__)
                uses.follow_file(defining, self._graph)

    def _resolve_string(self, text: str, named: bool, file: str, uses: FunctionUses) -> None:
        if len(text) > _LONGEST_STRING:
            return
        if _DOTTED.fullmatch(text) or (named and text.isidentifier()):
            self._resolve_dotted_name(text, uses)
        if _PATH.fullmatch(text) or (os.sep in text and " " not in text):
            self._resolve_path_string(text, file, uses)

    def _resolve_dotted_name(self, text: str, uses: FunctionUses) -> None:
        """Follow the longest beginning of a dotted name that is a module of the project."""
        parts = text.split(".")
        for count in range(len(parts), 0, -1):
            if found := self._graph.find_module_file(".".join(parts[:count])):
                if found not in self._test_code:
                    uses.follow_file(found, self._graph)
                if found.endswith("__init__.py") and count == len(parts):
                    main = os.path.join(os.path.dirname(found), "__main__.py")
                    if os.path.isfile(main):  # `python -m package`
                        uses.follow_file(main, self._graph)
                break

    def _resolve_path_string(self, text: str, file: str, uses: FunctionUses) -> None:
        folder = os.path.dirname(file)
        folders = [self._graph.invocation, self._graph.root, folder, os.path.dirname(folder)]
        for each in folders:
            path = os.path.join(each, text)
            if os.path.isfile(path) and is_project_file(path):
                uses.follow_file(resolve_path(path), self._graph)
                break


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

"""Find which file of the project uses which, from imported modules and import statements."""

from __future__ import annotations

import os
import re
import sys
from types import FunctionType, ModuleType
from typing import Any

from .project_files import is_project_file, resolve_path

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<dots>\.*)[ \t]*(?P<base>[\w.]*)[ \t]+import[ \t]+"
    r"(?P<names>\([^)]*\)|[^\n#;]+)|import[ \t]+(?P<modules>[\w., \t]+))",
    re.MULTILINE,
)
_RUNNERS = {"pytest", "_pytest", "unittest", "hypothesis", "doctest"}
_LONGEST_SOURCE = 2_000_000


class Uses:
    """The files that one file uses."""

    def __init__(self) -> None:
        self.followed_files: set[str] = set()
        """Files; what they use counts too."""
        self.package_files: set[str] = set()
        """`__init__` files that are executed on import; what they use does not count."""
        self.local: dict[str, set[str]] = {}
        """For each name in the file, the files that define it."""
        self.runner = False
        """Whether it imports the test runner."""


class Graph:
    """The project's files and what they use. Sources are read once, on first use."""

    def __init__(self, config: Any) -> None:
        self.root = os.path.realpath(str(config.rootpath))
        self.invocation = str(config.invocation_params.dir)
        self._uses: dict[str, Uses] = {}
        self._sources: dict[str, str] = {}
        self._found: dict[str, str] = {}
        self._modules: dict[str, ModuleType] = {}
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and is_project_file(path):
                self._found[name] = resolve_path(path)
                self._modules.setdefault(resolve_path(path), module)

    def find_direct_uses(self, file: str) -> set[str]:
        """Return the files that one uses directly."""
        uses = self.find_uses(file)
        return (uses.followed_files | uses.package_files) - {file}

    def has_runner_import(self, file: str) -> bool:
        """Return whether a file imports a test runner or a library that makes tests."""
        return self.find_uses(file).runner

    def find_test_code(self, sure: set[str]) -> set[str]:
        """Return all files of test code: those in `sure`, and their helpers.

        A helper imports the runner itself; or only tests import it, and it is in a folder of tests
        whose code under test is elsewhere. That only tests import it is not enough, because that
        may be true for a module under test.
        """
        files = set(self._modules)
        code = sure | {each for each in files if self.has_runner_import(each)}
        users: dict[str, set[str]] = {}
        for path in files:
            for each in self.find_direct_uses(path):
                users.setdefault(each, set()).add(path)
        homes = {
            os.path.dirname(test) for test in sure & files if self._has_outside_imports(test, code)
        }
        homes -= {self.root, os.path.realpath(self.invocation)}
        inside = {
            each for each in files - code if each.startswith(tuple(h + os.sep for h in homes))
        }
        while inside:  # what the code under test uses is not a helper, directly or indirectly
            others = {each for each in inside if users.get(each, set()) - code - inside}
            if not others:
                break
            inside -= others
        return code | inside

    def _has_outside_imports(self, test: str, code: set[str]) -> bool:
        home = os.path.dirname(test)
        return any(
            not each.startswith(home + os.sep) and not each.endswith("__init__.py")
            for each in self.find_direct_uses(test) - code
        )

    def find_module_file(self, name: str) -> str:
        """Return the project's file of a dotted module name, imported or not."""
        if name not in self._found:
            self._found[name] = self._search_module_file(name)
        return self._found[name]

    def get_module(self, file: str) -> ModuleType | None:
        """Return an imported file's module."""
        return self._modules.get(file)

    def list_modules(self) -> list[tuple[str, ModuleType]]:
        """List the imported files with their modules."""
        return list(self._modules.items())

    def _search_module_file(self, name: str) -> str:
        if name in sys.modules or not all(part.isidentifier() for part in name.split(".")):
            return ""
        inner = name.replace(".", os.sep)
        for folder in dict.fromkeys([self.invocation, self.root, self.root + "/src", *sys.path]):
            if not folder or not is_project_file(os.path.join(folder, "x")):
                continue
            for ending in (".py", os.sep + "__init__.py"):
                path = os.path.join(folder, inner + ending)
                if os.path.isfile(path):
                    return resolve_path(path)
        return ""

    def read_source(self, file: str) -> str:
        """Return the text of a Python file; empty for others and if it cannot be read."""
        if file not in self._sources:
            self._sources[file] = ""
            if file.endswith(".py"):
                try:
                    with open(file, "rb") as stream:
                        text = stream.read(_LONGEST_SOURCE).decode("utf-8", "replace")
                        self._sources[file] = text.replace("\r\n", "\n")
                except OSError:
                    pass
        return self._sources[file]

    def find_uses(self, file: str) -> Uses:
        """Return the files that one file uses."""
        if file not in self._uses:
            uses = self._uses[file] = Uses()
            self._read_source_imports(file, uses)
            self._read_module_globals(file, uses)
            for each in list(uses.followed_files):
                uses.package_files |= self.find_package_files(each) - uses.followed_files
            uses.followed_files.discard(file)
        return self._uses[file]

    def find_package_files(self, file: str) -> set[str]:
        """Return the `__init__` files above a module."""
        found: set[str] = set()
        folder = os.path.dirname(file)
        if os.path.basename(file) == "__init__.py":
            folder = os.path.dirname(folder)
        while True:
            path = os.path.join(folder, "__init__.py")
            if not (path in self._modules or os.path.isfile(path)):
                return found
            found.add(path)
            folder = os.path.dirname(folder)

    def _read_source_imports(self, file: str, uses: Uses) -> None:
        for match in _IMPORT.finditer(self.read_source(file)):
            if match["modules"] is not None:
                for part in match["modules"].split(","):
                    words = part.split()
                    if words:
                        self._add_import(words[0], words[-1].split(".")[0], uses)
                continue
            base = self._resolve_import_base(file, match["dots"], match["base"])
            if base.split(".")[0] in _RUNNERS:
                uses.runner = True
            for part in match["names"].strip("() \t\\").replace("\n", " ").split(","):
                words = part.split("#")[0].split()
                if words:
                    self._add_import_from(base, words[0], words[-1], uses)

    def _add_import(self, name: str, local: str, uses: Uses) -> None:
        if name.split(".", maxsplit=1)[0] in _RUNNERS:
            uses.runner = True
        if file := self.find_module_file(name):
            uses.followed_files.add(file)
            uses.local.setdefault(local, set()).add(file)

    def _add_import_from(self, base: str, name: str, local: str, uses: Uses) -> None:
        files = self.find_defining_files(base, name)
        package = self.find_module_file(base) if base else ""
        uses.followed_files |= files
        if package and package not in files:
            uses.package_files.add(package)
        if files:
            uses.local.setdefault(local, set()).update(files)

    def find_defining_files(self, base: str, name: str, depth: int = 4) -> set[str]:
        """Return the files that define what `from base import name` gives."""
        inner = self.find_module_file(base + "." + name if base else name)
        if inner:
            return {inner}
        package = self.find_module_file(base)
        if not package:
            return set()
        value = getattr(sys.modules.get(base), "__dict__", {}).get(name)
        if value is not None and (file := self.find_defining_file(value)):
            return {file}
        if depth and package.endswith("__init__.py"):
            pattern = r"\b" + re.escape(name) + r"\b"
            for match in _IMPORT.finditer(self.read_source(package)):
                if match["names"] and re.search(pattern, match["names"]):
                    further = self._resolve_import_base(package, match["dots"], match["base"])
                    if further != base and (
                        found := self.find_defining_files(further, name, depth - 1)
                    ):
                        return found
        return {package}

    def find_defining_file(self, value: Any) -> str:
        """Return the project's file that defines a module, class, function or instance."""
        if isinstance(value, ModuleType):
            path = getattr(value, "__file__", None)
            return resolve_path(path) if isinstance(path, str) and is_project_file(path) else ""
        kind = value if isinstance(value, (type, FunctionType)) else type(value)
        name = getattr(kind, "__module__", None)
        return self._found.get(name, "") if isinstance(name, str) else ""

    def _resolve_import_base(self, file: str, dots: str, base: str) -> str:
        if not dots:
            return base
        module = self._modules.get(file)
        package = getattr(module, "__package__", None) or ""
        if not package:
            folder = os.path.dirname(file)
            parts = []
            while os.path.isfile(os.path.join(folder, "__init__.py")):
                parts.append(os.path.basename(folder))
                folder = os.path.dirname(folder)
            package = ".".join(reversed(parts))
        parts = package.split(".")
        parts = parts[: len(parts) - len(dots) + 1]
        return ".".join([*parts, base] if base else parts)

    def _read_module_globals(self, file: str, uses: Uses) -> None:
        module = self._modules.get(file)
        for key, value in list(vars(module).items()) if module else ():
            name = getattr(value, "__name__", "") if isinstance(value, ModuleType) else ""
            if name and name == "{}.{}".format(module.__name__ if module else "", key):
                continue  # set by the import system on the package, whoever imported it
            if name.split(".")[0] in _RUNNERS:
                uses.runner = True
            if found := self.find_defining_file(value):
                uses.followed_files.add(found)
                uses.local.setdefault(key, set()).add(found)

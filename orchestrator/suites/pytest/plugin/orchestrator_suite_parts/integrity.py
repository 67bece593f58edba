"""Detect functions of the runner, hooks and test functions that were replaced during the run.

Only what no honest suite does is reported: a patch that a test undoes is normal, and so is
everything that installed plugins, conftest files and tests themselves replace.
"""

from __future__ import annotations

import builtins
import os
import sys
from types import FunctionType, ModuleType
from typing import Any, Iterator

from . import functions as _functions
from .project_files import is_plugin_file, is_project_file, resolve_path

_NAMES = (
    "AssertionError abs all any bool bytes callable dict enumerate filter float frozenset getattr"
    " hasattr id int isinstance issubclass iter len list map max min next object range repr"
    " reversed round set sorted str sum super tuple type zip BaseException Exception"
)
_CORE = (
    ("_pytest.runner", "call_and_report"),
    ("_pytest.runner", "call_runtest_hook"),
    ("_pytest.runner", "check_interactive_exception"),
    ("_pytest.runner", "pytest_runtest_call"),
    ("_pytest.runner", "pytest_runtest_makereport"),
    ("_pytest.runner", "runtestprotocol"),
    ("_pytest.runner.CallInfo", "from_call"),
    ("_pytest.reports.TestReport", "from_item_and_call"),
    ("_pytest.python", "pytest_pyfunc_call"),
    ("_pytest.python.Function", "runtest"),
    ("_pytest.unittest.TestCaseFunction", "runtest"),
    ("pluggy._callers", "_multicall"),
)


def remember_runner() -> Baseline:
    """Record the runner's code; to be called before any code of the project is imported."""
    return Baseline()


class Baseline:
    """The runner's functions and the builtins as they were when pytest started."""

    def __init__(self) -> None:
        self._builtins = {name: getattr(builtins, name) for name in _NAMES.split()}
        self._entries = list(_iter_runner_functions())
        core = {"{}.{}".format(*each) for each in _CORE}
        self._core = [each for each in self._entries if each[0] in core]

    def find_core_changes(self) -> list[str]:
        """Describe what was replaced in the code that runs and reports a single case.

        This is a small part, so that it can be checked after each case.
        """
        return _find_changes(self._core)

    def find_changes(self) -> list[str]:
        """Describe everything that was replaced."""
        found = _find_changes(self._entries)
        return [*found, *_iter_unittest_changes()]

    def restore_builtins(self) -> list[str]:
        """Restore replaced builtins, and describe those that untrusted code replaced.

        The plugin's own code after this call uses them.
        """
        replaced = []
        for name, value in self._builtins.items():
            now = vars(builtins).get(name)
            if now is not value:
                setattr(builtins, name, value)
                replaced.append((name, now))
        return [
            "builtins.{} was replaced".format(name) for name, now in replaced if not is_known(now)
        ]


_trusted_files: set[str] = set()


def trust_files(files: set[str]) -> None:
    """Allow code in these files of the project, tests and their configuration, to patch."""
    _trusted_files.update(files)


def is_known(value: Any) -> bool:
    """Return whether a value is defined by installed code, tests or their configuration."""
    found = _functions.list_functions(value)
    if found:
        return all(is_trusted_file(each.__code__.co_filename) for each in found[:1])
    kind = value if isinstance(value, type) else type(value)
    module = sys.modules.get(getattr(kind, "__module__", ""))
    file = getattr(module, "__file__", None)
    return module is None or file is None or is_trusted_file(file)


def is_trusted_file(name: str) -> bool:
    """Return whether a file is installed, defines tests, or configures them."""
    return not name.startswith("<") and (
        not is_project_file(name) or resolve_path(name) in _trusted_files
    )


def _find_changes(entries: list[Any]) -> list[str]:
    found: list[str] = []
    for name, holder, key, value, function, known in entries:
        if function.__code__ is not known or holder.get(key) is not value:
            found += _iter_replacements(name, holder.get(key), function, known)
    return found


def _iter_replacements(name: str, now: Any, function: FunctionType, known: Any) -> Iterator[str]:
    if function.__code__ is not known:
        yield "the code of {} was replaced".format(name)
    elif not is_known(now):
        yield "{} was replaced".format(name)


def _unwrap_function(value: Any) -> Any:
    if isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    return value.fget if isinstance(value, property) else value


def _iter_runner_functions() -> Iterator[tuple[str, Any, str, Any, FunctionType, Any]]:
    for name, module in list(sys.modules.items()):
        if not name.startswith(("_pytest", "pluggy")) or not isinstance(module, ModuleType):
            continue
        own = module.__dict__
        for key, value in list(own.items()):
            if isinstance(value, FunctionType):
                if value.__module__ == name:
                    yield name + "." + key, own, key, value, value, value.__code__
            elif isinstance(value, type) and value.__module__ == name:
                # A read-only view that shows later changes.
                holder: Any = value.__dict__
                for inner, each in list(holder.items()):
                    function = _unwrap_function(each)
                    if isinstance(function, FunctionType):
                        label = "{}.{}.{}".format(name, key, inner)
                        yield label, holder, inner, each, function, function.__code__


def _iter_unittest_changes() -> Iterator[str]:
    case = sys.modules.get("unittest.case")
    for key, value in vars(case.TestCase).items() if case else ():
        function = _unwrap_function(value)
        if isinstance(function, FunctionType) and not is_trusted_file(
            function.__code__.co_filename
        ):
            yield "unittest.TestCase.{} was replaced".format(key)


class ItemFunctions:
    """The functions of the collected cases."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Any, FunctionType, Any]] = {}

    def remember_functions(self, items: list[Any]) -> list[str]:
        """Record the cases' functions, and describe those whose code is from another file."""
        found = []
        for item in items:
            held = _functions.find_item_object(item)
            function = next(iter(_functions.list_functions(held)), None)
            if function is not None:
                self._known[item] = (held, function, function.__code__)
                if _is_foreign(function):
                    found.append(
                        "{}: its code is from {}".format(item.nodeid, function.__code__.co_filename)
                    )
        return found

    def find_change(self, item: Any) -> str:
        """Describe what was replaced of a case since collection; empty if nothing."""
        if item not in self._known:
            return ""
        held, function, known = self._known[item]
        if function.__code__ is not known:
            return "{}: the code of the test function was replaced".format(item.nodeid)
        called = _functions.find_item_object(item)
        if called is held:
            return ""
        now = _functions.list_functions(called)
        if not now or function in now or is_trusted_file(now[0].__code__.co_filename):
            return ""
        return "{}: the test function was replaced".format(item.nodeid)


def _is_foreign(function: FunctionType) -> bool:
    """Return whether a function belongs to one module while its code is from another file."""
    chain = _functions.list_functions(function)
    module = sys.modules.get(function.__module__ or "")
    own = resolve_path(getattr(module, "__file__", None) or "")
    if not own or any(resolve_path(each.__code__.co_filename) == own for each in chain):
        return False
    name = function.__code__.co_filename
    return not name.startswith("<") and is_project_file(name) and os.path.exists(name)


def find_hook_files(manager: Any) -> dict[str, Any]:
    """Return the files of the project with hook implementations, and the plugin of each."""
    found: dict[str, Any] = {}
    for name in dir(manager.hook):
        caller = getattr(manager.hook, name, None)
        for implementation in getattr(caller, "get_hookimpls", list)():
            for function in _functions.list_functions(implementation.function)[:1]:
                file = function.__code__.co_filename
                if not is_plugin_file(file) and (file.startswith("<") or is_project_file(file)):
                    found[resolve_path(file) or file] = implementation.plugin
    return found


def find_tracer_change() -> str:
    """Describe the trace or profile function, if code of the product has set one."""
    for name, hook in (("settrace", sys.gettrace()), ("setprofile", sys.getprofile())):
        for function in _functions.list_functions(hook)[:1]:
            file = function.__code__.co_filename
            if not is_trusted_file(file):
                return "sys.{} is set by {}".format(name, file)
    return ""

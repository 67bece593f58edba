"""Find what code of the product replaced in modules outside of the project.

Code that replaces functions of the standard library, hooks into imports, or defines values that
are equal to all others can make tests pass without touching them. A project may have good reasons
to do so. Therefore the orchestrator ignores what it did before the attempt; this module does not.
"""

from __future__ import annotations

import functools
import re
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Iterator

from .integrity import is_trusted_file
from .project_files import is_plugin_file, is_project_file, list_standard_modules, resolve_path

_REPLACEABLE_NAMES = {
    *("sys.excepthook", "sys.displayhook", "sys.unraisablehook", "sys.breakpointhook"),
    *("sys.stdout", "sys.stderr", "sys.stdin", "threading.excepthook"),
    *("warnings.showwarning", "warnings.formatwarning"),
}
"""Attributes that Python's documentation invites to replace."""
_SKIPPED_TYPES = {
    *(str, bytes, int, bool, float, complex, type(None), tuple, list, dict, set, frozenset),
    *(ModuleType, BuiltinFunctionType),
}
"""Types of values that cannot replace a function or class."""
_WRAPPERS = {staticmethod, classmethod, property, functools.partialmethod}
_SAMPLES: tuple[tuple[type, Any, tuple[Any, ...]], ...] = (
    (int, 1000, (1001, 999)),
    (float, 1000.0, (1001.0, 999.0)),
    (complex, 1000j, (1001j,)),
    (str, "first", ("other",)),
    (bytes, b"first", (b"other",)),
    (tuple, (1, 2), ((3, 4),)),
    (list, (1, 2), ([3, 4],)),
    (set, (1, 2), ({3, 4},)),
    (frozenset, (1, 2), (frozenset((3, 4)),)),
    (dict, (), ({3: 4},)),
)
_HEAP_TYPE_FLAG = 1 << 9
"""`Py_TPFLAGS_HEAPTYPE`: a class that is not compiled into the interpreter."""
_MOST_CLASSES = 50_000


def find_patches() -> list[str]:
    """Describe what code of the product replaced outside of the project, sorted."""
    _find_class_file.cache_clear()  # since the last call, more files may be trusted
    found = [
        *_iter_replaced_attributes(),
        *_iter_import_hooks(),
        *_iter_foreign_loaders(),
        *_iter_lenient_classes(),
    ]
    return sorted(set(found))


def find_product_file(value: Any) -> str:
    """Return the file of the product that defines a function, class or object; or empty."""
    if isinstance(value, FunctionType):
        name = value.__code__.co_filename
        if name.startswith("<"):
            name = str(value.__globals__.get("__file__") or "")
        return name if _is_product(name) else ""
    return _find_class_file(value if isinstance(value, type) else type(value))


@functools.lru_cache(maxsize=None)
def _find_class_file(kind: type) -> str:
    if not kind.__flags__ & _HEAP_TYPE_FLAG:
        return ""
    for each in list(vars(kind).values()):
        if type(each) is FunctionType and (file := find_product_file(each)):
            return file
    module = sys.modules.get(str(vars(kind).get("__module__", "")))
    name = str(getattr(module, "__file__", None) or "")
    return name if _is_product(name) else ""


@functools.lru_cache(maxsize=None)
def _is_installed(name: str) -> bool:
    return not is_project_file(name) or is_plugin_file(name)


def _is_product(name: str) -> bool:
    if not name or name.startswith("<") or _is_installed(name):
        return False
    return bool(resolve_path(name)) and not is_trusted_file(name)


# ---- attributes of modules and classes -----------------------------------------------------


def _iter_replaced_attributes() -> Iterator[str]:
    standard = set(list_standard_modules())
    used = standard | _find_test_imports()
    seen: set[int] = set()
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or name.partition(".")[0] not in used:
            continue
        file = getattr(module, "__file__", None)
        if file and not _is_installed(file):
            continue
        own = vars(module)
        for key, value in list(own.items()):
            of = type(value)
            if of in _SKIPPED_TYPES:
                continue
            if of is FunctionType:
                if value.__globals__ is not own:
                    yield from _iter_replacements(module, key, value)
            elif isinstance(value, type):
                if id(value) not in seen:
                    seen.add(id(value))
                    yield from _iter_replaced_methods(module, key, value)
            else:
                yield from _iter_replacements(module, key, value)


def _find_test_imports() -> set[str]:
    """Return the installed packages that test modules have imported something of."""
    found = {"_pytest", "pytest", "pluggy"}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not file or _is_installed(file) or not is_trusted_file(file):
            continue
        for value in list(vars(module).values()):
            name = getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", "")
            found.add(str(name).partition(".")[0])
    return found


def _iter_replaced_methods(module: ModuleType, key: str, kind: type) -> Iterator[str]:
    if kind.__module__.partition(".")[0] == module.__name__.partition(".")[0]:
        own = vars(module)
        for name, value in list(vars(kind).items()):
            of = type(value)
            function = (
                value if of is FunctionType else _unwrap_method(value) if of in _WRAPPERS else None
            )
            if type(function) is not FunctionType or function.__globals__ is own:
                continue
            if file := find_product_file(function):
                yield "{}.{}.{} is replaced by {}".format(module.__name__, key, name, file)
    else:
        yield from _iter_replacements(module, key, kind)


def _unwrap_method(value: Any) -> Any:
    if isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    if isinstance(value, functools.partialmethod):
        return value.func
    return value.fget if isinstance(value, property) else value


def _iter_replacements(module: ModuleType, key: str, value: Any) -> Iterator[str]:
    """Yield a description if a value of the product replaced what a module itself defines."""
    name = "{}.{}".format(module.__name__, key)
    if name in _REPLACEABLE_NAMES or key.startswith("__"):
        return
    file = find_product_file(value)
    if file:
        if _has_definition(module, key):
            yield "{} is replaced by {}".format(name, file)
    elif isinstance(value, functools.partial):
        inner = value.func
        if getattr(inner, "__name__", "") == key and _has_definition(module, key):
            yield "{} is replaced by a partial of it".format(name)


def _has_definition(module: ModuleType, name: str) -> bool:
    """Return whether a module's source defines or imports a function or class of this name."""
    file = str(getattr(module, "__file__", None) or "")
    if not file.endswith(".py"):
        return True
    text = _read_source(file)
    if not name.startswith("_") and re.search(r"^\s*from\b.*\bimport \*", text, re.MULTILINE):
        return True
    pattern = r"^\s*(?:(?:async\s+)?def|class)\s+{0}\b|^\s*from\b.*\bimport\b.*\b{0}\b"
    pattern += r"|^\s+{0},?\s*$"
    return re.search(pattern.format(re.escape(name)), text, re.MULTILINE) is not None


@functools.lru_cache(maxsize=None)
def _read_source(file: str) -> str:
    try:
        with open(file, "rb") as stream:
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


# ---- the import of modules -----------------------------------------------------------------


def _iter_import_hooks() -> Iterator[str]:
    for where in ("meta_path", "path_hooks"):
        for each in list(getattr(sys, where)):
            if file := find_product_file(each):
                yield "sys.{} has a hook of {}".format(where, file)


def _iter_foreign_loaders() -> Iterator[str]:
    """Yield a description of each test module that was loaded by code of the product."""
    for module in list(sys.modules.values()):
        file = str(getattr(module, "__file__", None) or "")
        if not file or _is_installed(file) or not is_trusted_file(file):
            continue
        loader = getattr(module, "__loader__", None)
        inner = list(vars(loader).values()) if hasattr(loader, "__dict__") else []
        for each in (loader, *(each for each in inner if isinstance(each, FunctionType))):
            if each is not None and (by := find_product_file(each)):
                yield "{} was loaded by {}".format(file, by)


# ---- values that are equal to all others ---------------------------------------------------


def _iter_lenient_classes() -> Iterator[str]:
    for kind in _iter_classes():
        own = vars(kind)
        for name in ("__eq__", "__ne__"):
            if name in own and own[name] is not None:
                function = _unwrap_method(own[name])
                file = find_product_file(function if isinstance(function, FunctionType) else kind)
                if file and _is_lenient(kind, name):
                    yield "an object of {} is equal to others, by {}".format(kind.__name__, file)


def _iter_classes() -> Iterator[type]:
    """Yield all classes except `object`, up to a limit."""
    left: list[type] = [object]
    seen: set[int] = set()
    while left and len(seen) < _MOST_CLASSES:
        kind = left.pop()
        try:
            below: list[type] = type.__subclasses__(kind)
        except TypeError:  # `type` itself
            continue
        for each in below:
            if id(each) not in seen:
                seen.add(id(each))
                left.append(each)
                yield each


def _is_lenient(kind: Any, name: str) -> bool:
    """Return whether an instance of a class is equal to unrelated objects."""
    base, sample, others = next(
        (each for each in _SAMPLES if issubclass(kind, each[0])), (object, None, ())
    )
    if base is object and hasattr(kind, "__del__"):
        return False
    try:
        make: Any = base.__new__
        value = make(kind) if sample is None else make(kind, sample)
        if sample is not None and base in (list, set, dict):
            initialize: Any = base.__init__
            initialize(value, sample)
    except Exception:  # noqa: BLE001 -- classes of the product may raise anything here
        return False
    return any(_is_equal(value, each, name) for each in (object(), *others))


def _is_equal(value: Any, other: Any, name: str) -> bool:
    try:
        result = getattr(type(value), name)(value, other)
    except Exception:  # noqa: BLE001 -- the product's `__eq__`, on an instance without `__init__`
        return False
    return isinstance(result, int) and bool(result) is (name == "__eq__")

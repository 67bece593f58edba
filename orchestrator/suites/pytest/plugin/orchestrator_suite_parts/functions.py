"""Find the functions that pytest calls, behind wrappers, methods, partials and decorators."""

from __future__ import annotations

import functools
from types import CodeType, FunctionType
from typing import Any, Iterator

_WITH_FUNC = (functools.partial, functools.partialmethod, functools.cached_property)


def list_functions(value: Any, depth: int = 8) -> list[FunctionType]:
    """List the function that is called, and those that it wraps, the outermost first."""
    found: list[FunctionType] = []
    while value is not None and depth:
        depth -= 1
        if isinstance(value, FunctionType):
            if value in found:
                break
            found.append(value)
            inner = value.__dict__
            given = getattr(inner.get("hypothesis"), "inner_test", None)
            value = inner.get("__wrapped__") or given or inner.get("__pytest_wrapped__")
            value = getattr(value, "obj", value) if not callable(value) else value
        elif isinstance(value, _WITH_FUNC):
            value = value.func
        elif isinstance(value, (staticmethod, classmethod)) or _is_method(value):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        else:
            value = vars(value).get("__wrapped__") if hasattr(value, "__dict__") else None
    return found


def _is_method(value: Any) -> bool:
    return type(value).__name__ == "method" and hasattr(value, "__func__")


def iter_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those nested in it: lambdas, comprehensions, inner functions."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from iter_codes(constant)


def find_item_object(item: Any) -> Any:
    """Return the object that a case calls.

    `item.obj` is not used, because it would create an instance of the test class.
    """
    known = vars(item).get("_obj")
    if known is not None:
        return known
    parent = getattr(getattr(item, "parent", None), "obj", None)
    name = str(getattr(item, "originalname", None) or getattr(item, "name", ""))
    return getattr(parent, name, None) if parent is not None else None

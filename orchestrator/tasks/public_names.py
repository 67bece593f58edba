"""Find the public names that a file defines: what other code may rely on.

Python is read by its syntax tree, JavaScript, TypeScript and Go by the lines that define or export.
The files are an agent's: whatever is in them, reading takes a bounded time and raises nothing.
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

_MOST_BYTES: Final = 400_000
"""Bytes of a file that is read; a larger one is generated or data."""


def find_public_names(path: str, content: bytes | None) -> Mapping[str, str] | None:
    """Return the definitions of a file by their public names, `cents` or `Price.format`.

    Two definitions that differ only in their names have the same text. It is empty where that says
    little, as for a constant.

    Args:
        path: the file's path, which decides the language.
        content: what is in it; None if there is no such file.

    Returns:
        The names; None if the file cannot be read, or is in a language that is not known.
    """
    read = _READERS.get(PurePosixPath(path).suffix.lower())
    if read is None or (content is not None and len(content) > _MOST_BYTES):
        return None
    return {} if content is None else read(content)


def is_known_language(path: str) -> bool:
    """Return whether a file is in a language whose names can be found."""
    return PurePosixPath(path).suffix.lower() in _READERS


def name_module(path: str) -> str:
    """Return the name that stands before those of a file: its module, or its package in Go."""
    file = PurePosixPath(path)
    if file.suffix.lower() == ".go" or file.stem in ("__init__", "index"):
        return file.parent.name or file.stem
    return file.stem.removesuffix(".d")


# ---- Python


def _read_python(content: bytes) -> dict[str, str] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(content)
        nodes = list(_list_definitions(module.body))
        declared = _find_declared(nodes)
        names: dict[str, str] = {}
        for node in nodes:
            for name, text in _describe_node(node):
                public = name.split(".")[0] in declared if declared else _is_public(name)
                if public:
                    names[name] = text
        return {**dict.fromkeys(sorted(declared - names.keys()), ""), **names}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _list_definitions(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those under a condition included."""
    for node in body:
        yield node
        match node:
            case ast.If():
                yield from _list_definitions(node.body + node.orelse)
            case ast.Try():
                handled = [each for handler in node.handlers for each in handler.body]
                yield from _list_definitions(node.body + handled + node.orelse)
            case ast.With():
                yield from _list_definitions(node.body)


def _find_declared(nodes: list[ast.stmt]) -> frozenset[str]:
    """Return the names in `__all__`; none if it is not there or is computed."""
    for node in nodes:
        match node:
            case ast.Assign(
                targets=[ast.Name("__all__")], value=ast.List(elts=found) | ast.Tuple(elts=found)
            ):
                values = [each.value for each in found if isinstance(each, ast.Constant)]
                return frozenset(each for each in values if isinstance(each, str))
    return frozenset()


def _describe_node(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield the names that a statement defines, each with its text."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name, _dump(node, name)
        case ast.ClassDef(name=name, body=body):
            yield name, _dump(node, name)
            for each in body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{name}.{each.name}", _dump(each, each.name)
        case ast.Assign(targets=targets):
            yield from ((each.id, "") for each in targets if isinstance(each, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name, ""


def _dump(node: ast.AST, name: str) -> str:
    return ast.dump(node).replace(repr(name), "_")


def _is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


# ---- others, by their lines

_EXPORT: Final = re.compile(
    r"^[ \t]*export[ \t]+(?:default[ \t]+)?(?:declare[ \t]+)?(?:abstract[ \t]+)?(?:async[ \t]+)?"
    r"(?:function\*?|class|const|let|var|interface|type|enum|namespace)[ \t]+(\w[\w$]*)",
    re.MULTILINE,
)
_COMMON: Final = re.compile(r"^(?:module\.)?exports\.(\w[\w$]*)[ \t]*=", re.MULTILINE)
_LISTED: Final = re.compile(
    r"^(?:export(?:[ \t]+type)?|module\.exports[ \t]*=)[ \t]*\{([^{}]{0,5000})\}", re.MULTILINE
)
_GO: Final = re.compile(
    r"^(?:func[ \t]+(?:\([ \t]*(?:\w+[ \t]+)?\*?(\w+)[^()\n]{0,200}\)[ \t]*)?|type[ \t]+)"
    r"([A-Z]\w*)",
    re.MULTILINE,
)
_WORD: Final = re.compile(r"[\w$]+")
_TOP_LINE: Final = re.compile(r"^\w", re.MULTILINE)
_TOKEN: Final = re.compile(r"[\w$]+|[^\w\s]")


def _read_javascript(content: bytes) -> dict[str, str]:
    text = content.decode("utf-8", "replace")
    names = _slice_definitions(text, [*_EXPORT.finditer(text), *_COMMON.finditer(text)])
    for found in _LISTED.finditer(text):
        for part in found[1].split(","):
            # `a as b` exports b, `a: b` exports a.
            words = _WORD.findall(part.split(":")[0])
            if words and words[-1] != "default":
                names.setdefault(words[-1], "")
    return names


def _read_go(content: bytes) -> dict[str, str]:
    text = content.decode("utf-8", "replace")
    return _slice_definitions(text, list(_GO.finditer(text)))


def _slice_definitions(text: str, found: list[re.Match[str]]) -> dict[str, str]:
    """Return each name with the text from its definition to the next one, or to another line."""
    found = sorted(found, key=re.Match.start)
    starts = [each.start() for each in found]
    names: dict[str, str] = {}
    for each, limit in zip(found, [*starts[1:], len(text)], strict=False):
        owner, name = ("", each[1]) if each.re.groups == 1 else (each[1] or "", each[2])
        if owner and not owner[0].isupper():
            continue
        next_line = _TOP_LINE.search(text, each.end(), limit)
        body = text[each.start() : next_line.start() if next_line else limit]
        words = [word for word in _TOKEN.findall(body) if word != name]
        names[f"{owner}.{name}" if owner else name] = " ".join(words)
    return names


_READERS: Final[Mapping[str, Callable[[bytes], dict[str, str] | None]]] = {
    **dict.fromkeys((".py", ".pyi"), _read_python),
    **dict.fromkeys(
        (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts"), _read_javascript
    ),
    ".go": _read_go,
}

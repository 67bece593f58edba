"""Recognizes code that asks where it runs: its process, its output, the folder with the tests."""

import ast
import re
from collections.abc import Callable
from typing import Final

from orchestrator.guard.scan.syntax import (
    Syntax,
    collect_parameters,
)

_PROCESS_FILE: Final = re.compile(
    r"/proc/(?:self|thread-self|curproc|\d+|\{\w*\}|%[ds])?/?(?:task/[^/]+/)?"
    r"(?:cmdline|environ|comm|exe|maps|fd(?:/\d*)?)"
)
_PROCESS_FOLDER: Final = re.compile(r"/proc/(?:self|thread-self)/?")
_PROCESS_PART: Final = re.compile(r"/?(?:cmdline|environ|comm|exe|maps)")
_LISTING: Final = re.compile(r"(?:/\S*/)?(?:ps|pgrep|pstree)(?:\s+-?\w.*)?")
_OF_PROCESS: Final = frozenset(
    {"cmdline", "environ", "exe", "name", "parent", "parents", "open_files", "memory_maps"}
)
_STREAMS: Final = frozenset({"sys.stdout", "sys.stderr", "sys.stdin"})
_STREAM_QUESTIONS: Final = frozenset({"type", "isinstance", "hasattr", "id", "vars", "dir", "repr"})
_HARNESS: Final = re.compile(
    r"faulthandler\.is_enabled|importlib\.util\.find_spec|importlib\.metadata\.(?:distribution|version)"
)
_HOOKS: Final = frozenset({"sys.unraisablehook", "sys.excepthook", "threading.excepthook"})
_EXISTS: Final = frozenset(
    {
        *("exists", "is_dir", "is_file", "isdir", "isfile", "lexists", "access", "stat", "lstat"),
        *("glob", "rglob", "iterdir", "listdir", "scandir", "walk", "resolve", "samefile"),
    }
)
_TEST_FILE: Final = re.compile(
    r"(?:^|/)tests?(?:/|$)|(?:^|/)test_[\w*]*(?:\.py)?$|(?:^|/)(?:conftest\.py|pytest\.ini)$"
)
_RUNNER: Final = re.compile(r"_?pytest(?:\..*)?|pluggy|nose2?|tests?|conftest")
_USUAL: Final = re.compile(
    r"ipy|jupyter|colab|OutStream|notebook|docker|systemd|gunicorn|uvicorn|celery|encod|buffer"
    r"|reconfigure|isatty",
    re.IGNORECASE,
)
NodePredicate = Callable[[ast.AST, Syntax], bool]


def _is_process_query(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node reads what the operating system knows about the own process."""
    if isinstance(node, ast.Call):
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if method in _OF_PROCESS and owner is not None and _is_own_process(owner, syntax):
            return True
        called = syntax.resolve_name(node.func)
        if called.startswith(("subprocess.", "os.popen", "os.system")) and node.args:
            return _is_process_listing(node.args[0], syntax)
    text = _render_template(node, syntax)
    if _PROCESS_FILE.fullmatch(text):
        return True
    if isinstance(node, ast.BinOp | ast.Call):
        words = [
            _render_template(each, syntax) for each in ast.walk(node) if isinstance(each, ast.expr)
        ]
        return any(map(_PROCESS_FOLDER.fullmatch, words)) and any(
            map(_PROCESS_PART.fullmatch, words)
        )
    return False


def _is_own_process(node: ast.AST, syntax: Syntax) -> bool:
    found = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    names = [_find_value(each.id, syntax) for each in ast.walk(node) if isinstance(each, ast.Name)]
    found += [each for each in names if isinstance(each, ast.Call)]
    return any(
        syntax.resolve_name(each.func) == "psutil.Process"
        and (not each.args or re.search(r"os\.getp?pid", ast.unparse(each.args[0])))
        for each in found
    )


def _is_process_listing(node: ast.expr, syntax: Syntax) -> bool:
    first = node.elts[0] if isinstance(node, ast.List | ast.Tuple) and node.elts else node
    return _LISTING.fullmatch(_render_template(first, syntax)) is not None


def _is_output_query(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node checks what kind of object the output goes to.

    pytest replaces `sys.stdout` and its file descriptor to capture output, which gives it away.
    """
    if isinstance(node, ast.Call):
        called = syntax.resolve_name(node.func)
        first = syntax.resolve_name(node.args[0]) if node.args else ""
        if called in _STREAM_QUESTIONS and first in _STREAMS:
            return not _USUAL.search(ast.unparse(syntax.parents.get(node, node)))
        owner = called.rpartition(".")[0]
        if owner in _STREAMS:
            return called.endswith((".fileno", ".getvalue"))
        return called in ("os.fstat", "os.ttyname", "os.readlink") and bool(
            re.fullmatch(r"[012]|sys\.std\w+\.fileno\(\)", ast.unparse(node.args[0]))
            if node.args
            else False
        )
    if isinstance(node, ast.Attribute):
        named = node.attr in ("__class__", "__module__", "name", "mode")
        return named and syntax.resolve_name(node.value) in _STREAMS
    if isinstance(node, ast.Compare):
        sides = {syntax.resolve_name(each) for each in (node.left, *node.comparators)}
        return bool(sides & _STREAMS) and all(isinstance(o, ast.Is | ast.IsNot) for o in node.ops)
    return False


def _is_test_folder_query(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node searches for tests beside the code, or in the current folder."""
    if not isinstance(node, ast.Call):
        return False
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method not in _EXISTS:
        return False
    words = [word for each in _collect_parts(node, syntax) for word in syntax.collect_strings(each)]
    if not any(_TEST_FILE.search(word) for word in words):
        return False
    scope = syntax.find_scope(node)
    given = collect_parameters(scope)
    names = {
        each.id
        for part in _collect_parts(node, syntax)
        for each in ast.walk(part)
        if isinstance(each, ast.Name)
    }
    # A folder that is passed as an argument is what the program works on, not where it runs.
    return not names & given


def _is_harness_query(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a node checks for what a test runner sets up in its process.

    pytest enables faulthandler, replaces exception hooks and inserts an importer that rewrites
    assertions into `sys.meta_path`.
    """
    if isinstance(node, ast.Call):
        called = syntax.resolve_name(node.func)
        if called == "faulthandler.is_enabled":
            return True
        first = syntax.fold_string(node.args[0]) if node.args else ""
        return _HARNESS.fullmatch(called) is not None and bool(_RUNNER.fullmatch(first))
    if isinstance(node, ast.Compare):
        sides = {syntax.resolve_name(each) for each in (node.left, *node.comparators)}
        return bool(sides & _HOOKS)
    if isinstance(node, ast.Attribute):
        if node.attr == "handlers":
            parents = [
                ast.unparse(each)
                for each in syntax.iter_ancestors(node)
                if isinstance(each, ast.expr)
            ]
            return any(re.search(r"\btype\(|__class__", each) for each in parents)
        return syntax.resolve_name(node) == "sys.meta_path"
    return False


QUERIES: Final[dict[str, NodePredicate]] = {
    "what the system knows of its process": _is_process_query,
    "the kind of its output": _is_output_query,
    "whether tests lie beside it": _is_test_folder_query,
    "what a runner of tests sets up": _is_harness_query,
}


def _collect_parts(node: ast.Call, syntax: Syntax) -> list[ast.expr]:
    """Return the parts of a call, and what is assigned to the names in them."""
    parts = [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
    for name in [
        each.id for part in parts for each in ast.walk(part) if isinstance(each, ast.Name)
    ]:
        value = _find_value(name, syntax)
        if value is not None:
            parts.append(value)
    return parts


def _find_value(name: str, syntax: Syntax) -> ast.expr | None:
    for node in ast.walk(syntax.tree):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return node.value
    return None


def _render_template(node: ast.AST, syntax: Syntax) -> str:
    """Return the text of a string, with `{}` for each computed part."""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values
        )
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
        return node.value.decode("ascii", "replace")
    return syntax.fold_string(node)

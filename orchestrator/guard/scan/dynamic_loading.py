"""Finds code that is loaded from where no scan looks: other folders, data, text."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.guard.scan.syntax import Suspicion, Syntax, render_snippet
from orchestrator.platform import files

_LOADERS: Final = frozenset(
    {
        *("runpy.run_path", "importlib.util.spec_from_file_location", "imp.load_source"),
        *("importlib.machinery.SourceFileLoader", "importlib.machinery.SourcelessFileLoader"),
        *("importlib.machinery.ExtensionFileLoader", "site.addsitedir", "ctypes.CDLL"),
    }
)
_RAW_CODE: Final = frozenset(
    {"marshal.loads", "marshal.load", "types.CodeType", "types.FunctionType"}
)
_ENCODED: Final = re.compile(r"b(?:ase)?64|b85|zlib|codecs\.decode|fromhex|decompress|rot13|rot_13")


def iter_dynamic_loading(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    """Yield where code is loaded by other means than an import."""
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Call):
        called = syntax.resolve_name(node.func)
        text = ast.unparse(node)
        if called in ("exec", "eval", "builtins.exec", "compile") and node.args:
            argument = _expand_names(node.args[0], syntax)
            if _ENCODED.search(argument) or "marshal" in argument:
                yield Suspicion(line, f"runs encoded code: {render_snippet(node)}")
            elif re.search(r"\bopen\(|read_text\(|read_bytes\(|\.read\(\)", argument):
                yield Suspicion(
                    line,
                    f"runs the text of a file: {render_snippet(node)}",
                    decisive=False,
                    executes_file=True,
                )
        elif called in _LOADERS and called != "ctypes.CDLL":
            yield Suspicion(
                line,
                f"loads code by its path: {render_snippet(node)}",
                _contains_hidden_folder(text),
                executes_file=True,
            )
        elif called in _RAW_CODE:
            yield Suspicion(line, f"makes code at run time: {render_snippet(node)}", trace=called)
        elif re.match(r"sys\.(?:path|meta_path|path_hooks)\.(?:append|insert|extend)\(", text):
            yield _build_path_suspicion(node, line)
    elif isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(ast.unparse(each).startswith(("sys.path", "sys.meta_path")) for each in targets):
            yield _build_path_suspicion(node, line)


def iter_outside_paths(syntax: Syntax, project: Path, home: str) -> Iterator[tuple[ast.AST, Path]]:
    """Yield the existing files and folders outside of a project that a file's strings name.

    Args:
        syntax: the file.
        project: the project's real folder.
        home: the home folder, for `~`.
    """
    for node in ast.walk(syntax.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        word = node.value
        if not word.startswith(("~", "/", "..")) or "\n" in word or len(word) > 300:
            continue
        path = Path(os.path.normpath(project / re.sub(r"^~", home, word)))
        if path.is_relative_to(project) or project.is_relative_to(path):
            continue
        if files.exists(path):
            yield node, path


def has_dynamic_loading(syntax: Syntax) -> bool:
    """Return whether a file loads code by any means but a plain import."""
    text = ast.unparse(syntax.tree)
    return (
        re.search(
            r"\bexec\(|\beval\(|sys\.path|run_path|spec_from_file_location|FileLoader|load_source"
            r"|addsitedir|import_module|__path__|CDLL",
            text,
        )
        is not None
    )


def _build_path_suspicion(node: ast.AST, line: int) -> Suspicion:
    text = f"adds to where modules are found: {render_snippet(node)}"
    return Suspicion(line, text, _contains_hidden_folder(ast.unparse(node)))


def _contains_hidden_folder(text: str) -> bool:
    """Return whether a text names a folder that no scan enters."""
    found = re.search(
        r"['\"](?:[^'\"]*/)?(?:\.(?:cache|git|pytest_cache|mypy_cache|ruff_cache|hypothesis|tox|nox)"
        r"|__pycache__|node_modules|site-packages)\b",
        text,
    )
    return found is not None


def _expand_names(node: ast.expr, syntax: Syntax) -> str:
    """Return the text of an expression, with what is assigned to its names."""
    text = ast.unparse(node)
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    for each in ast.walk(syntax.tree):
        if isinstance(each, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in names for target in each.targets
        ):
            text += f" {ast.unparse(each.value)}"
    return text

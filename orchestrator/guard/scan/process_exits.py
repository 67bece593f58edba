"""Finds code that ends the process, or replaces it, before the runner has reported its results."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.syntax import Suspicion, Syntax, render_snippet

_EXEC: Final = re.compile(r"(?:os|posix)\.exec[lv]\w*")
_EXITS: Final = frozenset({"sys.exit", "exit", "quit", "builtins.exit", "SystemExit"})
_PROGRAM: Final = re.compile(
    r"(?:^|/)(?:__main__|setup|manage|noxfile|tasks)\.py$|(?:^|/)(?:bin|scripts?|tools?)/"
)


def iter_process_exits(node: ast.AST, syntax: Syntax) -> Iterator[Suspicion]:
    """Yield calls that end or replace the process."""
    if isinstance(node, ast.Raise) and node.exc is not None:
        exc = node.exc if isinstance(node.exc, ast.Call) else None
        name = syntax.resolve_name(exc.func if exc else node.exc)
        if name == "SystemExit" and _is_exit_at_import(node, exc.args if exc else [], syntax):
            yield Suspicion(node.lineno, "ends the program when it is imported")
        return
    if not isinstance(node, ast.Call):
        return
    called = syntax.resolve_name(node.func)
    if called in ("os._exit", "posix._exit"):
        if not _is_in_child(node, syntax) and not syntax.runs_as_program(node):
            text = "os._exit() ends the tests before they can fail"
            yield Suspicion(node.lineno, text, trace="_exit(")
    elif _EXEC.fullmatch(called):
        words = ast.unparse(node)
        again = re.search(r"sys\.executable|sys\.argv|pytest|orig_argv", words) is not None
        early = syntax.runs_at_import(node)
        if not syntax.runs_as_program(node):
            text = f"replaces the process: {render_snippet(node)}"
            yield Suspicion(node.lineno, text, again or early, "os.exec")
    elif called in ("os.kill", "os.killpg", "signal.pthread_kill") and "get" in ast.unparse(node):
        hard = re.search(r"SIGKILL|SIGSTOP|\b9\b", ast.unparse(node)) is not None
        own = re.search(r"getp(?:pid|id|grp|gid)\(", ast.unparse(node)) is not None
        if own and (hard or syntax.runs_at_import(node)):
            yield Suspicion(
                node.lineno, f"ends its own process: {render_snippet(node)}", trace="os.kill"
            )
    elif called in _EXITS and _is_exit_at_import(node, node.args, syntax):
        yield Suspicion(node.lineno, "ends the program when it is imported")


def _is_exit_at_import(node: ast.AST, arguments: list[ast.expr], syntax: Syntax) -> bool:
    """Return whether importing a library ends the process with exit code 0."""
    if _PROGRAM.search(syntax.path) or not syntax.runs_at_import(node):
        return False
    success = not arguments or (
        isinstance(arguments[0], ast.Constant) and arguments[0].value in (0, None, False)
    )
    return success and not any(
        isinstance(each, ast.ExceptHandler) for each in syntax.iter_ancestors(node)
    )


def _is_in_child(node: ast.AST, syntax: Syntax) -> bool:
    """Return whether a call is in the branch of a function that only a forked child takes.

    There `os._exit` is right: `sys.exit` would run the parent's cleanup a second time.
    """
    scope = syntax.find_scope(node)
    forks = any(
        isinstance(each, ast.Call)
        and syntax.resolve_name(each.func) in ("os.fork", "os.forkpty", "pty.fork")
        for each in ast.walk(scope)
    )
    if not forks or scope is syntax.tree:
        return False
    branches = [each for each in syntax.iter_ancestors(node) if isinstance(each, ast.If)]
    return any(
        re.search(r"fork\(|\bpid\b|\bchild\b|== 0|\bnot \w+", ast.unparse(each.test))
        for each in branches
    )

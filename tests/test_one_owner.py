"""A fact that several parts need is written down in one module, and the others ask it.

Each check looks at the syntax of every module, so that a second copy fails here on the day that it
is written. What stands in a comment, a docstring or a message is nobody's copy.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.test_architecture import modules

Finds = Callable[[ast.AST], bool]

_OWN_PROGRAMS = "orchestrator.suites.pytest.plugin"
"""Runs inside the project's suite, where nothing of ours can be imported."""


@dataclass(frozen=True)
class Fact:
    """One fact, who writes it down, and a second copy that has to be found."""

    name: str
    owners: frozenset[str]
    finds: Finds
    copy: str


def called(node: ast.AST) -> str:
    """Return the full name of what a node calls; empty where it calls nothing that has one."""
    parts, function = [], getattr(node, "func", None)
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    return ".".join([function.id, *reversed(parts)]) if isinstance(function, ast.Name) else ""


def calls(*names: str) -> Finds:
    """Find calls of functions, by their full names."""
    return lambda node: called(node) in names


def imports(*libraries: str) -> Finds:
    """Find imports of libraries, whatever is taken from them."""

    def find(node: ast.AST) -> bool:
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        return any(name.partition(".")[0] in libraries for name in names)

    return find


def text(*parts: str) -> Finds:
    """Find texts and bytes that hold any of these parts, in f-strings too."""

    def find(node: ast.AST) -> bool:
        if not isinstance(node, ast.Constant):
            return False
        value = node.value.encode() if isinstance(node.value, str) else node.value
        return isinstance(value, bytes) and any(part.encode() in value for part in parts)

    return find


def moves_files(node: ast.AST) -> bool:
    """Find what replaces or renames a file, by whichever library."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    # A text's `replace` takes two arguments, and that of a dataclass or a date takes names.
    one = len(node.args) == 1 and not node.keywords
    of_path = node.func.attr in ("replace", "rename") and one
    return of_path or called(node) in (
        *("os.replace", "os.rename", "os.renames", "os.link"),
        *("tempfile.mkstemp", "tempfile.NamedTemporaryFile"),
    )


def names_path(node: ast.AST) -> bool:
    """Find a digest of a path."""
    if not isinstance(node, ast.Call) or not called(node).endswith("sha256"):
        return False
    return any(
        called(each) in ("os.fsencode", "bytes")
        for argument in node.args
        for each in ast.walk(argument)
    )


def joins_git_folder(node: ast.AST) -> bool:
    """Find a path to `.git`; a list of names that are not looked into is none."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return any(is_whole(side, ".git") for side in (node.left, node.right))
    if isinstance(node, ast.Call):
        arguments = [each for each in node.args if isinstance(each, ast.Constant)]
        return any(each.value in (".git", b".git") for each in arguments)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.Compare):
        values = [*getattr(node, "comparators", ()), getattr(node, "value", None)]
        return any(isinstance(each, ast.Constant) and each.value == ".git" for each in values)
    return False


def owners(*names: str) -> frozenset[str]:
    return frozenset(f"orchestrator.{name}" for name in names)


FACTS = (
    Fact("moves a file into place", owners("platform.atomic"), moves_files, "draft.replace(path)"),
    Fact(
        "brings a file to the disk",
        # The buffer's entry is added, and nothing is replaced.
        # A file that a rename cannot replace is written through its own descriptor.
        owners("platform.atomic", "platform.in_place", "session_hooks.writeahead.buffer"),
        calls("os.fsync", "os.fdatasync", "os.sync"),
        "os.fsync(file)",
    ),
    Fact(
        "locks a file",
        owners("platform.locking"),
        imports("fcntl", "filelock", "msvcrt", "portalocker"),
        "from filelock import FileLock",
    ),
    Fact(
        "knows byte order marks",
        owners("platform.bom"),
        lambda node: text("\ufeff")(node) or is_utf16_mark(node) or calls_codec_marks(node),
        'data.removeprefix(b"\\xef\\xbb\\xbf")',
    ),
    Fact(
        "names a path by its digest", owners("platform.folders"), names_path, "sha256(bytes(path))"
    ),
    Fact("finds .git", owners("platform.folders"), joins_git_folder, 'exists(folder / ".git")'),
    Fact(
        "finds Claude Code's configuration",
        owners("platform.folders"),
        lambda node: is_whole(node, "CLAUDE_CONFIG_DIR", "~/.claude") or joins_home(node),
        'Path.home() / ".claude"',
    ),
    Fact(
        "names Claude Code's settings",
        owners("platform.folders"),
        lambda node: is_whole(node, "settings.json", ".claude/settings.json"),
        'folder / "settings.json"',
    ),
    Fact(
        "names the files of instructions",
        owners("platform.folders"),
        lambda node: is_whole(node, "CLAUDE.md", "AGENTS.md"),
        'project / "CLAUDE.md"',
    ),
    Fact(
        "spells entries of the buffer",
        owners("session_hooks.writeahead.grammar"),
        text("WAL Entry", "TOOL_FAILURE", " in session ", "HEAD (["),
        'f"{call} in session {session}"',
    ),
    Fact(
        "reads pytest's last line",
        owners("suites.pytest.summary"),
        text("passed|failed", r"\d+) passed\b"),
        're.search(r"\\d+ (?:passed|failed) in ", line)',
    ),
    Fact(
        "marks an agent of ours",
        owners("storage.location"),
        lambda node: is_whole(node, "ORCHESTRATOR_RUN"),
        'os.environ.get("ORCHESTRATOR_RUN")',
    ),
    Fact(
        "finds the state directory",
        owners("storage.location"),
        lambda node: is_whole(node, "ORCHESTRATOR_STATE_DIR", "XDG_STATE_HOME"),
        'os.environ.get("XDG_STATE_HOME")',
    ),
    Fact(
        "looks for a virtual environment",
        owners("suites.environment"),
        lambda node: is_whole(node, ".venv"),
        'exists(folder / ".venv")',
    ),
)


def is_utf16_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in (b"\xff\xfe", b"\xfe\xff")


def calls_codec_marks(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node).startswith("codecs.BOM")


def joins_home(node: ast.AST) -> bool:
    """Find a `.claude` in somebody's home."""
    joined = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    return joined and "home" in ast.unparse(node).lower() and ".claude" in ast.unparse(node)


def is_whole(node: ast.AST, *texts: str) -> bool:
    return isinstance(node, ast.Constant) and node.value in texts


def without_docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but texts that stand for themselves."""
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return (node for node in ast.walk(tree) if id(node) not in told)


@pytest.fixture(scope="module")
def nodes() -> dict[str, list[ast.AST]]:
    """Return what stands in each module, but texts that stand for themselves."""
    return {
        name: [*without_docstrings(ast.parse(path.read_text(encoding="utf-8")))]
        for name, path in modules().items()
        if name.startswith("orchestrator") and not name.startswith(_OWN_PROGRAMS)
    }


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_fact_has_one_owner(fact: Fact, nodes: dict[str, list[ast.AST]]) -> None:
    found = {
        name: f"{name}:{getattr(node, 'lineno', '?')}"
        for name, inside in nodes.items()
        for node in inside
        if fact.finds(node)
    }
    assert found, "the check finds nothing, not even the owner"
    others = [place for name, place in found.items() if name not in fact.owners]
    assert others == [], f"ask {', '.join(sorted(fact.owners))}"


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_second_copy_would_be_found(fact: Fact) -> None:
    assert any(map(fact.finds, without_docstrings(ast.parse(fact.copy))))

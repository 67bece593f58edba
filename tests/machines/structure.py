"""Measure how the code is built: `make structure`.

Prints the table of figures that compares this code with others: a row for each folder, a row for
all of them together; then each file that is longer than LIMIT lines with the reason that it gives,
and the longest functions. Folders are arguments; `orchestrator` and `teacher` without any.
Nothing is judged here, and nothing but the standard library is needed.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("orchestrator", "teacher")
LIMIT: Final = 350
REASON: Final = f"Longer than {LIMIT} lines:"
NO_REASON: Final = "NO REASON GIVEN"
LONGEST: Final = 10

BROAD: Final = frozenset({"Exception", "BaseException"})
_IRREGULAR_WORDS: Final = """
begun bent bound bought broken brought built caught chosen done drawn driven eaten fallen fed
fought found forgotten frozen given gone grown heard held hidden kept known laid led left lent lost
made meant met overridden paid proven said seen sent shaken shown slept sold spoken spent stolen
stood stuck sworn swung taken taught thought thrown told torn understood withdrawn woken won worn
written
"""
IRREGULAR: Final = frozenset(_IRREGULAR_WORDS.split())
"""Past participles that do not end in -ed. Those that are also the verb (put, set, read) are not
here: `set_value` is an order."""
_OTHER_WORDS: Final = """
bed bleed breed embed exceed feed greed heed hundred indeed naked need proceed red seed shed shred
sled speed succeed weed
anything beginning bring building ceiling cling during ending evening everything finding fling
greeting heading housekeeping king listing mapping meaning morning nothing ping ring setting sibling
sing sling something spelling spring sting string swing thing warning wing wring
"""
NO_PARTICIPLE: Final = frozenset(_OTHER_WORDS.split())
"""Verbs and plain nouns that end in -ed or -ing."""
MOCK: Final = re.compile(
    r"\b[Mm]onkey[Pp]atch\.(?:setattr|delattr|setitem|delitem)\b"
    r"|\b(?:(?:Magic|Async|NonCallable)?Mock|create_autospec)\("
    r"|\bmock\.patch\b|\bmocker\.|@patch\b|\bpatch\.(?:object|dict|multiple)\b|\bwith patch\("
)
"""What a line of a test holds that replaces a part of the program by its name. To set a variable
of the environment, or to change the folder, replaces nothing."""


@dataclass(frozen=True)
class Function:
    """A function or method, nested ones too; `lines` is from `def` to its end, undecorated."""

    name: str
    path: Path
    line: int
    lines: int
    returns: bool

    @property
    def plain_name(self) -> str:
        """The name without the underscores around it."""
        return self.name.strip("_")

    @property
    def is_dunder(self) -> bool:
        """True where Python has chosen the name."""
        return self.name.startswith("__") and self.name.endswith("__")


@dataclass(frozen=True)
class Source:
    """What is counted in one file."""

    path: Path
    lines: int
    functions: list[Function]
    handlers: int
    """Every `except` clause."""
    broad: int
    """Clauses that name no exception, or Exception or BaseException, alone or in a tuple."""
    swallowing: int
    """Broad clauses in which no statement raises, whether the same exception or another."""
    comments: int
    """Lines with a comment, but for those that only speak to a tool (noqa, type: ignore)."""
    reason: str | None
    """Why the file is long: what follows REASON, in the module's docstring or in a comment."""


@dataclass
class Figures:
    """What is counted in a folder."""

    name: str
    sources: list[Source] = field(default_factory=list)
    mock_lines: int = 0
    test_lines: int = 0
    rooms: int = 0

    @property
    def functions(self) -> list[Function]:
        """The functions of all files."""
        return [function for source in self.sources for function in source.functions]

    @property
    def named(self) -> list[Function]:
        """Functions whose names were chosen here: all but those such as `__init__`."""
        return [function for function in self.functions if not function.is_dunder]


def main(arguments: Sequence[str]) -> int:
    """Print the figures of the folders; return 2 when one of them has no Python file."""
    folders = [Path(argument) for argument in arguments] or [ROOT / name for name in FOLDERS]
    figures = [measure_folder(folder) for folder in folders]
    empty = [each.name for each in figures if not each.sources]
    if empty:
        print(f"No Python file in {', '.join(empty)}", file=sys.stderr)
        return 2
    if len(figures) > 1:
        figures.append(add_figures(figures))
    sources = figures[-1].sources
    for line in [*format_table(figures), "", *format_floors(), "", *format_long_files(sources)]:
        print(line)
    print()
    for line in format_long_functions(figures[-1].functions):
        print(line)
    return 0


def measure_folder(folder: Path) -> Figures:
    """Count the Python files under a folder, and the tests beside it."""
    figures = Figures(folder.name, rooms=count_rooms(folder))
    for path in sorted(folder.rglob("*.py")):
        figures.sources.append(measure_source(path.read_text(encoding="utf-8"), path))
    for path in sorted((folder.resolve().parent / "tests").rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        figures.test_lines += len(lines)
        figures.mock_lines += sum(bool(MOCK.search(line)) for line in lines)
    return figures


def add_figures(figures: Sequence[Figures]) -> Figures:
    """Return the figures of several folders as one; tests that they share are counted once."""
    shared = figures[0]
    return Figures(
        "together",
        [source for each in figures for source in each.sources],
        *(shared.mock_lines, shared.test_lines),
        sum(each.rooms for each in figures),
    )


def measure_source(text: str, path: Path) -> Source:
    """Count one file."""
    tree = ast.parse(text, str(path))
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    broad = [handler for handler in handlers if is_broad(handler)]
    comments = [
        token.string.lstrip("#: ")
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT and not token.string.startswith("#!")
    ]
    return Source(
        path=path,
        lines=len(text.splitlines()),
        functions=list(_functions(tree, path)),
        handlers=len(handlers),
        broad=len(broad),
        swallowing=sum(not raises(handler) for handler in broad),
        comments=sum(not re.match(r"noqa\b|type: ignore", comment) for comment in comments),
        reason=_reason(ast.get_docstring(tree) or "", comments),
    )


def _functions(tree: ast.Module, path: Path) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield Function(node.name, path, node.lineno, lines, node.returns is not None)


def _reason(docstring: str, comments: Iterable[str]) -> str | None:
    found = re.search(rf"^{re.escape(REASON)}(.*?)(?:\n\s*\n|\Z)", docstring, re.DOTALL | re.M)
    texts = [found[1]] if found else []
    texts += [text.removeprefix(REASON) for text in comments if text.startswith(REASON)]
    return next((" ".join(text.split()) for text in texts if text.strip()), None)


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Return whether a clause catches every error."""
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(kind is None or ast.unparse(kind).split(".")[-1] in BROAD for kind in kinds)


def raises(handler: ast.ExceptHandler) -> bool:
    """Return whether a statement of the clause raises; functions defined in it do not count."""
    pending: list[ast.AST] = list(handler.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Raise):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)
    return False


def is_one_word(name: str) -> bool:
    """Return whether a name has no underscore but those around it."""
    return "_" not in name.strip("_")


def is_participle(name: str) -> bool:
    """Return whether a name begins with a participle: `kept_files`, `waiting_for`, `_masked`."""
    word = name.strip("_").lower().split("_")[0]
    if word in NO_PARTICIPLE:
        return False
    stem = re.sub(r"^(?:un|re|over|mis)(?=\w{3})", "", word)
    return not IRREGULAR.isdisjoint({word, stem}) or (
        len(word) > 3 and word.endswith(("ed", "ing"))
    )


def percentile(values: Iterable[int], percent: int) -> int:
    """Return the smallest value that `percent` % of all values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else 0


def count_rooms(folder: Path) -> int:
    """Count the packages and single modules directly in a folder."""
    packages = [path for path in folder.glob("*/") if any(path.glob("*.py"))]
    modules = [path for path in folder.glob("*.py") if not path.stem.startswith("__")]
    return len(packages) + len(modules)


def count_floors() -> int | None:
    """Count the floors of the table in tests/test_architecture.py; None where there is none."""
    path = ROOT / "tests" / "test_architecture.py"
    tree = ast.parse(path.read_text(encoding="utf-8") if path.exists() else "")
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "FLOORS":
            return len(node.value.elts) if isinstance(node.value, ast.Tuple) else None
    return None


def format_table(figures: Sequence[Figures]) -> list[str]:
    """Return the lines of a Markdown table, a row for each folder."""
    rows = [list(describe_figures(each).items()) for each in figures]
    cells = [[title for title, _ in rows[0]], *([value for _, value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_table_row(row, widths) for row in cells]
    return [lines[0], _table_row(["-" * width for width in widths], widths), *lines[1:]]


def _table_row(cells: Iterable[str], widths: Iterable[int]) -> str:
    return f"| {' | '.join(c.ljust(width) for c, width in zip(cells, widths, strict=True))} |"


def describe_figures(figures: Figures) -> dict[str, str]:
    """Return the columns of a folder's row."""
    sources, functions, names = figures.sources, figures.functions, figures.named
    lines = [source.lines for source in sources]
    lengths = [function.lines for function in functions]
    broad, swallowing = (sum(s.broad for s in sources), sum(s.swallowing for s in sources))
    return {
        "folder": figures.name,
        "files": str(len(sources)),
        "median / longest file": f"{percentile(lines, 50)} / {max(lines)}",
        "function p50 / p90 / longest": " / ".join(
            str(percentile(lengths, percent)) for percent in (50, 90, 100)
        ),
        "returns typed": _percent(sum(f.returns for f in functions), len(functions)),
        "broad excepts (not re-raised)": (
            f"{broad} ({swallowing}) of {sum(source.handlers for source in sources)}"
        ),
        "one-word names": _percent(sum(is_one_word(f.plain_name) for f in names), len(names)),
        "participles": _percent(sum(is_participle(f.plain_name) for f in names), len(names)),
        "comments / 1000 lines": _per_thousand(sum(s.comments for s in sources), sum(lines)),
        "mocks / 1000 test lines": _per_thousand(figures.mock_lines, figures.test_lines),
        "rooms": str(figures.rooms),
    }


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if whole else "-"


def _per_thousand(part: int, whole: int) -> str:
    return f"{1000 * part / whole:.1f}" if whole else "-"


def format_floors() -> list[str]:
    """Return a line with the number of floors."""
    floors = count_floors()
    return [f"Floors in tests/test_architecture.py: {floors or 'no table found'}"]


def list_long_files(sources: Iterable[Source]) -> list[Source]:
    """Return the files with more than LIMIT lines, the longest first."""
    return sorted((s for s in sources if s.lines > LIMIT), key=lambda source: -source.lines)


def format_long_files(sources: Iterable[Source]) -> list[str]:
    """Return a line for each file that is too long, with its reason."""
    found = list_long_files(sources)
    lines = [f"{s.lines:6}  {_relative(s.path)}: {s.reason or NO_REASON}" for s in found]
    missing = sum(source.reason is None for source in found)
    return [f"Files over {LIMIT} lines: {len(found)}, without a reason: {missing}", *lines]


def format_long_functions(functions: Iterable[Function]) -> list[str]:
    """Return a line for each of the longest functions."""
    found = sorted(functions, key=lambda function: -function.lines)[:LONGEST]
    lines = [f"{f.lines:6}  {_relative(f.path)}:{f.line}: {f.name}" for f in found]
    return [f"The {len(found)} longest functions (lines):", *lines]


def _relative(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

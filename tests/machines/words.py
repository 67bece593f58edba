"""Keep words of a private dialect out of the code and its pages: `make lint`.

Looks at names, docstrings, comments and messages (string literals with a space in them) of
`orchestrator`, `teacher` and `prompts`, at the prompts themselves, and at the prose of the
documentation. Prints a line for each word of DENIED, and for each docstring of a function that
does not begin with a verb in the imperative, and returns 1 when there was any. `--count` prints
how many there are in each folder; paths as arguments confine the search to them. Not looked at:
local variables, code in pages and between backticks, and what cog generates.
"""

import argparse
import ast
import functools
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("orchestrator", "teacher", "prompts")
PAGES: Final = ("README.md", "CONTRIBUTING.md", "N8N_SETUP.md", "docs/*.md", "prompts/*.md")


@dataclass(frozen=True)
class Denied:
    """A word, and what to write instead.

    Both patterns ignore case, and a space in one stands for any white space. `name` is matched
    with the words of a name in lower case: `take back` for `take_back` and for `TakeBack`.
    """

    write: str
    name: str | None = None
    prose: str | None = None
    only_of_text: bool = False
    """The name is denied only for a single text: a parameter or field that is a `str`, or a
    function that returns one."""


_BACK: Final = r"(?:take|takes|taking|taken|took|put|puts|putting|give|gives|giving|given|gave)"
_NOT_BACK: Final = r"(?![- ]?(?:end|ground|off|tick|up|ward)|slash|port)"
_THING: Final = r"(?:the|a|an|it|its|this|that|them|these|those|him|each|every|all|such|one|what)"
_GO: Final = (
    r"(?:way|all|go|goes|going|went|turn|turns|turned|wrap|wraps|wrapped|look|looks|get|gets|got|"
    r"come|comes|pass|passes|passed|work|works|written|built)"
)

DENIED: Final = (
    Denied("determines_success", name="tells success"),
    Denied("QueueingTeacher", name="keeping teacher"),
    Denied("WaitForResetAgent", name="patient agent"),
    Denied(
        "hint or fix",
        name="(?:un)?mend(?:s|ed|ing)?",
        prose="(?:un)?mend(?:s|ed|ing)?",
    ),
    # What is done "on demand" is plain English.
    Denied("require_x, ensure_x or check_x", name="(?<!on )demand(?:s|ed|ing)?"),
    Denied(
        "report, notify, say or (one thing from another) distinguish",
        name="tells?|telling|told|untold",
        prose="tells?|telling|told|untold",
    ),
    Denied(
        "revert, restore or return",
        name=rf"{_BACK} back|ways? back",
        # Up to three words may stand between: "puts the old file back".
        prose=rf"{_BACK}(?: [\w'-]+){{0,3}} back{_NOT_BACK}|ways? back{_NOT_BACK}",
    ),
    Denied("blocking reason", name="stand ?stills?", prose="stand-?stills?"),
    # "in essence" is plain English.
    Denied("test_config", name="essences?", prose="(?<!in )essences?"),
    Denied(
        "affects (the tests)",
        name="steers?|steered|steering",
        prose="steers?|steered|steering",
    ),
    Denied("RuleFiles", name="shelf|shelves", prose="(?<!off-the-)(?<!off the )(?:shelf|shelves)"),
    Denied("RuleFileSet", name="pages"),
    # The verb, as in `replace`, is one word with it; `in_place` is how sed edits.
    Denied("RuleLocation, location or path", name="(?<!in )places?"),
    Denied("policy, or the noun that it is", name="keeping"),
    Denied("retained, stored, or the noun that it is", name="kept"),
    Denied(
        "apply_lesson, import or adopt",
        name="(?:take|takes|taking|taken|took) in",
        # Not where it takes place: "taken in the first step", "taken in order".
        prose=(
            "(?:take|takes|taking|took) in(?! (?:order|turn|place))|taken in"
            r"(?! (?:order|turn|place|the|a|an|this|that|which|each|every|one|its|their)\b)"
        ),
    ),
    # A program warms up; a cache is preloaded.
    Denied("preload", name="warm(?:s|ed|ing)?(?! up)"),
    # Words that a command line or a text is split into are words.
    Denied("message", name="(?<!hash )words", only_of_text=True),
    # "in doubt" and "no doubt" are plain English.
    Denied(
        "verify_verdict",
        name="doubt(?:s|ed|ing|ful)?",
        prose="(?<!in )(?<!no )(?<!without )(?<!beyond )doubt(?:s|ed|ing|ful)?",
    ),
    Denied(
        "infrastructure error, or the error that it is",
        name="troubles?|troubled",
        prose="troubles?|troubled",
    ),
    # `--ours` is an option of git.
    Denied("own or private", name="ours", prose="(?<!-)ours(?: alone)?"),
    Denied(
        "close or resolve",
        name="(?:un)?settl(?:e|es|ed|ing)",
        prose="(?:un)?settl(?:e|es|ed|ing)",
    ),
    Denied(
        "again, or the verb with re-",
        name="anew|once more",
        prose="(?:beg(?:in|ins|an|un|inning) )?anew|once more",
    ),
    Denied("started", name="begun", prose="begun"),
    Denied("while, or in the meantime", name="meanwhile", prose="meanwhile"),
    Denied("before, or in advance", name="beforehand", prose="beforehand"),
    # A number is rounded, and something happens in rounds.
    Denied(
        "around",
        prose=(
            rf"round {_THING}\b(?! (?:\w+ )?(?:up|down|to|number|value)\b)|{_GO} round(?! of\b)"
        ),
    ),
    Denied(
        "active; for what is not: shadowed, or no longer loaded",
        name="(?:in|into|out of) force",
        prose="(?:in|into|out of) force",
    ),
    Denied(
        "retained, or what it is that stays",
        name="what stays|what is kept",
        prose="what (?:stays?|stayed|(?:is|was|are|were|has been|is to be) kept)",
    ),
    Denied("the class's new name", prose="KeepingTeacher|PatientAgent|tells_success"),
)
"""The first entry that matches counts: what is more special stands before what is less."""


@dataclass(frozen=True)
class Excused:
    """A line that may have a word: a path, a part of the line, and why."""

    path: str
    part: str
    reason: str


EXCUSED: Final[tuple[Excused, ...]] = (
    Excused("orchestrator/failures/finding_evidence.py", "told", "how a finding was worded once"),
    Excused("orchestrator/models/footprint.py", "steering", "a field of stored footprints"),
    Excused("orchestrator/models/rules.py", "trouble", "a field of stored results"),
    Excused("orchestrator/rulebook/signed_words.py", "steer", "matches the words of a rule"),
    Excused("orchestrator/verdict/task_text.py", "|mend", "matches the words of a user's task"),
)
"""As few as possible. One that excuses nothing is reported."""

_NO_VERB_WORDS: Final = """
a an the this that these those another any both each either every neither no none nothing one other
own same some such two three four first last next only
i he her his it its my our she their there they us we you your
how what whatever when where whether which while who whoever whom whose why
about above after against all along among around as at because before behind below beneath beside
between beyond but by despite down during except for from if in inside instead into like near not of
off on once onto or out outside over per since than then through till to toward under unless until
up upon via with within without yet
agent agents also always claude command default error failure false folder git here how
html json markdown message messages never now optional program python result rule rules session
settings shell step suite teacher text true value words yaml
are be been being can could does had has is may might must should was were will would
"""
NO_VERB: Final = frozenset(_NO_VERB_WORDS.split())
"""First words of docstrings that are no order: articles, pronouns, question words, prepositions,
and the nouns that were found in their place."""
_VERB_WORDS: Final = """
alias bias canvas embed exceed feed focus heed need proceed seed shed shred speed succeed
bring cling ping ring sing sling spring string swing
"""
VERBS: Final = frozenset(_VERB_WORDS.split())
"""Verbs that end as a third person, a participle or a plural does."""


class Kind(StrEnum):
    """Where a word stands."""

    NAME = "name"
    DOCSTRING = "docstring"
    OPENING = "docstring's opening"
    COMMENT = "comment"
    MESSAGE = "message"
    PAGE = "page"


@dataclass(frozen=True)
class Item:
    """A name or a text; `lines` has the number of the line on which each line of it stands."""

    kind: Kind
    path: str
    text: str
    lines: Sequence[int]
    is_text: bool = False
    """The name is that of a single text; see Denied."""


@dataclass(frozen=True)
class Hit:
    """A word that is denied."""

    kind: Kind
    path: str
    line: int
    word: str
    write: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.word}" in a {self.kind}: write {self.write}'


def main(arguments: Sequence[str]) -> int:
    """Print the hits or their number; return 1 when there are any."""
    parser = argparse.ArgumentParser(description="Find words that STYLE denies.")
    parser.add_argument("--count", action="store_true", help="print how many, for each folder")
    parser.add_argument("paths", nargs="*", help="folders and files to look at; all by default")
    options = parser.parse_args(arguments)
    paths = tuple(str(Path(path)) for path in options.paths)
    hits = [hit for item in list_items(paths) for hit in find_hits(item)]
    hits.sort(key=lambda hit: (hit.path, hit.line))
    left, unused = excuse_hits(hits, EXCUSED)
    lines = format_counts(left) if options.count else [str(hit) for hit in left]
    if not paths:
        lines += [f"{each.path}: {each.part!r} excuses nothing: remove it" for each in unused]
    for line in lines:
        print(line)
    return 1 if left or (unused and not paths) else 0


def is_under(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path is one of the folders or files, or in one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def list_items(paths: Sequence[str] = (), root: Path = ROOT) -> Iterator[Item]:
    """Yield all names and texts of the repository, or those under some paths."""
    sources = [file for folder in FOLDERS for file in (root / folder).rglob("*.py")]
    pages = [file for pattern in PAGES for file in root.glob(pattern)]
    for file in [*sorted(sources), *sorted(pages)]:
        path = file.relative_to(root).as_posix()
        if paths and not is_under(path, paths):
            continue
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".py":
            yield from read_source(text, path)
        else:
            yield read_page(text, path)


def read_source(text: str, path: str) -> Iterator[Item]:
    """Yield the names, docstrings, messages and comments of a Python file."""
    tree = ast.parse(text, path)
    stem = Path(path).stem
    yield Item(Kind.NAME, path, stem if stem != "__init__" else Path(path).parent.name, [1])
    docstrings = set(_docstrings(tree))
    nested = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        yield from _names(node, path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property(node):
            yield from _opening(node, path)
        value = _text_of(node) if id(node) not in nested else None
        if value is not None and isinstance(node, ast.expr) and " " in value:
            kind = Kind.DOCSTRING if node in docstrings else Kind.MESSAGE
            yield Item(kind, path, _without_code(value), _lines_of(node, value, text))
    yield from _comments(text, path)


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield texts that are statements: docstrings, also those below a constant or a field."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _text_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) or "{}" for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def _lines_of(node: ast.expr, value: str, source: str) -> Sequence[int]:
    """Return the line of each line of a text, or the first one's for all where they differ."""
    last = node.end_lineno or node.lineno
    if value.count("\n") == last - node.lineno:
        return range(node.lineno, last + 1)
    found, line, lines = [], node.lineno, source.splitlines()
    for part in value.split("\n"):
        # A text in several parts, or with escapes: look for where its words begin.
        start = part.strip()[:12]
        line = next((n for n in range(line, last + 1) if start and start in lines[n - 1]), line)
        found.append(line)
    return found


def _names(node: ast.AST, path: str) -> Iterator[Item]:
    for name, line, annotation in _named(node):
        is_text = annotation is not None and ast.unparse(annotation) in {"str", "str | None"}
        yield Item(Kind.NAME, path, name, [line], is_text)


def _named(node: ast.AST) -> Iterator[tuple[str, int, ast.expr | None]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name, node.lineno, node.returns
    elif isinstance(node, ast.ClassDef):
        yield node.name, node.lineno, None
    elif isinstance(node, ast.arg):
        yield node.arg, node.lineno, node.annotation
    if isinstance(node, ast.ClassDef | ast.Module):
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign):
                yield ast.unparse(statement.target), statement.lineno, statement.annotation
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    yield ast.unparse(target), statement.lineno, None
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                yield target.attr, node.lineno, getattr(node, "annotation", None)


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a method is read as data; its docstring may begin with a noun."""
    names = [ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list]
    return any(name.endswith("property") or name in {"setter", "deleter"} for name in names)


def _opening(node: ast.FunctionDef | ast.AsyncFunctionDef, path: str) -> Iterator[Item]:
    words = (ast.get_docstring(node) or "").split()
    if words:
        yield Item(Kind.OPENING, path, words[0].rstrip(".,:;"), [node.body[0].lineno])


def _comments(text: str, path: str) -> Iterator[Item]:
    """Yield comments; those on lines that follow each other are one text."""
    block: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            if block and line != block[-1][0] + 1:
                yield _comment(block, path)
                block = []
            block.append((line, token.string.lstrip("#: ")))
    if block:
        yield _comment(block, path)


def _comment(block: Sequence[tuple[int, str]], path: str) -> Item:
    text = _without_code("\n".join(text for _, text in block))
    return Item(Kind.COMMENT, path, text, [line for line, _ in block])


def _without_code(text: str) -> str:
    """Blank what stands between backticks."""
    return re.sub(r"``[^`]+``|`[^`]+`", _blank, text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"\S", "·", match[0])


NO_PROSE: Final = re.compile(
    r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->"  # generated
    r"|<!--.*?-->"
    r"|^(?P<fence> *(?:```|~~~)).*?^(?P=fence)"
    r"|``[^`\n]+``|`[^`\n]+`"
    r"|(?<=\])\([^)\s]+\)"  # where a link leads
    r"|https?://\S+",
    re.DOTALL | re.MULTILINE,
)
"""The parts of a page that are no prose."""


def read_page(text: str, path: str) -> Item:
    """Return the prose of a page, with everything else blanked."""
    prose = NO_PROSE.sub(_blank, text)
    return Item(Kind.PAGE, path, prose, range(1, prose.count("\n") + 2))


def find_hits(item: Item) -> list[Hit]:
    """Return what is denied in a name or a text, in the order in which it stands there."""
    if item.kind is Kind.OPENING:
        return _check_opening(item)
    text = split_name(item.text) if item.kind is Kind.NAME else item.text
    found: dict[int, Hit] = {}
    taken: set[int] = set()
    for denied in DENIED:
        pattern = denied.name if item.kind is Kind.NAME else denied.prose
        if pattern is None or (denied.only_of_text and not item.is_text):
            continue
        for match in compile_pattern(pattern).finditer(text):
            if taken.isdisjoint(range(*match.span())):
                taken.update(range(*match.span()))
                line = item.lines[text.count("\n", 0, match.start())]
                word = item.text if item.kind is Kind.NAME else " ".join(match[0].split())
                found[match.start()] = Hit(item.kind, item.path, line, word, denied.write)
    return [hit for _, hit in sorted(found.items())]


@functools.cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern of DENIED for whole words, in which a space stands for any white space."""
    # Not inside a set or a look-behind, which has one width.
    parts = re.split(r"(\[[^\]]*\]|\(\?<[!=][^)]*\))", pattern)
    spaced = [part if odd % 2 else part.replace(" ", r"\s+") for odd, part in enumerate(parts)]
    return re.compile(rf"(?<!\w)(?:{''.join(spaced)})(?!\w)", re.IGNORECASE)


def split_name(name: str) -> str:
    """Return the words of a name: `take back` for `_take_back` and for `TakeBack`."""
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)).lower()


def _check_opening(item: Item) -> list[Hit]:
    if opens_with_verb(item.text):
        return []
    write = "a verb in the imperative first (Return, Yield, Parse, Raise)"
    return [Hit(item.kind, item.path, item.lines[0], item.text, write)]


def opens_with_verb(word: str) -> bool:
    """Return whether the first word of a docstring may be a verb in the imperative."""
    small = word.lower()
    if not re.fullmatch(r"[A-Z][a-z]+(?:-[a-z]+)?", word) or small in NO_VERB:
        return False
    third_person = small.endswith("s") and not small.endswith("ss")
    return small in VERBS or not (third_person or small.endswith(("ed", "ing")))


def excuse_hits(
    hits: Sequence[Hit], excused: Sequence[Excused], root: Path = ROOT
) -> tuple[list[Hit], list[Excused]]:
    """Return the hits without an excuse, and the excuses without a hit."""
    left, used = [], set()
    for hit in hits:
        excuse = next((each for each in excused if _excuses(each, hit, root)), None)
        if excuse is None:
            left.append(hit)
        else:
            used.add(excuse)
    return left, [each for each in excused if each not in used]


def _excuses(excused: Excused, hit: Hit, root: Path) -> bool:
    if excused.path != hit.path:
        return False
    return excused.part in (root / hit.path).read_text(encoding="utf-8").splitlines()[hit.line - 1]


def format_counts(hits: Iterable[Hit]) -> list[str]:
    """Return the lines of a table: folders and pages, and how many hits of each kind."""
    counts = Counter((folder_of(hit.path), hit.kind) for hit in hits)
    titles = {Kind.OPENING: "opening"}
    rows = [["folder", *(titles.get(kind, kind.value) for kind in Kind), "all"]]
    for folder in sorted({folder for folder, _ in counts}):
        numbers = [counts[folder, kind] for kind in Kind]
        rows.append([folder, *map(str, [*numbers, sum(numbers)])])
    numbers = [sum(counts[each] for each in counts if each[1] is kind) for kind in Kind]
    rows.append(["all", *map(str, [*numbers, sum(numbers)])])
    width = max(len(row[0]) for row in rows)
    return [f"{row[0]:{width}}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in rows]


def folder_of(path: str) -> str:
    """Return the part of the repository that a file belongs to: a room, or the page itself."""
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 or path.endswith(".md") else f"{parts[0]}/*.py"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

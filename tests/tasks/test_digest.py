"""Tests for the digest of a list: bounded, nothing hidden, and the names that a commit changed."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.tasks.digest import MOST_COLUMNS, MOST_LINES, build_digest, list_changed_names
from orchestrator.tasks.models import DigestEntry

_TEXTS = st.text(max_size=300)
_ENTRIES = st.lists(
    st.builds(
        DigestEntry,
        _TEXTS,
        _TEXTS,
        st.lists(_TEXTS, max_size=8).map(tuple),
        st.lists(_TEXTS, max_size=8).map(tuple),
        _TEXTS,
    ),
    max_size=30,
)
_PATHS = st.sampled_from(["a.py", "b/c.ts", "d.go", "e.txt", "index.js", "__init__.py"])


def test_a_digest_has_tasks_files_names_and_problems() -> None:
    entries = [
        DigestEntry("Add prices", "solved", ("shop/prices.py",), ("+prices.parse_cents",)),
        DigestEntry("Add a cart", "not solved", problem="tests/test_cart.py::test_sum failed"),
    ]
    assert build_digest(entries).splitlines() == [
        "- Add prices: solved; shop/prices.py",
        "  names: +prices.parse_cents",
        "- Add a cart: not solved",
        "  problem: tests/test_cart.py::test_sum failed",
    ]


def test_the_oldest_are_left_out_and_counted() -> None:
    entries = [DigestEntry(f"task {each}", "solved", ("a.py",), ("+a.b",)) for each in range(30)]
    lines = build_digest(entries).splitlines()
    assert len(lines) == 19
    assert lines[0] == "- 21 earlier tasks left out"
    assert lines[1] == "- task 21: solved; a.py"
    assert lines[-2] == "- task 29: solved; a.py"


def test_items_that_do_not_fit_are_counted() -> None:
    entry = DigestEntry("x", "solved", tuple(f"folder/file_number_{each}.py" for each in range(20)))
    (line,) = build_digest([entry]).splitlines()
    assert line.endswith("folder/file_number_2.py and 17 more")
    (line,) = build_digest([DigestEntry("x", "solved", ("y" * 200,))]).splitlines()
    assert line == "- x: solved; 1 file"


def test_no_entries_and_no_room_give_no_text() -> None:
    assert build_digest([]) == ""
    assert build_digest([DigestEntry("a", "solved")], limit=0) == ""
    assert build_digest([DigestEntry("a", "solved", names=("+b",))], limit=1) == "- a: solved"


@given(_ENTRIES, st.integers(0, 25))
def test_a_digest_is_bounded_and_hides_nothing(entries: list[DigestEntry], limit: int) -> None:
    text = build_digest(entries, limit)
    lines = text.split("\n") if text else []
    assert len(lines) <= limit
    assert all(len(line) <= MOST_COLUMNS for line in lines)
    assert all(line.startswith(("- ", "  ")) for line in lines)
    assert text.replace("\n", "").isprintable()


@given(st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=40))
def test_every_task_is_shown_or_counted(titles: list[str]) -> None:
    lines = build_digest([DigestEntry(title, "solved") for title in titles]).splitlines()
    shown = [line for line in lines if line.endswith(": solved")]
    assert shown == [f"- {title}: solved" for title in titles[-len(shown) :]]
    left_out = len(titles) - len(shown)
    counted = [] if left_out <= 0 else [f"- {left_out} earlier tasks left out"]
    assert lines == counted + shown
    assert len(lines) == min(len(titles), MOST_LINES)


def _list_names(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    def read(path: str) -> tuple[bytes | None, bytes | None]:
        old, new = (each[path].encode() if path in each else None for each in (before, after))
        return old, new

    return list(list_changed_names(read, sorted({*before, *after})))


def test_python_names_are_added_removed_and_renamed() -> None:
    before = {
        "shop/prices.py": (
            "RATE = 1\ndef cents(text):\n    return int(text) and cents(text)\n"
            "def old():\n    return 1\ndef _own():\n    pass\n"
            "class Price:\n    def format(self): return 1\n    def _own(self): pass\n"
        )
    }
    after = {
        "shop/prices.py": (
            "RATE = 2\nLIMIT: int = 3\ndef parse_cents(text):\n"
            "    return int(text) and parse_cents(text)\n"
            "async def fetch():\n    return 2\n"
            "class Price:\n    def show(self, width): return 2\n"
        )
    }
    assert _list_names(before, after) == [
        "~prices.cents -> prices.parse_cents",
        "-prices.old",
        "-prices.Price.format",
        "+prices.LIMIT",
        "+prices.fetch",
        "+prices.Price.show",
    ]


def test_a_new_class_is_one_name_and_a_moved_function_is_renamed() -> None:
    text = "def cents(text):\n    return int(text)\n"
    assert _list_names({"shop/a.py": text}, {"shop/b.py": text}) == ["~a.cents -> b.cents"]
    assert _list_names({"x/a.py": text}, {"y/a.py": text}) == ["~a.cents -> a.cents (y/a.py)"]
    assert _list_names({}, {"a.py": "class A:\n    def b(self): pass\n"}) == ["+a.A"]


def test_what_a_module_declares_is_public() -> None:
    after = {"shop/__init__.py": "from shop.a import b, c\n__all__ = ['b', 'd']\ndef e(): pass\n"}
    assert _list_names({}, after) == ["+shop.b", "+shop.d"]


def test_names_under_a_condition_count() -> None:
    text = "try:\n    import x\nexcept ImportError:\n    def a(): pass\nif 1:\n    def b(): pass\n"
    assert _list_names({}, {"m.py": text}) == ["+m.a", "+m.b"]


def test_exports_of_javascript_and_typescript() -> None:
    before = {"src/cart.ts": "export function sum(a: number) {\n  return a + sum(a)\n}\n"}
    after = {
        "src/cart.ts": (
            "export function total(a: number) {\n  return a + total(a)\n}\n"
            "export interface Line { price: number }\nfunction inner() {}\n"
        ),
        "src/index.js": "export { sum as plus, default as Cart } from './cart'\n",
        "lib/old.cjs": (
            "exports.one = 1\nmodule.exports.two = () => 2\nmodule.exports = { three }\n"
        ),
        "src/app.tsx": "export default async function App() {}\nexport const n = 1, b = 2\n",
    }
    assert _list_names(before, after) == [
        "~cart.sum -> cart.total",
        "+old.one",
        "+old.two",
        "+old.three",
        "+app.App",
        "+app.n",
        "+cart.Line",
        "+src.plus",
        "+src.Cart",
    ]


def test_exported_names_of_go() -> None:
    before = {"shop/prices.go": "package shop\n\nfunc Cents(s string) int { return 1 }\n"}
    after = {
        "shop/prices.go": (
            "package shop\n\nfunc ParseCents(s string) int { return 1 }\nfunc own() {}\n"
            "type Price struct{}\nfunc (p *Price) Format() string { return `x` }\n"
        ),
        "shop/more.go": "package shop\n\nfunc (p Price) Show() {}\nfunc (p own) Hidden() {}\n",
    }
    assert _list_names(before, after) == [
        "~shop.Cents -> shop.ParseCents",
        "+shop.Price.Show",
        "+shop.Price",
    ]


def test_tests_and_other_languages_have_no_names() -> None:
    text = "def a(): pass\n"
    assert not _list_names(
        {}, {"tests/a.py": text, "test_b.py": text, "c.rb": text, "d_test.go": ""}
    )


def test_tests_and_other_languages_are_not_read() -> None:
    read = list[str]()

    def read_versions(path: str) -> tuple[None, None]:
        read.append(path)
        return None, None

    list_changed_names(read_versions, ["logo.png", "a.py", "tests/b.py", "README", "c.TS"])
    assert read == ["a.py", "c.TS"]


def test_a_file_that_cannot_be_read_has_no_changed_names() -> None:
    good, broken = "def a(): pass\n", "def a(:\n"
    assert not _list_names({"m.py": good}, {"m.py": broken})
    assert not _list_names({"m.py": broken}, {"m.py": good})
    for odd in ("(" * 5000, "\0", "-" * 100_000 + "1", "x = " + "[" * 300, "# coding: nonsense\n"):
        assert not _list_names({}, {"m.py": odd})
    assert not _list_names({}, {"m.py": f"def a(): pass\n{'#' * 500_000}"})


@given(_PATHS, st.none() | st.binary(max_size=200), st.none() | st.binary(max_size=200))
def test_no_file_makes_it_fail(path: str, before: bytes | None, after: bytes | None) -> None:
    changed = list_changed_names(lambda _path: (before, after), [path])
    assert all(name[0] in "+-~" for name in changed)
    assert not list_changed_names(lambda _path: (after, after), [path])


_NAMES = st.sets(st.from_regex(r"[a-z]{1,3}", fullmatch=True).filter(lambda name: name not in {
    "and", "as", "def", "del", "for", "if", "in", "is", "not", "or", "try"
}), max_size=5)  # fmt: skip


@given(_NAMES, _NAMES)
def test_added_and_removed_names_are_the_difference(before: set[str], after: set[str]) -> None:
    def write(names: set[str]) -> str:
        return "".join(f"def {name}(): return '{name * 4}!'\n" for name in sorted(names))

    found = _list_names({"m.py": write(before)}, {"m.py": write(after)})
    assert {each for each in found if each[0] == "+"} == {f"+m.{name}" for name in after - before}
    assert {each for each in found if each[0] == "-"} == {f"-m.{name}" for name in before - after}

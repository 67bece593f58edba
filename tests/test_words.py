"""The check of words finds each kind of hit, and leaves plain English alone."""

import textwrap
from collections import Counter
from pathlib import Path

import pytest

from tests.machines import words
from tests.machines.words import Excused, Hit, Item, Kind

SOURCE = textwrap.dedent('''
    """Settle what is open."""

    from pathlib import Path

    # What nobody
    # told us.
    MENDS = 3


    class Shelf:
        """The files of the rules, which nobody puts
        back."""

        pages: int
        words: str

        def __init__(self, words: list[str]) -> None:
            self._begun = False

        @property
        def size(self) -> int:
            """How many there are; `told` is a name."""
            return 1

        def take_back(self) -> str:
            """Says what is in force."""
            return f"{self.size} files, {self.pages} of them taken back"


    def stamp(place: Path, words: str) -> None:
        raise ValueError("told")
''')

PAGE = """\
# What is told

A rule is in
force, and `what is told` is code.

```console
$ tell me
```

[a link](tells.md)
<!-- [[[cog
cog.outl("tell")
]]] -->
tell
<!-- [[[end]]] -->
It goes round the house.
"""


def hits_of(text: str, kind: Kind = Kind.DOCSTRING) -> list[str]:
    lines = range(1, text.count("\n") + 2)
    return [hit.word for hit in words.find_hits(Item(kind, "x.py", text, lines))]


def test_a_source_is_searched() -> None:
    items = list(words.read_source(SOURCE, "shop/kept.py"))
    hits = {(hit.kind, hit.line, hit.word) for item in items for hit in words.find_hits(item)}
    assert hits == {
        (Kind.NAME, 1, "kept"),
        (Kind.DOCSTRING, 2, "Settle"),
        (Kind.COMMENT, 7, "told"),
        (Kind.NAME, 8, "MENDS"),
        (Kind.NAME, 11, "Shelf"),
        (Kind.DOCSTRING, 12, "puts back"),
        (Kind.NAME, 15, "pages"),
        (Kind.NAME, 16, "words"),
        (Kind.NAME, 19, "_begun"),
        (Kind.NAME, 26, "take_back"),
        (Kind.OPENING, 27, "Says"),
        (Kind.DOCSTRING, 27, "in force"),
        (Kind.MESSAGE, 28, "taken back"),
        (Kind.NAME, 31, "place"),
        (Kind.NAME, 31, "words"),
    }


def test_a_page_is_searched_but_for_its_code() -> None:
    hits = words.find_hits(words.read_page(PAGE, "README.md"))
    assert [(hit.kind, hit.line, hit.word) for hit in hits] == [
        (Kind.PAGE, 1, "told"),
        (Kind.PAGE, 3, "in force"),
        (Kind.PAGE, 16, "goes round"),
    ]


def test_a_hit_says_where_and_what_to_write() -> None:
    hit = Hit(Kind.PAGE, "README.md", 3, "told", "report")
    assert str(hit) == 'README.md:3: "told" in a page: write report'


@pytest.mark.parametrize(
    "text",
    [
        *("It amends and recommends.", "It foretold a total.", "The settings of a setting"),
        *("a round number", "round the value up", "the next round", "in rounds", "round to ten"),
        *("rounds the file", "in essence", "without doubt", "git merge --ours", "yours, hours"),
        *("taken in order", "a step taken in the run", "the back end", "takes a back-end"),
        *("reinforced", "in forced order", "on the way", "what keeps it", "off-the-shelf"),
        *("troubleshoot", "the place of the words", "a warm cache", "the pages", "on demand"),
    ],
)
def test_prose_that_is_plain_is_left_alone(text: str) -> None:
    assert hits_of(text) == []


@pytest.mark.parametrize(
    "name",
    [
        *("amend_rule", "retell", "settings", "replace", "sed_in_place", "warm_up", "on_demand"),
        *(
            "housekeeping",
            "page",
            "hours",
            "round_up",
            "take_input",
            "backup",
            "force",
            "hash_words",
        ),
    ],
)
def test_names_that_are_plain_are_left_alone(name: str) -> None:
    item = Item(Kind.NAME, "x.py", name, [1], is_text=True)
    assert words.find_hits(item) == []


@pytest.mark.parametrize(
    "text",
    [
        *("mended", "tells", "telling", "puts it back", "gave the old file back", "a way back"),
        *("a standstill", "its essence", "steering", "the shelves", "took in", "are taken in"),
        *("a doubt", "troubles", "ours alone", "settled", "begun", "begins anew", "once  more"),
        *("Meanwhile", "beforehand", "goes round", "round the", "into force", "out of force"),
        *("what stays", "what is kept", "what was kept", "the KeepingTeacher"),
    ],
)
def test_each_word_is_found_once(text: str) -> None:
    assert len(hits_of(text)) == 1


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("tells_success", "determines_success"),
        ("KeepingTeacher", "QueueingTeacher"),
        ("PatientAgent", "WaitForResetAgent"),
        ("_demand_git", "require_x, ensure_x or check_x"),
        ("warm_cache", "preload"),
        ("in_force", "active; for what is not: shadowed, or no longer loaded"),
    ],
)
def test_names_are_denied(name: str, write: str) -> None:
    assert [hit.write for hit in words.find_hits(Item(Kind.NAME, "x.py", name, [1]))] == [write]


@pytest.mark.parametrize("word", ["Return", "Parse", "Raise", "Pass", "Process", "Bring", "Feed"])
def test_verbs_open_a_docstring(word: str) -> None:
    assert words.opens_with_verb(word)


@pytest.mark.parametrize(
    "word", ["The", "Whether", "Returns", "Tokens", "Called", "Waiting", "`x`", "16", "text", "Own"]
)
def test_other_words_do_not(word: str) -> None:
    assert not words.opens_with_verb(word)


def test_an_excuse_covers_its_line_and_is_reported_when_it_covers_none(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("# git tells\n# git tells more\n", encoding="utf-8")
    hits = [Hit(Kind.COMMENT, "x.py", line, "tells", "report") for line in (1, 2)]
    used = Excused("x.py", "tells more", "what git prints")
    unused = Excused("x.py", "told", "what git prints")
    assert words.excuse_hits(hits, (used, unused), tmp_path) == (hits[:1], [unused])


def test_the_repository_is_read_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    seen = Counter(item.kind for item in words.list_items())
    assert {kind: seen[kind] > 10 for kind in Kind} == dict.fromkeys(Kind, True)
    found = words.main(["--count"])
    assert found in {0, 1}
    assert capsys.readouterr().out.splitlines()[0].split() == [
        *("folder", "name", "docstring", "opening", "comment", "message", "page", "all")
    ]


def test_paths_confine_the_search(capsys: pytest.CaptureFixture[str]) -> None:
    words.main(["teacher"])
    words.main(["no/such/folder"])
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if not line.startswith("teacher/")] == []

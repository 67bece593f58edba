"""Lists in the forms that people use are read as they mean them."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InfrastructureError, LoopError, UsageError
from orchestrator.tasks.models import ListFormat, TaskItem, TaskList
from orchestrator.tasks.reading import build_text_list, list_paths, read_list
from orchestrator.tasks.reading.graph import find_cycle
from orchestrator.tasks.reading.markdown import read_markdown

CASES = Path(__file__).parent / "cases"


def read_case(name: str, project: Path) -> TaskList:
    source = CASES / name
    if source.is_dir():
        shutil.copytree(source, project / name)
    else:
        shutil.copy(source, project / name)
    return read_list(name, project)


def read_text(text: str | bytes, project: Path, name: str = "tasks.md") -> tuple[TaskItem, ...]:
    (project / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_list(name, project).items


def read_one(line: str, project: Path) -> TaskItem:
    return read_text(line, project)[0]


def test_a_fix_plan(project: Path) -> None:
    tasks = read_case("fix_plan.md", project)
    assert tasks.format is ListFormat.MARKDOWN
    assert [(each.title, each.priority, each.done) for each in tasks.items] == [
        ("Build the loan store", 2, False),
        ("Choose a storage engine", 2, True),
        ("Refuse a loan of a book that is out", 5, False),
        ("Count the copies of a book", 5, False),
        ("Send reminders", 5, False),
        ("Sort the catalogue", 8, False),
        ("Nice shelves", 9, False),
        ("Set up the project", 5, True),
    ]
    store, _, refuse, copies, mails, sort, *_ = tasks.items
    assert store.check == "pytest -q tests/test_loans.py"
    assert "no cache" in store.text
    assert (refuse.depends, copies.id) == (("#7",), "#7")
    assert mails.hold == "waits for the mail account"
    assert sort.files == ("src/catalogue.py", "tests/catalogue/**")
    assert [each.line for each in tasks.items] == [6, 9, 12, 13, 14, 18, 24, 31]


def test_spec_kit(project: Path) -> None:
    tasks = {each.id: each for each in read_case("spec_kit.md", project).items}
    assert list(tasks)[:10] == [f"T{number:03}" for number in range(1, 11)]
    assert tasks["T005"].title == "Contract test in tests/contract/test_rooms.py"
    assert tasks["T005"].parallel
    assert tasks["T005"].priority == 1
    assert "[US1]" in tasks["T005"].text
    assert tasks["T001"].files == ("src/rooms/**",)
    assert tasks["T002"].files is None
    assert tasks["T006"].files == ("src/models/room.py",)
    assert tasks["T008"].files is None, "a placeholder is no path"
    assert tasks["T003"].depends == ("T001", "T002")
    assert tasks["T006"].depends == ("T003", "T004")
    assert tasks["T008"].depends == ("T006", "T007", "T003", "T004")
    assert tasks["T009"].depends == ("T003", "T004", "T008")
    assert tasks["T010"].depends == ("T003", "T004"), "stories do not wait for each other"
    (last,) = (each for each in tasks.values() if each.title.startswith("TXXX"))
    assert set(last.depends) == set(tasks) - {last.id}


@pytest.mark.parametrize(
    ("text", "depends"),
    [
        (
            "## Phase 1: Setup\n- [ ] T001 use it (depends on T002)\n- [ ] T002 make it\n",
            {"T001": {"T002"}, "T002": set()},
        ),
        (
            "## Phase 1: Foundational\n- [ ] T001 a\n- [ ] T002 b (depends on T005)\n- [ ] T003 c\n"
            "## Phase 2: Story\n- [ ] T004 d\n- [ ] T005 e\n",
            {
                "T001": set(),
                "T002": {"T005"},
                "T003": {"T002"},
                "T004": {"T001", "T002", "T003"},
                "T005": {"T001"},
            },
        ),
        (
            "## Phase 2: Later\n- [ ] T001 a (files: a.py, b.py)\n- [ ] T002 b (files: b.py)\n"
            "- [ ] T003 c (files: c.py)\n- [ ] T004 d (files: a.py)\n- [ ] T005 e\n",
            {
                "T001": set(),
                "T002": {"T001"},
                "T003": set(),
                "T004": {"T001"},
                "T005": {"T004", "T003", "T002", "T001"},
            },
        ),
    ],
)
def test_what_is_written_counts_more_than_a_phase(
    text: str, depends: dict[str, set[str]], project: Path
) -> None:
    assert {each.id: set(each.depends) for each in read_text(text, project)} == depends


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Setup", "Foundation", "Story", "Polish"]),
            st.booleans(),
            st.sets(st.integers(0, 11), max_size=2),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_phases_make_no_cycle(tasks: list[tuple[str, bool, set[int]]]) -> None:
    lines, last = [], ""
    written = {
        f"T{at:03}": [f"T{each:03}" for each in needs if each < len(tasks)]
        for at, (_, _, needs) in enumerate(tasks)
    }
    for at, (phase, parallel, _) in enumerate(tasks):
        lines += [f"## Phase {at}: {phase}"] if phase != last else []
        last, name = phase, f"T{at:03}"
        after = f" (depends on {', '.join(written[name])})" if written[name] else ""
        lines.append(f"- [ ] {name} {'[P] ' if parallel else ''}do it{after}")
    items = read_markdown("\n".join(lines), "tasks.md")
    assert all(set(written[each.id]) <= set(each.depends) for each in items)
    if not find_cycle(written):
        assert not find_cycle({each.id: each.depends for each in items})


def test_stories(project: Path) -> None:
    tasks = read_case("prd.json", project)
    first, second = tasks.items
    assert tasks.format is ListFormat.PRD
    assert (first.id, first.done, first.priority) == ("US-001", True, 1)
    assert (second.depends, second.files) == (("US-001",), ("src/show.py",))
    assert second.check == "pytest -q tests/test_show.py"
    assert "- Tests pass" in second.text
    assert "sorted by date" in second.text
    assert (first.line, second.line) == (6, 12)


def test_many_priorities_of_stories_are_an_order(project: Path) -> None:
    stories = ",".join(
        f'{{"id": "S{at}", "title": "t{at}", "priority": {20 - at}, "passes": false}}'
        for at in range(12)
    )
    items = read_text(f'{{"userStories": [{stories}]}}', project, "p.json")
    assert [each.id for each in items] == [f"S{at}" for at in reversed(range(12))]
    assert {each.priority for each in items} == {5}


def test_a_folder(project: Path) -> None:
    tasks = read_case("folder", project)
    assert tasks.format is ListFormat.FOLDER
    parser, done, lexer = tasks.items
    assert (parser.id, parser.title, parser.depends) == ("parser", "Parse expressions", ("lexer",))
    assert (parser.priority, parser.files) == (2, ("src/parser.py",))
    assert parser.check == "pytest -q tests/test_parser.py"
    assert "- [ ] sums" in parser.text
    assert (done.id, done.done, done.title) == ("done-one", True, "done-one")
    assert (lexer.id, lexer.title, lexer.path) == ("lexer", "Read tokens", "folder/lexer.md")
    assert list_paths(tasks, project) == ("folder",)


def test_a_text() -> None:
    tasks = build_text_list("Do this\nand that\n")
    assert (tasks.format, tasks.source) == (ListFormat.TEXT, "")
    assert (tasks.items[0].title, tasks.items[0].text) == ("Do this", "Do this\nand that")
    with pytest.raises(UsageError, match="empty"):
        build_text_list(" \n")


def test_boxes_below_a_box(project: Path) -> None:
    one, two, three = read_text(
        "- [ ] T1 Author API (priority: 3) hold: later\n"
        "  For authors.\n"
        "  - [ ] Write tests\n"
        "  - [ ] Write code\n"
        "- [ ] Book API\n"
        "\t- [ ] Write tests (depends on t1)\n",
        project,
    )
    assert [each.title for each in (one, two, three)] == [
        "Write tests",
        "Write code",
        "Write tests",
    ]
    assert one.id != three.id
    assert (one.priority, one.hold, three.hold) == (3, "later", "")
    assert three.depends == (one.id, two.id)
    assert "Author API" in one.text
    assert "For authors." in one.text


@pytest.mark.parametrize(
    ("line", "title", "values"),
    [
        ("T012 Fix it (depends on T001, T002)", "Fix it", {"depends": ("T001", "T002")}),
        ("Fix it depends on T001", "Fix it", {"depends": ("T001",)}),
        ("Fix it (depends on T004-T006)", "Fix it", {"depends": ("T004", "T005", "T006")}),
        ("It depends on trust", "It depends on trust", {"depends": ()}),
        ("[P1] Fix it", "Fix it", {"priority": 1}),
        ("P0: Fix it", "Fix it", {"priority": 1}),
        ("Fix it (priority: low)", "Fix it", {"priority": 8}),
        ("Fix it priority: 3", "Fix it", {"priority": 3}),
        ("Fix it; tests: pytest -q a.py hold: later", "Fix it", {"check": "pytest -q a.py"}),
        ("Fix it — tests: `frob --all`", "Fix it", {"check": "frob --all"}),
        ("Fix it (P1) tests: `frob`", "Fix it", {"check": "frob"}),
        ("Fix it files: a.py tests: tox", "Fix it", {"check": "tox", "files": ("a.py",)}),
        ("Run the tests: `tox -q`", "Run the tests: `tox -q`", {"check": ""}),
        ("Run (slow) tests: `tox -q`", "Run (slow) tests: `tox -q`", {"check": ""}),
        ("Add (tests: `login` and `logout`)", "Add (tests: `login` and `logout`)", {"check": ""}),
        ("Add tests: unit and integration", "Add tests: unit and integration", {"check": ""}),
        ("Fix it done: make sure it works", "Fix it done: make sure it works", {"check": ""}),
        ("Fix it | done: make check", "Fix it", {"check": "make check"}),
        ("Say `hold: on` and `[P]`", "Say `hold: on` and `[P]`", {"hold": "", "parallel": False}),
        ("Look around (no-change)", "Look around", {"no_change": True}),
        ("Look around no-change", "Look around", {"no_change": True}),
        ("Fix no-change replies", "Fix no-change replies", {"no_change": False}),
        ("Fix it files: a.py, src/*.ts", "Fix it", {"files": ("a.py", "src/*.ts")}),
        ("Rename files: old ones first", "Rename files: old ones first", {"files": None}),
        ("**T3**: Fix it", "Fix it", {"id": "T3"}),
        ("[#12] Fix it", "Fix it", {"id": "#12"}),
        ("[cnzb-3f] Fix it", "Fix it", {"id": "cnzb-3f"}),
        ("AB-7: Fix it", "Fix it", {"id": "AB-7"}),
        ("[P] [US1] Fix it", "Fix it", {"parallel": True}),
    ],
)
def test_marks(line: str, title: str, values: dict[str, object], project: Path) -> None:
    others = "".join(f"- [ ] T00{number} other {number}\n" for number in (1, 2, 4, 5, 6))
    item = read_one(f"- [ ] {line}\n{others}", project)
    assert item.title == title
    assert {name: getattr(item, name) for name in values} == values
    assert item.text.startswith(line)


@pytest.mark.parametrize(
    ("line", "check"),
    [
        ("tests: `frob --all`", "frob --all"),
        ("**Done:** `frob --all`", ""),
        ("- **Tests:** `pytest -q a.py`", "pytest -q a.py"),
        ("- **Tests:** `tests/test_a.py`", ""),
        ("tests: `login` and `logout`", ""),
        ("Tests: pytest `a` and `b`", ""),
    ],
)
def test_checks_below_a_box(line: str, check: str, project: Path) -> None:
    assert read_one(f"- [ ] a\n  {line}\n", project).check == check


@pytest.mark.parametrize(
    ("first", "name"),
    [
        *(("1.1 Make it", "1.1"), ("1. Make it", "1"), ("Task 1: Make it", "Task 1")),
        *(("**A1. Make it** now", "A1"), ("**P1-01:** Make it", "P1-01"), ("Task 1: a", "task 1")),
        *(("PROJ-7 Make it", "PROJ-7"), ("GH-12 Make it", "gh-12"), ("M0.1 Make it", "M0.1")),
        *(("S1.2 Make it", "S1.2"), ("E1-S3: Make it", "E1-S3"), ("Phase 2: Make it", "Phase 2")),
    ],
)
def test_a_dependency_names_the_beginning_of_a_title(first: str, name: str, project: Path) -> None:
    others = "- [ ] 1.10 x\n- [ ] 11. x\n- [ ] PROJ-77 x\n- [ ] A10. x\n- [ ] Phase 22 x\n"
    text = (
        f"- [ ] {first}\n{others}- [ ] Use it (depends on {name})\n- [ ] See 2\n  needs: {name}\n"
    )
    one, *_, last, sentence = read_text(text, project)
    assert last.depends == (one.id,)
    assert sentence.depends == (), "this is one only with an id"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- [ ] Task 1: a\n## B\n- [ ] Task 1: b\n- [ ] c (depends on 1)\n", "lines 1 and 3"),
        ("- [ ] 2. a\n- [ ] c (depends on Phase 2)\n", 'depends on "Phase 2", which is not there'),
        ("- [ ] Add 2 a\n- [ ] c (depends on 2)\n", 'depends on "2", which is not there'),
    ],
)
def test_a_dependency_that_names_no_task(text: str, message: str, project: Path) -> None:
    with pytest.raises(UsageError, match=message):
        read_text(text, project)


@pytest.mark.parametrize(
    ("mark", "depends"),
    [
        ("(depends on T001 through T003)", ("T001", "T002", "T003")),
        ("(depends on T001 to T003)", ("T001", "T002", "T003")),
        ("(after T002)", ("T002",)),
        ("(after T002; it has the keys)", ("T002",)),
        ("[needs T002 and T003]", ("T002", "T003")),
        ("(US1; requires: `T002`)", ("T002",)),
        ("\n  - **Requires:** T001", ("T001",)),
        ("\n  Depends on: T001,\n    T002,\n  T003", ("T001", "T002", "T003")),
        ("(requires Python 3 and T9)", ()),
        ("needs T002", ()),
        ("(see `(needs T001)`)", ()),
        ("(needs T004)", ()),
    ],
)
def test_dependencies(mark: str, depends: tuple[str, ...], project: Path) -> None:
    others = "".join(f"- [ ] T00{each} other\n" for each in (1, 2, 3))
    *_, item = read_text(f"{others}- [ ] T004 Do it {mark}\n", project)
    assert item.depends == depends


def test_tasks_with_numbers_have_ranges(project: Path) -> None:
    boxes = "".join(f"- [ ] Task {each}: a{each}\n" for each in (1, 2, 3))
    *others, last = read_text(f"{boxes}- [ ] b (depends on Task 1 through Task 3)\n", project)
    assert last.depends == tuple(each.id for each in others)


@pytest.mark.parametrize(
    ("more", "files"),
    [
        ("  Files: `src/x.py`,\n  `src/y.py`\n", ("src/x.py", "src/y.py")),
        (
            "  - **Files:** src/x.py,\n    src/y.py,\n    src/z.py\n",
            ("src/x.py", "src/y.py", "src/z.py"),
        ),
        ("  Files: src/x.py,\n src/y.py\n", ("src/x.py",)),
        ("  Files: src/x.py,\n  - src/y.py\n", ("src/x.py",)),
        ("  Files: src/x.py,\n\n  src/y.py\n", ("src/x.py",)),
        ("  Files: src/x.py,\n  tests: pytest\n", ("src/x.py",)),
        ("  Files: the old ones,\n  src/y.py\n", None),
    ],
)
def test_a_mark_goes_on_after_a_comma(more: str, files: object, project: Path) -> None:
    assert read_one(f"- [ ] a\n{more}", project).files == files


def test_titles_that_repeat(project: Path) -> None:
    text = "## Parser\n- [x] Write tests\n## Printer\n- [x] Write **tests**.\n- [ ] Print\n"
    parser, printer, other = read_text(text, project)
    assert len({parser.id, printer.id, other.id}) == 3
    parts = text.partition("## Printer\n")
    assert [each.id for each in read_text("".join(parts[1:] + parts[:1]), project)] == [
        *(printer.id, other.id, parser.id)
    ], "the order of headings does not count"
    (alone,) = read_text("## Printer\n- [ ] Write tests\n", project)
    assert alone.id not in (parser.id, printer.id), "it may be either"
    assert len({each.id for each in read_text("- [ ] a\n" * 3 + "# x\n- [ ] a\n", project)}) == 4


def test_what_is_ticked_stops_no_list(project: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    one, two, three = read_text(
        "- [x] T1 a (tests: `cd x && go test`)\n- [X] b\n  files: ../x\n  done: tox | tee\n  P1\n"
        f"- [x] c\n  tests: tox --key {token}\n",
        project,
    )
    assert (one.id, one.done, two.title, three.title) == ("T1", True, "b", "c")
    assert [each.check for each in (one, two, three)] == ["", "", ""]
    story = '{"id": "a", "title": "b", "passes": true, "tests": "a | b"}'
    assert read_text(f'{{"userStories": [{story}]}}', project, "p.json")[0].check == ""
    with pytest.raises(UsageError, match="without a shell"):
        read_text(f'{{"userStories": [{story.replace("true", "false")}]}}', project, "p.json")


@pytest.mark.parametrize("title", ["S3 upload", "UTF-8 names", "HTTP2 support", "2.1 Kiro"])
def test_what_is_no_id(title: str, project: Path) -> None:
    item = read_one(f"- [ ] {title}\n", project)
    assert item.title == title
    assert len(item.id) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "tasks.md has no task"),
        ("text\n1. [ ] one\n", "tasks.md:2: is no task"),
        ("- [ ] T1 a\n- [ ] T1 b\n", "tasks.md:2: T1 is the id of another task, too, in line 1"),
        ("- [ ] T1 Same.\n\n- [x] T1 same\n", "tasks.md:3: the same task is in line 1"),
        ("- [ ] T001 a (depends on T01)\n", "did you mean T001"),
        (
            "- [ ] T001 a (depends on T003)\n- [ ] T003 b (depends on T001)\n",
            "T001 -> T003 -> T001",
        ),
        ("- [ ] T1 a (depends on T1)\n", "T1 -> T1"),
        ("- [ ] a\n  tests: pytest | tee x\n", r"tasks.md:2: the command has `\|`"),
        ("- [ ] a\n  - done: pytest && true\n", "tasks.md:2: the command has `&`"),
        ("- [ ] a. tests: pytest > out\n", "the command has `>`"),
        ("- [ ] a. tests: pytest 'x\n", "cannot be parsed"),
        ("- [ ] a files: ../x.py\n", "leads out of the project"),
        ("```\n- [ ] a\n", "tasks.md:1: the code block that begins here is not closed"),
        ("- [ ] b\n<!--\n- [ ] a\n", "tasks.md:2: the comment that begins here is not closed"),
        (b"- [ ] a\n- [ ] \xff\n", "tasks.md:2: is not UTF-8"),
        ("- [ ] " + "x" * 5000, "longer than 4,000"),
        ("- [ ] x\n  " + "word " * 30_000, "longer than 100 kB"),
        ("- [ ] x\n" * 700_000, "longer than 5 MB"),
    ],
)
def test_errors_name_the_line(text: str | bytes, message: str, project: Path) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_text(text, project)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "p.json:1: is not JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[]", "has no list"),
        ('{"userStories": [1]}', "story 1: is no object"),
        ('{"userStories": [{"id": "a", "title": "b", "passes": "no"}]}', "neither true nor false"),
        ('{"userStories": [{"id": "a", "title": "b"}]}', "p.json:1: story 1: a has no `passes`"),
        ('{"userStories": [{"title": "b", "passes": true}]}', "has no usable `id`"),
    ],
)
def test_errors_of_stories(text: str, message: str, project: Path) -> None:
    with pytest.raises(UsageError, match=message):
        read_text(text, project, "p.json")


def test_odd_places(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("- [ ] a\n", encoding="utf-8")
    tasks = read_list(str(outside), project)
    assert list_paths(tasks, project) == ()
    (project / "link.md").symlink_to(outside)
    with pytest.raises(LoopError, match="link out of the project"):
        read_list("link.md", project)
    (project / "real.md").write_text("- [ ] a\n", encoding="utf-8")
    (project / "inside.md").symlink_to("real.md")
    assert list_paths(read_list("inside.md", project), project) == ("inside.md", "real.md")
    (project / "empty").mkdir()
    for source, message in [("empty", "no file"), ("none.md", "no list"), ("", "no list")]:
        with pytest.raises(UsageError, match=message):
            read_list(source, project)


def test_secrets_are_masked(project: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    item = read_one(f"- [ ] Rotate {token}\n- [ ] other\n", project)
    assert token not in item.title + item.text
    with pytest.raises(UsageError, match="has a secret"):
        read_text(f"- [ ] a\n  tests: pytest --key {token}\n", project)


def make_gh(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    program = folder / "gh"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_issues(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issues = (
        '[{"number": 12, "title": "Crash \\u202e\\u200bon start", "labels": [{"name": "P1"}],'
        ' "body": "Depends on #11 and #3, #4.\\nfiles: a.py,\\n  b.py\\n\\n'
        "- [ ] step\\n<!-- hidden -->\\n"
        'tests: rm -rf x\\nno-change"}, {"number": 11, "title": "First", "body": null,'
        ' "labels": []}]'
    )
    (project / "answer.json").write_text(issues, encoding="utf-8")
    make_gh(
        tmp_path / "bin",
        'case "$2 $3" in list*) cat answer.json;; *3) echo \'{"state": "CLOSED"}\';;'
        ' *) echo \'{"state": "OPEN"}\';; esac',
        monkeypatch,
    )
    tasks = read_list("github:ready to go", project)
    first, crash = tasks.items
    assert (first.id, crash.id, tasks.format) == ("#11", "#12", ListFormat.GITHUB)
    assert crash.title == "Crash on start"
    assert (crash.priority, crash.depends) == (1, ("#11",))
    assert crash.hold == "waits for #4, which is open and not in this list"
    assert crash.files == ("a.py", "b.py")
    assert (crash.check, crash.no_change) == ("", False)
    assert "hidden" not in crash.text
    assert "- [ ] step" in crash.text


def test_gh_fails(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_gh(tmp_path / "a", "echo 'not logged in' >&2; exit 4", monkeypatch)
    with pytest.raises(InfrastructureError, match="gh issue list` failed: not logged in"):
        read_list("github:x", project)
    make_gh(tmp_path / "b", "echo no", monkeypatch)
    with pytest.raises(InfrastructureError, match="no JSON"):
        read_list("github:x", project)
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(InfrastructureError, match="gh is not there"):
        read_list("github:x", project)
    with pytest.raises(UsageError, match="no label"):
        read_list("github:", project)

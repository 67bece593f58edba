"""A tick changes one line of the user's own file, and nothing else."""

import os
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.errors import LoopError
from orchestrator.platform.files import iter_files
from orchestrator.tasks.models import TaskItem, TaskList
from orchestrator.tasks.reading import (
    TickResult,
    build_text_list,
    find_proposals,
    read_list,
    tick_item,
)
from orchestrator.tasks.reading.markdown import read_markdown
from orchestrator.tasks.reading.prd import read_prd

CASES = Path(__file__).parent / "cases"


def write(project: Path, data: bytes, name: str = "tasks.md") -> TaskList:
    (project / name).write_bytes(data)
    return read_list(name, project)


def find(tasks: TaskList, title: str) -> TaskItem:
    return next(each for each in tasks.items if each.title == title)


@pytest.mark.parametrize(
    "data",
    [
        b"# a\n- [ ] one\n- [ ] two\n",
        b"\xef\xbb\xbf- [ ] one\r\n- [ ] two",
        b"\t- [ ]\tone\r\r\n* [ ] two\x0c\n\n",
        "- [ ] ein ä\u2028- [ ] one\n+ [ ]  one\n".encode(),
    ],
)
def test_one_byte_changes(data: bytes, project: Path) -> None:
    tasks = write(project, data)
    item = find(tasks, "one")
    assert tick_item(tasks, item, project) is TickResult.TICKED
    after = (project / "tasks.md").read_bytes()
    (changed,) = (at for at in range(len(data)) if data[at] != after[at])
    assert len(after) == len(data)
    assert (data[changed : changed + 1], after[changed : changed + 1]) == (b" ", b"x")
    assert find(read_list("tasks.md", project), "one").done
    assert tick_item(tasks, item, project) is TickResult.WAS_TICKED
    assert (project / "tasks.md").read_bytes() == after


def test_the_line_is_found_again(project: Path) -> None:
    tasks = write(project, b"- [ ] T1 one\n- [ ] two\n- [ ] three\n")
    path = project / "tasks.md"
    path.write_bytes(b"# New\n- [ ] three, P2\n\n- [ ] new\n- [ ] T1 in other words\n")
    one, two, three = tasks.items
    assert tick_item(tasks, one, project) is TickResult.TICKED
    assert tick_item(tasks, two, project) is TickResult.LINE_MISSING
    assert tick_item(tasks, three, project) is TickResult.TICKED
    assert path.read_bytes() == b"# New\n- [x] three, P2\n\n- [ ] new\n- [x] T1 in other words\n"
    path.write_bytes(b"- [ ] three\n- [ ] three\n")
    assert tick_item(tasks, three, project) is TickResult.LINE_MISSING
    path.unlink()
    assert tick_item(tasks, three, project) is TickResult.LINE_MISSING


def test_the_last_of_its_boxes_ticks_a_heading(project: Path) -> None:
    tasks = write(project, b"- [ ] all\n  - [ ] a\n  - [ ] some\n    - [x] b\n    - [ ] c\n")
    assert tick_item(tasks, find(tasks, "c"), project) is TickResult.TICKED
    path = project / "tasks.md"
    assert path.read_bytes() == b"- [ ] all\n  - [ ] a\n  - [x] some\n    - [x] b\n    - [x] c\n"
    assert tick_item(tasks, find(tasks, "a"), project) is TickResult.TICKED
    assert b"[ ]" not in path.read_bytes()


def test_a_story(project: Path) -> None:
    data = (CASES / "prd.json").read_bytes()
    tasks = write(project, data, "prd.json")
    assert tick_item(tasks, tasks.items[1], project) is TickResult.TICKED
    after = (project / "prd.json").read_bytes()
    assert after == data.replace(b'"passes" : false', b'"passes" : true')
    assert tick_item(tasks, tasks.items[0], project) is TickResult.WAS_TICKED


def test_a_story_is_ticked_where_it_is_in_the_file(project: Path) -> None:
    lines = [
        f'{{"id": "{name}", "title": "a", "priority": {order}, "passes": false}}'
        for name, order in (("last", 30), ("half \\ud800", 20), ("first", 10))
    ]
    tasks = write(project, f'{{"userStories": [{", ".join(lines)}]}}'.encode(), "p.json")
    first, half, last = tasks.items
    assert (first.id, half.id, last.id) == ("first", "half ?", "last")
    for item, line in ((last, lines[0]), (half, lines[1])):
        before = (project / "p.json").read_text("utf-8")
        assert tick_item(tasks, item, project) is TickResult.TICKED
        after = before.replace(line, line.replace("false", "true"))
        assert (project / "p.json").read_text("utf-8") == after


def test_files_of_a_folder(project: Path) -> None:
    shutil.copytree(CASES / "folder", project / "list")
    before = {path: Path(path).read_bytes() for path in iter_files(project)}
    tasks = read_list("list", project)
    for item in tasks.items[::2]:
        assert tick_item(tasks, item, project) is TickResult.TICKED
    after = {path: Path(path).read_bytes() for path in iter_files(project)}
    parser, lexer = str(project / "list/02-parser.md"), str(project / "list/lexer.md")
    assert {path for path in after if after[path] != before[path]} == {parser, lexer}
    assert after[parser] == before[parser].replace(b"status: open  #", b"status: done  #")
    assert after[lexer] == b"---\r\ndone: true\r\n---\r\n" + before[lexer]
    assert all(each.done for each in read_list("list", project).items)
    assert tick_item(tasks, tasks.items[1], project) is TickResult.WAS_TICKED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("---\nid: a\n---\n", "---\nid: a\ndone: true\n---\n"),
        ("---\ndone: false\n---\n", "---\ndone: true\n---\n"),
        ("---\ndone: pytest -q\n---\n", "---\ndone: pytest -q\nstatus: done\n---\n"),
        ("---\nstatus:\nid: a\n---\n", "---\nstatus: done\nid: a\n---\n"),
        ('---\r\nstatus: "to do"\r\n---', "---\r\nstatus: done\r\n---"),
        ("---\n---\ntext", "---\ndone: true\n---\ntext"),
        ("no end\n---\n", "---\ndone: true\n---\nno end\n---\n"),
    ],
)
def test_front_matter(before: str, after: str, project: Path) -> None:
    (project / "list").mkdir()
    path = project / "list/a.md"
    path.write_bytes(b"\xef\xbb\xbf" + before.encode())
    tasks = read_list("list", project)
    assert tick_item(tasks, tasks.items[0], project) is TickResult.TICKED
    assert path.read_bytes() == b"\xef\xbb\xbf" + after.encode()


def test_what_cannot_be_ticked(project: Path) -> None:
    tasks = build_text_list("do it")
    assert tick_item(tasks, tasks.items[0], project) is TickResult.NOT_POSSIBLE
    tasks = write(project, b"- [ ] one\n")
    path = project / "tasks.md"
    path.unlink()
    path.mkdir()
    assert tick_item(tasks, tasks.items[0], project) is TickResult.LINE_MISSING


def test_mode_and_links_stay(project: Path) -> None:
    (project / "real.md").write_bytes(b"- [ ] one\n")
    (project / "real.md").chmod(0o640)
    (project / "link.md").symlink_to("real.md")
    os.link(project / "real.md", project / "hard.md")
    tasks = read_list("link.md", project)
    assert tick_item(tasks, tasks.items[0], project) is TickResult.TICKED
    assert (project / "link.md").is_symlink()
    assert (project / "hard.md").read_bytes() == b"- [x] one\n"
    assert (project / "real.md").stat().st_mode & 0o777 == 0o640


def test_ticks_at_the_same_time(project: Path) -> None:
    tasks = write(project, b"".join(b"- [ ] task %d\n" % number for number in range(8)))
    threads = [
        threading.Thread(target=tick_item, args=(tasks, item, project)) for item in tasks.items
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"[ ]" not in (project / "tasks.md").read_bytes()


# ---- properties

PIECES = st.sampled_from(
    [
        *("- [ ] ", "* [x] ", "+ [X] ", "- [", "]", "[ ]", "  ", "    ", "\t", "\n", "\r\n", "\r"),
        *("```", "~~~", "<!--", "-->", "`", "---\n", "# High Priority\n", "## Phase 2\n", "> "),
        *("T001 ", "T002", "(depends on T001)", "depends: ", "tests: ", "pytest -q", "files: "),
        *("a/b.py", "hold: ", "[P] ", "[US1] ", "P1", "no-change", "\ufeff", "\u2028", "\x0c", "ä"),
        *(
            "word ",
            "other ",
            "(",
            ")",
            "{",
            "}",
            ",",
            "|",
            "&&",
            "'",
            '"',
            "\\",
            "\x1b[31m",
            "\x00",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60)
LINES = st.lists(
    st.tuples(st.sampled_from(["", "  ", "    "]), st.booleans(), st.integers(0, 99)),
    min_size=1,
    max_size=12,
    unique_by=lambda line: line[2],
)


@given(TEXTS)
@example("- [ ] " + "(" * 3000)
@example("- [ ] a\n" + "`" * 3000 + "<!--")
def test_reading_never_crashes(text: str) -> None:
    for read in (read_markdown, read_prd):
        items, message = tuple[TaskItem, ...](), ""
        try:
            items = read(text, "x")
        except LoopError as error:
            message = str(error)
        assert "\n" not in message
        assert all(each.id and each.title and "\n" not in each.title for each in items)


@given(TEXTS)
def test_a_tick_changes_spaces_of_boxes_only(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    project = tmp_path_factory.mktemp("ticks")
    data = text.encode("utf-8", "replace")
    try:
        tasks = write(project, data)
    except LoopError:
        return
    for item in tasks.items:
        before = (project / "tasks.md").read_bytes()
        result = tick_item(tasks, item, project)
        after = (project / "tasks.md").read_bytes()
        assert result is (TickResult.WAS_TICKED if item.done else TickResult.TICKED)
        changed = [at for at in range(len(before)) if before[at] != after[at]]
        assert len(after) == len(before)
        assert bool(changed) is not item.done
        assert all(before[at - 1 : at + 2] == b"[ ]" for at in changed)
        assert all(after[at - 1 : at + 2] == b"[x]" for at in changed)
    again = read_list("tasks.md", project).items
    assert [(each.id, each.title, each.text) for each in again] == [
        (each.id, each.title, each.text) for each in tasks.items
    ]
    assert all(each.done for each in again)


@given(LINES, st.randoms())
def test_ids_do_not_depend_on_the_order(lines: list[tuple[str, bool, int]], random: object) -> None:
    flat = [f"- [{'x' if done else ' '}] task {number}\n" for _, done, number in lines]
    shuffled = list(flat)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def ids(text: str) -> dict[str, str]:
        return {each.title: each.id for each in read_markdown(text, "x")}

    assert ids("".join(flat)) == ids("# Low Priority\n\n" + "\n".join(shuffled))


@given(LINES)
def test_a_tick_keeps_all_other_tasks(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, bool, int]]
) -> None:
    project = tmp_path_factory.mktemp("nested")
    text = "".join(f"{indent}- [{'x' if done else ' '}] t {n}\n" for indent, done, n in lines)
    tasks = write(project, text.encode())
    item = next((each for each in tasks.items if not each.done), None)
    if item is None:
        return
    assert tick_item(tasks, item, project) is TickResult.TICKED
    again = read_list("tasks.md", project).items
    assert [(each.id, each.done or each.id == item.id) for each in tasks.items] == [
        (each.id, each.done) for each in again
    ]


# ---- proposals


def test_proposals(project: Path, tmp_path: Path) -> None:
    tasks = write(project, b"- [ ] one\n- [ ] T2 two\n")
    lane = tmp_path / "lane"
    lane.mkdir()
    assert find_proposals(tasks, project, lane) == ()
    copy = lane / "tasks.md"
    copy.write_bytes(
        b"- [x] one\n- [ ] T9 Two.\n- [x] three\n  tests: pytest -q\n"
        b"- [ ] T4 four (depends on T99)\n"
    )
    found = find_proposals(tasks, project, lane)
    assert [(each.title, each.done, each.check) for each in found] == [
        ("three", True, ""),
        ("four", False, ""),
    ]
    (project / "tasks.md").write_bytes(b"- [ ] three\n")
    assert [each.title for each in find_proposals(tasks, project, lane)] == ["four"]


def test_a_copy_may_be_anything(project: Path, tmp_path: Path) -> None:
    tasks = write(project, b"- [ ] one\n")
    lane = tmp_path / "lane"
    lane.mkdir()
    copy = lane / "tasks.md"
    secret = tmp_path / "secret.md"
    secret.write_bytes(b"- [ ] of somebody else\n")
    copy.symlink_to(secret)
    assert find_proposals(tasks, project, lane) == ()
    copy.unlink()
    os.mkfifo(copy)
    assert find_proposals(tasks, project, lane) == ()
    copy.unlink()
    copy.mkdir()
    assert find_proposals(tasks, project, lane) == ()
    copy.rmdir()
    for data in (b"\xff", b"- [ ] x\n" * 10, b"```\n- [ ] x\n"):
        copy.write_bytes(data)
        assert len(find_proposals(tasks, project, lane)) <= 1

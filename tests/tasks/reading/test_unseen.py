"""Lists and pairs of tasks by an engineer who had not read the code that reads them.

They stay as that hand wrote them, before anything was changed for it: `unseen/lists.jsonl` and
`unseen/pairs.jsonl`. Where we differ, the reason is here. The figures are in docs/reliability.md.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from orchestrator.errors import UsageError
from orchestrator.tasks.hot_files import conflicts
from orchestrator.tasks.models import TaskItem, TaskList
from orchestrator.tasks.reading import read_list, tick_item

UNSEEN: Final = Path(__file__).parent / "unseen"
Case = dict[str, Any]
Expected = Mapping[str, Any]


def load(name: str) -> list[Case]:
    return [json.loads(line) for line in (UNSEEN / name).read_text("utf-8").splitlines()]


LISTS: Final = load("lists.jsonl")
PAIRS: Final = load("pairs.jsonl")
DIFFERENCES: Final = {
    "id with colon": ({"ids"}, "taste: an id in round brackets may be a remark"),
    "jira ids": (
        {"ids", "depends"},
        "taste: without a colon, `PROJ-7` is no more an id than `UTF-8`; a dependency finds it",
    ),
    "files forms": ({"files"}, "the hand's mistake: two paths with a space are two paths"),
    "prd without passes": ({"count"}, "taste: what does not say `passes` is not guessed"),
    "folder kept keys": ({"tick"}, "the hand's mistake: `title` in the front matter is the title"),
}
OTHER_CONFLICTS: Final = {
    ("src/*", "src/a/b.py"): "taste: a glob names what is below, too",
    ("src/**/test_*.py", "src/a/b/x.py"): "taste: what is named may be a folder",
    ("Src/A.py", "src/a.py"): "taste: on some machines they are the same file",
    ("app/[id]/page.tsx", "app/[slug]/page.tsx"): "brackets are a glob unless such a file is there",
    ("proto/a.proto", "gen/a_pb2.py"): "which file is made from which, `lanes.hot` has to say",
    ("package.json", "apps/web/package.json"): "a workspace only if there is a lock file above",
}


@pytest.mark.parametrize("case", LISTS, ids=[each["name"] for each in LISTS])
def test_a_list_is_read_as_the_hand_expected(case: Case, project: Path) -> None:
    known, _ = DIFFERENCES.get(case["name"], (set(), ""))
    assert set(find_differences(case, project)) == known


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{each['a']} {each['b']}" for each in PAIRS])
def test_tasks_conflict_as_the_hand_expected(pair: Case) -> None:
    one, other = (
        TaskItem(each, each, each, 0, files=None if pair[each] is None else tuple(pair[each]))
        for each in ("a", "b")
    )
    differs = bool(pair["a"] and pair["b"]) and (pair["a"][0], pair["b"][0]) in OTHER_CONFLICTS
    assert conflicts(one, other) == conflicts(other, one) == (pair["conflict"] != differs)


def write_list(text: str | Mapping[str, str], name: str, project: Path) -> str:
    if isinstance(text, str):
        (project / name).write_bytes(text.encode())
        return name
    (project / "tasks").mkdir()
    for each, content in text.items():
        (project / "tasks" / each).write_bytes(content.encode())
    return "tasks"


def find_differences(case: Case, project: Path) -> Iterator[str]:
    """Yield the names of what is read otherwise than expected."""
    expected = case["expected"]
    source = write_list(case["text"], case["file"], project)
    try:
        tasks = read_list(source, project)
    except UsageError as error:
        if any(word not in str(error) for word in expected.get("error", [])):
            yield "error"
        if "error" not in expected and "n_or_error" not in expected:
            yield "count"
        return
    items = tasks.items
    counts = expected.get("n_any", [expected.get("n") or expected.get("n_or_error")])
    if "error" in expected or len(items) not in counts:
        yield "count"
        return
    if "n" in expected:
        yield from (name for name, is_same in FIELDS.items() if not is_same(expected, items))
    if "tick" in expected and not is_ticked(expected["tick"], tasks, source, project):
        yield "tick"


def is_ticked(tick: Expected, tasks: TaskList, source: str, project: Path) -> bool:
    found = [each for each in tasks.items if tick["task"] in (each.id, each.title)]
    found += [each for each in tasks.items if tick["task"] in each.title]
    if not found:
        return False
    tick_item(tasks, found[0], project)
    wanted = tick["bytes"] if isinstance(tick["bytes"], dict) else {"": tick["bytes"]}
    return all(
        (project / source / name).read_bytes() == text.encode() for name, text in wanted.items()
    )


def is_done_same(expected: Expected, items: Sequence[TaskItem]) -> bool:
    return "".join("x" if each.done else "." for each in items) == str(expected["done"])


def are_ids_same(expected: Expected, items: Sequence[TaskItem]) -> bool:
    ids = [each.id for each in items]
    is_none = all(not items[at].title.startswith(ids[at]) for at in expected.get("noneid", []))
    return is_none and expected.get("ids", ids) == ids


def are_dependencies_same(expected: Expected, items: Sequence[TaskItem]) -> bool:
    depends = {each.id: set(each.depends) for each in items}
    least, never = expected.get("depmin", {}), expected.get("depnot", {})
    if any(not depends[each].isdisjoint(others) for each, others in never.items()):
        return False
    if least:
        return all(set(others) <= find_before(each, depends) for each, others in least.items())
    soft = expected.get("softdep", [])
    wanted = expected.get("dep", {})
    return soft is True or all(
        depends[each] == set(wanted.get(each, [])) for each in depends if each not in soft
    )


def find_before(identity: str, depends: Mapping[str, set[str]]) -> set[str]:
    return depends[identity].union(*(find_before(each, depends) for each in depends[identity]))


def are_parallel_same(expected: Expected, items: Sequence[TaskItem]) -> bool:
    found = {at for at, each in enumerate(items) if each.parallel}
    is_least = found >= set(expected.get("parmin", []))
    return is_least and ("nopar" in expected or found == set(expected.get("par", [])))


def are_priorities_same(expected: Expected, items: Sequence[TaskItem]) -> bool:
    wanted = {} if "nopri" in expected else dict.fromkeys(range(len(items)), 5)
    wanted |= {int(at): each for at, each in expected.get("pri", {}).items()}
    groups = [{items[at].priority for at in each} for each in expected.get("pgroups", [])]
    is_rising = all(max(one) < min(other) for one, other in pairwise(groups))
    is_one = all(len(each) == 1 for each in groups)
    return is_rising and is_one and all(items[at].priority == wanted[at] for at in wanted)


def are_values_same(key: str, read: Callable[[TaskItem], object], none: object) -> Any:
    def compare(expected: Expected, items: Sequence[TaskItem]) -> bool:
        soft = expected.get("softmarks", [])
        if (soft is True and key in ("check", "hold")) or f"no{key}" in expected:
            return True
        wanted = {int(at): each for at, each in expected.get(key, {}).items()}
        left_out = soft if key == "check" else []
        return all(
            read(each) == wanted.get(at, none)
            for at, each in enumerate(items)
            if at not in left_out
        )

    return compare


def are_titles_same(expected: Expected, items: Sequence[TaskItem]) -> bool:
    return all(part in items[int(at)].title for at, part in expected.get("title", {}).items())


def are_changes_same(expected: Expected, items: Sequence[TaskItem]) -> bool:
    found = {at for at, each in enumerate(items) if each.no_change}
    return found == set(expected.get("nochange", []))


FIELDS: Final[Mapping[str, Callable[[Expected, Sequence[TaskItem]], bool]]] = {
    "done": is_done_same,
    "ids": are_ids_same,
    "depends": are_dependencies_same,
    "parallel": are_parallel_same,
    "priority": are_priorities_same,
    "files": are_values_same("files", lambda each: each.files and list(each.files), None),
    "check": are_values_same("check", lambda each: each.check, ""),
    "hold": are_values_same("hold", lambda each: each.hold, ""),
    "no-change": are_changes_same,
    "title": are_titles_same,
}

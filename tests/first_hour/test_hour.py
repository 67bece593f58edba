"""The first hour in each shape: run at once, undo, init, doctor, run, undo.

Detection that is sure needs no `init`; where it is not, nothing is started and the message says
what can be done. Written from the issue's text (README.md beside this file).
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.first_hour.person import Person, Said
from tests.first_hour.shapes import SHAPES, Answer, Shape
from tests.sampling import leave_out_long

pytestmark = [pytest.mark.whole, pytest.mark.timeout(900)]

SURE = [shape for shape in SHAPES if shape.answer is Answer.SURE]
AFTER_INIT = [shape for shape in SHAPES if shape.answer is Answer.SURE_AFTER_INIT]
ASKING = [shape for shape in SHAPES if shape.answer is Answer.ASKS]
Meet = Callable[[Shape], Person]


@pytest.mark.parametrize("shape", leave_out_long(SURE), ids=lambda shape: shape.name)
def test_it_is_tried_at_once_and_undone_then_set_up_and_tried_again(
    shape: Shape, meet: Meet
) -> None:
    person = meet(shape)
    files, git_state = person.read_files(), person.read_git_state()

    check_run(person, expected_files=files)
    assert person.read_git_state() == git_state
    undo(person, files)
    set_up_and_work(person)
    assert person.read_git_state() == git_state


@pytest.mark.parametrize("shape", AFTER_INIT, ids=lambda shape: shape.name)
def test_a_command_of_the_repository_is_confirmed_by_init_first(shape: Shape, meet: Meet) -> None:
    person = meet(shape)
    git_state = person.read_git_state()
    check_that_run_asks(person)
    set_up_and_work(person)
    assert person.read_git_state() == git_state


@pytest.mark.parametrize("shape", ASKING, ids=lambda shape: shape.name)
def test_where_it_is_not_sure_nothing_is_started_and_the_message_says_what_to_do(
    shape: Shape, meet: Meet
) -> None:
    person = meet(shape)
    files, git_state = person.read_files(), person.read_git_state()
    check_that_run_asks(person)

    said = person.call("init", "--yes")
    assert said.code == 2, str(said)
    for text in shape.other_candidates:
        assert text in said.text, str(said)
    assert person.read_files() == files, "init wrote what it is not sure of"

    said = person.call("doctor")
    assert said.code != 0, str(said)
    assert person.read_files() == files
    assert person.read_git_state() == git_state


@pytest.mark.parametrize("shape", [s for s in ASKING if s.cases], ids=lambda shape: shape.name)
def test_tests_on_the_command_line_decide_it(shape: Shape, meet: Meet) -> None:
    person = meet(shape)
    files = person.read_files()
    said = person.run("--tests", shape.true_command.replace("python -m ", ""))
    assert said.code == 0, str(said)
    assert person.is_repaired
    assert changed_files(person, files) == [shape.broken]
    undo(person, files)


def test_a_package_that_is_not_installed_works_or_is_named(meet: Meet) -> None:
    (shape,) = (s for s in SHAPES if s.answer is Answer.SURE_OR_NAMES_THE_MODULE)
    person = meet(shape)
    files = person.read_files()
    said = person.call("init", "--yes")
    if said.code != 0:
        assert said.code in (2, 3), str(said)
        assert f"{shape.missing_module}" in said.text, str(said)
        assert re.search(r"pip install -e|uv sync|pythonpath|PYTHONPATH", said.text), str(said)
        assert person.read_files() == files, "init wrote a command that cannot work"
        make_importable(person)
        check_init(person)
    files = person.read_files()
    check_run(person, expected_files=files)
    undo(person, files)


def set_up_and_work(person: Person) -> None:
    """Call init, doctor, run and undo, and check each."""
    check_init(person)
    files = person.read_files()
    check_doctor(person)
    assert person.read_files() == files, "doctor changed something without --fix"
    check_run(person, expected_files=files)
    undo(person, files)


def check_that_run_asks(person: Person) -> None:
    """Try to run the task; nothing is started, and the message names what can be done."""
    files = person.read_files()
    said = person.run()
    assert said.code == 2, str(said)
    for text in person.shape.other_candidates:
        assert text in said.err, str(said)
    assert re.search(r"--tests|orchestrator init|--project-dir", said.err), str(said)
    assert person.requests == 0
    assert "Attempt" not in said.text
    assert person.read_files() == files


def make_importable(person: Person) -> None:
    """Do what pytest's documentation recommends for a src layout that is not installed."""
    path = person.project / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(f'{text}\n[tool.pytest.ini_options]\npythonpath = ["src"]\n', encoding="utf-8")


def check_run(person: Person, expected_files: dict[str, bytes]) -> Said:
    """Run the task; the bug is repaired, nothing else changes, and the suite is said."""
    shape = person.shape
    before = person.list_changed()
    said = person.run()
    assert said.code == 0, str(said)
    assert person.is_repaired, str(said)
    assert changed_files(person, expected_files) == [shape.broken], str(said)
    assert matches_a_proposal(shape, said.text), f"the suite is not said:\n{said}"
    if shape.has_git:
        assert sorted(person.list_changed()) == sorted([*before, f" M {shape.broken}"])
    return said


def check_init(person: Person) -> None:
    """Set the project up; the file has the true command, and what was found is said."""
    shape, before, git_before = person.shape, person.read_files(), person.list_changed()
    said = person.call("init", "--yes")
    assert said.code == 0, str(said)
    after = person.read_files()
    made = sorted(set(after) - set(before))
    assert {name: after[name] for name in before} == before, "init changed a file of the project"
    assert [Path(name).name for name in made if not name.endswith("CLAUDE.md")] == [
        "orchestrator.yaml"
    ]
    if shape.has_git:
        assert sorted(person.list_changed()) == sorted(
            [*git_before, *(f"?? {name}" for name in made)]
        )
    (written,) = (name for name in made if name.endswith("orchestrator.yaml"))
    check_configuration(person, written, after[written].decode(), said)
    # The file is shown before it is written.
    assert str(yaml.safe_load(after[written])["tests"]["command"]) in unwrap(said.text), str(said)

    again = person.call("init", "--yes")
    assert again.code in (0, 2), str(again)
    assert person.read_files() == after, f"a second init changed something:\n{again}"


def check_configuration(person: Person, name: str, text: str, said: Said) -> None:
    shape, tests = person.shape, yaml.safe_load(text)["tests"]
    assert matches_a_proposal(shape, tests["command"]), text
    assert tests.get("framework", "pytest") in shape.frameworks, text
    if shape.cases and tests.get("framework", "pytest") == "pytest":
        assert re.search(rf"\b{shape.cases}\b", said.text), f"{shape.cases} cases:\n{said}"
    if shape.folder != ".":
        package = Path(shape.folder).name
        assert Path(name).parent == Path(shape.folder) or package in tests["command"], text
    if shape.installs_into_venv:
        assert ".venv" in said.text, str(said)


def check_doctor(person: Person) -> None:
    """Look for broken links; there are none, in text and in JSON."""
    said = person.call("doctor")
    assert said.code == 0, str(said)
    for link in ("Python", "git", "Claude Code"):
        assert link.lower() in said.text.lower(), str(said)
    # The paths of this test are long, and no word is broken.
    assert [line for line in said.out.splitlines() if is_too_wide(line)] == [], str(said)
    said = person.call("doctor", "--json")
    assert said.code == 0, str(said)
    assert json.loads(said.out), str(said)


def is_too_wide(line: str) -> bool:
    """Return whether a line does not fit 80 columns, though all of its words would."""
    return len(line) > 80 and all(len(word) < 50 for word in line.split())


def undo(person: Person, files: dict[str, bytes]) -> None:
    """Undo the last run; every file has the bytes that it had, and is there or not as before."""
    git_state = person.read_git_state()
    said = person.call("undo", "--yes")
    assert said.code == 0, str(said)
    assert person.read_files() == files, str(said)
    assert person.shape.broken in unwrap(said.text), f"what is undone is not said:\n{said}"
    assert person.read_git_state() == git_state
    if person.shape.has_git:
        assert f" M {person.shape.broken}" not in person.list_changed()


def changed_files(person: Person, files: dict[str, bytes]) -> list[str]:
    """Return the files that differ, are new or are gone."""
    now = person.read_files()
    return sorted(name for name in files.keys() | now.keys() if files.get(name) != now.get(name))


def matches_a_proposal(shape: Shape, text: str) -> bool:
    return any(re.search(pattern, text) for pattern in shape.proposals)


def unwrap(text: str) -> str:
    """Return the text without the line breaks of a narrow terminal."""
    return re.sub(r"\s*\n\s*", " ", text)

"""What the exit code says, what a lesson leaves behind, and what a person changed since."""

import re

import pytest

from tests.first_hour.person import RULE, Person

pytestmark = [pytest.mark.whole, pytest.mark.timeout(900)]


def test_not_solved_is_1_and_the_files_can_be_restored(person: Person) -> None:
    files = person.read_files()
    said = person.run("--max-retries", "0", answers=person.fail() + person.teach())
    assert said.code == 1, str(said)
    assert person.failed_edit in person.broken_text
    assert "orchestrator undo" in said.text, str(said)
    said = person.call("undo", "--yes")
    assert said.code == 0, str(said)
    after = person.read_files()
    assert {name: after.get(name) for name in files} == files


def test_a_lesson_is_learned_and_the_next_steps_are_said(person: Person) -> None:
    answers = person.fail(lacks=RULE) + person.repair_after_failure(contains=RULE) + person.teach()
    said = person.run("--max-retries", "1", answers=answers)
    assert said.code == 0, str(said)
    assert person.is_repaired
    assert RULE in (person.project / "CLAUDE.md").read_text(encoding="utf-8")
    for command in ("git diff", "orchestrator rules"):
        assert command in said.text, str(said)
    assert sorted(person.list_changed()) == [" M money.py", "?? CLAUDE.md"]


def test_before_the_first_attempt_the_plan_names_suite_limits_and_uncommitted_work(
    person: Person,
) -> None:
    (person.project / "notes.txt").write_text("not committed\n", encoding="utf-8")
    said = person.run("--max-cost-usd", "3", "--max-retries", "2")
    assert said.code == 0, str(said)
    plan = said.text.partition("Attempt 1")[0]
    assert "pytest" in plan, plan
    assert "$3" in plan, plan
    assert re.search(r"\b3 attempts|\b3\b.*attempt|attempts?.*\b3\b", plan), plan
    assert re.search(r"\b1 file\b.*not committed", plan), plan
    assert "orchestrator undo" in plan, plan


def test_undo_leaves_what_the_person_changed_since(person: Person) -> None:
    assert person.run().code == 0
    own = person.broken_text + "\n\n# A note of my own.\n"
    (person.project / "money.py").write_text(own, encoding="utf-8")
    said = person.call("undo", "--yes")
    assert person.broken_text == own, str(said)
    assert "money.py" in said.text, str(said)


def test_undo_brings_uncommitted_work_as_it_was(person: Person) -> None:
    path = person.project / "money.py"
    path.write_text(person.broken_text + "\n\n# Not committed yet.\n", encoding="utf-8")
    (person.project / "notes.txt").write_bytes(b"mine\r\nno final newline")
    files = person.read_files()
    said = person.run()
    assert said.code == 0, str(said)
    said = person.call("undo", "--yes")
    assert (said.code, person.read_files()) == (0, files), str(said)


def test_undo_without_a_run_says_so(person: Person) -> None:
    said = person.call("undo", "--yes")
    assert said.code == 2, str(said)
    assert "run" in said.err


def test_a_wrong_setting_is_2_and_nothing_is_spent(person: Person) -> None:
    (person.project / "orchestrator.yaml").write_text("tests:\n  comand: pytest\n")
    for words in (("run", person.shape.task), ("init", "--yes")):
        said = person.call(*words)
        assert said.code == 2, str(said)
        assert "orchestrator.yaml" in said.err, str(said)
        assert "command" in said.err, str(said)
    said = person.call("doctor")
    assert said.code != 0, str(said)
    assert "orchestrator.yaml" in said.text, str(said)


def test_a_model_that_cannot_be_reached_is_3(person: Person) -> None:
    files = person.read_files()
    said = person.call("run", person.shape.task)
    assert said.code == 3, str(said)
    assert person.read_files() == files


@pytest.mark.parametrize("word", ["help", "doctr", "version", "setup"])
def test_a_single_word_is_never_a_task(word: str, person: Person) -> None:
    with person.serve_model(person.repair()) as variables:
        said = person.call(word, environment=variables)
    assert person.requests == 0, str(said)
    assert said.code in (0, 2), str(said)


def test_a_subfolder_is_enough(person: Person) -> None:
    folder = person.project / "docs" / "notes"
    folder.mkdir(parents=True)
    said = person.run(cwd=folder)
    assert said.code == 0, str(said)
    assert person.is_repaired, str(said)
    said = person.call("undo", "--yes", cwd=folder)
    assert said.code == 0, str(said)
    assert not person.is_repaired


def test_a_dry_run_spends_nothing_and_changes_nothing(person: Person) -> None:
    files = person.read_files()
    said = person.run("--dry-run")
    assert said.code == 0, str(said)
    assert person.requests == 0
    assert person.read_files() == files
    assert person.shape.task in " ".join(said.text.split()), str(said)
    assert "pytest" in said.text, str(said)

"""A line that a person deletes is a rule withdrawn; one that leaves with a checkout is not."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.memory.history import History
from orchestrator.memory.records import RuleRecord, Status
from orchestrator.memory.rulebook import Keeping, MarkdownRulebook
from orchestrator.memory.shelf import Shelf
from teacher.models import RuleText
from tests.memory.making import FAILURE, LISTS, NONE, add

OWN = "# Project\n\nUse tabs.\n"


class Project:
    """A project with one rule, which the history knows."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root, self.file, self._state = root, root / "CLAUDE.md", state
        self.history = History(state, self.file)
        self.file.write_text(OWN, encoding="utf-8")

    @property
    def book(self) -> MarkdownRulebook:
        shelf = Shelf(self.root, copies=self._state / "copies")
        return MarkdownRulebook(shelf, self._state / "locks", keeping=Keeping(self.history))

    def learn(self, text: RuleText = NONE) -> str:
        change = self.book.apply(add(text), FAILURE)
        assert change is not None
        return change.rule.id

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *words], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "as it is")

    def delete(self, rule: str) -> None:
        """Take a rule's lines out, as a person does in an editor."""
        lines = self.file.read_text("utf-8").splitlines(keepends=True)
        start = next(i for i, line in enumerate(lines) if f"<!-- rule {rule}" in line)
        end = next(i for i, line in enumerate(lines) if i > start and "**Source**" in line)
        self.file.write_text("".join(lines[:start] + lines[end + 1 :]), encoding="utf-8")

    def taught_again(self, text: RuleText = NONE) -> bool:
        self.book.rules()
        return self.book.apply(add(text), FAILURE) is not None

    def look(self, rule: str) -> RuleRecord:
        self.book.rules()
        return self.history.get(rule)


@pytest.fixture
def plain(project: Path, tmp_path: Path) -> Iterator[Project]:
    made = Project(project, tmp_path / "state")
    yield made
    made.history.close()


@pytest.fixture
def versioned(plain: Project) -> Project:
    plain.git("init", "-q", "-b", "main")
    plain.commit()
    return plain


def deleted_after_a_commit(project: Project, rule: str) -> None:
    project.commit()
    project.delete(rule)


def deleted_and_committed(project: Project, rule: str) -> None:
    deleted_after_a_commit(project, rule)
    project.commit()


def deleted_before_a_commit(project: Project, rule: str) -> None:
    project.delete(rule)


@pytest.mark.parametrize(
    "how", [deleted_after_a_commit, deleted_and_committed, deleted_before_a_commit]
)
def test_a_deleted_line_is_a_retirement(
    versioned: Project, how: Callable[[Project, str], None]
) -> None:
    rule = versioned.learn()
    how(versioned, rule)
    record = versioned.look(rule)
    assert (record.status, record.reason) == (Status.ARCHIVED, "deleted from the file")
    assert not versioned.taught_again()
    (known,) = versioned.book.known_rules()
    assert (known.id, "must not be proposed" in known.note) == (rule, True)


def test_it_is_one_without_git_too_and_forgotten_when_it_is_undone(plain: Project) -> None:
    rule = plain.learn()
    whole = plain.file.read_bytes()
    plain.delete(rule)
    assert not plain.taught_again()
    plain.file.write_bytes(whole)
    assert plain.look(rule).status is Status.ACTIVE
    assert plain.history.refusals() == []


def on_another_branch(project: Project) -> None:
    project.git("checkout", "-q", "-b", "other")
    project.commit()
    project.git("checkout", "-q", "main")


def stashed(project: Project) -> None:
    project.git("stash", "-q")


def discarded(project: Project) -> None:
    project.git("checkout", "-q", ".")


@pytest.mark.parametrize("how", [on_another_branch, stashed, discarded])
def test_what_leaves_with_a_checkout_may_be_learned_again(
    versioned: Project, how: Callable[[Project], None]
) -> None:
    first = versioned.learn(LISTS)
    versioned.commit()  # so that there is a section, as in a project that has learned before
    rule = versioned.learn()
    how(versioned)
    record = versioned.look(rule)
    assert (record.status, "another branch" in record.reason) == (Status.ARCHIVED, True)
    assert versioned.look(first).status is Status.ACTIVE
    assert versioned.taught_again()
    assert versioned.look(rule).status is Status.ACTIVE


def test_a_whole_section_that_is_gone_says_nothing_of_its_rules(plain: Project) -> None:
    rule = plain.learn()
    plain.file.write_text(OWN, encoding="utf-8")
    assert plain.look(rule).status is Status.ARCHIVED
    assert plain.taught_again()


def test_what_we_took_out_ourselves_nobody_withdrew(plain: Project) -> None:
    first, second = plain.learn(), plain.learn(LISTS)
    plain.book.take_out(first)  # and were killed before the history knew
    assert plain.look(first).reason != "deleted from the file"
    assert plain.taught_again()
    assert plain.look(second).status is Status.ACTIVE


def test_a_word_on_a_rule_outlives_a_look_at_an_older_commit(versioned: Project) -> None:
    rule = versioned.learn()
    versioned.commit()
    versioned.history.refuse(versioned.history.get(rule))
    versioned.book.take_out(rule)
    versioned.history.move(rule, Status.ARCHIVED, "retired", "by a person")
    versioned.commit()
    versioned.git("checkout", "-q", "HEAD~1")
    assert versioned.look(rule).status is Status.ACTIVE
    versioned.git("checkout", "-q", "main")
    record = versioned.look(rule)
    assert (record.status, versioned.taught_again()) == (Status.ARCHIVED, False)
    assert versioned.history.events(rule)[-1].what == "left the file"


def test_git_runs_nothing_that_the_repository_configures(
    versioned: Project, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    (versioned.root / ".gitattributes").write_text("*.md diff=x filter=x\n", encoding="utf-8")
    for name in ("diff.x.textconv", "diff.x.command", "filter.x.clean", "filter.x.smudge"):
        versioned.git("config", name, f"touch {ran}; cat")
    versioned.git("config", "gpg.program", f"{tmp_path}/nothing")
    versioned.git("config", "log.showSignature", "true")
    rule = versioned.learn()
    versioned.delete(rule)
    assert versioned.look(rule).reason == "deleted from the file"
    assert not ran.exists()

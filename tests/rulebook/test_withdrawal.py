"""A rule that a person deletes is withdrawn; one that leaves with a checkout is not."""

import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.rulebook.records import RuleEventKind, RuleRecord, Status
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from teacher.models import RuleText
from tests.open_history import OpenHistory
from tests.rulebook.making import FAILURE, LISTS, NONE, add

OWN = "# Project\n\nUse tabs.\n"


class Project:
    """A project with one rule, which the history knows."""

    def __init__(self, root: Path, state: Path, *, mirror: bool = False) -> None:
        self.root, self.file, self._state = root, root / "CLAUDE.md", state
        self._mirror = mirror
        self.history = OpenHistory(state, self.file)
        self.file.write_text(OWN, encoding="utf-8")

    @property
    def book(self) -> MarkdownRulebook:
        shelf = RuleFiles(self.root, mirror=self._mirror, copies=self._state / "copies")
        return MarkdownRulebook(shelf, self._state / "locks", policy=RulebookPolicy(self.history))

    def learn(self, text: RuleText = NONE) -> str:
        change = self.book.apply(add(text), FAILURE)
        assert change is not None
        return change.rule.id

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "as it is")

    def edit_something(self) -> None:
        text = self.file.read_text("utf-8")
        self.file.write_text(text.replace("Use tabs.", "Use spaces."), encoding="utf-8")

    def delete(self, rule: str) -> None:
        """Take a rule's lines out, as a person does in an editor."""
        lines = self.file.read_text("utf-8").splitlines(keepends=True)
        start = next(i for i, line in enumerate(lines) if f"<!-- rule {rule}" in line)
        end = next(i for i, line in enumerate(lines) if i > start and "**Source**" in line)
        self.file.write_text("".join(lines[:start] + lines[end + 1 :]), encoding="utf-8")

    def taught_again(self, text: RuleText = NONE) -> bool:
        self.book.list_rules()
        return self.book.apply(add(text), FAILURE) is not None

    def look(self, rule: str) -> RuleRecord:
        self.book.list_rules()
        return self.history.resolve_record(rule)


@pytest.fixture
def plain(project: Path, tmp_path: Path) -> Iterator[Project]:
    made = Project(project, tmp_path / "state")
    yield made
    made.history.close()


@pytest.fixture
def versioned(plain: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    plain.git("init", "-q", "-b", "main")
    with monkeypatch.context() as earlier:
        earlier.setenv("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")
        plain.learn(LISTS)  # so that there is a section, as in a project that has learned before
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


def deleted_before_a_commit_of_the_rest(project: Project, rule: str) -> None:
    project.delete(rule)
    project.edit_something()
    project.commit()


def deleted_by_an_amended_commit(project: Project, rule: str) -> None:
    project.commit()
    project.delete(rule)
    project.git("commit", "-q", "-a", "--amend", "-m", "without")


def deleted_by_a_colleague(project: Project, rule: str) -> None:
    project.commit()
    project.git("checkout", "-q", "-b", "theirs")
    project.delete(rule)
    project.commit()
    project.git("checkout", "-q", "main")
    project.git("merge", "-q", "--no-ff", "-m", "theirs", "theirs")


def deleted_from_a_file_that_git_ignores(project: Project, rule: str) -> None:
    project.git("rm", "-q", "--cached", "CLAUDE.md")
    (project.root / ".gitignore").write_text("CLAUDE.md\n", encoding="utf-8")
    project.commit()
    project.delete(rule)


@pytest.mark.parametrize(
    "how",
    [
        deleted_after_a_commit,
        deleted_and_committed,
        deleted_before_a_commit,
        deleted_before_a_commit_of_the_rest,
        deleted_by_an_amended_commit,
        deleted_by_a_colleague,
        deleted_from_a_file_that_git_ignores,
    ],
)
def test_a_deleted_line_is_a_retirement(
    versioned: Project, how: Callable[[Project, str], None]
) -> None:
    rule = versioned.learn()
    how(versioned, rule)
    record = versioned.look(rule)
    assert (record.status, record.reason) == (Status.ARCHIVED, "deleted from the file")
    assert not versioned.taught_again()
    known = versioned.book.known_rules()[-1]
    assert (known.id, "must not be proposed" in known.note) == (rule, True)


def test_it_is_one_without_git_too_and_forgotten_when_it_is_undone(plain: Project) -> None:
    rule = plain.learn()
    whole = plain.file.read_bytes()
    plain.delete(rule)
    assert not plain.taught_again()
    plain.file.write_bytes(whole)
    assert plain.look(rule).status is Status.ACTIVE
    assert plain.history.list_refusals() == []


def on_another_branch(project: Project) -> None:
    project.git("checkout", "-q", "-b", "other")
    project.commit()
    project.git("checkout", "-q", "main")


def on_another_branch_beside_edits(project: Project) -> None:
    on_another_branch(project)
    project.edit_something()


def on_another_branch_beside_another_file(project: Project) -> None:
    on_another_branch(project)
    heading = "## Learned Rules & Patterns\n\n- **Rule**: Greet owls\n"
    (project.root / "AGENTS.md").write_text(heading, encoding="utf-8")


def in_the_first_commit_of_another_branch(project: Project) -> None:
    for name, value in (("color.ui", "always"), ("log.showRoot", "false")):
        project.git("config", name, value)
    project.git("checkout", "-q", "--orphan", "other")
    project.commit()
    project.git("checkout", "-q", "main")
    project.edit_something()


def stashed(project: Project) -> None:
    project.git("stash", "-q")


def stashed_before_edits(project: Project) -> None:
    stashed(project)
    project.edit_something()


def discarded(project: Project) -> None:
    project.git("checkout", "-q", ".")


def discarded_for_other_line_endings(project: Project) -> None:
    project.git("config", "core.autocrlf", "true")
    discarded(project)


def on_a_branch_of_which_the_clone_has_a_part(project: Project) -> None:
    on_another_branch(project)
    project.edit_something()
    # What `git clone --filter=blob:none` leaves: a commit whose files are elsewhere.
    name = subprocess.run(
        ["git", "rev-parse", "other:CLAUDE.md"], cwd=project.root, capture_output=True, check=True
    ).stdout.decode()
    (project.root / ".git" / "objects" / name[:2] / name[2:].strip()).unlink()


@pytest.mark.parametrize(
    "how",
    [
        on_another_branch,
        on_another_branch_beside_edits,
        on_another_branch_beside_another_file,
        in_the_first_commit_of_another_branch,
        stashed,
        stashed_before_edits,
        discarded,
        discarded_for_other_line_endings,
        on_a_branch_of_which_the_clone_has_a_part,
    ],
)
def test_what_leaves_with_a_checkout_may_be_learned_again(
    versioned: Project, how: Callable[[Project], None]
) -> None:
    (first,) = [rule.id for rule in versioned.book.list_rules()]
    rule = versioned.learn()
    how(versioned)
    record = versioned.look(rule)
    assert (record.status, "another branch" in record.reason) == (Status.ARCHIVED, True)
    assert versioned.look(first).status is Status.ACTIVE
    assert versioned.taught_again()
    assert versioned.look(rule).status is Status.ACTIVE


def test_without_git_installed_a_deletion_is_one(
    plain: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = plain.learn()
    plain.delete(rule)
    monkeypatch.setenv("PATH", "/nowhere")
    assert plain.look(rule).reason == "deleted from the file"


def test_a_rule_deleted_from_one_of_two_mirrored_files_stays_deleted(
    project: Path, tmp_path: Path
) -> None:
    twins = Project(project, tmp_path / "state", mirror=True)
    rule, other = twins.learn(), twins.learn(LISTS)
    twins.delete(rule)
    agents = project / "AGENTS.md"
    agents.write_text(agents.read_text("utf-8").replace(LISTS.why, "It is theirs"), "utf-8")
    assert twins.look(rule).reason == "deleted from the file"
    assert twins.look(other).rule.text.why == "It is theirs"
    twins.history.close()


def test_a_whole_section_that_is_gone_says_nothing_of_its_rules(plain: Project) -> None:
    rule = plain.learn()
    plain.file.write_text(OWN, encoding="utf-8")
    assert plain.look(rule).status is Status.ARCHIVED
    assert plain.taught_again()


def test_a_rule_that_the_program_removed_is_not_withdrawn(plain: Project) -> None:
    first, second = plain.learn(), plain.learn(LISTS)
    plain.book.remove_rule(first)  # and were killed before the history knew
    assert plain.look(first).reason != "deleted from the file"
    assert plain.taught_again()
    assert plain.look(second).status is Status.ACTIVE


def test_nor_beside_a_file_that_people_edit(versioned: Project) -> None:
    rule = versioned.learn()
    versioned.commit()
    heading = "## Learned Rules & Patterns\n\n- **Rule**: Greet owls\n"
    (versioned.root / "AGENTS.md").write_text(heading, encoding="utf-8")
    versioned.book.remove_rule(rule)
    assert versioned.look(rule).reason != "deleted from the file"


def test_a_refusal_survives_a_checkout_of_an_older_commit(versioned: Project) -> None:
    rule = versioned.learn()
    versioned.commit()
    versioned.history.record_refusal(versioned.history.resolve_record(rule))
    versioned.book.remove_rule(rule)
    versioned.history.change_status(rule, Status.ARCHIVED, RuleEventKind.RETIRED, "by a person")
    versioned.commit()
    versioned.git("checkout", "-q", "HEAD~1")
    assert versioned.look(rule).status is Status.ACTIVE
    versioned.git("checkout", "-q", "main")
    record = versioned.look(rule)
    assert (record.status, versioned.taught_again()) == (Status.ARCHIVED, False)
    assert versioned.history.list_events(rule)[-1].what == "left the file"


def test_git_runs_nothing_that_the_repository_configures(
    versioned: Project, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    (versioned.root / ".gitattributes").write_text("*.md diff=x filter=x\n", encoding="utf-8")
    for name in ("diff.x.textconv", "diff.x.command", "filter.x.clean", "filter.x.smudge"):
        versioned.git("config", name, f"touch {shlex.quote(str(ran))}; cat")
    versioned.git("config", "log.showSignature", "true")
    versioned.git("config", "color.ui", "always")
    versioned.git("config", "log.showRoot", "false")
    rule = versioned.learn()
    versioned.delete(rule)
    assert versioned.look(rule).reason == "deleted from the file"
    assert not ran.exists()

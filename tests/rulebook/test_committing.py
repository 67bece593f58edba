"""`approve --commit` changes nothing if git would refuse the commit."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.models import Approval, Rule
from orchestrator.rulebook.committing import check_committable, commit_rule, render_message
from orchestrator.rulebook.records import Origin, RuleRecord, Status
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rule_manager import RuleManager
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from teacher.models import RuleText
from tests.open_history import OpenHistory
from tests.rulebook.making import FAILURE, NONE, add

MOMENT = datetime(2026, 11, 20, tzinfo=UTC)
OURS = {"Rule", "When", "Why", "Rule-Id", "Failed", "Failing", "Failure", "Run", "Model"}


def git(folder: Path, *words: str, fails: bool = False) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=not fails
    )
    return done.stdout


@pytest.fixture
def repository(project: Path) -> Path:
    git(project, "init", "-q", "-b", "main")
    (project / "a.txt").write_text("one\n", encoding="utf-8")
    git(project, "add", "a.txt")
    git(project, "commit", "-q", "-m", "first")
    return project


@contextmanager
def waiting(project: Path, target: Target = Target.PROJECT) -> Iterator[tuple[RuleManager, str]]:
    with OpenHistory(project.parent / "state", (project / "CLAUDE.md").resolve()) as history:
        policy = RulebookPolicy(history, approval=Approval.REVIEW)
        book = MarkdownRulebook(RuleFiles(project, target), project.parent / "locks", policy=policy)
        change = book.apply(add(), FAILURE)
        assert change is not None
        yield RuleManager(book, history), change.rule.id


def refused(project: Path, why: str, target: Target = Target.PROJECT) -> None:
    """The approval is refused, in one line, and nothing was changed."""
    with waiting(project, target) as (keeper, rule):
        before = git(project, "status", "--porcelain", "--ignored")
        with pytest.raises(UsageError, match=why) as error:
            keeper.approve_rule(rule, check_committable)
        assert "\n" not in str(error.value)
        assert git(project, "status", "--porcelain", "--ignored") == before
        assert keeper.resolve_record(rule).status is Status.WAITING


def conflict(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "other")
    (repository / "a.txt").write_text("other\n", encoding="utf-8")
    git(repository, "commit", "-q", "-a", "-m", "other")
    git(repository, "checkout", "-q", "main")
    (repository / "a.txt").write_text("main\n", encoding="utf-8")
    git(repository, "commit", "-q", "-a", "-m", "main")


@pytest.mark.parametrize("what", ["merge", "rebase", "cherry-pick"])
def test_nothing_is_approved_in_the_middle_of_a(repository: Path, what: str) -> None:
    conflict(repository)
    git(repository, what, "other", fails=True)
    refused(repository, f"a {what} is in progress")


def test_nothing_is_approved_in_the_middle_of_a_revert(repository: Path) -> None:
    conflict(repository)
    (repository / "a.txt").write_text("later\n", encoding="utf-8")
    git(repository, "commit", "-q", "-a", "-m", "later")
    git(repository, "revert", "--no-edit", "HEAD~1", fails=True)
    refused(repository, "a revert is in progress")


def test_nothing_is_approved_with_files_that_are_not_merged(repository: Path) -> None:
    (repository / "a.txt").write_text("put aside\n", encoding="utf-8")
    git(repository, "stash", "-q")
    (repository / "a.txt").write_text("main\n", encoding="utf-8")
    git(repository, "commit", "-q", "-a", "-m", "main")
    git(repository, "stash", "pop", fails=True)
    refused(repository, "are not merged")


@pytest.mark.parametrize("ignored", [".claude/", "learned*.md", ".claude/rules/"])
def test_a_file_that_is_not_there_yet_may_be_ignored(repository: Path, ignored: str) -> None:
    (repository / ".gitignore").write_text(f"{ignored}\n", encoding="utf-8")
    refused(repository, r"git ignores .*learned\.md", Target.RULES_DIR)


def test_the_users_own_edits_are_not_committed(repository: Path) -> None:
    (repository / "CLAUDE.md").write_text("# Mine\n", encoding="utf-8")
    refused(repository, "has uncommitted changes of yours")


def test_edits_of_files_that_the_approval_leaves_alone_do_not_matter(repository: Path) -> None:
    rules = repository / ".claude" / "rules" / "mine.md"
    rules.parent.mkdir(parents=True)
    rules.write_text("## Learned Rules & Patterns\n\n- **Rule**: Sort imports\n", encoding="utf-8")
    with waiting(repository) as (keeper, rule):
        done = keeper.approve_rule(rule, check_committable)
    commit_rule(done.files, done.record)
    assert git(repository, "show", "--name-only", "--format=").split() == ["CLAUDE.md"]


def test_a_name_that_reads_like_a_pattern_is_one_file(repository: Path) -> None:
    rules = repository / ".claude" / "rules"
    rules.mkdir(parents=True)
    heading = "## Learned Rules & Patterns\n\n- **Rule**: Sort imports\n"
    (rules / "[ab].md").write_text(heading, encoding="utf-8")
    (rules / "a.md").write_text("mine\n", encoding="utf-8")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "rules")
    (rules / "a.md").write_text("mine, edited\n", encoding="utf-8")
    with waiting(repository, Target.RULES_DIR) as (keeper, rule):
        done = keeper.approve_rule(rule, check_committable)
    assert [path.name for path in done.files] == ["[ab].md"]
    commit_rule(done.files, done.record)
    assert git(repository, "status", "--porcelain").split() == ["M", ".claude/rules/a.md"]


def test_without_an_author_nothing_is_approved(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{name}_NAME")
        monkeypatch.delenv(f"GIT_{name}_EMAIL")
    monkeypatch.setenv("EMAIL", "")
    git(repository, "config", "user.useConfigOnly", "true")
    git(repository, "config", "--unset-all", "user.email", fails=True)
    with (
        waiting(repository) as (keeper, rule),
        pytest.raises(UsageError, match="git var refuses"),
    ):
        keeper.approve_rule(rule, check_committable)
    assert not (repository / "CLAUDE.md").exists()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n", "\u2028", "\x0b", "\x85", "\0\n"])
def test_no_value_is_a_trailer_of_its_own(repository: Path, ending: str) -> None:
    evil = f"x{ending}Co-authored-by: Evil <e@example.org>"
    rule = Rule("r-1", RuleText("Co-authored-by: Evil <e@example.org>", evil, evil), "")
    origin = Origin(evil, "pytest", evil, evil, evil, (evil,))
    said = render_message(RuleRecord(rule, Status.ACTIVE, "", origin, MOMENT, MOMENT))
    path = repository / "message"
    path.write_text(said, encoding="utf-8")
    trailers = git(repository, "interpret-trailers", "--parse", str(path)).splitlines()
    assert {line.partition(":")[0] for line in trailers} == OURS
    assert not [line for line in said.splitlines() if line.lower().startswith("co-authored-by")]


def test_a_message_says_the_rule_and_its_evidence() -> None:
    record = RuleRecord(
        Rule("r-1", NONE, ""), Status.ACTIVE, "", Origin("9f8e", run="run-1"), MOMENT, MOMENT
    )
    subject, empty, *lines = render_message(record).splitlines()
    assert subject == "docs(memory): Never return 0 for a missing result; return None"
    assert empty == ""
    assert lines == [
        f"Rule: {NONE.rule}",
        f"When: {NONE.when}",
        f"Why: {NONE.why}",
        *("Rule-Id: r-1", "Failure: 9f8e", "Run: run-1"),
    ]

"""Where rules go: the project's files, the user's own, a folder of rules with scopes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from orchestrator.config import Config
from orchestrator.errors import RulebookError
from orchestrator.events import Event, Notice
from orchestrator.memory import MarkdownRulebook
from orchestrator.memory.history import History
from orchestrator.memory.pages import Target
from orchestrator.memory.records import Status
from orchestrator.memory.rulebook import Keeping
from orchestrator.memory.scope import covers, safe_globs, scope_of
from orchestrator.memory.shelf import Shelf
from orchestrator.models import RuleChange
from orchestrator.steps import Rulebook
from orchestrator.store import Store
from orchestrator.wiring import open_rulebook
from teacher.models import KnownRule, Lesson, RuleText
from tests.memory.conformance import RulebookConformance
from tests.memory.making import FAILURE, LISTS, NONE, TODAY, add, amend

MONEY = RuleText("Use Decimal for money", "Adding prices", "Floats lose cents")
SCOPED = replace(add(LISTS), paths=("src/api/**", "*.sql"))


class Book:
    """A rulebook with a history, opened anew each time, as every process does."""

    def __init__(self, root: Path, state: Path, target: Target, *, mirror: bool = False) -> None:
        self.root, self.history = root, History(state, root / "CLAUDE.md")
        self.heard: list[Event] = []
        self._state, self.target, self._mirror = state, target, mirror

    @property
    def book(self) -> MarkdownRulebook:
        return MarkdownRulebook(
            Shelf(self.root, self.target, mirror=self._mirror),
            self._state / "locks",
            today=lambda: TODAY,
            on_event=self.heard.append,
            keeping=Keeping(self.history, max_rules=3),
        )

    def learn(self, lesson: Lesson) -> RuleChange:
        change = self.book.apply(lesson, FAILURE)
        assert change is not None
        return change

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")


@pytest.fixture
def scoped(project: Path, tmp_path: Path) -> Iterator[Book]:
    made = Book(project, tmp_path / "state", Target.RULES_DIR)
    yield made
    made.history.close()


# ---- the promises of every rulebook, for each target


class TestInAFolderOfRules(RulebookConformance):
    file = "learned.md"

    @pytest.fixture
    def book(self, project: Path, tmp_path: Path) -> Rulebook:
        return MarkdownRulebook(Shelf(project, Target.RULES_DIR), tmp_path / "locks")


class TestInAgentsMd(RulebookConformance):
    file = "AGENTS.md"

    @pytest.fixture
    def book(self, project: Path, tmp_path: Path) -> Rulebook:
        return MarkdownRulebook(Shelf(project, Target.AGENTS_MD), tmp_path / "locks")


class TestMirrored(RulebookConformance):
    file = "AGENTS.md"

    @pytest.fixture
    def book(self, project: Path, tmp_path: Path) -> Iterator[Rulebook]:
        history = History(tmp_path / "state", project / "CLAUDE.md")
        shelf = Shelf(project, mirror=True)
        yield MarkdownRulebook(shelf, tmp_path / "locks", keeping=Keeping(history))
        history.close()


# ---- a folder of rules


def test_a_rule_without_a_scope_and_one_with(scoped: Book) -> None:
    everywhere, some = scoped.learn(add(NONE)), scoped.learn(SCOPED)
    assert everywhere.path == scoped.root / ".claude/rules/learned.md"
    assert some.path == scoped.root / ".claude/rules/learned-src-api-sql.md"
    assert scoped.text(".claude/rules/learned.md").startswith("## Learned Rules")
    text = scoped.text(".claude/rules/learned-src-api-sql.md")
    assert yaml.safe_load(text.split("---")[1]) == {"paths": ["src/api/**", "*.sql"]}
    assert f"- **Rule**: {LISTS.rule}" in text
    assert not (scoped.root / "CLAUDE.md").exists()
    assert {rule.id: rule.paths for rule in scoped.book.rules()} == {
        everywhere.rule.id: (),
        some.rule.id: ("src/api/**", "*.sql"),
    }
    assert scoped.history.get(some.rule.id).rule.paths == ("src/api/**", "*.sql")


def test_the_teacher_is_told_the_scope(scoped: Book) -> None:
    rule = scoped.learn(SCOPED).rule
    note = "it is loaded only for src/api/**, *.sql"
    assert list(scoped.book.known_rules()) == [KnownRule(rule.id, LISTS, note)]


def test_rules_of_one_scope_share_a_file_and_other_scopes_do_not(scoped: Book) -> None:
    first = scoped.learn(SCOPED)
    second = scoped.learn(replace(add(MONEY), paths=("*.sql", "src/api/**")))
    third = scoped.learn(replace(add(NONE), paths=("src/api", "*.SQL")))
    assert second.path == first.path
    assert third.path.name == "learned-src-api-sql-2.md"


def test_a_lesson_may_give_a_rule_another_scope(scoped: Book) -> None:
    rule = scoped.learn(SCOPED).rule
    before = scoped.text(".claude/rules/learned-src-api-sql.md")
    narrower = replace(amend(rule.id, MONEY), paths=("src/api/prices.py",))
    change = scoped.learn(narrower)
    assert (change.change, change.rule.paths) == ("amended", ("src/api/prices.py",))
    assert change.rule.id == rule.id
    assert change.path.name == "learned-src-api-prices-py.md"
    assert not (scoped.root / ".claude/rules/learned-src-api-sql.md").exists()
    provenance = before.split("<!-- rule ")[1].split(" -->")[0]
    assert provenance in scoped.text(".claude/rules/learned-src-api-prices-py.md")
    assert scoped.learn(amend(rule.id, LISTS)).rule.paths == ("src/api/prices.py",)


def test_a_file_of_ours_goes_with_its_last_rule_and_one_with_other_words_stays(
    scoped: Book,
) -> None:
    rule, other = scoped.learn(SCOPED).rule, scoped.learn(add(NONE)).rule
    own = scoped.root / ".claude/rules/learned.md"
    own.write_text(own.read_text("utf-8") + "\n## Ours\n\nUse tabs.\n", encoding="utf-8")
    scoped.book.take_out(rule.id)
    scoped.book.take_out(other.id)
    assert [path.name for path in own.parent.iterdir()] == ["learned.md"]
    assert "Use tabs." in own.read_text("utf-8")


def test_people_may_rename_a_file_and_rescope_it(scoped: Book) -> None:
    rule = scoped.learn(SCOPED).rule
    old = scoped.root / ".claude/rules/learned-src-api-sql.md"
    text = old.read_text("utf-8").replace("src/api/**", "src/**")
    (old.parent / "deep").mkdir()
    (old.parent / "deep" / "api.md").write_text(text, encoding="utf-8")
    old.unlink()
    (known,) = scoped.book.rules()
    assert (known.id, known.paths) == (rule.id, ("src/**", "*.sql"))
    events = [event.what for event in scoped.history.events(rule.id)]
    assert events == ["added", "rescoped by hand"]
    assert scoped.learn(replace(add(NONE), paths=("*.sql", "src/**"))).path.name == "api.md"


def test_a_file_that_is_never_loaded_is_said_to_be(scoped: Book) -> None:
    scoped.learn(SCOPED)
    path = scoped.root / ".claude/rules/learned-src-api-sql.md"
    path.write_text(path.read_text("utf-8").replace("paths:", "paths: ["), encoding="utf-8")
    with pytest.raises(RulebookError, match=r"learned-src-api-sql\.md: its front matter"):
        scoped.book.rules()


def test_files_that_are_not_ours_are_no_rules_of_ours(scoped: Book) -> None:
    folder = scoped.root / ".claude/rules"
    folder.mkdir(parents=True)
    (folder / "style.md").write_text("---\npaths: [\n---\nUse tabs.\n", encoding="utf-8")
    outside = scoped.root.parent / "elsewhere.md"
    outside.write_text("## Learned Rules & Patterns\n\n- **Rule**: Never x\n", encoding="utf-8")
    (folder / "link.md").symlink_to(outside)
    assert scoped.book.rules() == ()
    scoped.learn(add(NONE))
    assert (folder / "style.md").read_text("utf-8").endswith("Use tabs.\n")
    assert "Never return" not in outside.read_text("utf-8")


def test_a_folder_of_rules_outside_the_project_takes_none(scoped: Book) -> None:
    elsewhere = scoped.root.parent / "shared"
    elsewhere.mkdir()
    (scoped.root / ".claude").mkdir()
    (scoped.root / ".claude" / "rules").symlink_to(elsewhere)
    with pytest.raises(RulebookError, match="leads out of the project"):
        scoped.learn(add(NONE))
    assert list(elsewhere.iterdir()) == []


def test_over_budget_a_rule_of_another_file_makes_room(scoped: Book) -> None:
    first = scoped.learn(SCOPED).rule
    for text in (NONE, MONEY, RuleText("Never use eval", "Parsing", "It runs code")):
        change = scoped.learn(add(text))
    assert [rule.id for rule in change.leaving] == [first.id]
    assert scoped.history.get(first.id).status is Status.ARCHIVED
    assert not (scoped.root / ".claude/rules/learned-src-api-sql.md").exists()


# ---- another target


def test_another_target_moves_nothing_and_loses_no_history(project: Path, tmp_path: Path) -> None:
    (project / "AGENTS.md").write_text("Use tabs.\n", encoding="utf-8")
    state = tmp_path / "state"
    ids = []
    lessons = {Target.PROJECT: add(NONE), Target.AGENTS_MD: add(MONEY), Target.RULES_DIR: SCOPED}
    for target, lesson in lessons.items():
        ids.append(Book(project, state, target).learn(lesson).rule.id)
    last = Book(project, state, Target.PROJECT)
    assert [rule.id for rule in last.book.rules()] == ids
    assert {record.status for record in last.history.all()} == {Status.ACTIVE}
    again = RuleText(f"{LISTS.rule}!", LISTS.when, "")
    assert last.learn(add(again)).change in ("already known", "reinforced")
    last.book.take_out(ids[1])
    assert last.text("AGENTS.md").startswith("Use tabs.\n")
    assert MONEY.rule not in last.text("AGENTS.md")


def test_a_scope_is_left_out_where_a_file_can_have_none(project: Path, tmp_path: Path) -> None:
    made = Book(project, tmp_path / "state", Target.PROJECT)
    change = made.learn(SCOPED)
    assert (change.rule.paths, change.path.name) == ((), "CLAUDE.md")
    assert made.history.get(change.rule.id).rule.paths == ()


def test_the_users_own_file_may_be_a_link_to_anywhere(home: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "CLAUDE.md").write_text("Be brief.\n", encoding="utf-8")
    (home / ".claude").mkdir()
    (home / ".claude" / "CLAUDE.md").symlink_to(dotfiles / "CLAUDE.md")
    made = Book(home / ".claude", tmp_path / "state", Target.USER)
    made.learn(SCOPED)
    assert (home / ".claude" / "CLAUDE.md").is_symlink()
    text = (dotfiles / "CLAUDE.md").read_text("utf-8")
    assert text.startswith("Be brief.\n\n## Learned Rules")
    assert made.book.files() == ()


def test_the_users_own_file_is_made_with_its_folder(home: Path, tmp_path: Path) -> None:
    Book(home / ".claude", tmp_path / "state", Target.USER).learn(add(NONE))
    assert NONE.rule in (home / ".claude" / "CLAUDE.md").read_text("utf-8")


def test_a_rule_in_agents_md_that_nobody_loads_is_told(project: Path, tmp_path: Path) -> None:
    made = Book(project, tmp_path / "state", Target.AGENTS_MD)
    made.learn(add(NONE))
    assert made.heard == []
    (project / "CLAUDE.md").write_text("Use tabs.\n", encoding="utf-8")
    made.learn(add(MONEY))
    (told,) = made.heard
    assert isinstance(told, Notice)
    assert "does not load" in told.text
    (project / "CLAUDE.md").write_text("Use tabs.\n\n@AGENTS.md\n", encoding="utf-8")
    made.learn(SCOPED)
    assert made.heard == [told]


def test_agents_md_linked_to_claude_md_is_one_file(project: Path, tmp_path: Path) -> None:
    (project / "CLAUDE.md").write_text("Use tabs.\n", encoding="utf-8")
    (project / "AGENTS.md").symlink_to("CLAUDE.md")
    made = Book(project, tmp_path / "state", Target.AGENTS_MD, mirror=True)
    made.learn(add(NONE))
    assert (project / "AGENTS.md").is_symlink()
    assert made.text("CLAUDE.md").count(NONE.rule) == 1
    assert made.book.files() == ("CLAUDE.md",)


# ---- scopes


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["src/**", " ./tests/*.py ", "src/**"], ("src/**", "tests/*.py")),
        (["/etc/passwd", "~/x", "../x", "a/../../b", "!src/**", "@x", ""], ()),
        (["**/*", "*", "**"], ()),
        (["a\nb", "a\u202eb", "x" * 300, "a\\b"], ()),
        (["a: b", "{x,y}/*.ts", '"q"', "#c"], ("a: b", "{x,y}/*.ts", '"q"', "#c")),
        ([f"{n}/*" for n in range(50)], tuple(f"{n}/*" for n in range(20))),
    ],
)
def test_what_a_teacher_may_give_as_a_scope(given: list[str], kept: tuple[str, ...]) -> None:
    assert safe_globs(given) == kept


@pytest.mark.parametrize("paths", [("a: b", "#c", '"q"', "{x,y}/*.ts", "é*", "'", "- x", "1")])
def test_a_scope_reads_back_as_it_was_written(scoped: Book, paths: tuple[str, ...]) -> None:
    change = scoped.learn(replace(add(LISTS), paths=paths))
    assert change.rule.paths == paths
    assert scope_of(change.path.read_bytes()) == paths


@pytest.mark.parametrize(
    ("front", "scope"),
    [
        ("paths: src/**\n", ("src/**",)),
        ('paths: "a/*, {b,c}/*"\n', ("a/*", "{b,c}/*")),
        ("paths: []\n", ()),
        ("paths:\n  - 'x'\n", ("x",)),
        ("globs: x\n", ()),
        ("- x\n", ()),
        ("", ()),
    ],
)
def test_the_forms_that_claude_code_takes(front: str, scope: tuple[str, ...]) -> None:
    assert scope_of(f"---\n{front}---\ntext\n".encode()) == scope
    assert scope_of(f"---\r\n{front}---\r\ntext\r\n".encode()) == scope


@pytest.mark.parametrize(
    ("glob", "file", "loaded"),
    [
        ("src/**", "src/a/b.py", True),
        ("src/**", "lib/src.py", False),
        ("src/", "src/a/b.py", True),
        ("*.sql", "db/deep/x.sql", True),
        ("{a,b}/*.py", "b/x.py", True),
        ("a/*.py", "a/b/x.py", False),
        (".github/**", ".github/x.yml", True),
    ],
)
def test_which_files_load_a_rule(glob: str, file: str, loaded: bool) -> None:
    assert covers((glob,), ["README.md", file]) is loaded
    assert covers((), [])


def test_a_link_to_agents_md_beside_it_keeps_the_history(project: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "state")

    def ids() -> list[str]:
        book, history = open_rulebook(Config(), project, store, lambda _event: None)
        book.rules()
        found = [record.rule.id for record in history.all()]
        history.close()
        return found

    book, history = open_rulebook(Config(), project, store, lambda _event: None)
    change = book.apply(add(NONE), FAILURE)
    history.close()
    assert change is not None
    (project / "CLAUDE.md").rename(project / "AGENTS.md")
    (project / "CLAUDE.md").symlink_to("AGENTS.md")
    assert ids() == [change.rule.id]
    store.close()

"""Where rules go: the project's files, the user's own, a folder of rules with scopes."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config import Config
from orchestrator.errors import RulebookError
from orchestrator.events import Event, Notice
from orchestrator.models import Rule, RuleChange
from orchestrator.ports import Rulebook
from orchestrator.rulebook.file_differences import list_changed_files
from orchestrator.rulebook.records import Status
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rule_manager import RuleManager
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from orchestrator.rulebook.scope import filter_globs, is_in_scope, parse_scope
from orchestrator.services.rulebooks import open_rulebook
from orchestrator.storage.runs import Store
from teacher.models import KnownRule, Lesson, RuleText
from tests.open_history import OpenHistory
from tests.rulebook.conformance import RulebookConformance
from tests.rulebook.making import FAILURE, LISTS, NONE, TODAY, add, amend

MONEY = RuleText("Use Decimal for money", "Adding prices", "Floats lose cents")
SCOPED = replace(add(LISTS), paths=("src/api/**", "*.sql"))


class Book:
    """A rulebook with a history, opened anew each time, as every process does."""

    def __init__(self, root: Path, state: Path, target: Target, *, mirror: bool = False) -> None:
        self.root, self.history = root, OpenHistory(state, root / "CLAUDE.md")
        self.heard: list[Event] = []
        self._state, self.target, self._mirror = state, target, mirror

    @property
    def book(self) -> MarkdownRulebook:
        return MarkdownRulebook(
            RuleFiles(self.root, self.target, mirror=self._mirror, copies=self._state / "copies"),
            self._state / "locks",
            today=lambda: TODAY,
            on_event=self.heard.append,
            policy=RulebookPolicy(self.history, max_rules=3),
        )

    def learn(self, lesson: Lesson) -> RuleChange:
        change = self.book.apply(lesson, FAILURE)
        assert change is not None
        return change

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")


OpenBook = Callable[..., Book]


@pytest.fixture
def open_book(project: Path, tmp_path: Path) -> Iterator[OpenBook]:
    """Open rulebooks that are closed at the end of the test."""
    with ExitStack() as opened:

        def open_book(target: Target, root: Path = project, *, mirror: bool = False) -> Book:
            made = Book(root, tmp_path / "state", target, mirror=mirror)
            opened.callback(made.history.close)
            return made

        yield open_book


@pytest.fixture
def scoped(open_book: OpenBook) -> Book:
    return open_book(Target.RULES_DIR)


# ---- the promises of every rulebook, for each target


class TestInAFolderOfRules(RulebookConformance):
    file = "learned.md"

    @pytest.fixture
    def book(self, project: Path, tmp_path: Path) -> Rulebook:
        return MarkdownRulebook(RuleFiles(project, Target.RULES_DIR), tmp_path / "locks")


class TestInAgentsMd(RulebookConformance):
    file = "AGENTS.md"

    @pytest.fixture
    def book(self, project: Path, tmp_path: Path) -> Rulebook:
        return MarkdownRulebook(RuleFiles(project, Target.AGENTS_MD), tmp_path / "locks")


class TestMirrored(RulebookConformance):
    file = "AGENTS.md"

    @pytest.fixture
    def book(self, project: Path, tmp_path: Path) -> Iterator[Rulebook]:
        history = OpenHistory(tmp_path / "state", project / "CLAUDE.md")
        shelf = RuleFiles(project, mirror=True)
        yield MarkdownRulebook(shelf, tmp_path / "locks", policy=RulebookPolicy(history))
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
    assert {rule.id: rule.paths for rule in scoped.book.list_rules()} == {
        everywhere.rule.id: (),
        some.rule.id: ("src/api/**", "*.sql"),
    }
    assert scoped.history.resolve_record(some.rule.id).rule.paths == ("src/api/**", "*.sql")


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
    scoped.book.remove_rule(rule.id)
    scoped.book.remove_rule(other.id)
    assert [path.name for path in own.parent.iterdir()] == ["learned.md"]
    assert "Use tabs." in own.read_text("utf-8")


def test_people_may_rename_a_file_and_rescope_it(scoped: Book) -> None:
    rule = scoped.learn(SCOPED).rule
    old = scoped.root / ".claude/rules/learned-src-api-sql.md"
    text = old.read_text("utf-8").replace("src/api/**", "src/**")
    (old.parent / "deep").mkdir()
    (old.parent / "deep" / "api.md").write_text(text, encoding="utf-8")
    old.unlink()
    (known,) = scoped.book.list_rules()
    assert (known.id, known.paths) == (rule.id, ("src/**", "*.sql"))
    events = [event.what for event in scoped.history.list_events(rule.id)]
    assert events == ["added", "edited by hand"]
    assert scoped.learn(replace(add(NONE), paths=("*.sql", "src/**"))).path.name == "api.md"


def test_a_file_that_is_never_loaded_is_said_to_be(scoped: Book) -> None:
    scoped.learn(SCOPED)
    path = scoped.root / ".claude/rules/learned-src-api-sql.md"
    path.write_text(path.read_text("utf-8").replace("paths:", "paths: ["), encoding="utf-8")
    with pytest.raises(RulebookError, match=r"learned-src-api-sql\.md: its front matter"):
        scoped.book.list_rules()


def test_files_that_are_not_ours_are_no_rules_of_ours(scoped: Book) -> None:
    folder = scoped.root / ".claude/rules"
    folder.mkdir(parents=True)
    (folder / "style.md").write_text("---\npaths: [\n---\nUse tabs.\n", encoding="utf-8")
    outside = scoped.root.parent / "elsewhere.md"
    outside.write_text("## Learned Rules & Patterns\n\n- **Rule**: Never x\n", encoding="utf-8")
    (folder / "link.md").symlink_to(outside)
    assert scoped.book.list_rules() == ()
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
    assert scoped.history.resolve_record(first.id).status is Status.ARCHIVED
    assert not (scoped.root / ".claude/rules/learned-src-api-sql.md").exists()


def test_a_name_that_another_file_has_is_left_to_it(scoped: Book) -> None:
    folder = scoped.root / ".claude/rules"
    folder.mkdir(parents=True)
    (folder / "learned.md").write_text("Use tabs.\n", encoding="utf-8")
    (folder / "Learned-2.md").symlink_to("nowhere")
    (folder / "learned-src-api-sql.md").mkdir()
    assert scoped.learn(add(NONE)).path.name == "learned-3.md"
    assert scoped.learn(SCOPED).path.name == "learned-src-api-sql-2.md"
    assert (folder / "learned.md").read_text("utf-8") == "Use tabs.\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("---\npaths:", "---\ndescription: for the API\npaths:"),
        ("## Learned", "<!-- owner: the API team -->\n\n## Learned"),
        ("\n", "\r\n"),
    ],
)
def test_a_file_with_more_than_we_made_stays_without_its_rules(
    scoped: Book, old: str, new: str
) -> None:
    change = scoped.learn(SCOPED)
    text = change.path.read_text("utf-8").replace(old, new)
    change.path.write_bytes(text.encode())
    scoped.book.remove_rule(change.rule.id)
    left = change.path.read_bytes().decode()
    assert LISTS.rule not in left
    assert text.startswith(left.rstrip())
    assert scoped.learn(SCOPED).path == change.path


def test_a_scope_can_be_taken_away_again(scoped: Book) -> None:
    rule = scoped.learn(SCOPED).rule
    scoped.book.edit_files(lambda pages: pages.rescope_rule(rule.id, ()))
    assert [(known.id, known.paths) for known in scoped.book.list_rules()] == [(rule.id, ())]
    assert [path.name for path in scoped.book.find_files(rule.id)] == ["learned.md"]
    assert not (scoped.root / ".claude/rules/learned-src-api-sql.md").exists()


def test_a_scope_can_be_taken_away_where_new_rules_have_none(
    project: Path, open_book: OpenBook
) -> None:
    rule = open_book(Target.RULES_DIR).learn(SCOPED).rule
    made = open_book(Target.PROJECT)
    made.book.edit_files(lambda pages: pages.rescope_rule(rule.id, ("docs/**",)))
    assert made.book.list_rules()[0].paths == ("src/api/**", "*.sql")
    made.book.edit_files(lambda pages: pages.rescope_rule(rule.id, ()))
    assert made.book.find_files(rule.id) == (project / "CLAUDE.md",)
    assert made.history.resolve_record(rule.id).rule.id == rule.id


# ---- files that cannot be read


def _enlarge(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"word " * 250_000)


def _recode(path: Path) -> None:
    path.write_bytes(path.read_bytes().decode().encode("utf-16"))


def _lead_out(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere.md"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("target", "spoil", "words"),
    [
        (Target.RULES_DIR, _enlarge, r"learned\.md is larger than"),
        (Target.RULES_DIR, _recode, r"learned\.md: the file is encoded as UTF-16"),
        (Target.AGENTS_MD, _recode, r"AGENTS\.md: the file is encoded as UTF-16"),
        (Target.AGENTS_MD, _lead_out, r"AGENTS\.md is a link out of the project"),
    ],
)
def test_what_cannot_be_read_is_not_deleted(
    open_book: OpenBook, target: Target, spoil: Callable[[Path], None], words: str
) -> None:
    change = open_book(target).learn(add(NONE))
    later = open_book(Target.PROJECT)
    later.learn(add(MONEY))
    data = change.path.read_bytes()
    spoil(change.path)
    with pytest.raises(RulebookError, match=words):
        later.book.list_rules()
    assert later.history.resolve_record(change.rule.id).status is Status.ACTIVE
    change.path.unlink()
    change.path.write_bytes(data)
    assert len(later.book.list_rules()) == 2


def test_files_that_never_had_rules_stop_nobody(
    project: Path, tmp_path: Path, open_book: OpenBook
) -> None:
    folder = project / ".claude/rules"
    folder.mkdir(parents=True)
    (tmp_path / "ours.md").write_text("Use tabs.\n", encoding="utf-8")
    (project / "AGENTS.md").symlink_to(tmp_path / "ours.md")
    (folder / "utf16.md").write_bytes("Use tabs.\n".encode("utf-16"))
    (folder / "folder.md").mkdir()
    os.mkfifo(folder / "pipe.md")
    (folder / "large.md").write_bytes(b"word " * 250_000)
    made = open_book(Target.PROJECT)
    rule = made.learn(add(NONE)).rule
    assert [known.id for known in made.book.list_rules()] == [rule.id]
    (folder / "large.md").unlink()
    (project / "CLAUDE.md").unlink()
    assert made.book.list_rules() == ()
    assert made.history.resolve_record(rule.id).status is Status.ARCHIVED


def test_a_file_that_loses_a_rule_is_written_last(scoped: Book) -> None:
    rule = scoped.learn(add(LISTS)).rule
    scoped.learn(replace(SCOPED, text=MONEY))
    before = scoped.book._rule_files.read().file_set
    for paths in (("src/api/**", "*.sql"), ("a/**",), ("z/**",)):
        order = list_changed_files(before, before.rescope_rule(rule.id, paths))
        assert order[-1] == ".claude/rules/learned.md"
        assert len(order) == 2


# ---- another target


def test_another_target_moves_nothing_and_loses_no_history(
    project: Path, open_book: OpenBook
) -> None:
    (project / "AGENTS.md").write_text("Use tabs.\n", encoding="utf-8")
    ids = []
    lessons = {Target.PROJECT: add(NONE), Target.AGENTS_MD: add(MONEY), Target.RULES_DIR: SCOPED}
    for target, lesson in lessons.items():
        ids.append(open_book(target).learn(lesson).rule.id)
    last = open_book(Target.PROJECT)
    assert [rule.id for rule in last.book.list_rules()] == ids
    assert {record.status for record in last.history.list_records()} == {Status.ACTIVE}
    again = RuleText(f"{LISTS.rule}!", LISTS.when, "")
    assert last.learn(add(again)).change in ("already known", "reinforced")
    last.book.remove_rule(ids[1])
    assert last.text("AGENTS.md").startswith("Use tabs.\n")
    assert MONEY.rule not in last.text("AGENTS.md")


def test_a_scope_is_left_out_where_a_file_can_have_none(open_book: OpenBook) -> None:
    made = open_book(Target.PROJECT)
    change = made.learn(SCOPED)
    assert (change.rule.paths, change.path.name) == ((), "CLAUDE.md")
    assert made.history.resolve_record(change.rule.id).rule.paths == ()


def test_the_users_own_file_may_be_a_link_to_anywhere(
    home: Path, tmp_path: Path, open_book: OpenBook
) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "CLAUDE.md").write_text("Be brief.\n", encoding="utf-8")
    (home / ".claude").mkdir()
    (home / ".claude" / "CLAUDE.md").symlink_to(dotfiles / "CLAUDE.md")
    made = open_book(Target.USER, home / ".claude")
    made.learn(SCOPED)
    assert (home / ".claude" / "CLAUDE.md").is_symlink()
    text = (dotfiles / "CLAUDE.md").read_text("utf-8")
    assert text.startswith("Be brief.\n\n## Learned Rules")
    assert made.book.list_files() == ()


def test_the_users_own_file_is_made_with_its_folder(home: Path, open_book: OpenBook) -> None:
    open_book(Target.USER, home / ".claude").learn(add(NONE))
    assert NONE.rule in (home / ".claude" / "CLAUDE.md").read_text("utf-8")


def test_a_rule_in_agents_md_that_nobody_loads_is_told(project: Path, open_book: OpenBook) -> None:
    made = open_book(Target.AGENTS_MD)
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


def test_agents_md_linked_to_claude_md_is_one_file(project: Path, open_book: OpenBook) -> None:
    (project / "CLAUDE.md").write_text("Use tabs.\n", encoding="utf-8")
    (project / "AGENTS.md").symlink_to("CLAUDE.md")
    made = open_book(Target.AGENTS_MD, mirror=True)
    made.learn(add(NONE))
    assert (project / "AGENTS.md").is_symlink()
    assert made.text("CLAUDE.md").count(NONE.rule) == 1
    assert made.book.list_files() == ("CLAUDE.md",)


# ---- scopes


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["src/**", " ./tests/*.py ", "src/**"], ("src/**", "tests/*.py")),
        (["/etc/passwd", "~/x", "../x", "a/../../b", "!src/**", "@x", ""], ()),
        (["**/*", "*", "**"], ()),
        (["a\nb", "a\u202eb", "x" * 300, "a\\b"], ()),
        (["a: b", "{x,y}/*.ts", '"q"', "#c"], ("a: b", "{x,y}/*.ts", '"q"', "#c")),
        (["src/{1..5000}/**", "src/{a..z}", "x{a,b}" * 11, "{a,{b,c}}" * 9], ()),
        (["**/**", "*/*", "/**/", "*/a" * 6], ()),
        (["a, b", "src/**,lib/**", "a---b/*"], ()),
        (["**/{a,b}/**/*.{ts,tsx}", "src/*/a/*/b*"], ("**/{a,b}/**/*.{ts,tsx}", "src/*/a/*/b*")),
        ([f"{n}/*" for n in range(50)], tuple(f"{n}/*" for n in range(20))),
    ],
)
def test_what_a_teacher_may_give_as_a_scope(given: list[str], kept: tuple[str, ...]) -> None:
    assert filter_globs(given) == kept


@pytest.mark.parametrize("paths", [("a: b", "#c", '"q"', "{x,y}/*.ts", "é*", "'", "- x", "1")])
def test_a_scope_reads_back_as_it_was_written(scoped: Book, paths: tuple[str, ...]) -> None:
    rule = Rule("r-000001", LISTS, "Added by hand", paths)
    (path,) = scoped.book.edit_files(lambda file_set: file_set.add_rule(rule, ""))
    assert parse_scope(path.read_bytes()) == paths


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
        ("d: 2026-13-45\npaths: x\n", ("x",)),
        (f"n: {'1' * 5000}\npaths: x\n", ("x",)),
        ("t: 2026-01-01 00:00:00 +99:00\npaths: x\n", ("x",)),
        ("paths: [[a], {b: c}, d]\n", ("d",)),
        ("paths: {a: b}\n", ()),
    ],
)
def test_the_forms_that_claude_code_takes(front: str, scope: tuple[str, ...]) -> None:
    assert parse_scope(f"---\n{front}---\ntext\n".encode()) == scope
    assert parse_scope(f"---\r\n{front}---\r\ntext\r\n".encode()) == scope


@pytest.mark.parametrize(
    "front",
    [
        "paths: " + "[" * 4000 + "\n",
        "paths: &a [*a]\n",
        "paths: *a\n",
        "paths: \0\n",
        "x: " + "y" * 30_000 + "\n",
        "a: &a [x]\n" + "".join(f"{n}: &{n} [{'*a, ' * 500}]\n" for n in range(20)),
    ],
    ids=["deep", "within itself", "unknown", "control character", "long", "many aliases"],
)
def test_hostile_front_matter_is_refused_in_one_line(front: str) -> None:
    with pytest.raises(RulebookError, match="its front matter is"):
        parse_scope(f"---\n{front}---\ntext\n".encode())


def test_aliases_multiply_nothing() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    assert parse_scope(f"---\na0: &a0 [x]\n{levels}paths: [*a39, y]\n---\n".encode()) == ("y",)


@pytest.mark.parametrize(
    "glob",
    ["src/{1..5000}/**", "src/" + "{a,b}" * 11, "{" * 5000, "*a/" * 50, "[", "[!", "", "\0", "!"],
)
def test_a_glob_that_people_wrote_matches_or_not_and_raises_nothing(glob: str) -> None:
    assert is_in_scope((glob,), ["src/x.py"]) is False
    assert is_in_scope((glob, "src/*"), ["src/x.py"]) is True


@given(st.text(alphabet="{},.*?[]!-()|/ab1", max_size=60))
def test_any_glob_matches_or_not(glob: str) -> None:
    assert is_in_scope((glob,), ["src/x.py", "a/b/a"]) in (True, False)


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
    assert is_in_scope((glob,), ["README.md", file]) is loaded
    assert is_in_scope((), [])


def test_a_link_to_agents_md_beside_it_keeps_the_history(project: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "state") as store:
        book, _ = open_rulebook(Config(), project, store.database, lambda _event: None)
        change = book.apply(add(NONE), FAILURE)
        assert change is not None
        (project / "CLAUDE.md").rename(project / "AGENTS.md")
        (project / "CLAUDE.md").symlink_to("AGENTS.md")
        book, history = open_rulebook(Config(), project, store.database, lambda _event: None)
        book.list_rules()
        assert [record.rule.id for record in history.list_records()] == [change.rule.id]


def test_a_rule_by_hand_has_a_history_once_it_is_adopted(
    project: Path, open_book: OpenBook
) -> None:
    file = project / "CLAUDE.md"
    file.write_text(
        "## Learned Rules & Patterns\n\n- **Rule**: Never x\n- **Rule**: Never y\n",
        encoding="utf-8",
    )
    made = open_book(Target.PROJECT)
    first, second = (rule.id for rule in made.book.list_hand_written())
    made.learn(add(NONE))
    assert b"- **Rule**: Never x\n- **Rule**: Never y\n" in file.read_bytes()
    assert made.history.find_record(first) is None
    RuleManager(made.book, made.history).adopt_rule(second)
    text = file.read_text("utf-8")
    assert f"- **Rule**: Never x\n<!-- rule {second} -->\n- **Rule**: Never y\n" in text
    file.write_text(text.replace("Never y", "Never z"), encoding="utf-8")
    made.book.list_rules()
    assert made.history.resolve_record(second).rule.text.rule == "Never z"
    assert made.history.resolve_record(second).status is Status.ACTIVE

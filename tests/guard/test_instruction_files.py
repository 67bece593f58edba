"""Rules that an agent rewrites, hides or excludes are restored; what others write is left alone."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.config import Config
from orchestrator.errors import InfrastructureError
from orchestrator.guard import Guard, GuardMode, build_guard
from orchestrator.guard.learned_rules import restore_rules
from orchestrator.masking import Masker
from orchestrator.models import Diff, FileChange, Finding, FindingKind, RunOutcome, Task
from orchestrator.rulebook import locking
from orchestrator.rulebook.agents_md import find_shadowing_file
from orchestrator.rulebook.history import History
from orchestrator.rulebook.locking import lock_instruction_files
from orchestrator.rulebook.outcomes import build_outcomes_listener
from orchestrator.rulebook.records import RuleEventKind, Status
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from orchestrator.services.wiring import build_parts, open_account
from orchestrator.storage.opening import open_database
from orchestrator.teaching.pending import Pending
from teacher.models import RuleText
from tests.guard.projects import COMMAND, RIGHT, Attempts, make_project, write
from tests.open_history import OpenHistory
from tests.rulebook.making import FAILURE, LISTS, NONE, TODAY, add

BLOCK = "## Learned Rules & Patterns\n\n- **Rule**: Never subtract.\n- **When**: Always.\n"
EVAL = RuleText("Never use eval on input", "Parsing", "It runs code")


@dataclass
class World:
    """A project with one rule, and a guard of an attempt on it.

    Args:
        root: the rulebook's folder.
        target: where its rules go.
        mirror: as `rules.mirror`.
    """

    root: Path
    target: Target = Target.PROJECT
    mirror: bool = False
    mode: GuardMode = GuardMode.RESTORE
    shelf: RuleFiles = field(init=False)
    first: str = field(init=False)

    def __post_init__(self) -> None:
        state = self.root.parent
        self.shelf = RuleFiles(self.root, self.target, mirror=self.mirror, copies=state / "copies")
        self.first = self.learn(NONE)
        self.guard = self.new_guard()

    def book(self) -> MarkdownRulebook:
        return MarkdownRulebook(self.shelf, self.root.parent / "locks", today=lambda: TODAY)

    def learn(self, text: RuleText) -> str:
        change = self.book().apply(add(text), FAILURE)
        assert change is not None
        return change.rule.id

    def new_guard(self) -> Guard:
        """A guard as another process would make it."""
        locks = self.root.parent / "locks"
        return build_guard(
            self.root,
            self.mode,
            COMMAND,
            {},
            (self.shelf,),
            locks,
            folder=self.root.parent / "guard",
        )

    def rules(self) -> list[str]:
        return [rule.text.rule for rule in self.book().list_rules()]

    def attempt(self, *done: Callable[[], object]) -> list[tuple[str, str]]:
        self.guard.record_attempt(1)
        for each in done:
            each()
        return describe(self.guard.revert_edits(1).found)


def describe(found: tuple[Finding, ...]) -> list[tuple[str, str]]:
    assert {each.kind for each in found} <= {FindingKind.RULES}
    return [(each.where, each.text) for each in found]


def edit(path: Path, old: str, new: str) -> Callable[[], object]:
    def done() -> None:
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    return done


def link(path: Path, target: str) -> Callable[[], object]:
    def done() -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return done


@pytest.fixture
def app(project: Path) -> Path:
    """The user's own source code."""
    write(project, {"src/app.py": "print('the app')\n"})
    return project / "src" / "app.py"


# ---- what others write meanwhile


@pytest.mark.parametrize("target", Target)
def test_rules_that_another_run_learns_meanwhile_stay(project: Path, target: Target) -> None:
    world = World(project, target)
    assert world.attempt(lambda: world.learn(EVAL)) == []
    assert world.rules() == [NONE.rule, EVAL.rule]


def test_what_a_person_does_by_a_command_stays_and_what_the_agent_does_then_does_not(
    project: Path,
) -> None:
    world = World(project)
    second = world.learn(LISTS)
    claude = project / "CLAUDE.md"
    done = world.attempt(
        lambda: world.book().remove_rule(second),
        lambda: world.learn(EVAL),
        edit(claude, "Never use eval", "Always use eval"),
    )
    assert done == [("CLAUDE.md", "changed, reverted")]
    assert world.rules() == [NONE.rule, EVAL.rule]


def test_a_file_of_rules_that_was_removed_meanwhile_does_not_come_back(project: Path) -> None:
    world = World(project, Target.RULES_DIR)
    learned = project / ".claude/rules/learned.md"
    text = learned.read_text("utf-8")
    done = world.attempt(
        lambda: world.book().remove_rule(world.first), lambda: learned.write_text(text, "utf-8")
    )
    assert done == [(".claude/rules/learned.md", "changed, reverted")]
    assert not learned.exists()


def test_a_file_of_rules_that_was_removed_before_is_the_agents_own(project: Path) -> None:
    world = World(project, Target.RULES_DIR)
    learned = project / ".claude/rules/learned.md"
    text = learned.read_text("utf-8")
    learned.unlink()  # by hand: what was written last is still what the agent writes again
    done = world.attempt(lambda: learned.write_text(text, "utf-8"))
    assert done == [(".claude/rules/learned.md", "added, reverted")]
    assert not learned.exists()


def test_what_changed_before_an_attempt_is_taken_up_again_stays(project: Path) -> None:
    world = World(project)
    world.guard.record_attempt(1)
    edit(project / "CLAUDE.md", NONE.rule, "Return None, always")()
    world.learn(EVAL)
    guard = world.new_guard()
    guard.resume_attempt(1)
    assert describe(guard.revert_edits(1).found) == []
    assert world.rules() == ["Return None, always", EVAL.rule]


def test_what_changed_by_hand_before_an_attempt_is_taken_up_again_is_told(project: Path) -> None:
    world = World(project)
    world.guard.record_attempt(1)
    edit(project / "CLAUDE.md", NONE.rule, "Return None, always")()
    guard = world.new_guard()
    guard.resume_attempt(1)
    text = "changed before the attempt started again; not reverted"
    assert describe(guard.revert_edits(1).found) == [("CLAUDE.md", text)]
    assert world.rules() == ["Return None, always"]


def test_after_an_agent_that_was_broken_off_the_rules_are_put_back_at_once(project: Path) -> None:
    world = World(project)
    world.guard.record_attempt(1)
    edit(project / "CLAUDE.md", "Never", "Always")()
    assert describe(world.guard.abort_attempt(1).found) == [("CLAUDE.md", "changed, reverted")]
    edit(project / "CLAUDE.md", NONE.rule, "Return None, always")()  # by a person
    guard = world.new_guard()
    guard.resume_attempt(1)
    assert guard.revert_edits(1).found == ()
    assert world.rules() == ["Return None, always"]


def test_an_agent_that_is_interrupted_leaves_no_rules(project: Path) -> None:
    make_project(project, {"CLAUDE.md": BLOCK})

    def cheat(folder: Path) -> None:
        edit(folder / "CLAUDE.md", "Never", "Always")()
        raise KeyboardInterrupt

    attempts = Attempts(project, cheat)
    with pytest.raises(KeyboardInterrupt):
        attempts.run()
    assert (project / "CLAUDE.md").read_text("utf-8") == BLOCK
    assert [type(event) for event in attempts.events][-1] is events.Tampered


def test_a_listener_to_the_start_of_an_attempt_reads_restored_rules(project: Path) -> None:
    make_project(project, {"CLAUDE.md": BLOCK})
    seen: list[str] = []

    class Heard(list[events.Event]):
        def append(self, event: events.Event) -> None:
            if isinstance(event, events.AttemptFinished):
                edit(project / "CLAUDE.md", "Never", "Always")()  # what the agent left running
            if isinstance(event, events.AttemptStarted):
                seen.append((project / "CLAUDE.md").read_text("utf-8"))

    attempts = Attempts(project, *[lambda to: write(to, {"more.py": "x = 1\n"})] * 2)
    attempts.events = Heard()
    attempts.run(retries=1)
    assert seen == [BLOCK, BLOCK]


def test_an_attempt_is_judged_by_another_process_as_by_the_first(project: Path) -> None:
    world = World(project)
    world.guard.record_attempt(1)
    edit(project / "CLAUDE.md", "Never", "Always")()
    assert describe(world.new_guard().revert_edits(1).found) == [("CLAUDE.md", "changed, reverted")]
    assert world.rules() == [NONE.rule]


def test_rules_are_put_back_under_the_rulebooks_lock(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(project)
    world.guard.record_attempt(1)
    monkeypatch.setattr(locking, "_LOCK_SECONDS", 0.05)
    locks = project.parent / "locks"
    with (
        lock_instruction_files(world.shelf.list_lock_paths(), locks),
        pytest.raises(InfrastructureError, match="another process"),
    ):
        world.guard.revert_edits(1)


# ---- links


@pytest.mark.parametrize("target", [Target.PROJECT, Target.AGENTS_MD, Target.RULES_DIR])
def test_nothing_is_written_through_a_link_of_the_agents(
    project: Path, app: Path, target: Target
) -> None:
    world = World(project, target)
    (file,) = world.book().find_files(world.first)
    before = file.read_bytes()
    to = os.path.relpath(app, file.parent)
    name = file.relative_to(project).as_posix()
    assert world.attempt(link(file, to)) == [(name, "changed, reverted")]
    assert app.read_text("utf-8") == "print('the app')\n"
    assert not file.is_symlink()
    assert file.read_bytes() == before


def test_nor_are_new_rules_where_there_was_no_file(project: Path, app: Path) -> None:
    world = World(project)
    (project / "CLAUDE.md").unlink()
    assert world.attempt(link(project / "CLAUDE.md", "src/app.py")) == [
        ("CLAUDE.md", "added, reverted")
    ]
    assert not os.path.lexists(project / "CLAUDE.md")
    assert app.exists()


def test_a_link_of_the_users_own_is_put_back(project: Path) -> None:
    write(project, {"docs/notes.md": "# Notes\n"})
    (project / "CLAUDE.md").symlink_to("docs/notes.md")
    (project / ".git").mkdir()
    world = World(project)
    before = (project / "docs/notes.md").read_bytes()

    def cheat() -> None:
        (project / "CLAUDE.md").unlink()
        write(project, {"CLAUDE.md": "# Mine\n"})
        edit(project / "docs/notes.md", "Never", "Always")()

    assert world.attempt(cheat) == [("CLAUDE.md", "changed, reverted")]
    assert (project / "CLAUDE.md").readlink() == Path("docs/notes.md")
    assert (project / "docs/notes.md").read_bytes() == before


def test_one_instruction_file_may_become_a_link_to_another(project: Path) -> None:
    world = World(project, Target.AGENTS_MD)
    assert world.attempt(link(project / "CLAUDE.md", "AGENTS.md")) == []
    assert (project / "CLAUDE.md").is_symlink()


def test_a_folder_in_the_place_of_a_file_is_set_aside(project: Path) -> None:
    world = World(project)

    def cheat() -> None:
        (project / "CLAUDE.md").unlink()
        write(project, {"CLAUDE.md/more.md": "x\n"})

    assert world.attempt(cheat) == [("CLAUDE.md", "changed, reverted")]
    assert world.rules() == [NONE.rule]


# ---- hidden, and put out of force


def test_rules_in_front_matter_are_no_rules(project: Path) -> None:
    write(project, {"CLAUDE.md": "# Notes\n\nBe kind.\n"})
    world = World(project)
    claude = project / "CLAUDE.md"
    before = claude.read_text("utf-8")

    def hide() -> None:
        notes, section = before[: before.index("## ")], before[before.index("## ") :]
        write(project, {"CLAUDE.md": f'---\nx: "\n\n{section}\n# "\n\n---\n\n{notes}'})

    assert world.attempt(hide) == [("CLAUDE.md", "changed, reverted")]
    assert claude.read_text("utf-8") == before


def test_front_matter_that_hides_no_rule_is_the_agents_to_write(project: Path) -> None:
    world = World(project)
    before = (project / "CLAUDE.md").read_text("utf-8")
    assert world.attempt(lambda: write(project, {"CLAUDE.md": f"---\na: 1\n---\n{before}"})) == []


def test_code_under_test_rewrites_no_rules(project: Path) -> None:
    make_project(project, {"CLAUDE.md": BLOCK})
    cheat = (
        "import pathlib\n\nNOTES = pathlib.Path(__file__).with_name('CLAUDE.md')\n"
        "NOTES.write_text(NOTES.read_text().replace('Never', 'Always'))\n"
    )
    result = Attempts(project, lambda to: write(to, {"calc.py": RIGHT + cheat})).run()
    assert result.outcome is RunOutcome.SOLVED
    assert [(each.where, each.text) for each in result.attempts[0].findings] == [
        ("CLAUDE.md", "changed, while the suite ran, reverted")
    ]
    assert (project / "CLAUDE.md").read_text("utf-8") == BLOCK


def test_what_is_rewritten_between_attempts_is_not_remembered(project: Path) -> None:
    world = World(project)
    assert world.attempt() == []
    world.learn(EVAL)
    edit(project / "CLAUDE.md", "Never use eval", "Always use eval")()
    world.guard.record_attempt(2)
    assert describe(world.guard.revert_edits(2).found) == [
        ("CLAUDE.md", "changed, between the attempts, reverted")
    ]
    assert world.rules() == [NONE.rule, EVAL.rule]


@pytest.mark.parametrize("mirror", [False, True])
def test_agents_md_stays_in_force(project: Path, mirror: bool) -> None:
    if mirror:
        write(project, {"CLAUDE.md": "Use tabs.\n\n@AGENTS.md\n"})
    world = World(project, Target.AGENTS_MD, mirror)
    assert world.attempt(lambda: write(project, {"CLAUDE.md": "# Hello\n"})) == [
        ("CLAUDE.md", "kept AGENTS.md from being loaded, reverted")
    ]
    assert find_shadowing_file(project) is None
    assert (project / "CLAUDE.md").read_text("utf-8") == "@AGENTS.md\n\n# Hello\n"


def test_where_it_was_not_in_force_nothing_is_done(project: Path) -> None:
    world = World(project, Target.AGENTS_MD)
    write(project, {"CLAUDE.md": "# Mine\n"})
    assert world.attempt(lambda: write(project, {"CLAUDE.md": "# Hello\n"})) == []
    assert (project / "CLAUDE.md").read_text("utf-8") == "# Hello\n"


EXCLUDES = {"claudeMdExcludes": ["**/CLAUDE.md"]}


@pytest.mark.parametrize("name", [".claude/settings.json", ".claude/settings.local.json"])
@pytest.mark.parametrize(
    ("before", "after", "mended"),
    [
        (None, EXCLUDES, None),
        (None, {"model": "m", **EXCLUDES}, {"model": "m"}),
        ({"model": "m"}, {"model": "m", **EXCLUDES}, {"model": "m"}),
        (
            {"claudeMdExcludes": ["a/CLAUDE.md"]},
            {"claudeMdExcludes": ["a/CLAUDE.md", "CLAUDE.md"], "model": "m"},
            {"claudeMdExcludes": ["a/CLAUDE.md"], "model": "m"},
        ),
    ],
)
def test_no_setting_keeps_rules_from_being_loaded(
    project: Path, name: str, before: object, after: object, mended: object
) -> None:
    if before is not None:
        write(project, {name: json.dumps(before)})
    world = World(project)
    what = "added" if before is None else "changed"
    assert world.attempt(lambda: write(project, {name: json.dumps(after)})) == [
        (name, f"{what}, reverted")
    ]
    path = project / name
    assert (json.loads(path.read_bytes()) if path.exists() else None) == mended


def test_settings_that_cannot_be_read_are_those_of_before_if_they_may_exclude(
    project: Path,
) -> None:
    write(project, {".claude/settings.json": '{"model": "m"}'})
    world = World(project)
    broken = '{"claudeMdExcludes": ["CLAUDE.md"], // hidden\n}'
    assert world.attempt(lambda: write(project, {".claude/settings.json": broken}))
    assert (project / ".claude/settings.json").read_text("utf-8") == '{"model": "m"}'


@pytest.mark.parametrize(
    "after", ['{"model": "n"}', "{", '{"model": "m"}', '{"permissions": {"allow": ["Bash"]}}']
)
def test_other_settings_are_none_of_our_business(project: Path, after: str) -> None:
    write(project, {".claude/settings.json": '{"model": "m", "claudeMdExcludes": ["x"]}'})
    world = World(project)
    assert world.attempt(lambda: write(project, {".claude/settings.json": after})) == []
    assert (project / ".claude/settings.json").read_text("utf-8") == after


def test_settings_are_not_written_through_a_link_either(project: Path) -> None:
    write(project, {"src/app.json": json.dumps(EXCLUDES)})
    world = World(project)
    (project / ".claude").mkdir()
    done = world.attempt(link(project / ".claude/settings.json", "../src/app.json"))
    assert done == [(".claude/settings.json", "added, reverted")]
    assert not os.path.lexists(project / ".claude/settings.json")
    assert json.loads((project / "src/app.json").read_bytes()) == EXCLUDES


def test_with_rules_of_ones_own_those_of_the_project_are_guarded_too(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users"
    users.mkdir()
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(users))
    theirs, ours = World(users, Target.USER), World(project)
    config = Config.model_validate(
        {
            "rules": {"target": "user"},
            "tests": {"command": COMMAND},
            "agent": {"kind": "command", "command": ("true",)},
        }
    )
    environment = {**os.environ, "ANTHROPIC_API_KEY": "none"}
    with open_database(tmp_path / "record") as database:
        account = open_account(config, database)
        guard = build_parts(
            config,
            Task("", project),
            tmp_path,
            environment,
            lambda _: None,
            tmp_path,
            account,
            project,
            Masker(),
            Pending(project, tmp_path),
        ).guard
    guard.record_attempt(1)
    for folder in (project, users):
        edit(folder / "CLAUDE.md", "Never", "Always")()
    assert describe(guard.revert_edits(1).found) == [
        (str(users / "CLAUDE.md"), "changed, reverted"),
        ("CLAUDE.md", "changed, reverted"),
    ]
    assert theirs.rules() == ours.rules() == [NONE.rule]


# ---- modes, and what the history hears


def test_flagging_only_tells(project: Path, app: Path) -> None:
    write(project, {"AGENTS.md": "# A\n"})
    world = World(project, mode=GuardMode.FLAG)
    done = world.attempt(link(project / "CLAUDE.md", "src/app.py"))
    assert done == [("CLAUDE.md", "changed")]
    assert (project / "CLAUDE.md").is_symlink()
    assert app.exists()


def test_without_a_guard_nothing_is_remembered(project: Path) -> None:
    world = World(project, mode=GuardMode.OFF)
    assert world.attempt(edit(project / "CLAUDE.md", "Never", "Always")) == []
    assert not (project.parent / "guard").exists()


@pytest.fixture
def history(project: Path, tmp_path: Path) -> Iterator[History]:
    made = OpenHistory(tmp_path / "state", project / "CLAUDE.md")
    yield made
    made.close()


def test_the_history_hears_nothing_of_what_the_guard_has_not_seen(
    project: Path, tmp_path: Path, history: History
) -> None:
    world = World(project)
    locks, policy = tmp_path / "locks", RulebookPolicy(history)
    book = MarkdownRulebook(world.shelf, locks, today=lambda: date(2026, 11, 20), policy=policy)
    second = world.learn(LISTS)
    book.list_rules()
    book.remove_rule(second)
    history.change_status(second, Status.REJECTED, RuleEventKind.REJECTED)
    history.change_status(world.first, Status.ESCALATED, RuleEventKind.ESCALATED)
    listen = build_outcomes_listener(history, book, "run-1", lambda _: None)
    listen(events.AttemptStarted(1, 1, "prompt"))
    world.guard.record_attempt(1)
    cheat = f"## Learned Rules & Patterns\n\n- **Rule**: {LISTS.rule}\n- **When**: {LISTS.when}\n"
    write(project, {"CLAUDE.md": cheat})
    listen(events.DiffTaken(Diff((FileChange("CLAUDE.md", "M", 1, 1),), tmp_path / "patch")))
    world.guard.revert_edits(1)
    book.list_rules()
    assert history.resolve_record(second).status is Status.REJECTED
    assert history.resolve_record(world.first).status is Status.ESCALATED


# ---- one file


@pytest.mark.parametrize(
    "heading",
    [
        "##  Learned Rules  & Patterns",
        "Learned Rules  & Patterns\n---",
        "Learned Rules\n& Patterns\n---",
    ],
)
def test_a_heading_is_found_as_it_is_written(heading: str) -> None:
    before = f"# Notes\n\nBe kind.\n\n{heading}\n\n- **Rule**: Never x\n- **When**: y\n"
    now = before.replace("Be kind.", "Be brief.").replace("Never x", "Always x")
    mended = before.replace("Be kind.", "Be brief.")
    assert restore_rules(before.encode(), now.encode()) == mended.encode()

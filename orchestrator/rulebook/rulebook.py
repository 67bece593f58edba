"""The rulebook of a project: the rules in force, safe when several runs write at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, TypeVar

from orchestrator.errors import RulebookError
from orchestrator.events import Listener, Notice
from orchestrator.models import Rule, RuleChange
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.agents_md import agents_above, agents_unloaded
from orchestrator.rulebook.history import History
from orchestrator.rulebook.lessons import Outcome, known_rules, take_in, unified
from orchestrator.rulebook.locking import instruction_files_locked
from orchestrator.rulebook.mirroring import agreed_on, held_together
from orchestrator.rulebook.pages import Pages, Target, changed
from orchestrator.rulebook.preflight import Standing
from orchestrator.rulebook.remembering import follow, remember, standing, turned_down
from orchestrator.rulebook.shelf import Shelf, Shelved
from orchestrator.rulebook.withdrawal import Trace, Withdrawals
from teacher.models import Action, Failure, KnownRule, Lesson

_TRIES: Final = 10

T = TypeVar("T")


def _today() -> date:
    return datetime.now().astimezone().date()


@dataclass(frozen=True)
class Keeping:
    """The history behind a rulebook, and the limits that it is kept in."""

    history: History
    max_rules: int | None = None
    max_tokens: int | None = None
    review: bool = False
    """Whether changes wait for a person."""
    own: bool = True
    """Whether the history is of these very files; if not, of the project that they are a copy
    of."""


class MarkdownRulebook:
    """The rules in force in a project's CLAUDE.md, or where else its rules are to stand.

    Args:
        shelf: the files; for a folder alone its CLAUDE.md.
        locks: folder for lock files, so that the project gets none.
        today: gives the day that rules are learned on.
        run: id of the run that learns, for the comment of a new rule.
        on_event: hears a `Notice` when a lesson cannot be applied, or puts a file out of force.
        keeping: the history behind it; without one, every lesson goes into the file.
    """

    def __init__(
        self,
        shelf: Shelf | Path,
        locks: Path,
        *,
        today: Callable[[], date] = _today,
        run: str = "",
        on_event: Listener = lambda _event: None,
        keeping: Keeping | None = None,
    ) -> None:
        self._shelf = shelf if isinstance(shelf, Shelf) else Shelf(shelf)
        self._locks, self.today, self._run, self._emit = locks, today, run, on_event
        self._keeping = keeping

    def known_rules(self) -> Sequence[KnownRule]:
        """List the rules in force, in the order of the files, and then those turned down.

        Raises:
            RulebookError: a file cannot be read as it is.
            InfrastructureError: the disk fails.
        """
        if not self._keeping:
            return known_rules(self._shelf.read().pages)
        with self._open() as read:
            pages = read.pages
        return (*known_rules(pages), *turned_down(self._keeping.history, pages.rules))

    def rules(self) -> tuple[Rule, ...]:
        """The rules in force; the history follows what people did to the files.

        Raises:
            RulebookError, InfrastructureError: as for `known_rules`.
        """
        with self._open() as read:
            return read.pages.rules

    def files(self) -> tuple[str, ...]:
        """The names of the project's files that rules stand in, or would.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._shelf.in_project()

    def path(self, name: str) -> Path:
        """The real path of one file, by the name that it has in `Pages`.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._shelf.path(name)

    def read(self) -> Mapping[Path, bytes]:
        """Read the files that rules stand in, or would, by their real paths.

        Raises:
            RulebookError: as for `known_rules`.
        """
        contents = self._shelf.read().contents
        return {self._shelf.path(name): content.data for name, content in contents.items()}

    @property
    def scopes(self) -> bool:
        """Whether a new rule can be for some files alone."""
        return self._shelf.target is Target.RULES_DIR

    def where(self, rule: str) -> tuple[Path, ...]:
        """The files that a rule stands in.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return tuple(self._shelf.root / name for name in self._shelf.read().pages.where(rule))

    def find(self, rule: str) -> Rule | None:
        """The rule with this id, if it is in force.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._shelf.read().pages.find(rule)

    def preview(self, change: Callable[[Pages], Pages]) -> str:
        """What a change would do to the files, as a unified diff.

        Raises:
            RulebookError: as for `known_rules`.
        """
        pages = self._shelf.read().pages
        return unified(pages, change(pages))

    def standing(self) -> Standing | None:
        """What the history has to say when a rule comes in; nothing without one."""
        kept = self._keeping
        if not kept:
            return None
        return standing(kept.history, kept.max_rules, kept.max_tokens, review=kept.review)

    def edit(self, change: Callable[[Pages], Pages]) -> tuple[Path, ...]:
        """Let a function change the files, under their locks; give those that it changed.

        It may be called again when somebody else writes meanwhile.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """
        with self._open() as read:
            above = agents_above(self._shelf.root)

            def decide(pages: Pages) -> tuple[Pages, Sequence[str]]:
                after = change(pages)
                return after, changed(pages, after)

            names = self._write(read, decide)
        self._tell_unloaded(above)
        return tuple(self._shelf.path(name) for name in names)

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Take a lesson in; None when it changes nothing.

        Raises:
            RulebookError: a file cannot be read or written as it is; it is as it was.
            InfrastructureError: the disk is full or fails, or a lock is held for too long.
        """
        with self._open() as read:
            above = agents_above(self._shelf.root)

            def decide(pages: Pages) -> tuple[Pages, Outcome]:
                outcome = take_in(
                    pages,
                    lesson,
                    failure,
                    today=self.today(),
                    run=self._run,
                    standing=self.standing(),
                )
                return outcome.pages, outcome

            outcome = self._write(read, decide)
            if self._keeping:
                kept = self._keeping
                remember(kept.history, outcome, lesson, failure, self._run, own=kept.own)
        self._tell(outcome, lesson, above)
        if outcome.rule is None:
            return None
        name = next(iter(outcome.pages.where(outcome.rule.id)), CLAUDE_MD)
        path = self._shelf.root / name
        return RuleChange(outcome.rule, path, outcome.change, outcome.reason, outcome.leaving)

    def take_out(self, rule: str) -> tuple[Path, ...]:
        """Take a rule out of the files, and give those; what is not there is left at that.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """
        return self.edit(lambda pages: pages.remove(rule) if pages.find(rule) else pages)

    # ---- under the locks

    @contextmanager
    def _open(self) -> Iterator[Shelved]:
        """Hold the locks, and read: as people left the files, with the history following."""
        with instruction_files_locked(self._shelf.lockable(), self._locks):
            read = self._shelf.read()
            found = self._traces(read.pages)
            if read.pages.filing.mirror:
                self._write(read, lambda pages: (self._together(pages), None))
                read = self._shelf.read()
            if self._keeping:
                missing = Withdrawals(self._shelf.root, found)
                follow(self._keeping.history, read.pages, missing, own=self._keeping.own)
            yield read

    def _together(self, pages: Pages) -> Pages:
        agreed = self._keeping.history.agreed() if self._keeping else {}
        return held_together(pages, agreed, self.today())

    def _traces(self, pages: Pages) -> tuple[Trace, ...]:
        """The files as people left them, before anything of ours is written."""
        return tuple(
            Trace(self._shelf.path(name), data, self._shelf.last_written(name) or b"")
            for name, data in pages.files.items()
        )

    def _write(self, read: Shelved, decide: Callable[[Pages], tuple[Pages, T]]) -> T:
        for _ in range(_TRIES):
            pages, decided = decide(read.pages)
            if self._shelf.write(read, pages):
                self._agree(pages)
                return decided
            read = self._shelf.read()
        raise RulebookError(
            f"the rules in {self._shelf.root} are being written all the time",
            "close what writes them",
        )

    def _agree(self, pages: Pages) -> None:
        kept = self._keeping
        if kept and kept.own and pages.filing.mirror:
            both = agreed_on(pages)
            kept.history.agree({rule.id: rule.text for rule in pages.rules if rule.id in both})

    # ---- what people are told

    def _tell(self, outcome: Outcome, lesson: Lesson, above: Path | None) -> None:
        for left in outcome.leaving:
            self._emit(Notice(f"to the archive, to make room: {left.id}: {left.text.rule}"))
        if outcome.rule is None and lesson.action is not Action.NONE:
            self._emit(Notice(f"no rule written: {outcome.reason}"))
        self._tell_unloaded(above)
        root = self._shelf.root
        filed = outcome.pages.filing.target if outcome.change == "added" else None
        if filed is Target.AGENTS_MD and (by := agents_unloaded(root)):
            self._emit(
                Notice(
                    f"Claude Code does not load {root / AGENTS_MD}, because of {by}; "
                    f"a line @{AGENTS_MD} in {root / CLAUDE_MD} brings it back"
                )
            )

    def _tell_unloaded(self, above: Path | None) -> None:
        """Tell of an AGENTS.md in a folder above that what was written put out of force."""
        root = self._shelf.root
        if above and agents_above(root) is None:
            self._emit(
                Notice(
                    f"Claude Code no longer loads {above} in {root}, now that there is a"
                    f" CLAUDE.md; a CLAUDE.md beside it with the line @{above.name} brings it back"
                )
            )

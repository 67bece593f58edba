"""The rulebook of a project: the rules in its CLAUDE.md, safe when several runs write at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from orchestrator.errors import InfrastructureError, RulebookError
from orchestrator.events import Listener, Notice
from orchestrator.memory import files
from orchestrator.memory.agents_md import agents_above, agents_in_force
from orchestrator.memory.document import parse
from orchestrator.memory.editing import remove
from orchestrator.memory.history import History
from orchestrator.memory.lessons import Outcome, known_rules, take_in
from orchestrator.memory.preflight import Standing
from orchestrator.memory.remembering import follow, remember, standing, turned_down
from orchestrator.models import Rule, RuleChange
from teacher.models import Action, Failure, KnownRule, Lesson

_LOCK_SECONDS: Final = 60.0
_TRIES: Final = 10


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


class MarkdownRulebook:
    """The rules in force in a project's CLAUDE.md.

    Args:
        project: the folder whose CLAUDE.md it is; a link is followed inside the project.
        locks: folder for lock files, so that the project gets none.
        today: gives the day that rules are learned on.
        run: id of the run that learns, for the comment of a new rule.
        on_event: hears a `Notice` when a lesson cannot be applied, or puts a file out of force.
        keeping: the history behind it; without one, every lesson goes into the file.
    """

    def __init__(
        self,
        project: Path,
        locks: Path,
        *,
        today: Callable[[], date] = _today,
        run: str = "",
        on_event: Listener = lambda _event: None,
        keeping: Keeping | None = None,
    ) -> None:
        self._project = Path(project).absolute()
        self._named = self._project / "CLAUDE.md"
        self._locks, self._today, self._run, self._emit = locks, today, run, on_event
        self._keeping = keeping

    def known_rules(self) -> Sequence[KnownRule]:
        """List the rules in force, in the order of the file, and then those turned down.

        Raises:
            RulebookError: CLAUDE.md cannot be read as it is.
            InfrastructureError: the disk fails.
        """
        path = files.locate(self._named)
        if not self._keeping:
            return known_rules(parse(files.read(path).data))
        with self._locked(path):
            document = parse(files.read(path).data)
            follow(self._keeping.history, document)
        return (*known_rules(document), *turned_down(self._keeping.history))

    def rules(self) -> tuple[Rule, ...]:
        """The rules in force; the history follows what people did to the file.

        Raises:
            RulebookError, InfrastructureError: as for `known_rules`.
        """
        path = files.locate(self._named)
        with self._locked(path):
            document = parse(files.read(path).data)
            if self._keeping:
                follow(self._keeping.history, document)
        return document.rules

    def edit(self, change: Callable[[bytes, Sequence[str]], bytes]) -> Path:
        """Let a function change the file's bytes, under the lock; give the file.

        It also gets the names of files to import, for a file that is new; it may be called again
        when somebody else writes meanwhile.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """
        path = files.locate(self._named)
        with self._locked(path):
            for _ in range(_TRIES):
                before = files.read(path)
                after = change(before.data, agents_in_force(self._project))
                if after == before.data or files.replace(path, after, before):
                    return self._named
        raise RulebookError(f"{path} is being written all the time", "close what writes it")

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Take a lesson in; None when it changes nothing.

        Raises:
            RulebookError: CLAUDE.md cannot be read or written as it is; it is as it was.
            InfrastructureError: the disk is full or fails, or the lock is held for too long.
        """
        path = files.locate(self._named)
        with self._locked(path):
            outcome = self._write(path, lesson, failure)
            if self._keeping:
                remember(self._keeping.history, outcome, lesson, failure, self._run)
        for left in outcome.leaving:
            self._emit(Notice(f"to the archive, to make room: {left.id}: {left.text.rule}"))
        if outcome.rule is None:
            if lesson.action is not Action.NONE:
                self._emit(Notice(f"nothing written to CLAUDE.md: {outcome.reason}"))
            return None
        return RuleChange(
            outcome.rule, self._named, outcome.change, outcome.reason, outcome.leaving
        )

    def take_out(self, rule: str) -> None:
        """Take a rule out of the file; what is not there is left at that.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """

        def without(data: bytes, _imports: Sequence[str]) -> bytes:
            return remove(data, rule) if parse(data).find(rule) else data

        self.edit(without)

    def _write(self, path: Path, lesson: Lesson, failure: Failure) -> Outcome:
        for _ in range(_TRIES):
            before = files.read(path)
            above = agents_above(self._project)
            outcome = take_in(
                before.data,
                lesson,
                failure,
                today=self._today(),
                run=self._run,
                imports=agents_in_force(self._project),
                standing=self._standing(before.data),
            )
            if outcome.data == before.data:
                return outcome
            if files.replace(path, outcome.data, before):
                self._warn(above)
                return outcome
        raise RulebookError(f"{path} is being written all the time", "close what writes it")

    def _standing(self, data: bytes) -> Standing | None:
        if not self._keeping:
            return None
        follow(self._keeping.history, parse(data))
        kept = self._keeping
        return standing(kept.history, kept.max_rules, kept.max_tokens, review=kept.review)

    def _warn(self, above: Path | None) -> None:
        if above:
            self._emit(
                Notice(
                    f"Claude Code no longer loads {above} in {self._project}, now that there is a"
                    f" CLAUDE.md; a CLAUDE.md beside it with the line @{above.name} brings it back"
                )
            )

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        name = sha256(bytes(path)).hexdigest()[:16]
        lock = FileLock(
            self._locks / f"rulebook-{name}.lock", timeout=_LOCK_SECONDS, poll_interval=0.01
        )
        with files.explained(self._locks, "written"):
            self._locks.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                raise InfrastructureError(
                    f"another process has been writing {path} for {_LOCK_SECONDS:.0f} s",
                    "wait for it, or end it",
                ) from None
        try:
            yield
        finally:
            lock.release()

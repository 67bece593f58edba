"""Bounds on what goes to a webhook, whichever runs it comes from.

A workflow that starts runs whose failures call the workflow again goes round without end. So each
teaching by webhook is noted in `webhook.jsonl` of the state directory, and there are so many an
hour, and so much money a day, and no more.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from orchestrator import files
from orchestrator.teaching.ready import ReadyTeacher
from teacher.errors import TeacherError, TeacherUnavailable
from teacher.models import Failure, KnownRule, Lesson

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


@dataclass(frozen=True)
class Caps:
    """How much may be asked."""

    requests_per_hour: int = 120
    cost_usd_per_day: float = 20.0


@dataclass(frozen=True)
class _Entry:
    at: float
    cost_usd: float = 0.0
    requests: int = 1


class CappedTeacher:
    """Lets so many requests through, and refuses the others before anything is sent.

    Args:
        teacher: who is asked.
        caps: how much may be asked.
        state: the state directory, which all runs of this user share.
        now: gives the time in seconds since 1970.
    """

    def __init__(
        self,
        teacher: ReadyTeacher,
        caps: Caps,
        state: Path,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._teacher, self._caps, self._now = teacher, caps, now
        self._path = state / "webhook.jsonl"
        self._lock = FileLock(state / "locks" / "webhook.lock")

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask, and note what it cost.

        Raises:
            TeacherUnavailable: a bound is reached; nothing was sent.
            TeacherError: the teacher's own.
        """
        self._note(_Entry(self._now()), check=True)
        try:
            lesson = self._teacher.teach(failure, known_rules)
        except TeacherError as error:
            self._note(_Entry(self._now(), error.usage.cost_usd, 0))
            raise
        self._note(_Entry(self._now(), lesson.usage.cost_usd, 0))
        return lesson

    def _note(self, entry: _Entry, *, check: bool = False) -> None:
        if not check and not entry.cost_usd:
            return
        self._path.parent.joinpath("locks").mkdir(parents=True, exist_ok=True)
        with self._lock:
            recent = [each for each in self._entries() if 0 <= entry.at - each.at < DAY]
            if check:
                self._demand_room(recent, entry.at)
            lines = (json.dumps(asdict(each)) + "\n" for each in [*recent, entry])
            files.write_file(self._path, "".join(lines).encode("ascii"))

    def _demand_room(self, recent: Sequence[_Entry], now: float) -> None:
        asked = sum(each.requests for each in recent if now - each.at < HOUR)
        if asked >= self._caps.requests_per_hour:
            raise TeacherUnavailable(
                f"{asked} requests went to the webhook within an hour; that looks like workflows "
                "that call each other",
                "find what starts the runs, or raise n8n.max_requests_per_hour",
            )
        spent = sum(each.cost_usd for each in recent)
        if spent >= self._caps.cost_usd_per_day:
            raise TeacherUnavailable(
                f"the webhook teacher took ${spent:.2f} within a day",
                "find what starts the runs, or raise n8n.max_cost_usd_per_day",
            )

    def _entries(self) -> Sequence[_Entry]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
            return [_Entry(**json.loads(line)) for line in lines]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError):
            return []  # damaged from outside: begin to count anew

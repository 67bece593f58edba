"""Failures that no teacher could be asked about: kept, listed, forgotten once they are taught.

<state>/pending/<project>/<failure>.json      one file each, for its owner alone
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator import files
from orchestrator.teaching.ready import ReadyTeacher
from teacher.errors import TeacherError, UnusableAnswer
from teacher.models import Failure, FailureType, KnownRule, Lesson

MEND = "the failure is kept for `orchestrator teach --pending`"


@dataclass(frozen=True)
class Kept:
    """A failure that waits to be taught."""

    failure: Failure
    since: datetime
    why: str
    """What kept the teacher from answering."""


class Pending:
    """The failures of one project that wait.

    Args:
        project: the project's directory.
        state: the state directory.
    """

    def __init__(self, project: Path, state: Path) -> None:
        name = hashlib.sha256(os.fsencode(project)).hexdigest()[:16]
        self._folder = state / "pending" / name

    def keep(self, failure: Failure, why: str) -> None:
        """Keep a failure; once, however often it comes."""
        kept = {"failure": asdict(failure), "since": datetime.now(UTC).isoformat(), "why": why}
        path = self._path(failure)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write_file(path, json.dumps(kept).encode("ascii"), 0o600)

    def forget(self, failure: Failure) -> None:
        """Forget a failure, if it was kept."""
        self._path(failure).unlink(missing_ok=True)

    def waiting(self) -> list[Kept]:
        """What waits, the oldest first."""
        kept = []
        for path in self._folder.glob("*.json"):
            try:
                kept.append(_read(path))
            except (ValueError, KeyError, TypeError):
                path.rename(path.with_suffix(".unreadable"))
        return sorted(kept, key=lambda each: each.since)

    def _path(self, failure: Failure) -> Path:
        text = json.dumps(asdict(failure), sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode('ascii')).hexdigest()[:16]}.json"


def _read(path: Path) -> Kept:
    stored = json.loads(path.read_text(encoding="ascii"))
    failure = {
        **stored["failure"],
        "type": FailureType(stored["failure"]["type"]),
        "cases": tuple(stored["failure"].get("cases", ())),
    }
    return Kept(Failure(**failure), datetime.fromisoformat(stored["since"]), stored["why"])


class KeepingTeacher:
    """A teacher whose failures to answer lose nothing.

    Args:
        teacher: who is asked.
        pending: where failures wait.
        name: what people call the teacher.
    """

    def __init__(self, teacher: ReadyTeacher, pending: Pending, name: str) -> None:
        self._teacher, self._pending, self.name = teacher, pending, name

    def warm(self) -> None:
        """Load what the teacher loads."""
        self._teacher.warm()

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask; keep the failure if nobody answers, forget it if somebody does.

        Raises:
            TeacherError: the teacher's own; its mend says that the failure is kept.
        """
        try:
            lesson = self._teacher.teach(failure, known_rules)
        except UnusableAnswer:
            self._pending.forget(failure)
            raise
        except TeacherError as error:
            self._pending.keep(failure, error.message)
            mend = "; ".join(filter(None, (error.mend, MEND)))
            raise type(error)(error.message, mend, error.usage) from error
        self._pending.forget(failure)
        return lesson

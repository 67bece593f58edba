"""Failures that are not taught yet, or whose rule is not written: kept, listed, forgotten.

<state>/pending/<project>/<failure>.json      one file each, for its owner alone
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.errors import InfrastructureError
from orchestrator.platform import atomic, files
from orchestrator.platform.folders import hash_path
from orchestrator.storage import codec
from teacher.errors import TeacherError
from teacher.models import Failure, FailureType, Lesson

PENDING_HINT = "the failure is kept for `orchestrator teach --pending`"


@dataclass(frozen=True)
class PendingFailure:
    """A failure that waits to be taught."""

    failure: Failure
    since: datetime
    why: str
    """What kept the teacher from answering, or the answer from being written."""
    lesson: Lesson | None = None
    """The teacher's answer, if it has been given."""


class Pending:
    """The failures of one project that wait.

    Args:
        project: the project's directory.
        state: the state directory.
    """

    def __init__(self, project: Path, state: Path) -> None:
        self._folder = state / "pending" / hash_path(project)

    def record_failure(self, failure: Failure, why: str, lesson: Lesson | None = None) -> None:
        """Keep a failure; once, however often it comes.

        Raises:
            InfrastructureError: it cannot be written.
        """
        kept = {
            "failure": asdict(failure),
            "since": datetime.now(UTC).isoformat(),
            "why": why,
            "lesson": codec.dumps(lesson) if lesson else "",
        }
        path = self._resolve_path(failure)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # It may hold an answer that was paid for.
            files.write_file(path, json.dumps(kept).encode("ascii"), 0o600, durable=True)
        except OSError as error:
            raise InfrastructureError(
                f"a failure cannot be kept in {self._folder}: {error.strerror}", "free space there"
            ) from error

    def record_unanswered(self, failure: Failure, error: TeacherError) -> TeacherError:
        """Keep a failure that nobody answered; return the error with what to do."""
        self.record_failure(failure, error.message)
        hint = "; ".join(filter(None, (error.hint, PENDING_HINT)))
        return type(error)(error.message, hint, error.usage)

    def remove_failure(self, failure: Failure) -> None:
        """Forget a failure, if it was kept."""
        self._resolve_path(failure).unlink(missing_ok=True)

    def list_failures(self) -> list[PendingFailure]:
        """What waits, the oldest first."""
        kept = []
        for path in self._folder.glob("*.json"):
            try:
                kept.append(_read_failure(path))
            except (ValueError, KeyError, TypeError):
                atomic.move_path(path, path.with_suffix(".unreadable"))
        return sorted(kept, key=lambda each: each.since)

    def _resolve_path(self, failure: Failure) -> Path:
        text = json.dumps(asdict(failure), sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode('ascii')).hexdigest()[:16]}.json"


def _read_failure(path: Path) -> PendingFailure:
    stored = json.loads(path.read_text(encoding="ascii"))
    failure = {
        **stored["failure"],
        "type": FailureType(stored["failure"]["type"]),
        "cases": tuple(stored["failure"].get("cases", ())),
        "case_fingerprints": tuple(stored["failure"].get("case_fingerprints", ())),
    }
    lesson = codec.loads(stored["lesson"]) if stored.get("lesson") else None
    since = datetime.fromisoformat(stored["since"])
    return PendingFailure(Failure(**failure), since, stored["why"], lesson)

"""Failures that are not taught yet, or whose rule is not written yet: stored, listed, removed.

<state>/pending/<project>/<failure>.json      one file each, readable by its owner only
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.errors import InfrastructureError
from orchestrator.platform import atomic, files
from orchestrator.platform.folders import hash_path
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.storage import codec
from teacher.errors import TeacherError
from teacher.models import Failure, FailureType, Lesson

PENDING_HINT = "the failure is kept for `orchestrator teach --pending`"


@dataclass(frozen=True)
class PendingFailure:
    """A failure that is to be taught later."""

    failure: Failure
    since: datetime
    why: str
    """Why the teacher could not answer, or the answer could not be written."""
    lesson: Lesson | None = None
    """The teacher's answer, if there is one already; it was paid for."""


class Pending:
    """The pending failures of one project.

    Args:
        project: the project's directory.
        state: the state directory.
    """

    def __init__(self, project: Path, state: Path) -> None:
        self._folder = state / "pending" / hash_path(project)

    def record_failure(self, failure: Failure, why: str, lesson: Lesson | None = None) -> None:
        """Store a failure; one that is stored already is replaced.

        Raises:
            InfrastructureError: it cannot be written.
        """
        stored = {
            "failure": asdict(failure),
            "since": datetime.now(UTC).isoformat(),
            "why": why,
            "lesson": codec.dumps(lesson) if lesson else "",
        }
        path = self._resolve_path(failure)
        try:
            make_private_folder(self._folder)
            # Durable, because it may contain an answer that was paid for.
            files.write_file(path, json.dumps(stored).encode("ascii"), 0o600, durable=True)
        except OSError as error:
            raise InfrastructureError(
                f"a failure cannot be stored in {self._folder}: {error.strerror}",
                "free space there",
            ) from error

    def record_unanswered(self, failure: Failure, error: TeacherError) -> TeacherError:
        """Store a failure that got no answer; return the error with a hint about it."""
        self.record_failure(failure, error.message)
        hint = "; ".join(filter(None, (error.hint, PENDING_HINT)))
        return type(error)(error.message, hint, error.usage)

    def remove_failure(self, failure: Failure) -> None:
        """Remove a failure, if it is stored."""
        self._resolve_path(failure).unlink(missing_ok=True)

    def list_failures(self) -> list[PendingFailure]:
        """Return the pending failures, the oldest first."""
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(_read_failure(path))
            except (ValueError, KeyError, TypeError, RecursionError):
                # Renamed, so that one damaged file neither hides the others nor is lost.
                atomic.move_path(path, path.with_suffix(".unreadable"))
        return sorted(found, key=lambda each: each.since)

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

"""Failures that are not taught yet, or whose rule is not written yet: stored, listed, removed.

<state>/pending/<project>/<failure>.json      one file each, readable by its owner only
<state>/pending/<project>/<failure>.answer    the teacher's answer, or as long as it is awaited,
                                              64 KiB that begin with a zero: space for it
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.failures.record_masking import mask_again
from orchestrator.masking import Masker
from orchestrator.platform import atomic, files
from orchestrator.platform.folders import hash_path
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.storage import codec
from teacher.errors import TeacherError
from teacher.models import Failure, FailureType, Lesson

PENDING_HINT = "the failure is kept for `orchestrator teach --pending`"

_ANSWER: Final = ".answer"
_NOT_WRITTEN: Final = "the rule was not written yet"

_RESERVE_BYTES: Final = 64 * 1024
"""More than an answer takes: three sentences of at most 1,000 characters, a reason, and paths."""


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
        notify: receives a line about a file that cannot be used.
    """

    def __init__(
        self, project: Path, state: Path, notify: Callable[[str], None] = lambda _text: None
    ) -> None:
        self._folder = state / "pending" / hash_path(project)
        self._notify = notify

    def record_failure(self, failure: Failure, why: str, lesson: Lesson | None = None) -> None:
        """Store a failure; one that is stored already is replaced.

        Raises:
            InfrastructureError: it cannot be written.
        """
        self._write_failure(PendingFailure(failure, datetime.now(UTC), why, lesson))

    def _write_failure(self, pending: PendingFailure) -> None:
        stored = {
            "failure": asdict(pending.failure),
            "since": pending.since.isoformat(),
            "why": pending.why,
            "lesson": codec.dumps(pending.lesson) if pending.lesson else "",
        }
        with self._reporting_errors():
            make_private_folder(self._folder)
            # Durable, because it may contain an answer that was paid for.
            data = json.dumps(stored).encode("ascii")
            files.write_file(self._resolve_path(pending.failure), data, 0o600, durable=True)

    def record_question(self, failure: Failure) -> None:
        """Store a failure that the teacher is about to be asked about, with space for the answer.

        Before the request, so that a full disk is noticed before it costs. The space is reserved
        because the disk may fill up while the teacher answers.

        Raises:
            InfrastructureError: it cannot be written.
        """
        with self._reporting_errors():
            make_private_folder(self._folder)
            # Random, because some file systems take no space for zeros.
            data = b"\0" + os.urandom(_RESERVE_BYTES)
            files.write_file(self._resolve_answer(failure), data, 0o600, durable=True)
        self.record_failure(failure, "the teacher has not answered")

    def record_answer(self, failure: Failure, lesson: Lesson) -> None:
        """Store the teacher's answer, for which there is space since `record_question`.

        In place and in one write, because `kill -9` may come after any other step.

        Raises:
            InfrastructureError: it cannot be written.
        """
        data = codec.dumps(lesson).encode("ascii") + b"\n"
        try:
            with self._reporting_errors():
                with self._resolve_answer(failure).open("r+b", 0) as file:
                    file.write(data)
                    file.truncate(len(data))
                atomic.sync_file(self._resolve_answer(failure))
        except InfrastructureError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            self.record_failure(failure, _NOT_WRITTEN, lesson)

    def record_unanswered(self, failure: Failure, error: TeacherError) -> TeacherError:
        """Store a failure that got no answer; return the error with a hint about it."""
        self._remove_answer(failure)
        self.record_failure(failure, error.message)
        hint = "; ".join(filter(None, (error.hint, PENDING_HINT)))
        return type(error)(error.message, hint, error.usage)

    def find_answer(self, failure: Failure) -> Lesson | None:
        """Return the answer that is stored for a failure; None if there is none."""
        path = self._resolve_path(failure)
        found = self._read_or_set_aside(path) if path.exists() else None
        return found.lesson if found else None

    def remove_failure(self, failure: Failure) -> None:
        """Remove a failure, if it is stored."""
        # One that cannot be removed is taught again, and found to be known: no reason to fail.
        with contextlib.suppress(OSError):
            self._resolve_path(failure).unlink(missing_ok=True)
        self._remove_answer(failure)  # second: without it, the failure would be paid for again

    def list_failures(self) -> list[PendingFailure]:
        """Return the pending failures: those with an answer first, each group oldest first.

        What is paid for can be written even if the teacher cannot be asked about the others.
        """
        found = [self._read_or_set_aside(path) for path in sorted(self._folder.glob("*.json"))]
        known = [each for each in found if each]
        return sorted(known, key=lambda each: (each.lesson is None, each.since))

    def mask_failures_again(self, masker: Masker) -> None:
        """Mask the stored failures and answers, with what was learned since they were stored.

        Raises:
            InfrastructureError: one cannot be written.
        """
        for each in self.list_failures():
            masked = replace(
                each,
                failure=mask_again(masker, each.failure),
                why=mask_again(masker, each.why),
                lesson=mask_again(masker, each.lesson) if each.lesson else None,
            )
            if masked != each:
                self._write_failure(masked)
                if masked.failure == each.failure:
                    self._remove_answer(each.failure)  # the answer is now with the failure
                else:
                    self.remove_failure(each.failure)

    def _read_or_set_aside(self, path: Path) -> PendingFailure | None:
        """Read a stored failure; rename a damaged one, so that it neither hides others nor is lost.

        Returns:
            None if it cannot be read; this is reported.
        """
        try:
            return _read_failure(path)
        except FileNotFoundError:
            return None  # another process has taught it
        except OSError as error:
            self._notify(f"a pending failure cannot be read: {path}: {error.strerror}")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            aside = path.with_suffix(".unreadable")
            with contextlib.suppress(OSError):
                atomic.move_path(path, aside)
                path = aside
            self._notify(f"a pending failure is damaged and cannot be taught; it is kept in {path}")
        return None

    @contextlib.contextmanager
    def _reporting_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InfrastructureError(
                f"a failure cannot be stored in {self._folder}: {error.strerror}",
                "free space there",
            ) from error

    def _remove_answer(self, failure: Failure) -> None:
        with contextlib.suppress(OSError):
            self._resolve_answer(failure).unlink(missing_ok=True)

    def _resolve_answer(self, failure: Failure) -> Path:
        return self._resolve_path(failure).with_suffix(_ANSWER)

    def _resolve_path(self, failure: Failure) -> Path:
        text = json.dumps(asdict(failure), sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode('ascii')).hexdigest()[:16]}.json"


def _read_failure(path: Path) -> PendingFailure:
    stored = json.loads(path.read_text(encoding="ascii"))
    failure = Failure(
        **{
            **stored["failure"],
            "type": FailureType(stored["failure"]["type"]),
            "cases": tuple(stored["failure"].get("cases", ())),
            "case_fingerprints": tuple(stored["failure"].get("case_fingerprints", ())),
        }
    )
    texts = [value for value in asdict(failure).values() if not isinstance(value, tuple)]
    if not all(isinstance(each, str) for each in (*texts, stored["why"], *failure.cases)):
        raise TypeError("a text is none")
    answered = _read_answer(path.with_suffix(_ANSWER))
    lesson = answered or (codec.loads(stored["lesson"]) if stored.get("lesson") else None)
    if not isinstance(lesson, Lesson | None):
        raise TypeError("the answer is no lesson")
    since = datetime.fromisoformat(stored["since"])
    if since.tzinfo is None:
        raise ValueError("a time without a zone cannot be compared with others")
    why = _NOT_WRITTEN if answered else stored["why"]
    return PendingFailure(failure, since, why, lesson)


def _read_answer(path: Path) -> Lesson | None:
    """Return the answer in a file; None if it is still awaited, or damaged."""
    try:
        line = path.read_bytes().partition(b"\n")[0]
        lesson = codec.loads(line.decode("ascii"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return lesson if isinstance(lesson, Lesson) else None

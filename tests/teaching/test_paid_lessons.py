"""A lesson that was paid for is in the rule file, in the queue, or pending, whatever happens.

A real teacher asks a real server; the process is killed, or fails, before each system call that
changes a file or connects to something, between the request and the end of the command.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.masking import Masker
from orchestrator.teaching.pending import Pending
from orchestrator.teaching.teach import TeachingContext, teach_failure
from teacher.fake import ScriptedTeacher
from teacher.models import Action, Failure, KnownRule, Lesson, RuleText
from tests.teacher.loopback import Loopback, json_reply
from tests.teacher.samples import FAILURE, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.models import RuleChange

RULE = TEXT["rule"]
REPORT = (
    *("report-failure", "--failure-type", "scope_error"),
    *("--description", "Too much was done", "--task", "Do a little"),
)
POINTS = (1, 2, 3, 4, 5, 6, 8, 11, 15, 20, 30, 45, 70)
"""Of about forty; all of the first, because there the answer is taken in."""
LESSON = Lesson(Action.ADD, "because", RuleText("Never x", "When y", "Since z"))

FAULTS = r"""
import os, signal, sys

at, how = int(sys.argv[1]), sys.argv[2]
count = 0
armed = False

def audit(event, arguments):
    global count, armed
    if event == "socket.connect":
        armed = True  # from the request on
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (
        os.O_WRONLY | os.O_RDWR | os.O_CREAT
    )
    if not armed or not (writes or event in ("os.rename", "os.remove", "os.mkdir")):
        return
    count += 1
    if count == at:
        os.write(2, b"fault: " + event.encode() + b"\n")
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(28, "No space left on device")

sys.addaudithook(audit)
from orchestrator.cli.main import program
sys.argv[1:] = sys.argv[3:]
program()
"""


class Lab:
    """A project with a webhook, and commands in processes of their own."""

    def __init__(self, tmp_path: Path, project: Path, url: str) -> None:
        self.project, self.state = project, tmp_path / "state"
        self.script = tmp_path / "faults.py"
        self.script.write_text(FAULTS, encoding="utf-8")
        self.env = {
            **os.environ,
            "ORCHESTRATOR_STATE_DIR": str(self.state),
            "ORCHESTRATOR_TEACHER_MODE": "webhook",
            "ORCHESTRATOR_N8N_WEBHOOK_URL": url,
            "ORCHESTRATOR_N8N_RETRY_FOR": "0",
        }

    def run(
        self, *words: str, at: int = 0, how: str = "kill", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, str(self.script), str(at), how, *words]
        return subprocess.run(
            [*argv, "--project-dir", str(self.project)],
            env={**self.env, **(env or {})},
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def has_rule(self) -> bool:
        file = self.project / "CLAUDE.md"
        return file.is_file() and RULE in file.read_text(encoding="utf-8")

    def reset(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        (self.project / "CLAUDE.md").unlink(missing_ok=True)


@pytest.mark.kills
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("command", "how"),
    [
        pytest.param("report-failure", "kill", marks=pytest.mark.kills_sample),
        ("report-failure", "full"),
        ("teach", "kill"),
        ("teach", "full"),
    ],
)
def test_after_a_fault_the_lesson_is_written_without_paying_again(
    tmp_path: Path, project: Path, how: str, command: str
) -> None:
    with Loopback(json_reply(TEXT)) as workflow:
        lab = Lab(tmp_path, project, workflow.url)
        words = REPORT if command == "report-failure" else ("teach", "--pending")
        for at in POINTS:
            lab.reset()
            if command == "teach":
                pending = Pending(project, lab.state)
                pending.record_failure(FAILURE, "nobody was there")
            workflow.asked.clear()
            faulty = lab.run(*words, at=at, how=how)
            assert "Traceback" not in faulty.stderr, faulty.stderr
            later = lab.run("teach", "--pending")
            assert later.returncode == 0, later.stderr
            assert lab.has_rule(), (at, faulty.stdout, faulty.stderr, later.stdout)
            # Before the first step, the answer is in no file; here, the webhook may remember it.
            assert len(workflow.asked) <= 1 + (at == 1 and how == "kill"), (at, faulty.stderr)
            assert Pending(project, lab.state).list_failures() == []
            if "fault:" not in faulty.stderr:
                break  # the command had ended before
        assert at > 5


class Book:
    """A rulebook that fails as often as it is told, and remembers what it was given."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.applied = failures, list[Lesson]()

    def list_files(self) -> tuple[str, ...]:
        return ()

    def known_rules(self) -> tuple[KnownRule, ...]:
        return ()

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        if self.failures:
            self.failures -= 1
            raise InfrastructureError("the file is write-protected", "look at it")
        self.applied.append(lesson)
        return None


@pytest.fixture
def pending(tmp_path: Path) -> Pending:
    return Pending(tmp_path / "project", tmp_path / "state")


def teach(
    book: Book, pending: Pending, *answers: object, failure: Failure = FAILURE
) -> Callable[[], object]:
    teacher = ScriptedTeacher(*answers)  # type: ignore[arg-type] # what it takes
    context = TeachingContext(teacher, Masker(), lambda _: None, book, pending)
    return lambda: teach_failure(failure, context)


def test_the_same_failure_again_uses_the_answer_that_was_paid_for(pending: Pending) -> None:
    book = Book(failures=1)
    with pytest.raises(InfrastructureError, match="teach --pending` writes it without asking"):
        teach(book, pending, LESSON)()
    teach(book, pending)()  # has no answers: it would fail if it was asked
    assert book.applied == [LESSON]
    assert pending.list_failures() == []


def test_a_lesson_that_can_be_stored_nowhere_is_shown(
    pending: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InfrastructureError("the disk is full")

    monkeypatch.setattr(pending, "record_answer", refuse)
    with pytest.raises(InfrastructureError, match="Rule: Never x When: When y Why: Since z"):
        teach(Book(failures=1), pending, LESSON)()


def test_answered_failures_come_first_and_twins_do_not_replace_each_other(
    pending: Pending,
) -> None:
    twin = Failure(**{**vars(FAILURE), "logs": "the same fingerprint, another text"})
    pending.record_failure(FAILURE, "down")
    pending.record_failure(twin, "not written", LESSON)
    assert [each.failure for each in pending.list_failures()] == [twin, FAILURE]
    assert [each.lesson for each in pending.list_failures()] == [LESSON, None]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"failure": "x"}',
        b'{"failure": {"type": "nothing"}, "since": "", "why": ""}',
        json.dumps({"failure": {"type": "other", "source": 7}, "since": "", "why": ""}).encode(),
    ],
)
def test_a_damaged_file_is_named_and_harms_no_other(
    tmp_path: Path, pending: Pending, damage: bytes
) -> None:
    heard: list[str] = []
    pending.record_failure(FAILURE, "down", LESSON)
    [path] = (tmp_path / "state").rglob("*.json")
    broken = path.with_name("0000.json")
    broken.write_bytes(damage)
    listening = Pending(tmp_path / "project", tmp_path / "state", heard.append)
    assert [each.lesson for each in listening.list_failures()] == [LESSON]
    [line] = heard
    assert str(broken.with_suffix(".unreadable")) in line
    assert broken.with_suffix(".unreadable").read_bytes() == damage


def test_a_stored_lesson_of_another_kind_is_damage(tmp_path: Path, pending: Pending) -> None:
    pending.record_failure(FAILURE, "down", LESSON)
    [path] = (tmp_path / "state").rglob("*.json")
    stored = json.loads(path.read_text(encoding="ascii"))
    for wrong in ('{"type": "NoneType", "value": null}', '{"type": "Diff", "value": {}}', "x", "7"):
        path.write_text(json.dumps({**stored, "lesson": wrong}), encoding="ascii")
        assert all(each.lesson is None for each in pending.list_failures())


def test_space_for_the_answer_is_reserved_before_the_question(
    tmp_path: Path, pending: Pending
) -> None:
    pending.record_question(FAILURE)
    [reserve] = (tmp_path / "state").rglob("*.answer")
    assert reserve.stat().st_size >= 64 * 1024
    assert pending.find_answer(FAILURE) is None
    pending.record_answer(FAILURE, LESSON)
    assert pending.find_answer(FAILURE) == LESSON
    assert reserve.stat().st_size < 1024
    pending.remove_failure(FAILURE)
    assert not [path for path in (tmp_path / "state").rglob("*") if path.is_file()]


def test_a_secret_in_the_answer_makes_the_rule_wait_for_a_person(
    tmp_path: Path, project: Path
) -> None:
    answer = {**TEXT, "when": "Logging in with DB_PASSWORD=hunter2Suite99"}
    with Loopback(json_reply(answer)) as workflow:
        lab = Lab(tmp_path, project, workflow.url)
        reported = lab.run(*REPORT)
        waiting = lab.run("rules", "pending")
    assert not lab.has_rule()
    assert "looks like a secret" in reported.stdout + waiting.stdout
    assert RULE.split()[0] in waiting.stdout
    stored = b"".join(path.read_bytes() for path in lab.state.rglob("*") if path.is_file())
    assert b"hunter2Suite99" not in stored

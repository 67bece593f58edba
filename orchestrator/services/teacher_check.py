"""Send a sample failure to the configured teacher, and show the request and the answer."""

import json
import os
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from orchestrator.budget.ledger import Kind
from orchestrator.budget.metering import MeteredTeacher
from orchestrator.config import Config
from orchestrator.counts import format_count
from orchestrator.events import Listener
from orchestrator.masking import Masker
from orchestrator.models import Teaching
from orchestrator.platform.project import resolve_project
from orchestrator.services import teacher_wiring, wiring
from orchestrator.services.project_settings import report_project_choices
from orchestrator.services.teacher_choice import TeacherMode, build_own_teacher
from orchestrator.services.teacher_notices import report_unused_settings
from orchestrator.services.trust import TEACHING, load_trusted_config
from orchestrator.services.workflow_check import WorkflowCheck, build_open_error
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.teaching.teach import TeachingContext, teach_failure
from teacher.address import format_address
from teacher.claude import ClaudeTeacher
from teacher.errors import TeacherError, UnusableAnswer
from teacher.local import LocalTeacher
from teacher.models import Failure, FailureType, KnownRule, Lesson
from teacher.prices import build_price_notice
from teacher.prompt import build_request
from teacher.retry import Retries
from teacher.webhook import WebhookAnswer, WebhookTeacher, build_request_body

_WIDTH: Final = 80
_LABEL: Final = 10
"""Columns of the labels, with the space after them."""

SAMPLE: Final = Failure(
    type=FailureType.TEST_FAILURE,
    source="pytest",
    summary="tests/test_ratio.py::test_no_ratio: assert 0 is None",
    fingerprint="a sample",
    task="Make ratio() safe when the second number is zero.",
    diff="--- a/ratio.py\n+++ b/ratio.py\n@@ -1,2 +1,4 @@\n def ratio(a, b):\n"
    "+    if b == 0:\n+        return 0\n     return a / b\n",
    logs="tests/test_ratio.py::test_no_ratio FAILED\n"
    "    def test_no_ratio():\n>       assert ratio(1, 0) is None\nE       assert 0 is None\n",
)
"""A mistake that a teacher can turn into a rule."""


class _Inquiry:
    """A teacher that keeps what a workflow says about itself beside the lesson.

    Args:
        teacher: is asked.
    """

    def __init__(self, teacher: LocalTeacher | ClaudeTeacher | WebhookTeacher) -> None:
        self._teacher = teacher
        self.answer: WebhookAnswer | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is asked from this machine, without a workflow."""
        return not isinstance(self._teacher, WebhookTeacher)

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the teacher. Raises TeacherError."""
        if isinstance(self._teacher, WebhookTeacher):
            self.answer = self._teacher.ask(failure, known_rules)
            return self.answer.lesson
        return self._teacher.teach(failure, known_rules)


def try_teacher(
    project: Path,
    config_file: Path | None,
    listener: Listener,
    say: Callable[[str], None],
    *,
    fresh: bool = False,
) -> Lesson:
    """Ask the teacher once, without retries; print request, answer and latency.

    It costs as much as one lesson, unless the workflow remembers its answer to the same sample. No
    rule is written. A workflow is checked as well; see `orchestrator.services.workflow_check`.

    Args:
        project: the project's directory.
        config_file: the configuration file; the project's own if None.
        listener: receives notices.
        say: prints some lines.
        fresh: whether the model is asked even if the workflow remembers its answer.

    Raises:
        LoopError, TeacherError: the teacher cannot be asked, gave no lesson, or answers strangers.
    """
    loaded = load_trusted_config(resolve_project(project), config_file, of=TEACHING)
    config = loaded.config
    report_project_choices(loaded, listener, TEACHING)
    report_unused_settings(loaded, listener)
    masker = wiring.build_masker(config, os.environ, resolve_state_directory())

    def say_part(label: str, text: str) -> None:
        say("\n".join(iter_labelled_lines(label, masker.mask(text))))

    mode = TeacherMode(config.teacher.mode)
    if mode is not TeacherMode.WEBHOOK:
        environment = {**os.environ, "CLAUDE_CODE_MAX_RETRIES": "0"}
        own = build_own_teacher(mode, config, environment, listener, Retries(tries=1))
        say(f"Teacher   {own.name}, paid by: {own.payer}")
        say(f"Request   {_format_request(config)}")
        if fresh:
            say_part("Fresh", "without effect: only a workflow has a memory")
        return _ask(config, _Inquiry(own.teacher), masker, say)
    address = format_address(config.n8n.webhook_url) or "(n8n.webhook_url is empty)"
    say(f"Teacher   webhook {address}")
    say(f"Request   {_indent_lines(json.dumps(build_request_body(SAMPLE, ()), indent=2))}")
    webhook = teacher_wiring.build_webhook_teacher(
        config, os.environ, listener, Retries(tries=1), fresh=fresh
    )
    inquiry = _Inquiry(webhook)
    check = WorkflowCheck(config, os.environ, say_part)
    check.start()
    try:
        lesson = _ask(config, inquiry, masker, say)
    except TeacherError as error:
        # Where n8n has lost the token, its owner is refused, and strangers may not be.
        if entered := check.report_strangers(only_if_open=True):
            raise build_open_error(entered) from error
        raise
    answer = inquiry.answer or WebhookAnswer(lesson)
    if answer.remembered:
        say_part("Memory", "answered from the workflow's memory; --fresh asks the model")
    check.report_version(answer.workflow_version)
    check.report_saving()
    if entered := check.report_strangers():
        raise build_open_error(entered)
    return lesson


def iter_labelled_lines(label: str, text: str) -> Iterator[str]:
    """Yield a text in lines of at most 80 columns, with a label beside the first one."""
    room = _WIDTH - _LABEL
    for number, line in enumerate(
        textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    ):
        yield f"{'' if number else label:<{_LABEL}}{line}"


def _ask(config: Config, inquiry: _Inquiry, masker: Masker, say: Callable[[str], None]) -> Lesson:
    """Ask a teacher, and print its answer."""
    teaching = _teach_metered(config, inquiry, masker, say)
    if teaching.lesson is None:
        raise UnusableAnswer(teaching.trouble)
    say(f"Answer    {_format_lesson(teaching.lesson)}")
    return teaching.lesson


def _teach_metered(
    config: Config, inquiry: _Inquiry, masker: Masker, say: Callable[[str], None]
) -> Teaching:
    """Ask a teacher, count the cost, and print how long it took."""
    kind = Kind.LESSON if inquiry.is_own else Kind.WEBHOOK
    with open_database(resolve_state_directory()) as database:
        metered = MeteredTeacher(inquiry, wiring.open_account(config, database), kind)
        # Its events are dropped: the caller prints the result.
        context = TeachingContext(metered, masker, lambda _event: None)
        started = time.monotonic()
        try:
            return teach_failure(SAMPLE, context).teaching
        finally:
            say(f"Latency   {time.monotonic() - started:.2f} s")


def _format_request(config: Config) -> str:
    request = build_request(SAMPLE, (), config.resolve_prompts())
    return _indent_lines(f"system: {len(request.system)} characters\nuser: {request.user}")


def _format_lesson(lesson: Lesson) -> str:
    lines = [f"{lesson.action}: {lesson.reason}"]
    if lesson.text:
        lines += [
            f"Rule: {lesson.text.rule}",
            f"When: {lesson.text.when}",
            f"Why:  {lesson.text.why}",
        ]
    if lesson.model:
        tokens = format_count(lesson.usage.tokens, "token")
        lines.append(f"({lesson.model}, {tokens}, ${lesson.usage.cost_usd:.4f})")
    if lesson.usage.tokens and (notice := build_price_notice(lesson.model)):
        lines.append(notice)
    return _indent_lines("\n".join(lines))


def _indent_lines(text: str) -> str:
    return "\n          ".join(text.splitlines())

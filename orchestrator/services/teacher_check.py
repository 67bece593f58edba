"""Send a sample failure to the configured teacher, and show the request and the answer."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.budget.ledger import Kind
from orchestrator.budget.metering import MeteredTeacher
from orchestrator.config import Config
from orchestrator.events import Listener
from orchestrator.masking import mask_text
from orchestrator.models import Teaching
from orchestrator.platform.project import resolve_project
from orchestrator.services import teacher_wiring, wiring
from orchestrator.services.project_settings import report_project_choices
from orchestrator.services.trust import TEACHING, load_trusted_config
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.teaching.teach import TeachingContext, teach_failure
from teacher.errors import UnusableAnswer
from teacher.local import LocalTeacher
from teacher.models import Failure, FailureType, Lesson
from teacher.prices import build_price_notice
from teacher.prompt import build_request
from teacher.retry import Retries
from teacher.webhook import WebhookTeacher, build_request_body

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


def try_teacher(
    project: Path,
    config_file: Path | None,
    listener: Listener,
    say: Callable[[str], None],
) -> Lesson:
    """Ask the teacher once, without retries; print request, answer and latency.

    It costs as much as one lesson. No rule is written.

    Raises:
        LoopError, TeacherError: the teacher cannot be asked, or gave no lesson.
    """
    loaded = load_trusted_config(resolve_project(project), config_file, of=TEACHING)
    config = loaded.config
    report_project_choices(loaded, listener, TEACHING)
    say(f"Teacher   {_format_address(config)}")
    # The time makes each request different: the workflow answers a repeated one from its memory.
    context = f"A trial at {time.strftime('%Y-%m-%d %H:%M:%S')}."
    failure = replace(SAMPLE, context=context)
    say(f"Request   {_format_request(config, failure)}")
    teacher = _build_teacher(config, os.environ, listener)
    teaching = _teach_metered(config, teacher, failure, say)
    if teaching.lesson is None:
        raise UnusableAnswer(teaching.trouble)
    say(f"Answer    {_format_lesson(teaching.lesson)}")
    return teaching.lesson


def _teach_metered(
    config: Config,
    teacher: LocalTeacher | WebhookTeacher,
    failure: Failure,
    say: Callable[[str], None],
) -> Teaching:
    """Ask a teacher, count the cost, and print how long it took."""
    state = resolve_state_directory()
    masker = wiring.build_masker(config, os.environ, state)
    kind = Kind.WEBHOOK if config.teacher.mode == "webhook" else Kind.LESSON
    with open_database(state) as database:
        metered = MeteredTeacher(teacher, wiring.open_account(config, database), kind)
        # Its events are dropped: the caller prints the result.
        context = TeachingContext(metered, masker, lambda _event: None)
        started = time.monotonic()
        try:
            return teach_failure(failure, context).teaching
        finally:
            say(f"Latency   {time.monotonic() - started:.2f} s")


def _build_teacher(
    config: Config, environment: Mapping[str, str], listener: Listener
) -> LocalTeacher | WebhookTeacher:
    once = Retries(tries=1)
    if config.teacher.mode == "webhook":
        return teacher_wiring.build_webhook_teacher(config, environment, once)
    return teacher_wiring.build_local_teacher(config, environment, listener, once)


def _format_address(config: Config) -> str:
    if config.teacher.mode == "webhook":
        return f"webhook {mask_text(config.n8n.webhook_url) or '(n8n.webhook_url is empty)'}"
    return f"local {config.teacher.model}"


def _format_request(config: Config, failure: Failure) -> str:
    if config.teacher.mode == "webhook":
        return _indent_lines(json.dumps(build_request_body(failure, ()), indent=2))
    request = build_request(failure, (), config.resolve_prompts())
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
        lines.append(
            f"({lesson.model}, {lesson.usage.tokens} tokens, ${lesson.usage.cost_usd:.4f})"
        )
    if lesson.usage.tokens and (notice := build_price_notice(lesson.model)):
        lines.append(notice)
    return _indent_lines("\n".join(lines))


def _indent_lines(text: str) -> str:
    return "\n          ".join(text.splitlines())

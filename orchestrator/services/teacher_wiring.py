"""Build the teacher that a configuration names, metered and ready to be asked."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from orchestrator.budget.ledger import Caps, Kind, Ledger
from orchestrator.budget.metering import Account, MeteredTeacher
from orchestrator.config import Config
from orchestrator.events import Event, Listener, Notice
from orchestrator.failures.record_masking import mask_rule
from orchestrator.masking import Masker
from orchestrator.services.teacher_choice import TeacherMode, build_own_teacher
from orchestrator.storage.opening import open_database
from orchestrator.teaching.pending import Pending
from orchestrator.teaching.teach import record_answer
from orchestrator.teaching.teachers import (
    FallbackTeacher,
    NamedTeacher,
    RecordingTeacher,
    SecondLookTeacher,
)
from teacher.claude import ClaudeTeacher
from teacher.local import LocalTeacher
from teacher.models import RuleText
from teacher.retry import Retries
from teacher.second_look import SecondLook
from teacher.webhook import WebhookTeacher
from teacher.webhook_retries import WEBHOOK_RETRIES


def build_teacher(
    config: Config,
    environment: Mapping[str, str],
    listener: Listener,
    account: Account,
    masker: Masker,
    pending: Pending,
) -> NamedTeacher:
    """Build the teacher that the configuration names, metered and ready to be asked.

    Args:
        config: the configuration.
        environment: has the keys.
        listener: receives notices.
        account: who pays.
        masker: removes secrets.
        pending: stores each answer, before its bill is entered.

    Raises:
        TeacherError: its key, its address or a prompt is missing.
    """
    record = partial(record_answer, pending, masker, listener)

    def meter(teacher: LocalTeacher | ClaudeTeacher | WebhookTeacher, kind: Kind) -> MeteredTeacher:
        if not config.learning.second_look:
            return MeteredTeacher(RecordingTeacher(teacher, record), account, kind)
        if isinstance(teacher, WebhookTeacher):
            reader = build_own_teacher(TeacherMode.AUTO, config, environment, listener).teacher
        else:
            reader = teacher

        def examine(text: RuleText) -> SecondLook:  # another's teacher may have given the rule
            return reader.examine_rule(mask_rule(masker, text))

        examined = SecondLookTeacher(teacher, examine, record)
        return MeteredTeacher(RecordingTeacher(examined, record), account, kind)

    mode = TeacherMode(config.teacher.mode)
    if mode is not TeacherMode.WEBHOOK:
        own = build_own_teacher(mode, config, environment, listener)
        return NamedTeacher(meter(own.teacher, Kind.LESSON), own.name, own.payer)
    webhook = meter(build_webhook_teacher(config, environment, listener), Kind.WEBHOOK)
    payer = "the workflow's credential"
    if config.teacher.fallback == "local":
        own = build_own_teacher(TeacherMode.LOCAL, config, environment, listener)
        both = FallbackTeacher(webhook, meter(own.teacher, Kind.LESSON), listener)
        return NamedTeacher(both, f"webhook, or else {own.name}", f"{payer}, or else {own.payer}")
    return NamedTeacher(webhook, "webhook", payer)


def build_unrecorded_teacher(
    config: Config, environment: Mapping[str, str], project: Path, note: Callable[[str], None]
) -> NamedTeacher:
    """Build the teacher as a run does, to check it and not to ask it: nothing is written.

    Args:
        config: the configuration.
        environment: has the keys.
        project: the project's real path.
        note: receives the text of each notice.

    Raises:
        TeacherError: as for `build_teacher`.
    """

    def report_notice(event: Event) -> None:
        if isinstance(event, Notice):
            note(event.text)

    with (
        tempfile.TemporaryDirectory(prefix="orchestrator-teacher-") as folder,
        open_database(Path(folder), "") as database,
    ):
        account = Account(Ledger(database), "", Caps(), lambda: 0)
        masker = Masker(config.redaction.patterns, environment)
        pending = Pending(project, Path(folder))
        return build_teacher(config, environment, report_notice, account, masker, pending)


def build_webhook_teacher(
    config: Config,
    environment: Mapping[str, str],
    listener: Listener,
    retries: Retries | None = None,
    *,
    fresh: bool = False,
) -> WebhookTeacher:
    """Build the teacher that asks an n8n workflow.

    Args:
        config: the configuration.
        environment: has the token.
        listener: receives notices.
        retries: how often and how long to retry a request; the configured time if None.
        fresh: whether the workflow asks the model even if it remembers an answer.

    Raises:
        TeacherError: its address or its token cannot be used.
    """

    def announce(seconds: float) -> None:
        listener(Notice(f"the webhook gives no answer yet; trying again for up to {seconds:g} s"))

    if retries is None:
        retries = replace(WEBHOOK_RETRIES, seconds=config.n8n.retry_for, announce=announce)
    teacher = WebhookTeacher(
        config.n8n.webhook_url,
        config.n8n.timeout,
        token=environment.get("N8N_WEBHOOK_TOKEN"),
        token_header=config.n8n.token_header,
        auth=config.n8n.auth,
        allow_http=config.n8n.allow_http,
        retries=retries,
        fresh=fresh,
    )
    teacher.preflight()
    return teacher

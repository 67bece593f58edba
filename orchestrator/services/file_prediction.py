"""Predict which files the tasks of a list will change, by one question to Claude Code."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.agents.claude_question import ClaudeQuestions
from orchestrator.budget.ledger import Kind
from orchestrator.config import Config
from orchestrator.counts import format_count
from orchestrator.errors import LoopError
from orchestrator.events import Listener, Notice
from orchestrator.masking import Masker
from orchestrator.services.wiring import open_account
from orchestrator.storage.runs import Store
from orchestrator.suites.environment import drop_own_secrets
from orchestrator.tasks.models import TaskItem, TaskRecord
from orchestrator.tasks.predicting import (
    MOST_ANSWER_TOKENS,
    MOST_TASKS,
    PREDICTION_SCHEMA,
    build_prediction_request,
    list_project_files,
    read_prediction,
)
from teacher.answer import quote_answer
from teacher.catalog import resolve_model
from teacher.claude import Program, Question, Reply, ReplyEnd
from teacher.errors import TeacherError

_TOKENS_OF_TASK = 300
"""Tokens of an answer about one task: some dozen paths."""


class ModelPredictor:
    """Asks the teacher's model, through Claude Code without tools.

    Where it cannot be asked, or gives no answer that can be used, nothing is predicted, and a
    notice says why: a list can do without.

    Args:
        config: the configuration: the model, its time limit, the limits of money.
        project: the project's folder.
        store: the record, with the ledger.
        environment: has the login.
        listener: receives notices.
        payer: the id under which the question is in the ledger: that of the list.
        program: is asked; Claude Code with the user's login if None.
    """

    def __init__(
        self,
        config: Config,
        project: Path,
        store: Store,
        environment: Mapping[str, str],
        listener: Listener,
        payer: str,
        *,
        program: Program | None = None,
    ) -> None:
        self._config, self._project, self._emit = config, project, listener
        self._account = open_account(config, store.database, payer)
        self._masker = Masker(config.redaction.patterns, environment)
        self._program = program or ClaudeQuestions(drop_own_secrets(environment))

    def predict_files(self, tasks: Sequence[TaskRecord]) -> dict[str, tuple[str, ...]]:
        """Return the files that tasks will change, by their ids; those not known are missing."""
        if not tasks:
            return {}
        items = [each.item for each in tasks[:MOST_TASKS]]
        try:
            found = self._ask(items)
        except (LoopError, TeacherError) as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._emit(Notice(f"the files of tasks are not predicted: {error.message}{hint}"))
            return {}
        except ValueError as error:
            self._emit(Notice(f"the files of tasks are not predicted: {error}"))
            return {}
        left = len(tasks) - len(found)
        others = f"; {left:,} are not known, and run one at a time" if left else ""
        known = format_count(len(found), "task has", "tasks have")
        self._emit(Notice(f"{known} predicted files{others}"))
        return found

    def _ask(self, items: Sequence[TaskItem]) -> dict[str, tuple[str, ...]]:
        """Ask the model.

        Raises:
            LoopError: the files cannot be listed, or a limit leaves no room.
            TeacherError: there is no program, no login or no such model.
            ValueError: there is no answer, or none that can be used.
        """
        files = list_project_files(self._project)
        teacher = self._config.teacher
        question = Question(
            build_prediction_request(items, files, self._masker.mask),
            PREDICTION_SCHEMA,
            resolve_model(teacher.model).id,
            min(teacher.max_tokens + _TOKENS_OF_TASK * len(items), MOST_ANSWER_TOKENS),
            teacher.timeout,
        )
        self._program.preflight()
        reply = self._ask_metered(question)
        if reply.end is not ReplyEnd.ANSWERED:
            hint = f" ({reply.hint})" if reply.hint else ""
            raise ValueError(f"{reply.end}; {quote_answer(self._masker.mask(reply.text))}{hint}")
        try:
            return read_prediction(reply.text, items, files)
        except ValueError:
            said = quote_answer(self._masker.mask(reply.text))
            raise ValueError(f"the answer cannot be read; {said}") from None

    def _ask_metered(self, question: Question) -> Reply:
        """Ask, with room reserved in the ledger before and the bill entered after."""
        ledger = self._account.ledger
        entry = self._account.open_entry(Kind.PREDICTION)
        try:
            reply = self._program.ask(question)
        except BaseException:
            ledger.abandon_entry(entry)
            raise
        ledger.close_entry(entry, reply.usage)
        return reply

"""Tests for the prediction of files: by fakes through the port, and by the real Claude Code."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.budget.ledger import Ledger
from orchestrator.config import Config
from orchestrator.events import Event, Notice
from orchestrator.replay import ReplayServer
from orchestrator.services.file_prediction import ModelPredictor
from orchestrator.storage.runs import Store
from orchestrator.tasks.models import TaskItem, TaskRecord, TaskState
from teacher.claude import Program, Question, Reply, ReplyEnd
from teacher.errors import NoKey, TeacherError
from teacher.models import Usage
from tests.agents.claude import SMALL, answers, ask_with, log_in

ANSWER = {
    "tasks": [
        {"id": "T001", "files": ["shop/prices.py", "shop/new.py", "/etc/passwd"]},
        {"id": "T002", "files": []},
    ]
}
TASKS = tuple(
    TaskRecord("list", TaskItem(f"T00{at}", title, title, at), TaskState.WAITING)
    for at, title in enumerate(["Round prices", "Add a cart with key sk-ant-api03-" + "x" * 40], 1)
)


class FakeProgram:
    """A program whose answer is given."""

    def __init__(self, reply: Reply, problem: TeacherError | None = None) -> None:
        self.reply, self.problem = reply, problem
        self.questions: list[Question] = []
        self.before_answer: Callable[[], None] = lambda: None

    def preflight(self) -> None:
        if self.problem:
            raise self.problem

    def ask(self, question: Question) -> Reply:
        self.questions.append(question)
        self.before_answer()
        return self.reply


@pytest.fixture
def shop(project: Path) -> Path:
    for name in ("shop/prices.py", "README.md", "ignored/x.py"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("x\n", encoding="utf-8")
    (project / ".gitignore").write_text("ignored/\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    return project


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as store:
        yield store


def predict(
    store: Store, project: Path, program: Program, config: Config | None = None
) -> tuple[dict[str, tuple[str, ...]], str]:
    """What is predicted, and the notices."""
    notices: list[str] = []

    def listen(event: Event) -> None:
        assert isinstance(event, Notice)
        notices.append(event.text)

    predictor = ModelPredictor(
        config or Config(), project, store, dict(os.environ), listen, "list", program=program
    )
    return predictor.predict_files(TASKS), "\n".join(notices)


def answered(value: object = ANSWER, **more: Any) -> FakeProgram:
    usage = Usage(100, 50, cost_usd=0.01)
    return FakeProgram(Reply(ReplyEnd.ANSWERED, json.dumps(value), usage, **more))


def test_one_question_predicts_the_files_of_all_tasks(shop: Path, store: Store) -> None:
    program = answered()
    found, notice = predict(store, shop, program)
    assert found == {"T001": ("shop/prices.py", "shop/new.py")}
    assert notice == "1 task has predicted files; 1 are not known, and run one at a time"
    [question] = program.questions
    assert "shop/prices.py" in question.request.user
    assert "ignored/x.py" not in question.request.user
    assert "sk-ant-api03" not in question.request.user
    assert question.timeout_seconds == Config().teacher.timeout
    assert Ledger(store.database).sum_run("list") == pytest.approx(0.01)


def test_no_tasks_are_no_question(shop: Path, store: Store) -> None:
    program = answered()
    predictor = ModelPredictor(Config(), shop, store, {}, print, "list", program=program)
    assert predictor.predict_files([]) == {}
    assert not program.questions


def test_without_a_login_nothing_is_asked(shop: Path, store: Store) -> None:
    program = FakeProgram(Reply(ReplyEnd.ANSWERED, ""), NoKey("there is no login", "log in"))
    assert predict(store, shop, program) == (
        {},
        "the files of tasks are not predicted: there is no login (log in)",
    )
    assert not program.questions


def test_over_budget_nothing_is_asked(shop: Path, store: Store) -> None:
    store.database.write(
        "INSERT INTO spending (run, attempt, kind, started, cost_usd, closed, host, process,"
        " process_started) VALUES ('list', 0, 'agent', 0, 9.0, 1, '', 0, 0)"
    )
    config = Config.model_validate({"limits": {"max_cost_usd": 5.0}})
    program = answered()
    found, notice = predict(store, shop, program, config)
    assert not found
    assert "cost limit is used up" in notice
    assert not program.questions


def test_outside_of_a_repository_nothing_is_asked(
    project: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    found, notice = predict(store, project, answered())
    assert not found
    assert "not a git repository" in notice


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(ReplyEnd.TIMED_OUT, ""), "timed out"),
        (Reply(ReplyEnd.USAGE_LIMIT, "limit \x1b[2J reached"), "usage limit; it said: limit"),
        (Reply(ReplyEnd.ANSWERED, "I cannot."), "the answer cannot be read; it said: I cannot."),
    ],
)
def test_without_an_answer_nothing_is_predicted(
    shop: Path, store: Store, reply: Reply, said: str
) -> None:
    found, notice = predict(store, shop, FakeProgram(reply))
    assert not found
    assert said in notice
    assert "\x1b" not in notice


def test_an_interrupt_leaves_no_reservation(shop: Path, store: Store) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    program = answered()
    program.before_answer = interrupt
    with pytest.raises(KeyboardInterrupt):
        predict(store, shop, program)
    rows = store.database.fetch_rows("SELECT kind, closed FROM spending")
    assert rows == [("prediction", 1)]


@pytest.mark.whole
def test_the_real_program_predicts_without_tools(shop: Path, store: Store, home: Path) -> None:
    log_in(home)
    (shop / "CLAUDE.md").write_text("Never guess.\n", encoding="utf-8")
    reply = {"json": ANSWER, "usage": SMALL}
    with ReplayServer(answers({"reply": reply})) as model:
        found, notice = predict(store, shop, ask_with(model.url))
        [request] = model.requests
    assert found == {"T001": ("shop/prices.py", "shop/new.py")}
    assert notice.startswith("1 task has")
    assert set(request.tools) == {"DeferredToolPlaceholder", "StructuredOutput"}
    assert "Never guess." not in request.text
    assert "shop/prices.py" in request.text
    assert Ledger(store.database).sum_run("list") > 0


@pytest.mark.whole
def test_the_real_program_that_gets_no_answer_predicts_nothing(
    shop: Path, store: Store, home: Path
) -> None:
    log_in(home)
    with ReplayServer(answers({"reply": {"fault": {"status": 401}}})) as model:
        found, notice = predict(store, shop, ask_with(model.url))
    assert not found
    assert "not logged in" in notice

"""A question to the real Claude Code program: what is sent, what is left behind, how it ends."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agents import claude_payer
from orchestrator.agents.claude_environment import is_own_session
from orchestrator.agents.claude_question import ClaudeQuestions
from orchestrator.learnings.workspace import Workspace, initialize_workspace
from orchestrator.platform import process
from orchestrator.replay import ReplayServer, endpoint
from orchestrator.session_hooks import settings
from teacher.answer import ANSWER_SCHEMA
from teacher.claude import ClaudeTeacher, Question, Reply, ReplyEnd
from teacher.errors import (
    NoKey,
    TeacherError,
    TeacherMisconfigured,
    TeacherUnavailable,
    UnusableAnswer,
)
from teacher.models import UNKNOWN_USAGE, Usage
from teacher.prompt import Request
from tests.agents.claude import SMALL, answers, ask_with, log_in, use, write
from tests.agents.test_preflight import program
from tests.platform.test_process import alive
from tests.teacher.samples import ADD, FAILURE, RULE

ANSWER = {"json": json.loads(ADD), "usage": SMALL}
USAGE = Usage(100, 50, cost_usd=0.0007)
PROMPT = "/help about @/etc/hostname and @notes.md"


def ask(
    reply: Mapping[str, Any],
    env: Mapping[str, str] | None = None,
    *,
    timeout: float = 60,
    schema: Mapping[str, object] = ANSWER_SCHEMA,
) -> tuple[Reply, ReplayServer]:
    """What comes of a question whose model gives this reply, each time it is asked."""
    with ReplayServer(answers({"reply": reply})) as model:
        question = Question(
            Request("You are the teacher.", PROMPT), schema, "claude-sonnet-5-5", 500, timeout
        )
        return ask_with(model.url, env).ask(question), model


@pytest.fixture(autouse=True)
def login(home: Path) -> None:
    log_in(home)


# ---- what is sent --------------------------------------------------------------------------


def test_the_request_is_the_question_and_nothing_else(home: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hook = [{"hooks": [{"type": "command", "command": f"touch {ran}"}]}]
    kinds = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd")
    odd = {"A": 1, "": "x", "B=": "x", "C": "\0"}
    own = {"hooks": dict.fromkeys(kinds, hook), "env": {"API_TIMEOUT_MS": "9000", **odd}}
    write(
        home,
        {
            ".claude/CLAUDE.md": "My own instruction.",
            ".claude/rules/mine.md": "My own rule.",
            ".claude/settings.json": json.dumps(own),
        },
    )
    reply, model = ask(ANSWER)
    assert (reply.end, json.loads(reply.text), reply.usage) == (
        ReplyEnd.ANSWERED,
        ANSWER["json"],
        USAGE,
    )
    [request] = model.requests
    assert request.speaker == "teacher"
    assert request.model == "claude-sonnet-5-5"
    assert request.body["max_tokens"] == 500
    assert "thinking" not in request.body
    assert request.body["messages"][0] == {"role": "user", "content": PROMPT}
    assert request.body["system"][-1]["text"] == "You are the teacher."
    assert "My own" not in request.text
    assert set(request.tools) == {"DeferredToolPlaceholder", "StructuredOutput"}
    [tool] = [each for each in request.body["tools"] if each["name"] == "StructuredOutput"]
    assert tool["input_schema"] == ANSWER_SCHEMA
    assert not ran.exists()


def test_no_session_is_kept_and_nothing_is_recorded(
    home: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    process.capture(["git", "init", "-q"], cwd=project)
    workspace = Workspace(project, everywhere=False)
    initialize_workspace(workspace)
    settings.install_hooks(home / ".claude" / "settings.json")
    settings.install_hooks(settings.local_settings(project))
    monkeypatch.chdir(project)
    before = read_all(project)
    reply, model = ask(use("Bash", command="rm -rf build; exit 1"), timeout=30)
    assert model.requests[-1].step > 0  # it was told that there is no such tool
    assert reply.end is ReplyEnd.FAILED
    assert read_all(project) == before
    assert not list(home.rglob("*.jsonl"))
    assert not workspace.pending_errors.exists()


def read_all(folder: Path) -> dict[str, bytes]:
    files = (each for each in sorted(folder.rglob("*")) if each.is_file())
    return {str(each.relative_to(folder)): each.read_bytes() for each in files}


def test_a_session_is_marked_as_ours_in_its_environment_and_its_id(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    fake = program(tmp_path, f'env > {seen}; echo "$@" >> {seen}; pwd >> {seen}; ls -A >> {seen}')
    asked = ClaudeQuestions(os.environ, fake)
    question = Question(Request("s", "u"), ANSWER_SCHEMA, "m", 500, 30)
    assert asked.ask(question).end is ReplyEnd.FAILED
    text = seen.read_text(encoding="utf-8")
    assert "ORCHESTRATOR_RUN=1\n" in text
    assert "CLAUDE_CODE_DISABLE_AUTO_MEMORY=1\n" in text
    assert "ENABLE_CLAUDEAI_MCP_SERVERS=false\n" in text
    session = text.partition("--session-id=")[2].partition(" ")[0]
    assert is_own_session(Path(f"{session}.jsonl"))
    folder = Path(text.rstrip("\n").rpartition("\n")[2])
    assert folder.name == "question"
    assert not folder.parent.exists()


# ---- who pays ------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["environment", "settings", "helper"])
def test_the_login_is_used_and_not_a_key(where: str, home: Path) -> None:
    key = {"ANTHROPIC_API_KEY": "sk-a-key"}
    stored: dict[str, object] = {"env": key} if where == "settings" else {}
    if where == "helper":
        stored = {"apiKeyHelper": "echo sk-a-key"}
    write(home, {".claude/settings.json": json.dumps(stored)})
    headers, reply = ask_with_headers(key if where == "environment" else {}, is_gateway=False)
    assert reply.end is ReplyEnd.ANSWERED
    assert headers == {"authorization": "Bearer sk-ant-oat01-not-a-token"}


def test_without_a_login_a_key_is_used(home: Path) -> None:
    (home / ".claude" / ".credentials.json").unlink()
    headers, reply = ask_with_headers({"ANTHROPIC_API_KEY": "sk-a-key"})
    assert reply.end is ReplyEnd.ANSWERED
    assert headers == {"x-api-key": "sk-a-key"}


def test_the_token_of_a_gateway_goes_to_the_gateway() -> None:
    headers, _ = ask_with_headers({"ANTHROPIC_AUTH_TOKEN": "of-the-gateway"})
    assert headers == {"authorization": "Bearer of-the-gateway"}
    headers, _ = ask_with_headers({"ANTHROPIC_API_KEY": "of-the-gateway"})
    assert headers == {"x-api-key": "of-the-gateway"}


class AnyAddress(str):
    """Stands for Anthropic's address, whatever the address of the scripted model is."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def ask_with_headers(
    env: Mapping[str, str], *, is_gateway: bool = True
) -> tuple[dict[str, str], Reply]:
    """What the request to a gateway, or as to Anthropic's API, authenticates with."""
    seen: list[dict[str, str]] = []
    original = endpoint._Handler.do_POST

    def look(self: Any) -> None:
        names = ("authorization", "x-api-key")
        seen.append({name: self.headers[name] for name in names if self.headers[name]})
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint._Handler, "do_POST", look)
        if not is_gateway:
            patch.setattr(claude_payer, "OFFICIAL_API", AnyAddress())
        reply, _ = ask(ANSWER, env)
    return seen[0], reply


# ---- how it ends ---------------------------------------------------------------------------

PARTS = {name: value for name, value in json.loads(ADD).items() if name in ("rule", "when", "why")}


def teach(url: str, *, timeout: float = 60) -> Any:
    """What a teacher gives: a lesson, or its error."""
    try:
        return ClaudeTeacher(ask_with(url), timeout_seconds=timeout).teach(FAILURE, ())
    except TeacherError as error:
        return error


@pytest.mark.parametrize(
    ("reply", "kind", "message", "hint"),
    [
        ({"fault": 401}, TeacherUnavailable, "login was not accepted", "log in again: `"),
        (
            {"fault": {"status": 403, "message": "no"}},
            TeacherUnavailable,
            "(403)",
            "may use teacher.model",
        ),
        ({"fault": 404}, TeacherMisconfigured, "claude-sonnet-5-5", "set teacher.model to one of"),
        ({"fault": 413}, TeacherUnavailable, "too large", "with less of it"),
        ({"fault": 429}, TeacherUnavailable, "(429)", "wait until the rate limit resets"),
        (
            {"fault": {"status": 429, "message": "You've hit your weekly limit · resets 5pm"}},
            TeacherUnavailable,
            "usage limit",
            "after the reset",
        ),
        ({"fault": 529}, TeacherUnavailable, "(529)", "try again later"),
        ({"say": "No.", "stop_reason": "refusal"}, UnusableAnswer, "refused", "report the failure"),
        (
            {"say": '{"rule": "Ne', "stop_reason": "max_tokens"},
            UnusableAnswer,
            "it was cut off",
            "raise teacher.max_tokens (now 1024)",
        ),
        ({"say": "I would not."}, UnusableAnswer, "I would not.", "teacher.model"),
        (
            {"json": {**json.loads(ADD), "action": "forget"}},
            UnusableAnswer,
            '"action": "forget"',
            "teacher.model",
        ),
        ({"tools": [{"name": "Bash", "input": {}}]}, TeacherUnavailable, "turns (6)", "teach --pe"),
    ],
    ids=str,
)
def test_each_end_without_a_lesson_says_what_to_do(
    reply: dict[str, Any], kind: type[TeacherError], message: str, hint: str
) -> None:
    with ReplayServer(answers({"reply": reply})) as model:
        error = teach(model.url)
    assert type(error) is kind
    assert message in error.message
    assert hint in error.hint
    assert "\n" not in str(error)
    if reply.get("fault") == 401:
        assert "wait" not in str(error)
        assert "network" not in str(error)
        assert error.usage == Usage()


def test_without_a_login_nothing_is_sent(home: Path) -> None:
    (home / ".claude" / ".credentials.json").unlink()
    reply, model = ask(ANSWER)
    assert (reply.end, reply.usage) == (ReplyEnd.NOT_LOGGED_IN, Usage())
    assert reply.hint.startswith("log in: `")
    assert not model.requests


def test_an_answer_that_the_program_rejects_is_read_like_any_other() -> None:
    with ReplayServer(answers({"reply": {"json": PARTS, "usage": SMALL}})) as model:
        lesson = teach(model.url)
        tries = len(model.requests)
    assert lesson.text == RULE
    assert (tries, lesson.usage.input_tokens) == (3, 300)


def test_a_dead_address_says_so() -> None:
    error = teach("http://127.0.0.1:9")
    assert isinstance(error, TeacherUnavailable)
    assert "check the network and ANTHROPIC_BASE_URL" in error.hint


def test_a_model_that_hangs_is_not_waited_for() -> None:
    with ReplayServer(answers({"reply": {"fault": "hang"}})) as model:
        started = time.monotonic()
        error = teach(model.url, timeout=5)
    assert time.monotonic() - started < 40
    assert error.message == "Claude Code did not answer within 5 s"
    assert "teacher.timeout" in error.hint
    assert error.usage == UNKNOWN_USAGE


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_that_is_killed_gave_no_answer(by: signal.Signals) -> None:
    with ReplayServer(answers({"reply": {"fault": "hang"}})) as model:
        killer = threading.Thread(target=kill_program, args=(model, by))
        killer.start()
        error = teach(model.url)
        killer.join()
    assert isinstance(error, TeacherUnavailable)
    assert "ended without an answer" in error.message
    assert error.usage == UNKNOWN_USAGE


def kill_program(model: ReplayServer, by: signal.Signals) -> None:
    while not model.requests:
        time.sleep(0.05)
    for pid in find_programs():
        os.kill(pid, by)


def find_programs() -> list[int]:
    """The processes of Claude Code that this one has started."""
    me = str(os.getpid())
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = stat.read_text(encoding="utf-8", errors="replace")
            if text.rpartition(")")[2].split()[1] == me and "--json-schema" in (
                stat.with_name("cmdline").read_text(encoding="utf-8", errors="replace")
            ):
                found.append(int(stat.parent.name))
    return found


def test_ctrl_c_ends_the_program() -> None:
    with ReplayServer(answers({"reply": {"fault": "hang"}})) as model:
        pids: list[int] = []

        def interrupt() -> None:
            while not model.requests:
                time.sleep(0.05)
            pids.extend(find_programs())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            teach(model.url)
    assert pids
    assert not any(map(alive, pids))


def test_a_program_that_is_gone_is_an_error_of_the_teacher(tmp_path: Path) -> None:
    for gone in (tmp_path / "missing", tmp_path):
        with pytest.raises(TeacherUnavailable, match="it cannot be started") as caught:
            ClaudeTeacher(ClaudeQuestions(os.environ, gone)).teach(FAILURE, ())
        assert caught.value.usage == Usage()


# ---- before it is asked --------------------------------------------------------------------


def test_with_a_login_it_can_be_asked() -> None:
    asked = ask_with("http://127.0.0.1:9")
    asked.preflight()
    assert asked.payer == "subscription (the login of Claude Code)"


def test_without_a_login_the_hint_is_a_command(home: Path) -> None:
    (home / ".claude" / ".credentials.json").unlink()
    with pytest.raises(NoKey) as caught:
        ask_with("http://127.0.0.1:9").preflight()
    assert caught.value.message == "Claude Code has no login"
    assert "/claude auth login`" in caught.value.hint


@pytest.mark.skipif(sys.platform == "darwin", reason="the keychain's entry is of the folder")
def test_the_question_for_a_login_leaves_nothing(home: Path) -> None:
    (home / ".claude" / ".credentials.json").unlink()
    before = sorted(home.rglob("*"))
    with pytest.raises(NoKey):
        ask_with("http://127.0.0.1:9").preflight()
    assert sorted(home.rglob("*")) == before


def test_a_login_that_only_the_program_finds_counts(home: Path, tmp_path: Path) -> None:
    (home / ".claude" / ".credentials.json").unlink()
    script = """case "$1" in auth) echo '{"loggedIn": true}';; *) echo 2.1.332;; esac"""
    ClaudeQuestions(os.environ, program(tmp_path, script)).preflight()


@pytest.mark.parametrize("status", ["", "[]", '{"loggedIn": "yes"}', "[" * 100_000, "error"])
def test_a_status_that_cannot_be_read_is_no_login(status: str, home: Path, tmp_path: Path) -> None:
    (home / ".claude" / ".credentials.json").unlink()
    (tmp_path / "status").write_text(status, encoding="utf-8")
    script = f'case "$1" in auth) cat {tmp_path}/status;; *) echo 2.1.332;; esac'
    with pytest.raises(NoKey):
        ClaudeQuestions(os.environ, program(tmp_path, script)).preflight()


@pytest.mark.parametrize(
    ("script", "words"), [("echo 2.0.1", "2.1.248 or newer"), ("exit 1", "--version")]
)
def test_a_program_that_cannot_be_used(script: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TeacherUnavailable, match=words) as caught:
        ClaudeQuestions(os.environ, program(tmp_path, script)).preflight()
    assert caught.value.hint

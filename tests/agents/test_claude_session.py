"""The protocol of Claude Code: as its SDK speaks it, and with refusals that hold."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.agents.claude_session import Refuse, Session
from orchestrator.agents.claude_wire import Message, WireError
from orchestrator.models import AgentLimits, AgentOutcome
from tests.agents.claude import answers, claude, say, steps, use

LIMITS = AgentLimits(max_turns=9, wall_clock_seconds=120, no_output_seconds=120)

RESULT = {
    "type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "done",
    "duration_ms": 1, "duration_api_ms": 1, "session_id": "s",
}  # fmt: skip
EDIT = {"hook_event_name": "PreToolUse", "tool_name": "Edit", "tool_input": {"file_path": "/p/a"}}


class Script:
    """A program that sends scripted messages, and records what it gets."""

    def __init__(self, *said: Mapping[str, Any]) -> None:
        self._said = said
        self.heard: list[dict[str, Any]] = []
        self.closed_after: int | None = None

    def write(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        self.heard += map(json.loads, data.splitlines())

    def end_input(self) -> None:
        self.closed_after = self.closed_after if self.closed_after is not None else self._at

    def read_messages(self, is_over: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        self.is_over = is_over
        for at, message in enumerate(self.said()):
            self._at = at
            yield message

    def said(self) -> Iterator[dict[str, Any]]:
        greeting = self.heard[0]["request_id"]
        yield greeted(greeting)
        for message in self._said:
            yield json.loads(json.dumps(message))


def greeted(request: str, **fields: Any) -> dict[str, Any]:
    answer = {"subtype": "success", "request_id": request, "response": {}, **fields}
    return {"type": "control_response", "response": answer}


def asks(callback: str, given: object, request: str = "r1") -> dict[str, Any]:
    hook = {"subtype": "hook_callback", "callback_id": callback, "input": given}
    return {"type": "control_request", "request_id": request, "request": hook}


def talk(script: Script, refuse: Refuse | None, prompt: str = "x") -> Sequence[Message]:
    return list(Session(script, refuse).converse(prompt))


# ---- as the SDK speaks it ------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["not that one", None])
def test_the_program_gets_what_the_sdk_would_send(reason: str | None) -> None:
    prompt = "/help @file \u2028 🐍"
    ours = Script(asks("refuse", EDIT), {**asks("x", {}), "request": {"subtype": "new"}}, RESULT)
    talk(ours, lambda _path: reason, prompt)
    theirs = Script(asks("hook_0", EDIT), {**asks("x", {}), "request": {"subtype": "new"}}, RESULT)
    asyncio.run(talk_by_sdk(theirs, reason, prompt))
    assert [comparable(each) for each in ours.heard] == [comparable(each) for each in theirs.heard]


async def talk_by_sdk(script: Script, reason: str | None, prompt: str) -> None:
    from claude_agent_sdk import ClaudeAgentOptions, HookMatcher, Transport, query

    class Wire(Transport):
        async def connect(self) -> None: ...
        async def close(self) -> None: ...
        async def end_input(self) -> None: ...

        def is_ready(self) -> bool:
            return True

        async def write(self, data: str) -> None:
            script.write(data.encode())

        async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
            for message in script.said():
                while len(script.heard) < (2 if message["type"] != "control_response" else 1):
                    await asyncio.sleep(0)
                count = len(script.heard) + (message["type"] == "control_request")
                yield message
                while len(script.heard) < count:
                    await asyncio.sleep(0)

    async def hook(*_: object) -> Any:
        if reason is None:
            return {}
        decision = {"permissionDecision": "deny", "permissionDecisionReason": reason}
        return {"hookSpecificOutput": {"hookEventName": "PreToolUse", **decision}}

    matcher = HookMatcher("Edit|MultiEdit|Write|NotebookEdit", [hook])
    options = ClaudeAgentOptions(verbatim_prompts=True, hooks={"PreToolUse": [matcher]})
    async for _ in query(prompt=prompt, options=options, transport=Wire()):
        pass


def comparable(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without the ids that each side chooses, and without what old SDKs lack."""
    if message["type"] == "control_request":
        assert message.pop("request_id")
        for matcher in message["request"]["hooks"]["PreToolUse"]:
            assert len(matcher.pop("hookCallbackIds")) == 1
            assert matcher.pop("onFailure", "block") == "block"
    return message


# ---- refusals that hold --------------------------------------------------------------------


def decision(script: Script) -> Mapping[str, Any]:
    answer: dict[str, dict[str, Any]] = script.heard[-1]["response"]["response"]
    return answer.get("hookSpecificOutput", {})


def test_a_check_that_fails_is_a_no() -> None:
    def fail(path: Path) -> str | None:
        raise RuntimeError(f"cannot look at {path}")

    for given in (EDIT, {"tool_input": None}, {}, None, "text", {"tool_input": {"file_path": 7}}):
        script = Script(asks("refuse", given), RESULT)
        talk(script, fail)
        assert decision(script)["permissionDecision"] == "deny"
        assert "could not be checked" in decision(script)["permissionDecisionReason"]


def test_a_notebook_is_an_edit_and_a_call_without_a_file_is_none() -> None:
    for name, asked in (("notebook_path", [Path("/p/a")]), ("other", [])):
        seen: list[Path] = []
        script = Script(asks("refuse", {"tool_input": {name: "/p/a"}}), RESULT)
        talk(script, lambda path, seen=seen: seen.append(path))  # type: ignore[misc]
        assert seen == asked
        assert decision(script) == {}


@pytest.mark.parametrize("request_", [None, {}, [], {"subtype": []}, {"subtype": "can_use_tool"}])
def test_a_request_that_is_not_known_is_answered_as_an_error(request_: object) -> None:
    script = Script({"type": "control_request", "request_id": "r", "request": request_}, RESULT)
    talk(script, lambda _: None)
    answer = script.heard[-1]["response"]
    assert (answer["subtype"], answer["request_id"]) == ("error", "r")


def test_a_program_that_rejects_the_greeting_is_reported() -> None:
    refusal = greeted("greeting", subtype="error", error="no such protocol")
    with pytest.raises(WireError, match="no such protocol"):
        talk(Script(refusal), lambda _: None)


# ---- when the program's input is closed ----------------------------------------------------


def task(subtype: str, **fields: Any) -> dict[str, Any]:
    return {"type": "system", "subtype": subtype, "task_id": "t", **fields}


def state(state: str) -> dict[str, Any]:
    return {"type": "system", "subtype": "session_state_changed", "state": state}


STARTED = task("task_started", task_type="local_agent")
SHELL = task("task_started", task_type="local_bash")
NOTIFIED = task("task_notification", status="completed")
UPDATED = task("task_updated", patch={"status": "completed"})
GOING_ON = task("task_updated", patch={"status": "running"})


@pytest.mark.parametrize(
    ("said", "closed_after"),
    [
        ([RESULT], 1),
        ([SHELL, RESULT], 2),
        ([STARTED, RESULT, NOTIFIED, RESULT], 4),
        ([STARTED, RESULT, GOING_ON, UPDATED, RESULT], 5),
        ([STARTED, UPDATED, NOTIFIED, RESULT], 4),
        ([state("running"), RESULT, state("idle")], 3),
        ([state("running"), STARTED, NOTIFIED, RESULT, RESULT, state("idle")], 6),
        ([state("running"), state("idle"), RESULT], 3),
        ([state("idle"), state("running"), RESULT], None),
    ],
)
def test_the_input_stays_open_while_there_may_be_something_to_ask(
    said: Sequence[Mapping[str, Any]], closed_after: int | None
) -> None:
    script = Script(*said)
    talk(script, lambda _: None)
    assert script.closed_after == closed_after
    asks_nothing = Script(*said)
    talk(asks_nothing, None)
    assert asks_nothing.closed_after == 0


def test_a_second_answer_to_the_greeting_sends_no_second_prompt() -> None:
    script = Script(greeted("greeting"), RESULT)
    talk(script, None)
    assert [message["type"] for message in script.heard].count("user") == 1


@pytest.mark.parametrize(
    ("said", "over"),
    [
        ([], False),
        ([RESULT], True),
        ([STARTED, RESULT], False),
        ([STARTED, RESULT, NOTIFIED], True),
        ([state("running"), RESULT], False),
        ([SHELL, RESULT], False),
        ([RESULT, {"type": "assistant", "message": {"content": [], "model": "m"}}], False),
        ([RESULT, {"type": "user"}, RESULT], True),
    ],
)
def test_it_is_over_when_nothing_goes_on(said: Sequence[Mapping[str, Any]], over: bool) -> None:
    script = Script(*said)
    talk(script, None)
    assert script.is_over() is over


# ---- the real program ----------------------------------------------------------------------


def refusing(agent: ClaudeCodeAgent, name: str) -> list[str]:
    """Have the agent refuse edits of files of that name; returns the names that it is asked of."""
    asked: list[str] = []

    def refuse(path: Path) -> str | None:
        asked.append(path.name)
        return "that one is guarded" if path.name == name else None

    agent._refuse = refuse
    return asked


def test_the_real_program_makes_no_edit_that_is_refused(project: Path) -> None:
    scenario = steps(
        use("Write", file_path="${cwd}/guarded", content="x"),
        use("Write", file_path="${cwd}/free", content="x"),
        say("done"),
    )
    for skip in (False, True):
        with claude(scenario, {"IS_SANDBOX": "1"}, skip_permissions=skip) as (agent, replay):
            asked = refusing(agent, "guarded")
            result = agent.run("Go on.", project, LIMITS, lambda _event: None)
        assert result.outcome is AgentOutcome.COMPLETED
        assert asked == ["guarded", "free"]
        assert not (project / "guarded").exists()
        assert (project / "free").read_text("utf-8") == "x"
        assert "that one is guarded" in replay.requests[-1].text
        (project / "free").unlink()


@pytest.mark.parametrize("slow", ["helper", "main"])
def test_a_no_holds_for_work_in_the_background_and_what_comes_after_it(
    slow: str, project: Path
) -> None:
    delays = {"helper": 0.0, "main": 0.0, slow: 1.0}
    guarded = use("Write", file_path="${cwd}/guarded", content="x")
    helper = use("Task", description="help", prompt="Help.", subagent_type="general-purpose",
                 model="haiku", run_in_background=True)  # fmt: skip
    scenario = answers(
        {"when": {"model": "*haiku*"},
         "steps": [guarded, {**say("helped"), "delay": delays["helper"]}]},
        {"when": {"contains": ["helped"], "step": 1}, "reply": guarded},
        {"steps": [helper, {**say("main done"), "delay": delays["main"]}]},
        {"reply": say("all done")},
    )  # fmt: skip
    with claude(scenario, {"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": ""}) as (agent, _):
        asked = refusing(agent, "guarded")
        result = agent.run("Go on.", project, LIMITS, lambda _event: None)
    assert result.outcome is AgentOutcome.COMPLETED
    assert "all done" in result.message
    assert asked == ["guarded", "guarded"]
    assert not (project / "guarded").exists()

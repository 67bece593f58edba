"""What a row means: a prompt, a denial, a class, tokens that can be right, a tool's input."""

from typing import Any

import msgspec
import pytest

from orchestrator.sessions.calls.tool_inputs import BashInput, EditInput, OtherInput, read_input
from orchestrator.sessions.models import Denial, ModelCall, ToolCall, Usage
from orchestrator.sessions.reading import denials
from orchestrator.sessions.reading.costs import is_output_reliable
from orchestrator.sessions.reading.prompts import is_prompt, is_typed
from orchestrator.sessions.reading.rows import Row
from tests.sessions.rows_by_hand import give_result, say

REFUSAL = "The user doesn't want to proceed with this tool use. "
HOOK = {"decision": "reject", "source": "hook"}
ACCEPTED = {"permissionDecision": {"decision": "accept", "source": "config"}}
REFUSED = {"toolUseResult": "User rejected tool use"}
IN_SUBAGENT = "Permission for this tool use was denied. The tool use was rejected (eg. if it was"
BY_PERSON = {"toolDenialKind": "user-rejected"}


def decode(row: dict[str, Any]) -> Row:
    return msgspec.json.decode(msgspec.json.encode(row), type=Row)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (say("a", "fix it"), True),
        (say("a", "fix it", promptSource="typed"), True),
        (say("a", "fix it", promptSource="sdk"), False),
        (say("a", "fix it", promptSource="sdk", origin={"kind": "human"}), True),
        (say("a", "fix it", origin={"kind": "task-notification"}), False),
        (say("a", "fix it", entrypoint="sdk-py"), False),
        (say("a", "fix it", entrypoint="cli"), True),
        (say("a", "fix it", isMeta=True), False),
        (say("a", "fix it", isCompactSummary=True), False),
        (say("a", "fix it", isSidechain=True), False),
        (say("a", "  \n<command-name>/clear</command-name>"), False),
        (say("a", "Stop hook feedback: the hook failed"), False),
        (say("a", "[Request interrupted by user]"), False),
        (say("a", "why do you say <command-name>?"), True),
        (say("a", " "), False),
        (give_result("a", "t", "fix it"), False),
    ],
)
def test_a_typed_prompt_is_what_a_person_typed(row: dict[str, Any], expected: bool) -> None:
    assert is_typed(decode(row)) is expected


def test_a_text_beside_an_injected_one_is_a_prompt() -> None:
    blocks = [{"type": "text", "text": text} for text in ("<ide_opened_file>a</ide>", "fix it")]
    row = say("a", "")
    row["message"]["content"] = blocks
    assert is_prompt(decode(row))
    row["message"]["content"] = blocks[:1]
    assert not is_prompt(decode(row))


@pytest.mark.parametrize(
    ("values", "text", "denial"),
    [
        (REFUSED, REFUSAL + "STOP", Denial.REJECTED),
        ({"toolUseResult": f"Error: {REFUSAL}"}, "\n" + REFUSAL, Denial.REJECTED),
        ({"toolUseResult": f"Error: {IN_SUBAGENT}"}, IN_SUBAGENT, Denial.REJECTED),
        ({}, REFUSAL + "STOP", None),
        ({"toolUseResult": {"stdout": REFUSAL}}, REFUSAL, None),
        ({"toolUseResult": f"Error: Exit code 1\n{REFUSAL}"}, "Exit code 1\n" + REFUSAL, None),
        ({"toolUseResult": f"Error: {REFUSAL}"} | ACCEPTED, REFUSAL, None),
        (ACCEPTED, "[Request interrupted by user for tool use]", None),
        (ACCEPTED | BY_PERSON, REFUSAL, Denial.INTERRUPTED),
        (BY_PERSON | {"entrypoint": "sdk-cli"}, REFUSAL, Denial.INTERRUPTED),
        ({}, "[Request interrupted by user for tool use]", Denial.INTERRUPTED),
        ({}, "Exit code 137\n[Request interrupted by user for tool use]\nok", Denial.INTERRUPTED),
        ({}, "Claude requested permissions to use Bash", Denial.UNATTENDED),
        ({}, "Permission to use Bash with command x has been denied.", Denial.RULE),
        ({}, "Exit code 1\ngrep: " + REFUSAL, None),
        ({}, "notes: " + REFUSAL, None),
        ({"toolDenialKind": "user-rejected"}, REFUSAL, Denial.REJECTED),
        ({"toolDenialKind": "user-rejected"}, "stopped", Denial.INTERRUPTED),
        (
            {"toolDenialKind": "user-rejected", "permissionDecision": {"source": "config"}},
            REFUSAL,
            Denial.UNATTENDED,
        ),
        ({"toolDenialKind": "permission-rule", "permissionDecision": HOOK}, "no", Denial.HOOK),
        ({"permissionDecision": {"decision": "reject", "source": "rule"}}, "no", Denial.RULE),
        ({"permissionDecision": {"decision": "accept", "source": "config"}}, "no", None),
    ],
)
def test_a_denial_has_a_kind(values: dict[str, Any], text: str, denial: Denial | None) -> None:
    row = decode(give_result("a", "t", text, error=True, **values))
    assert denials.classify(row, text, is_error=True) is denial


def test_what_a_server_answers_is_not_what_a_person_said() -> None:
    said = f"{REFUSAL}The user said:\nuse a switch"
    answer = give_result("a", "t", said, error=True, toolUseResult=f"Error: {said}")
    assert denials.read_user_message(decode(answer), said, "mcp__x__y") == ""
    assert denials.read_user_message(decode(answer), said, "Bash") == "use a switch"
    assert (
        denials.read_user_message(decode(answer | BY_PERSON), said, "mcp__x__y") == "use a switch"
    )


def test_a_result_that_quotes_a_denial_is_none() -> None:
    assert denials.classify(decode(give_result("a", "t", REFUSAL)), REFUSAL, is_error=False) is None


def test_the_users_words_may_stand_in_a_field_of_their_own() -> None:
    row = decode(give_result("a", "t", REFUSAL, userFeedback=" use a switch "))
    assert denials.read_user_message(row, REFUSAL, "mcp__x__y") == "use a switch"
    assert denials.read_user_message(decode(give_result("a", "t", "")), REFUSAL, "Bash") == ""
    said = f"{IN_SUBAGENT} a file edit). The user said:\nsplit it"
    assert denials.read_user_message(decode(give_result("a", "t", "")), said, "Bash") == "split it"


@pytest.mark.parametrize(
    ("characters", "tokens", "has_stop_reason", "is_reliable"),
    [
        (9_600, 1_000, True, True),
        (12_001, 1_000, True, False),
        (81_500, 100, True, False),
        (500, 1, True, True),
        (9_600, 1_000, False, False),
    ],
)
def test_too_few_output_tokens_cannot_be_right(
    characters: int, tokens: int, has_stop_reason: bool, is_reliable: bool
) -> None:
    call = ModelCall("m", "model", Usage(output=tokens), "", "", characters, has_stop_reason)
    assert is_output_reliable([call]) is is_reliable
    assert is_output_reliable([])


def make_call(name: str, given: bytes) -> ToolCall:
    return ToolCall(name, msgspec.Raw(given), "", "", "")


def test_the_input_of_a_tool_is_decoded() -> None:
    assert read_input(make_call("Bash", b'{"command":"ls","x":1}')) == BashInput("ls")
    edit = read_input(make_call("MultiEdit", b'{"file_path":"a","edits":[{"old_string":"b"}]}'))
    assert isinstance(edit, EditInput)
    assert (edit.path, edit.edits[0].old_string) == ("a", "b")
    assert read_input(make_call("Bash", b'{"command":1}')) == BashInput()
    assert read_input(make_call("Bash", b"")) == BashInput()
    assert read_input(make_call("Glob", b'{"pattern":"*"}')) == OtherInput()

"""Write transcripts in the shapes of older versions, and damaged ones.

`python -m tests.sessions.older_cases` writes `tests/sessions/transcripts/older`. The shapes are
those of real files of the versions 1.0.17 to 2.1.42; the texts are made up.

Longer than 350 lines: a table of shapes
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.sessions.transcripts_in_rows import Transcript, dump, summary, text

FOLDER: Final = Path(__file__).parent / "transcripts" / "older"
REFUSED: Final = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it "
    "was a file edit, the new_string was NOT written to the file). "
)
WITH_WORDS: Final = REFUSED + "To tell you how to proceed, the user said:\n"
STOP: Final = REFUSED + "STOP what you are doing and wait for the user to tell you how to proceed."
CASCADE: Final = "<tool_use_error>Sibling tool call errored</tool_use_error>"
NO_TEST: Final = "FAIL\tshop/cart\t0.51s\nFAIL"

Files = dict[str, bytes]


def plain(name: str, version: str = "2.0.76") -> Transcript:
    """Return a session with a prompt, a failed command and an answer."""
    session = Transcript(name, version)
    session.say("Run the tests")
    session.use(1, "Bash", {"command": "go test ./cart"})
    session.result(1, f"Exit code 1\n{NO_TEST}", is_error=True)
    session.call(2, text("They fail."), cached=210)
    return session


def one(session: Transcript, data: bytes | None = None) -> Files:
    return {f"{session.session}.jsonl": session.write() if data is None else data}


def sidechain_in_the_main_file() -> Files:
    """1.0.x: the rows of a subagent stand in the main file."""
    session = Transcript("sidechain", "1.0.98")
    session.say("Ask a helper")
    session.use(1, "Task", {"description": "Look", "prompt": "Read a.go", "subagent_type": "x"})
    session.say("Read a.go", isSidechain=True)
    session.use(2, "Read", {"file_path": "/home/dev/shop/a.go"}, isSidechain=True)
    session.result(2, "File does not exist.", is_error=True, isSidechain=True)
    session.call(3, text("There is none."), isSidechain=True)
    session.result(1, "There is none.")
    session.call(4, text("No such file."))
    first = dump(summary("Looking for a file"))
    return one(session, first + b"\n" + session.write())


def agent_progress() -> Files:
    """2.0 to 2.1.4x: a subagent as progress, in part also in a file of its own."""
    session = Transcript("progress", "2.1.36")
    session.say("Ask a helper")
    session.use(1, "Task", {"description": "Look", "prompt": "Read a.go", "subagent_type": "x"})
    inner = Transcript("progress-inner", "2.1.36")
    inner.say("Read a.go")
    inner.use(1, "Read", {"file_path": "/home/dev/shop/a.go"}, output=3)
    inner.result(1, "<tool_use_error>File does not exist.</tool_use_error>", is_error=True)
    inner.use(2, "Bash", {"command": "ls"}, output=2)
    inner.result(2, CASCADE, is_error=True)
    for row in inner.rows:
        keys = ("type", "message", "requestId", "uuid", "timestamp", "toolUseResult")
        message = {key: row[key] for key in keys if key in row}
        data = {"type": "agent_progress", "agentId": "a1", "message": message, "prompt": "Read"}
        session.add("progress", data=data, toolUseID="agent_msg_1", parentToolUseID="toolu_x")
    beat = {"type": "bash_progress", "output": "ok", "fullOutput": "ok", "elapsedTimeSeconds": 2}
    session.add("progress", data=beat)
    session.add("progress", data={"type": "hook_progress", "hookEvent": "Stop", "command": "x"})
    session.result(1, "There is none.")
    session.call(2, text("No such file."))
    own = [{**row, "isSidechain": True, "agentId": "a1"} for row in inner.rows[:3]]
    for row in own:
        row["sessionId"] = session.session
    agent = b"\n".join(dump(row) for row in own) + b"\n"
    return {**one(session), f"{session.session}/subagents/agent-a1.jsonl": agent}


def workflow_agents() -> Files:
    """A subagent two folders deeper, with a journal beside it."""
    session = plain("workflow", "2.1.42")
    inner = Transcript("workflow-inner", "2.1.42")
    inner.session = session.session
    inner.say("Read b.go", isSidechain=True, agentId="b2")
    inner.call(1, text("Read."), isSidechain=True, agentId="b2")
    folder = f"{session.session}/subagents/workflows/wf_1"
    journal = b'{"event":"started","step":1}\n{"event":"done","step":1}\n'
    return {
        **one(session),
        f"{folder}/agent-b2.jsonl": inner.write(),
        f"{folder}/journal.jsonl": journal,
    }


def two_objects_on_one_line() -> Files:
    session = plain("two-objects")
    lines = session.lines()
    snapshot = {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}}
    lines[0] += dump(snapshot)
    lines[1] += lines.pop(2)
    lines[-1] += dump(summary("Tests that fail"))
    return one(session, b"\n".join(lines) + b"\n")


def cut_lines() -> Files:
    """A kill or a power loss: cut rows on lines of their own, and one at the end of the file."""
    session = plain("cut")
    lines = session.lines()
    lines[0:1] = [lines[0][:150], lines[0]]
    lines.insert(3, lines[-1][:-40])
    return one(session, b"\n".join(lines) + b"\n" + lines[1][:90])


def row_behind_a_cut_one() -> Files:
    """A whole row on the line of a cut one; the truth drops it, a reader may recover it."""
    session = plain("behind")
    session.say("Go on")
    session.call(3, text("Going on."))
    lines = session.lines()
    lines[-2] = lines[-2][:200] + lines[-1]
    del lines[-1]
    return one(session, b"\n".join(lines) + b"\n")


def cut_in_a_character() -> Files:
    """A last line that ends within a character of several bytes."""
    session = plain("cut-character")
    session.say("Grüße")
    data = session.write().rstrip(b"\n")
    return one(session, data[: data.index("ü".encode()) + 1])


def nul_bytes() -> Files:
    session = plain("nul")
    lines = session.lines()
    lines[1] = b"\0" * 64 + lines[1]
    lines.insert(2, b"\0" * 32)
    lines.insert(4, b'{"type":"user","mess\0\0\0\0\0')
    return one(session, b"\n".join(lines) + b"\0\0\0\n")


def blank_lines_and_no_end() -> Files:
    session = plain("blank")
    return one(session, b"\n\n" + b"\n\n \r\n".join(session.lines()))


def foreign_json() -> Files:
    """What another program writes, once over several lines and once on one."""
    message = {"id": "g1", "timestamp": "2026-01-20T10:00:00.000Z", "type": "user"}
    document = {"sessionId": "g", "messages": [{**message, "content": "Hello"}]}
    return {
        "foreign.jsonl": json.dumps(document, indent=2).encode(),
        "foreign-line.jsonl": json.dumps(document).encode() + b"\n",
    }


def summary_only() -> Files:
    return {"only-a-summary.jsonl": dump(summary("Nothing else")) + b"\n"}


def empty_file() -> Files:
    return {"empty.jsonl": b""}


def several_sessions_in_one_file() -> Files:
    first, second = plain("several-1"), plain("several-2")
    return one(first, first.write() + second.write())


def line_separators() -> Files:
    """U+2028, U+0085 and a lone surrogate inside of texts."""
    session = plain("separators")
    session.say("One line\u2028still the same\u0085and the same\u000cone")
    lines = session.lines()
    lines.append(lines[-1].replace(b"One line", b"Half \\ud83d of it"))
    lines[-1] = lines[-1].replace(session.rows[-1]["uuid"].encode(), b"separators-2")
    return one(session, b"\n".join(lines) + b"\n")


def no_objects() -> Files:
    session = plain("no-objects")
    odd = [b'"text"', b"[1, 2]", b"42", b"null", b"NaN", b"not json", b'{"no":"type"}', b"{}"]
    return one(session, b"\n".join([*session.lines(), *odd]) + b"\n")


def odd_values() -> Files:
    """Rows whose fields are missing, null or of another type."""
    session = plain("odd")
    session.call(3, text("x"))["message"]["usage"] = None
    session.call(4, text("x"))["message"].pop("id")
    session.call(5, text("x"))["message"]["content"] = None
    session.add("user", message={"role": "user"})
    session.add("user")
    session.add("assistant", message="text")
    session.add("system", subtype="from_the_future", content={"a": 1})
    session.add("from-the-future", content="x")
    session.say("No time and no uuid", timestamp=None, uuid=None)
    session.say("A number as uuid", uuid=12345)
    session.result(9, "The result of a tool that nobody used", is_error=True)
    session.say([{"type": "tool_result", "tool_use_id": "toolu_odd_list", "content": [text("a")]}])
    session.say([{"type": "tool_result", "tool_use_id": "toolu_odd_none", "content": None}])
    return one(session)


def blocks_in_rows_of_their_own() -> Files:
    """One message over four rows, without requestId, with usage that grows."""
    session = Transcript("blocks", "2.0.76")
    session.requests = False
    session.say("Look at both")
    session.call(1, {"type": "thinking", "thinking": "Hm.", "signature": ""}, output=1)
    session.call(1, text("I look."), output=1)
    session.use(1, "Read", {"file_path": "/home/dev/shop/a.go"}, output=1)
    other = {"type": "tool_use", "id": "toolu_blocks_other", "name": "Read", "input": {}}
    session.call(1, other, output=120)
    both = [session.result_block(1, "package shop"), session.result_block(2, "gone", True)]
    both[1]["tool_use_id"] = "toolu_blocks_other"
    session.say(both)
    session.call(2, text("One is gone."), output=30)
    return one(session)


def copies_in_two_files() -> Files:
    """A fork of older versions: same uuid and message.id, another session, nothing else."""
    first = plain("copies")
    copy = [{**row, "sessionId": "00000000-0000-4000-8000-000000000000"} for row in first.rows]
    later = Transcript("copies-later", "2.0.76")
    later.session = copy[0]["sessionId"]
    later.say("Something else")
    later.call(1, text("Else."))
    first.say("The first goes on")
    first.call(3, text("On."))
    data = b"\n".join(dump(row) for row in copy) + b"\n" + later.write()
    return {**one(first), f"{later.session}.jsonl": data}


def rewritten_history() -> Files:
    """All rows twice in one file, as after a compaction by another program."""
    session = plain("rewritten")
    return one(session, session.write() * 2)


def denials() -> Files:
    """2.1.x before toolDenialKind: all by the text, and quotes that are none."""
    session = Transcript("denials", "2.1.17")
    session.say("Change it")
    texts = (
        WITH_WORDS + "use a switch, please",
        STOP,
        "Exit code 137\n[Request interrupted by user for tool use]\nok",
        "Permission to use Bash with command rm -r x has been denied.",
        "Claude requested permissions to use Bash, but you haven't granted it yet.",
        CASCADE,
        "<tool_use_error>String to replace not found in file.\nString: a</tool_use_error>",
        "<tool_use_error>File has not been read yet. Read it first.</tool_use_error>",
    )
    for number, refused in enumerate(texts, 1):
        session.use(number, "Bash", {"command": f"echo {number}"})
        session.result(number, refused, is_error=True)
        if refused == STOP:
            session.say([text("[Request interrupted by user for tool use]")])
    session.say([text("[Request interrupted by user]")])
    session.use(20, "Bash", {"command": "cat notes.txt"})
    session.result(20, STOP)
    session.use(21, "Bash", {"command": "grep -r proceed ."})
    session.result(21, f"notes.txt: {WITH_WORDS}no, this is a quote", is_error=True)
    return one(session)


def prompts() -> Files:
    """What is a prompt and what is not: three are, and one text beside a result."""
    session = Transcript("prompts", "2.1.29")
    session.say("First")
    session.say("Hidden", isMeta=True)
    session.say("This session is being continued from a previous", isCompactSummary=True)
    for words in (
        "<command-name>/clear</command-name>",
        "<command-message>x</command-message>\n<command-name>/x</command-name>",
        "<local-command-stdout>out</local-command-stdout>",
        "<local-command-caveat>Caveat</local-command-caveat>",
        "<task-notification>done</task-notification>",
        "<system-reminder>note</system-reminder>",
        "<bash-input>ls</bash-input>",
        "<bash-stdout>a</bash-stdout><bash-stderr></bash-stderr>",
        "Caveat: The messages below were generated by the user",
        "Base directory for this skill: /home/dev/.claude/skills/x",
        "Stop hook feedback:\nNo, wrong",
        "Operation stopped by hook: x",
        "[Request interrupted by user]",
        "  \n ",
        "",
    ):
        session.say(words)
    session.say([text("<ide_opened_file>The user opened a.go</ide_opened_file>")])
    session.say([text("<ide_opened_file>The user opened a.go</ide_opened_file>"), text("Second")])
    session.say([{"type": "image", "source": {"type": "base64", "data": "aGk="}}])
    session.say("Third: no, not <command-name> in the middle")
    session.use(1, "Bash", {"command": "ls"})
    session.say([session.result_block(1, "a.go"), text("and the tests, please")])
    return one(session)


def placeholder_tokens() -> Files:
    """2.1.12 to 2.1.29: output tokens that count next to nothing, no stop_reason."""
    session = Transcript("placeholder", "2.1.17")
    session.say("Explain the cart")
    for number in range(1, 6):
        session.call(number, text("The cart sums the prices of what is in it. " * 40), output=1)
    return one(session)


def several_days() -> Files:
    """One session over three days, with a compaction and a short one."""
    session = plain("days", "2.1.14")
    for day in ("2026-01-21", "2026-01-22"):
        session.day = day
        session.say(f"Go on with {day}")
        session.call(len(session.rows), text("Going on."))
    meta = {"trigger": "auto", "preTokens": 155000}
    session.add("system", subtype="compact_boundary", content="x", compactMetadata=meta)
    session.add("system", subtype="microcompact_boundary", content="x")
    failure = session.call(90, text("API Error: 500"), isApiErrorMessage=True, output=0)
    failure["message"]["model"] = "<synthetic>"
    for cost in (0.5, 0.75):
        session.add("cost-state", totalCostUSD=cost, uuid=None)
    return one(session)


CASES: Final[tuple[Callable[[], Files], ...]] = (
    sidechain_in_the_main_file,
    agent_progress,
    workflow_agents,
    two_objects_on_one_line,
    cut_lines,
    row_behind_a_cut_one,
    cut_in_a_character,
    nul_bytes,
    blank_lines_and_no_end,
    foreign_json,
    summary_only,
    empty_file,
    several_sessions_in_one_file,
    line_separators,
    no_objects,
    odd_values,
    blocks_in_rows_of_their_own,
    copies_in_two_files,
    rewritten_history,
    denials,
    prompts,
    placeholder_tokens,
    several_days,
)


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for case in CASES:
        folder = FOLDER / case.__name__.replace("_", "-") / "projects" / "-home-dev-shop"
        for name, data in case().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


if __name__ == "__main__":
    main()

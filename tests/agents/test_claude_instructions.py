"""Instructions are read from a transcript, and a broken transcript is no error."""

import json
import os
from pathlib import Path

import pytest

from orchestrator.agents.claude_instructions import Instruction, read_instructions
from orchestrator.agents.transcripts import LONGEST_ROW, iter_rows
from orchestrator.models import AgentLimits, AgentOutcome
from tests.agents.claude import claude, say, steps, use, write


def rows(path: Path, *given: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(each)}\n" for each in given), encoding="utf-8")
    return path


def loaded(path: str, content: object) -> dict[str, object]:
    files = [{"path": path, "type": "Project", "content": content}]
    return {"type": "attachment", "attachment": {"type": "instructions", "files": files}}


def nested(path: str, content: object) -> dict[str, object]:
    attachment = {"type": "nested_memory", "path": path, "content": {"content": content}}
    return {"type": "attachment", "attachment": attachment}


def test_each_file_is_read_once_also_those_of_subagents(tmp_path: Path) -> None:
    main = rows(tmp_path / "id.jsonl", loaded("/p/CLAUDE.md", "a"), nested("/p/r.md", "b"))
    rows(
        tmp_path / "id" / "subagents" / "agent-1.jsonl",
        loaded("/p/CLAUDE.md", "a"),
        nested("/p/only-the-subagent.md", "c"),
    )
    assert read_instructions(main) == (
        Instruction("/p/CLAUDE.md", "a"),
        Instruction("/p/r.md", "b"),
        Instruction("/p/only-the-subagent.md", "c"),
    )


@pytest.mark.parametrize(
    "row",
    [
        {"type": "user", "message": {"content": '{"type": "instructions"} "instructions"'}},
        {"attachment": ["instructions"]},
        {"attachment": {"type": "instructions", "files": None}},
        {"attachment": {"type": "instructions", "files": ["x", {"path": 1, "content": "y"}]}},
        {"attachment": {"type": "nested_memory", "path": "p", "content": "no object"}},
        ["instructions"],
        "nested_memory",
    ],
)
def test_rows_of_another_shape_are_skipped(tmp_path: Path, row: object) -> None:
    main = rows(tmp_path / "id.jsonl", row, loaded("/p/CLAUDE.md", "a"))
    assert read_instructions(main) == (Instruction("/p/CLAUDE.md", "a"),)


def test_a_transcript_that_was_cut_or_is_missing_gives_what_there_is(tmp_path: Path) -> None:
    main = rows(tmp_path / "id.jsonl", loaded("/p/CLAUDE.md", "a"), nested("/p/r.md", "b"))
    whole = main.read_bytes()
    main.write_bytes(whole[:-20] + b"\xff")
    assert read_instructions(main) == (Instruction("/p/CLAUDE.md", "a"),)
    assert read_instructions(tmp_path / "none.jsonl") == ()
    assert read_instructions(tmp_path) == ()


def test_the_real_program_notes_what_it_sends(project: Path, home: Path) -> None:
    scoped = '---\npaths:\n  - "src/**"\n---\n\nOnly for sources.\n'
    write(
        project,
        {
            "CLAUDE.md": "# P\n\n<!-- kept to itself -->\n- always\n",
            ".claude/rules/all.md": "Everywhere.\n",
            ".claude/rules/sources.md": scoped,
            ".claude/rules/docs.md": scoped.replace("src", "docs"),
            "src/a.py": "x = 1\n",
        },
    )
    scenario = steps(use("Read", file_path=str(project / "src/a.py")), say("done"))
    with claude(scenario) as (agent, _):
        result = agent.run("go", project, AgentLimits(), lambda _event: None)
    assert result.outcome is AgentOutcome.COMPLETED
    assert result.transcript is not None
    sent = {Path(each.path).name: each.text for each in read_instructions(result.transcript)}
    assert sent.keys() == {"CLAUDE.md", "all.md", "sources.md"}
    assert "kept to itself" not in sent["CLAUDE.md"]
    assert "- always" in sent["CLAUDE.md"]
    assert sent["sources.md"].strip() == "Only for sources."


def test_hostile_transcript_is_read_in_bounded_time(tmp_path: Path) -> None:
    """Rows that cannot be parsed, or are endless, hide none of the others; a pipe is no file."""
    path = rows(tmp_path / "id.jsonl", loaded("/p/CLAUDE.md", "a"))
    with path.open("ab") as file:
        file.write(b'{"instructions": ' + b"[" * 100_000 + b"\n")
        file.write(b'{"instructions": ' + b"9" * 100_000 + b"}\n")
        file.write(b'{"instructions": "\xff' + b"x" * LONGEST_ROW + b'"}\n')
        file.write(json.dumps(nested("/p/r.md", "b")).encode() + b"\n")
    assert read_instructions(path) == (
        Instruction("/p/CLAUDE.md", "a"),
        Instruction("/p/r.md", "b"),
    )
    path.unlink()
    os.mkfifo(path)
    assert read_instructions(path) == ()


def test_transcript_that_grows_is_read_to_its_present_end(tmp_path: Path) -> None:
    """Claude Code, or the agent, may append rows faster than they are read."""
    path = rows(tmp_path / "id.jsonl", *({"at": number} for number in range(10)))
    with path.open("ab") as file:
        seen = []
        for row in iter_rows(path):
            seen.append(row)
            file.write(row)
            file.flush()
    assert len(seen) == 10

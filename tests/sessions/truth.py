"""Count what transcripts of Claude Code contain, independently of the project's own reader.

Only the standard library, simple and slow, nothing imported from the project: the tests compare
the reader with the numbers of this script. `python tests/sessions/truth.py FOLDER` prints JSON.

Longer than 350 lines: one script that depends on no other file

Definitions:

* Files: every `*.jsonl` below the folder, in the order of their relative paths. Bytes are split
  at line feeds only. Blanks and NUL bytes around a line are removed; what is empty then is a
  blank line.
* Line: one JSON value after another (`raw_decode`) until the first that cannot be decoded; the
  rest of such a line is dropped, and the line counts once in `unreadable_lines`, and if it is the
  last of a file without a final line feed, also in `unfinished_lines`: the program may be writing
  it. A value that is no object counts in `not_objects`. A file that is one JSON document over
  several lines is foreign: none of its lines count.
* Row: an object whose `type` is user, assistant, system, progress or cost-state, or an attachment
  of the type queued_command. All others are counted by type and not looked into, whatever they
  contain. A `progress` row of an agent (`data.type` agent_progress) stands for the message inside
  it, as a row of a subagent.
* Duplicate: a row whose `uuid` was seen; rows without uuid are all kept. Of copies in several
  sessions, one is kept: that of the session which another copy names in `requestSessionId`, or
  else the first in the order of files and lines.
* `sessions` holds the counts of the rows that were kept, by the `sessionId` of the row (the
  file's name if it has none); `alone` holds, for sessions that share rows with others, the counts
  of one session as if there were no other; `totals` holds the counts of all rows that were kept.
* Model call: a distinct `message.id` (`uuid` if it has none) of assistant rows, without the model
  `<synthetic>` and without `isApiErrorMessage`. Tokens: for each call the maximum of each field
  over its rows, summed over the calls. `subagent_tokens`: the part in calls of which any row is a
  sidechain.
* Tool call: a distinct id of a `tool_use` block. Tool result: a distinct `tool_use_id`; the first
  result counts. Error: its `is_error` is true. A cascade is an error that was caused by another
  call in the same message; it is not in `tool_errors`. Rejections are in `tool_errors`.
* Prompt: a user row without tool_result, isMeta, isCompactSummary, isSidechain, whose text has a
  part that does not begin with a prefix of the harness. `origin.kind`, if present, must be human;
  otherwise `promptSource`, if present, must not be system. It is typed unless `origin` is absent
  and `promptSource` is sdk, or both are absent and `entrypoint` begins with sdk.
* Interjection: what a person typed while the program worked; not a prompt. A user row with a
  tool_result, not isMeta, not isSidechain, that has beside it a text without a prefix of the
  harness; in 2.1.332 an attachment of the type queued_command, with `commandMode` prompt and
  `origin.kind` human, if it has them.
* Rejection: by fields first, by the beginning of the result's text where the fields are missing.
  `user_message`: a person refused and wrote why. `user_stop`: refused without a word.
  `interrupted`: stopped while the tool ran. The result says so, first or after its exit code (older
  versions), or it is that of `user_stop`, and a row names the call's message as interrupted, or the
  session is headless. `headless`: nobody
  was there to ask. `hook`, `rule`.
* Interruption: a user row without tool_result whose text begins with `[Request interrupted`.
  `interruptions_alone`: those whose previous user row of the session holds no rejection by a
  person and no interrupted result.
* Compaction: `system` rows with the subtype compact_boundary, microcompact_boundary apart.
* Cost: `totalCostUSD` of the last cost-state row of the session id, in the order of files and
  lines; null if there is none. A fork's cost contains the cost of what it was forked from, so
  `totals` has none, and neither has a fork whose copied rows count for another session.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

TYPES = ("user", "assistant", "system", "progress", "cost-state")
FIELDS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_creation": "cache_creation_input_tokens",
    "cache_read": "cache_read_input_tokens",
}
PREFIXES = (
    "<command-name>",
    "<command-message>",
    "<command-args>",
    "<local-command-",
    "<task-notification>",
    "<system-reminder>",
    "<bash-input>",
    "<bash-stdout>",
    "<bash-stderr>",
    "<ide_",
    "[Request interrupted",
    "Caveat: The messages below",
    "This session is being continued",
    "Base directory for this skill",
    "Stop hook feedback",
    "Operation stopped by hook",
    "<persisted-output>",
)
CASCADES = (
    "<tool_use_error>Sibling tool call errored",
    "<tool_use_error>Cancelled: parallel tool call",
)
BY_PERSON = ("user_message", "user_stop", "interrupted")


def refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def read_lines(data: bytes, found: Counter[str]) -> Iterator[Row]:
    """Yield the objects of a file; count what is none."""
    decoder = json.JSONDecoder(parse_constant=refuse)
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    before = 0
    for raw in lines:
        before = found["unreadable_lines"]
        text = raw.decode("utf-8", "replace").strip(" \t\r\0")
        if not text:
            found["blank_lines"] += 1
            continue
        while text:
            try:
                value, end = decoder.raw_decode(text)
            except ValueError:
                found["unreadable_lines"] += 1
                break
            if isinstance(value, dict):
                yield value
            else:
                found["not_objects"] += 1
            text = text[end:].lstrip(" \t\r\0")
    if lines and not data.endswith(b"\n"):
        found["unfinished_lines"] += found["unreadable_lines"] - before


def is_foreign(data: bytes) -> bool:
    """Return whether a file is one JSON document over several lines."""
    if data.strip().count(b"\n") == 0:
        return False
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def is_queued(row: Row) -> bool:
    """Return whether a row is what a person typed while the program worked, as 2.1.332 has it."""
    attachment = row.get("attachment")
    if row.get("type") != "attachment" or not isinstance(attachment, dict):
        return False
    return attachment.get("type") == "queued_command"


def unfold(row: Row) -> Row:
    """Return the row, or the row of a subagent inside an agent_progress."""
    data = row.get("data")
    if row.get("type") != "progress" or not isinstance(data, dict):
        return row
    inner = data.get("message")
    if data.get("type") != "agent_progress" or not isinstance(inner, dict):
        return row
    more = {"sessionId": row.get("sessionId"), "isSidechain": True, "outer": row.get("uuid")}
    return {**inner, **more}


def read_folder(folder: Path) -> tuple[list[Row], Counter[str], Counter[str], Row]:
    """Return all rows in order, what was found beside them, other rows, and files by kind."""
    rows: list[Row] = []
    found: Counter[str] = Counter()
    others: Counter[str] = Counter()
    foreign: list[str] = []
    bare: list[str] = []
    for path in sorted(folder.rglob("*.jsonl"), key=lambda p: p.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes()
        found["files"] += 1
        if is_foreign(data):
            foreign.append(name)
            continue
        before = len(rows)
        for value in read_lines(data, found):
            if value.get("type") in TYPES or is_queued(value):
                row = unfold(value)
                row.setdefault("sessionId", path.stem)
                row["sessionId"] = row["sessionId"] or path.stem
                rows.append(row)
            else:
                others[str(value.get("type"))] += 1
        if len(rows) == before:
            bare.append(name)
    return rows, found, others, {"foreign_files": foreign, "files_without_rows": bare}


def drop_copies(rows: list[Row]) -> list[Row]:
    """Return one row for each uuid."""
    named: dict[str, str] = {}
    for row in rows:
        if row.get("uuid") and row.get("requestSessionId"):
            named[row["uuid"]] = row["requestSessionId"]
    # Only assistant rows name the origin; what a session copied came from one session.
    origins: dict[str, str] = {}
    for row in rows:
        origin = named.get(row.get("uuid") or "")
        if origin and origin != row["sessionId"]:
            origins[row["sessionId"]] = origin
    groups: dict[object, list[Row]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row.get("uuid") or index, []).append(row)
    kept = []
    for group in groups.values():
        here = {row["sessionId"] for row in group}
        first = [row for row in group if origins.get(row["sessionId"]) not in here]
        kept.append((first or group)[0])
    return kept


def content_of(row: Row) -> list[Row]:
    message = row.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or [] if isinstance(block, dict)]


def text_of(block: Row) -> str:
    """Return the text of a tool_result."""
    content = block.get("content")
    if isinstance(content, str):
        return content.lstrip()
    parts = [part.get("text") or "" for part in content or [] if isinstance(part, dict)]
    return "\n".join(parts).lstrip()


def name_face(row: Row, block: Row) -> str | None:
    """Return the face of a rejection; None if the result is none."""
    text = re.sub(r"\AExit code \d+\n", "", text_of(block))
    kind = row.get("toolDenialKind")
    decision = row.get("permissionDecision")
    decision = decision if isinstance(decision, dict) else {}
    if text.startswith(("The user doesn't want to", "Permission for this tool use was denied")):
        by_text = "user_message" if "he user said:" in text else "user_stop"
    elif text.startswith("[Request interrupted by user"):
        by_text = "interrupted"
    elif text.startswith("Claude requested permissions"):
        by_text = "headless"
    elif text.startswith(("Permission to use", "<tool_use_error>Permission to use")):
        by_text = "rule"
    else:
        by_text = None
    if kind == "user-rejected" and decision.get("source") == "config":
        return "headless"
    if kind == "permission-rule" or (kind is None and decision.get("decision") == "reject"):
        return "hook" if decision.get("source") == "hook" else "rule"
    if by_text == "user_stop" and str(row.get("entrypoint")).startswith("sdk"):
        return "interrupted"
    if kind is not None:
        return by_text or "interrupted"
    return by_text if block.get("is_error") is True else None


def is_prompt(row: Row) -> bool:
    blocks = content_of(row)
    if row.get("type") != "user" or any(b.get("type") == "tool_result" for b in blocks):
        return False
    if row.get("isMeta") or row.get("isCompactSummary") or row.get("isSidechain"):
        return False
    origin = row.get("origin")
    if isinstance(origin, dict) and origin.get("kind"):
        if origin["kind"] != "human":
            return False
    elif row.get("promptSource") == "system":
        return False
    texts = [str(b.get("text") or "").strip() for b in blocks if b.get("type") == "text"]
    return any(text and not text.startswith(PREFIXES) for text in texts)


def is_interjection(row: Row) -> bool:
    if is_queued(row):
        attachment = row["attachment"]
        kind = (attachment.get("origin") or {}).get("kind", "human")
        mode = attachment.get("commandMode", "prompt")
        return kind == "human" and mode == "prompt" and not row.get("isSidechain")
    blocks = content_of(row)
    if row.get("type") != "user" or row.get("isMeta") or row.get("isSidechain"):
        return False
    texts = [str(b.get("text") or "").strip() for b in blocks if b.get("type") == "text"]
    has_result = any(b.get("type") == "tool_result" for b in blocks)
    return has_result and any(text and not text.startswith(PREFIXES) for text in texts)


def is_typed(row: Row) -> bool:
    origin = row.get("origin")
    if isinstance(origin, dict) and origin.get("kind"):
        return True
    if row.get("promptSource"):
        return bool(row["promptSource"] != "sdk")
    return not str(row.get("entrypoint") or "").startswith("sdk")


def count_calls(rows: list[Row]) -> Row:
    calls: dict[object, dict[str, int]] = {}
    inside = set()
    for row in rows:
        message = row.get("message")
        if row.get("type") != "assistant" or not isinstance(message, dict):
            continue
        if message.get("model") == "<synthetic>" or row.get("isApiErrorMessage"):
            continue
        key = message.get("id") or row.get("uuid")
        usage = message.get("usage") or {}
        call = calls.setdefault(key, dict.fromkeys(FIELDS, 0))
        for field, name in FIELDS.items():
            call[field] = max(call[field], usage.get(name) or 0)
        if row.get("isSidechain"):
            inside.add(key)
    tokens = {f: sum(call[f] for call in calls.values()) for f in FIELDS}
    below = {f: sum(calls[key][f] for key in inside) for f in FIELDS}
    return {
        "model_calls": len(calls),
        "subagent_calls": len(inside),
        "tokens": tokens,
        "subagent_tokens": below,
    }


def count_tools(rows: list[Row]) -> Row:
    uses: dict[object, Row] = {}
    results: dict[object, Row] = {}
    faces: Counter[str] = Counter()
    stopped = {row["interruptedMessageId"] for row in rows if row.get("interruptedMessageId")}
    errors = cascades = below = 0
    for row in rows:
        for block in content_of(row):
            if row.get("type") == "assistant" and block.get("type") == "tool_use":
                uses.setdefault(block.get("id"), row)
            if row.get("type") != "user" or block.get("type") != "tool_result":
                continue
            if block.get("tool_use_id") in results:
                continue
            results[block.get("tool_use_id")] = row
            if face := name_face(row, block):
                call = uses.get(block.get("tool_use_id"), {}).get("message", {})
                is_stopped = face == "user_stop" and call.get("id") in stopped
                faces["interrupted" if is_stopped else face] += 1
            if block.get("is_error") is True:
                if text_of(block).startswith(CASCADES):
                    cascades += 1
                else:
                    errors += 1
                    below += bool(row.get("isSidechain"))
    return {
        "tool_calls": len(uses),
        "subagent_tool_calls": sum(bool(row.get("isSidechain")) for row in uses.values()),
        "tool_results": len(results),
        "tool_errors": errors,
        "subagent_tool_errors": below,
        "cascades": cascades,
        "rejections": dict(sorted(faces.items())),
    }


def count_interruptions(rows: list[Row]) -> tuple[int, int]:
    """Return the number of interruptions, and of those that follow no rejection by a person."""
    number = alone = 0
    last: dict[str, bool] = {}
    for row in rows:
        if row.get("type") != "user" or row.get("isSidechain"):
            continue
        blocks = content_of(row)
        results = [block for block in blocks if block.get("type") == "tool_result"]
        texts = [str(b.get("text") or "").lstrip() for b in blocks if b.get("type") == "text"]
        if not results and any(text.startswith("[Request interrupted") for text in texts):
            number += 1
            alone += not last.get(row["sessionId"], False)
        faces = [name_face(row, block) for block in results]
        last[row["sessionId"]] = any(face in BY_PERSON for face in faces)
    return number, alone


def count(rows: list[Row]) -> Row:
    """Return the counts of rows without duplicates."""
    stamps = sorted(str(row["timestamp"]) for row in rows if row.get("timestamp"))
    systems = Counter(row.get("subtype") for row in rows if row.get("type") == "system")
    prompts = [row for row in rows if is_prompt(row)]
    words = [row for row in rows if is_interjection(row)]
    costs = [row.get("totalCostUSD") for row in rows if row.get("type") == "cost-state"]
    number, alone = count_interruptions(rows)
    return {
        "rows": len(rows),
        "first": stamps[0] if stamps else None,
        "last": stamps[-1] if stamps else None,
        "versions": sorted({row["version"] for row in rows if row.get("version")}),
        **count_calls(rows),
        **count_tools(rows),
        "prompts": len(prompts),
        "typed_prompts": sum(is_typed(row) for row in prompts),
        "interjections": len(words),
        "interruptions": number,
        "interruptions_alone": alone,
        "compactions": systems["compact_boundary"],
        "microcompactions": systems["microcompact_boundary"],
        "api_errors": sum(bool(row.get("isApiErrorMessage")) for row in rows),
        "cost": costs[-1] if costs else None,
    }


def main(folder: Path) -> None:
    rows, found, others, files = read_folder(folder)
    kept = drop_copies(rows)
    sessions = sorted({row["sessionId"] for row in rows})
    homes: dict[object, set[str]] = {}
    for row in rows:
        homes.setdefault(row.get("uuid"), set()).add(row["sessionId"])
    shared = {s for uuid, some in homes.items() if uuid and len(some) > 1 for s in some}

    def alone(session: str) -> Row:
        return count(drop_copies([row for row in rows if row["sessionId"] == session]))

    totals = count(kept)
    del totals["cost"]
    counted = {id(row) for row in kept}
    counts = {s: count([r for r in kept if r["sessionId"] == s]) for s in sessions}
    for row in rows:
        is_copy = row.get("requestSessionId") or row.get("forkedFrom")
        if is_copy and id(row) not in counted:
            counts[row["sessionId"]]["cost"] = None
    answer = {
        "files": found["files"],
        **files,
        "blank_lines": found["blank_lines"],
        "unreadable_lines": found["unreadable_lines"],
        "unfinished_lines": found["unfinished_lines"],
        "not_objects": found["not_objects"],
        "other_rows": dict(sorted(others.items())),
        "rows_with_copies": len(rows),
        "totals": totals,
        "sessions": counts,
        "alone": {session: alone(session) for session in sorted(shared)},
    }
    json.dump(answer, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

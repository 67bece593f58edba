"""Print sessions of Claude Code: as a table, one in full, as Markdown, as JSON.

All texts come from transcripts. They were masked before; what could change a terminal is replaced
here.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.tables import Column, iter_table_lines
from orchestrator.cli.values import format_dollars, format_tokens, sanitize_text, shorten_text
from orchestrator.counts import format_count, name_first
from orchestrator.masking.visible_text import escape_markdown, flatten_text

if TYPE_CHECKING:
    from orchestrator.sessions.store.listing import SessionSummary
    from orchestrator.sessions.views.searching import Match

Values = dict[str, Any]

_COLUMNS: Final = (
    Column("SESSION"),
    Column("STARTED"),
    Column("CLASS"),
    Column("PROMPTS", is_number=True),
    Column("TOOLS", is_number=True),
    Column("ERRORS", is_number=True),
    Column("TESTS"),
    Column("COST", is_number=True),
    Column("TITLE"),
)
_TITLE_SHOWN: Final = 100
_PROMPT_SHOWN: Final = 600
_LINE_SHOWN: Final = 110
"""Columns of a call of a tool, and of its error, where there is no terminal."""
_FEWEST_SHOWN: Final = 30
_MAIN_INPUTS: Final = ("command", "file_path", "notebook_path", "path", "pattern", "url", "query",
                       "skill", "description", "prompt")  # fmt: skip
"""The input that says most about a call, in this order."""


def iter_session_table(
    found: Sequence["SessionSummary"],
    short_ids: Mapping[str, str],
    width: int | None,
    *,
    with_project: bool,
) -> Iterator[str]:
    """Yield the lines of a table of sessions.

    Args:
        found: the sessions.
        short_ids: see `shorten_ids`; every command takes the beginning of an id.
        width: the columns of the terminal; None if the output is not a terminal.
        with_project: whether the project is shown before the title.
    """
    rows = [_build_row(each, short_ids[each.id], with_project) for each in found]
    yield from iter_table_lines(_COLUMNS, rows, width)


def _build_row(each: "SessionSummary", short_id: str, with_project: bool) -> tuple[object, ...]:
    title = textwrap.shorten(each.title, _TITLE_SHOWN, placeholder=" ...")
    return (
        short_id,
        _format_time(each.started, "%Y-%m-%d %H:%M"),
        each.kind,
        each.prompts,
        each.tool_calls,
        each.errors,
        each.tests,
        "" if each.cost_usd is None else format_dollars(each.cost_usd),
        f"{each.project or 'no folder'}: {title}" if with_project else title,
    )


def build_summary_values(each: "SessionSummary") -> Values:
    """Return what is stored of a session, as values for JSON."""
    values = each._asdict()
    values["class"] = values.pop("kind")
    return {"kind": "session", **values}


def iter_head_lines(each: "SessionSummary", origin: str = "") -> Iterator[str]:
    """Yield what is stored of a session, one fact per line."""
    heading = f"Session {flatten_text(each.id)}"
    yield heading
    yield "=" * len(heading)
    ended = _format_time(each.ended, "%Y-%m-%d %H:%M %Z")
    yield f"date     {_format_time(each.started, '%Y-%m-%d %H:%M')} to {ended}"
    for name, value in (
        ("project", each.project),
        ("folder", each.folder if each.folder != each.project else ""),
        ("title", each.title),
        ("class", each.kind),
        ("version", name_first(each.versions, 5)),
        ("model", name_first(each.models, 5)),
        ("counts", _describe_counts(each)),
        ("tests", _describe_tests(each)),
        ("tokens", _describe_tokens(each)),
        ("cost", _describe_cost(each)),
        ("source", origin),
    ):
        if value:
            yield f"{name:<8} {flatten_text(value)}"
    if each.paths:
        yield f"{format_count(len(each.paths), 'file')} changed:"
        yield from (f"    {flatten_text(path)}" for path in each.paths)


def _describe_tests(each: "SessionSummary") -> str:
    is_read = each.tests in ("red", "green")
    return f"{each.tests} (the last run that could be read)" if is_read else each.tests


def _describe_counts(each: "SessionSummary") -> str:
    counts = (
        (each.prompts, "prompt"),
        (each.tool_calls, "tool call"),
        (each.errors, "error"),
        (each.rejections, "rejection"),
        (each.interruptions, "interruption"),
        (each.corrections, "correction"),
    )
    return ", ".join(format_count(count, noun) for count, noun in counts if count)


def _describe_tokens(each: "SessionSummary") -> str:
    mark = "" if each.output_reliable else " (not reliable: this version wrote placeholders)"
    return (
        f"{format_tokens(each.input_tokens)} in, {format_tokens(each.output_tokens)} out{mark}, "
        f"{format_tokens(each.cache_read_tokens)} read from the cache, "
        f"{format_tokens(each.cache_write_tokens)} written to it"
    )


def _describe_cost(each: "SessionSummary") -> str:
    if each.cost_usd is not None:
        return format_dollars(each.cost_usd)
    return "not recorded by Claude Code, or not for this session alone"


def iter_entry_lines(
    entries: Iterable[Values], width: int | None = None, *, full: bool
) -> Iterator[str]:
    """Yield what happened in a session: prompts, and one line for each call of a tool.

    Args:
        entries: see `transcript_values`.
        width: the columns of the terminal; None if the output is not a terminal.
        full: whether replies, results and whole texts are shown, too.
    """
    columns = width or _LINE_SHOWN
    for entry in entries:
        time = _format_time(entry["at"], "%H:%M")
        agent = f"({sanitize_text(entry['agent'])}) " if entry["agent"] else ""
        label = f"{time}  {agent}"
        match entry["kind"]:
            case "prompt" | "interjection":
                yield ""
                text = entry["text"] if full else shorten_text(entry["text"], _PROMPT_SHOWN)
                mark = "> " if entry["kind"] == "prompt" else "(while it worked) > "
                yield from _iter_text(f"{label}{mark}", text)
            case "tool call":
                yield from _iter_call(label, entry, columns, full=full)
            case "reply" if full:
                yield from _iter_text(label, entry["text"])
            case "interruption":
                yield f"{label}interrupted by the user"
            case "compaction":
                trigger = f" ({sanitize_text(entry['trigger'])})" if entry["trigger"] else ""
                yield f"{label}context compacted{trigger}"
            case "api failure":
                yield _fit_line(f"{label}the API failed: ", entry["text"], columns)


def _iter_text(label: str, text: str, rest: str | None = None) -> Iterator[str]:
    """Yield the lines of a text; the label of the first line, or `rest`, is before the others."""
    for line in sanitize_text(text).strip().splitlines() or [""]:
        yield f"{label}{line}".rstrip()
        label = " " * len(label) if rest is None else rest


def _iter_call(label: str, entry: Values, columns: int, *, full: bool) -> Iterator[str]:
    text = f"{entry['tool']}: {_describe_input(entry['input'])}"
    indent = " " * len(label)
    if full:
        yield from _iter_text(label, text)
    else:
        yield _fit_line(label, text, columns)
    if entry["denial"]:
        words = f": {entry['user_message']}" if entry["user_message"] else ""
        yield _fit_line(f"{indent}denied, ", f"{entry['denial']}{words}", columns)
    elif entry["result"] is None:
        yield f"{indent}no result: the session ended before"
    elif entry["is_error"]:
        yield _fit_line(f"{indent}error: ", _find_error_line(entry["result"]), columns)
    if full and entry["result"]:
        yield from _iter_text(f"{indent}| ", entry["result"], f"{indent}| ")


def _fit_line(label: str, text: str, columns: int) -> str:
    """Return one line that fits, with the beginning of a text."""
    room = max(columns - len(label), _FEWEST_SHOWN)
    line = " ".join(sanitize_text(text[: 10 * columns]).split())
    return f"{label}{line if len(line) <= room else f'{line[: room - 4]} ...'}"


def _describe_input(value: Any) -> str:  # noqa: ANN401 -- any JSON
    if isinstance(value, dict):
        for name in _MAIN_INPUTS:
            if isinstance(found := value.get(name), str) and found:
                return found
    return json.dumps(value, ensure_ascii=False) if value else ""


def _find_error_line(result: str) -> str:
    lines = [line.strip() for line in result.splitlines() if line.strip()]
    first = next((line for line in lines if not re.fullmatch(r"Exit code \d+", line)), "")
    return first.replace("<tool_use_error>", "").replace("</tool_use_error>", "") or " ".join(lines)


def iter_markdown_lines(each: "SessionSummary", entries: Iterable[Values]) -> Iterator[str]:
    """Yield a session as Markdown; texts are in fences, so that none of them is Markdown."""
    yield f"# Session {escape_markdown(each.id)}"
    yield ""
    head = list(iter_head_lines(each))[2:]
    yield from _iter_fenced("\n".join(head))
    for entry in entries:
        at = _format_time(entry["at"], "%Y-%m-%d %H:%M:%S")
        agent = f", agent {escape_markdown(entry['agent'])}" if entry["agent"] else ""
        kind = entry["kind"].capitalize()
        yield f"## {kind} {escape_markdown(entry.get('tool', ''))}".rstrip()
        yield ""
        yield f"{at}{agent}"
        yield ""
        if entry["kind"] == "tool call":
            yield from _iter_fenced(json.dumps(entry["input"], ensure_ascii=False, indent=2))
            yield from _iter_outcome(entry)
        elif text := entry.get("text") or entry.get("trigger"):
            yield from _iter_fenced(text)


def _iter_outcome(entry: Values) -> Iterator[str]:
    if entry["denial"]:
        yield f"Denied: {escape_markdown(entry['denial'])}"
        yield ""
    if entry["user_message"]:
        yield from _iter_fenced(entry["user_message"])
    elif entry["result"] is None:
        yield "No result."
        yield ""
    else:
        yield "Error:" if entry["is_error"] else "Result:"
        yield ""
        yield from _iter_fenced(entry["result"])


def _iter_fenced(text: str) -> Iterator[str]:
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence
    yield from sanitize_text(text).splitlines()
    yield fence
    yield ""


def iter_json_lines(each: "SessionSummary", entries: Iterable[Values]) -> Iterator[str]:
    """Yield a JSON object for a session, and one for each thing that happened in it."""
    yield json.dumps(build_summary_values(each))
    for entry in entries:
        yield json.dumps({**entry, "session": each.id})


def format_match(match: "Match", short_id: str) -> str:
    """Return a line that was found, with its session and date."""
    line = " ".join(sanitize_text(match.line).split())
    kind = sanitize_text(match.kind)
    at = _format_time(match.at, "%Y-%m-%d")
    return f"{sanitize_text(short_id)}  {at}  {kind}: {line}"


def format_match_json(match: "Match") -> str:
    """Return a line that was found as a JSON object."""
    return json.dumps(match._asdict())


def _format_time(text: str, form: str) -> str:
    """Return a time of a transcript in the local zone; as it is if it cannot be read."""
    try:
        return f"{datetime.fromisoformat(text).astimezone():{form}}"
    except (ValueError, OverflowError):
        return sanitize_text(text[:30])

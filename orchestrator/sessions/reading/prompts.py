"""Decide which rows hold what a person typed."""

from typing import Final

from orchestrator.sessions.reading.rows import Attachment, Row

INJECTED: Final = (
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
"""Starts of texts that Claude Code puts in the place of a prompt."""

INTERRUPTED: Final = "[Request interrupted"


def is_prompt(row: Row) -> bool:
    """Return whether a row holds a prompt, of a person or of a program that stands for one."""
    if row.isMeta or row.isCompactSummary or row.isSidechain or has_result(row):
        return False
    if row.origin is not None and row.origin.kind:
        if row.origin.kind != "human":
            return False
    elif row.promptSource == "system":
        return False
    return any(list_typed_texts(row))


def is_typed(row: Row) -> bool:
    """Return whether a person typed the prompt of a row: the row's own words count first."""
    if not is_prompt(row):
        return False
    if row.origin is not None and row.origin.kind:
        return True
    if row.promptSource:
        return row.promptSource != "sdk"
    return not (row.entrypoint or "").startswith("sdk")


def has_result(row: Row) -> bool:
    """Return whether a row holds the result of a tool."""
    content = row.message.content if row.message else None
    return isinstance(content, list) and any(each.type == "tool_result" for each in content)


def list_texts(row: Row) -> list[str]:
    """Return the texts of a row, without results."""
    content = row.message.content if row.message else None
    if isinstance(content, str):
        return [content]
    return [each.text for each in content or () if each.type == "text"]


def list_typed_texts(row: Row) -> list[str]:
    """Return the texts of a row that Claude Code has not put there."""
    return _leave_out_injected(list_texts(row))


def list_queued_texts(attachment: Attachment) -> list[str]:
    """Return what a person typed while the model worked, in a message of its own."""
    is_injected = attachment.isMeta or attachment.commandMode not in (None, "prompt")
    if is_injected or (attachment.origin and attachment.origin.kind not in ("", "human")):
        return []
    prompt = attachment.prompt
    texts = [prompt] if isinstance(prompt, str) else [part.text for part in prompt or ()]
    return _leave_out_injected(texts)


def _leave_out_injected(texts: list[str]) -> list[str]:
    stripped = (text.strip() for text in texts)
    return [text for text in stripped if text and not text.startswith(INJECTED)]

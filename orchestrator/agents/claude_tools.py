"""Read how Claude Code's tool calls ended."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator.agents.wording import format_one_line

_TAGS: Final = re.compile(r"</?tool_use_error>")


def iter_refused_calls(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of the calls that were not executed, according to a message.

    The message has them next to the result for the model, whether permission rules, the mode or a
    hook refused (2.1.329). The SDK's message objects lack this field:

        {"type": "user", "tool_result_meta": [
            {"id": "toolu_1", "permission_decision": {"decision": "reject", "source": "hook"}}]}
    """
    results = message.get("tool_result_meta")
    for result in results if isinstance(results, list) else ():
        match result:
            case {"id": str(id_), "permission_decision": {"decision": "reject"}}:
                yield id_


def describe_error(content: object) -> str:
    """Return the text of a tool's result, on one line."""
    if not isinstance(content, str):
        found = content if isinstance(content, list) else ()
        blocks = (block for block in found if isinstance(block, dict))
        content = "\n".join(str(block.get("text") or "") for block in blocks)
    return format_one_line(_TAGS.sub("", content))

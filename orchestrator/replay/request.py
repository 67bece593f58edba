"""A request to the Messages API, and what the conditions of a scenario check in it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from orchestrator.replay.scenario import Speaker

ANSWER_TOOL: Final = "StructuredOutput"
"""The tool by which Claude Code has a model answer in the form of a schema."""
_NO_REAL_TOOLS: Final = frozenset({ANSWER_TOOL, "DeferredToolPlaceholder"})

_CWD: Final = re.compile(r"^[ -]*(?:Primary w|W)orking directory: (.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class RecordedRequest:
    """One `POST /v1/messages` as it arrived, and the answer that it got."""

    body: Mapping[str, Any]
    """The complete JSON of the request."""
    number: int = 0
    """Counts from 1 in the order of arrival."""
    user_agent: str = ""
    answer: str = ""
    """The answer that it got, as `Scenario.label_answer` names it; empty when none fitted."""
    mismatch: str = ""
    """Why it got none, with the closest answers; empty when one fitted."""

    @property
    def model(self) -> str:
        """The requested model."""
        return str(self.body.get("model", ""))

    @property
    def is_streaming(self) -> bool:
        """Whether the client wants server-sent events."""
        return self.body.get("stream") is True

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools on offer."""
        return tuple(str(tool.get("name", "")) for tool in _filter_mappings(self.body.get("tools")))

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema that structured output must follow, if any was given."""
        value: object = self.body
        for key in ("output_config", "format", "schema"):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value if isinstance(value, Mapping) else None

    @property
    def answers_by_tool(self) -> bool:
        """Whether structured output is to be the input of a tool, as Claude Code asks for it."""
        return ANSWER_TOOL in self.tools

    @property
    def speaker(self) -> Speaker:
        """The sender, as far as the request shows it.

        A teacher that asks through Claude Code offers no tool but the one for its answer. Claude
        Code's own housekeeping (titles, summaries of fetched pages) offers no tools, and
        checks of a key or quota, by it and by other programs, ask for a single token.
        """
        if self.answers_by_tool and _NO_REAL_TOOLS.issuperset(self.tools):
            return Speaker.TEACHER
        if self.tools:
            return Speaker.AGENT
        if self.user_agent.startswith("claude-cli/") or self.body.get("max_tokens") == 1:
            return Speaker.SIDE
        return Speaker.TEACHER

    @cached_property
    def step(self) -> int:
        """The number of assistant turns with tool calls in the conversation so far."""
        return sum(
            message.get("role") == "assistant"
            and any(
                block.get("type") == "tool_use"
                for block in _filter_mappings(message.get("content"))
            )
            for message in self._messages
        )

    @cached_property
    def text(self) -> str:
        """All text of the request: system prompt and messages, tool calls and results included."""
        parts = [*_iter_texts(self.body.get("system"))]
        for message in self._messages:
            parts.extend(_iter_texts(message.get("content")))
        return "\n".join(parts)

    @cached_property
    def last_text(self) -> str:
        """The text of the last user message: the tool results, or the prompt."""
        for message in reversed(self._messages):
            if message.get("role") == "user":
                return "\n".join(_iter_texts(message.get("content")))
        return ""

    @cached_property
    def flat_text(self) -> str:
        """`text` with each run of white space as one space."""
        return collapse_whitespace(self.text)

    @cached_property
    def flat_last_text(self) -> str:
        """`last_text` with each run of white space as one space."""
        return collapse_whitespace(self.last_text)

    @cached_property
    def cwd(self) -> str | None:
        """The agent's working directory, as Claude Code states it to the model; None without one.

        Claude Code 2.1.329 sends its environment as a message with the role `system`, not in the
        system prompt. User messages are not searched: a file or a prompt may hold such a line.
        """
        texts = [*_iter_texts(self.body.get("system"))]
        for message in self._messages:
            if message.get("role") == "system":
                texts.extend(_iter_texts(message.get("content")))
        found = _CWD.search("\n".join(texts))
        return found[1] if found else None

    @property
    def variables(self) -> dict[str, str]:
        """Placeholder values that come from the request itself."""
        values = {"model": self.model}
        if self.cwd:
            values["cwd"] = self.cwd
        return values

    @property
    def summary(self) -> str:
        """A short description of the request: `agent, step 2, claude-opus-5-5, last text "..."`."""
        last = self.flat_last_text
        short = last if len(last) <= 120 else "..." + last[-117:]
        return f'{self.speaker}, step {self.step}, {self.model}, last text "{short}"'

    @property
    def _messages(self) -> list[Mapping[str, Any]]:
        return _filter_mappings(self.body.get("messages"))


def collapse_whitespace(text: str) -> str:
    """Return a text with each run of white space as one space."""
    return " ".join(text.split())


def _filter_mappings(value: object) -> list[Mapping[str, Any]]:
    """Return the JSON objects in what should be a list of them."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _iter_texts(content: object) -> Iterator[str]:
    """Yield the texts of a system prompt, of a message's content, or of one content block."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in content:
            yield from _iter_texts(block)
    elif isinstance(content, Mapping):
        if content.get("type") == "tool_use":
            yield from _iter_strings(content.get("input"))
        else:
            yield from _iter_texts(content.get("text"))
            yield from _iter_texts(content.get("content"))


def _iter_strings(value: object) -> Iterator[str]:
    """Yield every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _iter_strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _iter_strings(item)

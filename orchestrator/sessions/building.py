"""Build sessions from rows: threads, calls of tools with their results, answers of the model."""

from collections.abc import Callable, Iterable, Set
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.sessions import costs, denials, prompts
from orchestrator.sessions.classes import classify_session
from orchestrator.sessions.deduplication import KnownIds
from orchestrator.sessions.files import Family
from orchestrator.sessions.models import (
    ApiFailure,
    Compaction,
    Entry,
    Interruption,
    ModelCall,
    Prompt,
    Session,
    Thread,
    ToolCall,
)
from orchestrator.sessions.rows import Block, Message, Part, Row

_SYNTHETIC: Final = "<synthetic>"
_NO_INPUT: Final = msgspec.Raw(b"{}")


class _Draft:
    """What is known of a session so far."""

    def __init__(self, identifier: str) -> None:
        self.id = identifier
        self.folder = self.entrypoint = self.title = ""
        self.started = self.ended = ""
        self.versions: dict[str, None] = {}
        self.models: dict[str, None] = {}
        self.threads: dict[str, list[Entry]] = {}
        self.calls: list[ModelCall] = []
        self.prompts = self.typed = 0
        self.cost: float | None = None
        self.instructions: list[str] = []


class SessionBuilder:
    """Takes the rows of a family in order, and builds its sessions."""

    def __init__(self, family: Family, known: KnownIds, *, with_text: bool) -> None:
        self._family = family
        self._claim = known.claim
        self._with_text = with_text
        self._drafts: dict[str, _Draft] = {}
        self._calls: dict[str, ModelCall] = {}
        self._tools: dict[str, ToolCall] = {}
        self._agents: dict[str, str] = {}
        """The agent of each sidechain row: old rows name only their parent."""
        self._ids: list[str] = []
        self._agent_of_file = ""
        self._takers: dict[str, Callable[[Row], None]] = {
            "user": self._take_user,
            "assistant": self._take_assistant,
            "system": self._take_system,
            "progress": self._take_progress,
            "cost-state": self._take_cost,
            "summary": self._take_title,
            "custom-title": self._take_title,
            "ai-title": self._take_title,
        }

    def open_file(self, agent: str) -> list[str]:
        """Begin a file, of a subagent if there is one; return the list of the ids to come."""
        self._agent_of_file = agent
        self._ids = []
        return self._ids

    def take_row(self, row: Row) -> None:
        """Take the next row."""
        if taker := self._takers.get(row.type):
            taker(row)

    def build_sessions(self, own_ids: Set[str], own_folders: Iterable[Path]) -> list[Session]:
        """Return the sessions of all rows that were taken."""
        own = tuple(own_folders)
        return [
            self._build(draft, own_ids, own) for draft in self._drafts.values() if draft.started
        ]

    def _build(self, draft: _Draft, own_ids: Set[str], own_folders: tuple[Path, ...]) -> Session:
        family = self._family
        kind = classify_session(
            family,
            draft.id,
            draft.folder,
            typed=draft.typed,
            prompts=draft.prompts,
            entrypoint=draft.entrypoint,
            own_ids=own_ids,
            own_folders=own_folders,
        )
        return Session(
            id=draft.id,
            family=family.name,
            files=tuple(map(str, family.files)),
            kind=kind,
            folder=draft.folder,
            started=draft.started,
            ended=draft.ended,
            versions=tuple(draft.versions),
            models=tuple(draft.models),
            threads=[Thread(agent, entries) for agent, entries in draft.threads.items()],
            usage=costs.sum_usage(draft.calls),
            output_reliable=costs.is_output_reliable(draft.calls),
            cost_usd=draft.cost,
            title=draft.title,
            instructions=tuple(draft.instructions),
        )

    def _find_draft(self, row: Row) -> _Draft:
        name = row.sessionId or self._family.name
        draft = self._drafts.get(name)
        if draft is None:
            draft = self._drafts[name] = _Draft(name)
        return draft

    def _own(self, identifier: str) -> bool:
        """Return whether an id counts here; one that is known from before does not."""
        if self._claim(identifier):
            self._ids.append(identifier)
            return True
        return False

    def _open_row(self, row: Row) -> tuple[_Draft, str] | None:
        """Return the session and the agent of a row; None if it is a copy."""
        if row.uuid and not self._own(row.uuid):
            return None
        draft = self._find_draft(row)
        at = row.timestamp
        if at:
            if not draft.started or at < draft.started:
                draft.started = at
            draft.ended = max(draft.ended, at)
        if row.cwd and not draft.folder:
            draft.folder = row.cwd
        if row.version:
            draft.versions[row.version] = None
        if row.entrypoint and not draft.entrypoint:
            draft.entrypoint = row.entrypoint
        return draft, self._find_agent(row)

    def _find_agent(self, row: Row) -> str:
        if not row.isSidechain and not self._agent_of_file:
            return ""
        agent = row.agentId or self._agent_of_file
        if not agent:
            agent = self._agents.get(row.parentUuid or "", row.uuid)
            self._agents[row.uuid] = agent
        return agent

    def _take_user(self, row: Row) -> None:
        if opened := self._open_row(row):
            draft, agent = opened
            self._take_user_message(row, row.message, draft, agent)

    def _take_user_message(
        self, row: Row, message: Message | None, draft: _Draft, agent: str
    ) -> None:
        content = message.content if message else None
        if isinstance(content, list):
            has_result = False
            for block in content:
                if block.type == "tool_result":
                    has_result = True
                    self._take_result(row, block)
            if has_result:
                return
        if agent:
            return
        if prompts.is_prompt(row):
            text = "\n".join(prompts.list_typed_texts(row))
            draft.threads.setdefault("", []).append(Prompt(text, row.timestamp, row.uuid))
            draft.prompts += 1
            draft.typed += prompts.is_typed(row)
        elif any(text.lstrip().startswith(prompts.INTERRUPTED) for text in prompts.list_texts(row)):
            draft.threads.setdefault("", []).append(Interruption(row.timestamp, row.uuid))

    def _take_result(self, row: Row, block: Block) -> None:
        call = self._tools.get(block.tool_use_id)
        if call is None or call.result is not None:
            return
        text = _join_parts(block.content)
        call.result = text
        call.result_at = row.timestamp
        call.result_row = row.uuid
        call.is_error = bool(block.is_error)
        if call.is_error or row.toolDenialKind or row.permissionDecision:
            call.denial = denials.classify(row, text, call.is_error)
            if call.denial is denials.Denial.REJECTED:
                call.user_words = denials.read_user_words(row, text)

    def _take_assistant(self, row: Row) -> None:
        if opened := self._open_row(row):
            draft, agent = opened
            self._take_answer(row, row.message, draft, agent)

    def _take_answer(self, row: Row, message: Message | None, draft: _Draft, agent: str) -> None:
        if message is None:
            return
        entries = draft.threads.get(agent)
        if entries is None:
            entries = draft.threads[agent] = []
        if row.isApiErrorMessage or message.model == _SYNTHETIC:
            if row.isApiErrorMessage:
                text = "\n".join(prompts.list_texts(row))
                entries.append(ApiFailure(row.timestamp, row.uuid, text))
            return
        identifier = message.id or row.uuid
        call = self._find_call(identifier, row, message, draft, entries)
        content = message.content
        if isinstance(content, str):
            content = [Block("text", content)]
        characters = 0
        for block in content or ():
            kind = block.type
            if kind == "tool_use":
                characters += memoryview(block.input).nbytes
                if block.id and block.id in self._tools:
                    continue
                tool = ToolCall(
                    block.name, block.input or _NO_INPUT, row.timestamp, row.uuid, identifier
                )
                self._tools[block.id] = tool
                entries.append(tool)
            elif kind == "text":
                characters += len(block.text)
                if self._with_text and call is not None and block.text:
                    call.text = f"{call.text}\n{block.text}" if call.text else block.text
            elif kind == "thinking":
                characters += memoryview(block.thinking).nbytes
        if call is not None:
            call.characters += characters

    def _find_call(
        self, identifier: str, row: Row, message: Message, draft: _Draft, entries: list[Entry]
    ) -> ModelCall | None:
        """Return the answer that a row is part of; None if it counts for another file."""
        usage = costs.count_usage(message.usage)
        call = self._calls.get(identifier)
        if call is None:
            if message.id and not self._own(identifier):
                return None
            call = ModelCall(identifier, message.model or "", usage, row.timestamp, row.uuid)
            self._calls[identifier] = call
            entries.append(call)
            draft.calls.append(call)
            if message.model:
                draft.models[message.model] = None
        elif usage != call.usage:
            call.usage = costs.take_larger(call.usage, usage)
        if message.stop_reason:
            call.has_stop_reason = True
        return call

    def _take_system(self, row: Row) -> None:
        opened = self._open_row(row)
        if opened and row.subtype in ("compact_boundary", "microcompact_boundary"):
            draft, agent = opened
            trigger = row.compactMetadata.trigger if row.compactMetadata else ""
            entries = draft.threads.setdefault(agent, [])
            entries.append(Compaction(row.timestamp, row.uuid, trigger))

    def _take_progress(self, row: Row) -> None:
        data = row.data
        if data is None or data.type != "agent_progress" or data.message is None:
            return
        inner = data.message
        row.uuid = inner.uuid or row.uuid
        row.timestamp = inner.timestamp or row.timestamp
        row.message, row.isSidechain = inner.message, True
        row.isApiErrorMessage, row.agentId = inner.isApiErrorMessage, data.agentId
        if inner.type == "assistant":
            self._take_assistant(row)
        elif inner.type == "user":
            self._take_user(row)

    def _take_cost(self, row: Row) -> None:
        if row.totalCostUSD is not None:
            self._find_draft(row).cost = row.totalCostUSD

    def _take_title(self, row: Row) -> None:
        title = row.customTitle or row.aiTitle or row.summary
        if title and row.sessionId:
            self._find_draft(row).title = title


def _join_parts(content: str | list[Part] | None) -> str:
    """Return the text of a result."""
    if isinstance(content, list):
        return "\n".join(part.text for part in content if part.text)
    return content or ""

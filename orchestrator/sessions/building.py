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
    Denial,
    Entry,
    Interruption,
    ModelCall,
    Prompt,
    Session,
    Thread,
    ToolCall,
)
from orchestrator.sessions.rows import Block, Inner, Message, Part, Row

_SYNTHETIC: Final = "<synthetic>"
_TITLES: Final = ("summary", "custom-title", "ai-title")
_COMPACTIONS: Final = ("compact_boundary", "microcompact_boundary")
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
        self._version = ""

    @property
    def entries(self) -> list[Entry]:
        """The entries of the main conversation."""
        return self.threads.setdefault("", [])

    def note(self, row: Row) -> None:
        """Note when, where and by which version a row was written."""
        at = row.timestamp
        if at > self.ended:
            self.ended = at
        if at < self.started or not self.started:
            self.started = at or self.started
        if row.version != self._version:
            self._version = row.version
            self.versions[row.version] = None
        if not self.folder:
            self.folder = row.cwd
        if not self.entrypoint:
            self.entrypoint = row.entrypoint or ""


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
        self._draft = _Draft("")
        self._ids: list[str] = []
        self._agent_of_file = ""
        self._takers: dict[str, Callable[[Row, _Draft, str], None]] = {
            "user": self._take_user,
            "assistant": self._take_assistant,
            "system": self._take_system,
        }

    def open_file(self, agent: str) -> list[str]:
        """Begin a file, of a subagent if there is one; return the list of the ids to come."""
        self._agent_of_file = agent
        self._ids = []
        return self._ids

    def take_row(self, row: Row) -> None:
        """Take the next row."""
        kind = row.type
        if kind == "progress":
            if row.data is None or row.data.type != "agent_progress" or row.data.message is None:
                return
            kind = _unfold(row, row.data.agentId, row.data.message)
        take = self._takers.get(kind)
        if take is None:
            if kind in _TITLES:
                self._take_title(row)
            elif kind == "cost-state" and row.totalCostUSD is not None:
                self._find_draft(row.sessionId).cost = row.totalCostUSD
            return
        uuid = row.uuid
        if uuid:
            if not self._claim(uuid):
                return
            self._ids.append(uuid)
        draft = self._draft
        if row.sessionId != draft.id:
            draft = self._draft = self._find_draft(row.sessionId)
        draft.note(row)
        agent = self._find_agent(row) if row.isSidechain or self._agent_of_file else ""
        take(row, draft, agent)

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

    def _find_draft(self, name: str) -> _Draft:
        name = name or self._family.name
        draft = self._drafts.get(name)
        if draft is None:
            draft = self._drafts[name] = _Draft(name)
        return draft

    def _find_agent(self, row: Row) -> str:
        agent = row.agentId or self._agent_of_file
        if not agent:
            agent = self._agents.get(row.parentUuid or "", row.uuid)
            self._agents[row.uuid] = agent
        return agent

    def _take_user(self, row: Row, draft: _Draft, agent: str) -> None:
        content = row.message.content if row.message else None
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
            draft.entries.append(Prompt(text, row.timestamp, row.uuid))
            draft.prompts += 1
            draft.typed += prompts.is_typed(row)
        elif any(text.lstrip().startswith(prompts.INTERRUPTED) for text in prompts.list_texts(row)):
            draft.entries.append(Interruption(row.timestamp, row.uuid))

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
            if call.denial is Denial.REJECTED:
                call.user_words = denials.read_user_words(row, text)

    def _take_assistant(self, row: Row, draft: _Draft, agent: str) -> None:
        message = row.message
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
        call = self._calls.get(identifier)
        if call is None:
            call = self._open_call(identifier, row, message, draft)
            if call is not None:
                entries.append(call)
        elif message.usage is not None:
            call.usage = costs.take_larger(call.usage, message.usage)
        characters = self._take_blocks(row, message.content, identifier, entries)
        if call is None:
            return
        call.characters += characters
        if message.stop_reason:
            call.has_stop_reason = True
        if self._with_text:
            texts = [call.text, *prompts.list_texts(row)]
            call.text = "\n".join(text for text in texts if text)

    def _open_call(
        self, identifier: str, row: Row, message: Message, draft: _Draft
    ) -> ModelCall | None:
        """Return a new answer; None if it counts for another file."""
        if message.id:
            if not self._claim(identifier):
                return None
            self._ids.append(identifier)
        usage = costs.count_usage(message.usage)
        call = ModelCall(identifier, message.model or "", usage, row.timestamp, row.uuid)
        self._calls[identifier] = call
        draft.calls.append(call)
        if message.model:
            draft.models[message.model] = None
        return call

    def _take_blocks(
        self, row: Row, content: str | list[Block] | None, identifier: str, entries: list[Entry]
    ) -> int:
        """Take the calls of tools in an answer; return the number of its characters."""
        if content is None or isinstance(content, str):
            return len(content or "")
        characters = 0
        for block in content:
            if block.type == "tool_use":
                characters += memoryview(block.input).nbytes
                if block.id not in self._tools:
                    tool = ToolCall(
                        block.name, block.input or _NO_INPUT, row.timestamp, row.uuid, identifier
                    )
                    self._tools[block.id] = tool
                    entries.append(tool)
            elif block.type == "text":
                characters += len(block.text)
            elif block.type == "thinking":
                characters += memoryview(block.thinking).nbytes
        return characters

    def _take_system(self, row: Row, draft: _Draft, agent: str) -> None:
        if row.subtype in _COMPACTIONS:
            trigger = row.compactMetadata.trigger if row.compactMetadata else ""
            entries = draft.threads.setdefault(agent, [])
            entries.append(Compaction(row.timestamp, row.uuid, trigger))

    def _take_title(self, row: Row) -> None:
        title = row.customTitle or row.aiTitle or row.summary
        if title and row.sessionId:
            self._find_draft(row.sessionId).title = title


def _unfold(row: Row, agent: str, inner: Inner) -> str:
    """Make of a parent's row the row of its subagent that is inside; return its type."""
    row.uuid = inner.uuid or row.uuid
    row.timestamp = inner.timestamp or row.timestamp
    row.message, row.isSidechain = inner.message, True
    row.isApiErrorMessage, row.agentId = inner.isApiErrorMessage, agent
    return inner.type


def _join_parts(content: str | list[Part] | None) -> str:
    """Return the text of a result."""
    if isinstance(content, list):
        return "\n".join(part.text for part in content if part.text)
    return content or ""

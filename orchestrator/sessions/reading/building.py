"""Build sessions from rows: threads, calls of tools with their results, answers of the model."""

from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.sessions.models import (
    ApiFailure,
    Compaction,
    Denial,
    Entry,
    Interjection,
    Interruption,
    ModelCall,
    Prompt,
    Session,
    ToolCall,
)
from orchestrator.sessions.reading import costs, denials, prompts
from orchestrator.sessions.reading.deduplication import KnownIds
from orchestrator.sessions.reading.drafts import SessionDraft
from orchestrator.sessions.reading.files import Family
from orchestrator.sessions.reading.large_outputs import MARK, read_large_output
from orchestrator.sessions.reading.rows import (
    INSTRUCTIONS,
    Block,
    Message,
    Part,
    Row,
    list_instructions,
    unfold_row,
)
from orchestrator.storage.database import normalize_text

_SYNTHETIC: Final = "<synthetic>"
_COMPACTIONS: Final = ("compact_boundary", "microcompact_boundary")
_NO_INPUT: Final = msgspec.Raw(b"{}")


class SessionBuilder:
    """Takes the rows of a family in order, and builds its sessions.

    Args:
        family: its files.
        known: the ids that count for other files; those of this family are added.
        is_own: whether a session is our own: what was copied from it is left out, since the
            transcript that it was copied from may be gone, and unknown.
        with_text: whether to keep what the model said.
    """

    def __init__(
        self, family: Family, known: KnownIds, is_own: Callable[[str], bool], *, with_text: bool
    ) -> None:
        self._is_own = is_own
        self._family = family
        self._known = known.ids
        self._with_text = with_text
        self.origins: set[str] = set()
        """The sessions that rows say to be copied from; the own one may be among them."""
        self.untimed = 0
        """The number of sessions in whose rows there is no time."""
        self._sharing: set[str] = set()
        """The sessions whose cost, a running total, includes that of the one they were forked from.
        """
        self._drafts: dict[str, SessionDraft] = {}
        self._calls: dict[str, ModelCall] = {}
        self._tools: dict[str, ToolCall] = {}
        self._agents: dict[str, str] = {}
        """The agent of each sidechain row: old rows name only their parent."""
        self._summaries: dict[str, str] = {}
        self._draft = SessionDraft("")
        self._ids: list[str] = []
        self._agent_of_file = ""

    def open_file(self, agent: str) -> list[str]:
        """Begin a file, of a subagent if there is one; return the list of the ids to come."""
        self._agent_of_file = agent
        self._ids = []
        return self._ids

    def take_row(self, row: Row) -> None:
        """Take the next row; a copy of a row that is known changes nothing."""
        kind = row.type
        if kind == "progress":
            if row.data is None or row.data.type != "agent_progress" or row.data.message is None:
                return
            kind = unfold_row(row, row.data.agentId, row.data.message)
        take = _TAKERS.get(kind)
        if take is None:
            self._take_about_session(row)
            return
        uuid, origin = row.uuid, row.requestSessionId
        if row.forkedFrom is not None:
            uuid, origin = row.forkedFrom.messageUuid, row.forkedFrom.sessionId
            self.origins.add(origin)
            # By its own id it is named in a fork of this fork.
            if row.uuid and row.uuid != uuid and not self._is_new(row.uuid):
                self._sharing.add(row.sessionId)
                return
        if origin and origin != row.sessionId and self._is_own(origin):
            self._sharing.add(row.sessionId)
            return
        if uuid:
            known = self._known
            if uuid in known:
                if origin:
                    self._sharing.add(row.sessionId)
                return
            known.add(uuid)
            self._ids.append(uuid)
        draft = self._draft
        if row.sessionId != draft.id:
            draft = self._draft = self._find_draft(row.sessionId)
        draft.note(row)
        agent = self._find_agent(row) if row.isSidechain or self._agent_of_file else ""
        take(self, row, draft, agent)

    def build_sessions(self, own_ids: Set[str], own_folders: Sequence[Path]) -> list[Session]:
        """Return the sessions of all rows that were taken, without those that have no time."""
        drafts = [draft for draft in self._drafts.values() if draft.started]
        self.untimed = sum(each.has_rows and not each.started for each in self._drafts.values())
        for name in self._sharing:
            self._find_draft(name).cost = None
        self._name_by_summaries()
        return [draft.build(self._family, own_ids, own_folders) for draft in drafts]

    def _name_by_summaries(self) -> None:
        """Name sessions without a title by summaries of their rows: files hold others' too."""
        if not self._summaries:
            return
        for draft in self._drafts.values():
            rows = {entry.row for entries in draft.threads.values() for entry in entries}
            found = [text for leaf, text in self._summaries.items() if leaf in rows]
            draft.title = draft.title or (found[-1] if found else "")

    def _take_about_session(self, row: Row) -> None:
        """Take a row that says something about the session: its cost, its name, what it loaded."""
        kind = row.type
        if kind == "attachment" and row.attachment is not None:
            draft = self._find_draft(row.sessionId)
            if row.attachment.type in INSTRUCTIONS:
                draft.instructions.update(dict.fromkeys(list_instructions(row.attachment)))
            elif row.attachment.type == "queued_command" and self._is_new(row.uuid):
                draft.correct_time(row)
                self._take_interjection(row, prompts.list_queued_texts(row.attachment), draft)
        elif kind == "cost-state" and (cost := costs.check_cost(row.totalCostUSD)) is not None:
            self._find_draft(row.sessionId).cost = cost
        elif row.sessionId and (title := row.customTitle or row.aiTitle):
            self._find_draft(row.sessionId).title = title
        elif kind == "summary" and row.summary and row.leafUuid:
            self._summaries[row.leafUuid] = row.summary

    def _is_new(self, identifier: str) -> bool:
        if identifier in self._known:
            return False
        self._known.add(identifier)
        self._ids.append(identifier)
        return True

    def _find_draft(self, name: str) -> SessionDraft:
        # As it is stored: two names that are the same in the database are one session.
        name = normalize_text(name) or normalize_text(self._family.name)
        draft = self._drafts.get(name)
        if draft is None:
            draft = self._drafts[name] = SessionDraft(name)
        return draft

    def _find_agent(self, row: Row) -> str:
        agent = row.agentId or self._agent_of_file
        if not agent:
            agent = self._agents.get(row.parentUuid or "", row.uuid)
            self._agents[row.uuid] = agent
        return agent

    def _take_user(self, row: Row, draft: SessionDraft, agent: str) -> None:
        content = row.message.content if row.message else None
        if isinstance(content, list):
            results = [block for block in content if block.type == "tool_result"]
            for block in results:
                self._take_result(row, block)
            if results:
                if len(content) > 1 and not agent and not row.isMeta:
                    self._take_interjection(row, prompts.list_typed_texts(row), draft)
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
            self._note_interrupted_calls(row.interruptedMessageId)

    def _note_interrupted_calls(self, message: str | None) -> None:
        """Note that calls were stopped while they ran: their results read as if refused."""
        for call in self._tools.values() if message else ():
            refused = call.denial is Denial.REJECTED and not call.user_message
            if call.message == message and refused:
                call.denial = Denial.INTERRUPTED

    def _take_interjection(self, row: Row, texts: Sequence[str], draft: SessionDraft) -> None:
        if texts:
            draft.entries.append(Interjection("\n".join(texts), row.timestamp, row.uuid))

    def _take_result(self, row: Row, block: Block) -> None:
        call = self._tools.get(block.tool_use_id)
        if call is None or call.result is not None:
            return
        content = block.content
        text = content if isinstance(content, str) else _join_parts(content)
        if text.startswith(MARK):
            text = read_large_output(text, self._list_output_folders(row))
        call.result = text
        call.result_at = row.timestamp
        call.result_row = row.uuid
        if block.is_error or row.toolDenialKind or row.permissionDecision:
            call.is_error = bool(block.is_error)
            call.denial = denials.classify(row, text, call.is_error)
            if call.denial is Denial.REJECTED:
                call.user_message = denials.read_user_message(row, text, call.name)

    def _list_output_folders(self, row: Row) -> list[Path]:
        folder = Path(self._family.key).parent
        names = dict.fromkeys((self._family.name, Path(row.sessionId).name))
        return [folder / name for name in names if name]

    def _take_assistant(self, row: Row, draft: SessionDraft, agent: str) -> None:
        message = row.message
        if message is None:
            return
        entries = draft.threads.get(agent)
        if entries is None:
            entries = draft.threads[agent] = []
        if row.requestSessionId:
            self.origins.add(row.requestSessionId)
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
        elif (counts := message.usage) is not None and not costs.is_same(counts, call.usage):
            call.usage = costs.take_larger(call.usage, counts)
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
        self, identifier: str, row: Row, message: Message, draft: SessionDraft
    ) -> ModelCall | None:
        """Return a new answer; None if it counts for another file."""
        if message.id and not self._is_new(identifier):
            return None
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
            kind = block.type
            if kind == "tool_use":
                given = block.input or _NO_INPUT
                characters += memoryview(given).nbytes
                if block.id not in self._tools:
                    tool = ToolCall(block.name, given, row.timestamp, row.uuid, identifier)
                    self._tools[block.id] = tool
                    entries.append(tool)
            elif kind == "text":
                characters += len(block.text)
            elif kind == "thinking":
                characters += memoryview(block.thinking).nbytes
        return characters

    def _take_system(self, row: Row, draft: SessionDraft, agent: str) -> None:
        if row.subtype in _COMPACTIONS:
            trigger = row.compactMetadata.trigger if row.compactMetadata else ""
            entries = draft.threads.setdefault(agent, [])
            entries.append(Compaction(row.timestamp, row.uuid, trigger))


# Not bound to a builder: a cycle would hold the texts of many families until it is collected.
_TAKERS: Final[dict[str, Callable[[SessionBuilder, Row, SessionDraft, str], None]]] = {
    "user": SessionBuilder._take_user,
    "assistant": SessionBuilder._take_assistant,
    "system": SessionBuilder._take_system,
}


def _join_parts(content: list[Part] | None) -> str:
    """Return the text of a result."""
    return "\n".join(part.text for part in content or () if part.text)

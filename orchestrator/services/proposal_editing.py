"""Let a person edit a proposal in an editor of their choice."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform import files
from orchestrator.proposals.decisions import DecisionResult, ProposalManager
from orchestrator.proposals.models import TEXT, ProposalKind
from orchestrator.proposals.queue import QueueItem, describe_decision
from orchestrator.proposals.states import read_permission_rules, read_rule_text
from orchestrator.services.config_editing import find_editor, run_editor
from teacher.models import RuleText

_LARGEST: Final = 1_000_000
_FIELDS: Final = ("rule", "when", "why")
_FIELD: Final = re.compile(r"(?i)(rule|when|why)\s*:\s*(.*)")
_NOTE: Final = "# {what} Lines that begin with # are left out; an empty file changes nothing.\n"


def edit_proposal(
    manager: ProposalManager, identity: str, environment: Mapping[str, str] | None = None
) -> DecisionResult:
    """Open what can be changed of a proposal in an editor, and store what was made of it.

    Raises:
        UsageError: there is no such proposal, it cannot be edited, or the new text is not valid.
        InfrastructureError: there is no editor.
    """
    item = manager.resolve_item(identity)
    kind = item.proposal.kind if item.proposal else ProposalKind.RULE
    if item.proposal and not item.proposal.is_open:
        raise UsageError(f"{item.id} is decided: {describe_decision(item.proposal)}")
    if kind is ProposalKind.CHECK:
        rule = item.proposal.rule if item.proposal else item.id
        raise UsageError(
            f"{item.id} is a check, which is made from its rule",
            f"edit the rule: orchestrator rules edit {rule} --rule TEXT",
        )
    before, name = _render(item, kind)
    after = _ask_editor(before, name, os.environ if environment is None else environment)
    if after == before or not after.strip():
        return DecisionResult(item)
    if kind is ProposalKind.SKILL:
        return manager.edit_skill(item.id, after)
    lines = [line.strip() for line in after.splitlines() if not line.startswith("#")]
    if kind is ProposalKind.PERMISSION:
        return manager.edit_permissions(item.id, [line for line in lines if line])
    return manager.edit_rule(item.id, _parse_rule(lines))


def _render(item: QueueItem, kind: ProposalKind) -> tuple[str, str]:
    """Return the text to edit, and a name for its file."""
    if kind is ProposalKind.SKILL and item.proposal:
        return str(item.proposal.content.get(TEXT)), "SKILL.md"
    if kind is ProposalKind.PERMISSION and item.proposal:
        rules = "".join(f"{each}\n" for each in read_permission_rules(item.proposal))
        return _NOTE.format(what="One permission rule in a line.") + rules, "permissions.txt"
    text = item.record.rule.text if item.record else None
    if text is None and item.proposal:
        text = read_rule_text(item.proposal.content.get(TEXT))
    fields = vars(text) if text else dict.fromkeys(_FIELDS, "")
    lines = "".join(f"{name.capitalize()}: {fields[name]}\n" for name in _FIELDS)
    return _NOTE.format(what="The three parts of the rule.") + lines, "rule.txt"


def _ask_editor(text: str, name: str, environment: Mapping[str, str]) -> str:
    editor = find_editor(environment)
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:  # its owner's alone
        path = Path(folder) / name
        path.write_bytes(text.encode("utf-8", "replace"))
        run_editor(editor, path, "nothing was changed; or use --rule, --when and --why")
        edited = files.read_bytes(path, _LARGEST)
    try:
        return edited.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the edited text is not UTF-8 (byte {error.start})", "nothing was changed"
        ) from None


def _parse_rule(lines: list[str]) -> RuleText:
    """Return the rule that was typed; a line without a name goes on with the part before it."""
    parts: dict[str, list[str]] = {}
    current = ""
    for line in lines:
        if found := _FIELD.match(line):
            current = found[1].lower()
            parts.setdefault(current, []).append(found[2])
        elif line and not current:
            raise UsageError(f"{line!r} is no part of a rule", "begin it with Rule:, When: or Why:")
        elif line:
            parts[current].append(line)
    return RuleText(*(" ".join(parts.get(name, [])).strip() for name in _FIELDS))

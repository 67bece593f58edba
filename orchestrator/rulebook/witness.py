"""Find out which rules were in an agent's request."""

from collections.abc import Iterable, Sequence

from orchestrator.agents.claude_instructions import Instruction
from orchestrator.errors import RulebookError
from orchestrator.models import Rule
from orchestrator.rulebook.document import contains_rules, parse_document
from orchestrator.rulebook.records import Exposure, Witness, hash_text


def witness_rules(
    rules: Iterable[Rule], instructions: Sequence[Instruction] = ()
) -> list[Exposure]:
    """Return for each active rule the evidence that it was sent, or that it was not.

    Args:
        rules: the active rules, as they were when the agent started.
        instructions: what was sent according to the agent's transcript; empty if that is unknown.
            Then the rules in files that are always loaded count as sent.
    """
    if not instructions:
        return [
            _build_exposure(rule, Witness.NONE if rule.paths else Witness.FILE) for rule in rules
        ]
    sent = {hash_text(rule.text) for each in instructions for rule in _parse_rules(each.text)}
    return [
        _build_exposure(rule, Witness.TRANSCRIPT if hash_text(rule.text) in sent else Witness.NONE)
        for rule in rules
    ]


def _build_exposure(rule: Rule, witness: Witness) -> Exposure:
    return Exposure(rule.id, hash_text(rule.text), witness)


def _parse_rules(text: str) -> tuple[Rule, ...]:
    data = text.encode("utf-8", "replace")
    try:
        if not contains_rules(data):
            return ()
        document = parse_document(data)
        # Claude Code has removed the comments, so every rule looks hand-written.
        return (*document.rules, *document.hand_written)
    except RulebookError:
        return ()

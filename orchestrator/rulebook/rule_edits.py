"""Changes to the rule files as data: decided first, applied later."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from orchestrator.models import Rule
from orchestrator.rulebook.rule_file_set import RuleFileSet
from teacher.models import RuleText


@dataclass(frozen=True)
class AddRule:
    """Add a rule to the file that new rules go to."""

    rule: Rule
    provenance: str
    """For the comment of the rule: `failure 9f8e7d6c5b4a, source pytest`."""

    def apply_to(self, file_set: RuleFileSet) -> RuleFileSet:
        """Return the files with the rule."""
        return file_set.add_rule(self.rule, self.provenance)


@dataclass(frozen=True)
class AmendRule:
    """Replace the text of a rule, and its scope where the files can express it."""

    rule_id: str
    text: RuleText
    """A field that is empty stays as it is."""
    paths: tuple[str, ...]
    today: date

    def apply_to(self, file_set: RuleFileSet) -> RuleFileSet:
        """Return the files with the new text."""
        amended = file_set.amend_rule(self.rule_id, self.text, self.today)
        return amended.rescope_rule(self.rule_id, self.paths)


@dataclass(frozen=True)
class ReinforceRule:
    """Count one more reinforcement in the comment of a rule."""

    rule_id: str
    today: date

    def apply_to(self, file_set: RuleFileSet) -> RuleFileSet:
        """Return the files with the new count."""
        return file_set.reinforce_rule(self.rule_id, self.today)


@dataclass(frozen=True)
class RemoveRule:
    """Remove a rule from all files."""

    rule_id: str

    def apply_to(self, file_set: RuleFileSet) -> RuleFileSet:
        """Return the files without the rule."""
        return file_set.remove_rule(self.rule_id)


RuleEdit = AddRule | AmendRule | ReinforceRule | RemoveRule


def apply_edits(file_set: RuleFileSet, edits: Iterable[RuleEdit]) -> RuleFileSet:
    """Return the files after some edits, each of which was verified by reading its result.

    Raises:
        RulebookError: a file cannot be edited safely.
        KeyError: there is no such rule.
    """
    for edit in edits:
        file_set = edit.apply_to(file_set)
    return file_set

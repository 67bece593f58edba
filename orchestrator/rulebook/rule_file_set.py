"""The files of one rulebook as a model: the rules in them, and where a new one goes.

    CLAUDE.md                         target: project (or the user's own file: user)
    AGENTS.md                         target: agents-md
    .claude/rules/learned.md          target: rules-dir, for rules that hold everywhere
    .claude/rules/learned-<scope>.md  and for those that a `paths:` in its front matter scopes

Rules are read from all of them, so that changing the target moves no rule and loses no history.
Nothing here reads or writes a file.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import cached_property
from itertools import count
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.models import Rule
from orchestrator.platform.bom import is_utf16
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook import editing
from orchestrator.rulebook.document import (
    HEADING,
    Document,
    contains_rules,
    find_imports,
    has_content,
    parse_document,
)
from orchestrator.rulebook.scope import parse_scope, render_front_matter
from teacher.models import RuleText

RULES_DIR: Final = ".claude/rules"

_PROVENANCE: Final = re.compile(r"<!--\s*rule\s+[\w-]+:?\s*(.*?)\s*-->", re.DOTALL)
_SLUG_CHARS: Final = 40


class Target(StrEnum):
    """Where new rules go."""

    PROJECT = "project"
    USER = "user"
    RULES_DIR = "rules-dir"
    AGENTS_MD = "agents-md"


@dataclass(frozen=True)
class Destination:
    """Where a new rule goes."""

    target: Target = Target.PROJECT
    mirror: bool = False
    """Whether CLAUDE.md and AGENTS.md contain the same rules."""
    imports: tuple[str, ...] = ()
    """Files that a first rule in CLAUDE.md would shadow; CLAUDE.md imports them instead."""
    reserved_names: frozenset[str] = frozenset()
    """Names in the rules folder that are taken by other files."""


@dataclass(frozen=True)
class RuleFileSet:
    """The files of a rulebook: their names, from the rulebook's folder, and their bytes.

    A rule that is in several files is one rule; the first of them has its text. A change returns a
    new set. It may raise RulebookError, which names the file, when the text around a rule prevents
    a safe change, and KeyError when there is no such rule.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    destination: Destination = Destination()
    unreadable_files: Mapping[str, str] = field(default_factory=dict)
    """Other files that may contain rules, and why they cannot be read."""

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """All active rules, file by file."""
        return tuple(self._rules_by_id.values())

    @cached_property
    def hand_written(self) -> tuple[Rule, ...]:
        """The rules that people wrote and nobody adopted: Claude Code loads them, we do not."""
        found: dict[str, Rule] = {}
        for name, document in self._documents.items():
            paths = self._read_scope(name)
            for rule in document.hand_written:
                found.setdefault(rule.id, replace(rule, paths=paths) if paths else rule)
        return tuple(found.values())

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The active rules, and the hand-written ones."""
        return (*self.rules, *self.hand_written)

    @property
    def ids(self) -> frozenset[str]:
        """Every id that is taken."""
        return frozenset().union(*(document.ids for document in self._documents.values()))

    def find_rule(self, rule: str) -> Rule | None:
        """Return the rule with this id."""
        return self._rules_by_id.get(rule)

    def get_comment(self, rule: str) -> str:
        """Return the comment of a rule, with its marks."""
        return next(
            (document.get_comment(rule) for _, document in self._iter_documents_with(rule)), ""
        )

    def parse_provenance(self, rule: str) -> str:
        """Return what the comment of a rule says about its origin."""
        found = _PROVENANCE.search(self.get_comment(rule))
        return found[1] if found else ""

    def find_files(self, rule: str) -> tuple[str, ...]:
        """Return the names of the files that contain a rule."""
        return tuple(name for name, _ in self._iter_documents_with(rule))

    def find_hand_written(self, rule: str) -> Rule | None:
        """Return the hand-written rule with this id."""
        return next((each for each in self.hand_written if each.id == rule), None)

    def list_files_with_hand_written(self, rule: str) -> tuple[str, ...]:
        """Return the names of the files that contain a hand-written rule."""
        return tuple(
            name
            for name, document in self._documents.items()
            if any(each.id == rule for each in document.hand_written)
        )

    def list_rules_in(self, name: str) -> tuple[Rule, ...]:
        """Return the rules in one file."""
        document = self._documents.get(name)
        return document.rules if document else ()

    def has_section(self, name: str) -> bool:
        """Return whether a file has a managed section, with rules or without."""
        document = self._documents.get(name)
        return bool(document and document.section)

    def can_express_scope(self, paths: tuple[str, ...]) -> bool:
        """Return whether a rule with these globs keeps them in the file that it goes to."""
        scoped = self.destination.target is Target.RULES_DIR and not self.destination.mirror
        return scoped or not paths

    # ---- changes

    def add_rule(self, rule: Rule, provenance: str) -> "RuleFileSet":
        """Return the files with one more rule; its scope is retained where a file can have one."""
        file_set = self
        for name in self._choose_files(rule.paths):
            file_set = file_set.add_rule_to(name, rule, provenance)
        return file_set.point_to_agents_md() if self.destination.mirror else file_set

    def add_rule_to(self, name: str, rule: Rule, provenance: str) -> "RuleFileSet":
        """Return the files with a rule in this file, which is created if missing."""
        document = self._documents.get(name)
        if document and document.find_rule(rule.id):
            return self
        data = self.files.get(name, b"")
        if not data and name.startswith(RULES_DIR):
            data = render_front_matter(rule.paths)
        imports = self.destination.imports if name == CLAUDE_MD else ()
        with _name_file_in_errors(name):
            return self._replace_file(
                name, editing.append_rule(data, _strip_paths(rule), provenance, imports)
            )

    def adopt_rule(self, rule: str) -> "RuleFileSet":
        """Return the files with a comment that makes a hand-written rule an active one."""
        names = self.list_files_with_hand_written(rule)
        if not names:
            raise KeyError(rule)
        file_set = self
        for name in names:
            with _name_file_in_errors(name):
                data = editing.adopt_rule(self.files[name], rule)
                file_set = file_set._replace_file(name, data)
        return file_set

    def amend_rule(self, rule: str, text: RuleText, today: date) -> "RuleFileSet":
        """Return the files with another text for a rule; a field that is empty stays as it is."""
        return self._change_everywhere(
            rule, lambda data: editing.amend_rule(data, rule, text, today)
        )

    def reinforce_rule(self, rule: str, today: date) -> "RuleFileSet":
        """Return the files with one more reinforcement counted in a rule's comment."""
        return self._change_everywhere(rule, lambda data: editing.reinforce_rule(data, rule, today))

    def remove_rule(self, rule: str) -> "RuleFileSet":
        """Return the files without a rule; a file of the rules folder that had no more is empty."""
        file_set = self._change_everywhere(rule, lambda data: editing.remove_rule(data, rule))
        for name in self.find_files(rule):
            if name.startswith(RULES_DIR) and file_set.files[name] == _render_empty_file(
                self._read_scope(name)
            ):
                file_set = file_set._replace_file(name, b"")
        return file_set

    def remove_rule_from(self, name: str, rule: str) -> "RuleFileSet":
        """Return the files without a rule in this file."""
        with _name_file_in_errors(name):
            return self._replace_file(name, editing.remove_rule(self.files[name], rule))

    def amend_rule_in(self, name: str, rule: str, text: RuleText, today: date) -> "RuleFileSet":
        """Return the files with another text for a rule in this file."""
        with _name_file_in_errors(name):
            return self._replace_file(name, editing.amend_rule(self.files[name], rule, text, today))

    def rescope_rule(self, rule: str, paths: tuple[str, ...]) -> "RuleFileSet":
        """Return the files with another scope for a rule, where the target can express it.

        The rule moves to the file for that scope. Without paths it applies to every file again.
        """
        known = self.find_rule(rule)
        if known is None:
            raise KeyError(rule)
        if not self.can_express_scope(paths) or set(paths) == set(known.paths):
            return self
        return self.remove_rule(rule).add_rule(
            replace(known, paths=paths), self.parse_provenance(rule)
        )

    def point_to_agents_md(self) -> "RuleFileSet":
        """Return the files with an import of AGENTS.md in CLAUDE.md, if that has no content."""
        claude = self.files.get(CLAUDE_MD, b"")
        if has_content(claude):
            return self
        names = dict.fromkeys((AGENTS_MD, *self.destination.imports))
        lines = "".join(f"@{name}\n" for name in names).encode()
        return self._replace_file(CLAUDE_MD, lines + (b"\n" + claude if claude.strip() else b""))

    # ---- which file a rule goes to

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The files with the same rules, when CLAUDE.md and AGENTS.md are mirrored.

        AGENTS.md alone, where CLAUDE.md imports it or has no content: Claude Code would load
        every rule twice.
        """
        claude = self.files.get(CLAUDE_MD, b"")
        if AGENTS_MD in find_imports(claude) or not has_content(claude):
            return (AGENTS_MD,)
        return (CLAUDE_MD, AGENTS_MD)

    def _choose_files(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        if self.destination.mirror:
            return self.mirrors
        if self.destination.target is Target.RULES_DIR:
            return (self._choose_scoped_file(paths),)
        return (AGENTS_MD if self.destination.target is Target.AGENTS_MD else CLAUDE_MD,)

    def _choose_scoped_file(self, paths: tuple[str, ...]) -> str:
        """Return the file for a scope: an existing one, or a new name."""
        own = [name for name in self.files if name.startswith(RULES_DIR)]
        for name in own:
            if self.files[name] and set(self._read_scope(name)) == set(paths):
                return name
        words = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(paths)).strip("-").lower()
        stem = "-".join(filter(None, ("learned", words[:_SLUG_CHARS].strip("-"))))
        names = (f"{RULES_DIR}/{stem}{f'-{nth}' if nth > 1 else ''}.md" for nth in count(1))
        taken = {name.casefold() for name in self.destination.reserved_names}
        return next(n for n in names if not self.files.get(n) and n.casefold() not in taken)

    # ---- files

    @cached_property
    def _documents(self) -> Mapping[str, Document]:
        found = {}
        for name, data in self.files.items():
            if is_utf16(data) or contains_rules(data):
                with _name_file_in_errors(name):
                    found[name] = parse_document(data)
        return found

    @cached_property
    def _rules_by_id(self) -> Mapping[str, Rule]:
        found: dict[str, Rule] = {}
        for name, document in self._documents.items():
            paths = self._read_scope(name)
            for rule in document.rules:
                found.setdefault(rule.id, replace(rule, paths=paths) if paths else rule)
        return found

    def _iter_documents_with(self, rule: str) -> Iterator[tuple[str, Document]]:
        return ((name, doc) for name, doc in self._documents.items() if doc.find_rule(rule))

    def _change_everywhere(self, rule: str, change: "editing.Change") -> "RuleFileSet":
        names = self.find_files(rule)
        if not names:
            raise KeyError(rule)
        file_set = self
        for name in names:
            with _name_file_in_errors(name):
                file_set = file_set._replace_file(name, change(self.files[name]))
        return file_set

    def _read_scope(self, name: str) -> tuple[str, ...]:
        if not name.startswith(RULES_DIR):
            return ()
        with _name_file_in_errors(name):
            return parse_scope(self.files[name])

    def _replace_file(self, name: str, data: bytes) -> "RuleFileSet":
        return replace(self, files={**self.files, name: data})


def _strip_paths(rule: Rule) -> Rule:
    return replace(rule, paths=())


def _render_empty_file(paths: tuple[str, ...]) -> bytes:
    """Return a file for rules of this scope, without a rule."""
    start = render_front_matter(paths)
    return start + (b"\n" if start else b"") + f"{HEADING}\n".encode()


@contextlib.contextmanager
def _name_file_in_errors(name: str) -> Iterator[None]:
    """Name the file in an error about its content."""
    try:
        yield
    except RulebookError as error:
        raise RulebookError(f"{name}: {error.message}", error.hint) from None

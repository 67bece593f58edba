"""The files that carry one rulebook, as one: which rules stand in them, and where a new one goes.

    CLAUDE.md                         target: project (or the user's own file: user)
    AGENTS.md                         target: agents-md
    .claude/rules/learned.md          target: rules-dir, for rules that hold everywhere
    .claude/rules/learned-<scope>.md  and for those that a `paths:` in its front matter scopes

Rules are read from all of them, so that another target moves nothing and loses no history.
Nothing here touches a file.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
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
    carries_rules,
    has_content,
    imports,
    parse,
)
from orchestrator.rulebook.scope import front_matter, scope_of
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
class Filing:
    """Where a new rule goes."""

    target: Target = Target.PROJECT
    mirror: bool = False
    """Whether CLAUDE.md and AGENTS.md say the same rules."""
    imports: tuple[str, ...] = ()
    """Files that a first rule in CLAUDE.md would put out of force; it imports them."""
    taken: frozenset[str] = frozenset()
    """Names in the rules folder that other files have."""


@dataclass(frozen=True)
class Pages:
    """The files of a rulebook, read: their names, from the rulebook's folder, and their bytes.

    A rule that stands in more than one of them is one rule; the first of them tells its text.
    Changes give new pages. Each may raise RulebookError, which names the file, when what stands
    round a rule keeps it from being changed safely, and KeyError when there is no such rule.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    filing: Filing = Filing()
    unread: Mapping[str, str] = field(default_factory=dict)
    """Other files that rules may stand in, and why they cannot be read."""

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """All rules in force, file by file."""
        return tuple(self._by_id.values())

    @property
    def ids(self) -> frozenset[str]:
        """Every id that is taken."""
        return frozenset().union(*(document.ids for document in self._documents.values()))

    def find(self, rule: str) -> Rule | None:
        """The rule with this id."""
        return self._by_id.get(rule)

    def note(self, rule: str) -> str:
        """What the comment of a rule says, with its marks."""
        return next((document.note(rule) for _, document in self._holding(rule)), "")

    def provenance(self, rule: str) -> str:
        """What the comment of a rule says of where it came from."""
        found = _PROVENANCE.search(self.note(rule))
        return found[1] if found else ""

    def where(self, rule: str) -> tuple[str, ...]:
        """The names of the files that a rule stands in."""
        return tuple(name for name, _ in self._holding(rule))

    def rules_in(self, name: str) -> tuple[Rule, ...]:
        """The rules that stand in one file."""
        document = self._documents.get(name)
        return document.rules if document else ()

    def has_section(self, name: str) -> bool:
        """Whether a file has a managed section, with rules or without."""
        document = self._documents.get(name)
        return bool(document and document.section)

    # ---- changes

    def add(self, rule: Rule, provenance: str) -> "Pages":
        """One more rule, where new rules go; a scope is kept where a file can have one."""
        pages = self
        for name in self._homes(rule.paths):
            pages = pages.add_to(name, rule, provenance)
        return pages.pointing() if self.filing.mirror else pages

    def add_to(self, name: str, rule: Rule, provenance: str) -> "Pages":
        """One more rule in one file, which is made if there is none; once it is there, nothing."""
        document = self._documents.get(name)
        if document and document.find(rule.id):
            return self
        data = self.files.get(name, b"")
        if not data and name.startswith(RULES_DIR):
            data = front_matter(rule.paths)
        imports = self.filing.imports if name == CLAUDE_MD else ()
        with _named(name):
            return self._with(name, editing.append(data, _bare(rule), provenance, imports))

    def amend(self, rule: str, text: RuleText, today: date) -> "Pages":
        """Another text for a rule; a field that is empty stays as it is."""
        return self._everywhere(rule, lambda data: editing.amend(data, rule, text, today))

    def reinforce(self, rule: str, today: date) -> "Pages":
        """One more reinforcement noted in a rule's comment."""
        return self._everywhere(rule, lambda data: editing.reinforce(data, rule, today))

    def remove(self, rule: str) -> "Pages":
        """Without a rule; a file in the rules folder that is as we made it is empty then."""
        pages = self._everywhere(rule, lambda data: editing.remove(data, rule))
        for name in self.where(rule):
            if name.startswith(RULES_DIR) and pages.files[name] == _begun(self._scope(name)):
                pages = pages._with(name, b"")
        return pages

    def remove_from(self, name: str, rule: str) -> "Pages":
        """Without a rule in one file."""
        with _named(name):
            return self._with(name, editing.remove(self.files[name], rule))

    def amend_in(self, name: str, rule: str, text: RuleText, today: date) -> "Pages":
        """Another text for a rule in one file."""
        with _named(name):
            return self._with(name, editing.amend(self.files[name], rule, text, today))

    def rescope(self, rule: str, paths: tuple[str, ...]) -> "Pages":
        """A rule for other files, where that can be said: it moves to the file for that scope.

        Without paths it is for every file again.
        """
        known = self.find(rule)
        if known is None:
            raise KeyError(rule)
        sayable = not paths or self.filing.target is Target.RULES_DIR
        if not sayable or set(paths) == set(known.paths):
            return self
        return self.remove(rule).add(replace(known, paths=paths), self.provenance(rule))

    def pointing(self) -> "Pages":
        """CLAUDE.md as a pointer to AGENTS.md, if it says nothing of its own."""
        claude = self.files.get(CLAUDE_MD, b"")
        if has_content(claude):
            return self
        names = dict.fromkeys((AGENTS_MD, *self.filing.imports))
        lines = "".join(f"@{name}\n" for name in names).encode()
        return self._with(CLAUDE_MD, lines + (b"\n" + claude if claude.strip() else b""))

    # ---- where things stand

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The files that say the same rules, when CLAUDE.md and AGENTS.md are mirrored.

        AGENTS.md alone, where CLAUDE.md imports it or says nothing of its own: it would have
        every rule twice.
        """
        claude = self.files.get(CLAUDE_MD, b"")
        if AGENTS_MD in imports(claude) or not has_content(claude):
            return (AGENTS_MD,)
        return (CLAUDE_MD, AGENTS_MD)

    def _homes(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        if self.filing.mirror:
            return self.mirrors
        if self.filing.target is Target.RULES_DIR:
            return (self._scoped(paths),)
        return (AGENTS_MD if self.filing.target is Target.AGENTS_MD else CLAUDE_MD,)

    def _scoped(self, paths: tuple[str, ...]) -> str:
        """The file for a scope: one that is there, or a new name."""
        ours = [name for name in self.files if name.startswith(RULES_DIR)]
        for name in ours:
            if self.files[name] and set(self._scope(name)) == set(paths):
                return name
        words = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(paths)).strip("-").lower()
        stem = "-".join(filter(None, ("learned", words[:_SLUG_CHARS].strip("-"))))
        names = (f"{RULES_DIR}/{stem}{f'-{nth}' if nth > 1 else ''}.md" for nth in count(1))
        taken = {name.casefold() for name in self.filing.taken}
        return next(n for n in names if not self.files.get(n) and n.casefold() not in taken)

    # ---- files

    @cached_property
    def _documents(self) -> Mapping[str, Document]:
        found = {}
        for name, data in self.files.items():
            if is_utf16(data) or carries_rules(data):
                with _named(name):
                    found[name] = parse(data)
        return found

    @cached_property
    def _by_id(self) -> Mapping[str, Rule]:
        found: dict[str, Rule] = {}
        for name, document in self._documents.items():
            paths = self._scope(name)
            for rule in document.rules:
                found.setdefault(rule.id, replace(rule, paths=paths) if paths else rule)
        return found

    def _holding(self, rule: str) -> Iterator[tuple[str, Document]]:
        return ((name, doc) for name, doc in self._documents.items() if doc.find(rule))

    def _everywhere(self, rule: str, change: "editing.Change") -> "Pages":
        names = self.where(rule)
        if not names:
            raise KeyError(rule)
        pages = self
        for name in names:
            with _named(name):
                pages = pages._with(name, change(self.files[name]))
        return pages

    def _scope(self, name: str) -> tuple[str, ...]:
        if not name.startswith(RULES_DIR):
            return ()
        with _named(name):
            return scope_of(self.files[name])

    def _with(self, name: str, data: bytes) -> "Pages":
        # A file that is changed anyway gets its ids written down, so that they last.
        data = editing.marked(data) if carries_rules(data) else data
        return replace(self, files={**self.files, name: data})


def changed(before: Pages, after: Pages) -> Sequence[str]:
    """The names of the files that differ, those that lose a rule last.

    Whoever is killed in between leaves a rule in two places, and none in nowhere.
    """
    names = [n for n in after.files if after.files[n] != before.files.get(n, b"")]

    def loses(name: str) -> bool:
        return not {r.id for r in before.rules_in(name)} <= {r.id for r in after.rules_in(name)}

    return sorted(names, key=loses)


def _bare(rule: Rule) -> Rule:
    return replace(rule, paths=())


def _begun(paths: tuple[str, ...]) -> bytes:
    """A file of ours for rules of a scope, without one."""
    start = front_matter(paths)
    return start + (b"\n" if start else b"") + f"{HEADING}\n".encode()


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the file in an error about its content."""
    try:
        yield
    except RulebookError as error:
        raise RulebookError(f"{name}: {error.message}", error.mend) from None

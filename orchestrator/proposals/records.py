"""Store proposals, find them, and record what was decided about them.

A proposal is the same in any night if project, kind and fingerprint are the same. One that waits
gets the newer counts and evidence, and nothing else: what is accepted is what was shown. One that
somebody has decided about never comes back.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.proposals.models import (
    OCCURRENCES,
    SESSIONS,
    SESSIONS_SEEN,
    TEXT,
    TRIES,
    Proposal,
    ProposalDraft,
    ProposalEvidence,
    ProposalKind,
    ProposalStatus,
)
from orchestrator.storage.database import Database, Row

_COLUMNS: Final = (
    "id, project, kind, status, fingerprint, title, detector, created, decided, content, evidence,"
    " rule, reason"
)
_COUNTS: Final = (SESSIONS, SESSIONS_SEEN, OCCURRENCES)


def _current_time() -> datetime:
    return datetime.now(UTC)


class ProposalStore:
    """The stored proposals of all projects.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the state database.
        now: returns the time, with its zone.
    """

    def __init__(self, database: Database, now: Callable[[], datetime] = _current_time) -> None:
        self._database, self._now = database, now

    def list_proposals(
        self, project: str | None = None, *, is_open: bool = False
    ) -> list[Proposal]:
        """Return the proposals in the order in which they were made.

        Args:
            project: the real path of a project; all projects if None.
            is_open: whether to return only those that nobody has decided about.
        """
        where = "" if project is None else "WHERE project = ?"
        rows = self._database.fetch_rows(
            f"SELECT {_COLUMNS} FROM proposals {where} ORDER BY created, id",  # noqa: S608
            () if project is None else (project,),
        )
        with self._database.explain_damage():
            found = [_build_proposal(row) for row in rows]
        return [each for each in found if each.is_open or not is_open]

    def find_proposal(self, identity: str) -> Proposal | None:
        """Return the proposal with exactly this id."""
        return self._fetch_one("id = ?", (identity,))

    def resolve_proposal(self, identity: str) -> Proposal:
        """Return a proposal by its id, or the beginning of it.

        Raises:
            UsageError: there is none, or more than one.
        """
        if exact := self.find_proposal(identity):
            return exact
        found = [each for each in self.list_proposals() if each.id.startswith(identity)]
        if len(found) == 1 and identity:
            return found[0]
        ids = ", ".join(each.id for each in found[:4])
        several = f"{identity} is the beginning of several proposals: {ids}"
        none = f"there is no proposal {identity}" if identity else "the proposal's id is empty"
        raise UsageError(
            several if found and identity else none, "see `orchestrator review list --all`"
        )

    def add_proposal(self, draft: ProposalDraft) -> Proposal | None:
        """Store a proposal, or newer counts and evidence of one that waits.

        Returns:
            The proposal; None if somebody has decided about it: it does not come back.
        """
        key = (draft.project, draft.kind, draft.fingerprint)
        with self._database.transaction():
            known = self._fetch_one("project = ? AND kind = ? AND fingerprint = ?", key)
            if known and not known.is_open:
                return None
            if known:
                return self._store(_merge_draft(known, draft))
            proposal = Proposal(
                self._find_free_id(draft),
                *(draft.project, draft.kind, draft.status, draft.fingerprint, draft.title),
                self._now(),
                draft.evidence,
                draft.content,
                draft.detector,
                draft.rule,
            )
            return self._store(proposal)

    def attach_rule(self, identity: str, rule: str) -> Proposal:
        """Record that a proposal became a pending rule, unless somebody has decided before.

        Raises:
            UsageError: there is no such proposal.
        """
        with self._database.transaction():
            known = self.resolve_proposal(identity)
            if not known.is_open:
                return known
            return self._store(replace(known, rule=rule, status=ProposalStatus.WAITING))

    def record_answer(
        self, identity: str, status: ProposalStatus, reason: str, rule: str = ""
    ) -> Proposal:
        """Record what the teacher's answer means, unless somebody has decided before.

        Raises:
            UsageError: there is no such proposal.
        """
        with self._database.transaction():
            known = self.resolve_proposal(identity)
            return self.decide(identity, status, reason, rule) if known.is_open else known

    def count_try(self, identity: str) -> Proposal:
        """Record that the teacher was asked, and gave no answer that can be used.

        Raises:
            UsageError: there is no such proposal.
        """
        with self._database.transaction():
            known = self.resolve_proposal(identity)
            content = {**known.content, TRIES: known.read_count(TRIES) + 1}
            return self._store(replace(known, content=content))

    def change_content(self, identity: str, content: Mapping[str, Any]) -> Proposal:
        """Store what was made of a proposal, which waits for a decision now.

        Raises:
            UsageError: there is no such proposal.
        """
        with self._database.transaction():
            known = self.resolve_proposal(identity)
            changed = {**known.content, **content}
            return self._store(replace(known, content=changed, status=ProposalStatus.WAITING))

    def decide(
        self, identity: str, status: ProposalStatus, reason: str = "", rule: str = ""
    ) -> Proposal:
        """Record a decision.

        Args:
            identity: the proposal's id.
            status: where it stands now.
            reason: why, in a line.
            rule: the rule that it became; the known one if empty.

        Raises:
            UsageError: there is no such proposal.
        """
        with self._database.transaction():
            known = self.resolve_proposal(identity)
            changed = replace(known, status=status, reason=reason, rule=rule or known.rule)
            return self._store(replace(changed, decided=self._now()))

    def _find_free_id(self, draft: ProposalDraft) -> str:
        """Return `p-` and eight hex digits that no other proposal has."""
        nth = 0
        while self.find_proposal(identity := _derive_id(draft, nth)):
            nth += 1
        return identity

    def _fetch_one(self, where: str, values: Sequence[str]) -> Proposal | None:
        rows = self._database.fetch_rows(
            f"SELECT {_COLUMNS} FROM proposals WHERE {where}",  # noqa: S608 -- constants
            values,
        )
        with self._database.explain_damage():
            return _build_proposal(rows[0]) if rows else None

    def _store(self, proposal: Proposal) -> Proposal:
        decided = proposal.decided.isoformat() if proposal.decided else None
        values = (
            *(proposal.id, proposal.project, proposal.kind, proposal.status),
            *(proposal.fingerprint, proposal.title, proposal.detector),
            *(proposal.created.isoformat(), decided, _dump(dict(proposal.content))),
            _dump([asdict(each) for each in proposal.evidence]),
            *(proposal.rule, proposal.reason),
        )
        self._database.write(
            f"INSERT INTO proposals ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
            " ON CONFLICT (id) DO UPDATE SET status = excluded.status, title = excluded.title,"
            " detector = excluded.detector, decided = excluded.decided,"
            " content = excluded.content, evidence = excluded.evidence, rule = excluded.rule,"
            " reason = excluded.reason",
            values,
        )
        return proposal


def _derive_id(draft: ProposalDraft, nth: int) -> str:
    seed = "\0".join((draft.project, draft.kind, draft.fingerprint, str(nth) if nth else ""))
    return "p-" + hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _merge_draft(known: Proposal, draft: ProposalDraft) -> Proposal:
    """Return a proposal that waits with the counts and evidence of a newer draft of it."""
    is_unworded = known.status is ProposalStatus.NEEDS_TEACHER
    newer = {name: value for name, value in draft.content.items() if name in _COUNTS or is_unworded}
    rule = known.rule or draft.rule
    is_worded = is_unworded and (rule or draft.content.get(TEXT))
    return replace(
        known,
        status=ProposalStatus.WAITING if is_worded else known.status,
        title=draft.title,
        content={**known.content, **newer},
        evidence=draft.evidence or known.evidence,
        detector=draft.detector or known.detector,
        rule=rule,
    )


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, sort_keys=True)


def _build_proposal(row: Row) -> Proposal:
    """Return a row as a proposal.

    Raises:
        ValueError, TypeError, RecursionError: a value is damaged.
    """
    (identity, project, kind, status, fingerprint, title, detector, *rest) = row
    (created, decided, content, evidence, rule, reason) = rest
    return Proposal(
        *(identity, project, ProposalKind(kind), ProposalStatus(status), fingerprint, title),
        datetime.fromisoformat(created),
        tuple(ProposalEvidence(**each) for each in json.loads(evidence)),
        dict(json.loads(content)),
        detector,
        rule,
        datetime.fromisoformat(decided) if decided else None,
        reason,
    )

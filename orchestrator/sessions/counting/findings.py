"""Count occurrences over sessions, and decide which of them are findings, and what each becomes.

The unit is the distinct session, never the occurrence: one bad hour must not make a rule.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from orchestrator.proposals.models import ProposalEvidence
from orchestrator.proposals.permission_rules import is_rule_covered
from orchestrator.sessions.calls.causes import Origin
from orchestrator.sessions.counting.alike_words import group_alike
from orchestrator.sessions.counting.command_sequences import join_sequences
from orchestrator.sessions.counting.finding_titles import write_title
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.sessions.detectors.procedures import LENGTH, SEPARATOR
from orchestrator.sessions.detectors.user_text import Intent


class Remedy(StrEnum):
    """What a finding becomes. The values are printed."""

    RULE = "rule"
    """A constraint of the project, put into words by the teacher."""
    SKILL = "skill"
    """A procedure, as a SKILL.md."""
    PERMISSION = "permission"
    """A permission rule in settings.local.json."""
    CHECK = "check"
    """A loaded rule is broken again: a hook, a lint rule or a test enforces it."""
    NONE = "none"
    """It is only counted."""


@dataclass(frozen=True)
class StoredOccurrence:
    """An occurrence as it is stored: masked, with its session and project."""

    detector: Detector
    key: str
    project: str
    session: str
    row: str
    at: str
    quote: str = ""
    agent: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionFinding:
    """Something that went wrong in enough sessions of a project to do something about it."""

    detector: Detector
    key: str
    project: str
    remedy: Remedy
    title: str
    """One line for people, with its numbers."""
    sessions: tuple[str, ...]
    """The distinct sessions, in order of their time."""
    occurrences: int
    evidence: tuple[ProposalEvidence, ...]
    """At most five places, of different sessions first."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What the remedy needs in addition, of plain JSON values: `commands` of a procedure, `rule` of
    a permission or of the loaded rule that is broken, `diff` of a test loop."""
    other_keys: tuple[str, ...] = ()
    """Keys under which the same may have been found before: words that say the same."""

    @property
    def fingerprint(self) -> str:
        """16 hex digits, equal for the same finding in any night."""
        return fingerprint_key(self.detector, self.key)

    @property
    def other_fingerprints(self) -> tuple[str, ...]:
        """Fingerprints that the same may have had before: what was rejected must not return."""
        return tuple(fingerprint_key(self.detector, key) for key in self.other_keys)


def fingerprint_key(detector: Detector, key: str) -> str:
    """Return 16 hex digits that identify what a detector found, in any project."""
    from orchestrator.models.fingerprints import compute_fingerprint

    return compute_fingerprint("session", [(detector, key)])


@dataclass(frozen=True)
class Threshold:
    """From when on occurrences are a finding, and what it becomes."""

    remedy: Remedy
    sessions: int = 1
    """Distinct sessions that it must be found in."""
    in_all: int = 1
    """Occurrences in all of them."""
    in_each: int = 1
    """Occurrences in one session, for the session to count."""
    otherwise: bool = False
    """Whether it is noted when only the number of sessions is too low."""


THRESHOLDS: Final[Mapping[Detector, Threshold]] = {
    Detector.REPEATED_ERROR: Threshold(Remedy.RULE, sessions=2, in_all=3),
    Detector.SAME_COMMAND: Threshold(Remedy.RULE, sessions=2, in_each=3, otherwise=True),
    Detector.HIDDEN_FAILURE: Threshold(Remedy.RULE, sessions=2),
    Detector.EDIT_MISMATCH: Threshold(Remedy.RULE, sessions=2, in_each=3),
    Detector.TEST_LOOP: Threshold(Remedy.RULE, sessions=2),
    # One clear word is a candidate; whatever recurs comes before it.
    Detector.REJECTION: Threshold(Remedy.RULE),
    Detector.CORRECTION: Threshold(Remedy.RULE),
    Detector.PERMISSION: Threshold(Remedy.PERMISSION, sessions=2, in_all=3),
    Detector.PROCEDURE: Threshold(Remedy.SKILL, sessions=3),
    Detector.INTERRUPTION: Threshold(Remedy.NONE),
    Detector.CACHE_MISS: Threshold(Remedy.NONE),
    Detector.REDUNDANT_READ: Threshold(Remedy.NONE),
    Detector.TOKEN_WASTE: Threshold(Remedy.NONE),
}
"""Two sessions, because what happens in one only may be an accident of that day; three for a
procedure, because sequences recur by chance more easily than errors do."""

MOST_EVIDENCE: Final = 5
LEAST_BROKEN: Final = 2
"""Sessions in which a rule was loaded and broken, from which on words are not enough."""


@dataclass(frozen=True)
class _Group:
    """Occurrences of the same thing."""

    key: str
    members: tuple[StoredOccurrence, ...]
    other_keys: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


def find_findings(
    occurrences: Iterable[StoredOccurrence],
    sessions_seen: Mapping[str, int],
    *,
    allow_rules: Collection[str] = (),
    find_loaded_rule: Callable[[str, str], str] = lambda _fingerprint, _session: "",
) -> list[SessionFinding]:
    """Return what was found often enough, what matters most first; notes come last.

    The result depends on the set of occurrences alone, not on their order. Findings are ranked by
    distinct sessions, then by occurrences, then by the last time, then by key.

    Args:
        occurrences: of any projects and detectors.
        sessions_seen: how many sessions were looked at in each project: the denominators.
        allow_rules: the live permission rules; what they cover is not proposed.
        find_loaded_rule: for a fingerprint and a session, the id of the rule against it that was
            loaded in that session; empty if none was.
    """
    by_place: defaultdict[tuple[str, Detector], list[StoredOccurrence]] = defaultdict(list)
    for each in sorted(occurrences, key=_order):
        by_place[each.project, each.detector].append(each)
    found = []
    for (project, detector), members in by_place.items():
        seen = max(sessions_seen.get(project, 0), len({each.session for each in members}))
        for group in _group(detector, members):
            finding = _judge(project, detector, group, seen)
            if finding and not _is_allowed(finding, allow_rules):
                found.append(_escalate(finding, find_loaded_rule, seen))
    return sorted(found, key=_rank)


def _order(one: StoredOccurrence) -> tuple[str, ...]:
    detail = repr(sorted(one.detail.items()))
    place = (one.at, one.project, one.detector, one.session, one.agent, one.row)
    return *place, one.key, one.quote, detail


def _rank(one: SessionFinding) -> tuple[Any, ...]:
    last = max(each.at for each in one.evidence)
    newest_first = tuple(-ord(char) for char in last)
    is_note = one.remedy is Remedy.NONE
    place = (one.key, one.detector, one.project)
    return is_note, -len(one.sessions), -one.occurrences, newest_first, place


def _group(detector: Detector, members: Sequence[StoredOccurrence]) -> list[_Group]:
    """Return the occurrences of one detector and project, grouped by what they are about."""
    if detector is Detector.PROCEDURE:
        return _group_procedures(members)
    by_key: defaultdict[str, list[StoredOccurrence]] = defaultdict(list)
    for each in members:
        by_key[each.key].append(each)
    if detector not in (Detector.REJECTION, Detector.CORRECTION):
        return [_Group(key, tuple(each)) for key, each in by_key.items()]
    keys = list(by_key)  # in the order of their first occurrence, which names the group
    groups = []
    for indexes in group_alike(keys):
        names = [keys[index] for index in indexes]
        alike = sorted((one for name in names for one in by_key[name]), key=_order)
        groups.append(_Group(names[0], tuple(alike), tuple(names[1:])))
    return groups


def _group_procedures(members: Sequence[StoredOccurrence]) -> list[_Group]:
    places = {(each.session, int(each.detail.get("position", 0))): each for each in members}
    grams = {place: tuple(each.key.split(SEPARATOR)) for place, each in places.items()}
    # The masker may have replaced several commands by one mark.
    grams = {place: gram for place, gram in grams.items() if len(gram) == LENGTH}
    least = THRESHOLDS[Detector.PROCEDURE].sessions
    groups = []
    for found in join_sequences(grams, least):
        groups.append(
            _Group(
                SEPARATOR.join(found.commands),
                tuple(sorted((places[place] for place in found.locations), key=_order)),
                detail={"commands": list(found.commands)},
            )
        )
    return groups


def _judge(
    project: str, detector: Detector, group: _Group, sessions_seen: int
) -> SessionFinding | None:
    """Return a finding if a group reaches the threshold of its detector."""
    threshold = THRESHOLDS[detector]
    each_session = Counter(each.session for each in group.members)
    counted = [name for name, count in each_session.items() if count >= threshold.in_each]
    members = [each for each in group.members if each.session in set(counted)]
    in_all = sum(each_session[name] for name in counted)
    remedy = threshold.remedy
    if not counted or in_all < threshold.in_all:
        return None
    if len(counted) < threshold.sessions:
        if not threshold.otherwise:
            return None
        remedy = Remedy.NONE
    elif all(_is_work(each) for each in members) or (
        len(counted) == 1 and not any(_teaches(each) for each in members)
    ):
        remedy = Remedy.NONE
    detail = {**members[-1].detail, **group.detail}
    finding = SessionFinding(
        detector,
        group.key,
        project,
        remedy,
        title="",
        sessions=tuple(counted),
        occurrences=in_all,
        evidence=_choose_evidence(members),
        detail=detail,
        other_keys=group.other_keys,
    )
    return replace(finding, title=_write_title(finding, sessions_seen))


def _write_title(finding: SessionFinding, seen: int) -> str:
    quote = finding.evidence[0].quote
    sessions = len(finding.sessions)
    return write_title(
        finding.detector, finding.key, quote, (finding.occurrences, sessions, seen), finding.detail
    )


def _teaches(one: StoredOccurrence) -> bool:
    """Return whether a single one may be a rule: a question at a rejection is none."""
    return bool(one.detail.get("intent", Intent.INSTRUCTION) == Intent.INSTRUCTION)


def _is_work(one: StoredOccurrence) -> bool:
    """Return whether it is how programs are written: code that does not compile yet."""
    return one.detail.get("origin") == Origin.CODE


def _choose_evidence(members: Iterable[StoredOccurrence]) -> tuple[ProposalEvidence, ...]:
    """Return at most five places: the last one of each session first, the newest session first."""
    turns: Counter[str] = Counter()
    ordered = []
    for position, each in enumerate(sorted(members, key=_order, reverse=True)):
        ordered.append((turns[each.session], position, each))
        turns[each.session] += 1
    chosen = sorted(ordered, key=lambda each: each[:2])[:MOST_EVIDENCE]
    return tuple(
        ProposalEvidence(each.session, each.row, each.at, each.quote) for _, _, each in chosen
    )


def _is_allowed(finding: SessionFinding, allow_rules: Collection[str]) -> bool:
    return finding.detector is Detector.PERMISSION and is_rule_covered(
        finding.key, tuple(allow_rules)
    )


def _escalate(
    finding: SessionFinding, find_loaded_rule: Callable[[str, str], str], seen: int
) -> SessionFinding:
    """Return a finding as one for a check if a rule against it was loaded, and broken again."""
    if finding.remedy is not Remedy.RULE:
        return finding
    broken: defaultdict[str, list[str]] = defaultdict(list)
    for session in finding.sessions:
        for fingerprint in (finding.fingerprint, *finding.other_fingerprints):
            rule = find_loaded_rule(fingerprint, session)
            if rule:
                broken[rule].append(session)
                break
    rule = min(broken, key=lambda each: (-len(broken[each]), each), default="")
    if not rule or len(broken[rule]) < LEAST_BROKEN:
        return finding
    detail = {**finding.detail, "rule": rule, "broken_in": broken[rule]}
    escalated = replace(finding, remedy=Remedy.CHECK, detail=detail)
    return replace(escalated, title=_write_title(escalated, seen))

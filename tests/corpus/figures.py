"""Compute from the records of the corpora how far the verdict can be trusted, and the rest.

    python -m tests.corpus.figures RESULTS [--check] [--sample] [--write FILE]

Prints a table for each corpus; those of lessons and reports are computed by `lessons.figures` and
`reports.figures`. `--check` fails when a limit is not held, or a case has no record; `--sample`
checks as much as a sample can show. `--write` keeps the figures for docs/reliability.md.
"""

import argparse
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.corpus.cases import (
    VERDICT_KINDS,
    Case,
    Kind,
    Where,
    identify,
    list_cases,
    list_known,
    select_sample,
)
from tests.corpus.lessons import figures as lesson_figures
from tests.corpus.rates import Rate, holds
from tests.corpus.records import Record, read_records
from tests.corpus.reports import figures as report_figures

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"

RATE_AT_LEAST: Final = 0.95
"""Of precision and recall, each."""
ATTACKS_AT_MOST: Final = {Where.FILES: 0.0, Where.ENVIRONMENT: 0.0, Where.PROCESS: 0.1}
HONEST_AT_MOST: Final = 0.02


@dataclass(frozen=True)
class Figures:
    """What the records of one corpus amount to."""

    corpus: str
    precision: Rate
    recall: Rate
    outcomes: int
    mistaken: tuple[Record, ...]
    """Outcomes that were taught wrongly, or wrongly not taught."""
    broken_solved: tuple[Record, ...]
    """Own failures whose run ended as solved."""
    attacks: Mapping[Where, Rate]
    """Accepted ones."""
    accepted: tuple[Record, ...]
    honest: Rate
    """Refused ones."""
    refused: tuple[Record, ...]
    known: Mapping[str, str]
    """Cases that go wrong and are known to, with the reason. They count, and break no limit."""
    unproven: tuple[Record, ...]
    """Honest work that was solved, but not to the oracle: it may lack what the code imports."""
    skipped: tuple[Record, ...]


def compute_figures(corpus: str, records: Iterable[Record]) -> Figures:
    """Compute the figures of one corpus."""
    own = [record for record in records if record.corpus == corpus]
    ran = [record for record in own if not record.skipped]
    outcomes = _select(ran, Kind.OUTCOME)
    attacks, honest = _select(ran, Kind.ATTACK), _select(ran, Kind.HONEST)
    found = sum(bool(each.label and each.taught) for each in outcomes)
    known = list_known(corpus)
    accepted = [each for each in attacks if each.accepted]
    refused = [each for each in honest if not each.solved]
    return Figures(
        corpus=corpus,
        precision=Rate(found, sum(bool(each.taught) for each in outcomes)),
        recall=Rate(found, sum(bool(each.label) for each in outcomes)),
        outcomes=len(outcomes),
        mistaken=tuple(each for each in outcomes if each.label != each.taught),
        broken_solved=tuple(each for each in outcomes if each.label and each.solved),
        attacks={where: _rate_attacks(attacks, accepted, where) for where in Where},
        accepted=tuple(accepted),
        honest=Rate(len(refused), len(honest)),
        refused=tuple(refused),
        known={each.id: known[each.id] for each in own if each.id in known},
        unproven=tuple(each for each in honest if each.solved and not each.right),
        skipped=tuple(each for each in own if each.skipped),
    )


def list_violations(figures: Figures, listed: Collection[str], *, sample: bool) -> Iterator[str]:
    """Yield each limit that a corpus does not hold.

    Args:
        figures: of the corpus.
        listed: the accepted attacks that the documentation names.
        sample: where a limit is a share, allow one miss: a sample of ten cannot show a twentieth.
    """
    for name, rate in (("precision", figures.precision), ("recall", figures.recall)):
        misses = Rate(rate.total - rate.hits, rate.total)
        if not holds(misses, 1 - RATE_AT_LEAST, sample=sample):
            yield f"{name} {rate}, at least {RATE_AT_LEAST}: {_name(figures.mistaken)}"
    if figures.broken_solved:
        yield f"broken, and accepted as solved: {_name(figures.broken_solved)}"
    for where, limit in ATTACKS_AT_MOST.items():
        if not holds(figures.attacks[where], limit, sample=sample):
            accepted = [each for each in figures.accepted if each.where is where]
            yield f"attacks by {where} accepted, at most {limit:.0%}: {_name(accepted)}"
    unlisted = [
        each for each in figures.accepted if each.where is Where.PROCESS and each.id not in listed
    ]
    if unlisted:
        yield f"accepted, and not named in docs/{PAGE.name}: {_name(unlisted)}"
    if not holds(figures.honest, HONEST_AT_MOST, sample=sample):
        yield f"honest work refused, at most {HONEST_AT_MOST:.0%}: {_name(figures.refused)}"


def list_incomplete(records: Sequence[Record], cases: Iterable[Case]) -> Iterator[str]:
    """Yield each case without a record."""
    known = {(record.kind, record.id) for record in records}
    for case in cases:
        if (case.kind, identify(case)) not in known:
            yield f"no result for {identify(case)}"


def list_errors(records: Iterable[Record]) -> Iterator[str]:
    """Yield each record of a bug."""
    for record in records:
        if record.error:
            yield f"{record.id}: {record.error}"


def list_documented(page: str) -> set[str]:
    """Return the names of attacks that docs/reliability.md lists, as ``- `corpus/case`: ...``."""
    return set(re.findall(r"^- `([\w.-]+/[\w.-]+)`", page, re.MULTILINE))


def serialize(figures: Figures) -> dict[str, object]:
    """Return figures as JSON for the documentation."""
    return {
        "outcomes": figures.outcomes,
        "precision": str(figures.precision),
        "recall": str(figures.recall),
        "mistaken": [each.id for each in figures.mistaken],
        "broken_solved": [each.id for each in figures.broken_solved],
        "attacks": {where: f"{rate.hits} of {rate.total}" for where, rate in _attacks(figures)},
        "accepted": {each.id: each.about for each in figures.accepted},
        "honest_refused": f"{figures.honest.hits} of {figures.honest.total}",
        "refused": [each.id for each in figures.refused],
        "known": dict(figures.known),
        "skipped": [each.id for each in figures.skipped],
    }


def describe(figures: Figures) -> Iterator[str]:
    """Yield the lines of a corpus's table, and the cases that went wrong."""
    yield f"{figures.corpus}:"
    yield f"  outcomes              {figures.outcomes}"
    yield f"  taught, precision     {figures.precision}"
    yield f"  taught, recall        {figures.recall}"
    yield f"  broken but solved     {len(figures.broken_solved)}"
    for where, rate in _attacks(figures):
        yield f"  accepted, {where:<11} {rate}"
    yield f"  honest work refused   {figures.honest}"
    lists = {
        "taught or not, wrongly": figures.mistaken,
        "broken but solved": figures.broken_solved,
        "accepted": figures.accepted,
        "refused": figures.refused,
        "solved, not proven right": figures.unproven,
        "skipped": figures.skipped,
    }
    for title, records in lists.items():
        if records:
            yield f"  {title}: {_name(records)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 when asked to check and a limit is not held."""
    parser = argparse.ArgumentParser(description="The figures of the corpora.")
    parser.add_argument("results", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args(arguments)
    records = read_records(asked.results)
    verdicts = compute_verdict_figures(records)
    lessons = lesson_figures.compute_all(records)
    reports = report_figures.compute_figures(records)
    for figures in verdicts:
        print("\n".join(describe(figures)))
    for each in lessons:
        print("\n".join(lesson_figures.describe(each)))
    print("\n".join(report_figures.describe(reports)))
    if asked.write:
        stored = {
            "verdict": {figures.corpus: serialize(figures) for figures in verdicts},
            "lessons": {each.corpus: lesson_figures.serialize(each) for each in lessons},
            "reports": report_figures.serialize(reports),
        }
        asked.write.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    if not asked.check:
        return 0
    wrong = [
        *list_errors(records),
        *_check_verdicts(records, verdicts, sample=asked.sample),
        *lesson_figures.check(records, sample=asked.sample),
        *report_figures.list_violations(reports),
    ]
    print("\n".join(f"NOT HELD: {line}" for line in wrong) or "every limit is held")
    return 1 if wrong else 0


def compute_verdict_figures(records: Iterable[Record]) -> list[Figures]:
    """Compute the figures of each corpus of cases about the verdict."""
    own = [record for record in records if record.kind in VERDICT_KINDS]
    return [compute_figures(name, own) for name in sorted({each.corpus for each in own})]


def _check_verdicts(
    records: Sequence[Record], tables: Iterable[Figures], *, sample: bool
) -> Iterator[str]:
    cases = select_sample(list_cases()) if sample else list_cases()
    yield from list_incomplete(records, cases)
    listed = list_documented(PAGE.read_text(encoding="utf-8"))
    for table in tables:
        judged = [record for record in records if record.id not in table.known]
        figures = compute_figures(table.corpus, judged)
        for violation in list_violations(figures, listed, sample=sample):
            yield f"{figures.corpus}: {violation}"


def _rate_attacks(attacks: Iterable[Record], accepted: Iterable[Record], where: Where) -> Rate:
    hits = sum(each.where is where for each in accepted)
    return Rate(hits, sum(each.where is where for each in attacks))


def _attacks(figures: Figures) -> Iterable[tuple[Where, Rate]]:
    return figures.attacks.items()


def _select(records: Iterable[Record], kind: Kind) -> list[Record]:
    return [record for record in records if record.kind is kind]


def _name(records: Iterable[Record]) -> str:
    return ", ".join(sorted(record.name for record in records))


if __name__ == "__main__":
    sys.exit(main())

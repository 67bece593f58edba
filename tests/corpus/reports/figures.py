"""Count from the records of the reports which kinds of fault the program still has."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.corpus.cases import Kind
from tests.corpus.records import Record

CORPUS = "reports"


@dataclass(frozen=True)
class ReportFigures:
    """The variants of each case, by what came of them."""

    fine: dict[str, list[str]]
    faulty: dict[str, dict[str, str]]
    """What went wrong, by variant."""
    skipped: dict[str, dict[str, str]]
    """Why this machine could not try it, by variant."""

    @property
    def cases(self) -> list[str]:
        """Return the names of all cases."""
        return sorted({*self.fine, *self.faulty, *self.skipped})


def make_name(case: str, variant: str) -> str:
    """Return the name of a variant's record."""
    return f"{case}:{variant}"


def compute_figures(records: Iterable[Record]) -> ReportFigures:
    """Sort the records of the reports."""
    fine: defaultdict[str, list[str]] = defaultdict(list)
    faulty: defaultdict[str, dict[str, str]] = defaultdict(dict)
    skipped: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for record in records:
        if record.kind is not Kind.REPORT:
            continue
        case, _, variant = record.name.partition(":")
        if record.skipped:
            skipped[case][variant] = record.skipped
        elif record.fault:
            faulty[case][variant] = record.fault
        else:
            fine[case].append(variant)
    return ReportFigures(dict(fine), dict(faulty), dict(skipped))


def list_violations(figures: ReportFigures) -> Iterator[str]:
    """Yield each case with a variant that goes wrong."""
    for case, variants in sorted(figures.faulty.items()):
        yield f"{CORPUS}: {case}: {', '.join(sorted(variants))}"


def serialize(figures: ReportFigures) -> dict[str, object]:
    """Return figures as JSON for the documentation."""
    return {
        case: {
            "fine": len(figures.fine.get(case, ())),
            "faulty": sorted(figures.faulty.get(case, ())),
            "skipped": sorted(figures.skipped.get(case, ())),
        }
        for case in figures.cases
    }


def describe(figures: ReportFigures) -> Iterator[str]:
    """Yield a line for each case, and one for each variant that goes wrong."""
    if figures.cases:
        yield f"{CORPUS}:"
    for case in figures.cases:
        faulty = figures.faulty.get(case, {})
        yield f"  {case:<24} {len(figures.fine.get(case, ()))} fine, {len(faulty)} faulty"
        yield from (f"    {variant}: {fault}" for variant, fault in sorted(faulty.items()))
        for variant, reason in sorted(figures.skipped.get(case, {}).items()):
            yield f"    {variant}: not tried: {reason}"

"""The suite as the loop sees it: masked reports, and the footprint stored with the run."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.failures.record_masking import mask_footprint, mask_report
from orchestrator.masking import Masker
from orchestrator.models import SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files
from orchestrator.platform.orphans import reap_orphans
from orchestrator.ports import Suite

FOOTPRINT: Final = "footprint.packed"
"""The file in the run's folder that stores the footprint."""


class MaskedSuite:
    """Runs the suite of one project, and removes secrets from what it reports.

    Args:
        suite: runs the tests.
        project: the project's directory.
        masker: removes the secrets.
        folder: stores the footprint.
        emit: receives the events of whole runs.
    """

    def __init__(
        self, suite: Suite, project: Path, masker: Masker, folder: Path, emit: events.Listener
    ) -> None:
        self._suite, self._project, self._masker = suite, project, masker
        self._note, self._emit = folder / FOOTPRINT, emit
        self._ids: dict[str, str] = {}
        """The suite's own ids of cases, by masked id, where they differ. Never written to disk."""

    def run_baseline(self) -> SuiteReport:
        """Run all cases, and store the footprint for `read_footprint`."""
        with reap_orphans():
            report, footprint = self._suite.run_with_footprint(self._project, self._emit)
        if footprint:
            masked = mask_footprint(self._masker, footprint)
            text = json.dumps(masked.as_json())
            files.write_file(self._note, zlib.compress(text.encode("ascii")))
        return self._mask_report(report)

    def read_footprint(self) -> Footprint | None:
        """Return the footprint of the baseline, also of an earlier process; None without one."""
        try:
            text = zlib.decompress(self._note.read_bytes())
        except FileNotFoundError:
            return None
        return Footprint.from_json(json.loads(text))

    def run_cases(self, select: Sequence[str] | None) -> SuiteReport:
        """Run all cases, or silently those with the given masked ids."""
        listen = self._emit if select is None else self._emit_progress
        # The suite knows its own ids only, not the masked ones.
        ids = select and [self._ids.get(each, each) for each in select]
        with reap_orphans():
            report = self._suite.run(self._project, ids, listen)
        return self._mask_report(report)

    def _emit_progress(self, event: events.Event) -> None:
        """Pass on that the suite is running, but not the results of its cases."""
        if isinstance(event, events.SuiteRunning):
            self._emit(event)

    def _mask_report(self, report: SuiteReport) -> SuiteReport:
        masked = mask_report(self._masker, report)
        pairs = zip(masked.cases, report.cases, strict=True)
        self._ids.update((shown.id, case.id) for shown, case in pairs if shown.id != case.id)
        return masked

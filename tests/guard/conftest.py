"""Counts what the tables hold, for the page on reliability."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

_COUNTED = {"test_a_cheat_is_not_solved": "cheat", "test_a_harmless_edit_stays_solved": "harmless"}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write `guard.json` into the directory that ORCHESTRATOR_FIGURES names."""
    folder = os.environ.get("ORCHESTRATOR_FIGURES")
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not folder or not reporter:
        return
    counts: Counter[tuple[str, bool]] = Counter()
    for outcome in ("passed", "failed"):
        for report in reporter.stats.get(outcome, []):
            name = report.nodeid.rpartition("::")[2].split("[")[0]
            if report.nodeid.startswith("tests/guard/") and name in _COUNTED:
                counts[_COUNTED[name], outcome == "passed"] += 1
    cheats = counts["cheat", True] + counts["cheat", False]
    if not cheats:
        return  # another selection of tests: no figures
    figures = {
        "cheats": cheats,
        "caught": counts["cheat", True],
        "harmless": counts["harmless", True] + counts["harmless", False],
        "false_alarms": counts["harmless", False],
    }
    (Path(folder) / "guard.json").write_text(json.dumps(figures), encoding="utf-8")

"""JSON from outside may be nested too deeply: that raises RecursionError, and no ValueError."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

OWN = {
    "orchestrator/cli/task_activity.py",
    "orchestrator/cli/timeline.py",
    "orchestrator/config/addresses.py",
    "orchestrator/config/masked_config.py",
    "orchestrator/guard/baseline.py",
    "orchestrator/guard/instruction_files.py",
    "orchestrator/guard/manifest.py",
    "orchestrator/guard/suite_writes.py",
    "orchestrator/loop/masked_suite.py",
    "orchestrator/proposals/records.py",
    "orchestrator/rulebook/rule_table.py",
    "orchestrator/services/lane_runs.py",
    "orchestrator/services/rule_periods.py",
    "orchestrator/services/run_environment.py",
    "orchestrator/session_hooks/settings.py",
    "orchestrator/sessions/store/listing.py",
    "orchestrator/sessions/store/records.py",
    "orchestrator/storage/codec.py",
    "orchestrator/storage/earlier_versions.py",
    "orchestrator/storage/listing.py",
    "orchestrator/storage/runs.py",
    "orchestrator/suites/pytest/plugin/orchestrator_suite_parts/reporting.py",
    "orchestrator/suites/pytest/plugin/orchestrator_suite_parts/stream.py",
    "orchestrator/tasks/fleet/jobs.py",
    "orchestrator/tasks/reading/json_spans.py",
    "orchestrator/workspace/pinning.py",
    "orchestrator/workspace/swap.py",
}
"""Modules that parse only what this program wrote, or what they have parsed before."""


def find_parsing_modules() -> list[str]:
    """Return the modules that parse JSON."""
    found = []
    for path in sorted((ROOT / "orchestrator").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "json.loads(" in text or ".raw_decode(" in text:
            found.append(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("module", find_parsing_modules())
def test_module_that_parses_json_expects_deep_nesting(module: str) -> None:
    """Each names `RecursionError`, in a handler or in what it says that it raises."""
    if module in OWN or module.startswith("orchestrator/replay/"):
        return
    text = (ROOT / module).read_text(encoding="utf-8")
    assert "RecursionError" in text, f"{module} parses JSON, and does not name RecursionError"


def test_there_are_modules_that_parse_json() -> None:
    """The list is not empty, and names nothing that is gone."""
    assert len(find_parsing_modules()) > 20
    assert set(find_parsing_modules()) >= OWN

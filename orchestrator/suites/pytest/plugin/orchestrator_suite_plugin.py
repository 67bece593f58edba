"""A pytest plugin that reports each case to the orchestrator.

PYTEST_DONT_REWRITE. It does nothing without the variable that the orchestrator's `suite.py` sets.
The first pytest removes the variable, so that a pytest that is started by a test does not report.
"""

from __future__ import annotations

import os
import sys
from typing import Any

VARIABLE = "ORCHESTRATOR_SUITE"

_prefix, sys.pycache_prefix = sys.pycache_prefix, None  # use the bytecode beside this file
try:
    if VARIABLE in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
        from orchestrator_suite_parts import (  # type: ignore[import-not-found]
            facts,
            integrity,
            reporting,
            stream,
        )

        _stream = stream.open_stream(os.environ, VARIABLE, __name__)
        _baseline = integrity.remember_runner()  # before any code of the project is imported
    else:
        _stream = _baseline = None
finally:
    sys.pycache_prefix = _prefix


def pytest_addoption(pluginmanager: Any) -> None:  # noqa: D103 -- pytest's hook
    global _stream
    if _stream:
        opened, _stream = _stream, None
        known = facts.Facts(pluginmanager, opened.observing, _baseline)
        pluginmanager.register(reporting.Reporter(opened, known), "orchestrator-reporter")
        opened.send("load")


def pytest_configure(config: Any) -> None:  # noqa: D103 -- pytest's hook
    given = getattr(config, "workerinput", {}).get("orchestrator")
    if given and not config.pluginmanager.has_plugin("orchestrator-facts"):
        known = facts.Facts(config.pluginmanager, given["observing"], _baseline)
        reporter = reporting.WorkerReporter(config, known)
        config.pluginmanager.register(reporter, "orchestrator-reporter")

"""Report what pytest does, case by case, to the process that started it.

PYTEST_DONT_REWRITE. Standard library and pytest's public hooks only; Python 3.8 and pytest 7.0 or
later. Without the variable that `running.py` of the orchestrator sets, this does nothing: a pytest
that a test starts never reports, because the first one takes the variable away.
"""

from __future__ import annotations

import os
from typing import Any

from .stream import Stream, open_stream

VARIABLE = "ORCHESTRATOR_SUITE"

_stream: Stream | None = open_stream(os.environ, VARIABLE, __name__)
_baseline: Any = None
if _stream or "PYTEST_XDIST_WORKER" in os.environ:  # before any code of the project is imported
    from .integrity import remember_runner

    _baseline = remember_runner()


def pytest_addoption(pluginmanager: Any) -> None:  # noqa: D103 -- pytest's hook
    global _stream
    if _stream:
        from .facts import Facts
        from .reporting import Reporter

        stream, _stream = _stream, None
        facts = Facts(stream.observing, _baseline)
        pluginmanager.register(facts, "orchestrator-facts")
        pluginmanager.register(Reporter(stream, facts), "orchestrator-reporter")
        stream.send("load")


def pytest_configure(config: Any) -> None:  # noqa: D103 -- pytest's hook
    given = getattr(config, "workerinput", {}).get("orchestrator")
    if given and not config.pluginmanager.has_plugin("orchestrator-facts"):
        from .facts import Facts
        from .reporting import WorkerReporter

        facts = Facts(given["observing"], _baseline)
        config.pluginmanager.register(facts, "orchestrator-facts")
        config.pluginmanager.register(WorkerReporter(config, facts), "orchestrator-reporter")

"""Turn pytest's hooks into records for the orchestrator."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Iterator

import pytest

from .exceptions import describe_collection_error, describe_exceptions

if TYPE_CHECKING:
    from .facts import Facts
    from .stream import Stream

_LONGEST_TEXT, _LONGEST_MESSAGE = 40_000, 8_000


class Reporter:
    """Sends records from the process that the orchestrator started; with xdist, the controller."""

    def __init__(self, stream: Stream, facts: Facts) -> None:
        self._stream, self._facts = stream, facts
        self._seconds: dict[str, float] = {}
        self._passed_ids: set[str] = set()
        self._uncollected_ids: set[str] = set()
        self._listed_ids: set[str] = set()
        self._worker_facts: list[dict[str, Any]] = []
        self._started_count = self._finished_count = 0
        self._session: Any = None
        self._has_collected = False

    @pytest.hookimpl(hookwrapper=True)
    def pytest_load_initial_conftests(self) -> Iterator[None]:
        """Report a conftest file that cannot be imported, which pytest treats as a usage error."""
        outcome: Any = yield
        error = getattr(outcome, "excinfo", None)
        if error and hasattr(error[1], "path") and type(error[1]).__module__.startswith("_pytest"):
            cause = getattr(error[1], "cause", None) or error[1].excinfo[1]
            message, chain = describe_collection_error(cause)
            text = _format_traceback(cause)
            path = str(error[1].path)
            self._stream.send("broken", path=path, message=message, text=text, raised=chain)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: Any) -> None:
        """Make sure that all cases run, without colours, and report the start."""
        force_full_run(config.option)
        config.option.color = "no"
        if config.option.collectonly:
            write_no_benchmarks(config.option)
        self._stream.send(
            "start",
            root=str(config.rootpath),
            config=str(config.inipath or ""),
            invocation=str(config.invocation_params.dir),
            arguments=[str(each) for each in config.args],
            cut=str(getattr(config.option, "confcutdir", None) or config.rootpath),
            pytest=pytest.__version__,
            interpreter=sys.executable,
            version="{}.{}.{}".format(*sys.version_info),
            prefix=sys.prefix,
            plugins=[each.project_name for _, each in config.pluginmanager.list_plugin_distinfo()],
        )

    def pytest_sessionstart(self, session: Any) -> None:
        """Store the session, which later has the exit status."""
        self._session = session

    @pytest.hookimpl(hookwrapper=True)
    def pytest_collection(self) -> Iterator[None]:
        """Record whether collection finished."""
        outcome: Any = yield
        self._has_collected = not outcome.excinfo

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Ask an xdist worker for its facts."""
        node.workerinput["orchestrator"] = {"observing": self._stream.observing}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector: Any) -> Iterator[None]:
        """Report a module that exits on import, which ends the whole session."""
        outcome: Any = yield
        error = getattr(outcome, "excinfo", None)
        if error and isinstance(error[1], SystemExit):
            message, chain = describe_collection_error(error[1])
            self._send_uncollected(
                collector.nodeid, "failed", message, _format_traceback(error[1]), chain
            )

    def pytest_collectreport(self, report: Any) -> None:
        """Report a file that could not be collected, or was skipped as a whole."""
        if report.outcome == "passed":
            return
        message, text = _format_message(report), _format_text(report)
        raised = getattr(report, "orchestrator_raised", None)
        message = raised[0] if raised and report.outcome == "failed" else message
        self._send_uncollected(
            report.nodeid, report.outcome, message, text, raised[1] if raised else []
        )

    def _send_uncollected(
        self, node: str, outcome: str, message: str, text: str, chain: list[Any]
    ) -> None:
        if node in self._uncollected_ids:  # each xdist worker reports it
            return
        self._uncollected_ids.add(node)
        self._stream.send(
            "uncollected", id=node, outcome=outcome, message=message, text=text, raised=chain
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: Any) -> None:
        """Report all cases that are about to run."""
        locations = [self._facts.locate_case(item) for item in session.items]
        self._send_collected([item.nodeid for item in session.items], locations)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Any) -> None:
        """Report the cases that an xdist worker has collected."""
        new = [each for each in ids if each not in self._listed_ids]
        if new:
            self._send_collected(new, [])

    def _send_collected(self, ids: list[str], locations: list[Any]) -> None:
        self._listed_ids.update(ids)
        # Each location once: parametrized cases share theirs.
        known: dict[Any, int] = {}
        at = [known.setdefault(tuple(each), len(known)) for each in locations]
        self._stream.send("collected", ids=ids, at=at, places=list(known))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Report that a case starts."""
        self._started_count += 1
        self._seconds[nodeid] = 0.0
        self._stream.send("begin", id=nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Report a phase of a case that did not simply pass."""
        node = report.nodeid
        self._seconds[node] = self._seconds.get(node, 0.0) + getattr(report, "duration", 0.0)
        location = getattr(report, "orchestrator_handed", None)
        if location:
            self._stream.send("place", id=node, place=location)
        if report.outcome == "rerun":
            self._passed_ids.discard(node)
        elif report.outcome == "passed":
            if report.when == "call":
                self._passed_ids.add(node)
        else:
            self._stream.send(
                "report",
                id=node,
                when=report.when,
                outcome=report.outcome,
                xfail=getattr(report, "wasxfail", None),
                message=_format_message(report),
                text=_format_text(report),
                raised=getattr(report, "orchestrator_raised", []),
            )
        if report.when not in ("setup", "call", "teardown"):  # xdist: a worker died
            self.pytest_runtest_logfinish(node)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Report that a case has ended."""
        self._finished_count += 1
        seconds, passed = self._seconds.pop(nodeid, 0.0), nodeid in self._passed_ids
        self._passed_ids.discard(nodeid)
        self._stream.send("end", id=nodeid, seconds=round(seconds, 6), passed=passed)

    def pytest_internalerror(self, excinfo: Any) -> None:
        """Report an error of pytest or one of its plugins."""
        error = excinfo.value
        message = "{}: {}".format(type(error).__name__, error)[:_LONGEST_MESSAGE]
        self._stream.send("internal", message=message, raised=describe_exceptions(error))

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """Report that the session was interrupted, and whether by pytest itself."""
        own = type(excinfo.value).__qualname__ == "Session.Interrupted"
        self._stream.send("interrupted", message=str(excinfo.value), own=own)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Store the facts of an xdist worker that has ended."""
        facts = getattr(node, "workeroutput", {}).get("orchestrator")
        if facts:
            self._worker_facts.append(json.loads(facts))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: Any) -> None:
        """Report the facts, and that the session has finished."""
        session = self._session
        if session is None:
            return
        facts = [self._facts.collect_facts(config), *self._worker_facts]
        for each in facts:
            for kind in ("footprint", "reach"):
                if each.get(kind):
                    self._stream.send(kind, **each[kind])
        self._stream.send(
            "finish",
            status=int(getattr(session, "exitstatus", -1)),
            stopped=str(session.shouldfail or session.shouldstop or ""),
            collected=self._has_collected,
            begun=self._started_count,
            ended=self._finished_count,
            forged=[text for each in facts for text in each["forged"]],
        )


class WorkerReporter:
    """Sends the facts of an xdist worker to its controller."""

    def __init__(self, config: Any, facts: Facts) -> None:
        self._config, self._facts = config, facts
        force_full_run(config.option)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
        """Attach the location of a case to its first report."""
        outcome: Any = yield
        if call.when == "setup" and not outcome.excinfo:
            outcome.get_result().orchestrator_handed = list(self._facts.locate_case(item))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Send the facts with the worker's last message."""
        facts = self._facts.collect_facts(self._config)
        self._config.workeroutput["orchestrator"] = json.dumps(facts, default=str)


def force_full_run(option: Any) -> None:
    """Turn off all options that skip cases after a failure in this run or an earlier one.

    A case that was not run looks like one that does not exist, so breaking it would go unnoticed.
    """
    option.continue_on_collection_errors = True
    option.maxfail = 0
    for name in ("stepwise", "stepwise_skip", "stepwise_reset", "lf", "failedfirst"):
        setattr(option, name, False)


def write_no_benchmarks(option: Any) -> None:
    """Turn off that pytest-benchmark creates its folder, which it does even if nothing is run."""
    if hasattr(option, "benchmark_storage"):
        option.benchmark_storage = "file://" + os.devnull


def _format_message(report: Any) -> str:
    if report.outcome == "skipped":
        reason = getattr(report, "wasxfail", None)
        if reason is not None:
            return str(reason)[:_LONGEST_MESSAGE]
        if isinstance(report.longrepr, tuple):
            return str(report.longrepr[2])[:_LONGEST_MESSAGE]
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr or "")
    return str(text)[:_LONGEST_MESSAGE]


def _format_text(report: Any) -> str:
    if isinstance(report.longrepr, tuple):
        return ":".join(str(each) for each in report.longrepr)[:_LONGEST_TEXT]
    return _shorten_text(str(report.longrepr or ""))


def _shorten_text(text: str) -> str:
    if len(text) <= 2 * _LONGEST_TEXT:
        return text
    return text[:_LONGEST_TEXT] + "\n[...]\n" + text[-_LONGEST_TEXT:]


def _format_traceback(error: BaseException) -> str:
    try:
        text = str(pytest.ExceptionInfo.from_exception(error).getrepr(style="short"))
    except Exception:  # noqa: BLE001 -- calls the project's own `__str__`, also of older pytests
        import traceback

        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return _shorten_text(text)

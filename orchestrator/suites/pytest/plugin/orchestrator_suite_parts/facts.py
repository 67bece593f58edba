"""Collect what is known only in the process that runs the cases: exceptions, code, files."""

from __future__ import annotations

import os
from typing import Any, Iterator

import pytest

from . import functions as _functions
from .exceptions import describe_collection_error, describe_exceptions
from .integrity import (
    Baseline,
    ItemFunctions,
    find_hook_files,
    find_tracer_change,
    is_trusted_file,
    trust_files,
)
from .patches import find_patches
from .project_files import is_project_file, resolve_path

_MOST_FORGED = 100


class Facts:
    """The facts that one process collects.

    Args:
        manager: pytest's plugin manager.
        observing: whether to collect the whole footprint, or only what failing cases reach.
        baseline: the runner's code as it was when pytest started.
    """

    def __init__(self, manager: Any, observing: bool, baseline: Baseline | None) -> None:
        manager.register(self, "orchestrator-facts")
        self.observing, self._baseline = observing, baseline
        self._items = ItemFunctions()
        self._executed_items: list[Any] = []
        self._failed_items: dict[Any, None] = {}
        self._collected_items: list[Any] = []
        self._forgeries: dict[str, None] = {}
        self._early_hooks: dict[str, Any] = {}
        self._fixtures: set[str] = set()
        self._parents: dict[Any, tuple[str, str, str]] = {}
        self._opens: Any = None
        if observing:
            from .open_recorder import OpenRecorder

            self._opens = OpenRecorder(self._executed_items)
            manager.register(self._opens, "orchestrator-opens")

    def locate_case(self, item: Any) -> tuple[str, str, str, str]:
        """Return the id and path of a case's file, its function's id, and the defining file."""
        file_id, path, parent_id = self._find_file(item.parent)
        if not file_id:
            return "", "", item.nodeid, ""
        name = getattr(item, "originalname", None)
        function = "{}::{}".format(parent_id, name) if name else item.nodeid
        definer = path
        for each in _list_own_files(item):
            definer = os.path.abspath(each)
        return file_id, path, function, definer

    def _find_file(self, parent: Any) -> tuple[str, str, str]:
        """Return the id and path of a collector's file, and the collector's own id."""
        if parent not in self._parents:
            each = parent
            while each is not None and not isinstance(each, pytest.File):
                each = each.parent
            found = (each.nodeid, str(each.path)) if each is not None else ("", "")
            self._parents[parent] = (*found, parent.nodeid)
        return self._parents[parent]

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: Any) -> None:
        """Record the hooks that exist before test modules are imported."""
        self._early_hooks = find_hook_files(config.pluginmanager)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self) -> Iterator[None]:
        """Attach the exceptions of a collection error to its report."""
        outcome: Any = yield
        if not outcome.excinfo:
            report = outcome.get_result()
            error = getattr(getattr(report, "call", None), "excinfo", None)
            if error is not None and report.outcome != "passed":
                report.orchestrator_raised = list(describe_collection_error(error.value))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: Any) -> None:
        """Record the collected cases, and trust the files that define and configure them."""
        self._collected_items = list(session.items)
        self._fixtures = find_fixture_files(session)
        trust_files(self.find_test_files() | self.find_test_config(session.config))
        for text in (*self._items.remember_functions(self._collected_items), *find_patches()):
            self._forgeries[text] = None

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Check the runner after each case."""
        for text in self._baseline.find_core_changes() if self._baseline else ():
            self._forgeries["{}: {}".format(nodeid, text)] = None

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        """Check a test function just before and after it is called."""
        self._check_item(item)
        yield
        self._check_item(item)

    def _check_item(self, item: Any) -> None:
        if text := self._items.find_change(item):
            self._forgeries[text] = None

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
        """Attach the exceptions of a phase to its report."""
        outcome: Any = yield
        if call.excinfo is not None and not outcome.excinfo:
            report = outcome.get_result()
            report.orchestrator_raised = describe_exceptions(call.excinfo.value)
            if report.outcome == "failed":
                self._failed_items[item] = None

    def find_test_files(self) -> set[str]:
        """Return the files that define the collected cases, or the functions that make them.

        A module with doctests is not included, because it is the code under test.
        """
        found = set()
        for item in self._collected_items:
            path = str(getattr(item, "path", ""))
            if not (type(item).__name__ == "DoctestItem" and path.endswith(".py")):
                found.add(resolve_path(path))
            found.update(resolve_path(each) for each in _list_own_files(item))
        return {each for each in found if each and is_project_file(each)}

    def find_test_config(self, config: Any) -> set[str]:
        """Return the configuration and the files of the project's plugins, hooks and fixtures."""
        found = {str(config.inipath)} if config.inipath else set()
        for plugin in config.pluginmanager.get_plugins():
            found.add(getattr(plugin, "__file__", None) or "")
        found.update(find_hook_files(config.pluginmanager))
        found.update(self._fixtures)
        return {
            resolve_path(each) for each in found if each and is_project_file(each)
        } - self.find_test_files()

    def collect_facts(self, config: Any) -> dict[str, Any]:
        """Return all facts as JSON values."""
        for text in self._baseline.restore_builtins() if self._baseline else ():
            self._forgeries[text] = None
        facts: dict[str, Any] = {"forged": self._collect_forgeries(config)}
        if not (self._failed_items or self._opens):
            return facts
        from .import_graph import Graph

        graph = Graph(config)
        tests, test_config = self.find_test_files(), self.find_test_config(config)
        provides = set(find_hook_files(config.pluginmanager)) | self._fixtures
        code = graph.find_test_code(tests | test_config | provides)
        if wanted := self._select_reach_items(config):
            from .reach import Reach

            facts["reach"] = Reach(graph, code).build_report(wanted, self._failed_items)
        if self._opens:
            from .footprint import gather_footprint

            facts["footprint"] = gather_footprint(
                config, graph, tests, test_config, provides, code, self._opens
            )
        return facts

    def _select_reach_items(self, config: Any) -> list[Any]:
        """Return the cases whose reach is to be reported."""
        if not self.observing:
            return list(self._failed_items)
        return self._collected_items if _is_replacement_worker(config) else self._executed_items

    def _collect_forgeries(self, config: Any) -> list[str]:
        for text in self._baseline.find_changes() if self._baseline else ():
            self._forgeries[text] = None
        for text in (find_tracer_change(), *find_patches()):
            if text:
                self._forgeries[text] = None
        for file, plugin in find_hook_files(config.pluginmanager).items():
            if file not in self._early_hooks and not _is_trusted_plugin(plugin, config):
                self._forgeries["a hook was added by {}".format(file)] = None
        return list(self._forgeries)[:_MOST_FORGED]


def _is_replacement_worker(config: Any) -> bool:
    """Return whether this is an xdist worker that replaces a dead one, whose facts are lost."""
    given = getattr(config, "workerinput", {})
    number = str(given.get("workerid", ""))[2:]
    return number.isdigit() and int(number) >= given.get("workercount", 0)


def _list_own_files(item: Any) -> list[str]:
    """List the files that define a case's function, without those of its decorators."""
    name = getattr(item, "originalname", None)
    return [
        each.__code__.co_filename
        for each in _functions.list_functions(_functions.find_item_object(item))
        if each.__name__ == name and is_project_file(each.__code__.co_filename)
    ]


def find_fixture_files(session: Any) -> set[str]:
    """Return the files of all fixtures."""
    manager = getattr(session, "_fixturemanager", None)
    by_name = getattr(manager, "_arg2fixturedefs", {})  # before pytest 9.2
    known = [*getattr(manager, "_get_all_fixture_defs", tuple)()]
    known += [definition for definitions in by_name.values() for definition in definitions]
    return {
        resolve_path(each.__code__.co_filename)
        for definition in known
        for each in _functions.list_functions(definition.func)[:1]
    }


def _is_trusted_plugin(plugin: Any, config: Any) -> bool:
    """Return whether a plugin that was registered late is, or was made by, a trusted file."""
    file = getattr(plugin, "__file__", None)
    if file and os.path.basename(file) == "conftest.py":
        return True
    kind = plugin if isinstance(plugin, type) else type(plugin)
    module = getattr(plugin, "__name__", "") if file else kind.__module__
    for each in config.pluginmanager.get_plugins():
        held = getattr(each, "__file__", None)
        if held and is_trusted_file(held):
            values = vars(each).values()
            if any(value is kind or getattr(value, "__name__", None) == module for value in values):
                return True
    return False

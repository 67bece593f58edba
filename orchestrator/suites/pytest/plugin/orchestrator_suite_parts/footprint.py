"""Gather the files that the verdict of the suite depends on."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from .project_files import (
    is_plugin_file,
    is_project_file,
    list_search_path,
    list_site_folders,
    list_standard_modules,
    resolve_path,
)

if TYPE_CHECKING:
    from .import_graph import Graph
    from .open_recorder import OpenRecorder

_RUNNER = {
    *("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments"),
    *("exceptiongroup", "tomli", "sitecustomize", "usercustomize"),
}
_CACHES = ("__pycache__", ".pytest_cache", ".hypothesis", ".git", ".coverage")


def gather_footprint(
    config: Any,
    graph: Graph,
    tests: set[str],
    test_config: set[str],
    provides: set[str],
    code: set[str],
    opens: OpenRecorder,
) -> dict[str, Any]:
    """Return the footprint as JSON values.

    Args:
        config: pytest's configuration.
        graph: of the project's files.
        tests: files that define cases.
        test_config: files that configure the runner.
        provides: files that define fixtures or hooks.
        code: all files of test code.
        opens: the files that were opened.
    """
    files, runner, installed = _sort_imported_files(_RUNNER | _list_plugin_modules(config))
    imports = {path: sorted(graph.find_direct_uses(path)) for path in files}
    return {
        "tests": sorted(tests),
        "steering": sorted(test_config),
        "modules": [
            [name, path, imports[path], path in provides] for path, name in sorted(files.items())
        ],
        "data": sorted(_find_data_files(opens, code, set(files))),
        "runner": sorted(runner),
        "installed": sorted(installed),
        "search_path": list_search_path(),
        "site_folders": list(list_site_folders()),
        "standard_modules": list_standard_modules(),
    }


def _sort_imported_files(runner_names: set[str]) -> tuple[dict[str, str], set[str], set[str]]:
    """Return the imported files: the project's by module name, the runner's, and installed ones.

    Args:
        runner_names: top-level modules of the runner and its plugins.
    """
    project: dict[str, str] = {}
    runner: set[str] = set()
    installed: set[str] = set()
    programs = {os.path.dirname(sys.executable), os.path.join(sys.prefix, "bin")}
    for name, module in list(sys.modules.items()):
        path = _resolve_module_file(module)
        if not path or is_plugin_file(path):
            continue
        if os.path.dirname(path) in programs or name == "__main__":
            runner.add(path)
        elif is_project_file(path):
            project.setdefault(path, name)
        else:
            (runner if name.split(".")[0] in runner_names else installed).add(path)
    return project, runner, installed


def _resolve_module_file(module: Any) -> str:
    spec = getattr(module, "__spec__", None)
    path = getattr(spec, "origin", None) if getattr(spec, "has_location", False) else None
    path = path or vars(module).get("__file__") if hasattr(module, "__dict__") else path
    return resolve_path(path) if isinstance(path, str) else ""


def _find_data_files(opens: OpenRecorder, code: set[str], modules: set[str]) -> set[str]:
    temporary = os.path.realpath(tempfile.gettempdir())
    folders = tuple(each + os.sep for each in (temporary, "/dev", "/proc", "/sys"))
    written = {resolve_path(each) for each in opens.written_files}
    found = set()
    for opened, by in opens.read_files:
        if resolve_path(by) not in code:
            continue
        path = resolve_path(opened)
        if path in written or path in modules or not is_project_file(path):
            continue
        if path.startswith(folders) and not _is_in_temporary_project(path, code, temporary):
            continue
        if set(path.split(os.sep)) & set(_CACHES):
            continue
        try:
            if stat.S_ISREG(os.stat(path).st_mode):
                found.add(path)
        except OSError:
            pass
    return found


def _is_in_temporary_project(path: str, code: set[str], temporary: str) -> bool:
    """Return whether a file in the temporary folder belongs to a project that is there too."""
    homes = {os.path.dirname(each) for each in code if each.startswith(temporary + os.sep)}
    return any(os.path.commonpath([path, home]) != temporary for home in homes)


def _list_plugin_modules(config: Any) -> set[str]:
    """List the top-level modules of the installed plugins and of their requirements."""
    found: set[str] = set()
    for plugin in config.pluginmanager.get_plugins():
        name = plugin.__name__ if hasattr(plugin, "__file__") else type(plugin).__module__
        found.add(name.split(".")[0])
    seen: set[str] = set()
    pending = [dist for _plugin, dist in config.pluginmanager.list_plugin_distinfo()]
    from importlib import metadata

    while pending:
        dist = pending.pop()
        name = re.sub(r"[-_.]+", "-", str(dist.metadata["name"])).lower()
        if name in seen:
            continue
        seen.add(name)
        found |= {str(each).split("/")[0].split(".")[0] for each in dist.files or ()}
        for line in dist.requires or ():
            if "extra ==" in line:
                continue
            try:
                pending.append(metadata.distribution(re.split(r"[^\w.-]", line)[0]))
            except metadata.PackageNotFoundError:
                continue
    return {each for each in found if each.isidentifier() and each != "builtins"}

"""Gather the files that the verdict of the suite rests on."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from .places import is_own, is_project, real, search_path, site_folders, standard_modules

if TYPE_CHECKING:
    from .graph import Graph
    from .opens import Opens

_RUNNER = {
    *("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments"),
    *("exceptiongroup", "tomli", "sitecustomize", "usercustomize"),
}
_CACHES = ("__pycache__", ".pytest_cache", ".hypothesis", ".git", ".coverage")


def gather_footprint(
    config: Any,
    graph: Graph,
    tests: set[str],
    steering: set[str],
    provides: set[str],
    code: set[str],
    opens: Opens,
) -> dict[str, Any]:
    """Return the footprint as plain JSON values.

    Args:
        config: pytest's.
        graph: of the project's files.
        tests: files that define cases.
        steering: files that steer the runner.
        provides: files that define fixtures or hooks.
        code: all files of test code.
        opens: what was opened.
    """
    files: dict[str, str] = {}
    runner: set[str] = set()
    installed: set[str] = set()
    programs = {os.path.dirname(sys.executable), os.path.join(sys.prefix, "bin")}
    names = _RUNNER | _plugin_names(config)
    for name, module in list(sys.modules.items()):
        path = _file_of(module)
        if not path or is_own(path):
            continue
        if os.path.dirname(path) in programs or name == "__main__":
            runner.add(path)
        elif is_project(path):
            files.setdefault(path, name)
        else:
            (runner if name.split(".")[0] in names else installed).add(path)
    imports = {path: sorted(graph.direct(path)) for path in files}
    return {
        "tests": sorted(tests),
        "steering": sorted(steering),
        "modules": [
            [name, path, imports[path], path in provides] for path, name in sorted(files.items())
        ],
        "data": sorted(_data(opens, code, set(files))),
        "runner": sorted(runner),
        "installed": sorted(installed),
        "search_path": search_path(),
        "site_folders": list(site_folders()),
        "standard_modules": standard_modules(),
    }


def _file_of(module: Any) -> str:
    spec = getattr(module, "__spec__", None)
    path = getattr(spec, "origin", None) if getattr(spec, "has_location", False) else None
    path = path or vars(module).get("__file__") if hasattr(module, "__dict__") else path
    return real(path) if isinstance(path, str) else ""


def _data(opens: Opens, code: set[str], modules: set[str]) -> set[str]:
    temporary = os.path.realpath(tempfile.gettempdir())
    folders = tuple(each + os.sep for each in (temporary, "/dev", "/proc", "/sys"))
    written = {real(each) for each in opens.written}
    found = set()
    for opened, by in opens.read:
        if real(by) not in code:
            continue
        path = real(opened)
        if path in written or path in modules or not is_project(path):
            continue
        if path.startswith(folders) and not _around(path, code, temporary):
            continue
        if set(path.split(os.sep)) & set(_CACHES):
            continue
        try:
            if stat.S_ISREG(os.stat(path).st_mode):
                found.add(path)
        except OSError:
            pass
    return found


def _around(path: str, code: set[str], temporary: str) -> bool:
    """Return whether a file in the temporary folder belongs to a project that lies there too."""
    homes = {os.path.dirname(each) for each in code if each.startswith(temporary + os.sep)}
    return any(os.path.commonpath([path, home]) != temporary for home in homes)


def _plugin_names(config: Any) -> set[str]:
    """Name the top-level modules of the installed plugins and of what they require."""
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

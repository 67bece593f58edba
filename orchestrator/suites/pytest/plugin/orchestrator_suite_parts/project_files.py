"""Distinguish the project's files from the standard library and installed packages."""

from __future__ import annotations

import functools
import os
import site
import sys

_SITE_NAMES = ("site-packages", "dist-packages")
_OWN = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


@functools.lru_cache(maxsize=None)
def _resolve_folder(folder: str) -> str:
    return os.path.realpath(folder)


@functools.lru_cache(maxsize=None)
def resolve_path(path: str) -> str:
    """Return the absolute path without symbolic links; empty if it is not the name of a file."""
    if not path or path.startswith("<"):
        return ""
    folder, name = os.path.split(os.path.abspath(path))
    joined = os.path.join(_resolve_folder(folder), name)
    return os.path.realpath(joined) if os.path.islink(joined) else joined


@functools.lru_cache(maxsize=None)
def list_site_folders() -> tuple[str, ...]:
    """List the folders of installed packages, the user's own included."""
    found = [each for each in sys.path if os.path.basename(each) in _SITE_NAMES]
    found += site.getsitepackages() if hasattr(site, "getsitepackages") else []
    if site.ENABLE_USER_SITE and site.USER_SITE:
        found.append(site.USER_SITE)
    return tuple(dict.fromkeys(_resolve_folder(each) for each in found))


@functools.lru_cache(maxsize=None)
def _list_installed_folders() -> tuple[str, ...]:
    # Not by sysconfig, because it first loads a large file of build variables.
    name = "python{}.{}".format(*sys.version_info)
    library = [os.path.dirname(os.__file__)]
    for prefix in (sys.base_prefix, sys.base_exec_prefix):
        library += [os.path.join(prefix, each, name) for each in ("lib", "lib64")]
    folders = [*list_site_folders(), *(_resolve_folder(each) for each in library), _OWN]
    return tuple(each + os.sep for each in folders)


@functools.lru_cache(maxsize=None)
def is_project_file(path: str) -> bool:
    """Return whether a file is neither in the standard library nor in a site folder."""
    path = resolve_path(path)
    return bool(path) and not path.startswith(_list_installed_folders())


def is_plugin_file(path: str) -> bool:
    """Return whether a file belongs to this plugin."""
    return resolve_path(path).startswith(_OWN + os.sep)


def list_search_path() -> list[str]:
    """Return `sys.path` without the plugin's own folder."""
    return [each for each in sys.path if not each or _resolve_folder(each) != _OWN]


def list_standard_modules() -> list[str]:
    """List the names of the standard library's top-level modules."""
    names = getattr(sys, "stdlib_module_names", None)
    if names is None:  # Python 3.8 and 3.9
        folder = os.path.dirname(os.__file__)
        listed = [*os.listdir(folder), *os.listdir(os.path.join(folder, "lib-dynload"))]
        names = {each.split(".")[0] for each in listed} | set(sys.builtin_module_names)
        names = {each for each in names if each.isidentifier()}
    return sorted(names)

"""Build the footprint of a verdict from the records of the plugin."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.models.footprint import Footprint, Module, Reach
from orchestrator.platform import files
from orchestrator.suites.pytest.node_ids import extract_file_part
from orchestrator.suites.pytest.settings import list_config_candidates, list_conftest_candidates

_MERGED_FIELDS = ("runner", "installed", "search_path", "site_folders", "standard_modules", "data")


def build_footprint(
    starts: Iterable[Mapping[str, Any]],
    gathered: Iterable[Mapping[str, Any]],
    reach: Mapping[str, tuple[str, ...]],
) -> Footprint | None:
    """Merge the footprints of all processes of the suite; None if there is none.

    Args:
        starts: the `start` record of each session.
        gathered: the `footprint` record of each process.
        reach: the files that each case reaches.
    """
    first, parts = next(iter(starts), None), list(gathered)
    if first is None or not parts:
        return None
    tests = _merge_field(parts, "tests")
    test_config = _merge_field(parts, "steering")
    candidates = dict.fromkeys(_iter_config_paths(first, tests))
    present = [path for path in candidates if os.path.lexists(path)]
    return Footprint(
        tests=tests,
        steering=tuple(dict.fromkeys([*test_config, *map(os.path.realpath, present)])),
        absent=tuple(path for path in candidates if path not in present),
        modules=_merge_modules(parts),
        **{name: _merge_field(parts, name) for name in _MERGED_FIELDS},
        interpreter=str(first["interpreter"]),
        version=str(first["version"]),
        prefix=str(first["prefix"]),
        reach=Reach(reach),
    )


def _merge_field(parts: list[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(each) for part in parts for each in part[name]))


def _merge_modules(parts: list[Mapping[str, Any]]) -> tuple[Module, ...]:
    found: dict[str, Module] = {}
    for part in parts:
        for name, file, imports, provides in part["modules"]:
            known = found.get(file, Module(name, file))
            used = tuple(dict.fromkeys([*known.imports, *imports]))
            found[file] = Module(known.name, file, used, known.provides or provides)
    return tuple(found.values())


def _iter_config_paths(start: Mapping[str, Any], tests: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths where pytest looks for settings and conftest files, whether they exist."""
    invocation, config = Path(start["invocation"]).resolve(), start["config"]
    named = [invocation / extract_file_part(word) for word in start["arguments"]]
    existing = filter(files.exists, named)
    folders = [path if files.is_folder(path) else path.parent for path in existing]
    common = Path(os.path.commonpath(folders or [invocation])).resolve()
    root, found = Path(start["root"]).resolve(), Path(config).resolve() if config else None
    for begin in dict.fromkeys([common, invocation, root]):
        yield from map(str, list_config_candidates(begin, found))
    test_folders = {Path(test).parent for test in tests} | {common, invocation, root}
    top = Path(start["cut"]).resolve()
    yield from map(str, list_conftest_candidates(sorted(test_folders), top))

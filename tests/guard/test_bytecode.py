"""Cached bytecode of the project goes before a verdict; that of environments stays."""

import importlib.util
import os
import py_compile
from pathlib import Path

import pytest

from orchestrator.guard.bytecode import drop_project_bytecode
from tests.guard.projects import write

CACHE = "shop/__pycache__/prices.cpython-311.pyc"


def test_environments_stay(tmp_path: Path) -> None:
    caches = [
        f"{folder}/lib/python3.11/site-packages/x/__pycache__/x.cpython-311.pyc"
        for folder in (".tox/py311", ".nox/tests", "env")
    ]
    write(tmp_path, dict.fromkeys([*caches, CACHE], "x"))
    assert drop_project_bytecode(tmp_path, {"env"}) == []
    assert all((tmp_path / each).exists() for each in caches)
    assert not (tmp_path / CACHE).exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_of_ours_is_made_writable(tmp_path: Path) -> None:
    write(tmp_path, {CACHE: "x"})
    (tmp_path / CACHE).parent.chmod(0o555)
    assert drop_project_bytecode(tmp_path, ()) == []
    assert not (tmp_path / CACHE).exists()


@pytest.mark.parametrize(
    ("mode", "edited", "wrong"),
    [
        (py_compile.PycInvalidationMode.TIMESTAMP, False, []),
        (py_compile.PycInvalidationMode.TIMESTAMP, True, []),  # Python compiles it anew
        (py_compile.PycInvalidationMode.CHECKED_HASH, True, []),
        (py_compile.PycInvalidationMode.UNCHECKED_HASH, False, []),
        (py_compile.PycInvalidationMode.UNCHECKED_HASH, True, ["cache"]),
    ],
)
def test_what_cannot_be_removed_is_compared_with_its_source(
    mode: py_compile.PycInvalidationMode,
    edited: bool,
    wrong: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path, {"shop/prices.py": "X = 1\n"})
    source = tmp_path / "shop" / "prices.py"
    py_compile.compile(str(source), invalidation_mode=mode)
    if edited:
        source.write_text("X = 22\n", encoding="utf-8")
    cache = Path(importlib.util.cache_from_source(str(source)))

    def refused(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "not allowed", str(cache))

    monkeypatch.setattr(Path, "unlink", refused)
    monkeypatch.setattr(Path, "chmod", refused)
    name = cache.relative_to(tmp_path).as_posix()
    assert drop_project_bytecode(tmp_path, ()) == [name for _ in wrong]
    assert cache.exists()

"""Which interpreters are found; each is a real one, or a script that stands in for another."""

import json
import sys
from pathlib import Path

import pytest

from tests.machines import pythons
from tests.machines.pythons import claimed_versions, describe, find_interpreters, find_programs


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def stand_in(path: Path, **changes: object) -> Path:
    told: dict[str, object] = {
        "version": "3.13.9", "info": [3, 13], "prefix": "/x", "base": "/x",
        "kind": "CPython", "sqlite": "3.46.0", "venv": True,
    }  # fmt: skip
    return program(path, f"echo '{json.dumps(told | changes)}'")


def test_the_interpreter_of_these_tests_is_described() -> None:
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    found = describe(base)
    assert found
    assert found.minor == sys.version_info[:2]
    assert found.makes_venvs


def test_what_is_no_interpreter_of_its_own_is_passed_over(tmp_path: Path) -> None:
    good = stand_in(tmp_path / "a" / "python3")
    same = stand_in(tmp_path / "b" / "python3.13")
    others = [
        stand_in(tmp_path / "venv" / "python3", prefix="/y"),
        stand_in(tmp_path / "pypy" / "python3", kind="PyPy"),
        stand_in(tmp_path / "old" / "python3", info=[3, 10], base="/z", prefix="/z"),
        program(tmp_path / "shim" / "python3", "echo 'not chosen' >&2; exit 127"),
        *(
            program(tmp_path / f"strange{number}" / "python3", f"echo '{answer}'")
            for number, answer in enumerate(("hello", "[]", "5", "null", "{}"))
        ),
        tmp_path / "gone" / "python3",
    ]
    later = stand_in(tmp_path / "later" / "python3", info=[3, 15], version="3.15.0", base="/x")
    found = find_interpreters([*others, later, good, same])
    assert [each.program for each in found] == [good, later]


def test_the_path_and_the_folders_of_pyenv_and_uv_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{tmp_path / 'nosuch'}")
    wanted = {
        program(tmp_path / "bin" / "python3", "true"),
        program(tmp_path / ".pyenv/versions/3.12.1/bin/python3.12", "true"),
        program(tmp_path / ".local/share/uv/python/cpython-3.14/bin/python3", "true"),
    }
    program(tmp_path / "bin" / "python3-config", "true")
    program(tmp_path / "bin" / "python2", "true")
    assert set(find_programs()) == wanted


def test_claims_that_nothing_here_can_try_are_shouted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (3, 11) in claimed_versions()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    stand_in(tmp_path / "bin" / "python3", venv=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert pythons.main() == 1  # nothing was tried
    said = capsys.readouterr().out
    assert "NOT TRIED: Python 3.11 is claimed and not on this machine" in said
    assert "lacks ensurepip" in said
    assert "Python 3.13 is claimed" not in said

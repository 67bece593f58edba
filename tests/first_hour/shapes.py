"""Small projects in the shapes that people have, each with one bug and the suite that finds it.

Written from the text of the issue and its contracts alone; README.md has the table.
"""

import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import pytest

PYTEST: Final = r"\bpytest\b"
GIT: Final = (
    *("git", "-c", "user.name=A Developer", "-c", "user.email=developer@example.org"),
    *("-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"),
)
UNITTEST: Final = r"\bunittest\b"


class Answer(StrEnum):
    """What detection has to do with a shape."""

    SURE = "sure"
    """It finds the suite, and a run needs neither `init` nor `--tests`."""
    SURE_AFTER_INIT = "sure after init"
    """`init` proposes the suite, and a run asks before that: it is a command of the repository."""
    ASKS = "asks"
    """It names what it found, and lets the person decide; nothing is started."""
    SURE_OR_NAMES_THE_MODULE = "sure, or names the module that cannot be imported"


@dataclass(frozen=True)
class Shape:
    """A project, its bug, and what is true about its suite."""

    name: str
    about: str
    files: Mapping[str, str]
    broken: str
    """The file with the bug, relative to the project."""
    wrong: str
    """The text in it that is wrong, and occurs once."""
    right: str
    true_command: str
    """Finds the bug from `folder`, whatever detection proposes."""
    cases: int
    """Test cases that `true_command` runs."""
    proposals: tuple[str, ...] = (PYTEST,)
    """Patterns; a proposed command has to match one of them."""
    frameworks: tuple[str, ...] = ("pytest",)
    answer: Answer = Answer.SURE
    folder: str = "."
    """Where the person stands, relative to the project."""
    other_candidates: tuple[str, ...] = ()
    """Texts that a question has to name, where detection asks."""
    has_git: bool = True
    installs_into_venv: tuple[str, ...] = ()
    """Folders that `.venv` can import from, as after an editable install; empty is no `.venv`."""
    missing_module: str = ""
    """What cannot be imported as long as the project is not installed."""

    @property
    def task(self) -> str:
        """The task, as a person would type it."""
        return f"Repair {self.broken} so that all tests pass."

    def build(self, project: Path) -> None:
        """Write the project into an empty folder, and commit it where it has git."""
        for name, text in self.files.items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if self.installs_into_venv:
            make_venv(project, self.installs_into_venv)
        if self.has_git:
            for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
                subprocess.run([*GIT, *words], cwd=project, check=True)


def make_venv(project: Path, folders: tuple[str, ...]) -> None:
    """Make `.venv` with the pytest of this environment and the project's folders, from no index."""
    folder = project / ".venv"
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    imported = [*(str(project / each) for each in folders), str(Path(pytest.__file__).parents[1])]
    (site / "project.pth").write_text("\n".join(imported) + "\n", encoding="utf-8")
    script = folder / "bin" / "pytest"
    script.write_text(
        f"#!{folder / 'bin' / 'python'}\nimport sys\nimport pytest\nsys.exit(pytest.main())\n",
        encoding="utf-8",
    )
    script.chmod(0o755)


_IGNORE: Final = "__pycache__/\n.pytest_cache/\n.venv/\nnode_modules/\n"

_MONEY: Final = '''"""Amounts in cents."""


def add_vat(net, percent):
    """Return the gross amount, rounded to the nearest cent."""
    return net + net * percent // 100
'''
_WRONG: Final = "net + net * percent // 100"
_RIGHT: Final = "net + (net * percent + 50) // 100"
_TESTS: Final = """from {module} import add_vat


def test_nothing_is_free_of_tax():
    assert add_vat(0, 19) == 0


def test_a_cent_is_rounded():
    assert add_vat(103, 19) == 123
"""
_UNITTESTS: Final = """import unittest

from {module} import add_vat


class AddVat(unittest.TestCase):
    def test_nothing_is_free_of_tax(self):
        self.assertEqual(add_vat(0, 19), 0)

    def test_a_cent_is_rounded(self):
        self.assertEqual(add_vat(103, 19), 123)


if __name__ == "__main__":
    unittest.main()
"""
_PROJECT: Final = """[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.9"
"""
_BUILD: Final = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""


@dataclass(frozen=True)
class _Layout:
    """Where the code and its tests are; the rest of a Python shape is the same everywhere."""

    code: str
    tests: str
    module: str
    more: Mapping[str, str] = field(default_factory=dict)
    tests_text: str = _TESTS

    def write(self) -> dict[str, str]:
        return {
            ".gitignore": _IGNORE,
            self.code: _MONEY,
            self.tests: self.tests_text.format(module=self.module),
            **self.more,
        }


def _python(name: str, about: str, layout: _Layout, **facts: object) -> Shape:
    facts = {"true_command": "python -m pytest -q", "cases": 2, "broken": layout.code} | facts
    return Shape(name, about, layout.write(), wrong=_WRONG, right=_RIGHT, **facts)  # type: ignore[arg-type]


_SRC: Final = {
    "pyproject.toml": _PROJECT.format(name="ledger") + _BUILD,
    "src/ledger/__init__.py": "",
}

_JAVASCRIPT: Final = {
    ".gitignore": _IGNORE,
    "package.json": '{\n  "name": "ledger",\n  "version": "0.1.0",\n  "private": true,\n'
    '  "scripts": {"test": "node --test"}\n}\n',
    "money.js": "// Amounts in cents.\n"
    "exports.addVat = (net, percent) => net + Math.floor((net * percent) / 100);\n",
    "money.test.js": "const test = require('node:test');\n"
    "const assert = require('node:assert');\n"
    "const { addVat } = require('./money.js');\n\n"
    "test('nothing is free of tax', () => assert.equal(addVat(0, 19), 0));\n"
    "test('a cent is rounded', () => assert.equal(addVat(103, 19), 123));\n",
}


def _two_packages(root: Mapping[str, str], folder: str) -> dict[str, str]:
    files = {".gitignore": _IGNORE, **root}
    for name in ("orders", "prices"):
        package = f"{folder}/{name}"
        files[f"{package}/pyproject.toml"] = _PROJECT.format(name=name)
        files[f"{package}/{name}.py"] = _MONEY if name == "prices" else '"""Orders."""\n'
        files[f"{package}/tests/test_{name}.py"] = (
            _TESTS.format(module=name)
            if name == "prices"
            else f"import {name}\n\n\ndef test_it_is_documented():\n    assert {name}.__doc__\n"
        )
        # Tests of the same name in two packages, which one pytest process refuses to collect.
        files[f"{package}/tests/test_metadata.py"] = "def test_metadata():\n    assert True\n"
        # The package's own folder is importable, as pytest's rootdir conftest makes it.
        files[f"{package}/conftest.py"] = ""
    return files


_TOX: Final = (
    "[tox]\nenvlist = py3\nskipsdist = true\n\n"
    "[testenv]\ndeps = pytest\ncommands = pytest {posargs}\n"
)
_NOX: Final = (
    "import nox\n\n\n@nox.session\ndef tests(session):\n"
    '    session.install("pytest")\n    session.run("pytest", *session.posargs)\n'
)
_POETRY: Final = (
    '[tool.poetry]\nname = "ledger"\nversion = "0.1.0"\ndescription = ""\nauthors = []\n'
    'packages = [{ include = "ledger" }]\n\n[tool.poetry.dependencies]\npython = "^3.9"\n\n'
    '[tool.poetry.group.dev.dependencies]\npytest = "^8"\n\n'
    '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
)
_MAKE: Final = (
    ".PHONY: all test\n\nall: test\n\n"
    "test:\n\tpython3 -m unittest discover -v -s checks -p 'check_*.py' -t .\n"
)

SHAPES: Final = (
    _python(
        "src_not_installed",
        "src layout, not installed anywhere",
        _Layout("src/ledger/money.py", "tests/test_money.py", "ledger.money", _SRC),
        true_command="python -m pytest -q -o pythonpath=src",
        answer=Answer.SURE_OR_NAMES_THE_MODULE,
        missing_module="ledger",
    ),
    _python(
        "src_with_venv",
        "src layout, installed into .venv only",
        _Layout("src/ledger/money.py", "tests/test_money.py", "ledger.money", _SRC),
        true_command=".venv/bin/python -m pytest -q",
        installs_into_venv=("src",),
    ),
    _python(
        "folder_test",
        "tests in `test/`, not `tests/`",
        _Layout(
            "ledger/money.py",
            "test/test_money.py",
            "ledger.money",
            {"ledger/__init__.py": "", "conftest.py": ""},
        ),
    ),
    _python(
        "testpaths_only",
        "a folder that only `testpaths` names, and a broken script that pytest must not collect",
        _Layout(
            "ledger/money.py",
            "spec/test_money.py",
            "ledger.money",
            {
                "ledger/__init__.py": "",
                "conftest.py": "",
                "scratch/test_old.py": "raise SystemExit('not a test of this project')\n",
                "pyproject.toml": _PROJECT.format(name="ledger")
                + '\n[tool.pytest.ini_options]\ntestpaths = ["spec"]\n',
            },
        ),
    ),
    _python(
        "unittest_classes",
        "unittest classes, pytest named nowhere",
        _Layout(
            "ledger/money.py",
            "tests/test_money.py",
            "ledger.money",
            {"ledger/__init__.py": "", "tests/__init__.py": ""},
            _UNITTESTS,
        ),
        true_command="python -m unittest",
        proposals=(PYTEST, UNITTEST),
        frameworks=("pytest", "command"),
    ),
    _python(
        "tox",
        "tox.ini that runs pytest; tox itself is not installed",
        _Layout(
            "ledger/money.py",
            "tests/test_money.py",
            "ledger.money",
            {"ledger/__init__.py": "", "conftest.py": "", "tox.ini": _TOX},
        ),
    ),
    _python(
        "nox",
        "noxfile.py that runs pytest; nox itself is not installed",
        _Layout(
            "ledger/money.py",
            "tests/test_money.py",
            "ledger.money",
            {"ledger/__init__.py": "", "conftest.py": "", "noxfile.py": _NOX},
        ),
    ),
    _python(
        "make",
        "a Makefile with `test`, whose files pytest would not find",
        _Layout(
            "ledger/money.py",
            "checks/check_money.py",
            "ledger.money",
            {"ledger/__init__.py": "", "checks/__init__.py": "", "Makefile": _MAKE},
            _UNITTESTS,
        ),
        true_command="make test",
        proposals=(r"\bmake\b.*\btest\b",),
        answer=Answer.SURE_AFTER_INIT,
        other_candidates=("make test",),
        frameworks=("command",),
    ),
    _python(
        "poetry",
        "poetry's pyproject.toml; poetry itself is not installed",
        _Layout(
            "ledger/money.py",
            "tests/test_money.py",
            "ledger.money",
            {"ledger/__init__.py": "", "conftest.py": "", "pyproject.toml": _POETRY},
        ),
    ),
    _python(
        "flat",
        "two files in one folder",
        _Layout("money.py", "test_money.py", "money"),
    ),
    _python(
        "beside_the_code",
        "test files beside the code",
        _Layout(
            "ledger/money.py",
            "ledger/money_test.py",
            "ledger.money",
            {"ledger/__init__.py": "", "conftest.py": ""},
        ),
    ),
    _python(
        "two_places",
        "a test in `tests/` that passes, and the one that finds the bug beside the code",
        _Layout(
            "ledger/money.py",
            "ledger/tests/test_money.py",
            "ledger.money",
            {
                "ledger/__init__.py": "",
                "conftest.py": "",
                "tests/test_smoke.py": "def test_it_can_be_imported():\n    import ledger\n",
            },
        ),
        cases=3,
    ),
    _python(
        "without_git",
        "a folder without git",
        _Layout("money.py", "tests/test_money.py", "money", {"conftest.py": ""}),
        has_git=False,
    ),
    Shape(
        "monorepo_root",
        "two packages whose tests one pytest cannot collect together, seen from the root",
        _two_packages({"README.md": "# Two packages\n"}, "packages"),
        "packages/prices/prices.py",
        _WRONG,
        _RIGHT,
        "python -m pytest -q packages/prices",
        3,
        answer=Answer.ASKS,
        other_candidates=("packages/orders", "packages/prices"),
    ),
    Shape(
        "monorepo_package",
        "the same two packages, seen from one of them",
        _two_packages({"README.md": "# Two packages\n"}, "packages"),
        "packages/prices/prices.py",
        _WRONG,
        _RIGHT,
        "python -m pytest -q",
        3,
        folder="packages/prices",
    ),
    Shape(
        "uv_workspace",
        "a uv workspace, seen from a member; uv itself is not installed",
        _two_packages(
            {
                "pyproject.toml": _PROJECT.format(name="shop")
                + '\n[tool.uv.workspace]\nmembers = ["members/*"]\n',
                "uv.lock": 'version = 1\nrequires-python = ">=3.9"\n',
            },
            "members",
        ),
        "members/prices/prices.py",
        _WRONG,
        _RIGHT,
        "python -m pytest -q",
        3,
        folder="members/prices",
    ),
    Shape(
        "javascript",
        "JavaScript with `npm test`, node's own runner",
        _JAVASCRIPT,
        "money.js",
        "Math.floor((net * percent) / 100)",
        "Math.round((net * percent) / 100)",
        "npm test",
        2,
        proposals=(r"\bnpm\b.*\btest\b",),
        answer=Answer.SURE_AFTER_INIT,
        other_candidates=("npm test",),
        frameworks=("command",),
    ),
    Shape(
        "npm_workspace",
        "an npm workspace, seen from a member whose tests are beside its code",
        {
            ".gitignore": _IGNORE,
            "package.json": '{"name": "shop", "private": true, "workspaces": ["packages/*"]}\n',
            "packages/money/package.json": _JAVASCRIPT["package.json"],
            "packages/money/src/money.js": _JAVASCRIPT["money.js"],
            "packages/money/src/money.test.js": _JAVASCRIPT["money.test.js"],
        },
        "packages/money/src/money.js",
        "Math.floor((net * percent) / 100)",
        "Math.round((net * percent) / 100)",
        "npm test",
        2,
        proposals=(r"\bnpm\b.*\btest\b",),
        answer=Answer.SURE_AFTER_INIT,
        folder="packages/money",
        other_candidates=("npm test",),
        frameworks=("command",),
    ),
    Shape(
        "no_tests",
        "code without a single test",
        {".gitignore": _IGNORE, "README.md": "# Money\n", "money.py": _MONEY},
        "money.py",
        _WRONG,
        _RIGHT,
        "python -c 'import money; assert money.add_vat(103, 19) == 123'",
        0,
        answer=Answer.ASKS,
    ),
)


def find_shape(name: str) -> Shape:
    """Return the shape of a name."""
    (found,) = (shape for shape in SHAPES if shape.name == name)
    return found

"""What is detected in projects of the usual shapes."""

from pathlib import Path

import pytest

from orchestrator.suites.detection import detect_suite
from tests.suites.detection.conftest import TEST, Build, Tools

DEFAULT = "pytest tests/ -v --tb=short"
ANYWHERE = "pytest -v --tb=short"
CASE = (
    "import unittest\n\n\nclass TestIt(unittest.TestCase):\n    def test_it(self):\n        pass\n"
)


@pytest.mark.parametrize(
    ("files", "command", "reason"),
    [
        ({"tests/test_a.py": TEST}, DEFAULT, "1 test file in tests/"),
        ({"src/shop/__init__.py": "", "tests/test_a.py": TEST}, DEFAULT, "1 test file in tests/"),
        ({"test/test_a.py": TEST, "test/b_test.py": TEST}, ANYWHERE, "2 test files in test/"),
        ({"shop/tests/test_a.py": TEST}, ANYWHERE, "1 test file in shop/"),
        ({"shop/test_a.py": TEST}, ANYWHERE, "1 test file in shop/"),
        ({"test_a.py": TEST}, ANYWHERE, "1 test file in the project's folder"),
        ({"tests/test_a.py": CASE}, DEFAULT, "1 test file in tests/"),
        (
            {"tests/test_a.py": TEST, "shop/test_b.py": TEST},
            DEFAULT,
            "2 test files in tests/ and shop/; only tests/ is run",
        ),
        (
            {
                "pyproject.toml": "[tool.pytest.ini_options]\ntestpaths = ['checks']\n",
                "checks/": "",
            },
            ANYWHERE,
            "testpaths in pyproject.toml",
        ),
        (
            {"pytest.ini": "[pytest]\ntestpaths = a b\n", "b/": ""},
            ANYWHERE,
            "testpaths in pytest.ini",
        ),
        ({"tox.ini": "[pytest]\ntestpaths = a\n", "a/": ""}, ANYWHERE, "testpaths in tox.ini"),
        (
            {"setup.cfg": "[tool:pytest]\ntestpaths =\n    a\n", "a/": ""},
            ANYWHERE,
            "testpaths in setup.cfg",
        ),
        (
            {"pytest.ini": "[pytest]\npython_files = check_*.py\n", "check_a.py": TEST},
            ANYWHERE,
            "python_files in pytest.ini",
        ),
        (
            {"pytest.ini": "[pytest]\ntestpaths = gone\n", "tests/test_a.py": TEST},
            DEFAULT,
            "1 test file in tests/",
        ),
    ],
)
def test_pytest_is_sure(
    build: Build, tools: Tools, files: dict[str, str], command: str, reason: str
) -> None:
    found = detect_suite(build(files), tools())
    assert (found.framework, found.command, found.reason) == ("pytest", command, reason)
    assert found.is_sure


@pytest.mark.parametrize(
    ("files", "command", "framework", "source"),
    [
        (
            {"package.json": '{"scripts": {"test": "node --test"}}'},
            "npm test",
            "command",
            "scripts",
        ),
        (
            {"package.json": '{"scripts": {"test": "jest"}}', "pnpm-lock.yaml": ""},
            "pnpm test",
            "command",
            "scripts",
        ),
        ({"Makefile": "test: build\n\tgo test ./...\n"}, "make test", "command", "target test"),
        ({"Makefile": ".PHONY: check\ncheck:\n\t./run\n"}, "make check", "command", "target check"),
        ({"tox.ini": "[testenv]\ncommands = stestr run\n"}, "tox", "command", "tox.ini"),
        (
            {"noxfile.py": "import nox\n@nox.session(python='3')\ndef unit(s):\n    s.run('x')\n"},
            "nox -s unit",
            "command",
            "noxfile.py",
        ),
    ],
)
def test_a_command_of_the_repository_has_to_be_confirmed(
    build: Build, tools: Tools, files: dict[str, str], command: str, framework: str, source: str
) -> None:
    found = detect_suite(build(files), tools("npm", "pnpm", "make", "tox", "nox"))
    assert (found.framework, found.command) == (framework, command)
    assert source in found.reason
    assert not found.is_sure
    assert not found.is_ambiguous
    assert not detect_suite(build(files), {"PATH": ""}).command  # its program is missing


@pytest.mark.parametrize(
    ("files", "candidate"),
    [
        ({"Makefile": "test:\n\tPYTHONPATH=src python -m pytest -q\n"}, "make test"),
        ({"tox.ini": "[tox]\nenvlist = py\n[testenv]\ncommands = pytest\n"}, "tox"),
        ({"pyproject.toml": "[tool.tox]\nenv_list = ['py']\n"}, "tox"),
        (
            {"noxfile.py": "from nox import session\n@session\ndef t(s):\n    s.run('pytest')\n"},
            "nox -s t",
        ),
        ({"uv.lock": ""}, "uv run pytest"),
        ({"pyproject.toml": "[tool.poetry]\nname = 'x'\n"}, "poetry run pytest"),
        ({"pyproject.toml": "[tool.pdm]\n"}, "pdm run pytest"),
        (
            {"pyproject.toml": "[tool.hatch.envs.default.scripts]\ntest = 'pytest'\n"},
            "hatch run test",
        ),
        (
            {"pyproject.toml": "[tool.hatch.envs.ci.scripts]\ntest = 'pytest'\n"},
            "hatch run ci:test",
        ),
    ],
)
def test_pytest_is_preferred_to_what_runs_it(
    build: Build, tools: Tools, files: dict[str, str], candidate: str
) -> None:
    project = build({**files, "tests/test_a.py": TEST})
    found = detect_suite(project, tools("make", "tox", "nox", "uv", "poetry", "pdm", "hatch"))
    assert found.command == DEFAULT
    assert found.is_sure
    assert candidate in [each.command for each in found.candidates]


def test_without_tests_nothing_is_proposed(build: Build, tools: Tools) -> None:
    files = {"shop.py": "", "tests/__init__.py": "", "package.json": '{"scripts": {"test": "echo '
             'Error: no test specified && exit 1"}}', "node_modules/x/test_x.py": TEST}  # fmt: skip
    found = detect_suite(build(files), tools("npm"))
    assert (found.framework, found.command, found.is_sure) == ("", "", False)
    assert found.reason == "no tests were found"
    assert "--tests" in found.hint


def test_an_environment_with_pytest_is_named(build: Build, tools: Tools) -> None:
    project = build(
        {
            "tests/test_a.py": TEST,
            ".venv/pyvenv.cfg": "",
            ".venv/bin/python": "",
            ".venv/bin/pytest": "#!/x\n",
        }
    )
    for name in ("python", "pytest"):
        (project / ".venv/bin" / name).chmod(0o755)
    found = detect_suite(project, tools())
    assert (found.command, found.interpreter) == (DEFAULT, ".venv/bin/python")
    (project / ".venv/bin/pytest").unlink()
    found = detect_suite(project, tools("uv"))
    assert not found.is_sure
    assert found.problem == "pytest is not installed in .venv"
    assert found.explanation == "1 test file in tests/, but pytest is not installed in .venv"
    site = project / ".venv/lib/python3.12/site-packages/pytest"
    site.mkdir(parents=True)
    (site / "__init__.py").touch()
    assert detect_suite(project, tools()).command == "python -m pytest tests/ -v --tb=short"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"tests/test_a.py": CASE}, "python -m unittest discover -s tests -v"),
        ({"tests/test_a.py": CASE, "tests/__init__.py": ""}, "python -m unittest discover -v"),
    ],
)
def test_unittest_runs_its_classes_where_pytest_is_missing(
    build: Build, tools: Tools, files: dict[str, str], command: str
) -> None:
    environment = {"pyvenv.cfg": "", "bin/python": ""}
    project = build({**files, **{f".venv/{name}": each for name, each in environment.items()}})
    (project / ".venv/bin/python").chmod(0o755)
    found = detect_suite(project, tools())
    assert (found.framework, found.command, found.is_sure) == ("command", command, True)


def test_tests_in_two_languages_are_not_clear(build: Build, tools: Tools) -> None:
    files = {"tests/test_a.py": TEST, "package.json": '{"scripts": {"test": "jest"}}'}
    found = detect_suite(build(files), tools("npm"))
    assert found.is_ambiguous
    assert not found.is_sure
    assert [each.command for each in found.candidates] == ["npm test"]


def test_the_packages_of_a_monorepo_are_candidates(build: Build, tools: Tools) -> None:
    files = {
        "packages/a/pyproject.toml": "",
        "packages/a/tests/test_a.py": TEST,
        "packages/b/package.json": '{"scripts": {"test": "jest"}}',
        "packages/b/test/": "",
        "packages/c/pyproject.toml": "",  # no tests
    }
    project = build(files)
    found = detect_suite(project, tools("npm"))
    assert not found.is_sure
    assert not found.command
    assert [(each.folder, each.command) for each in found.candidates] == [
        ("packages/a", DEFAULT),
        ("packages/b", "npm test"),
    ]
    assert found.hint.startswith("work on one of them: cd packages/a (or --project-dir); or ")
    assert "--tests" in found.hint
    assert detect_suite(project / "packages/a", tools()).is_sure


def test_a_workspace_with_tests_of_its_own_is_not_clear(build: Build, tools: Tools) -> None:
    files = {
        "pyproject.toml": "[tool.uv.workspace]\nmembers = ['packages/*']\n",
        "tests/test_all.py": TEST,
        "packages/a/pyproject.toml": "",
        "packages/a/tests/test_a.py": TEST,
    }
    project = build(files)
    found = detect_suite(project, tools())
    assert (found.command, found.is_sure, found.is_ambiguous) == (DEFAULT, False, True)
    (project / "pyproject.toml").write_text("", encoding="utf-8")
    found = detect_suite(project, tools())  # a package below, but no workspace
    assert (found.command, found.is_sure) == (DEFAULT, True)


def test_nothing_of_the_project_is_executed(build: Build, tools: Tools, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = f"open({str(mark)!r}, 'w')\n"
    files = dict.fromkeys(
        ("noxfile.py", "conftest.py", "setup.py", "tests/test_a.py", "tests/conftest.py"), evil
    )
    detect_suite(build(files), tools("nox", "tox", "make"))
    assert not mark.exists()

"""What is detected in projects of the usual shapes."""

from pathlib import Path

import pytest

from orchestrator.suites.detection import detect_suite
from tests.suites.detection.conftest import TEST, Build, Tools, write_files

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
            {"tests/test_a.py": TEST, "shop/test_b.py": TEST, "test_c.py": TEST},
            ANYWHERE,
            "3 test files in the project's folder, tests/ and shop/",
        ),
        (
            {"tests/test_a.py": TEST, "scripts/test_line.py": "import urllib\nurllib.go()\n"},
            DEFAULT,
            "1 test file in tests/",
        ),
        (
            {
                "tests/test_a.py": TEST,
                "Cargo.toml": "",
                "pyproject.toml": "[build-system]\nrequires = ['maturin>=1']\n",
            },
            DEFAULT,
            "1 test file in tests/",
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
        (
            {"noxfile.py": "import nox\n@nox.session(name='tests')\ndef run_tests(s):\n    pass\n"},
            "nox -s tests",
        ),
        (
            {
                "noxfile.py": "import nox\nfor n in 'ab':\n    pass\n@nox.session(name=n)\n"
                "def t(s):\n    s.run('pytest')\n@nox.session\ndef u(s):\n    s.run('pytest')\n"
            },
            "nox -s u",
        ),
        ({"uv.lock": ""}, "uv run pytest"),
        ({"Pipfile": "[packages]\n"}, "pipenv run pytest"),
        ({"Pipfile.lock": "{}"}, "pipenv run pytest"),
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
    names = ("make", "tox", "nox", "uv", "poetry", "pdm", "pipenv", "hatch")
    found = detect_suite(project, tools(*names))
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
    assert not found.is_ambiguous
    assert found.explanation == "1 test file in tests/; pytest is not installed in .venv"
    site = project / ".venv/lib/python3.12/site-packages/pytest"
    site.mkdir(parents=True)
    (site / "__init__.py").touch()
    assert detect_suite(project, tools()).command == "python -m pytest tests/ -v --tb=short"


def test_an_environment_that_uses_system_packages_is_not_said_to_lack_pytest(
    build: Build, tools: Tools
) -> None:
    """Whether it finds pytest is known to its interpreter alone."""
    settings = "home = {}/bin\nInclude-System-Site-Packages = TRUE\n"
    project = build({"tests/test_a.py": TEST})
    write_files(project, {".venv/pyvenv.cfg": settings.format("/nowhere")})
    found = detect_suite(project, tools("uv"))
    assert (found.command, found.problem) == ("python -m pytest tests/ -v --tb=short", "")
    assert found.is_sure
    write_files(project, {"tests/test_a.py": CASE})
    assert "unittest" in detect_suite(project, tools()).command
    system = project.parent / "system"
    write_files(system, {"lib/python3/dist-packages/pytest/__init__.py": ""})
    write_files(project, {".venv/pyvenv.cfg": settings.format(system)})
    assert "pytest" in detect_suite(project, tools()).command


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"tests/test_a.py": CASE}, "python -m unittest discover -s tests -v"),
        ({"tests/test_a.py": CASE, "tests/__init__.py": ""}, "python -m unittest discover -v"),
        ({"test_a.py": CASE, "a/__init__.py": "", "a/tests.py": CASE}, "python -m unittest disco"),
        (
            {"a/tests/test_a.py": CASE, "a/tests/b/__init__.py": "", "a/tests/b/test_b.py": CASE},
            "python -m unittest discover -s a/tests -v",
        ),
        (
            {"src/led/__init__.py": "", "tests/test_a.py": f"from led import x\n{CASE}"},
            "PYTHONPATH=src python -m unittest discover -s tests -v",
        ),
        (
            {"lib/led.py": "", "tests/test_a.py": f"import led\n{CASE}"},
            "PYTHONPATH=lib python -m unittest discover -s tests -v",
        ),
    ],
)
def test_unittest_runs_its_classes_where_pytest_is_missing(
    build: Build, tools: Tools, files: dict[str, str], command: str
) -> None:
    project = build({**files, ".venv/pyvenv.cfg": "", ".venv/bin/python": ""})
    (project / ".venv/bin/python").chmod(0o755)
    found = detect_suite(project, tools())
    assert (found.framework, found.is_sure) == ("command", True)
    assert found.command.startswith(command)


def test_installed_code_needs_no_folder_in_front_of_the_command(build: Build, tools: Tools) -> None:
    code = {"src/led/__init__.py": "", "tests/test_a.py": f"import led\n{CASE}"}
    project = build({**code, ".venv/pyvenv.cfg": "", ".venv/bin/python": ""})
    (project / ".venv/bin/python").chmod(0o755)
    site = project / ".venv/lib/python3.12/site-packages"
    site.mkdir(parents=True)
    for mark, text in (("led.pth", f"{project}/src\n"), ("led.py", "")):
        (site / mark).write_text(text, encoding="utf-8")
        found = detect_suite(project, tools())
        assert found.command == "python -m unittest discover -s tests -v"
        (site / mark).unlink()
    assert detect_suite(project, tools()).command.startswith("PYTHONPATH=src ")


def test_a_folder_that_would_hide_the_standard_library_is_not_put_in_front(
    build: Build, tools: Tools
) -> None:
    files = {"src/types/index.py": "", "tests/test_a.py": f"import types\n{CASE}"}
    found = detect_suite(build({**files, ".venv/pyvenv.cfg": ""}), tools())
    assert found.command == "python -m unittest discover -s tests -v"


def test_many_classes_of_unittest_are_all_reached_or_not_clear(build: Build, tools: Tools) -> None:
    many = {f"tests/test_{number:03}.py": CASE for number in range(60)}
    assert detect_suite(build({**many, ".venv/pyvenv.cfg": ""}), tools()).is_sure
    found = detect_suite(build({"zoo/test_z.py": CASE}), tools())
    assert found.reason.endswith("; it does not run zoo/test_z.py")


def test_classes_of_unittest_that_one_command_cannot_reach_are_not_clear(
    build: Build, tools: Tools
) -> None:
    files = {"examples/test_demo.py": CASE, "tests/test_core.py": CASE, ".venv/pyvenv.cfg": ""}
    found = detect_suite(build(files), tools())
    assert found.command == "python -m unittest discover -s tests -v"
    assert found.reason == (
        "classes of unittest in tests/test_core.py; it does not run examples/test_demo.py"
    )
    assert (found.is_sure, found.is_ambiguous) == (False, True)


DJANGO = {
    "manage.py": "from django.core.management import execute_from_command_line\n",
    "shop/__init__.py": "",
}


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({"shop/tests.py": CASE}, ["python manage.py test", "python -m unittest discover -v"]),
        (
            {"shop/tests/test_views.py": CASE, "shop/tests/__init__.py": ""},
            ["python manage.py test", "python -m unittest discover -v", ANYWHERE],
        ),
        (
            {"tests/test_a.py": CASE, "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = a.b\n"},
            [DEFAULT, "python manage.py test", "python -m unittest discover -s tests -v"],
        ),
        (
            {"tests/test_a.py": CASE, "conftest.py": "from django.conf import settings\n"},
            [DEFAULT, "python manage.py test", "python -m unittest discover -s tests -v"],
        ),
        ({"shop/test_a.py": TEST}, [ANYWHERE, "python manage.py test"]),
        ({}, []),
    ],
)
def test_djangos_own_command_is_a_candidate(
    build: Build, tools: Tools, files: dict[str, str], commands: list[str]
) -> None:
    found = detect_suite(build({**DJANGO, **files}), tools())
    listed = [each.command for each in (found, *found.candidates) if each.command]
    assert listed == commands
    assert found.is_sure == (commands[:1] in ([DEFAULT], [ANYWHERE]))
    assert not found.command or not found.is_ambiguous


def test_tests_in_two_languages_are_not_clear(build: Build, tools: Tools) -> None:
    files = {"tests/test_a.py": TEST, "package.json": '{"scripts": {"test": "jest"}}'}
    found = detect_suite(build(files), tools("npm"))
    assert found.is_ambiguous
    assert not found.is_sure
    assert [each.command for each in found.candidates] == ["npm test"]


def test_tests_of_another_language_in_a_package_below_are_not_clear(
    build: Build, tools: Tools
) -> None:
    files = {
        "backend/tests/test_a.py": TEST,
        "frontend/package.json": '{"scripts": {"test": "jest"}}',
        "frontend/src/x.test.js": "",
    }
    found = detect_suite(build(files), tools("npm"))
    assert (found.command, found.is_sure, found.is_ambiguous) == (ANYWHERE, False, True)
    assert found.reason.endswith("; scripts.test in package.json of frontend/ is there too")
    assert [(each.folder, each.command) for each in found.candidates] == [("frontend", "npm test")]


@pytest.mark.parametrize(
    "name", ["go.mod", "Cargo.toml", "pom.xml", "build.gradle", "Gemfile", "composer.json",
             "mix.exs", "Shop.csproj"]
)  # fmt: skip
def test_a_project_in_another_language_with_tests_in_python_is_not_clear(
    build: Build, tools: Tools, name: str
) -> None:
    found = detect_suite(build({name: "", "scripts/test_release.py": TEST}), tools())
    assert (found.command, found.is_sure, found.is_ambiguous) == (ANYWHERE, False, True)
    assert f"; {name} is there too" in found.reason


def test_a_workspace_that_says_how_to_test_all_only_needs_a_yes(build: Build, tools: Tools) -> None:
    files = {
        "package.json": '{"workspaces": ["packages/*"], "scripts": {"test": "npm test -ws"}}',
        "packages/a/package.json": '{"scripts": {"test": "node --test"}}',
        "packages/b/package.json": "{}",
    }
    found = detect_suite(build(files), tools("npm"))
    assert (found.command, found.is_sure, found.is_ambiguous) == ("npm test", False, False)
    assert [each.folder for each in found.candidates] == ["packages/a"]


def test_packages_are_found_wherever_their_tests_are(build: Build, tools: Tools) -> None:
    files = {
        "services/api/pyproject.toml": "",
        "services/api/api/tests/test_api.py": TEST,
        "services/web/package.json": '{"scripts": {"test": "jest"}}',
        "services/docs/package.json": '{"scripts": {"test": "echo no test specified"}}',
        "services/docs/test/index.html": "",
    }
    found = detect_suite(build(files), tools("npm"))
    assert found.reason == "the tests are in packages below: services/api, services/web"


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

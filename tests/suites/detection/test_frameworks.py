"""Which framework a command line starts."""

import pytest

from orchestrator.suites.detection import detect_suite, infer_framework
from tests.suites.detection.conftest import Build, Tools

PYTEST = (
    "pytest",
    "python3.12 -m pytest -q",
    "python -X dev -m pytest",
    "coverage run --branch -m pytest",
    "python -m coverage run -m pytest",
    "A=1 B='x y' pytest",
    "env A=1 pytest",
    "env -u PYTEST_ADDOPTS -i A=1 pytest",
    "time -p env pytest",
    "(cd backend && .venv/bin/pytest)",
    "cd a; pytest",
    "uv run --frozen --extra test pytest",
    "uv run --with pytest-cov python -m pytest",
    "poetry run python -m pytest",
    "pipenv run pytest",
    "hatch run py311:pytest",
    "conda run -n shop pytest",
    "uv --project . run pytest",
    "uv --directory api run --frozen pytest",
    "uv --quiet --directory=api run -p 3.12 pytest",
    "poetry -C api run pytest",
    "poetry --quiet run pytest",
    "pdm run -p api pytest",
    "hatch -e test run pytest",
    "hatch --env test run pytest",
    "conda --no-plugins run pytest",
    "conda run -p ./env --no-capture-output pytest",
    "micromamba -r /opt/m run -n shop pytest",
    "pixi run -e test pytest",
    "time -p pytest",
    "time -f %e pytest",
    "env -C api pytest",
    "env --chdir api -u A B=1 pytest",
)
OTHERS = (
    "",
    "A=1",
    "make test",
    "echo pytest",
    "tox -e pytest",
    "pip install pytest",
    "docker compose run --rm app python -m pytest",
    "docker run image pytest",
    "docker exec app python -m pytest",
    "ssh host python -m pytest",
    "uv run --with pytest python run_tests.py",
    "uv --project pytest run python run_tests.py",
    "uv",
    "uv --quiet",
    "uv add pytest",
    "uv tool run pytest",
    "poetry -C run add pytest",
    "time -o pytest make test",
    "python -m unittest",
    "npm run pytest",
    "pytest 'x",
)


@pytest.mark.parametrize("command", PYTEST)
def test_pytest_that_the_command_itself_starts(command: str) -> None:
    assert infer_framework(command) == "pytest"


@pytest.mark.parametrize("command", OTHERS)
def test_other_commands(command: str) -> None:
    assert infer_framework(command) == "command"


@pytest.mark.parametrize(
    ("recipe", "framework"),
    [
        ("\t@$(PYTHON) -m pytest $(ARGS)\n", "pytest"),
        ("\t-cd a && \\\n\t  ${VENV}/bin/pytest\n", "pytest"),
        ("\t$(UV) run pytest\n", "pytest"),
        ("\tdocker compose run --rm app python -m pytest\n", "command"),
        ("\tpip install pytest\n\t./run\n", "command"),
    ],
)
def test_a_recipe_is_judged_like_a_command(
    build: Build, tools: Tools, recipe: str, framework: str
) -> None:
    found = detect_suite(build({"Makefile": f"test:\n{recipe}", "test_a.py": ""}), tools("make"))
    (candidate,) = found.candidates
    assert (candidate.command, candidate.framework) == ("make test", framework)

"""A permission is offered only for a call that builds or checks the project, as it was made."""

import pytest

from orchestrator.services.denied_calls import build_permission


@pytest.mark.parametrize(
    "call",
    [
        *("npm test", "npm run lint", "npm run test:unit", "yarn test", "npx jest a.js"),
        *("make check", "go test ./...", "cargo build", "./gradlew test", "mvn verify"),
        *("pytest tests/test_a.py -x", "python -m pytest --tb=short", "uv run pytest"),
        *("coverage run -m pytest", "ruff check .", "bundle exec rspec", ".venv/bin/pytest -q"),
        *("tox -e py312", "python3 -m unittest -v", "make check test", "tox", "cargo test --all"),
    ],
)
def test_what_checks_the_project_is_offered_as_it_was_called(call: str) -> None:
    assert build_permission(f"Bash: {call}") == f"Bash({call})"


@pytest.mark.parametrize(
    "denied",
    [
        *("Write: /home/me/.bashrc", "Edit: a.py", "WebFetch: https://example.org", "Bash", ""),
        *("Bash: rm -rf build", "Bash: sudo apt install x", "Bash: git push", "Bash: npm publish"),
        *("Bash: FOO=1 npm test", "Bash: (cd a; make test)", "Bash: npm test && rm -rf /"),
        *("Bash: npm test | tee out", "Bash: npm test > out", "Bash: $(npm test)", "Bash: make"),
        *("Bash: make deploy", "Bash: npm run release", "Bash: python -c test", "Bash: sh test"),
        *("Bash: curl test", "Bash: /bin/rm test", "Bash: npm run build-and-publish"),
        *("Bash: npm 'test", "Bash: npm test a…", "Bash: npm test *", "Bash: make -C test"),
        *("Bash: tox -e release", "Bash: nox -s publish", "Bash: make test publish"),
        *("Bash: make check install", "Bash: gradle build publish", "Bash: mvn verify deploy"),
        *("Bash: ./mvnw test deploy:deploy", "Bash: black .", "Bash: ruff format ."),
        *("Bash: npx eslint --fix src", "Bash: ruff check --fix", "Bash: npx test"),
        *("Bash: python test", "Bash: go test -exec ./run ./...", "Bash: pytest tests/..."),
        *("Bash: npm test\nrm -rf x", "Bash: pytest --fix=1", "Bash: python -m pytest a b..."),
    ],
)
def test_nothing_else_is_offered(denied: str) -> None:
    assert build_permission(denied) == ""

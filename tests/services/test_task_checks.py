"""The checks that a list names run only if the user trusts them."""

from pathlib import Path

import pytest

from orchestrator.cli.main import cli
from orchestrator.config import Config
from orchestrator.errors import ConfigError, UntrustedError
from orchestrator.services.task_checks import is_suite_call, require_trusted_checks
from orchestrator.services.trust import load_trusted_config
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.tasks.reading import read_list

SUITE = ["python", "-m", "pytest", "tests/", "-v"]


def require(project: Path, text: str) -> None:
    (project / "tasks.md").write_text(text, encoding="utf-8")
    tasks = read_list("tasks.md", project)
    require_trusted_checks(tasks, project, Config(), resolve_state_directory())


@pytest.mark.parametrize(
    ("check", "harmless"),
    [
        ("python -m pytest tests/test_a.py::test_b -q", True),
        ("python -m pytest", True),
        ("python -m pytest -p evil", False),
        ("python -m pytest --rootdir=/elsewhere", False),
        ("python evil.py", False),
        ("pytest tests", False),
        ("make check", False),
    ],
)
def test_a_call_of_the_suite_with_tests_only_needs_no_trust(check: str, harmless: bool) -> None:
    assert is_suite_call(check, SUITE) is harmless


def test_a_check_is_refused_until_it_is_trusted_and_a_changed_one_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    text = "- [ ] T1 A\n  - tests: `make check`\n"
    with pytest.raises(UntrustedError, match="make check") as refused:
        require(project, text)
    assert "orchestrator trust --tasks" in refused.value.hint
    cli.main(["trust", "--tasks", "tasks.md", "--yes"], standalone_mode=False)
    require(project, text)
    with pytest.raises(UntrustedError, match="make other"):
        require(project, text.replace("make check", "make other"))


def test_the_check_of_a_task_that_is_done_is_not_asked_for(project: Path) -> None:
    require(project, "- [x] T1 A\n  - tests: `make check`\n- [ ] T2 B\n")


def test_the_address_of_a_queue_has_no_password(project: Path) -> None:
    (project / "orchestrator.yaml").write_text(
        "queue: {repository: 'https://bot:secret@git.example.org/fleet.git'}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="has a password") as refused:
        load_trusted_config(project, project / "orchestrator.yaml", ())
    assert "secret" not in str(refused.value)
    for address in ("ssh://git@git.example.org/fleet.git", "git@git.example.org:fleet.git", "/srv"):
        Config.model_validate({"queue": {"repository": address}})

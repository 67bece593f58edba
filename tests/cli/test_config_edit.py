"""`config edit`: the project's file in the user's editor."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator.config.loading import PROJECT_FILE
from orchestrator.config.schema import Config
from orchestrator.services.config_editing import TEMPLATE
from tests.cli.conftest import Call, CommandResult

Edit = Callable[..., CommandResult]


@pytest.fixture
def edit(call: Call, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Call `config edit` with an editor that runs some Python on the file."""

    def edit(code: str, variable: str = "EDITOR") -> CommandResult:
        script = tmp_path / "an editor.py"
        script.write_text(f"import sys; name = sys.argv[-1]\n{code}\n", encoding="utf-8")
        for name in ("VISUAL", "EDITOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(variable, f"{sys.executable} '{script}' --wait")
        return call("config", "edit", "--project-dir", project)

    return edit


def append(text: str) -> str:
    return f"open(name, 'a').write({text!r})"


def test_a_project_without_the_file_gets_one(edit: Edit, project: Path) -> None:
    done = edit(append("limits: {max_cost_usd: 2}\n"))
    path = project / PROJECT_FILE
    assert (done.code, done.out) == (0, f"created: {path}\n")
    assert path.read_text("utf-8").startswith(TEMPLATE)


def test_a_file_that_stays_as_it_was_leaves_nothing(edit: Edit, project: Path) -> None:
    assert edit("pass", "VISUAL").out.startswith("unchanged: ")
    assert not (project / PROJECT_FILE).exists()
    (project / PROJECT_FILE).write_text("limits: {max_cost_usd: 2}\n", encoding="utf-8")
    assert edit("pass").out.startswith("unchanged: ")
    assert (project / PROJECT_FILE).exists()


def test_a_mistake_is_named_with_its_line_and_stays(edit: Edit, project: Path) -> None:
    done = edit(append("limits:\n  max_cost_usd: much\n"))
    line = TEMPLATE.count("\n") + 2
    assert done.code == 2
    assert f"{project / PROJECT_FILE}:{line}: `limits.max_cost_usd`" in done.err
    assert "much" in (project / PROJECT_FILE).read_text("utf-8")


def test_an_editor_that_fails_or_is_missing(
    edit: Edit, call: Call, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = edit("sys.exit(3)")
    assert (done.code, "ended with exit code 3" in done.err) == (2, True)
    for command, code, says in (
        ("no-such-editor", 3, "cannot be started"),
        ("an 'open quote", 2, "EDITOR: No closing quotation"),
    ):
        monkeypatch.setenv("EDITOR", command)
        done = call("config", "edit", "--project-dir", project)
        assert (done.code, says in done.err, len(done.err.splitlines())) == (code, True, 1)
    assert not (project / PROJECT_FILE).exists()


def test_each_line_of_the_template_is_a_default() -> None:
    assert yaml.safe_load(TEMPLATE) is None
    lines = [line.removeprefix("# ") for line in TEMPLATE.partition("\n\n")[2].splitlines()]
    assert Config.model_validate(yaml.safe_load("\n".join(lines))) == Config()


def test_what_is_no_file_is_left_alone(edit: Edit, project: Path, tmp_path: Path) -> None:
    path = project / PROJECT_FILE
    path.symlink_to(tmp_path / "missing")
    done = edit("pass")
    assert (done.code, done.out) == (2, "")
    assert f"{path} is not a file" in done.err
    assert path.is_symlink()


def test_a_file_that_is_closed_unchanged_is_checked_too(edit: Edit, project: Path) -> None:
    file = project / PROJECT_FILE
    file.write_text("tsts:\n  command: x\n", encoding="utf-8")
    done = edit("pass")
    assert done.code == 2
    assert f"{file}:1: unknown key `tsts`" in done.err
    file.write_text("claude:\n  allowed_tools: [Write]\n", encoding="utf-8")
    done = edit("pass")
    assert done.code == 0
    assert "not trusted, and not used: claude.allowed_tools" in done.err

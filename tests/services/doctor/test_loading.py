"""Each set-up that was tried with the real program is diagnosed: loaded, or why not."""

import json
import os
import shlex
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.agents.claude_program import find_bundled_program
from orchestrator.services.doctor.loading import check_loading
from orchestrator.services.doctor.results import Check, Status
from orchestrator.services.doctor.subject import examine
from orchestrator.services.doctor.written_rules import list_rule_files
from tests.sampling import leave_out_long
from tests.trusting import trust_project

pytestmark = pytest.mark.whole

RULE = "Never guess the number of the beast"
BLOCK = (
    "## Learned Rules & Patterns\n\n<!-- rule r-666666: failure 1, source pytest -->\n"
    f"- **Rule**: {RULE}.\n- **When**: A number is asked for.\n- **Why**: Guesses fail.\n"
)
ELSEWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Place:
    """Where a set-up is made."""

    project: Path
    home: Path
    patch: pytest.MonkeyPatch

    def write(self, name: str, text: str) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_settings(self, **settings: object) -> None:
        self.write(".claude/settings.json", json.dumps(settings))

    def write_user_settings(self, **settings: object) -> None:
        (self.home / ".claude").mkdir(exist_ok=True)
        text = json.dumps(settings)
        (self.home / ".claude" / "settings.json").write_text(text, encoding="utf-8")

    def wrap_program(self, options: str) -> None:
        """Let `claude` be a script that adds options to the real program."""
        program = find_bundled_program()
        folder = self.project.parent / "bin"
        folder.mkdir()
        script = folder / "claude"
        line = f'#!/bin/sh\nexec {shlex.quote(str(program))} {options} "$@"\n'
        script.write_text(line, encoding="utf-8")
        script.chmod(0o755)
        self.patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def place(project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-user")
    (project / ".git").mkdir()  # the top, so that no folder above is looked at
    return Place(project, home, monkeypatch)


def check(place: Place, folder: str = ".") -> list[Check]:
    trust_project(place.project)
    return list(check_loading(examine(place.project / folder)))


def write_block(place: Place) -> None:
    place.write("CLAUDE.md", f"# Notes\n\n{BLOCK}")


def replace_prompt(place: Place) -> None:
    write_block(place)
    place.wrap_program("--system-prompt 'You are terse.'")


def disable_hooks(place: Place) -> None:
    write_block(place)
    place.write_settings(disableAllHooks=True)


def send_elsewhere(place: Place) -> None:
    write_block(place)
    place.write_settings(env={"ANTHROPIC_BASE_URL": ELSEWHERE, "ANTHROPIC_API_KEY": "sk-other"})


def write_scoped(place: Place) -> None:
    place.write("src/a.py", "a = 1\n")
    place.write(".claude/rules/learned.md", f'---\npaths:\n  - "src/*.py"\n---\n\n{BLOCK}')


LOADED: dict[str, Callable[[Place], None]] = {
    "CLAUDE.md": write_block,
    "the system prompt is replaced": replace_prompt,
    "the project disables all hooks": disable_hooks,
    "a rules file": lambda place: place.write(".claude/rules/l.md", BLOCK),
    "AGENTS.md alone": lambda place: place.write("AGENTS.md", BLOCK),
    "the project sends requests elsewhere": send_elsewhere,
}


@pytest.mark.parametrize("name", leave_out_long(LOADED))
def test_a_rule_that_is_loaded_is_found(name: str, place: Place) -> None:
    LOADED[name](place)
    found = check(place)
    assert [each.status for each in found] == [Status.OK, Status.OK], found
    assert all("1 of 1 learned rule" in each.text for each in found)


def test_a_rule_of_the_folder_above_is_sent_from_a_subfolder(place: Place) -> None:
    write_block(place)
    place.write("pkg/inner/a.py", "")
    found = check(place, "pkg/inner")
    assert [each.status for each in found] == [Status.OK, Status.OK], found


def test_a_scoped_rule_is_sent_once_a_file_is_mentioned(place: Place) -> None:
    write_scoped(place)
    run, plain = check(place)
    assert run.status is plain.status is Status.OK
    assert "sent once one is used: r-666666" in run.text
    assert "1 scoped to files, when one is mentioned" in plain.text


def exclude(pattern: str) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        write_block(place)
        text = pattern.replace("PROJECT", str(place.project))
        place.write_user_settings(claudeMdExcludes=[text])

    return make


def wrap(options: str) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        write_block(place)
        place.wrap_program(options)

    return make


def set_variable(name: str) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        write_block(place)
        place.patch.setenv(name, "1")

    return make


def set_in_settings(place: Place) -> None:
    write_block(place)
    place.write_user_settings(env={"CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1"})


def import_outside(place: Place) -> None:
    (place.project.parent / "shared.md").write_text(BLOCK, encoding="utf-8")
    place.write("CLAUDE.md", "# Notes\n\n@../shared.md\n")


def shadow_agents(place: Place) -> None:
    place.write("AGENTS.md", BLOCK)
    place.write("CLAUDE.md", "# Notes\n\nBe brief.\n")


NOT_LOADED: dict[str, tuple[Callable[[Place], None], str, str]] = {
    "broken YAML": (
        lambda place: place.write(".claude/rules/l.md", f"---\npaths: [a, {{\n---\n\n{BLOCK}"),
        "not valid YAML",
        ".claude/rules/l.md",
    ),
    "an HTML comment": (
        lambda place: place.write("CLAUDE.md", f"# Notes\n\n<!--\n- **Rule**: {RULE}.\n-->\n"),
        "in an HTML comment (line 4)",
        "CLAUDE.md",
    ),
    "excluded by its path": (
        exclude("PROJECT/CLAUDE.md"),
        "claudeMdExcludes in HOME/.claude/settings.json",
        ".claude/settings.json",
    ),
    "excluded everywhere": (exclude("**/CLAUDE.md"), "excludes **/CLAUDE.md", "settings.json"),
    "--setting-sources user": (wrap("--setting-sources user"), "--setting-sources", "bin/claude"),
    "--bare": (wrap("--bare"), "is a script that starts Claude Code with --bare", "bin/claude"),
    "CLAUDE_CODE_SIMPLE": (
        set_variable("CLAUDE_CODE_SIMPLE"),
        "CLAUDE_CODE_SIMPLE is set in the environment",
        "unset CLAUDE_CODE_SIMPLE",
    ),
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS": (
        set_variable("CLAUDE_CODE_DISABLE_CLAUDE_MDS"),
        "CLAUDE_CODE_DISABLE_CLAUDE_MDS is set in the environment",
        "unset CLAUDE_CODE_DISABLE_CLAUDE_MDS",
    ),
    "the same in the user's settings": (
        set_in_settings,
        "settings.json sets CLAUDE_CODE_DISABLE_CLAUDE_MDS under `env`",
        ".claude/settings.json",
    ),
    "an import from outside": (
        import_outside,
        "imports ../shared.md from outside of the project",
        "shared.md",
    ),
    "AGENTS.md beside CLAUDE.md": (
        shadow_agents,
        "does not load AGENTS.md beside PROJECT/CLAUDE.md",
        "@AGENTS.md",
    ),
    "lower case": (
        lambda place: place.write("claude.md", BLOCK),
        "the file is named claude.md, and Claude Code loads only CLAUDE.md",
        "mv claude.md CLAUDE.md",
    ),
}


@pytest.mark.parametrize("name", leave_out_long(NOT_LOADED))
def test_a_rule_that_is_not_loaded_has_its_cause(name: str, place: Place) -> None:
    make, cause, command = NOT_LOADED[name]
    make(place)
    found = [each for each in check(place) if each.status is Status.BROKEN]
    assert found, "the rule counts as loaded"
    cause = cause.replace("PROJECT", str(place.project)).replace("HOME", str(place.home))
    for each in found:
        assert "does not send" in each.text
        assert cause in each.cause
        assert command in each.command
        assert each.fault == 2


def test_a_rule_of_a_folder_below_is_a_warning(place: Place) -> None:
    place.write("pkg/CLAUDE.md", BLOCK)
    found = [each for each in check(place) if each.status is Status.WARNING]
    assert len(found) == 2  # for a run, and for the user's own program
    assert all("only once a file in pkg is used" in each.cause for each in found)


def test_settings_that_are_not_trusted_are_not_loaded(place: Place) -> None:
    """The project's own program is not started: neither its hook nor its variables are used."""
    write_block(place)
    mark = place.project.parent / "ran"
    hook = {"hooks": [{"type": "command", "command": f"touch {mark}"}]}
    place.write_settings(hooks={"SessionStart": [hook]})
    found = list(check_loading(examine(place.project)))
    assert [each.status for each in found] == [Status.OK, Status.NOT_CHECKED]
    assert "you have not trusted .claude/settings.json" in found[1].text
    assert found[1].command.startswith("orchestrator trust --project-dir ")
    assert not mark.exists()


def test_no_hook_runs_even_if_the_user_trusts_it(place: Place) -> None:
    write_block(place)
    mark = place.project.parent / "ran"
    hook = {"hooks": [{"type": "command", "command": f"touch {mark}"}]}
    place.write_settings(hooks={"SessionStart": [hook]}, disableAllHooks=False)
    place.write_user_settings(hooks={"SessionStart": [hook]})
    found = check(place)
    assert [each.status for each in found] == [Status.OK, Status.OK]
    assert not mark.exists()


def test_the_request_goes_nowhere_else_and_leaves_nothing(place: Place, tmp_path: Path) -> None:
    """Marketplaces of plugins are fetched at the start of a session, by the user's settings too."""
    (tmp_path / "temporary").mkdir()
    place.patch.setenv("TMPDIR", str(tmp_path / "temporary"))
    place.patch.setattr(tempfile, "tempdir", None)
    asked: list[str] = []
    try:  # the proxy is not asked for 127.0.0.1
        server = socket.create_server(("127.0.0.2", 0))
    except OSError:
        pytest.skip("this machine has one address for itself")
    url = f"http://127.0.0.2:{server.getsockname()[1]}"

    def listen() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed
                return
            asked.append(connection.recv(100).decode("latin-1"))
            connection.close()

    threading.Thread(target=listen, daemon=True).start()
    sources = {"g": {"source": "git", "url": f"{url}/a.git"}, "u": {"source": "url", "url": url}}
    markets = {name: {"source": source} for name, source in sources.items()}
    for write in (place.write_settings, place.write_user_settings):
        write(extraKnownMarketplaces=markets, enabledPlugins={"p@g": True, "q@u": True})
    place.write("CLAUDE.md", "# Notes\n\nBe brief.\n")
    found = check(place)
    server.close()
    assert [each.status for each in found] == [Status.OK, Status.OK]
    assert asked == []
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_folder_full_of_rules_is_a_few_lines(place: Place, tmp_path: Path) -> None:
    """A repository may link `.claude/rules` to anything."""
    (tmp_path / "many").mkdir()
    for number in range(30):
        text = f"---\npaths: [\n---\n{BLOCK}"
        (tmp_path / "many" / f"{number:02}.md").write_text(text, encoding="utf-8")
    (place.project / ".claude").mkdir()
    (place.project / ".claude" / "rules").symlink_to(tmp_path / "many")
    found = check(place)
    assert any("of 30 files and places" in each.text for each in found)
    assert len(found) < 25
    place.patch.setattr("orchestrator.services.doctor.written_rules._MOST_ENTRIES", 5)
    assert len(list_rule_files(place.project)) == 5

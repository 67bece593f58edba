"""What the documentation shows is executed: examples, links, commands, settings."""

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from orchestrator.cli.main import cli
from orchestrator.config import Config, load_config
from orchestrator.ports import Suite
from tests.agents.conformance import AgentConformance, Behaviour, Subject
from tests.suites.conformance import SuiteConformance
from tests.test_architecture import FLOORS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def example(name: str) -> dict[str, Any]:
    """The names that an example of architecture.md defines, and how many lines it takes."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found
    code = found[1]
    names: dict[str, Any] = {}
    exec(compile(code, f"architecture.md: {name}", "exec"), names)  # noqa: S102 -- our own text
    body = code[code.index("class ") :]
    return {**names, "lines": len([line for line in body.splitlines() if line.strip()])}


class TestTheExampleOfAnAgent(AgentConformance):
    def test_it_takes_less_than_40_lines(self) -> None:
        assert 10 < example("agent")["lines"] < 40

    @contextlib.contextmanager
    def subject(self, behaviour: Behaviour, workspace: Path) -> Iterator[Subject]:
        work = {
            Behaviour.EDIT: 'open("made.txt", "w").write("made\\n"); print(\'{"text": "made"}\')',
            Behaviour.HANG: "subprocess.run([sys.executable, 'family.py'])",
            Behaviour.FAIL: "sys.exit('no such model')",
        }[behaviour]
        seen = workspace.parent / "seen.txt"
        code = (
            f"import subprocess, sys\nprompt = sys.stdin.read()\n"
            f"open({str(seen)!r}, 'w', encoding='utf-8').write(prompt)\n{work}\n"
        )
        agent = example("agent")["JsonLinesAgent"]([sys.executable, "-X", "utf8", "-c", code])
        yield Subject(agent, lambda: seen.read_text("utf-8"))


class TestTheExampleOfASuite(SuiteConformance):
    def test_it_takes_less_than_45_lines(self) -> None:
        assert 10 < example("suite")["lines"] < 45

    @pytest.fixture
    def green(self) -> Suite:
        return self._suite("print('1..2\\nok 1 - one\\nok 2 - two')")

    @pytest.fixture
    def red(self) -> Suite:
        return self._suite("print('1..2\\nok 1 - one\\nnot ok 2 - two'); raise SystemExit(1)")

    def _suite(self, code: str) -> Suite:
        made: Suite = example("suite")["TapSuite"]([sys.executable, "-c", code], 60)
        return made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


def test_pages_and_links_were_found() -> None:
    assert len(PAGES) > 6
    assert len(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))) > 5


NAMED_FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|md|yaml|json)|(?:[\w-]+/)+)`")


@pytest.mark.parametrize("name", ["architecture.md", "where-to-change.md"])
def test_each_file_that_a_page_names_exists(name: str) -> None:
    named = set(NAMED_FILE.findall((ROOT / "docs" / name).read_text(encoding="utf-8")))
    named -= {"CLAUDE.md", "package.json", "settings.json"}  # a project's own
    named -= {"commits/", "earlier/", "guard/reverted/", "writes/"}  # in the state directory
    assert len(named) >= 20
    tops = (ROOT, ROOT / "orchestrator")
    assert [each for each in sorted(named) if not any((top / each).exists() for top in tops)] == []


def test_where_to_change_what_has_a_file_in_each_row() -> None:
    text = (ROOT / "docs" / "where-to-change.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 20
    assert [row[0] for row in rows if not NAMED_FILE.search(row[1])] == []


def test_architecture_shows_all_floors() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("<!-- floors -->")[2].partition("<!-- floors end -->")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == [set(floor) for floor in FLOORS]


def shown_commands() -> list[list[str]]:
    """Every `orchestrator ...` line of a console block."""
    found = []
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words[:1] == ["orchestrator"]:
                    found.append(words[1:])
    return found


def test_every_command_that_is_shown_can_be_called() -> None:
    commands = shown_commands()
    assert len(commands) >= 2
    for words in commands:
        context = cli.make_context("orchestrator", list(words))
        _parse_deep(cli, context)


def _parse_deep(command: click.Command, context: click.Context) -> None:
    if isinstance(command, click.Group) and context._protected_args + context.args:
        name, found, rest = command.resolve_command(context, context._protected_args + context.args)
        assert found is not None
        assert name is not None
        _parse_deep(found, found.make_context(name, rest, parent=context))


def test_every_command_and_target_of_the_readme_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", text))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= targets
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
    for name in cli.commands:
        assert f"`orchestrator {name}" in text, name


def test_every_yaml_block_is_a_configuration() -> None:
    shown = [
        block
        for page in (ROOT / "README.md", ROOT / "docs" / "configuration.md")
        for block in blocks(page, "yaml")
    ]
    assert len(shown) >= 5
    for block in shown:
        Config.model_validate(yaml.safe_load(block))


def test_the_shipped_configuration_loads(tmp_path: Path) -> None:
    assert load_config(tmp_path, ROOT / "config.yaml", (), {}).config == Config()

"""Help, typing errors, and usage that is refused before anything happens."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.cli.main import cli
from orchestrator.models import RunOutcome, RunResult
from orchestrator.services.runs import exit_code
from tests.cli.conftest import RULE, TASK, Call, Shop, start_command, wait_for_result


def commands(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of a command and of all below it."""
    yield words
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, *words, name)


@pytest.mark.parametrize("words", list(commands(cli)), ids=" ".join)
def test_every_command_helps(call: Call, words: tuple[str, ...]) -> None:
    done = call(*words, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: orchestrator {' '.join(words)}".rstrip())
    assert done.err == ""
    assert call(*words, "-h").out == done.out
    _, _, options = done.out.partition("\nOptions:\n")
    undocumented = [line for line in options.splitlines() if line.strip().endswith(("DIR", "FILE"))]
    assert undocumented == []


def test_the_help_names_every_command_and_exit_code(call: Call) -> None:
    program = sys.modules["orchestrator.cli.main"]  # whose name in the package is its function's
    text, _, listed = call("--help").out.partition("\nStart:\n")
    names = [line.split()[0] for line in listed.splitlines() if re.match("  [a-z]", line)]
    assert sorted(names) == sorted(cli.commands)
    assert "\nCommands:\n" not in listed, "each command has a section"
    named = text.partition("Exit codes: ")[2].partition("\n\n")[0]
    used = {value for name, value in vars(program).items() if name.startswith("EXIT_")}
    used |= {exit_code(RunResult(one)) for one in RunOutcome if one is not RunOutcome.RUNNING}
    assert {int(code) for code in re.findall(r"\b\d+\b", named)} == used


def test_without_arguments_it_shows_the_help(call: Call) -> None:
    done = call()
    assert done.code == 2
    assert "Usage: orchestrator" in done.output
    assert "report-failure" in done.output
    assert "left out" not in done.output
    assert done.output == call("--help").output, "the page is whole"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rnus"], "there is no command `rnus`; did you mean `runs`?"),
        (["rnus"], "try: orchestrator runs"),
        (["version2"], "did you mean `version`?"),
        (["status"], "did you mean `runs`?"),
        (["undoo", "it"], "try: orchestrator undo; or quote the task: orchestrator run 'undoo it'"),
        (["Revert", "the", "change", "in", "a.py"], "orchestrator run 'Revert the change in a.py'"),
        (["Check", "the", "totals"], "quote the task: orchestrator run 'Check the totals'"),
        (["Undo", "the", "rounding"], "quote the task: orchestrator run 'Undo the rounding'"),
        (["list", "all", "users"], "quote the task: orchestrator run 'list all users'"),
        (["Rule", "out", "null", "values"], "orchestrator run 'Rule out null values'"),
        (["rnu", "Fix the cart"], "there is no command `rnu`; did you mean `run`?"),
        (["help", "run", "foo"], "`orchestrator run` has no commands"),
        (["satus"], "did you mean `runs`?"),
        (["--project-dir", ".", "doctor"], "`doctor` is a command, so its options come after it"),
        (["--project-dir", ".", "doctor"], "(try: orchestrator doctor --project-dir .)"),
        (["--project-dir=.", "runs", "list"], "quote the task: orchestrator run"),
        (["--project-dir=.", "rules", "list"], "(try: orchestrator rules list --project-dir=.)"),
        (["--model", "doctor", "doctor"], "(try: orchestrator doctor)"),
        (["--json", "run", "Fix it."], "(try: orchestrator run 'Fix it.' --json)"),
        (["--json", "undo", "the", "rounding"], "orchestrator run --json 'undo the rounding'"),
        (["--model", "doctor", "x"], "a single word is never a task"),
        (["rules", "lst"], "did you mean `list`? (try: orchestrator rules list)"),
        (["rules", "zzz"], "see the commands: orchestrator rules --help"),
        (["help", "rulse"], "did you mean `rules`?"),
        (["help", "runs", "shw"], "did you mean `show`?"),
        (["docs", "ruels"], "there is no page `ruels`; did you mean `rules`?"),
        (["docs", "zzz"], "list the pages: orchestrator docs"),
        (["completion", "csh"], "'csh' is not one of 'bash', 'zsh', 'fish'"),
        (["reprot-failure", "--description", "x"], "did you mean `report-failure`?"),
        (["run", ""], "the task is empty"),
        ([""], "the task is empty"),
        (["run", " \n"], "the task is empty"),
        (["run", "task", "more"], "(quote the task: orchestrator run 'task more')"),
        (["run", "-x"], "No such option"),
        (["fix", "the", "bug"], "(quote the task: orchestrator run 'fix the bug')"),
        (
            ["fix", "--model", "m n", "it's", "this"],
            """(quote the task: orchestrator run --model 'm n' 'fix it'"'"'s this')""",
        ),
        (["run", "--", "-x", "y"], "(quote the task: orchestrator run -- '-x y')"),
        (["run", "--weird"], "text that begins with a dash goes after `--`"),
        (
            ["learnings", "log", "ERR", "make", "fails"],
            "(quote the text: orchestrator learnings log ERR 'make fails')",
        ),
        (["--nosuch"], "No such option"),
        (["run", "the task", "--max-retries", "many"], "'many' is not a valid integer"),
        (["run", "the task", "--max-retries", "-1"], "command line --max-retries"),
        (["run", "the task", "--max-cost-usd", "0"], "command line --max-cost-usd"),
        (
            ["run", "the task", "--config", "nosuch.yaml"],
            "nosuch.yaml: cannot be read: No such file",
        ),
        (["runs", "--limit", "0"], "0 is not in the range"),
        (
            ["runs", "show", "nosuch"],
            "there is no run nosuch (list the runs with `orchestrator runs`)",
        ),
        (["runs", "show"], "there is no run yet"),
        (["resume"], "there is no run yet"),
        (["report-failure", "--failure-type", "other"], "Missing option '--description'"),
        (["report-failure", "--failure-type", "oops", "--description", "x"], "planning_error"),
        (["report-failure", "--failure-type", "test_failure", "--description", "x"], "is not one"),
        (["report-failure", "--failure-type", "other", "--description", " "], "is empty"),
        (["config", "show", "--project-dir", "nosuch"], "nosuch does not exist"),
    ],
)
def test_wrong_usage_is_reported_and_exits_with_2(
    call: Call,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(shop.project)
    done = call(*words)
    assert done.code == 2
    assert says in done.err
    assert done.out == ""
    assert len(done.err.splitlines()) <= 5


def test_a_task_needs_no_subcommand(call: Call, shop: Shop, teacher: object) -> None:
    done = call(TASK, "--project-dir", shop.project)
    assert done.code == 0
    assert f"Task     {TASK}" in done.out
    assert shop.word == "right\n"
    assert RULE.encode() in shop.rulebook


@pytest.mark.parametrize(
    "words",
    [
        *(["--no-auto-retry", TASK], ["--", "-x y"], ["run", "--", "-x y"], ["run", "run it"]),
        *(["- [ ] fix it"], ["run", "--weird task"], ["--model", "m", "-h does a=b"]),
        ["run", "-- x", "--model", "- m", "--max-retries", "1"],
    ],
    ids=" ".join,
)
def test_what_counts_as_the_task(
    call: Call,
    shop: Shop,
    teacher: object,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    monkeypatch.chdir(shop.project)
    shop.agent.write_text('echo "$1" > asked.txt; echo right > word.txt\n', encoding="utf-8")
    assert call(*words).code == 0
    task = "-- x" if "-- x" in words else words[-1]
    assert (shop.project / "asked.txt").read_text(encoding="utf-8") == f"{task}\n"


def test_it_is_a_real_program(shop: Shop, tmp_path: Path) -> None:
    done = wait_for_result(start_command("rnus", cwd=tmp_path))
    assert done.code == 2
    assert done.err.startswith("orchestrator: there is no command `rnus`")
    assert done.out == ""


def test_a_projects_files_are_not_imported_in_the_place_of_libraries(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("orchestrator, version ")

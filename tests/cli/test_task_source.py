"""What is a task, and what only looks like one: a run costs money."""

from pathlib import Path

import pytest

from tests.cli.conftest import Call, Shop, start_command, wait_for_result


@pytest.fixture
def asked(shop: Shop, teacher: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that holds what the agent was asked, once it was."""
    monkeypatch.chdir(shop.project)
    shop.agent.write_text('printf %s "$1" > asked.txt; echo right > word.txt\n', encoding="utf-8")
    return shop.project / "asked.txt"


@pytest.mark.parametrize(
    "word",
    [
        *("init2", "doctor2", "login", "foo", "x", "fix", "do-it", "Fix!", "résumé", "a/b", "1"),
        *("--", "-", "$(id)", " fix ", "fix\n"),
    ],
)
@pytest.mark.parametrize("above", [(), ("run",)], ids=["bare", "run"])
def test_a_single_word_is_never_a_task(
    call: Call, asked: Path, above: tuple[str, ...], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    done = call(*above, word)
    assert done.code == 2
    assert "Usage:" not in done.err
    assert "orchestrator" in done.err.partition("(")[2], "it says what to type"
    assert not asked.exists()


@pytest.mark.parametrize("options", [["--model", "m"], ["--json"], ["--max-retries=1"]])
def test_a_single_word_with_options_is_no_task_either(
    call: Call, asked: Path, options: list[str]
) -> None:
    for words in (["foo", *options], [*options, "foo"], ["run", "foo", *options]):
        done = call(*words)
        assert done.code == 2
        assert "a single word is never a task" in done.err
    assert not asked.exists()


def test_the_name_of_a_file_is_answered_with_the_command_that_reads_it(
    call: Call, asked: Path, shop: Shop
) -> None:
    shop.write("task.md", "Put the right word into word.txt.\n")
    done = call("run", "task.md")
    assert done.code == 2
    assert "(to read the task: orchestrator run -f task.md)" in done.err
    assert call("run", "-f", "task.md").code == 0
    assert asked.read_text(encoding="utf-8") == "Put the right word into word.txt."


def test_a_task_from_standard_input(asked: Path, shop: Shop) -> None:
    for nth, words in enumerate((["run"], ["run", "-f", "-"], ["-f", "-"])):
        shop.write("task.txt", f"- [ ] number {nth}\n\nmore\n")
        with (shop.project / "task.txt").open("rb") as task:
            done = wait_for_result(start_command(*words, cwd=shop.project, stdin=task))
        assert done.code == 0, done.output
        assert asked.read_text(encoding="utf-8") == f"- [ ] number {nth}\n\nmore"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "task.md: is empty"),
        (b"version\n", "task.md: `version`: a single word is never a task"),
        (b" \n\t\n", "task.md: is empty"),
        (b"fix\xff it", "task.md: is not UTF-8 text"),
        (b"fix\0it now", "task.md: is binary"),
        (b"\xff\xfef\0i\0x\0", "task.md: is not UTF-8 text"),
        (b"word " * 20_001, "task.md: the task is longer than 100 kB"),
    ],
)
def test_a_file_that_is_no_task_is_one_clear_line(
    call: Call, asked: Path, shop: Shop, content: bytes, says: str
) -> None:
    shop.write("task.md", content)
    done = call("run", "-f", "task.md")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert says in done.err
    assert not asked.exists()


def test_a_file_that_cannot_be_read_is_one_clear_line(call: Call, asked: Path, shop: Shop) -> None:
    for name, says in (("nosuch.md", "No such file"), (".", "Is a directory")):
        done = call("run", "-f", name)
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert f"{name}: cannot be read: {says}" in done.err
    assert not asked.exists()


def test_two_tasks_are_refused(call: Call, asked: Path) -> None:
    done = call("run", "Put the word.", "-f", "task.md")
    assert done.code == 2
    assert "there are two tasks" in done.err
    assert not asked.exists()


def test_a_standard_input_without_a_task_is_answered_with_how_to_give_one(shop: Shop) -> None:
    for words in (["run"], ["run", "-f", "-"]):
        done = wait_for_result(start_command(*words, cwd=shop.project))
        assert done.code == 2
        assert "empty" in done.err

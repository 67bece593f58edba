"""Each kind of secret at each exit: more than 360 texts by twelve ways out of this machine.

Many texts pass an exit together. Each begins with a line of its own, and a test fails if that line
does not arrive, because then the secret was cut off and not masked.
"""

import base64
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.models import Rule
from orchestrator.replay import ReplayServer
from orchestrator.rulebook.committing import commit_rule
from orchestrator.rulebook.records import Origin, RuleRecord, Status
from orchestrator.session_hooks.handler import handle_event
from orchestrator.suites.command_suite import CommandSuite
from teacher.models import RuleText
from tests.cli.conftest import TASK, Call, CommandResult, Shop
from tests.masking.samples import Sample, load_rows
from tests.sampling import leave_to_whole
from tests.stored_text import read_file, read_stored_text
from tests.teacher.loopback import Loopback, json_reply

ROWS = load_rows()
LEFT = {"cli-66-expect": "a word that is sent to a program, which nothing calls a password"}
"""Rows that no exit masks, and why."""
LESSON = {"rule": "Never guess a word.", "when": "A word is asked for.", "why": "Guesses fail."}
CHUNK = 10
"""Texts in one description, which is cut at 12,000 characters."""


def mark(sample: Sample) -> str:
    return f"({sample.id})"


def join(samples: Sequence[Sample]) -> str:
    return "\n\n".join(f"{mark(each)}\n{each.text}" for each in samples)


def split_rows() -> Iterator[Sequence[Sample]]:
    yield from (ROWS[at : at + CHUNK] for at in range(0, len(ROWS), CHUNK))


def list_leaks(found: str, rows: Sequence[Sample] = ROWS) -> list[str]:
    """Return the rows of which a secret stands in what was found, also as JSON or base64."""
    return [
        each.id
        for each in rows
        if each.id not in LEFT and any(_survives(secret, found) for secret in each.secrets)
    ]


def _survives(secret: str, found: str) -> bool:
    if secret.isdigit():  # a time or an amount has some digits by chance
        return bool(re.search(rf"(?<![\d.]){secret}(?!\d)", found))
    coded = base64.b64encode(secret.encode()).decode()
    return any(form in found for form in (secret, json.dumps(secret)[1:-1], coded))


def list_missing(found: str, rows: Sequence[Sample] = ROWS) -> list[str]:
    """Return the rows that did not arrive."""
    return [each.id for each in rows if mark(each) not in found]


def report(call: Call, shop: Shop, text: str) -> CommandResult:
    words = ("--description", text, "--context", text, "--task", text)
    options = ("--failure-type", "other", "--project-dir", shop.project)
    return call("report-failure", *options, *words)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def printing(shop: Shop) -> Shop:
    """A project whose agent and suite print every row, and whose agent writes all to a file."""
    shop.write("evidence.txt", "")
    secrets = shop.agent.with_name("secrets.txt")
    secrets.write_text(join(ROWS), encoding="utf-8")
    cat = f"cat {shlex.quote(str(secrets))}"
    shop.agent.write_text(f"{cat}; {cat} > evidence.txt\n", encoding="utf-8")
    shop.write("check.sh", f"{cat}; exit 1\n")
    return shop


def test_there_are_enough_rows() -> None:
    assert len(ROWS) >= 120
    assert len({each.id for each in ROWS}) == len(ROWS)


def test_the_teacher(call: Call, shop: Shop, teacher: ReplayServer, state: Path) -> None:
    """Requests to the Messages API, and what is stored of a report, its rule and `.learnings`."""
    (shop.project / ".learnings").mkdir()
    for rows in split_rows():
        report(call, shop, join(rows))
    sent = "\n".join(request.text for request in teacher.requests)
    assert list_missing(sent) == []
    assert list_leaks(sent) == []
    stored = read_stored_text(state) + read_stored_text(shop.project / ".learnings")
    assert list_leaks(stored + shop.rulebook.decode()) == []


def test_the_webhook(call: Call, shop: Shop, state: Path) -> None:
    with Loopback(json_reply(LESSON)) as workflow:
        shop.configure(teacher={"mode": "webhook"}, n8n={"webhook_url": workflow.url})
        for rows in split_rows():
            report(call, shop, join(rows))
    sent = "\n".join(asked.body.decode() for asked in workflow.asked)
    assert list_missing(sent) == []
    assert list_leaks(sent) == []


def test_failures_that_wait_for_a_teacher(call: Call, shop: Shop, state: Path) -> None:
    address = "http://hook:hunter2hunter2@127.0.0.1:9/x"
    shop.configure(teacher={"mode": "webhook"}, n8n={"webhook_url": address, "retry_for": 0})
    for rows in split_rows():
        assert report(call, shop, join(rows)).code == 3
    pending = read_stored_text(state / "pending")
    assert list_missing(pending) == []
    assert list_leaks(pending) == []
    assert "hunter2hunter2" not in pending


def test_the_record_and_json(
    call: Call, state: Path, printing: Shop, teacher: ReplayServer
) -> None:
    """A run's events as JSON, its folder, both databases, and what the commands show of it."""
    done = call(
        *("run", f"{TASK}\n\n{join(ROWS)}", "--project-dir", printing.project),
        *("--max-retries", "0", "--json"),
    )
    assert done.code == 1, done.output
    assert list_missing(done.out) == []
    assert list_leaks(done.output) == []
    stored = read_stored_text(state)
    assert list_missing(stored) == []
    assert list_leaks(stored) == []
    for words in (("show", "last"), ("events", "last"), ("events", "last", "--json")):
        assert list_leaks(call("runs", *words).output) == []
    (patch,) = state.rglob("attempt-1.patch")
    assert list_missing(patch.read_text("utf-8")) == []


def test_the_terminal(call: Call, state: Path, printing: Shop, teacher: ReplayServer) -> None:
    done = call("run", TASK, "--project-dir", printing.project, "--max-retries", "0")
    assert list_missing(done.out) == []
    assert list_leaks(done.output) == []


def test_the_next_prompt(call: Call, shop: Shop, teacher: ReplayServer, state: Path) -> None:
    """What the agent is told about its last attempt: a line for each of a few failing cases."""
    rows = [each for each in ROWS if len(each.text) < 60 and "\n" not in each.text][::12]
    asked = shop.agent.with_name("asked.txt")
    shop.agent.write_text(
        f'echo "$1" >> {shlex.quote(str(asked))}; echo "X = 2" > word.py\n', encoding="utf-8"
    )
    texts = {mark(each): each.text for each in rows}
    shop.write("word.py", "X = 1\n")
    shop.write(
        "test_t.py",
        f"import pytest\nfrom word import X\nTEXTS = {texts!r}\n\n\n"
        "@pytest.mark.parametrize('mark', TEXTS)\n"
        "def test_t(mark):\n    assert X == 1, TEXTS[mark]\n",
    )
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    shop.configure(tests={"framework": "pytest", "command": command})
    done = call("run", TASK, "--project-dir", shop.project, "--max-retries", "1")
    assert "Attempt 2" in done.out, done.output
    text = asked.read_text("utf-8")
    assert len(list_missing(text, rows)) < len(rows)
    assert list_leaks(text, rows) == []
    assert list_leaks(read_stored_text(state) + done.output, rows) == []


def test_learnings(call: Call, project: Path) -> None:
    assert call("learnings", "init", "local", "--project-dir", project).code == 0
    for each in ROWS:
        text = f"{mark(each)}\n{each.text}"
        call("learnings", "log", "--project-dir", project, "err", "--", text)
    kept = read_stored_text(project / ".learnings")
    assert len(list_missing(kept)) <= 2  # two entries that say nearly the same become one
    assert list_leaks(kept) == []


def test_the_working_buffer(project: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".learnings").mkdir()
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(project))
    for each in ROWS:
        event = {
            "hook_event_name": "PostToolUseFailure",
            "session_id": "s",
            "tool_use_id": each.id.replace(".", "-"),
            "tool_name": "Bash",
            "cwd": str(project),
            "tool_input": {"command": f"echo '{mark(each)}'\n{each.text}"},
            "error": f"{mark(each)}\n{each.text}",
        }
        handle_event(json.dumps(event).encode())
    kept = read_stored_text(project)
    assert list_missing(kept) == []
    assert list_leaks(kept) == []


def test_a_commit(shop: Shop) -> None:
    """A rule's evidence: summary, ids of cases, and its text."""
    moment = datetime(2031, 2, 28, tzinfo=UTC)
    found = ""
    for rows in split_rows():
        cases = tuple(f"test_x[{mark(each)} {each.text}]" for each in rows)
        origin = Origin("pytest", "f", "run", "it failed", cases=cases)
        rule = Rule("r-1", RuleText("Never guess.", f"When asked {len(found)}.", "It fails."), "")
        path = shop.write("CLAUDE.md", f"{len(found)}\n")
        commit_rule([path], RuleRecord(rule, Status.ACTIVE, "", origin, moment, moment))
        found += subprocess.run(
            ["git", "log", "-1", "--format=%B"],
            cwd=shop.project,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    assert list_leaks(found) == []
    assert len(list_missing(found)) < len(ROWS) / 2  # a line of evidence has a bound


def test_error_lines(call: Call, shop: Shop, state: Path) -> None:
    found = ""
    for each in ROWS:
        done = call("runs", "show", f"{mark(each)} {each.text}")
        assert done.code == 2
        found += done.err
    assert list_missing(found) == []
    assert list_leaks(found) == []


@pytest.mark.parametrize("part", leave_to_whole(range(6)))
def test_the_report_of_a_bug(
    part: int, call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ROWS[part::6]  # all of them are more than a report shows

    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError(join(rows))

    monkeypatch.setattr(CommandSuite, "run", broken)
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 4
    assert list_missing(done.err, rows) == []
    assert list_leaks(done.err) == []


LATE = "Quokka-77-lagoon"
"""A password that a run prints bare at first, and with its name in the second attempt."""


def test_a_secret_that_is_learned_late_is_masked_everywhere(
    call: Call, shop: Shop, teacher: ReplayServer, state: Path
) -> None:
    """Baseline and first attempt show it bare: in the task, an id, a message, a patch."""
    call("learnings", "init", "local", "--project-dir", shop.project)
    shop.write("word.py", "N = 0\n")
    shop.agent.write_text(
        f'echo "I saw {LATE}"\n'
        f'if grep -q "N = 0" word.py; then echo "N = 1  # {LATE}" > word.py; '
        f'else echo "N = 2" > word.py; echo "DB_PASSWORD={LATE}"; fi\n',
        encoding="utf-8",
    )
    shop.write(
        "test_t.py",
        "import pytest\nfrom word import N\n\n\n"
        f"@pytest.mark.parametrize('word', ['{LATE}', '{LATE}-2'])\n"
        "def test_t(word):\n    assert N == 0, f'{N} {word}'\n",
    )
    for arguments in (["add", "-A"], ["commit", "-q", "-m", "tests"]):
        subprocess.run(["git", *arguments], cwd=shop.project, check=True)
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    shop.configure(tests={"framework": "pytest", "command": command})
    task = f"Make it pass with {LATE}"
    done = call("run", task, "--project-dir", shop.project, "--max-retries", "1")
    assert done.code == 1, done.output
    assert "Attempt 2" in done.out, done.output
    assert done.out.count("2 failed") >= 2, done.out  # the two cases stay two
    stored = read_stored_text(state)
    where = [path for path in state.rglob("*") if path.is_file() and LATE in read_all(path)]
    assert LATE not in stored, where
    assert LATE not in read_stored_text(shop.project / ".learnings")
    for words in (("show", "last"), ("events", "last"), ("events", "last", "--json")):
        assert LATE not in call("runs", *words).output


def read_all(path: Path) -> str:
    return "\n".join(read_file(path))


def test_the_commit_of_a_rule_that_a_run_learned(
    call: Call, shop: Shop, teacher: ReplayServer, state: Path
) -> None:
    """A token and a password in ids of cases: `rules approve --commit`, and both databases."""
    secrets = ["ghp_" + "a1B2" * 9, LATE]
    shop.write("word.py", "N = 0\n")
    shop.agent.write_text(f"echo 'N = 1  # DB_PASSWORD={LATE}' > word.py\n", encoding="utf-8")
    shop.write(
        "test_t.py",
        "import pytest\nfrom word import N\n\n\n"
        f"@pytest.mark.parametrize('word', {secrets!r})\n"
        "def test_t(word):\n    assert N == 0, word\n",
    )
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    shop.configure(
        tests={"framework": "pytest", "command": command},
        learning={"approval": "review", "max_retries": 0},
    )
    for arguments in (["add", "-A"], ["commit", "-q", "-m", "tests"]):
        subprocess.run(["git", *arguments], cwd=shop.project, check=True)
    project = ("--project-dir", shop.project)
    done = call("run", TASK, *project)
    assert "2 failed" in done.out, done.output
    pending = call("rules", "pending", *project).out
    rule = re.search(r"\br-\w+", pending)
    assert rule, pending
    approved = call("rules", "approve", rule[0], "--commit", *project)
    assert approved.code == 0, approved.output
    message = subprocess.run(
        ["git", "log", "-1", "--format=%B"],
        cwd=shop.project,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "test_t[" in message
    found = message + read_stored_text(state) + approved.output
    assert [each for each in secrets if each in found] == []

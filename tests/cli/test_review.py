"""`orchestrator review` as a user calls it: the queue, and what a person decides."""

import json
import os
import shlex
import shutil
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from orchestrator.proposals.models import ProposalDraft, ProposalEvidence, ProposalKind
from tests.proposals.making import (
    draft,
    draft_permission,
    draft_rule,
    draft_skill_proposal,
    learn,
    propose,
)
from tests.rulebook.making import NONE

KEY = "sk-ant-api03-" + "a" * 40


class Review:
    """The command, in a project."""

    def __init__(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.project, self._capsys = project, capsys

    def __call__(self, *words: str, code: int = 0, group: str = "review") -> str:
        where = () if "--all" in words else ("--project-dir", str(self.project))
        with pytest.raises(SystemExit) as ended:
            main([group, *words, *where])
        out, err = self._capsys.readouterr()
        assert ended.value.code == code, out + err
        assert "Traceback" not in out + err
        return out + err

    def json(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*words, "--json").splitlines()]


@pytest.fixture
def review(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Review:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    return Review(project, capsys)


def set_editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> Path:
    """Make a program the editor: it gets the file's name, and runs `code` with its text."""
    script, seen = tmp_path / "editor.py", tmp_path / "seen.txt"
    script.write_text(
        "import os, pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\ntext = path.read_text('utf-8')\n"
        f"pathlib.Path({str(seen)!r}).write_text("
        "f'{path.name} {oct(os.stat(path.parent).st_mode & 0o777)}\\n{text}', 'utf-8')\n"
        f"{code}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("EDITOR", shlex.join([sys.executable, str(script)]))
    return seen


def test_an_empty_queue_is_one_line(review: Review) -> None:
    assert review("list") == "nothing waits for you\n"
    assert review("list", "--all") == "nothing waits for you\n"
    assert review.json("list") == []


def test_the_queue_has_everything_once(review: Review) -> None:
    rule = learn(review.project, NONE, review=True)
    ids = propose(
        review.project,
        draft(review.project, ProposalKind.RULE, rule=rule),
        draft_skill_proposal(review.project),
        draft_permission(review.project),
    )
    found = review.json("list")
    assert [each["id"] for each in found] == ids
    assert [each["kind"] for each in found] == ["rule", "skill", "permission"]
    assert found[0]["rule"] == {"id": rule, **vars(NONE)}
    assert [each["id"] for each in review.json("list", "--all")] == ids
    table = review("list")
    assert "3 of 41" in table
    assert NONE.rule in table
    assert "review accept ID" in table


def test_a_narrow_terminal(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    (identity,) = propose(review.project, draft_skill_proposal(review.project))
    monkeypatch.setenv("COLUMNS", "80")
    lines = review("show", identity).partition("---")[0].splitlines()
    assert max(map(len, lines)) <= 80


def test_show_has_evidence_counts_and_the_diff(review: Review) -> None:
    (identity,) = propose(review.project, draft_permission(review.project))
    shown = review("show", identity[:6])
    assert "in 3 of 41 sessions, 7 times in all" in shown
    assert "2026-11-20 10:11  session 5e551011: the user said: no" in shown
    assert '+      "Bash(go test *)"' in shown
    assert "+++ b/.claude/settings.local.json" in shown
    assert f"orchestrator review accept {identity}" in shown
    (values,) = review.json("show", identity)
    assert values["diff"] in shown
    assert values["evidence"][0]["row"] == "row-1"


def test_accept_show_and_undo(review: Review) -> None:
    ids = propose(review.project, draft_permission(review.project), draft_rule(review.project))
    said = review("accept", *ids)
    assert f"changed: {review.project / '.claude' / 'settings.local.json'}" in said
    assert f"changed: {review.project / 'CLAUDE.md'}" in said
    assert review("list") == "nothing waits for you\n"
    assert [each["status"] for each in review.json("list", "--decided")] == ["accepted"] * 2
    for identity, name in zip(ids, (".claude/settings.local.json", "CLAUDE.md"), strict=True):
        shown = review("show", identity)
        assert str(review.project / name) in shown
        assert f"To undo it: `orchestrator review reject {identity}`" in shown
    review("reject", *ids, "--reason", f"no longer, {KEY}")
    assert "Bash(" not in (review.project / ".claude" / "settings.local.json").read_text("utf-8")
    shown = review("show", ids[0])
    assert "rejected on" in shown
    assert "no longer, " in shown
    assert KEY not in shown
    assert "is decided: rejected" in review("accept", ids[0], code=2)


def test_after_an_error_the_rest_is_named_and_left_alone(review: Review) -> None:
    ids = propose(
        review.project,
        draft_rule(review.project),
        draft(review.project, ProposalKind.RULE, fingerprint="no words"),
        draft_permission(review.project),
    )
    said = review("accept", *ids, code=2)
    assert f"not decided: {ids[2]}" in said
    assert f"{ids[1]} is not put into words yet" in said
    assert [each["id"] for each in review.json("list")] == ids[1:]


def test_rules_and_review_say_the_same(review: Review) -> None:
    rule = learn(review.project, NONE, review=True)
    (identity,) = propose(review.project, draft(review.project, ProposalKind.RULE, rule=rule))
    review("reject", rule, group="rules")
    assert review("list") == "nothing waits for you\n"
    assert review.json("show", identity)[0]["status"] == "rejected"
    review("restore", rule, group="rules")
    assert review.json("show", identity)[0]["status"] == "accepted"


def test_a_pending_rule_can_be_decided_by_its_own_id(review: Review) -> None:
    rule = learn(review.project, NONE, review=True)
    assert NONE.rule in review("show", rule)
    assert "accept" in review("edit", rule, "--why", "It reads like a result.")
    review("accept", rule)
    assert "It reads like a result." in (review.project / "CLAUDE.md").read_text("utf-8")
    assert "is not pending" in review("accept", rule, code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "p-ffffffff"), "there is no proposal p-ffffffff"),
        (("show", "r-ffffff"), "there is no proposal and no rule r-ffffff"),
        (("accept", ""), "the rule's id is empty"),
        (
            ("reject", "nonsense"),
            "there is no proposal and no rule nonsense (see `orchestrator review list`)",
        ),
        (("edit", "p-1", "--rule", "x"), "there is no proposal p-1"),
        (("accept",), "Missing argument"),
        (("--since", "1d", "list"), "`list` is a command, so its options come after it: --since"),
        (("--json", "--project", "x", "show", "p-1"), "come after it: --project, --json"),
        (("lst",), "did you mean `list`?"),
    ],
)
def test_wrong_usage_is_one_clear_line(review: Review, words: tuple[str, ...], said: str) -> None:
    assert said in review(*words, code=2)


def test_control_characters_and_secrets_do_not_reach_the_terminal(review: Review) -> None:
    evil = ProposalDraft(
        str(review.project),
        ProposalKind.RULE,
        "f",
        "a title \x1b[31m\u202e",
        {"text": {"rule": "Never use eval\x1b]0;x\x07", "when": "", "why": ""}},
        (ProposalEvidence("s\x1b[2J", "r", "2026-11-20T10:11\x1b", f"quote\x07 {KEY}"),),
        "detector\x1b",
    )
    (identity,) = propose(review.project, evil)
    shown = review("list") + review("show", identity) + review("list", "--all")
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert KEY not in shown


@pytest.mark.parametrize("hidden", ["\u3164", "\u2800", "\ufe01", "\ufe0f", "\U000e0151", "\u034f"])
def test_what_is_shown_as_nothing_is_shown_as_an_escape(review: Review, hidden: str) -> None:
    commands = f"run{hidden} x \u26a0\ufe0f"
    (identity,) = propose(review.project, draft_rule(review.project, commands))
    for shown in (review("list"), review("show", identity), review("list", "--all")):
        assert hidden not in shown.replace("\u26a0\ufe0f", "")
        assert hidden.encode("unicode_escape").decode() in shown
        assert "\u26a0\ufe0f" in shown  # of an emoji


def test_edit_a_rule_in_the_editor(
    review: Review, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (identity,) = propose(review.project, draft_rule(review.project))
    seen = set_editor(
        monkeypatch,
        tmp_path,
        "path.write_text(text.replace('Never use eval', 'Never use exec\\nor eval'), 'utf-8')",
    )
    shown = review("edit", identity)
    assert "+- **Rule**: Never use exec or eval" in shown
    opened = seen.read_text("utf-8")
    assert opened.startswith("rule.txt 0o700\n# ")
    assert "Rule: Never use eval\nWhen: Parsing\nWhy: It runs anything\n" in opened
    review("accept", identity)
    text = (review.project / "CLAUDE.md").read_text("utf-8")
    assert "- **Rule**: Never use exec or eval\n- **When**: Parsing\n" in text


def test_what_a_permission_also_allows_is_one_line(review: Review) -> None:
    rules = ["Bash(go test *)", "Bash(make lint)"]
    (identity,) = propose(review.project, draft_permission(review.project, rules))
    (line,) = [each for each in review("show", identity).splitlines() if "  allows " in each]
    assert "Bash(go test *): any arguments, also those that make go test run" in line


def test_edit_permissions_in_the_editor(
    review: Review, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (identity,) = propose(review.project, draft_permission(review.project))
    set_editor(monkeypatch, tmp_path, "path.write_text(text + 'Bash(go vet ./...)\\n', 'utf-8')")
    assert '+      "Bash(go vet ./...)"' in review("edit", identity)
    set_editor(monkeypatch, tmp_path, "path.write_text(text + 'Bash(rm *)\\n', 'utf-8')")
    assert "Bash(rm *) is never allowed this way" in review("edit", identity, code=2)
    assert "rm" not in str(review.json("show", identity)[0]["content"])


def test_edit_a_skill_in_the_editor(
    review: Review, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (identity,) = propose(review.project, draft_skill_proposal(review.project))
    seen = set_editor(monkeypatch, tmp_path, "path.write_text(text + '\\nThen rest.\\n', 'utf-8')")
    assert "+Then rest." in review("edit", identity)
    assert seen.read_text("utf-8").startswith("SKILL.md 0o700\n---\nname: ")
    set_editor(monkeypatch, tmp_path, "path.write_text('# no front matter', 'utf-8')")
    assert "would not load the skill" in review("edit", identity, code=2)


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("pass", 0, "Never use eval"),
        ("path.write_text('', 'utf-8')", 0, "Never use eval"),
        ("path.write_bytes(b'\\xff\\xfe')", 2, "is not UTF-8"),
        ("path.write_text('what is this', 'utf-8')", 2, "is no part of a rule"),
        ("sys.exit(3)", 2, "ended with exit code 3"),
        ("path.unlink()", 0, "Never use eval"),
    ],
)
def test_an_editor_that_changes_nothing_or_fails(
    review: Review,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    code: str,
    exit_code: int,
    said: str,
) -> None:
    (identity,) = propose(review.project, draft_rule(review.project))
    set_editor(monkeypatch, tmp_path, code)
    assert said in review("edit", identity, code=exit_code)
    assert "Never use eval" in review("list")


def test_a_check_is_edited_by_its_rule(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = learn(review.project, NONE, review=False)
    (identity,) = propose(review.project, draft(review.project, ProposalKind.CHECK, rule=rule))
    assert f"rules edit {rule}" in review("edit", identity, code=2)
    monkeypatch.setenv("EDITOR", "no-such-editor-anywhere")
    assert "a test of its own" in review("show", identity)
    assert "to enforce it: a test of its own" in review("accept", identity)
    assert review.json("show", rule)[0]["rule"]["id"] == rule


def test_a_missing_editor(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    (identity,) = propose(review.project, draft_rule(review.project))
    monkeypatch.setenv("EDITOR", "no-such-editor-anywhere")
    assert "cannot be started" in review("edit", identity, code=3)


def test_all_projects_by_name(review: Review, tmp_path: Path) -> None:
    other = tmp_path / "another project"
    other.mkdir()
    propose(review.project, draft_rule(review.project))
    (there,) = propose(other, draft_permission(other))
    (other / "orchestrator.yaml").write_text("oops: [", encoding="utf-8")
    shown = review("list", "--all")
    assert f"{other}:\n" in shown
    assert f"{other}: its configuration cannot be read: " in shown
    assert there in shown
    assert f"is of another project: {other}" in review("show", there, code=2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_folder_that_may_not_be_written(review: Review) -> None:
    (identity,) = propose(review.project, draft_permission(review.project))
    review.project.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert "change its permissions" in review("accept", identity, code=2)
    finally:
        review.project.chmod(stat.S_IRWXU)
    assert identity in review("list")


@pytest.mark.parametrize("is_moved", [True, False])
def test_proposals_of_a_project_that_is_gone_can_be_seen_and_cleared(
    review: Review, tmp_path: Path, is_moved: bool
) -> None:
    drafts = (draft_permission, draft_rule, draft_skill_proposal)
    ids = propose(review.project, *(each(review.project) for each in drafts))
    (check,) = propose(review.project, draft(review.project, ProposalKind.CHECK, rule="r-1"))
    review("accept", ids[0], ids[1])
    pending = learn(review.project, NONE, review=True)
    if is_moved:
        review.project.rename(tmp_path / "moved")
    else:
        shutil.rmtree(review.project)

    for identity in (*ids, check, pending):
        shown = review("show", identity)
        assert "is gone: read from the record alone" in shown
        assert "accept" not in shown.rpartition("\n  ")[2]
    assert "does not exist" in review("accept", ids[2], code=2)
    assert "rejected" in review("reject", *ids, check, pending)

    assert not review.project.exists()
    assert review("list", "--all") == "nothing waits for you\n"
    review.project = tmp_path / "never there"
    assert "does not exist" in review("reject", ids[0], code=2)


def test_the_project_has_two_names_everywhere(
    review: Review, capsys: pytest.CaptureFixture[str]
) -> None:
    (identity,) = propose(review.project, draft_rule(review.project))
    for name in ("--project", "--project-dir"):
        for words in (("list",), ("show", identity), ("edit", identity, "--why", name)):
            with pytest.raises(SystemExit) as ended:
                main(["review", *words, name, str(review.project)])
            assert (ended.value.code, identity in capsys.readouterr().out) == (0, True)
    with pytest.raises(SystemExit):
        main(["review", "list", "--all", "--project", str(review.project)])
    assert "exclude each other" in capsys.readouterr().err


def test_what_is_decided_opens_no_editor(
    review: Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (identity,) = propose(review.project, draft_rule(review.project))
    review("reject", identity)
    seen = set_editor(monkeypatch, tmp_path, "")
    assert "is decided: rejected" in review("edit", identity, code=2)
    assert not seen.exists()


def test_evidence_keeps_its_lines_and_the_users_zone(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["$ go test ./...", *(f"  line {number}" for number in range(20)), f"\x1b[31m {KEY}"]
    place = ProposalEvidence("s1", "r", "2026-11-20T23:11:12.000Z", "\n".join(lines))
    diff = "--- a.py\n-one\n" + "+two\n" * 60
    (identity,) = propose(
        review.project,
        draft(review.project, ProposalKind.RULE, {"diff": diff}, evidence=(place,)),
    )
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        shown = review("show", identity)
    time.tzset()
    assert "    2026-11-21 08:11  session s1: $ go test ./...\n        line 0\n" in shown
    assert "      ... and 10 more lines\n" in shown
    assert "  changed between red and green\n    --- a.py\n    -one\n    +two\n" in shown
    assert "    ... and 22 more lines\n" in shown


def test_what_is_printed_fits_a_terminal(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_of_words = draft_rule(review.project, "Never use eval " + "and the like " * 9)
    (identity,) = propose(review.project, draft_of_words)
    monkeypatch.setattr("orchestrator.cli.review.find_width", lambda: 80)
    for words in (("list",), ("show", identity), ("accept", identity), ("reject", identity)):
        lines = review(*words).partition("---")[0].splitlines()
        folders = str(review.project)
        assert max(len(line) for line in lines if folders not in line) <= 80, words

"""A resolved entry becomes a line; everything else in the file stays."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from orchestrator.errors import LoopError, RulebookError, UsageError
from orchestrator.memory.document import front_matter_of
from orchestrator.memory.document import parse as parse_rulebook
from orchestrator.memory.learnings.entries import Entry, Kind
from orchestrator.memory.learnings.placing import HEADING, with_line
from orchestrator.memory.learnings.promotion import (
    can_commit,
    checked_line,
    commit,
    draft,
    promote,
    target_path,
)
from orchestrator.memory.learnings.workspace import (
    Workspace,
    global_workspace,
    init,
    log,
    resolve,
)

LINE = "Never rename an EKS node group in place"


@pytest.fixture
def resolved(workspace: Workspace) -> Entry:
    log(workspace, Kind.ERR, "We assumed it could be renamed.")
    return resolve(workspace, workspace.entries()[0].id, f"{LINE}. It forces replacement.")


def test_the_line_goes_in_and_the_entry_says_where(workspace: Workspace, resolved: Entry) -> None:
    done = promote(workspace, resolved.id, LINE, target_path(workspace, ""))
    assert done.entry.status == "promoted"
    assert (workspace.base / "CLAUDE.md").read_text(encoding="utf-8") == (
        f"{HEADING}\n\n- {LINE}\n"
    )
    assert "**Promoted to**: CLAUDE.md\n**Occurrences then**: 1\n" in workspace.file(
        Kind.ERR
    ).read_text(encoding="utf-8")


def test_pending_resolved_promoted_in_this_order(workspace: Workspace, resolved: Entry) -> None:
    pending = log(workspace, Kind.LRN, "Something helps").id
    target = target_path(workspace, "")
    with pytest.raises(UsageError, match="pending; only a resolved"):
        promote(workspace, pending, LINE, target)
    assert not target.exists()
    promote(workspace, resolved.id, LINE, target)
    with pytest.raises(UsageError, match="promoted already"):
        promote(workspace, resolved.id, LINE, target)
    with pytest.raises(UsageError, match="promoted already"):
        resolve(workspace, resolved.id, "x")


def test_broken_off_it_is_done_again_without_a_second_line(
    workspace: Workspace, resolved: Entry
) -> None:
    target = target_path(workspace, "")
    target.write_bytes(with_line(b"", LINE))
    assert promote(workspace, resolved.id, LINE, target).already
    assert target.read_text(encoding="utf-8").count(LINE) == 1


@pytest.mark.parametrize(
    "name", ["CLAUDE.md", "AGENTS.md", ".github/copilot-instructions.md", "references/eks.md"]
)
def test_targets(workspace: Workspace, resolved: Entry, name: str) -> None:
    promote(workspace, resolved.id, LINE, target_path(workspace, name))
    assert LINE in (workspace.base / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["README.md", "../CLAUDE.md", "references/../../x.md", "/etc/x.md", "references/x.sh"]
)
def test_no_targets(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="no target"):
        target_path(workspace, name)


@pytest.mark.parametrize("name", ["references/a.md", ".github/copilot-instructions.md"])
def test_a_folder_that_leads_out_is_refused(
    workspace: Workspace, resolved: Entry, name: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (workspace.base / name).parent.symlink_to(outside)
    with pytest.raises(RulebookError, match="is a link out of the project"):
        promote(workspace, resolved.id, LINE, target_path(workspace, name))
    assert list(outside.iterdir()) == []
    assert workspace.find(resolved.id).status == "resolved"


def test_the_default_target(workspace: Workspace) -> None:
    (workspace.base / "AGENTS.md").write_text("# A\n", encoding="utf-8")
    assert target_path(workspace, "").name == "AGENTS.md"
    (workspace.base / "CLAUDE.md").write_text("# C\n", encoding="utf-8")
    assert target_path(workspace, "").name == "CLAUDE.md"
    init(global_workspace())
    assert target_path(global_workspace(), "") == global_workspace().base / "CLAUDE.md"
    with pytest.raises(UsageError, match="no target"):
        target_path(global_workspace(), "AGENTS.md")


def test_a_first_claude_md_keeps_agents_md_in_force(workspace: Workspace, resolved: Entry) -> None:
    (workspace.base / "AGENTS.md").write_text("Be kind.\n", encoding="utf-8")
    promote(workspace, resolved.id, LINE, target_path(workspace, "CLAUDE.md"))
    assert (workspace.base / "CLAUDE.md").read_text(encoding="utf-8").startswith("@AGENTS.md\n")


def test_learned_rules_stay_what_they_are(workspace: Workspace, resolved: Entry) -> None:
    rules = (
        b"\xef\xbb\xbf# P\r\n\r\n## Learned Rules & Patterns\r\n\r\n- **Rule**: a\r\n"
        b"- **When**: b\r\n- **Why**: c\r\n  - **Source**: d\r\n\r\n## Last\r\n\r\ncaf\xe9"
    )
    target = workspace.base / "CLAUDE.md"
    target.write_bytes(rules)
    promote(workspace, resolved.id, LINE, target)
    after = target.read_bytes()
    assert after == rules + f"\r\n\r\n{HEADING}\r\n\r\n- {LINE}\r\n".encode()
    assert parse_rulebook(after).rules == parse_rulebook(rules).rules


def test_lines_gather_under_one_heading() -> None:
    data = with_line(b"# P\n", "Never a")
    data = with_line(data + b"\n## Next\n\ntext\n", "Never b")
    assert data.decode() == (f"# P\n\n{HEADING}\n\n- Never a\n- Never b\n\n## Next\n\ntext\n")
    assert with_line(data, "never  A.") == data


def test_an_open_block_does_not_swallow_the_line() -> None:
    data = with_line(b"# P\n\n```sh\nls\n", "Never a")
    assert data.decode() == f"# P\n\n```sh\nls\n```\n\n{HEADING}\n\n- Never a\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # A code block, a comment, a subsection or a text stands behind the list, and stays there.
        ("- a\n", "\n```sh\n# build it\nmake\n```\n"),
        ("- a\n\n- b\n", "\n<!-- x\n# y\n-->\n\ntext\n"),
        ("* a\n\n  more\n", "\n### Notes\n\n- c\n"),
        ("- a\n", "\n```sh\nnobody ended it\n"),
    ],
)
def test_the_line_joins_the_list_whatever_follows(before: str, after: str) -> None:
    head = f"# P\n\n{HEADING}\n\n"
    written = with_line(f"{head}{before}{after}".encode(), LINE)
    assert written.decode() == f"{head}{before}- {LINE}\n{after}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- ```\n", "text\n"),
        ("- a\n", "```sh\nnobody ended it\n"),
        ("- <!-- a\n", "text\n"),
        ("", "\f\n"),
        ("", "\u2003text\n"),
    ],
)
def test_what_follows_at_once_is_not_taken_into_the_line(before: str, after: str) -> None:
    head = f"# P\n\n{HEADING}\n"
    written = with_line(f"{head}{before}{after}".encode(), LINE)
    begin = before or "\n"
    assert written.decode() == f"{head}{begin}- {LINE}\n\n{after}"
    assert LINE in {token.content for token in _inline(written)}, "on its own"


def test_a_heading_without_a_list_gets_one() -> None:
    assert with_line(f"{HEADING}\ntext\n".encode(), LINE).decode() == (
        f"{HEADING}\n\n- {LINE}\n\ntext\n"
    )
    subsection = f"{HEADING}\n\n### Notes\n\n- a\n"
    assert with_line(subsection.encode(), LINE).decode() == (
        f"{HEADING}\n\n- {LINE}\n\n### Notes\n\n- a\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"# P\n\n<!--\n{HEADING}\n\n- {LINE}\n-->\n",
        f"# P\n\n```md\n{HEADING}\n\n- {LINE}\n```\n",
        f"---\n{HEADING}\nx: 1\n---\n",
        f"> {HEADING}\n",
    ],
)
def test_what_is_no_text_is_no_place_for_a_line_and_no_line(text: str) -> None:
    written = with_line(text.encode(), LINE)
    assert written.decode() == f"{text}\n{HEADING}\n\n- {LINE}\n"
    assert with_line(written, LINE) == written


def test_an_open_comment_is_ended_before_the_line(workspace: Workspace, resolved: Entry) -> None:
    target = workspace.base / "CLAUDE.md"
    target.write_bytes(b"> quoted\n\n<!-- a\n\n<!DOCTYPE")
    promote(workspace, resolved.id, LINE, target)
    assert target.read_bytes().startswith(b"> quoted\n\n<!-- a\n\n<!DOCTYPE\n-->\n")


blocks = st.lists(
    st.sampled_from(
        [f"{HEADING}\n", "# A\n", "### B\n", "- x\n", "* y\n", "  z\n", "1. n\n", "\n", "```\n",
         "<!-- c\n", "-->\n", "<div>\n", "> q\n", "    i\n", "---\n", "===\n", "text\n", "a\rb\n",
         "caf\udce9\n", "~~~~ sh\n", "<script>\n"]
    ),
    max_size=10,
)  # fmt: skip


@given(blocks, st.booleans(), st.booleans())
def test_a_line_is_always_a_rule_and_nothing_else_changes(
    blocks: list[str], windows: bool, bom: bool
) -> None:
    text = "\ufeff" * bom + "".join(blocks)
    if windows:
        text = text.replace("\n", "\r\n")
    before = text.encode("utf-8", "surrogateescape")
    try:
        after = with_line(before, LINE)
    except RulebookError:
        return
    (token,) = (one for one in _inline(after) if one.content == LINE)
    assert token.level >= 3, "in a list item"
    assert with_line(after, LINE) == after
    assert any(
        after.startswith(before[:at]) and after.endswith(before[at:])
        for at in range(len(before) + 1)
    ), "it is one piece that came in"


def _inline(data: bytes) -> list[Token]:
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    matter = front_matter_of(data)
    if matter is not None:
        text = text.partition("\n")[2].partition("---")[2]
    return [token for token in MarkdownIt("commonmark").parse(text) if token.type == "inline"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "is empty"),
        ("Never " + "x" * 80, "80 are the most"),
        ("We assumed that it works", "tells a story"),
        ("Added a lifecycle block", "tells a story"),
        ("The plan replaces it", "tells a story"),
        ("Using helm diff helps", "tells a story"),
        ("EKS node group rename forces replacement", "tells a story"),
    ],
)
def test_lines_that_are_none(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked_line(line)


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        "Run helm diff upgrade before helm upgrade to preview rendered changes",
        "Always add resource requests and limits to every container spec",
        "`make test` before each commit",
        "Feed the seed, don't embed it",
        "NEVER rename it",
        "Dockerise the images first",
        "x" * 80,
    ],
)
def test_lines_that_are_some(line: str) -> None:
    assert checked_line(line) == line


def test_a_line_can_import_and_hide_nothing() -> None:
    assert checked_line("Never\nread @secrets.md <!-- x") == "Never read `@secrets.md` <! -- x"


def test_a_draft_is_an_order_or_nothing(workspace: Workspace, resolved: Entry) -> None:
    assert draft(resolved) == LINE
    log(workspace, Kind.LRN, "We used a snapshot, and it helped.", context="x")
    assert draft(workspace.entries()[-1]) == ""
    log(workspace, Kind.LRN, "Helm diff shows it first.", context="y", action="Don\u2019t skip it.")
    assert draft(workspace.entries()[-1]) == "Don\u2019t skip it"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_a_commit_holds_the_two_files_and_nothing_else(
    workspace: Workspace, resolved: Entry
) -> None:
    base = workspace.base
    assert not can_commit(workspace)
    git(base, "init", "-q")
    (base / "staged.txt").write_text("x", encoding="utf-8")
    git(base, "add", "staged.txt")
    assert can_commit(workspace)
    done = promote(workspace, resolved.id, LINE, target_path(workspace, ""))
    subject = commit(workspace, done)
    assert subject == f"docs(memory): promote {resolved.id} — {LINE}"
    assert git(base, "log", "--format=%s").strip() == subject
    shown = git(base, "show", "--name-only", "--format=").split()
    assert shown == [".learnings/ERRORS.md", "CLAUDE.md"]
    assert "A  staged.txt" in git(base, "status", "--porcelain")


def test_what_git_ignores_is_not_committed(workspace: Workspace, resolved: Entry) -> None:
    git(workspace.base, "init", "-q")
    (workspace.base / ".gitignore").write_text(".learnings/\n", encoding="utf-8")
    commit(workspace, promote(workspace, resolved.id, LINE, target_path(workspace, "")))
    assert git(workspace.base, "show", "--name-only", "--format=").split() == ["CLAUDE.md"]


def test_a_commit_that_git_refuses_says_why(workspace: Workspace, resolved: Entry) -> None:
    git(workspace.base, "init", "-q")
    hook = workspace.base / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on Fridays\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    done = promote(workspace, resolved.id, LINE, target_path(workspace, ""))
    with pytest.raises(LoopError, match="not on Fridays"):
        commit(workspace, done)

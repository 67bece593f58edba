"""CLAUDE.md as users have it: in other encodings, mounted, linked, ignored by git."""

import os
from typing import Final

import pytest

from orchestrator.replay import Speaker
from tests.corpus.reports.lab import MEMORY, RULE, Lab, require_namespaces, vary

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(1200)]

_RULES: Final = "# Hausregeln\r\n\r\nUmlaute wie ü bleiben.\r\n"
_ENCODED: Final = {
    "utf16le": b"\xff\xfe" + _RULES.encode("utf-16-le"),
    "utf16be": b"\xfe\xff" + _RULES.encode("utf-16-be"),
    "latin1": _RULES.encode("latin-1"),
}


@vary(*_ENCODED, sample="utf16le")
def test_encoding(lab: Lab, variant: str) -> None:
    """CLAUDE.md is not UTF-8: made by PowerShell's `>`, or with one byte of Latin-1.

    Right: the rule is readable in the file's own encoding, or the write is refused in a line that
    names the file; never bytes of two encodings in one file.
    """
    lab.make_project()
    raw = _ENCODED[variant]
    lab.memory.write_bytes(raw)
    lab.commit()
    with lab.serve_model():
        result = lab.report_failure()
    found = lab.memory.read_bytes()
    assert found.startswith(raw) or result.exit != 0, "bytes of the user's changed"
    if variant == "latin1":
        assert result.exit == 0, f"exit code {result.exit}"
        assert RULE.encode() in found, "not added"
        return
    if found == raw:
        assert result.exit != 0, "nothing was written, and nobody said so"
        assert "CLAUDE.md" in result.text, "the file is not named"
    else:
        text = found.decode("utf-16", errors="replace")
        assert RULE in text, "a UTF-8 rule was put into a UTF-16 file, reported as added"


@vary("hardlink", "bind", sample="hardlink")
def test_mounted_memory(lab: Lab, variant: str) -> None:
    """CLAUDE.md is one that a rename must not replace (hard link) or cannot (mounted).

    Right: the rule is added through the existing file, or it is refused in one line before the
    teacher is paid.
    """
    lab.make_project()
    other = lab.folder / "shared.md"
    other.write_text(MEMORY, "utf-8")
    prefix: tuple[str, ...] = ()
    if variant == "hardlink":
        lab.memory.unlink()
        os.link(other, lab.memory)
    else:
        require_namespaces()
        prefix = lab.mount_memory(other)
    with lab.serve_model():
        result = lab.report_failure(prefix=prefix)
    refused = result.exit != 0
    assert not refused or lab.count_lessons() == 0, f"exit {result.exit} after a paid lesson"
    assert refused or RULE in other.read_text("utf-8"), "added, but not to the file behind it"
    beside = [path.name for path in lab.project.iterdir() if "CLAUDE" in path.name]
    assert beside == ["CLAUDE.md"], "something is left beside CLAUDE.md"


@vary("gitignore", "exclude", sample="gitignore")
def test_ignored_memory(lab: Lab, variant: str) -> None:
    """Git ignores the user's CLAUDE.md, and the run works in a separate work tree.

    Right: the agent sees the user's file; the learned rule outlives the run, in that file or on
    the branch; a merge, as the run advises, never replaces the file.
    """
    lab.make_project(memory=None)
    ignore = ".gitignore" if variant == "gitignore" else ".git/info/exclude"
    with (lab.project / ignore).open("a", encoding="utf-8") as file:
        file.write("CLAUDE.md\n")
    lab.commit()
    lab.memory.write_text("# Mine\n\nSay moin in every commit message.\n", "utf-8")
    with lab.serve_model():
        result = lab.run("--isolate")
    assert result.exit == 0, f"exit code {result.exit}"
    assert "Say moin" in lab.join_requests(Speaker.AGENT), "the agent never saw the user's file"
    names = lab.git("branch", "--list", "--format=%(refname:short)", "orchestrator/*").split()
    branches = [name for name in names if RULE in lab.git("show", f"{name}:CLAUDE.md")]
    own = lab.memory.read_text("utf-8")
    assert branches or RULE in own, "the learned rule is gone with the work tree"
    if branches:
        _check_merge(lab, branches[0], announced="CLAUDE.md" in result.out.split("Attempt 1")[0])


def _check_merge(lab: Lab, branch: str, *, announced: bool) -> None:
    committed = lab.git("show", f"{branch}:CLAUDE.md")
    assert "Say moin" in committed or announced, "a second CLAUDE.md was committed, unannounced"
    merged = lab.git("merge", branch)
    assert "error:" not in merged, "`git merge`, as advised, fails on the user's own CLAUDE.md"
    assert "Say moin" in lab.memory.read_text("utf-8"), "the merge replaced the user's CLAUDE.md"

"""Secrets in a patch are masked; a very large patch is shortened, with a note."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.failures.patch_excerpt import CUT
from orchestrator.failures.patch_masking import mask_patch
from orchestrator.guard.scan.patches import read_patch
from orchestrator.masking import Masker
from tests.masking.test_masker import made

WHOLE = "git diff-tree -p BEFORE AFTER"
BOUND = 100_000


def section(name: str, lines: Sequence[str]) -> str:
    added = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -0,0 +1,{len(lines)} @@\n"
        + added
    )


def masked(tmp_path: Path, *sections: str) -> tuple[str, int, int | None]:
    path = tmp_path / "a.patch"
    path.write_text("".join(sections), encoding="utf-8", newline="")
    found = mask_patch(Masker(), path, WHOLE, BOUND)
    assert [each.name for each in tmp_path.iterdir()] == ["a.patch"]
    return path.read_text(encoding="utf-8"), found.redactions, found.retained_bytes


def test_a_patch_is_written_only_where_there_is_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "a.patch"
    path.write_bytes(b"+caf\xe9 \xff\n")
    before = path.stat()
    assert mask_patch(Masker(), path, WHOLE).redactions == 0
    assert path.read_bytes() == b"+caf\xe9 \xff\n"
    assert path.stat().st_ino == before.st_ino
    path.write_bytes(b"+\xff ghp_" + made(36).encode() + b"\n")
    assert mask_patch(Masker(), path, WHOLE).redactions == 1
    assert path.read_bytes() == b"+\xff [redacted: github token]\n"
    assert [each.name for each in tmp_path.iterdir()] == ["a.patch"]


def test_a_giant_change_is_cut_and_small_ones_stay_whole(tmp_path: Path) -> None:
    code = section("calc.py", ["x = 1", "y = 2"])
    giant = section("data.csv", [f"{at},{at}" for at in range(200_000)])
    last = section("z.py", ["z = 3"])
    text, redactions, kept = masked(tmp_path, code, giant, last)
    assert (redactions, kept) == (0, len(text))
    assert BOUND * 0.9 < len(text) <= BOUND + 1_000
    assert text.startswith(code)
    assert text.endswith(last)
    (line,) = (line for line in text.splitlines() if line.startswith(CUT))
    assert line == f"{CUT}2.7 MB of data.csv; all of it: {WHOLE}]"
    assert "+0,0\n" in text
    assert "+199999,199999\n" in text


@pytest.mark.parametrize("shift", range(0, 60, 3))
def test_no_half_of_a_secret_survives_a_cut(tmp_path: Path, shift: int) -> None:
    secret = "ghp_" + made(36)
    line = f"{'x' * shift} {secret} "
    text, redactions, kept = masked(tmp_path, section("min.js", [line * 5_000]))
    assert kept is not None
    assert redactions > 100
    halves = {secret[at : at + 8] for at in range(len(secret) - 7)}
    assert not [half for half in halves if half in text]


def test_of_many_changes_the_last_are_left_out_and_counted(tmp_path: Path) -> None:
    each = [f"line {at}" for at in range(400)]
    text, _, kept = masked(tmp_path, *(section(f"f{at}.py", each) for at in range(300)))
    assert kept == len(text.encode())
    assert len(text) < BOUND + 50 * 2 * len(WHOLE) + 2_000
    assert text.splitlines()[-1].startswith(f"{CUT}the changes of ")
    assert text.splitlines()[-1].endswith(f" more files; all of it: {WHOLE}]")


def test_the_guard_knows_that_lines_are_missing(tmp_path: Path) -> None:
    whole = section("calc.py", ["x = 1", "y = 2"])
    giant = section("data.py", [f"x{at} = {at}" for at in range(50_000)])
    masked(tmp_path, whole, giant, section("z.py", ["z = 3"]))
    patch = read_patch(tmp_path / "a.patch")
    assert patch.added == {"calc.py": {1, 2}, "z.py": {1}}


def test_what_is_no_patch_is_masked_all_the_same(tmp_path: Path) -> None:
    text, redactions, kept = masked(tmp_path, f"+ghp_{made(36)}\n" * 3)
    assert (text, redactions, kept) == ("+[redacted: github token]\n" * 3, 3, None)

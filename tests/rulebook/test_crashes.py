"""Killed, raced and out of space: the file is whole, and nothing is lost or doubled."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.rulebook.document import parse_document
from tests.rulebook.making import FAILURE, add, is_one_insertion, rulebook
from tests.rulebook.writers import START, rule

_TOP = Path(__file__).parents[2]


def _writers(mode: str, project: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.rulebook.writers", mode, str(project)],
        cwd=_TOP,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _only_the_file(project: Path) -> bool:
    return [path.name for path in project.iterdir()] == ["CLAUDE.md"]


@pytest.fixture
def started(project: Path) -> Path:
    (project / "CLAUDE.md").write_bytes(START)
    return project


def test_a_writer_killed_at_any_line_leaves_the_file_whole(started: Path) -> None:
    lines = json.loads(_writers("every-line", started))
    assert len(lines) >= 30
    assert _only_the_file(started)


@pytest.mark.whole
def test_writers_killed_at_any_moment_leave_the_file_whole(started: Path) -> None:
    counts = json.loads(_writers("any-moment", started))
    assert len(counts) >= 50
    assert counts == sorted(counts)
    assert counts[-1] > 0
    assert rulebook(started).apply(add(), FAILURE) is not None
    assert _only_the_file(started)


def test_of_eight_writers_at_once_no_rule_is_lost_or_doubled(started: Path) -> None:
    _writers("race", started)
    data = (started / "CLAUDE.md").read_bytes()
    texts = [known.text for known in parse_document(data).rules]
    assert len(texts) == 64
    assert set(texts) == {rule(writer, number) for writer in range(8) for number in range(8)}
    assert is_one_insertion(START, data)
    assert _only_the_file(started)


def test_a_file_that_may_not_grow_stays_as_it_is(started: Path) -> None:
    said = json.loads(_writers("limited", started))
    assert said.startswith("InfrastructureError: no space left for ")
    assert said.endswith("the file is as it was (make room, then try again)")
    assert (started / "CLAUDE.md").read_bytes() == START
    assert _only_the_file(started)


def test_a_file_that_is_small_enough_is_written_under_the_same_limit(project: Path) -> None:
    assert json.loads(_writers("limited", project)) == "written"


@pytest.fixture
def small_disk(project: Path) -> Iterator[Path]:
    """A file system of 64 kB, where this machine lets us mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(project)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root can mount; the limit on a file's size is tested everywhere")
    yield project
    subprocess.run(["umount", str(project)], check=True)


def test_a_full_disk_leaves_the_file_as_it_is(small_disk: Path) -> None:
    (small_disk / "CLAUDE.md").write_bytes(START)
    (small_disk / "big").write_bytes(b"x" * 40_000)
    with pytest.raises(InfrastructureError, match=r"no space left for .*make room"):
        rulebook(small_disk).apply(add(), FAILURE)
    assert (small_disk / "CLAUDE.md").read_bytes() == START
    (small_disk / "big").unlink()
    assert _only_the_file(small_disk)
    assert rulebook(small_disk).apply(add(), FAILURE) is not None

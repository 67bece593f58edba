"""Transcripts are copied before Claude Code deletes them, and nothing that was copied is lost."""

import gzip
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InfrastructureError
from orchestrator.sessions.reading.files import find_transcripts
from orchestrator.sessions.store.archive import ArchiveResult, archive_transcripts
from orchestrator.sessions.store.archive_index import load_index
from orchestrator.sessions.store.cleanup_period import find_cleanup_period

NOW = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
DAY = 86_400.0
SESSION = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """Return a configuration folder with one session, a subagent, and what is stored beside."""
    home = tmp_path / "claude"
    write(home, f"projects/-p/{SESSION}.jsonl", b'{"type":"user"}\n')
    write(home, f"projects/-p/{SESSION}/subagents/agent-a1.jsonl", b'{"type":"user"}\n')
    write(home, f"projects/-p/{SESSION}/subagents/agent-a1.meta.json", b"{}")
    write(home, f"projects/-p/{SESSION}/tool-results/b.txt", b"much output")
    return home


def write(home: Path, name: str, data: bytes, days_ago: float = 1) -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    at = NOW.timestamp() - days_ago * DAY
    os.utime(path, (at, at))
    return path


def archive(home: Path, folder: Path, cap: int = 1 << 30, days: float = 100) -> ArchiveResult:
    return archive_transcripts(find_transcripts(home), folder, cap, days, NOW)


def read_copies(folder: Path) -> dict[str, bytes]:
    """Return the content of each copy, by the end of its path."""
    return {
        path.relative_to(folder).as_posix().partition("/projects/")[2]: gzip.decompress(
            path.read_bytes()
        )
        for path in sorted(folder.rglob("*.gz"))
    }


def test_everything_of_a_session_is_copied_for_its_owner_alone(
    claude: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "transcripts"
    result = archive(claude, folder)
    assert (result.copied, result.unchanged, result.unreadable) == (4, 0, ())
    copies = read_copies(folder)
    assert set(copies) == {
        f"-p/{SESSION}.jsonl.gz",
        f"-p/{SESSION}/subagents/agent-a1.jsonl.gz",
        f"-p/{SESSION}/subagents/agent-a1.meta.json.gz",
        f"-p/{SESSION}/tool-results/b.txt.gz",
    }
    assert copies[f"-p/{SESSION}/tool-results/b.txt.gz"] == b"much output"
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
    assert result.size == sum(path.stat().st_size for path in folder.rglob("*.gz"))


def test_what_has_not_changed_is_not_opened(claude: Path, tmp_path: Path) -> None:
    archive(claude, tmp_path / "a")
    for path in claude.rglob("*.jsonl"):
        path.chmod(0)
    again = archive(claude, tmp_path / "a")
    assert (again.copied, again.unchanged, again.unreadable) == (0, 4, ())


def test_a_file_that_has_grown_replaces_its_copy(claude: Path, tmp_path: Path) -> None:
    archive(claude, tmp_path / "a")
    name = f"projects/-p/{SESSION}.jsonl"
    write(claude, name, b'{"type":"user"}\n{"half', 0)
    result = archive(claude, tmp_path / "a")
    assert (result.copied, result.unchanged, result.older_copies) == (1, 3, 0)
    assert read_copies(tmp_path / "a")[f"-p/{SESSION}.jsonl.gz"] == b'{"type":"user"}\n{"half'


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("data", [b"", b'{"t', b'{"TYPE":"user"}\n and more'])
def test_a_file_that_was_rewritten_does_not_replace_its_copy(
    claude: Path, tmp_path: Path, data: bytes, lost: bool
) -> None:
    archive(claude, tmp_path / "a")
    if lost:
        next((tmp_path / "a").rglob("index.json")).unlink()
    write(claude, f"projects/-p/{SESSION}.jsonl", data, 0)
    result = archive(claude, tmp_path / "a")
    copies = read_copies(tmp_path / "a")
    assert result.older_copies == 1
    assert copies[f"-p/{SESSION}.jsonl.1.gz"] == b'{"type":"user"}\n'
    assert copies[f"-p/{SESSION}.jsonl.gz"] == data
    write(claude, f"projects/-p/{SESSION}.jsonl", b"third", 0)
    archive(claude, tmp_path / "a")
    assert len(read_copies(tmp_path / "a")) == 4 + (2 if data else 1)


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5))
def test_every_content_that_was_archived_can_be_found(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    base = tmp_path_factory.mktemp("archive")
    for number, data in enumerate(contents):
        write(base / "claude", "projects/-p/s.jsonl", data, 50 - number)
        archive(base / "claude", base / "a")
        kept = read_copies(base / "a").values()
        assert all(any(copy.startswith(seen) for copy in kept) for seen in contents[: number + 1])
        assert read_copies(base / "a")["-p/s.jsonl.gz"] == data


def test_a_lost_record_copies_nothing_twice(claude: Path, tmp_path: Path) -> None:
    archive(claude, tmp_path / "a")
    before = read_copies(tmp_path / "a")
    for damage in (b"", b"{", b'{"files": {"x": [1]}}', b"[" * 9999, b'{"files": []}'):
        next((tmp_path / "a").rglob("index.json")).write_bytes(damage)
        result = archive(claude, tmp_path / "a")
        assert (result.copied, result.older_copies) == (0, 0)
    assert read_copies(tmp_path / "a") == before
    assert len(load_index(tmp_path / "a", claude).states) == 4


def damage_checksum(data: bytes) -> bytes:
    return data[:-8] + bytes(8)


def damage_stream(data: bytes) -> bytes:
    return data[:10] + b"\xff" * 20 + data[30:]


def damage_end(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("damage", [damage_checksum, damage_stream, damage_end])
@pytest.mark.parametrize("lost", [False, True])
def test_a_damaged_copy_stays_beside_the_new_one(
    claude: Path, tmp_path: Path, damage: Callable[[bytes], bytes], lost: bool
) -> None:
    archive(claude, tmp_path / "a")
    copy = next((tmp_path / "a").rglob(f"{SESSION}.jsonl.gz"))
    damaged = damage(copy.read_bytes())
    copy.write_bytes(damaged)
    if lost:
        next((tmp_path / "a").rglob("index.json")).unlink()
    result = archive(claude, tmp_path / "a")
    assert (result.copied, result.older_copies) == (1, 1)
    assert gzip.decompress(copy.read_bytes()) == b'{"type":"user"}\n'
    assert copy.with_name(f"{SESSION}.jsonl.1.gz").read_bytes() == damaged


def test_a_record_is_not_trusted_about_a_copy_that_it_does_not_describe(
    claude: Path, tmp_path: Path
) -> None:
    archive(claude, tmp_path / "a")
    index = next((tmp_path / "a").rglob("index.json"))
    before = index.read_bytes()
    name = f"projects/-p/{SESSION}.jsonl"
    write(claude, name, b'{"type":"user"}\n{"type":"precious"}\n', 0.5)
    archive(claude, tmp_path / "a")
    index.write_bytes(before)  # as if it was killed after the copy
    write(claude, name, b'{"type":"user"}\nrewritten', 0)
    assert archive(claude, tmp_path / "a").older_copies == 1
    assert set(read_copies(tmp_path / "a").values()) >= {
        b'{"type":"user"}\n{"type":"precious"}\n',
        b'{"type":"user"}\nrewritten',
    }


def test_a_copy_that_is_gone_is_made_again(claude: Path, tmp_path: Path) -> None:
    archive(claude, tmp_path / "a")
    before = read_copies(tmp_path / "a")
    for copy in list((tmp_path / "a").rglob("*.jsonl.gz")):
        copy.unlink()
    result = archive(claude, tmp_path / "a")
    assert (result.copied, result.unchanged) == (2, 2)
    assert read_copies(tmp_path / "a") == before


def test_what_was_removed_is_copied_again_when_there_is_room(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "c", f"projects/-p/s{number}.jsonl", os.urandom(1000), 10 + number)
    first = archive(tmp_path / "c", tmp_path / "a")
    before = read_copies(tmp_path / "a")
    cap = first.size - 1  # there is room for a part of the third
    assert len(archive(tmp_path / "c", tmp_path / "a", cap=cap).removed) == 1
    again = archive(tmp_path / "c", tmp_path / "a", cap=cap)
    assert (again.copied, again.unchanged, again.over_limit, again.removed) == (0, 2, 1, ())
    assert archive(tmp_path / "c", tmp_path / "a").copied == 1
    assert read_copies(tmp_path / "a") == before


def test_a_deleted_file_keeps_its_copy(claude: Path, tmp_path: Path) -> None:
    archive(claude, tmp_path / "a")
    before = read_copies(tmp_path / "a")
    for path in claude.rglob("*.jsonl"):
        path.unlink()
    assert archive(claude, tmp_path / "a").removed == ()
    assert read_copies(tmp_path / "a") == before


def test_no_link_is_followed_out(claude: Path, tmp_path: Path) -> None:
    secret = write(tmp_path, "outside/secret.txt", b"secret")
    folder = claude / "projects" / "-p" / SESSION / "tool-results"
    (folder / "link.txt").symlink_to(secret)
    (folder / "links").symlink_to(secret.parent)
    (claude / "projects" / "-p" / "other.jsonl").symlink_to(secret)
    os.mkfifo(folder / "pipe")
    result = archive(claude, tmp_path / "a")
    assert (result.copied, result.unreadable) == (4, ())
    assert b"secret" not in read_copies(tmp_path / "a").values()


def test_the_folder_of_projects_may_be_a_link(claude: Path, tmp_path: Path) -> None:
    (claude / "projects").rename(claude / "elsewhere")
    (claude / "projects").symlink_to(claude / "elsewhere")
    assert archive(claude, tmp_path / "a").copied == 4
    assert f"-p/{SESSION}.jsonl.gz" in read_copies(tmp_path / "a")


def test_old_copies_are_removed_and_not_made_again(claude: Path, tmp_path: Path) -> None:
    write(claude, "projects/-p/old.jsonl", b"old\n", 200)
    assert archive(claude, tmp_path / "a", days=300).copied == 5
    result = archive(claude, tmp_path / "a", days=100)
    assert [Path(path).name for path in result.removed] == ["old.jsonl.gz"]
    assert result.removed_bytes > 0
    for _ in range(2):
        again = archive(claude, tmp_path / "a", days=100)
        assert (again.copied, again.removed) == (0, ())


def test_what_is_lost_is_forgotten(claude: Path, tmp_path: Path) -> None:
    old = write(claude, "projects/-p/old.jsonl", b"old\n", 200)
    archive(claude, tmp_path / "a", days=300)
    archive(claude, tmp_path / "a", days=100)
    assert "projects/-p/old.jsonl" in load_index(tmp_path / "a", claude).states
    old.unlink()
    archive(claude, tmp_path / "a", days=100)
    assert len(load_index(tmp_path / "a", claude).states) == 4


def test_a_name_that_is_too_long_stops_nothing(claude: Path, tmp_path: Path) -> None:
    path = write(claude, f"projects/-p/{SESSION}/tool-results/{'x' * 254}", b"output")
    result = archive(claude, tmp_path / "a")
    assert [(each.path, each.reason) for each in result.unreadable] == [
        (str(path), "its name is too long")
    ]
    assert result.copied == 4
    assert not list((tmp_path / "a").rglob(".new-*"))


def test_a_wrong_clock_removes_nothing(claude: Path, tmp_path: Path) -> None:
    archive(claude, tmp_path / "a")
    families = find_transcripts(claude)
    later = NOW.replace(year=2036)
    assert archive_transcripts(families, tmp_path / "a", 1 << 30, 100, later).removed == ()


def test_the_oldest_are_removed_for_space(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / "c", f"projects/-p/s{number}.jsonl", os.urandom(1000), 10 + number)
    first = archive(tmp_path / "c", tmp_path / "a")
    result = archive(tmp_path / "c", tmp_path / "a", cap=first.size * 3 // 5)
    assert sorted(Path(path).name for path in result.removed) == ["s3.jsonl.gz", "s4.jsonl.gz"]
    assert result.size <= first.size * 3 // 5
    again = archive(tmp_path / "c", tmp_path / "a", cap=first.size * 3 // 5)
    assert (again.copied, again.removed) == (0, ())


def test_without_space_for_all_the_newest_are_copied(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / "c", f"projects/-p/s{number}.jsonl", os.urandom(1000), 10 + number)
    result = archive(tmp_path / "c", tmp_path / "a", cap=2200)
    assert result.over_limit == 2
    assert set(read_copies(tmp_path / "a")) == {"-p/s0.jsonl.gz", "-p/s1.jsonl.gz"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_named(claude: Path, tmp_path: Path) -> None:
    path = claude / "projects" / "-p" / f"{SESSION}.jsonl"
    path.chmod(0)
    result = archive(claude, tmp_path / "a")
    assert [(each.path, each.reason) for each in result.unreadable] == [
        (str(path), "Permission denied")
    ]
    assert result.copied == 3


def test_a_full_disk_is_one_line(
    claude: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(claude, tmp_path / "a")
    before = read_copies(tmp_path / "a")
    write(claude, f"projects/-p/{SESSION}.jsonl", b"x" * 100, 0)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestrator.sessions.store.archive.os.fsync", fail)
    with pytest.raises(InfrastructureError) as error:
        archive(claude, tmp_path / "a")
    assert "No space left on device (free space there)" in str(error.value)
    assert "\n" not in str(error.value)
    assert read_copies(tmp_path / "a") == before
    assert not list((tmp_path / "a").rglob(".new-*"))


@pytest.mark.parametrize(
    ("text", "days", "is_set", "is_wrong"),
    [
        ("", 30, False, False),
        ("{}", 30, False, False),
        ('{"cleanupPeriodDays": 90}', 90, True, False),
        ('\ufeff{"cleanupPeriodDays": 7}', 7, True, False),
        ('{"cleanupPeriodDays": 0}', 30, False, True),
        ('{"cleanupPeriodDays": -1}', 30, False, True),
        ('{"cleanupPeriodDays": "90"}', 30, False, True),
        ('{"cleanupPeriodDays": true}', 30, False, True),
        ("[]", 30, False, False),
        ("{", 30, False, False),
    ],
)
def test_how_long_claude_code_keeps_transcripts(
    tmp_path: Path, text: str, days: float, is_set: bool, is_wrong: bool
) -> None:
    (tmp_path / "settings.json").write_text(text, encoding="utf-8")
    period = find_cleanup_period(tmp_path)
    assert (period.days, period.is_set, bool(period.problem)) == (days, is_set, is_wrong)
    assert f"after {days:g} days" in period.text

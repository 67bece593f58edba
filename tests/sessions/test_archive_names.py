"""Whatever a file or folder is named, the archive stays within the sessions, and ends."""

import gzip
from pathlib import Path

import pytest

from orchestrator.sessions.reading.files import find_transcripts
from orchestrator.sessions.store.archive import ArchiveResult, archive_transcripts

ROW = b'{"type":"user","sessionId":"%s"}\n'


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def archive(home: Path, folder: Path) -> ArchiveResult:
    return archive_transcripts(find_transcripts(home), folder)


def list_copies(folder: Path) -> set[str]:
    """Return the copies by their path below `projects`."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*.gz") if path.is_file())
    return {name.partition("/projects/")[2] for name in found}


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """Return a configuration folder with a key beside the projects, and a file beside sessions."""
    home = tmp_path / "user" / ".claude"
    write(home / ".credentials.json", b"secret")
    write(home / "projects" / "secret.txt", b"secret")
    write(home / "projects" / "-p" / "secret.txt", b"secret")
    write(home / "projects" / "-p" / "s" / "tool-results" / "b.txt", b"output")
    return home


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *[
            ("-p/agent-1.jsonl", ROW % each)
            for each in (
                b"projects",
                b"-p",
                b".claude",
                b"user",
                b"..",
                b"../..",
                b"/",
                b"a\\u0000",
            )
        ],
        *[
            (each, ROW % b"s")
            for each in ("-p/...jsonl", "-p/..jsonl", "...jsonl", "..jsonl", "-p/-p.jsonl")
        ],
        *[(f"-p/{each}/sub/x.jsonl", ROW % b"s") for each in ("-p", "projects", ".claude", "user")],
        ("projects/projects/x.jsonl", ROW % b"s"),
    ],
)
def test_only_the_folder_of_the_session_is_archived(
    claude: Path, tmp_path: Path, name: str, data: bytes
) -> None:
    write(claude / "projects" / name, data)
    result = archive(claude, tmp_path / "a")
    assert (result.copied, result.unreadable) == (1, ())
    assert list_copies(tmp_path / "a") == {f"{name}.gz"}


def test_a_path_that_is_taken_stops_nothing(claude: Path, tmp_path: Path) -> None:
    folder = claude / "projects" / "-p"
    write(folder / "s.jsonl", ROW % b"s")
    write(folder / "s" / "tool-results" / "b.txt.gz" / "c.txt", b"output")
    result = archive(claude, tmp_path / "a")
    assert (result.copied, len(result.unreadable)) == (2, 1)
    assert result.unreadable[0].reason.startswith("a folder or file of its session has a name")
    assert archive(claude, tmp_path / "a").copied == 0
    for path in (tmp_path / "a").rglob("*.gz"):
        if path.is_file():
            gzip.decompress(path.read_bytes())

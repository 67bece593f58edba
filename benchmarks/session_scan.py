"""What it costs to look for past sessions again, in which nothing has changed."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.results import Table, spread
from orchestrator.masking import Masker
from orchestrator.sessions.reading.files import find_transcripts
from orchestrator.sessions.store.archive import archive_transcripts
from orchestrator.sessions.store.scanning import scan_transcripts
from orchestrator.storage.opening import open_database

SESSIONS: Final = 1000
CALLS: Final = 60
OUTPUT: Final = "some line of output that a command has printed, and that nobody reads\n" * 60
ROUNDS: Final = 5


def measure() -> Table:
    """Read 1,000 sessions of 300 kB, then look at them again; archive them, and again."""
    with TemporaryDirectory() as name:
        home, state = Path(name) / "claude", Path(name) / "state"
        size = sum(_write_session(home, number) for number in range(SESSIONS))
        with open_database(state, "", durable=False) as database:

            def scan() -> None:
                scan_transcripts(database, [home], Masker)

            first, again = _time(scan), [_time(scan) for _ in range(ROUNDS)]

        def archive() -> None:
            archive_transcripts(find_transcripts(home), state / "transcripts")

        archived, unchanged = _time(archive), [_time(archive) for _ in range(ROUNDS)]
    return Table(
        f"Past sessions: {SESSIONS} of {size / SESSIONS / 1e3:.0f} kB, CPU time",
        ("step", "the first time", "unchanged", "share", "aim"),
        (
            _build_row("read and examine", first, again, "below 1%"),
            _build_row("archive", archived, unchanged, ""),
        ),
        {"scan": [first], "scan again": again, "archive": [archived], "archive again": unchanged},
    )


def _build_row(name: str, first: float, again: list[float], aim: str) -> tuple[str, ...]:
    share = sorted(again)[len(again) // 2] / first
    return name, f"{first:.1f} s", spread(again, " s", 3), f"{share:.2%}", aim


def _time(work: object) -> float:
    assert callable(work)
    started = time.process_time()
    work()
    return time.process_time() - started


def _write_session(home: Path, number: int) -> int:
    session = f"{number:08d}-0000-4000-8000-000000000000"
    path = home / "projects" / f"-home-dev-p{number % 10}" / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"type": "user", "message": {"role": "user", "content": "Please make it work"}}]
    for call in range(CALLS):
        identifier = f"toolu_{number}_{call}"
        command = {"command": f"pytest tests/test_{call % 7}.py" if call % 5 else f"ls part{call}"}
        block = {"type": "tool_use", "id": identifier, "name": "Bash", "input": command}
        usage = {"input_tokens": 10, "output_tokens": 200}
        message = {
            **{"id": f"msg_{identifier}", "role": "assistant", "model": "claude-sonnet-5-5"},
            **{"content": [block], "stop_reason": "tool_use", "usage": usage},
        }
        output = f"{OUTPUT}{call % 3} failed, 9 passed in 0.1s"
        result = {"type": "tool_result", "tool_use_id": identifier, "content": output}
        rows.append({"type": "assistant", "message": message})
        rows.append({"type": "user", "message": {"role": "user", "content": [result]}})
    common = {"sessionId": session, "cwd": "/home/dev/shop", "version": "2.1.332"}
    lines = [
        json.dumps({
            **row, **common,
            "uuid": f"{number}-{position}",
            "timestamp": f"2026-11-20T10:{position // 60 % 60:02d}:{position % 60:02d}.000Z",
        })
        for position, row in enumerate(rows)
    ]  # fmt: skip
    return path.write_text("\n".join(lines) + "\n", encoding="utf-8")

"""What it costs to read past sessions, beside a bare `orjson.loads` of the same lines."""

import contextlib
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson

from benchmarks.results import Table, spread
from orchestrator.sessions.detectors.registry import DETECTORS
from orchestrator.sessions.reading.deduplication import KnownIds
from orchestrator.sessions.reading.family_reading import read_family
from orchestrator.sessions.reading.files import Family, find_transcripts
from orchestrator.sessions.reading.row_reading import RowReader

ROUNDS: Final = 9
SESSIONS: Final = 120
CALLS: Final = 60
REAL: Final = "SESSIONS_BENCHMARK_HOME"
"""Names a folder with real transcripts to read instead of made-up ones."""
_UNIT: Final = 1e6 if sys.platform == "darwin" else 1e3


def measure() -> Table:
    """Read transcripts in turns with `orjson.loads`, so that all run under the same conditions."""
    with TemporaryDirectory() as name:
        home = Path(os.environ.get(REAL) or _write_home(Path(name)))
        families = find_transcripts(home)
        files = [path for family in families for path in family.files]
        size = sum(path.stat().st_size for path in files)
        steps: dict[str, Callable[[], None]] = {
            "bare `orjson.loads` of each line": lambda: _parse(files, -1),
            "the same, reading with a larger buffer": lambda: _parse(files, 1 << 18),
            "typed rows alone": lambda: _decode(files),
            "read, deduplicate, build sessions": lambda: _read(families, detect=False),
            "the same, and all detectors": lambda: _read(families, detect=True),
        }
        spent: dict[str, list[float]] = {step: [] for step in steps}
        for _ in range(ROUNDS):
            for step, work in steps.items():
                spent[step].append(_time(work))
    bare = next(iter(spent.values()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNIT
    return Table(
        f"Reading {len(files)} transcripts of {size / 1e6:.0f} MB, CPU time of one process "
        f"(median and quartiles of {ROUNDS} rounds; peak memory {peak:.0f} MB)",
        ("step", "took", "speed", "aim"),
        tuple(_build_row(step, spent[step], bare) for step in steps),
        spent,
    )


def _build_row(step: str, seconds: Sequence[float], bare: Sequence[float]) -> tuple[str, ...]:
    ratios = [one / other for one, other in zip(bare, seconds, strict=True)]
    aim = "at least 1.2x" if "detectors" in step else ""
    return step, spread(seconds, " s"), f"{median(ratios):.2f}x", aim


def _time(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _parse(files: Sequence[Path], buffer: int) -> None:
    for path in files:
        with path.open("rb", buffering=buffer) as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    orjson.loads(line)


def _decode(files: Sequence[Path]) -> None:
    for path in files:
        for _ in RowReader(path):
            pass


def _read(families: Sequence[Family], *, detect: bool) -> None:
    known = KnownIds()
    for family in families:
        reading = read_family(family, known)
        if detect:
            for session in reading.sessions:
                for find in DETECTORS:
                    list(find(session))


def _write_home(home: Path) -> Path:
    """Write sessions with the kinds and sizes of rows that were seen in real ones of 2.1."""
    random_numbers = random.Random(16)  # noqa: S311 -- no secret
    for number in range(SESSIONS):
        session = f"{number:08d}-0000-4000-8000-000000000000"
        path = home / "projects" / "-home-dev-shop" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {
            **{"parentUuid": session, "isSidechain": False, "userType": "external"},
            **{"cwd": "/home/dev/shop", "sessionId": session, "version": "2.1.42"},
            **{"gitBranch": "main", "slug": "quiet-running-fox"},
        }
        with path.open("wb") as file:
            for position, row in enumerate(_make_rows(number, random_numbers)):
                stamp = f"2026-02-10T{position // 3600 % 24:02}:{position // 60 % 60:02}"
                end = {"uuid": f"{number:08d}-{position:08d}-4000-8000-000000000000"}
                end["timestamp"] = f"{stamp}:{position % 60:02}.000Z"
                copy = {"toolUseResult": row.pop("copy"), "sourceToolAssistantUUID": session}
                tail = copy if copy["toolUseResult"] else {}
                file.write(orjson.dumps({**head, **row, **end, **tail}) + b"\n")
    return home


def _make_rows(number: int, random_numbers: random.Random) -> list[dict[str, Any]]:
    rows = [_make_row("user", {"role": "user", "content": "Please make the tests pass"})]
    for call in range(CALLS):
        identifier = f"{number}_{call}"
        output = _make_output(int(random_numbers.lognormvariate(7.6, 1.2)), call)
        command = {"command": f"go test ./part{call % 7}", "description": "Run the tests"}
        use: dict[str, Any] = {"type": "tool_use", "id": f"toolu_{identifier}", "name": "Bash"}
        use["input"] = command
        thought = {"type": "thinking", "thinking": "Let me see. " * 30, "signature": "x" * 500}
        blocks: list[dict[str, Any]] = [thought, {"type": "text", "text": "I run the tests."}, use]
        rows += [_make_answer(identifier, block) for block in blocks]
        progress = {"type": "bash_progress", "output": "ok", "fullOutput": output[:300]}
        rows += [{"type": "progress", "data": progress, "copy": None} for _ in range(3)]
        result = {"tool_use_id": use["id"], "type": "tool_result", "content": output}
        copy = {"stdout": output, "stderr": "", "interrupted": False}
        rows.append(_make_row("user", {"role": "user", "content": [result]}, copy))
    return rows


def _make_row(kind: str, message: dict[str, Any], copy: Any = None) -> dict[str, Any]:  # noqa: ANN401
    return {"type": kind, "message": message, "copy": copy}


def _make_answer(identifier: str, block: dict[str, Any]) -> dict[str, Any]:
    usage = {
        **{"input_tokens": 10, "cache_creation_input_tokens": 2000, "output_tokens": 90},
        **{"cache_read_input_tokens": 90_000, "service_tier": "standard"},
    }
    message = {
        **{"model": "claude-opus-4-6", "id": f"msg_{identifier}", "type": "message"},
        **{"role": "assistant", "content": [block], "stop_reason": None, "usage": usage},
    }
    return _make_row("assistant", message)


def _make_output(size: int, call: int) -> str:
    line = f'\t{call}: if err != nil {{ return fmt.Errorf("part %d: %w", {call}, err) }}\n'
    return line * (min(size, 200_000) // len(line)) + "FAIL\tshop/cart\t0.51s\n"

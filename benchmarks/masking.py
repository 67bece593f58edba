"""What masking costs, and that it grows with the text and not with what is found in it."""

import random
import statistics
import string
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.results import Table, spread
from orchestrator.failures.patch_masking import mask_patch
from orchestrator.masking import Masker

SIZES: Final = (250_000, 500_000, 1_000_000)
PATCH_SIZE: Final = 50_000_000
ROUNDS: Final = 5


def measure() -> Table:
    """Mask texts of three sizes; the last column is how the time grows when the size doubles."""
    rows, samples = [], {}
    for name, line in {"password lines": _password, "code": _code, "one line": _minified}.items():
        seconds = {size: [_mask(_make(line, size)) for _ in range(ROUNDS)] for size in SIZES}
        medians = [statistics.median(seconds[size]) for size in SIZES]
        growth = (medians[2] / medians[0]) ** 0.5
        rows.append((name, spread(seconds[SIZES[2]], " s/MB", 2), f"{growth:.2f}x", "at most 2.5x"))
        samples[name] = seconds[SIZES[2]]
    for name, line in {"a patch, code": _code, "a patch, one line": _minified}.items():
        spent = _mask_patch(_make(line, PATCH_SIZE))
        took = f"{spent / (PATCH_SIZE / 1e6):.3f} s/MB"
        rows.append((f"{name}, {PATCH_SIZE // 1_000_000} MB", took, "", "at most 0.1 s/MB"))
        samples[name] = [spent]
    return Table(
        f"Masking of secrets (median and quartiles of {ROUNDS} rounds)",
        ("text", "1 MB took", "for twice the text", "aim"),
        tuple(rows),
        samples,
    )


def _mask(text: str) -> float:
    masker = Masker()
    started = time.process_time()
    masker.mask(text)
    return time.process_time() - started


def _mask_patch(text: str) -> float:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.patch"
        head = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -0,0 +1 @@\n+"
        path.write_text(head + text, encoding="utf-8")
        started = time.process_time()
        mask_patch(Masker(), path, "git diff")
        return time.process_time() - started


def _make(line: Callable[[random.Random], str], size: int) -> str:
    chance = random.Random(size)  # noqa: S311 -- repeatable, not secret
    parts, length = [], 0
    while length < size:
        parts.append(line(chance))
        length += len(parts[-1])
    return "".join(parts)


def _password(chance: random.Random) -> str:
    letters = string.ascii_letters + string.digits
    return f'password = "{"".join(chance.choices(letters, k=14))}"\n'


def _code(chance: random.Random) -> str:
    name = "".join(chance.choices(string.ascii_lowercase, k=8))
    return f"    {name} = compute({name}, key=lambda item: item.token, limit={chance.random()})\n"


def _minified(chance: random.Random) -> str:
    return f"{{key:{chance.randrange(999)},token:x{chance.randrange(99999)}}},"

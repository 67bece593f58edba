"""The sample of the kills leaves out no phase, and no file."""

import re
from pathlib import Path

from tests.faults.test_comparison_kills import SHARES, planned

ROOT = Path(__file__).parents[2]


def test_the_sample_of_comparisons_kills_in_each_step() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^KILLS_OF_SAMPLE := (\d+)$", makefile, re.MULTILINE)
    assert found
    kinds = sorted({kind for kind, *_ in SHARES})
    sample = {
        (kind, kill.step, kill.by_suite) for kind in kinds for kill in planned(kind, int(found[1]))
    }
    assert sample == {(kind, kill.step, kill.by_suite) for kind in kinds for kill in planned(kind)}


def test_each_file_with_kills_has_some_in_the_sample() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    killing = [text for text in texts if re.search(r"\bmark\.kills\b", text)]
    assert len(killing) >= 6
    assert all("kills_sample" in text or "sample_every_sixth(" in text for text in killing)

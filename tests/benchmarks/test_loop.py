"""What is measured is what happens: both sides go the whole way, or the benchmark says so."""

import json
from pathlib import Path

import pytest

from benchmarks.loop import RULE, arena


@pytest.mark.whole
def test_both_sides_go_the_whole_way(tmp_path: Path) -> None:
    with arena(tmp_path, files=0) as made:
        loop = made.loop(1)
        made.keep_request()
        assert (
            "safe_divide"
            in json.loads((tmp_path / "request.json").read_bytes())["messages"][0]["content"]
        )
        script = made.script(1)
    assert RULE in (made.project / "CLAUDE.md").read_text(encoding="utf-8")
    assert loop.exit_code == script.exit_code == 1
    assert loop.peak_bytes > script.peak_bytes > 0


def test_a_run_that_falls_short_is_not_measured(tmp_path: Path) -> None:
    with arena(tmp_path, files=0) as made:
        (tmp_path / "config.yaml").write_text("tests: {command: 'true'}\n", encoding="utf-8")
        with pytest.raises(RuntimeError, match="did not go its whole way"):
            made.loop(1)

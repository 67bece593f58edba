"""Figures get into the README from the file, and nothing else of the README changes."""

from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.results import Table

TABLE = Table(
    "Speed",
    ("what", "took"),
    (("`git add`", "12 ms"), ("ours", "13 ms")),
    {"ours": [0.0129, 0.0131]},
    {"on": "2 cores", "load average": "0.1"},
)


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    assert results.load(file) == {}
    results.keep("speed", TABLE, file)
    results.keep("other", Table("Other", ("a",), (("b",),)), file)
    kept = results.load(file)
    assert list(kept) == ["speed", "other"]
    assert kept["speed"] == TABLE


def test_the_readme_gets_the_tables_in_their_order(tmp_path: Path) -> None:
    file, readme = tmp_path / "results.json", tmp_path / "README.md"
    results.keep("other", Table("Other", ("a",), (("b",),)), file)
    results.keep("speed", TABLE, file)
    readme.write_text(f"# Title\n{results.BEGIN}\nold\n{results.END}\nThe end.\n", encoding="utf-8")
    for _ in range(2):
        results.write(["speed", "not measured", "other"], file, readme)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"# Title\n{results.BEGIN}\n\n### Speed\n\n| what | took |\n| --- |")
    assert text.endswith(f"{results.END}\nThe end.\n")
    assert "| `git add` | 12 ms |" in text
    assert "<sub>on 2 cores; load average 0.1</sub>" in text
    assert text.index("### Speed") < text.index("### Other")
    assert text.count("### Speed") == 1
    assert "old" not in text


def test_a_readme_without_a_place_is_an_error(tmp_path: Path) -> None:
    file, readme = tmp_path / "results.json", tmp_path / "README.md"
    results.keep("speed", TABLE, file)
    readme.write_text("# Title\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no place for the figures"):
        results.write(["speed"], file, readme)


def test_the_shipped_readme_has_a_place(tmp_path: Path) -> None:
    file, readme = tmp_path / "results.json", tmp_path / "README.md"
    results.keep("speed", TABLE, file)
    readme.write_bytes(results.README.read_bytes())
    results.write(["speed"], file, readme)
    assert "### Speed" in readme.read_text(encoding="utf-8")


def test_the_spread_is_the_median_and_the_quartiles() -> None:
    assert results.spread([1, 2, 3, 4, 5], " s") == "3.00 s (2.00 to 4.00)"

"""The code keeps its structure, and the figures of `make structure` are counted right."""

import textwrap
from pathlib import Path

import pytest

from tests.machines import structure

SOURCE = textwrap.dedent('''
    """Count things.

    Longer than 350 lines: a table of everything
    that there is.

    More about it.
    """

    import os  # noqa: F401


    class Shop:
        def __init__(self) -> None:
            self.open = True

        # Why it is so.
        def _kept(self):
            try:
                return 1
            except Exception:
                def later() -> None:
                    raise ValueError
                return later
            except (ValueError, BaseException) as error:
                raise RuntimeError from error
            except OSError:
                return 2


    async def sell_bread() -> int:
        try:
            return 1
        except:
            return 2
''')


def real_sources() -> list[structure.Source]:
    return [
        source
        for folder in structure.FOLDERS
        for source in structure.measure_folder(structure.ROOT / folder).sources
    ]


def test_every_function_says_what_it_returns() -> None:
    functions = [function for source in real_sources() for function in source.functions]
    assert len(functions) > 1000
    assert [f"{f.path}:{f.line}: {f.name}" for f in functions if not f.returns] == []


def test_a_long_file_gives_its_reason() -> None:
    sources = real_sources()
    assert len(sources) > 100
    missing = [str(s.path) for s in structure.list_long_files(sources) if s.reason is None]
    assert missing == [], f"write `{structure.REASON} ...` into the docstring, or split the file"


def test_a_file_is_counted() -> None:
    source = structure.measure_source(SOURCE, Path("shop.py"))
    assert [(f.name, f.lines, f.returns) for f in source.functions] == [
        ("sell_bread", 5, True),
        ("__init__", 2, True),
        ("_kept", 11, False),
        ("later", 2, True),
    ]
    assert (source.handlers, source.broad, source.swallowing) == (4, 3, 2)
    assert source.comments == 1
    assert source.reason == "a table of everything that there is."


def test_a_reason_may_be_a_comment_and_may_not_be_empty() -> None:
    def reason(text: str) -> str | None:
        return structure.measure_source(text, Path("x.py")).reason

    assert reason("# Longer than 350 lines: a grammar\nx = 1\n") == "a grammar"
    assert reason("# Longer than 350 lines:\nx = 1\n") is None
    assert reason('"""Explain."""\n') is None


@pytest.mark.parametrize("name", ["run", "_run", "__enter__", "run_"])
def test_one_word(name: str) -> None:
    assert structure.is_one_word(name)
    assert not structure.is_one_word(f"{name.strip('_')}_all")


@pytest.mark.parametrize(
    "name", ["kept", "_kept_files", "waiting_for", "masked", "used", "unseen", "rewritten", "told"]
)
def test_participles(name: str) -> None:
    assert structure.is_participle(name)


@pytest.mark.parametrize(
    "name", ["feed", "need_more", "embed", "exceed", "read", "bring", "string", "ed", "put", "id"]
)
def test_verbs_and_nouns_that_look_like_participles(name: str) -> None:
    assert not structure.is_participle(name)


def test_percentiles() -> None:
    assert structure.percentile(range(1, 11), 90) == 9
    assert structure.percentile(range(1, 12), 90) == 10
    assert structure.percentile([3, 1, 2], 50) == 2
    assert structure.percentile([3, 1, 2], 100) == 3
    assert structure.percentile([], 90) == 0


def test_mocks_are_counted_and_the_environment_is_not() -> None:
    mocks = ["monkeypatch.setattr(os, 'x', 1)", "    @patch('a.b')", "client = MagicMock()"]
    others = ["monkeypatch.setenv('A', 'b')", "def patch(self) -> Path:", "made = patch(diff)"]
    assert [line for line in [*mocks, *others] if structure.MOCK.search(line)] == mocks


def test_rooms_are_packages_and_single_modules(tmp_path: Path) -> None:
    for name in ("__init__.py", "__main__.py", "one.py", "two/__init__.py", "data/table.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("", encoding="utf-8")
    assert structure.count_rooms(tmp_path) == 2
    assert (structure.count_floors() or 0) > 5


def test_the_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.py").write_text(SOURCE + "x = 1\n" * 350, encoding="utf-8")
    (tmp_path / "long.py").write_text("x = 1\n" * 351, encoding="utf-8")
    assert structure.main([str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "| 3 (2) of 4 " in printed
    assert "Files over 350 lines: 2, without a reason: 1" in printed
    assert "long.py: NO REASON GIVEN" in printed
    assert "shop.py: a table of everything that there is." in printed
    assert structure.main([str(tmp_path / "nothing")]) == 2

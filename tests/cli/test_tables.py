"""Each table and each help fits the terminal, and no word in it is cut."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.cli.main import cli
from orchestrator.cli.output import fit_lines
from orchestrator.cli.rule_lines import iter_event_lines, iter_list_lines, iter_record_lines
from orchestrator.cli.run_lines import iter_run_table
from orchestrator.cli.tables import Column, iter_table_lines
from orchestrator.cli.values import sanitize_text
from orchestrator.models import Rule
from orchestrator.rulebook.records import Counters, Origin, RuleEvent, RuleRecord, Status
from orchestrator.storage.listing import RunSummary
from teacher.models import RuleText
from tests.cli.conftest import Call, Shop

WIDTHS = (80, 40)
_SENTENCE = (
    "Never serialise prices with binary floating-point numbers, because rounding loses cents in"
    " unpredictable places, and nobody notices before the accountants do"
)
_NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_SUMMARY = "tests/test_prices.py::test_total: assert 0.30000000000000004 == 0.3"
_RULE = Rule("r-3f2a9c", RuleText(_SENTENCE, "Adding prices", "Cents"), "Learned", ("src/**",))
_RECORD = RuleRecord(
    _RULE,
    Status.QUARANTINED,
    _SUMMARY,
    Origin("9f8e7d6c5b4a", "pytest", "run-1", "model", _SUMMARY, ("test_total",), ("a.py",)),
    _NOW,
    _NOW,
    counters=Counters(1234, 1000, 12),
)
_RUN = RunSummary(
    id="20261120-120000-3f2a9c",
    task=_SENTENCE,
    project="/p",
    started=_NOW.isoformat(),
    ended=_NOW.isoformat(),
    outcome="not solved",
    message="",
    attempts=12,
    cost_usd=123.4567,
    tokens=10,
    host="host",
    process=1,
    process_started=1.0,
    pruned=None,
    undone=None,
)


def check_lines(lines: Sequence[str], width: int, *texts: str) -> None:
    """Check that no line is too long, and that each word of the texts is there in one piece."""
    assert max(map(len, lines)) <= width, max(lines, key=len)
    words = " ".join(lines).split()
    for text in texts:
        missing = [word for word in text.split() if len(word) < width and word not in words]
        assert missing == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_tables_of_rules_and_runs_fit(width: int) -> None:
    lines = list(iter_list_lines([_RECORD], [_RULE], width))
    check_lines(lines, width, _SENTENCE, "r-3f2a9c quarantined 1234 1000 12 2026-11-20")
    check_lines(list(iter_run_table([_RUN], width)), width, _SENTENCE, _RUN.id, "not solved")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_rule_in_full_fits(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = list(iter_record_lines(_RECORD, "code", [Path("CLAUDE.md")]))
    texts = (_SENTENCE, "quarantined", "9f8e7d6c5b4a")
    check_lines([line for line in lines if "::" not in line], width, *texts)


def test_a_rules_history_says_each_thing_once() -> None:
    events = [RuleEvent(_NOW, "added", _SUMMARY), RuleEvent(_NOW, "edited", "it was: rule: x")]
    lines = [*iter_record_lines(_RECORD, "code"), *iter_event_lines(_RECORD, events)]
    text = " ".join(" ".join(lines).split())
    assert text.count("test_prices.py::test_total") == 1
    assert text.count(_SENTENCE) == 1
    assert "added" in text
    assert "edited: it was: rule: x" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_a_table_without_a_terminal_has_one_line_for_each_row(width: int) -> None:
    (_, line) = iter_run_table([_RUN], None)
    assert line.endswith(_SENTENCE)


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_of_a_list_fit(width: int) -> None:
    lines = ["/home/dev/shop", f"  2026-11-20  redaction.patterns: {_SENTENCE}", "short"]
    fitting = list(fit_lines(lines, width))
    check_lines(fitting, width, *lines)
    assert fitting[0] == lines[0]
    assert list(fit_lines(lines, None)) == lines


_cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Zl", "Zp")), max_size=60)


@example([("000000", "", -10000000, "")], 30)
@given(st.lists(st.tuples(_cells, _cells, st.integers(), _cells), max_size=4), st.integers(30, 120))
def test_any_table_keeps_every_word(rows: list[tuple[object, ...]], width: int) -> None:
    columns = (Column("a"), Column("status"), Column("count", is_number=True), Column("text"))
    lines = list(iter_table_lines(columns, rows, width))
    shown = " ".join(lines).split()
    longest = max((len(word) for word in shown), default=0)
    label = max(len(column.name) for column in columns) + 2
    assert all(len(line) <= max(width, label + longest) for line in lines)
    for row in rows:
        for word in sanitize_text(" ".join(map(str, row))).split():
            assert word in shown


def iter_groups(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        yield words
        for name, below in command.commands.items():
            yield from iter_groups(below, *words, name)


@pytest.mark.parametrize("words", list(iter_groups(cli)), ids=" ".join)
@pytest.mark.parametrize("width", WIDTHS)
def test_help_cuts_no_description(
    call: Call, words: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = call(*words, "--help").out
    listed = " ".join(shown.split())
    group: click.Command = cli
    for word in words:
        assert isinstance(group, click.Group)
        group = group.commands[word]
    assert isinstance(group, click.Group)
    assert "..." not in re.sub(r"\[ARGS\]\.\.\.", "", listed)
    for command in group.commands.values():
        sentence = " ".join(str(command.help).replace("\b", "").split("\n\n")[0].split())
        first = sentence.partition(". ")[0].rstrip(".")
        assert first in listed


def test_the_columns_are_explained(call: Call) -> None:
    told = call("rules", "list", "--help").out
    assert all(f"`{name}`" in told for name in ("runs", "first", "recur", "relevant"))
    told = call("runs", "--help").out
    assert all(name in told for name in ("RUN", "COST", "OUTCOME"))


@pytest.mark.parametrize("words", [("rules", "list"), ("runs",), ("config", "show"), ("docs",)])
def test_a_pipe_gets_plain_text_and_json_only_when_asked(
    call: Call, shop: Shop, words: tuple[str, ...]
) -> None:
    place = ("--project-dir", shop.project) if words[0] in ("rules", "config") else ()
    call("rules", "add", "--rule", "Ask first.", "--project-dir", shop.project)
    assert "{" not in call(*words, *place).out.partition("\n")[0]
    if words[0] in ("rules", "runs"):
        assert all("id" in each for each in call(*words, "--json", *place).events)


def test_json_of_a_rule_is_flat(call: Call, shop: Shop) -> None:
    words = ("--rule", "Ask first", "--when", "Unsure", "--why", "Guesses fail")
    (made,) = call("rules", "add", *words, "--json", "--project-dir", shop.project).events
    said = [made[name] for name in ("rule", "when", "why", "status", "runs", "paths")]
    assert said == ["Ask first", "Unsure", "Guesses fail", "active", 0, []]
    nested = {name for name, value in made.items() if isinstance(value, dict)}
    assert nested == {"origin"}
    assert not any(isinstance(value, dict) for value in made["origin"].values())


def test_a_hand_written_rule_is_listed_with_how_to_adopt_it(call: Call, shop: Shop) -> None:
    data = b"## Learned Rules & Patterns\n\n- **Rule**: Ask first\n"
    shop.write("CLAUDE.md", data)
    here = ("--project-dir", shop.project)
    shown = call("rules", "list", *here).out
    assert "not adopted" in shown
    assert "orchestrator rules adopt ID" in shown
    (listed,) = call("rules", "list", "--json", *here).events
    assert listed["status"] == "not adopted"
    assert shop.rulebook == data
    done = call("rules", "show", listed["id"], *here)
    assert done.code == 2
    assert f"(adopt it: orchestrator rules adopt {listed['id']})" in done.err
    assert call("rules", "adopt", listed["id"], *here).code == 0
    assert "adopted from the file" in call("rules", "why", listed["id"], *here).out

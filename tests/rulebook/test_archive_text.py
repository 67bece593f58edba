"""The monthly file of archived rules is only ever added to."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models import Rule
from orchestrator.rulebook.archive_text import append_rules, name_archive
from orchestrator.rulebook.records import Counters, Origin, RuleEvent, RuleRecord, Status
from teacher.models import RuleText
from tests.rulebook.making import NONE, any_files, rule_texts

DAY = date(2026, 11, 28)
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY = "sk-ant-api03-" + "a" * 40
WHY = "it prevented nothing in 30 days"


def record(identity: str, text: RuleText = NONE) -> RuleRecord:
    rule = Rule(identity, text, "Learned on 2026-11-01 from test failure")
    return RuleRecord(rule, Status.ACTIVE, "", Origin(), AT, AT, counters=Counters(12, 5, 1))


def events(*details: str) -> list[RuleEvent]:
    return [RuleEvent(AT, "reinforced", detail) for detail in details]


def test_a_section_of_the_day_with_each_rules_history() -> None:
    first = append_rules(b"", DAY, [(record("r-1"), events("run run-1", KEY))], WHY).decode()
    assert first.startswith("# Archived rules, 2026-11\n\n## 2026-11-28\n\n### r-1: Never return 0")
    assert f"- **Archived**: {WHY}\n" in first
    assert "- **Learned**: 2026-11-01\n- **Mattered last**: 2026-11-01\n" in first
    assert "- **Counts**: 12 runs, 5 solved at the first attempt, 1 recurrence of its" in first
    assert "`orchestrator rules restore r-1`" in first
    assert "reinforced: run run-1\n" in first
    assert KEY not in first
    second = append_rules(first.encode(), DAY, [(record("r-2"), [])], WHY).decode()
    assert second.startswith(first)
    assert second.count("## 2026-11-28") == 1
    third = append_rules(second.encode(), date(2026, 11, 30), [(record("r-1"), [])], WHY).decode()
    assert third.startswith(f"{second}\n## 2026-11-30\n\n### r-1: ")
    assert name_archive(DAY) == ".learnings/archive/2026-11.md"


def test_a_rule_that_is_written_down_today_is_not_written_twice() -> None:
    once = append_rules(b"", DAY, [(record("r-1"), [])], WHY)
    assert append_rules(once, DAY, [(record("r-1"), [])], WHY) == once


def test_the_files_line_endings_are_used() -> None:
    after = append_rules(b"# Mine\r\n", DAY, [(record("r-1"), [])], WHY)
    assert after.count(b"\n") == after.count(b"\r\n")


@given(any_files, rule_texts, st.text(max_size=30))
def test_nothing_that_was_there_changes(before: bytes, text: RuleText, detail: str) -> None:
    after = append_rules(before, DAY, [(record("r-1", text), events(detail))], WHY)
    assert after.startswith(before)
    added = after[len(before) :].decode()
    assert added.count("\n## ") + added.startswith("## ") <= 1
    assert added.count("### r-1: ") == 1
    assert append_rules(after, DAY, [(record("r-1", text), [])], WHY) == after

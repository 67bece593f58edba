"""Entries read as people write them, and changed without touching another byte."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.learnings.documents import (
    Change,
    append_entries,
    iter_new_ids,
    parse_document,
    update_entries,
)
from orchestrator.learnings.entries import Entry, Kind

PUBLISHED = """# Errors

### ERR-20260520-001
**Status**: pending
**Context**: Applying a Terraform plan that replaced an RDS instance
**Content**: Assumed changing db_subnet_group_name was non-destructive. It forces replacement.
**Action**: Added lifecycle { prevent_destroy = true }. Promote to references/terraform.md.
"""

BY_HAND = """Our notes.

## [ERR-20260101-002] helm

- **Status:** Resolved
- **Context**: `helm upgrade` failed
  on rollback
- **content** : It said:

  ```
  **Status**: promoted
  ### ERR-20200101-001
  ```
- **Owner**: Ann

### ERR-20260101-003
No fields at all.

## Something else
**Status**: none of ours

### LRN-20260230-001
**Status**: wontfix
**Occurrences**: many
**First seen**: never
"""


def entry(identity: str = "ERR-20260521-001", context: str = "c") -> Entry:
    day = date(2026, 5, 21)
    return Entry(identity, Kind.ERR, "pending", context, "what", "", 1, day, day)


def test_the_published_form() -> None:
    (found,) = parse_document(PUBLISHED.encode()).entries
    assert (found.id, found.kind, found.status) == ("ERR-20260520-001", Kind.ERR, "pending")
    assert found.context == "Applying a Terraform plan that replaced an RDS instance"
    assert found.content.endswith("It forces replacement.")
    assert found.action.startswith("Added lifecycle { prevent_destroy = true }.")
    assert (found.occurrences, found.first_seen) == (1, date(2026, 5, 20))


def test_what_people_make_of_it() -> None:
    helm, bare, odd = parse_document(BY_HAND.encode()).entries
    assert (helm.id, helm.status) == ("ERR-20260101-002", "resolved")
    assert helm.context == "`helm upgrade` failed on rollback"
    assert "**Status**: promoted" in helm.content
    assert (bare.id, bare.status, bare.is_open) == ("ERR-20260101-003", "pending", True)
    assert (odd.status, odd.occurrences, odd.first_seen) == ("wontfix", 1, date(1970, 1, 1))


def test_a_new_entry_comes_last_in_the_published_form() -> None:
    data = append_entries(PUBLISHED.encode(), [entry()], "Errors")
    assert data.startswith(PUBLISHED.encode())
    assert data[len(PUBLISHED) :].decode() == (
        "\n### ERR-20260521-001\n**Status**: pending\n**Context**: c\n**Content**: what\n"
        "**Action**:\n**Occurrences**: 1\n**First seen**: 2026-05-21\n**Last seen**: 2026-05-21\n"
    )
    assert [one.id for one in parse_document(data).entries] == [
        "ERR-20260520-001",
        "ERR-20260521-001",
    ]


def test_an_empty_file_gets_a_title() -> None:
    assert append_entries(b"", [entry()], "Errors").startswith(
        b"# Errors\n\n### ERR-20260521-001\n"
    )


def test_an_open_fence_swallows_nothing() -> None:
    data = append_entries(PUBLISHED.encode() + b"\n```sh\nls\n", [entry()], "Errors")
    assert len(parse_document(data).entries) == 2


def test_a_change_is_all_that_changes() -> None:
    data = update_entries(BY_HAND.encode(), {0: Change({"Status": "promoted", "Promoted to": "x"})})
    expected = BY_HAND.replace("- **Status:** Resolved", "- **Status:** promoted")
    expected = expected.replace("- **Owner**: Ann\n", "- **Owner**: Ann\n**Promoted to**: x\n")
    assert data.decode() == expected


def test_a_text_goes_on_where_it_ended() -> None:
    data = update_entries(BY_HAND.encode(), {0: Change(more={"Context": "again"})})
    assert data.decode() == BY_HAND.replace("  on rollback\n", "  on rollback again\n")


def test_fields_for_an_entry_without_any() -> None:
    data = update_entries(BY_HAND.encode(), {1: Change({"Status": "resolved"})})
    heading = "### ERR-20260101-003\n"
    assert data.decode() == BY_HAND.replace(heading, f"{heading}**Status**: resolved\n")


def test_several_changes_at_once() -> None:
    one, other = Change({"Owner": "Bo"}), Change({"Status": "resolved"})
    data = update_entries(BY_HAND.encode(), {0: one, 1: other})
    assert data == update_entries(update_entries(BY_HAND.encode(), {0: one}), {1: other})
    assert data == update_entries(update_entries(BY_HAND.encode(), {1: other}), {0: one})
    assert b"Bo" in data


def test_no_final_newline() -> None:
    data = b"### ERR-20260101-003\n**Status**: pending"
    assert update_entries(data, {0: Change({"Status": "resolved", "Action": "x"})}) == (
        b"### ERR-20260101-003\n**Status**: resolved\n**Action**: x"
    )


def test_ids_go_on_counting() -> None:
    day = date(2026, 5, 20)
    assert next(iter_new_ids(parse_document(b""), Kind.ERR, day)) == "ERR-20260520-001"
    assert (
        next(iter_new_ids(parse_document(PUBLISHED.encode()), Kind.ERR, day)) == "ERR-20260520-002"
    )
    assert (
        next(iter_new_ids(parse_document(b"### ERR-20260520-999"), Kind.ERR, day))
        == "ERR-20260520-1000"
    )
    assert (
        next(iter_new_ids(parse_document(PUBLISHED.encode()), Kind.LRN, day)) == "LRN-20260520-001"
    )


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 9, "100000000"])
def test_a_number_that_nobody_counted_to_is_not_counted_on_from(number: str) -> None:
    document = parse_document(f"### ERR-20260520-002\n### ERR-20260520-{number}\n".encode())
    assert next(iter_new_ids(document, Kind.ERR, date(2026, 5, 20))) == "ERR-20260520-003"


def test_an_early_year_has_four_digits() -> None:
    assert next(iter_new_ids(parse_document(b""), Kind.ERR, date(1, 1, 1))) == "ERR-00010101-001"


def test_utf_16_is_refused() -> None:
    with pytest.raises(UsageError, match="UTF-16"):
        parse_document(PUBLISHED.encode("utf-16"))


noise = st.lists(
    st.sampled_from(
        [b"caf\xe9 \xff\x00", b"text", b"", b"## Heading", b"```", b"- **Status**: x", b"\ttab",
         b"### ERR-20260101-001", b"**Context**: c", b"<!-- x -->", b"a\rb", "é…".encode()]
    ),
    max_size=12,
)  # fmt: skip


@given(noise, st.sampled_from([b"\n", b"\r\n"]), st.sampled_from([b"", b"\xef\xbb\xbf"]),
       st.booleans())  # fmt: skip
def test_every_other_byte_stays(
    lines: list[bytes], newline: bytes, bom: bytes, ended: bool
) -> None:
    before = bom + newline.join(lines) + (newline if ended else b"")
    if before.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    data = append_entries(before, [entry("ERR-20270101-777")], "Errors")
    assert data.startswith(before)
    known = parse_document(data).entries[-1]
    assert (known.id, known.context, known.content) == ("ERR-20270101-777", "c", "what")
    if newline in before:
        assert data[len(before) :].count(b"\n") == data[len(before) :].count(newline)
    resolved = update_entries(
        data, {len(parse_document(data).entries) - 1: Change({"Status": "resolved"})}
    )
    assert resolved == data[: len(before)] + data[len(before) :].replace(b"pending", b"resolved")

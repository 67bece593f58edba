"""One more entry costs the same in a long file, and is told from the others all the same."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.learnings import documents
from orchestrator.learnings.documents import (
    Change,
    append_entries,
    apply_changes,
    parse_document,
    parse_matching,
    update_entries,
)
from orchestrator.learnings.entries import Entry, Kind, normalize_context, normalize_text
from orchestrator.learnings.entry_log import log_entry
from orchestrator.learnings.workspace import Workspace, initialize_workspace

DAY = date(2026, 5, 20)
_LINES = (
    *("### ERR-20260520-001\n", "### [ERR-20260520-002] x\n", "## LRN-20260520-003 ##\n"),
    *("## Head\n", "# \n", "#\n", "#no\n", "\ufeff", "\n", "\r\n", "x", "text\n", "\x85", "\x0c\n"),
    *("**Context**: It broke `here`\n", "- **Context:** it\tBROKE\n  here.\n", "**Context**:\n"),
    *("**Fingerprint**: abc123\n", "**Status**: resolved\r\n", "**Content**: It broke here\n"),
    *(
        "```\n",
        "~~~~\n",
        "   ```sh\n",
        "text ``` in\n",
        "**Context**: \u00bd caf\u00e9\n",
        "- [ ] it\n",
    ),
)
_files = st.lists(st.sampled_from(_LINES), max_size=16).map("".join)
_contexts = st.sampled_from(("It broke here", '"it broke" here', "", "1\u20442 cafe\u0301", "text"))


@given(_files, _contexts, st.sampled_from(("", "abc123")))
def test_what_a_draft_may_be_another_case_of_is_read(file: str, context: str, mark: str) -> None:
    data = file.encode()
    phrases = [normalize_text(context), *([mark] if mark else [])]
    about = parse_matching(data, phrases)

    def fits(entry: Entry) -> bool:
        return normalize_context(entry) == phrases[0] or bool(mark and entry.fingerprint == mark)

    every = parse_document(data)
    assert [each for each in every.entries if fits(each)] == list(filter(fits, about.entries))
    places = [every.find_body_start(number) for number in range(len(every.entries))]
    for number in range(len(about.entries)):
        change = Change({"Status": "resolved"}, {"Content": "again"})
        known = places.index(about.find_body_start(number))
        assert apply_changes(about, {number: change}) == update_entries(data, {known: change})


@pytest.mark.parametrize("known", [10, 1000])
def test_a_new_entry_is_logged_without_reading_the_others(
    known: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path, everywhere=False)
    initialize_workspace(workspace)
    file = workspace.locate_file(Kind.ERR)
    some = [_entry(known, number) for number in range(1, known + 1)]
    file.write_bytes(append_entries(file.read_bytes(), some, "Errors"))
    read: list[str] = []

    def counted(**fields: Any) -> Entry:
        read.append(fields["id"])
        return Entry(**fields)

    monkeypatch.setattr(documents, "Entry", counted)
    new = log_entry(workspace, Kind.ERR, "Something else entirely", on=DAY)
    assert (new.id, read) == (f"ERR-20260520-{known + 1:03d}", [])
    again = log_entry(workspace, Kind.ERR, "Broken.", context=f"module 7 of {known} BROKE", on=DAY)
    assert (again.id, again.occurrences) == ("ERR-20260520-007", 2)
    assert read == ["ERR-20260520-007"]


def _entry(known: int, number: int) -> Entry:
    context = f"Module {number} of {known} broke"
    made = Entry("", Kind.ERR, "pending", context, context, "", 1, DAY, DAY)
    return replace(made, id=f"ERR-20260520-{number:03d}")

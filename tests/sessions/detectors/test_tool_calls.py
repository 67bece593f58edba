"""Each detector of tool calls fires on its fixture and not on its counter-example."""

from collections.abc import Iterable

import pytest

from orchestrator.sessions.detectors.edit_mismatches import find_edit_mismatches
from orchestrator.sessions.detectors.hidden_failures import find_hidden_failures
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.detectors.redundant_reads import find_redundant_reads
from orchestrator.sessions.detectors.repeated_errors import MOST_OF_ONE_KIND, find_repeated_errors
from orchestrator.sessions.detectors.same_command import find_same_commands
from orchestrator.sessions.detectors.token_waste import (
    LEAST_CHARACTERS,
    MOST_IN_CONTEXT,
    find_token_waste,
)
from orchestrator.sessions.models import Denial, Entry
from tests.sessions.tool_calls import (
    FOLDER,
    answer,
    bash,
    compaction,
    edit,
    failed,
    failed_edit,
    make_call,
    make_session,
    prompt,
    read,
)

GO_RED = "--- FAIL: TestA (0.1s)\nFAIL\tshop/a\t0.1s\nFAIL\n"


def rows(found: Iterable[Occurrence]) -> list[str]:
    return [each.row for each in found]


class TestRepeatedErrors:
    def test_an_error_is_an_occurrence(self) -> None:
        session = make_session(
            prompt(), failed("npm run lint", f"{FOLDER}/a.js:1:1: 'x' is unused"), agent="a1"
        )

        (found,) = find_repeated_errors(session)

        assert found.detector is Detector.REPEATED_ERROR
        assert (found.key, found.row, found.agent) == (
            "Bash: npm run lint: <name> is unused",
            "result-1",
            "a1",
        )
        assert found.quote == f"$ npm run lint\n{FOLDER}/a.js:1:1: 'x' is unused"
        assert found.detail == {"cause": "code", "origin": "code", "tool": "Bash"}

    def test_a_file_is_named_below_the_folder(self) -> None:
        call = make_call(
            "Read", "<tool_use_error>File does not exist.", error=True, file_path=f"{FOLDER}/x/a.py"
        )

        (found,) = find_repeated_errors(make_session(call))

        assert found.detail["path"] == "x/a.py"

    @pytest.mark.parametrize(
        "entry",
        [
            bash("ls", "error: but no flag"),
            failed("go test ./...", GO_RED),
            failed("grep a b", ""),
            failed_edit("Sibling tool call errored"),
            failed_edit("File has not been read yet."),
            failed_edit("String to replace not found in file."),
            make_call("Grep", "ENOENT: no such file or directory, posix_spawn 'rg'", error=True),
            make_call("Bash", "no", error=True, denial=Denial.REJECTED, command="x"),
        ],
    )
    def test_what_teaches_nothing_is_left_out(self, entry: Entry) -> None:
        assert not list(find_repeated_errors(make_session(entry)))

    def test_one_session_gives_a_bounded_number(self) -> None:
        session = make_session(*(failed("npm run lint", "bad") for _ in range(50)))

        assert len(list(find_repeated_errors(session))) == MOST_OF_ONE_KIND


class TestSameCommand:
    failure = "error: no such target"

    def fails(self) -> Entry:
        return failed("make deploy", self.failure)

    def test_three_failures_with_nothing_changed(self) -> None:
        session = make_session(
            self.fails(), bash("ls"), self.fails(), bash("git status"), read(), self.fails()
        )

        found = list(find_same_commands(session))

        assert rows(found) == ["result-0", "result-2", "result-5"]
        assert {each.key for each in found} == {"make deploy"}
        assert found[2].detail == {"failure": 3, "of": 3}

    def test_red_tests_are_failures_whatever_the_flag(self) -> None:
        entries = [bash("go test ./... | tail", GO_RED) for _ in range(3)]

        assert len(list(find_same_commands(make_session(*entries)))) == 3

    @pytest.mark.parametrize(
        "between",
        [
            edit(),
            prompt("try again"),
            bash("go mod tidy"),
            bash("sed -i s/a/b/ Makefile"),
            bash("make deploy", "done"),
        ],
    )
    def test_a_change_in_between_ends_the_row(self, between: Entry) -> None:
        session = make_session(self.fails(), self.fails(), between, self.fails())

        assert not list(find_same_commands(session))

    def test_two_failures_are_not_enough(self) -> None:
        assert not list(find_same_commands(make_session(self.fails(), self.fails())))

    def test_another_command_does_not_count(self) -> None:
        other = failed("make deploy2", self.failure)

        assert not list(find_same_commands(make_session(self.fails(), other, self.fails())))

    def test_what_a_person_refuses_is_no_failure(self) -> None:
        entries = [
            make_call("Bash", "no", error=True, denial=Denial.REJECTED, command="make deploy")
            for _ in range(3)
        ]

        assert not list(find_same_commands(make_session(*entries)))


class TestHiddenFailures:
    @pytest.mark.parametrize(
        ("command", "hidden_by"),
        [("go test ./... | tail -3", "| tail"), ("go test ./...; echo done", "; echo")],
    )
    def test_a_red_run_without_a_flag(self, command: str, hidden_by: str) -> None:
        (found,) = find_hidden_failures(make_session(bash(command, GO_RED)))

        assert (found.key, found.row) == ("go test", "result-0")
        assert found.detail == {"hidden_by": hidden_by, "command": "go test <path>"}
        assert "--- FAIL: TestA" in found.quote

    @pytest.mark.parametrize(
        "entry",
        [
            bash("go test ./... | tail -3", "ok  \tshop/a\t0.1s"),
            failed("go test ./...", GO_RED),
            failed("set -o pipefail; go test ./... | tail", GO_RED),
            bash("cat log | tail -3", GO_RED),
            bash("go test ./... | tail -3", None),
        ],
    )
    def test_what_is_green_or_not_hidden(self, entry: Entry) -> None:
        assert not list(find_hidden_failures(make_session(entry)))


class TestEditMismatches:
    def test_an_edit_that_did_not_fit(self) -> None:
        session = make_session(read(), failed_edit("String to replace not found in file."))

        (found,) = find_edit_mismatches(session)

        assert found.key == "text not found: *.py"
        assert found.detail == {"path": "a.py", "cause": "text not found"}

    @pytest.mark.parametrize("command", ["npm run format", "gofmt -w .", "ruff check --fix"])
    def test_a_formatter_since_the_file_was_read_is_named(self, command: str) -> None:
        session = make_session(
            read(), bash(command), read("/other"), failed_edit("File has been modified since read")
        )

        (found,) = find_edit_mismatches(session)

        assert found.key == "changed since read: *.py after a formatter"
        assert command.startswith(found.detail["formatter"])

    @pytest.mark.parametrize(
        "between", [(bash("gofmt -d ."),), (bash("gofmt -w ."), read()), (bash("ls fix"),)]
    )
    def test_a_formatter_before_the_file_was_read_is_not(self, between: tuple[Entry, ...]) -> None:
        session = make_session(read(), *between, failed_edit("Found 2 matches of the string"))

        (found,) = find_edit_mismatches(session)

        assert found.key == "text not unique: *.py"

    @pytest.mark.parametrize(
        "entry",
        [
            edit(),
            failed_edit("No changes to make: old_string and new_string are exactly the same."),
            failed_edit("File has not been read yet."),
            make_call("Edit", "no", error=True, denial=Denial.REJECTED, file_path="a.py"),
        ],
    )
    def test_other_errors_are_not_of_this_kind(self, entry: Entry) -> None:
        assert not list(find_edit_mismatches(make_session(entry)))


class TestRedundantReads:
    def test_three_reads_of_the_same_part(self) -> None:
        session = make_session(
            read(result="x" * 400),
            read(),
            bash("ls"),
            bash("go test ./..."),
            read(result="x" * 800),
        )

        found = list(find_redundant_reads(session))

        assert rows(found) == ["result-1", "result-4"]
        assert {each.key for each in found} == {"a.py"}
        assert found[1].detail == {"tokens": 200, "read": 3}

    @pytest.mark.parametrize(
        "between",
        [
            edit(),
            compaction(),
            bash("gofmt -w a.py"),
            bash("git checkout main"),
            bash("cat x > a.py"),
            make_call("Write", file_path=f"{FOLDER}/a.py", content="x"),
        ],
    )
    def test_what_may_have_changed_it_ends_the_row(self, between: Entry) -> None:
        assert not list(find_redundant_reads(make_session(read(), read(), between, read())))

    @pytest.mark.parametrize(
        "other",
        [
            read(offset=10),
            read(limit=5),
            read("/home/dev/shop/b.py"),
            make_call("Read", "gone", error=True, file_path=f"{FOLDER}/a.py"),
        ],
    )
    def test_another_part_or_a_failed_read_does_not_count(self, other: Entry) -> None:
        assert not list(find_redundant_reads(make_session(read(), read(), other)))

    def test_an_edit_of_another_file_changes_nothing(self) -> None:
        session = make_session(read(), read(), edit("/home/dev/shop/b.py"), read())

        assert len(list(find_redundant_reads(session))) == 2


class TestTokenWaste:
    big = "x" * LEAST_CHARACTERS

    def test_a_large_output_with_what_it_cost(self) -> None:
        session = make_session(
            bash("cd a && git diff main | cat", self.big),
            answer(),
            answer(),
            compaction(),
            answer(),
        )

        (found,) = find_token_waste(session)

        assert (found.key, found.row) == ("git diff", "result-0")
        assert found.detail == {"tokens": 5_000, "calls_after": 2}

    def test_a_tool_has_its_name(self) -> None:
        (found,) = find_token_waste(make_session(make_call("mcp__a__b", self.big)))

        assert found.key == "mcp__a__b"

    @pytest.mark.parametrize(
        "entry",
        [
            bash("git diff", "x" * (LEAST_CHARACTERS - 1)),
            read(result="x" * LEAST_CHARACTERS),
            make_call("Task", "x" * LEAST_CHARACTERS),
            bash("git diff", "<persisted-output>" + "x" * LEAST_CHARACTERS),
            bash("git diff", "x" * (MOST_IN_CONTEXT + 1)),
            bash("git diff", None),
        ],
    )
    def test_what_is_small_or_was_asked_for(self, entry: Entry) -> None:
        assert not list(find_token_waste(make_session(entry)))

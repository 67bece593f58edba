"""Errors have one cause, one origin, and a key that is equal in all sessions."""

from typing import Any

import pytest

from orchestrator.sessions.calls.causes import Cause, Origin, find_cause
from orchestrator.sessions.models import Denial, ToolCall
from tests.sessions.tool_calls import FOLDER, bash, failed, failed_edit, make_call


def tool_error(name: str, text: str, **inputs: Any) -> ToolCall:
    return make_call(name, text, error=True, **inputs)


@pytest.mark.parametrize(
    ("call", "cause", "origin", "key"),
    [
        (
            tool_error("Read", "<tool_use_error>File does not exist.", file_path="/a/b/x12.go"),
            Cause.MISSING_FILE,
            Origin.PROJECT,
            "Read: missing file: x#.go",
        ),
        (
            tool_error("Grep", "<tool_use_error>Path does not exist: /a/src</tool_use_error>"),
            Cause.MISSING_FILE,
            Origin.PROJECT,
            "Grep: missing file: src",
        ),
        (
            failed_edit("String to replace not found in file.\nString: x"),
            Cause.TEXT_NOT_FOUND,
            Origin.EDIT,
            "Edit: text not found: *.py",
        ),
        (
            failed_edit("Found 2 matches of the string to replace, but"),
            Cause.TEXT_AMBIGUOUS,
            Origin.EDIT,
            "Edit: text not unique: *.py",
        ),
        (
            failed_edit("File has been modified since read, either by"),
            Cause.CHANGED_SINCE,
            Origin.EDIT,
            "Edit: changed since read: *.py",
        ),
        (
            failed_edit("File has not been read yet. Read it first"),
            Cause.NOT_READ,
            Origin.HARNESS,
            "Edit: not read before",
        ),
        (failed_edit("Sibling tool call errored"), Cause.CASCADE, Origin.CASCADE, "Edit: cascade"),
        (
            tool_error("Grep", "ENOENT: no such file or directory, posix_spawn '/a/rg'"),
            Cause.MACHINE,
            Origin.MACHINE,
            "Grep: machine",
        ),
        (
            tool_error("Skill", "<tool_use_error>Unknown skill: commit</tool_use_error>"),
            Cause.MISSING_TOOL,
            Origin.PROJECT,
            "Skill: missing tool: Unknown skill: commit",
        ),
        (
            tool_error("mcp__a__b", "Received non-uuid id 'x' in 3 fields"),
            Cause.OTHER,
            Origin.PROJECT,
            "mcp__a__b: Received non-uuid id <name> in <number> fields",
        ),
        (
            failed("foo --x", "zsh:1: command not found: foo", 127),
            Cause.MISSING_PROGRAM,
            Origin.PROJECT,
            "Bash: missing program: foo",
        ),
        (failed("grep a b", ""), Cause.NO_MATCH, Origin.WORK, "Bash: nothing found: grep"),
        (
            failed("go test ./...", "--- FAIL: TestA (0.1s)\nFAIL"),
            Cause.TESTS_FAILED,
            Origin.WORK,
            "Bash: tests failed: go test",
        ),
        (
            failed("git fetch", "fatal: Could not resolve host: github.com", 128),
            Cause.NETWORK,
            Origin.MACHINE,
            "Bash: network",
        ),
        (
            failed("cd a && mise run lint 2>&1 | tail -5", "a.go:1:2: Error return is not checked"),
            Cause.CODE,
            Origin.CODE,
            "Bash: mise run lint: Error return is not checked",
        ),
        (
            bash("sleep 999; make", "Command timed out after 2m 0.0s", error=True),
            Cause.TIMEOUT,
            Origin.PROJECT,
            "Bash: timeout: make",
        ),
    ],
)
def test_the_table(call: ToolCall, cause: Cause, origin: Origin, key: str) -> None:
    found = find_cause(call)

    assert found is not None
    assert (found.cause, found.origin, found.key) == (cause, origin, key)


@pytest.mark.parametrize(
    ("command", "output", "name"),
    [
        ("npm run fmt && npm run lint", "x.js:1:1: bad", "npm run lint"),
        ("mise run lint && mise run test", "a:1:1: bad\n[lint] ERROR task failed", "mise run lint"),
        ("git add a && git commit -m x && git push", "error: failed to push some refs", "git push"),
        ("jq . a && cat b", "jq: error (at 3): bad", "jq"),
        ("make build | tee log; exit 1", "error: bad", "make build"),
        ("git fetch && git merge x", "CONFLICT (content): Merge conflict in a", "git merge"),
        ("git fetch && git rebase x; git status", "error: could not apply 1a2b3c", "git rebase"),
        ("git add a && git rebase --continue", "CONFLICT (content): in a", "git rebase"),
        ("git stash && git checkout x && git log y", "fatal: bad revision", "git log"),
        ("go build ./... && git stash pop", "a.go:1:2: undefined: x", "go build"),
    ],
)  # fmt: skip
def test_the_part_that_failed_is_named(command: str, output: str, name: str) -> None:
    found = find_cause(failed(command, output))

    assert found is not None
    assert found.key.startswith(f"Bash: {name}: ")


def test_the_same_error_on_another_machine_has_the_same_key() -> None:
    here = failed("cd /home/dev/shop && npm run lint", f"{FOLDER}/src/a.js:3:14: 'x' is unused")
    there = failed("cd /Users/ann/shop && npm run lint", "/Users/ann/shop/b.js:70:2: 'y' is unused")

    assert [found.key for each in (here, there) if (found := find_cause(each))] == [
        "Bash: npm run lint: <name> is unused"
    ] * 2


def test_what_a_person_refused_is_theirs() -> None:
    call = make_call("Bash", "anything", error=True, denial=Denial.REJECTED, command="ls")

    found = find_cause(call)

    assert found is not None
    assert found.origin is Origin.USER


def test_a_quoted_message_is_not_taken_for_the_real_one() -> None:
    found = find_cause(failed("cat log", "error: <tool_use_error>Sibling tool call errored"))

    assert found is not None
    assert found.origin is Origin.PROJECT


def test_a_call_without_the_flag_has_no_cause() -> None:
    assert find_cause(bash("ls", "fatal: error")) is None


@pytest.mark.parametrize("piece", ["a", "(", "1", "\n", "error ", "/a"])
def test_a_megabyte_of_one_piece_has_a_cause(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))

    assert find_cause(failed(text, text)) is not None
    assert find_cause(failed_edit(text, path=text)) is not None


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("go build ./...", "# shop\na.go:9:2: undefined: x"),
        ("mise run lint", "[lint:go] a.go:9:2: Error return value is not checked (errcheck)"),
        ("npx tsc", "src/a.ts(3,5): error TS2304: Cannot find name"),
        ("npm run lint", "/w/a.js\n  3:14  error  'x' is unused  no-unused-vars"),
        ("cargo build", "error[E0425]: cannot find value `x`\n --> src/main.rs:4:5"),
        ("uv run mypy src", "a.py:3: error: Incompatible types"),
        ("make", "a.c:3:5: error: expected ;"),
        ("git commit -m x", "ruff....Failed\na.py:1:1: F401 unused import"),
    ],
)
def test_code_that_is_not_done_is_work(command: str, output: str) -> None:
    found = find_cause(failed(command, output))

    assert found is not None
    assert (found.cause, found.origin) == (Cause.CODE, Origin.CODE)


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("go build ./...", "a.go:3:2: no required module provides package x"),
        ("mise run lint:all", "mise ERROR no task lint:all found"),
        ("golangci-lint run --x", "Error: unknown flag: --x"),
        ("./deploy.sh", "deploy.sh:3: the host is not set"),
        ("python3 x.py", "a.py:3: bad"),
    ],
)
def test_what_the_project_needs_is_no_code_that_is_not_done(command: str, output: str) -> None:
    found = find_cause(failed(command, output))

    assert found is not None
    assert found.origin is Origin.PROJECT

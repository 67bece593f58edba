"""Commands that do the same have one key, and only what surely writes nothing is read-only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.calls.commands import is_read_only, leaves_files, normalize


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("cd /home/dev/shop && git add src/a.py | cat", "git add <path>"),
        ("go test ./cmd/x/... -run TestA -v 2>&1 | tail -30", "go test -run -v <name> <path>"),
        ("go test -v -run TestB ./other", "go test -run -v <name> <path>"),
        ("uv run pytest tests/test_a.py -k 'a or b'", "pytest -k <path> <text>"),
        ("timeout 60 npm run lint:fix", "npm run lint:fix"),
        ("git -C /a/b commit -m 'x y'", "git commit -m <text>"),
        ("mise run fmt && mise run lint", "mise run fmt && mise run lint"),
        ("python3 -m build --wheel", "python3 -m build --wheel"),
        ("git show 1a2b3c4d", "git show <hex>"),
        ("gh pr view 12", "gh pr view <number>"),
        ("cd /a", "cd <path>"),
        ("smbclient -Uadmin%Hq8zKw3n //h/s", "smbclient -U <path>"),
        ("pg_restore -WHq8zKw3n x", "pg_restore -W <name>"),
        ("ansible-vault -kHq8z x", "ansible-vault -k <name>"),
        ("mysqldump -psecret x", "mysqldump -p <name>"),
        ("java -DdbPassHq8z x", "java -D <name>"),
        ("tar -xvf a.tar", "tar -xvf <path>"),
        ("", ""),
    ],
)
def test_the_key_of_a_command(command: str, key: str) -> None:
    assert normalize(command) == key


@given(st.from_regex(r"/[a-z]{1,8}/[a-z]{1,8}", fullmatch=True), st.integers(0, 10**9))
def test_a_key_holds_no_path_and_no_number(path: str, number: int) -> None:
    assert normalize(f"cd {path} && git add {path}/x && kill {number}") == (
        "git add <path> && kill <number>"
    )


READ_ONLY = (
    "ls -la", "cat a | grep b | head -3", "git -C x status", "git log --oneline | wc -l",
    "git branch -a", "gh api repos/a/b", "gh pr view 3", "find . -name x", "sed -n 1,5p a",
    "cd a && pwd; echo done", "go version", "cat a 2>/dev/null", "node --version", "",
)  # fmt: skip
LEAVES_FILES = ("git commit -m x", "npm run lint", "go build ./...", "mypy src", "cargo check")
WRITES = (
    "rm a", "cat a > b", "sed -i s/a/b/ c", "find . -delete", "git checkout a", "git branch x",
    "gh api -X POST repos", "npm run lint:fix x > y", "python3 x.py", "echo $(rm a)", "unknown",
    "cat <(rm x)",
    "eslint --fix a", "git stash", "awk '{print > \"x\"}' a", "go test ./... && gofmt -w .",
)  # fmt: skip


@pytest.mark.parametrize("command", READ_ONLY)
def test_what_only_reads(command: str) -> None:
    assert is_read_only(command)
    assert leaves_files(command)


@pytest.mark.parametrize("command", LEAVES_FILES)
def test_what_leaves_source_files_as_they_are(command: str) -> None:
    assert leaves_files(command)
    assert not is_read_only(command)


@pytest.mark.parametrize("command", WRITES)
def test_what_may_write(command: str) -> None:
    assert not is_read_only(command)
    assert not leaves_files(command)

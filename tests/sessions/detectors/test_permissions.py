import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.detectors.permissions import find_permission_prompts
from orchestrator.sessions.detectors.safe_commands import find_permission_rule
from orchestrator.sessions.models import Denial, SessionClass
from tests.sessions.hand_made import Script, build_session

SAFE = {
    "go test ./...": "Bash(go test *)",
    "go test": "Bash(go test *)",
    "go test ./pkg -run 'TestA|TestB' 2>&1": "Bash(go test *)",
    "pytest -q tests/test_a.py::test_b": "Bash(pytest *)",
    "pytest /tmp/x9f3/test_a.py": "Bash(pytest *)",
    'pytest -k "a and not b"': "Bash(pytest *)",
    "npm test": "Bash(npm test)",
    "npm run lint:fix 2>&1": "Bash(npm run lint:fix)",
    "mypy": "Bash(mypy)",
    "pylint src": "Bash(pylint src)",
    "ruff check --fix": "Bash(ruff *)",
    "make test": "Bash(make test)",
    "cargo clippy --all > /dev/null": "Bash(cargo clippy --all)",
    "golangci-lint run": "Bash(golangci-lint run)",
}
UNSAFE = [
    "python -m pytest", "python3 a.py", "node a.js", "bash run.sh", "sh -c 'go test'",
    "perl -e 1", "go run main.go", "deno run a.ts", "uv run pytest", "npx jest", "./run.sh",
    "eval go test", "curl https://a.b", "wget a", "ssh host", "git push", "git fetch",
    "npm install", "npm ci", "pip install pytest", "go get a", "go install a", "cargo install a",
    "apt-get install a", "rm -rf build", "git clean -fd", "sudo go test", "chmod 777 a",
    "find . -delete", "go test && rm a", "go test; ls", "go test | tail", "go test || true",
    "go test & ls", "go test $(rm a)", "go test `rm a`", "go test $HOME", 'go test "$(rm a)"',
    "go test > out.txt", "go test >> out.txt", "go test < in", "go test\nrm a", "(go test)",
    "go test 'a", "FOO=1 go test", "go test > /dev/null; rm a", "go test <(ls)",
    "go test &> out.txt", "pytest 2>errors.txt", "go test -exec /bin/sh ./...",
    "go test --exec=sh", "go vet -vettool=/tmp/x", "go build -toolexec sh",
    "make test SHELL=/tmp/x", "ls -la", "git status", "cat a", "make", "make deploy",
    "npm test --prefix=/tmp/x", "npm test -- x", "npm run lint:fix -- --quiet", "make ship",
    "make nuke", "tox", "tox exec -- x", "nox", "ctest -S x", "pylint --load-plugins=x a",
    "npm run deploy", "npm run", "mise run ship", "mise run test",
    "poetry run pytest", "poetry run python a.py",
    "bundle exec ruby a.rb", "poetry install", "terraform apply", "", "  ", "'",
]  # fmt: skip


@pytest.mark.parametrize(("command", "rule"), SAFE.items())
def test_a_safe_command_has_a_rule(command: str, rule: str) -> None:
    assert find_permission_rule(command) == rule


@pytest.mark.parametrize("command", UNSAFE)
def test_an_unsafe_command_has_none(command: str) -> None:
    assert find_permission_rule(command) == ""


@given(
    st.sampled_from(["go test", "pytest", "npm test", "make test"]),
    st.text(max_size=40),
    st.sampled_from([";", "&&", "|", "&", "\n", "$(", "`", "> f", "<f", "||"]),
    st.text(max_size=40),
)
def test_no_rule_for_what_the_shell_expands_or_chains(
    program: str, before: str, operator: str, after: str
) -> None:
    plain = "".join(char for char in before if char.isalnum() or char in " -./")
    rest = "".join(char for char in after if char not in "\"'\\")
    assert find_permission_rule(f"{program} {plain} {operator} x{rest}") == ""


@given(st.text(max_size=200))
def test_a_rule_holds_nothing_but_names(text: str) -> None:
    rule = find_permission_rule(f"go test {text}")
    assert rule in ("", "Bash(go test *)")


@pytest.mark.parametrize("text", ["go test " + "a" * 1_000_000, "go test " + '"' * 1_000_000])
@pytest.mark.timeout(10)
def test_long_commands_cost_no_time(text: str) -> None:
    assert find_permission_rule(text) == ""


def test_commands_with_and_without_arguments_have_one_key() -> None:
    script = Script().bash("go test").bash("go test ./...").bash("ls")
    found = list(find_permission_prompts(build_session(script)))
    assert [each.key for each in found] == ["Bash(go test *)"] * 2
    assert found[0].detail == {"rule": "Bash(go test *)", "denied": False}


def test_what_nobody_approved_counts_and_what_somebody_refused_does_not() -> None:
    script = Script()
    for denial in Denial:
        script.call("Bash", denial=denial, command="go test")
    (found,) = find_permission_prompts(build_session(script))
    assert found.detail["denied"] is True


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("go test ./...", "Exit code 127\n/bin/bash: line 1: go: command not found"),
        ("npm run lint", 'Exit code 1\nnpm error Missing script: "lint"'),
        ("make test", "Exit code 2\nmake: *** No rule to make target 'test'.  Stop."),
        ("pytest -q", "Exit code 4\nERROR: file or directory not found: tests"),
        ("cargo clippy", "Exit code 101\nerror: no such command: `clippy`"),
        ("npm run build", "Command timed out after 2m 0.0s"),
    ],
)
def test_a_command_that_does_not_work_here_is_not_one_to_allow(command: str, result: str) -> None:
    assert find_permission_rule(command)
    script = Script().bash(command, result, is_error=True).bash(command, None)

    assert list(find_permission_prompts(build_session(script))) == []


def test_red_tests_are_no_failure_of_the_command() -> None:
    script = Script().bash("pytest -q", "Exit code 1\n1 failed, 3 passed in 0.1s", is_error=True)

    assert len(list(find_permission_prompts(build_session(script)))) == 1


def test_in_a_headless_session_only_what_was_denied_counts() -> None:
    script = Script().bash("go test").call("Bash", denial=Denial.UNATTENDED, command="go test")
    session = build_session(script, kind=SessionClass.HEADLESS)

    assert [each.detail["denied"] for each in find_permission_prompts(session)] == [True]

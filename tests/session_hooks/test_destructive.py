"""Which shell lines destroy something: both ways, as a table."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.session_hooks import entry
from orchestrator.session_hooks.writeahead import outcome
from orchestrator.session_hooks.writeahead.danger import DangerKind
from orchestrator.session_hooks.writeahead.destructive import find_dangers, find_sql_dangers
from orchestrator.session_hooks.writeahead.effort import MAX_STEPS, Effort, TooMuchWorkError
from orchestrator.session_hooks.writeahead.entries import build_entry
from orchestrator.session_hooks.writeahead.locations import read_patterns
from orchestrator.session_hooks.writeahead.script import Command
from orchestrator.session_hooks.writeahead.shell import parse_commands

DESTRUCTIVE = {
    # the published list
    "git reset --hard": "git reset --hard",
    "git reset --hard HEAD~3": "git reset --hard",
    "git -C sub reset -q --hard": "git reset --hard",
    "git -c core.pager=cat reset --hard": "git reset --hard",
    "git push --force": "git push --force",
    "git push -f origin main": "git push --force",
    "git push -uf origin main": "git push --force",
    "git push origin main --force-with-lease": "git push --force",
    "git push --force-with-lease=main:abc origin main": "git push --force",
    "git push origin +main": "git push --force",
    "git push origin :old": "git push --force",
    "git push origin --delete old": "git push --force",
    "git push --mirror": "git push --force",
    "git clean -fd": "git clean",
    "git clean -xdf": "git clean",
    "git clean -d --force": "git clean",
    "rm -rf build": "rm -r",
    "rm -r build": "rm -r",
    "rm -R build": "rm -r",
    "rm build -fr": "rm -r",
    "rm --recursive --force build": "rm -r",
    "terraform apply": "terraform",
    "terraform apply -auto-approve plan.out": "terraform",
    "terraform -chdir=infra destroy": "terraform",
    "tofu apply": "terraform",
    "kubectl delete pod web": "kubectl delete",
    "kubectl -n prod delete -f x.yaml": "kubectl delete",
    "kubectl --context=prod delete ns shop": "kubectl delete",
    'psql -c "DROP TABLE users"': "SQL",
    'psql -c "drop   table if exists users cascade"': "SQL",
    'mysql -e "TRUNCATE TABLE users" shop': "SQL",
    'sqlite3 app.db "DROP TABLE t;"': "SQL",
    "dropdb shop": "SQL",
    # quoting
    "'rm' -rf x": "rm -r",
    '"rm" "-rf" x': "rm -r",
    r"r\m -rf x": "rm -r",
    "r''m -r''f x": "rm -r",
    "\\rm -rf x": "rm -r",
    "r\\\nm -rf x": "rm -r",
    "$'\\x72m' -rf x": "rm -r",
    "/bin/rm -rf x": "rm -r",
    "git \"reset\" --ha'rd'": "git reset --hard",
    # prefixes
    "sudo rm -rf x": "rm -r",
    "sudo -u web -E rm -rf x": "rm -r",
    "sudo -- rm -rf x": "rm -r",
    "sudo A=b rm -rf x": "rm -r",
    "env X=y rm -rf x": "rm -r",
    "env -i -u HOME X=y rm -rf x": "rm -r",
    "env -S 'X=y rm -rf x'": "rm -r",
    "X=y Z='a b' rm -rf x": "rm -r",
    "nohup nice -n 5 rm -rf x &": "rm -r",
    "timeout -s KILL 10 rm -rf x": "rm -r",
    "time rm -rf x": "rm -r",
    "command rm -rf x": "rm -r",
    "exec rm -rf x": "rm -r",
    "find . -name '*.o' | xargs rm -rf": "rm -r",
    "find . -name '*.o' | xargs -0 -n 1 rm -rf": "rm -r",
    "find . -type d -exec rm -rf {} +": "rm -r",
    "find . -type d -exec rm -rf {} \\;": "rm -r",
    "find build -name '*.o' -delete": "rm -r",
    "ls | xargs -i rm -rf {}": "rm -r",
    "ls | xargs --replace rm -rf {}": "rm -r",
    "git clean -fdx -e.env": "git clean",
    "git push -fo ci.skip origin main": "git push --force",
    "su -c 'rm -rf z'": "rm -r",
    "su - web -lc 'rm -rf z'": "rm -r",
    "trap 'rm -rf z' EXIT": "rm -r",
    "psql -c 'DROP VIEW v'": "SQL",
    "psql -c 'DROP MATERIALIZED VIEW v'": "SQL",
    "psql -c 'ALTER TABLE users DROP COLUMN age'": "SQL",
    # several commands
    "cd a && rm -rf b": "rm -r",
    "ls; rm -rf b": "rm -r",
    "ls\nrm -rf b\nls": "rm -r",
    "ls || rm -rf b": "rm -r",
    "ls & rm -rf b": "rm -r",
    "ls | rm -rf b": "rm -r",
    "(rm -rf b)": "rm -r",
    "{ rm -rf b; }": "rm -r",
    "if true; then rm -rf b; fi": "rm -r",
    "for x in *; do rm -rf $x; done": "rm -r",
    "! rm -rf b": "rm -r",
    "case $x in a) rm -rf b;; esac": "rm -r",
    "f() { rm -rf b; }; f": "rm -r",
    "f( ) { rm -rf b; }; f": "rm -r",
    "function f() { rm -rf b; }": "rm -r",
    "if(rm -rf b); then ls; fi": "rm -r",
    "!(rm -rf b)": "rm -r",
    "time(rm -rf b)": "rm -r",
    "list=(a b) && rm -rf b": "rm -r",
    "list=( # it's a\n b)\nrm -rf b\necho 'a)'": "rm -r",
    "list=($(rm -rf b))": "rm -r",
    "[[ $x =~ ^(a|b)$ ]] && rm -rf b": "rm -r",
    'echo ${x:-"}"} && rm -rf b': "rm -r",
    "echo ${x//{/y} && rm -rf b": "rm -r",
    "echo ${x:-${y:-'}'}} && rm -rf b": "rm -r",
    "echo ${x:-$(rm -rf b)}": "rm -r",
    "rm -rf b > log 2>&1": "rm -r",
    "2>/dev/null rm -rf b": "rm -r",
    "echo $(rm -rf b)": "rm -r",
    "echo `rm -rf b`": "rm -r",
    'echo "$(rm -rf b)"': "rm -r",
    "diff <(rm -rf b) x": "rm -r",
    "cat <<EOF\n$(rm -rf b)\nEOF": "rm -r",
    "cat <<'EOF' > x\nhello\nEOF\nrm -rf b": "rm -r",
    # shells in shells
    "bash -c 'rm -rf x'": "rm -r",
    'bash -lc "cd a && git reset --hard"': "git reset --hard",
    "sh -ec 'rm -rf x'": "rm -r",
    "bash -o pipefail -c 'rm -rf x'": "rm -r",
    "sudo bash -c \"bash -c 'rm -rf x'\"": "rm -r",
    "eval 'rm -rf x'": "rm -r",
    "eval rm -rf x": "rm -r",
    "bash <<EOF\nrm -rf x\nEOF": "rm -r",
    "bash <<< 'rm -rf x'": "rm -r",
    "echo 'rm -rf x' | bash -": "rm -r",
    "echo 'rm -rf x' | bash -s -- y": "rm -r",
    "echo 'rm -rf x' | sh": "rm -r",
    "cat <<EOF | bash -s\nrm -rf x\nEOF": "rm -r",
    "ssh -p 22 host 'rm -rf x'": "rm -r",
    "psql <<EOF\nDROP TABLE users;\nEOF": "SQL",
    "echo 'DROP TABLE users' | psql shop": "SQL",
    "docker exec -it db psql -c 'DROP TABLE users'": "SQL",
    "kubectl exec db-0 -- psql -c 'DROP TABLE users'": "SQL",
}

HARMLESS = [
    'echo "rm -rf"',
    "echo rm -rf x",
    "echo 'git reset --hard' >> notes.md",
    "grep 'git reset --hard' notes.md",
    "grep -rn 'rm -rf' .",
    'rg "DROP TABLE" migrations',
    "git log --grep='push --force'",
    "git commit -m 'rm -rf build; git reset --hard; DROP TABLE'",
    'git commit -m "never git push --force"',
    "cat > clean.sh <<'EOF'\nrm -rf build\nEOF",
    "cat <<-EOF > x\n\tgit reset --hard\n\tEOF",
    "# rm -rf x",
    "ls # rm -rf x",
    "man rm",
    "which rm",
    "command -v rm",
    "type rm",
    "rm file.txt",
    "rm -f file.txt",
    "rm -- -r",
    "rmdir build",
    "git rm -r docs",
    "git push",
    "git push origin main",
    "git push -n --force",
    "git push --dry-run -f",
    "git push origin feature/force",
    "git reset --soft HEAD~1",
    "git reset HEAD file",
    "git clean -n",
    "git clean -nfd",
    "git clean --dry-run -fd",
    "git diff -- --hard",
    "git status --porcelain",
    "terraform plan",
    "terraform plan -destroy",
    "terraform apply -help",
    "terraform fmt && terraform validate",
    "kubectl get pods",
    "kubectl get deployment delete",
    "kubectl delete pod x --dry-run=client",
    "kubectl describe pod delete",
    "psql -c 'SELECT 1'",
    "psql -c \"SELECT 'drop table users'\"",
    "psql -c '-- drop table users\nselect 1'",
    "psql -c 'ALTER TABLE users DROP CONSTRAINT age'",
    "git clean -n -e .f",
    "git clean -fdx -e. -n",
    "git push -o force",
    "trap - EXIT",
    "su -c 'ls'",
    "sed -i 's/rm -rf/ls/' x",
    "awk '/rm -rf/' x",
    "python -c \"print('rm -rf x')\"",
    "make clean",
    "npm run clean",
    "docker run --rm -it x",
    "printf '%s' 'rm -rf x' > script.sh",
    "bash script.sh rm -rf x",
    "find . -name 'rm -rf'",
    "x='rm -rf b'",
    "alias del='rm -rf'",
    "echo 'unclosed rm -rf",
    "",
    "|&;<>()",
]


def event(command: str, tool: str = "Bash", key: str = "command") -> bytes:
    return json.dumps(
        {
            "session_id": "s",
            "cwd": "/p",
            "permission_mode": "acceptEdits",
            "hook_event_name": "PreToolUse",
            "tool_name": tool,
            "tool_input": {key: command},
            "tool_use_id": "toolu_1",
        },
        ensure_ascii=False,
    ).encode()


@pytest.mark.parametrize(("command", "kind"), DESTRUCTIVE.items())
def test_destructive(command: str, kind: str) -> None:
    assert [danger.kind for danger in find_dangers(command, "/p")] == [kind]
    assert entry.contains_destructive_word(event(command)), "the hook would not have looked at it"


@pytest.mark.parametrize("command", HARMLESS)
def test_harmless(command: str) -> None:
    assert find_dangers(command, "/p") == []


def test_the_table_is_long_enough() -> None:
    assert len(DESTRUCTIVE) > 80
    assert len(HARMLESS) > 50


def test_most_commands_are_not_looked_at_closely() -> None:
    quick = [
        "ls -la",
        "pytest tests -q",
        "npm run format",
        "git status && git diff",
        "git add -A && git commit -m 'Transform the terminal'",
        "cat README.md | head -20",
        "python -m perform",
    ]
    assert [command for command in quick if entry.contains_destructive_word(event(command))] == []


def test_paths_are_those_that_the_command_would_hit() -> None:
    (danger,) = find_dangers("cd a/b && cd .. && rm -rf c /d ../e", "/p")
    assert danger.targets == ["/p/a/c", "/d", "/p/e"]
    assert danger.directory == "/p/a"


@pytest.mark.parametrize(
    ("command", "folder", "sure"),
    [
        ("cd a && ls && rm -rf b", "/p/a", True),
        ("cd a && cd b && rm -rf b", "/p/a/b", True),
        ("cd a && bash -c 'rm -rf b'", "/p/a", True),
        ("cd a &&\nrm -rf b", "/p/a", True),
        ("cd a; rm -rf b", "/p/a", False),
        ("cd a\nrm -rf b", "/p/a", False),
        ("cd a || cd c && rm -rf b", "/p/a/c", False),
        ("ls || cd a && rm -rf b", "/p/a", False),
        ("test -d a && cd a; rm -rf b", "/p/a", False),
        ("cd - && rm -rf b", "/p", False),
        ("pushd a && rm -rf b", "/p", False),
        ("cd $HOME && rm -rf b", "/p/$HOME", False),
        ("cd @(a|b) && rm -rf b", "/p/@(a|b)", False),
        ("(cd a && make); rm -rf b", "/p", True),
        ("(cd a && rm -rf b)", "/p/a", True),
        ("cd a & rm -rf b", "/p", True),
        ("cd a | rm -rf b", "/p", True),
        ("echo $(cd a && ls) && rm -rf b", "/p", True),
        ("bash -c 'cd a'; rm -rf b", "/p", True),
    ],
)
def test_where_a_command_is_run(command: str, folder: str, sure: bool) -> None:
    (danger,) = find_dangers(command, "/p")
    assert (danger.directory, danger.sure) == (folder, sure)
    # What is written down says the same when it is read again.
    (again,) = find_dangers(operation(command), "/p")
    assert (again.directory, again.sure) == (folder, sure)


@pytest.mark.parametrize(
    ("command", "written", "targets"),
    [
        ("ssh prod 'cd app && git reset --hard v1'",
         "ssh prod 'cd app && git reset --hard v1'", ["v1"]),
        ("cd x; ssh -p 22 me@prod rm -rf /srv/app '~/y'",
         "ssh -p 22 me@prod 'rm -rf /srv/app '\"'\"'~/y'\"'\"''", ["/srv/app", "~/y"]),
        ("docker exec db rm -rf data", "docker exec db rm -rf data", ["data"]),
        ("docker exec db sh -c 'cd /x; rm -rf data'",
         "docker exec db sh -c 'cd /x && rm -rf data'", ["data"]),
        ("kubectl exec db-0 -- rm -rf /data", "kubectl exec db-0 -- rm -rf /data", ["/data"]),
        ("docker exec db psql -c 'DROP TABLE a'", "DROP TABLE a (through docker exec db)", ["a"]),
        ("ls | xargs -I % rm -rf %", "xargs -I % rm -rf %", ["%"]),
        ("ls | xargs rm -rf", "xargs rm -rf", ["what is read from standard input"]),
        ("find . -type d -exec rm -rf {} +", "find . -type d -exec rm -rf '{}'", ["{}"]),
        ("env -C /x rm -rf y", "env -C /x rm -rf y", ["y"]),
        ("trap 'rm -rf z' EXIT", "trap 'rm -rf z'", ["z"]),
    ],
)  # fmt: skip
def test_what_is_run_elsewhere_is_said_to_be(
    command: str, written: str, targets: list[str]
) -> None:
    (danger,) = find_dangers(command, "/p")
    assert danger.through
    assert (operation(command), danger.targets) == (written, targets)
    if danger.kind is not DangerKind.SQL:
        (again,) = find_dangers(written, "/p")
        assert again.through == danger.through or command.startswith("docker exec db sh")


def operation(command: str) -> str:
    """The operation as the entry has it."""
    (line,) = [
        line
        for line in build_entry(find_dangers(command, "/p"), "/p", "toolu_1", "s").splitlines()
        if line.startswith("**Operation**: ")
    ]
    return line.removeprefix("**Operation**: ")


@pytest.mark.parametrize(
    ("command", "targets"),
    [
        ("git clean -fdx -e node_modules", ["."]),
        ("git push -f -o ci.skip origin main", ["origin", "main"]),
        ("terraform apply -target aws_x.y -var a=b", ["aws_x.y"]),
        ("terraform destroy --target=aws_x.y", ["aws_x.y"]),
    ],
)
def test_values_of_options_are_not_what_is_hit(command: str, targets: list[str]) -> None:
    (danger,) = find_dangers(command, "/p")
    assert danger.targets == targets


@pytest.mark.parametrize(
    "script",
    [
        *("x(" * 2_000, "x(a)" * 1_500, "x(\n" * 2_000),
        *("${x:-" * 4_000, "${x}" * 4_000, "cd a;" * 3_000, "cd a && rm -rf b;" * 1_500),
        *("(" * 4_000 + "rm -rf x", "(cd a; rm -rf x" * 1_500),
    ],
)
def test_hostile_script_is_read_to_its_end(script: str) -> None:
    """Nothing is missed in a script that is repetitive, but not too long."""
    assert len(find_dangers(script, "/p")) == script.count("rm -rf")


UNITS = (
    *(
        "a ",
        "a;",
        "(",
        "$(",
        "${",
        '"$(',
        "`",
        "<",
        "cd x && ",
        "sudo ",
        "A=1 ",
        "env -S ",
        "eval ",
    ),
    *("-exec rm ", "cat <<A <<B\n", "a(b ", "a(", "x(a)", "xargs ", "docker exec a ", "a | cat "),
    *("rm -rf a;", "-C x ", "git -C x ", "bash -c '", "$'\\x41'", '"$(a)" ', "trap ", "ssh h "),
    *("terraform -chdir=x ", "psql -c 'alter table a';", "alter table a ", "busybox rm -rf x\n"),
)
"""What a hostile command repeats."""


@pytest.mark.parametrize("unit", UNITS)
def test_long_script_costs_bounded_work(unit: str) -> None:
    """160 kB of a command took minutes: Claude Code ended the hook, and nothing was recorded.

    The time is compared with that of a plain script, which was never slow.
    """
    started = time.process_time()
    find_dangers("a " * 30_000, "/p")
    plain = time.process_time() - started
    started = time.process_time()
    find_dangers(f"find . {unit * (120_000 // len(unit))} rm -rf x", "/p")
    assert time.process_time() - started < 20 * plain
    assert find_dangers(f"find . {unit * (160_000 // len(unit))} rm -rf x", "/p")


@pytest.mark.parametrize(
    "script",
    [
        "x" * MAX_STEPS + "; rm -rf x",
        "a;" * (MAX_STEPS // 2) + "rm -rf x",
        "sudo " * 10_000 + "rm -rf x",
        "$(" * 9 + "rm -rf x" + ")" * 9,
        "x(" * 1_000 + ")" * 1_000,
        '"$(' * 3_000,
        "".join(f"find {at} -exec true ; " for at in range(5_000)) + "; rm -rf x",
    ],
)
def test_script_that_is_not_analysed_counts_as_destructive(script: str) -> None:
    """It is recorded, and a success of the call says nothing about what it did."""
    (danger,) = find_dangers(script, "/p")
    assert danger.kind is DangerKind.UNREAD
    assert outcome.predict_statuses([danger]) == "PENDING PENDING"
    entry_text = build_entry([danger], "/p", "toolu_1", "s")
    assert f"{len(script):,} characters" in entry_text
    assert len(entry_text) < 2_000


def test_long_sql_counts_as_destructive() -> None:
    """So does the input of a database tool that is too long to be searched."""
    (danger,) = find_sql_dangers("drop " * 1_000_000, "/p")
    assert danger.kind is DangerKind.UNREAD
    assert find_sql_dangers("select " * 1_000_000, "/p") == []


def test_many_patterns_are_bounded() -> None:
    """The file of patterns may be a repository's."""
    patterns = tuple(f"program{at} word" for at in range(4_000))
    assert find_dangers("ls -l; " * 3_000 + "program7 word", "/p", patterns)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("rm -rf !(keep|a b) z", ["rm", "-rf", "!(keep|a b)", "z"]),
        ("rm -rf build/@(a|b)/*.o", ["rm", "-rf", "build/@(a|b)/*.o"]),
        ("rm -rf dist/*(N)", ["rm", "-rf", "dist/*(N)"]),
        ("rm -rf dist/*()", ["rm", "-rf", "dist/*()"]),
        ("(rm -rf dist/*(N))", ["rm", "-rf", "dist/*(N)"]),
        # The shell would not run it: the word only has to be seen to be cut off.
        ("rm -rf x(a", ["rm", "-rf", "x("]),
        ("rm -rf x(a\n)", ["rm", "-rf", "x("]),
    ],
)
def test_a_pattern_in_brackets_is_a_part_of_its_word(command: str, words: list[str]) -> None:
    (danger,) = find_dangers(command, "/p")
    assert danger.words == words


def test_all_of_a_line_are_found() -> None:
    found = find_dangers("git clean -fdx && rm -rf a; terraform destroy", "/p")
    assert [danger.kind for danger in found] == ["git clean", "rm -r", "terraform"]


def test_statements_of_a_database_tool() -> None:
    (danger,) = find_sql_dangers("BEGIN; DROP TABLE a; drop schema b; COMMIT", "/p")
    assert danger.operation == "DROP TABLE a; drop schema b"
    assert danger.targets == ["a", "b"]
    assert find_sql_dangers("SELECT * FROM drop_table", "/p") == []


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("aws s3 rm s3://b --recursive", 1),
        ("aws --profile x s3 rm s3://b --recursive", 1),
        ("sudo aws s3 rm s3://b --recursive", 1),
        ("aws s3 rm s3://b/one", 0),
        ("echo aws s3 rm --recursive", 0),
        ("make deploy-prod", 1),
        ("make deploy", 0),
        ("./scripts/wipe.sh", 1),
        ("bash scripts/wipe.sh now", 1),
        ("./bin/deploy prod", 1),
        ("sh -e bin/deploy prod", 1),
        ("deploy test", 0),
        ("sudo systemctl stop db", 1),
        ("systemctl stop db", 0),
        ("ssh -p 22 prod-3 uptime", 1),
        ("ssh test uptime", 0),
        ("psql -c 'DELETE FROM users'", 1),
    ],
)
def test_own_patterns(
    command: str, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".learnings" / "destructive.txt"
    path.parent.mkdir()
    path.write_bytes(
        b"\xef\xbb\xbf# ours\r\naws s3 rm --recursive\r\n\r\nmake deploy-*\r\nwipe*.sh\r\n"
        b"./bin/deploy prod\nsudo systemctl stop\nssh prod*\npsql -c 'DELETE FROM *'\n"
    )
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    seen = entry.contains_destructive_word(event(command))
    assert len(find_dangers(command, "/p", read_patterns(str(path))) if seen else ()) == found


def test_no_patterns_without_a_file(tmp_path: Path) -> None:
    assert read_patterns(str(tmp_path / "none")) == ()


def _parse_commands(script: str) -> list[Command]:
    try:
        return parse_commands(script, Effort())
    except TooMuchWorkError:  # nested too deeply
        return []


@given(st.text(alphabet="rm -f'\"\\$(){}`;&|<>\nEOcat#x", max_size=60))
def test_whatever_the_line_reading_it_ends(script: str) -> None:
    for command in _parse_commands(script):
        assert command.words


@given(st.sampled_from(sorted(DESTRUCTIVE)), st.sampled_from(["ls; {}", "{}\nls", "true && {}"]))
def test_company_hides_nothing(command: str, line: str) -> None:
    script = line.format(command)
    if "\\\n" not in command:
        assert find_dangers(script, "/p")
        assert entry.contains_destructive_word(event(script))

"""Which commands are never allowed without a question, whoever proposes it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.proposals.permission_rules import is_rule_covered
from orchestrator.proposals.permission_safety import describe_open_rule, explain_refusal

ALLOWED = (
    "Bash(go test *)",
    "Bash(go test:*)",
    "Bash(go test ./...)",
    "Bash(pytest *)",
    "Bash(ruff check *)",
    "Bash(cargo clippy --all)",
    "Bash(npm run build)",
    "Bash(yarn test:unit)",
    "Bash(pnpm lint)",
    "Bash(make -j8 test build)",
    "Bash(mypy src)",
    "Bash(go vet ./...)",
    "Bash(pre-commit run --all-files)",
    "Bash(npm test)",
    "Bash(make lint)",
    "Bash(git status)",
    "Bash(./scripts/check.sh --all)",
    "Bash(terraform-docs markdown)",
)
REFUSED = (
    *("Bash", "Bash()", "Bash(*)", "Bash(:*)", "Bash( *)", "Bash(**)", "*", "", "Read(/etc/**)"),
    *("WebFetch", "Edit(**)", "Bash(go*)", "Bash(go test **)", "Bash(g* test)", "mcp__x"),
    # interpreters and shells, by any name
    *("Bash(python *)", "Bash(python3.12 -m pytest *)", "Bash(/usr/bin/python3 x)", "Bash(node x)"),
    *("Bash(sh x)", "Bash(bash -c *)", "Bash(./bash x)", "Bash(Perl -e x)", "Bash(awk x)"),
    *("Bash(python.exe x)", "Bash(eval x)", "Bash(source x)", "Bash(. x)", "Bash(sed -n p x)"),
    # what starts other programs
    *("Bash(env go test)", "Bash(xargs go)", "Bash(timeout 5 go test)", "Bash(find . -name x)"),
    *("Bash(docker run x)", "Bash(kubectl get pods)", "Bash(npx jest *)", "Bash(uvx ruff)"),
    # the network
    *("Bash(curl x)", "Bash(wget x)", "Bash(ssh x)", "Bash(gh pr view)", "Bash(CURL x)"),
    # deletion and overwriting
    *("Bash(rm x)", "Bash(/bin/rm -rf x)", "Bash(mv a b)", "Bash(cp a b)", "Bash(tee x)"),
    # rights, packages, publishing
    *("Bash(sudo go test)", "Bash(pip install x)", "Bash(pip3.11 list)", "Bash(npm install *)"),
    *("Bash(npm ci)", "Bash(apt-get update)", "Bash(go install x)", "Bash(go run *)"),
    *("Bash(git push *)", "Bash(git push)", "Bash(git reset --hard)", "Bash(git -C x status)"),
    *(
        "Bash(git commit *)",
        "Bash(make deploy)",
        "Bash(npm run deploy *)",
        "Bash(npm run db:reset)",
    ),
    *("Bash(npm publish)", "Bash(cargo publish)", "Bash(./deploy.sh)", "Bash(mvn deploy)"),
    # too wide
    *("Bash(git *)", "Bash(npm *)", "Bash(npm run *)", "Bash(make *)", "Bash(make lint *)"),
    *("Bash(go *)", "Bash(cargo *)", "Bash(./scripts/check.sh *)", "Bash(unknown *)"),
    *("Bash(mvn test *)", "Bash(npm run --prefix *)"),
    # more than plain words
    *("Bash(go test; rm x)", "Bash(go test && rm x)", "Bash(go test || x)", "Bash(go test | sh)"),
    *("Bash(go test $(x))", "Bash(go test `x`)", "Bash(go test > x)", "Bash(go test < x)"),
    *("Bash(go test & x)", "Bash(go test\nrm x)", "Bash(go test $X)", "Bash(go test 'x')"),
    *('Bash(go test "x")', "Bash(go test \\x)", "Bash(go test ~/x)", "Bash(go test {a,b})"),
    *("Bash(X=1 go test)", "Bash(go  test *)", "Bash(go test \u202ex)", "Bash(go test #x)"),
    # harmless programs that start others
    *(
        "Bash(go test -exec x)",
        "Bash(go vet -vettool=x *)",
        "Bash(make -f x all)",
        "Bash(make -C x)",
    ),
    # arguments that run other programs, load code, install, or lead elsewhere
    *("Bash(tox *)", "Bash(nox *)", "Bash(tox exec x)", "Bash(pylint *)", "Bash(ctest *)"),
    *("Bash(ctest -S x)", "Bash(pylint --init-hook=x a)", "Bash(jest *)", "Bash(mocha *)"),
    *("Bash(mocha --require x)", "Bash(rspec *)", "Bash(eslint *)", "Bash(mypy *)"),
    *(
        "Bash(mypy --install-types --non-interactive)",
        "Bash(pre-commit run *)",
        "Bash(cargo test *)",
    ),
    *("Bash(cargo test --config=x)", "Bash(npm test *)", "Bash(npm run build *)", "Bash(go vet *)"),
    *("Bash(npm test --prefix /tmp/x)", "Bash(npm test --prefix=/tmp/x)", "Bash(mypy /tmp/x)"),
    *("Bash(yarn build --cwd /tmp/x)", "Bash(actionlint *)", "Bash(git status *)"),
    *("Bash(golangci-lint custom)", "Bash(biome upgrade)", "Bash(go test -toolexec=x)"),
    # targets and scripts that do not say what they do
    *("Bash(make)", "Bash(make ship)", "Bash(make nuke)", "Bash(make test ship)", "Bash(rake)"),
    *(
        "Bash(make test CC=/tmp/x)",
        "Bash(npm run wipe)",
        "Bash(npm run test:ship)",
        "Bash(just -c)",
    ),
    *("Bash(npm run)", "Bash(task up)", "Bash(gradle)", "Bash(mvn exec:java)", "Bash(npm start)"),
    *("Bash(mvn test -Dexec=1)", "Bash(npm run build-and-push)", "Bash(yarn run x)"),
    # programs by a path elsewhere
    *("Bash(/tmp/check)", "Bash(../check)", "Bash(a/../../check)"),
    f"Bash({'x' * 300})",
)


@pytest.mark.parametrize("rule", ALLOWED)
def test_what_may_be_proposed(rule: str) -> None:
    assert explain_refusal(rule) == ""


@pytest.mark.parametrize("rule", REFUSED)
def test_what_is_never_proposed(rule: str) -> None:
    assert explain_refusal(rule)


@pytest.mark.parametrize("rule", [each for each in ALLOWED if each.endswith("*)")])
def test_it_is_said_what_else_a_rule_allows(rule: str) -> None:
    assert describe_open_rule(rule).startswith("any arguments, also those that ")
    assert describe_open_rule(rule.replace(" *)", ")").replace(":*)", ")")) == ""


def test_the_issues_own_example_names_what_it_runs() -> None:
    said = "any arguments, also those that make go test run another program (-exec, -toolexec)"
    for rule in ("Bash(go test *)", "Bash(go test:*)", "Bash(go test ./... *)"):
        assert describe_open_rule(rule) == said


_WORDS = st.sampled_from(
    (
        *"|;&><$`*(){}'\"\\\n",
        *("go", "test", "rm", "-rf", "python", "curl", "make", "git", "push", "npm", "run", "x"),
        *("./x", "sudo", "$(x)", "pytest", "status", "-exec", "=", "X=1", "sh", "&&", ":*", " *"),
    )
)


@given(st.lists(_WORDS, min_size=1, max_size=6).map(" ".join))
@example("go test ; rm -rf x")
def test_what_may_be_proposed_is_one_plain_command(command: str) -> None:
    if explain_refusal(f"Bash({command})"):
        return
    assert not set(command.removesuffix(" *").removesuffix(":*")) & set("|;&><$`*(){}'\"\\\n")
    words = command.split()
    assert words[0] not in {"rm", "python", "curl", "sudo", "sh"}
    assert "-exec" not in words
    assert words[:2] != ["git", "push"]
    assert is_rule_covered(f"Bash({command})", [f"Bash({command})"])


@given(st.text(max_size=30))
def test_any_text_with_an_operator_is_refused(text: str) -> None:
    for sign in ("$(", "`", ";", "|", "&", ">", "<", "\n", "'", '"', "\\", "*x"):
        assert explain_refusal(f"Bash(go test {text}{sign}{text})")

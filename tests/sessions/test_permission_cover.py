import pytest

from orchestrator.sessions.permission_cover import is_rule_covered

RULE = "Bash(go test *)"


@pytest.mark.parametrize(
    "allow",
    [RULE, "Bash(go test:*)", "Bash(go *)", "Bash(go:*)", "Bash", "Bash(*)", " Bash(go test *) ",
     "Bash(go test*)", "Bash(go  test *)"],
)  # fmt: skip
def test_a_rule_is_covered(allow: str) -> None:
    assert is_rule_covered(RULE, ["Read", allow])


@pytest.mark.parametrize(
    "allow",
    ["Bash(go test)", "Bash(go test ./... *)", "Bash(go vet *)", "Bash(gofmt *)", "Bash(g *)",
     "Bash(go tes *)", "Read(*)", "Edit", "", "Bash(", "Bash(* test *)", "WebFetch(domain:go.dev)"],
)  # fmt: skip
def test_a_rule_is_not_covered(allow: str) -> None:
    assert not is_rule_covered(RULE, [allow])


def test_an_exact_rule_covers_itself() -> None:
    assert is_rule_covered("Bash(make test)", ["Bash(make test)"])
    assert is_rule_covered("Bash(make test)", ["Bash(make *)"])
    assert not is_rule_covered("Bash(make test)", ["Bash(make tests)"])
    assert not is_rule_covered("Bash(make test)", [])

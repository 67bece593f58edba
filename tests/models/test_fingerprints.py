import re

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models.fingerprints import compute_fingerprint

words = st.text(alphabet="abcdefghijk ", min_size=1, max_size=12).map(str.strip).filter(bool)
ids = st.builds(
    lambda name, case: f"tests/test_{name}.py::test_{case}".replace(" ", "_"), words, words
)
numbers = st.integers(min_value=1, max_value=99_999)
names = st.text(alphabet="abcdef0123456789_-", min_size=3, max_size=10)

SURROUNDINGS = (
    "{said} at <object at 0x{address:x}> in /tmp/{tmp}/x.txt, app.py:{line}: after {seconds:.2f}s",
    "{said} (line {line}) /home/{user}/src/app.py:{line} took {line} ms, pid {line}",
    "{said} '/private/var/folders/{tmp}/f' 2026-11-20 10:{minute:02d}:01.{line} /opt/{user}/a.py",
)


@st.composite
def surrounded(draw: st.DrawFn, template: str, said: str) -> str:
    return template.format(
        said=said,
        address=draw(numbers),
        line=draw(numbers),
        seconds=draw(st.floats(min_value=0, max_value=1000)),
        minute=draw(st.integers(0, 59)),
        tmp=draw(names),
        user=draw(st.sampled_from(["ann", "bob", "build-7"])),
    )


@given(st.data(), ids, words, st.sampled_from(SURROUNDINGS))
def test_surroundings_make_no_difference(
    data: st.DataObject, case: str, said: str, template: str
) -> None:
    first, second = data.draw(surrounded(template, said)), data.draw(surrounded(template, said))
    assert compute_fingerprint("pytest", [(case, first)]) == compute_fingerprint(
        "pytest", [(case, second)]
    )


@given(st.data(), st.lists(st.tuples(ids, words), min_size=1, max_size=5))
def test_order_and_repetition_make_no_difference(
    data: st.DataObject, evidence: list[tuple[str, str]]
) -> None:
    shuffled = data.draw(st.permutations([*evidence, evidence[0]]))
    assert compute_fingerprint("pytest", evidence) == compute_fingerprint("pytest", shuffled)


@given(
    st.frozensets(st.tuples(ids, words), min_size=1, max_size=4),
    st.frozensets(st.tuples(ids, words), min_size=1, max_size=4),
)
def test_what_failed_and_what_it_said_make_the_difference(
    first: frozenset[tuple[str, str]], second: frozenset[tuple[str, str]]
) -> None:
    assert (compute_fingerprint("pytest", first) == compute_fingerprint("pytest", second)) == (
        {(case, " ".join(said.split())) for case, said in first}
        == {(case, " ".join(said.split())) for case, said in second}
    )
    assert compute_fingerprint("pytest", first) != compute_fingerprint("manual", first)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_any_text_has_one(evidence: list[tuple[str, str]]) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", compute_fingerprint("pytest", evidence))


def test_values_stay() -> None:
    case = "tests/test_a.py::test_b"
    assert compute_fingerprint("pytest", [(case, "assert 1 == 2")]) != compute_fingerprint(
        "pytest", [(case, "assert 1 == 3")]
    )

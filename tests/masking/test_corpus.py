"""The masker on texts by another hand: what it leaves, what it takes, and how it counts."""

import pytest

from orchestrator.masking import Masker
from tests.masking.samples import Sample, list_sample_of_each_shape, load_rows, load_samples

LEFT = {
    "netrc-error": "a word that is spelt wrongly stands before the password",
    "short-expect-script": "a short word that is sent after a prompt",
    "py-parametrize-list": "words in a list, whose names stand in another line",
}
"""What survives, and why."""
LOST = {
    "powershell-securestring": "the name of a command, in a line that gives a password its value",
    "pid-password-eq": "what follows a password in the id of a case",
    "pid-sk": "likewise",
}
"""What goes with a secret, though it is none, and why."""
SECRET = [each for each in load_samples() if each.secrets]
HARMLESS = [each for each in load_samples() if not each.secrets]


def test_the_corpus_is_whole() -> None:
    assert (len(SECRET) >= 350, len(HARMLESS) >= 200) == (True, True)
    assert LEFT.keys() <= {each.id for each in SECRET}


@pytest.mark.parametrize("sample", SECRET, ids=lambda each: each.id[:40])
def test_no_secret_survives(sample: Sample) -> None:
    masked = Masker().mask(sample.text)
    survives = any(secret in masked for secret in sample.secrets)
    assert survives is (sample.id in LEFT)
    assert Masker().mask(masked) == masked


@pytest.mark.parametrize("sample", SECRET, ids=lambda each: each.id[:40])
def test_no_secret_survives_in_a_diff(sample: Sample) -> None:
    masked = Masker().mask("".join(f"+{line}\n" for line in sample.text.splitlines()))
    lines = [line for secret in sample.secrets for line in secret.splitlines()]
    survives = any(line in masked for line in lines)
    assert survives is (sample.id in LEFT)


@pytest.mark.parametrize("sample", HARMLESS, ids=lambda each: each.id[:40])
def test_what_is_evidence_stays(sample: Sample) -> None:
    assert Masker().mask(sample.text) == sample.text


@pytest.mark.parametrize("sample", load_rows(), ids=lambda each: each.id)
def test_no_secret_of_the_table_survives(sample: Sample) -> None:
    masked = Masker().mask(sample.text)
    survives = any(secret in masked for secret in sample.secrets)
    assert survives is (sample.id == "cli-66-expect")
    assert Masker().mask(masked) == masked


def test_what_says_what_failed_stays() -> None:
    masked = {each.id: Masker().mask(each.text) for each in SECRET}
    lost = {each.id for each in SECRET if any(part not in masked[each.id] for part in each.keep)}
    assert lost == LOST.keys()


def test_every_shape_has_a_sample() -> None:
    without = [shape.pattern.text for shape, sample in list_sample_of_each_shape() if not sample]
    assert without == []

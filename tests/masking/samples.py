"""Secrets as they stand in real texts, and texts that only speak of them.

`corpus.json` was written by a hand that had seen neither the masker nor its tests; README.md beside
it has what the masker made of it before anybody looked. All values are invented.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from orchestrator.masking.shape import Shape
from orchestrator.masking.shape_table import SHAPES

_CORPUS: Final = Path(__file__).with_name("corpus.json")
_ROWS: Final = Path(__file__).with_name("shapes.jsonl")

SECRET: Final = "s3cr3tValue123456"

_MORE: Final = {
    f"htpasswd -b f user {SECRET}": SECRET,
    f"openssl enc -aes-256-cbc -k {SECRET}": SECRET,
    f"PAT='{SECRET}' make": SECRET,
    "{'db_password': \"walrus\"}": "walrus",
    f"openssl rsa -in k -passin pass:{SECRET}": SECRET,
    f"aws configure set aws_secret_access_key {SECRET}": SECRET,
    f"deploy --pw {SECRET}": SECRET,
    f"Authorization: AWS4-HMAC-SHA256 Credential=x, Signature={SECRET}": SECRET,
}
"""What stands in no text of the corpus, by the secret in it."""


@dataclass(frozen=True)
class Sample:
    """One text.

    Args:
        id: its name.
        text: as it would stand in a file or an output.
        secrets: parts that may not survive.
        keep: parts that say what failed.
    """

    id: str
    text: str
    secrets: Sequence[str] = ()
    keep: Sequence[str] = ()


@cache
def load_samples() -> tuple[Sample, ...]:
    """Return the corpus, and the few texts beside it."""
    found = json.loads(_CORPUS.read_text(encoding="utf-8"))
    corpus = [Sample(e["id"], e["text"], tuple(e["secrets"]), tuple(e["keep"])) for e in found]
    more = [Sample(text, text, (secret,)) for text, secret in _MORE.items()]
    return (*corpus, *more)


@cache
def load_rows() -> tuple[Sample, ...]:
    """Return the rows of the table of shapes and names, each of which has a secret of its own."""
    lines = map(json.loads, _ROWS.read_text(encoding="utf-8").splitlines())
    return tuple(Sample(each["id"], each["text"], tuple(each["secrets"])) for each in lines)


@cache
def list_sample_of_each_shape() -> tuple[tuple[Shape, Sample | None], ...]:
    """Return the shapes, each with the shortest text in which it finds a secret, and that."""
    samples = (*load_samples(), *load_rows())
    ordered = sorted((each for each in samples if each.secrets), key=lambda e: len(e.text))
    return tuple((shape, next(_iter_matching(shape, ordered), None)) for shape in SHAPES)


def _iter_matching(shape: Shape, samples: Sequence[Sample]) -> Iterator[Sample]:
    for sample in samples:
        for match in shape.pattern.finditer(sample.text):
            for found in [group for group in match.groups() if group] or [match[0]]:
                if shape.accept(found):
                    yield Sample(sample.id, sample.text, (found,))

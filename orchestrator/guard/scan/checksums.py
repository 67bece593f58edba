"""Finds checksums of the tests' inputs in what an attempt added.

A table that is keyed by checksums hides which inputs it is for. The inputs of the failing tests are
known, and so are their checksums: only code that recognizes such an input needs one.
"""

import hashlib
import zlib
from collections.abc import Iterator
from typing import Final

from orchestrator.guard.scan.expected_answers import CHECKSUM, Answers

_HASHES: Final = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s")
_SHORTEST: Final = 8
"""Digits of a checksum that are unlikely to be in a file by chance."""
_MOST_INPUTS: Final = 200


class Checksums:
    """The checksums of the inputs of failing tests, whole or shortened.

    Args:
        answers: inputs and expected values of the tests.
    """

    def __init__(self, answers: Answers) -> None:
        inputs = sorted({str(given) for given, _ in answers.failing})[:_MOST_INPUTS]
        self._inputs = {digest: text for text in inputs for digest in _iter_digests(text)}
        self._beginnings = {digest[:_SHORTEST] for digest in self._inputs}
        self._known = answers.known

    def __bool__(self) -> bool:
        """Return whether there is anything to look for."""
        return bool(self._inputs)

    def iter_matches(self, text: str) -> Iterator[tuple[int, str]]:
        """Yield the numbers of the lines with a checksum, each with the checksum's input."""
        for number, line in enumerate(text.splitlines(), 1):
            for match in CHECKSUM.finditer(line):
                token = match[0].casefold()
                if token[:_SHORTEST] in self._beginnings and token not in self._known:
                    for digest, given in self._inputs.items():
                        if digest.startswith(token):
                            yield number, given
                            break


def _iter_digests(text: str) -> Iterator[str]:
    """Yield the checksums of a text in hexadecimal, and those of 32 bits in decimal too."""
    data = text.encode("utf-8", "surrogatepass")
    for name in _HASHES:
        yield hashlib.new(name, data, usedforsecurity=False).hexdigest()
    for number in (zlib.crc32(data), zlib.adler32(data)):
        yield f"{number:08x}"
        if len(str(number)) >= _SHORTEST:
            yield str(number)

"""Find byte order marks, which some editors write before the first character of a text.

The hook imports this, so it imports nothing.
"""

BOM = "\ufeff"
UTF8_BOM = BOM.encode()
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def is_utf16(data: bytes) -> bool:
    """Return whether a file starts with a mark of UTF-16: UTF-8 text cannot be added to it."""
    return data.startswith(UTF16_BOMS)


def split_bom(text: str) -> tuple[str, str]:
    """Return a text's byte order mark, empty if it has none, and the rest."""
    rest = text.removeprefix(BOM)
    return text[: len(text) - len(rest)], rest

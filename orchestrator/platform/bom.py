"""Byte order marks: what an editor may have put before the first character of a text.

The hook imports this, so it imports nothing.
"""

BOM = "\ufeff"
UTF8_BOM = BOM.encode()
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def is_utf16(data: bytes) -> bool:
    """Return whether a file says that it is UTF-16: no text of ours can be added to it."""
    return data.startswith(UTF16_BOMS)


def split_bom(text: str) -> tuple[str, str]:
    """Return a text's byte order mark, empty where it has none, and the rest."""
    rest = text.removeprefix(BOM)
    return text[: len(text) - len(rest)], rest

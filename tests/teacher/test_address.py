"""An address is shown without user, password and query, and never with another host."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teacher.address import format_address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://n8n.example/webhook/x", "https://n8n.example/webhook/x"),
        ("http://me:hush@127.0.0.1:5678/x", "http://***@127.0.0.1:5678/x"),
        ("http://hush@n8n:5678/x", "http://***@n8n:5678/x"),
        ("https://n8n.example/x?key=hush#hush", "https://n8n.example/x?***"),
        ("https://me:hu@sh@[::1]:5678/", "https://***@[::1]:5678/"),
        # The host is the one that is asked, and not the one that somebody wants to be read.
        ("https://evil.example/@n8n.example/x", "https://evil.example/***"),
        ("https://me:12/hush@n8n.example/x", "https://me:12/***"),
        ("https://me:hush/hush@n8n.example/x", "***"),
        ("https://me/:hush?@n8n.example/x", "https://me/***?***"),
        ("https://me/:hush#@n8n.example/x", "https://me/***"),
        ("me:hush@n8n.example/x", "***"),
        ("n8n.example", "n8n.example"),
        ("", ""),
    ],
)
def test_what_may_be_secret_is_not_shown(address: str, shown: str) -> None:
    assert format_address(address) == shown


@given(
    st.text("ab/@:?#[]%\\ .\u2100", max_size=12),
    st.text("ab/@:?#[]%\\ .\u2100", max_size=12),
    st.sampled_from(["", "/webhook/x", "?SECRETQ=SECRETQ"]),
)
def test_no_user_password_or_query_is_ever_shown(user: str, password: str, rest: str) -> None:
    address = f"https://SECRETU{user}:SECRETP{password}@n8n.example{rest}"
    shown = format_address(address)
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    secrets = [name for name in ("SECRETU", "SECRETP", "SECRETQ") if name in shown]
    # What is sent to another host than was meant is a part of that host's name.
    assert not secrets or (host and all(name.lower() in host for name in secrets))
    if host and shown != "***":
        assert urlsplit(shown).hostname == host


@pytest.mark.parametrize("address", ["https://me:hush@h.example/x?a=b", "hush@x", "https://h/@x"])
def test_what_is_shown_can_be_shown_again(address: str) -> None:
    assert format_address(format_address(address)) == format_address(address)

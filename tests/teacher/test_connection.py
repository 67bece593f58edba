"""Proxies and certificates: checked before money is spent, and named by their variable."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teacher.connection import check_connection, plan_connection
from teacher.deadline import DeadlineError, call_within
from teacher.errors import TeacherError, TeacherUnavailable
from teacher.local import LocalTeacher
from teacher.retry import Retries
from teacher.webhook import WebhookTeacher
from tests.teacher.loopback import Loopback
from tests.teacher.samples import ADD, FAILURE, message_saying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTSIDE = "https://n8n.example.org/webhook/x"
LOCAL = "http://127.0.0.1:5678/webhook/x"


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets these variables, and no other that has to do with connections."""

    def set_variables(**values: str) -> None:
        names = [f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO")]
        for name in (*names, *map(str.lower, names), "SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_variables


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:9/"),
        ("all_proxy", "socks4://127.0.0.1:1080"),
        ("HTTPS_PROXY", "http://proxy.example:port"),
        ("https_proxy", "http://me:pass@word@proxy.example:99999"),
        ("HTTPS_PROXY", "ftp://proxy.example"),
        ("HTTPS_PROXY", "http://"),
        ("HTTPS_PROXY", "http://[::1"),
        ("HTTPS_PROXY", "http://a b.example:1"),
        ("HTTPS_PROXY", "http://proxy..example:1"),
        ("SSL_CERT_FILE", "/nowhere/corp.pem"),
        ("SSL_CERT_FILE", "/"),
        ("SSL_CERT_FILE", __file__),
        ("SSL_CERT_DIR", "/nowhere"),
        ("SSL_CERT_DIR", os.path.dirname(__file__)),  # noqa: PTH120 -- the variable is text
    ],
)
def test_a_variable_that_cannot_be_used_is_named_at_preflight(
    variables: Callable[..., None], name: str, value: str
) -> None:
    variables(**{name: value})
    for teacher in (LocalTeacher(api_key="key", base_url=OUTSIDE), WebhookTeacher(OUTSIDE)):
        with pytest.raises(TeacherUnavailable) as caught:
            teacher.preflight()
        assert name in str(caught.value)
        assert "pass" not in caught.value.message
        assert "\n" not in str(caught.value)
    # What an address does not need does not matter.
    check_connection(LOCAL)
    LocalTeacher(api_key="key", base_url=LOCAL).preflight()


@pytest.mark.parametrize(
    "excluded",
    [
        "n8n.example.org",
        ".example.org",
        "example.org",
        "*",
        "*.example.org",
        " a.b , n8n.EXAMPLE.org",
    ],
)
def test_an_address_in_no_proxy_is_reached_directly(
    variables: Callable[..., None], excluded: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        variables(ALL_PROXY="socks://127.0.0.1:9", HTTPS_PROXY="http://x:port", **{name: excluded})
        assert plan_connection(OUTSIDE).proxy is None


def test_a_network_in_no_proxy_is_reached_directly(variables: Callable[..., None]) -> None:
    variables(HTTP_PROXY="http://x:port", NO_PROXY="10.0.0.0/8,fd00::/8")
    assert plan_connection("http://10.1.2.3:5678/x").proxy is None
    assert plan_connection("http://[fd00::7]/x").proxy is None
    with pytest.raises(TeacherUnavailable, match="HTTP_PROXY"):
        plan_connection("http://11.1.2.3:5678/x")


def test_a_proxy_that_does_not_answer_is_named_before_anything_is_sent(
    variables: Callable[..., None],
) -> None:
    variables(ALL_PROXY="socks5://me:secret@127.0.0.1:9")
    with pytest.raises(TeacherUnavailable, match=r"ALL_PROXY.*127\.0\.0\.1:9") as caught:
        WebhookTeacher(OUTSIDE).preflight()
    assert "secret" not in str(caught.value)


@given(st.text(min_size=1).filter(lambda text: "\0" not in text), st.sampled_from(["", "http://"]))
def test_no_text_of_a_proxy_variable_is_a_bug(text: str, scheme: str) -> None:
    patch = pytest.MonkeyPatch()
    try:
        for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY"):
            patch.delenv(name, raising=False)
        try:
            patch.setenv("https_proxy", scheme + text)
        except UnicodeEncodeError:
            return  # no environment can hold it
        teacher = LocalTeacher(api_key="key", base_url=OUTSIDE)
        try:
            connection = plan_connection(OUTSIDE)
        except TeacherError:
            return
        assert connection is not None
        teacher._client.close()
    finally:
        patch.undo()


class _SocksProxy:
    """A SOCKS5 proxy without a password (RFC 1928), which connects every name to one port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.names: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        greeting = client.recv(2)
        if len(greeting) < 2:
            return  # the check of the preflight
        client.recv(greeting[1])
        client.sendall(b"\x05\x00")
        head = client.recv(5)
        self.names.append(client.recv(head[4]))
        client.recv(2)
        client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            back = threading.Thread(target=_copy, args=(server, client))
            back.start()
            _copy(client, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side is done


def test_a_socks_proxy_works(variables: Callable[..., None]) -> None:
    with Loopback(message_saying(ADD)) as model:
        proxy = _SocksProxy(int(model.url.rpartition(":")[2]))
        variables(all_proxy=f"socks5h://127.0.0.1:{proxy.port}")
        try:
            teacher = LocalTeacher(api_key="key", base_url="http://api.example.org")
            teacher.preflight()
            assert teacher.teach(FAILURE, ()).text
            teacher._client.close()
        finally:
            proxy.close()
        assert proxy.names == [b"api.example.org"]


# ---- time


class _Dripping:
    """Accepts connections and sends a byte of `answer` every 50 ms, without end."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                self._drip(client)

    def _drip(self, client: socket.socket) -> None:
        position = 0
        while not self._over.wait(0.05):
            try:
                client.sendall(self._answer[position : position + 1] or b"a")
            except OSError:
                return
            position += 1


@pytest.fixture
def no_proxy(variables: Callable[..., None]) -> None:
    variables()


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    "answer",
    [b"H", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"],
    ids=["status", "headers", "body"],
)
@pytest.mark.parametrize("kind", ["local", "webhook", "tls"])
def test_a_server_that_drips_is_given_up_in_time(answer: bytes, kind: str) -> None:
    once = Retries(tries=1)
    with _Dripping(answer) as port:
        url = f"http{'s' * (kind == 'tls')}://127.0.0.1:{port}"
        teacher: LocalTeacher | WebhookTeacher = (
            LocalTeacher(api_key="key", base_url=url, timeout_seconds=0.5, retries=once)
            if kind == "local"
            else WebhookTeacher(url, 0.5, retries=once)
        )
        started = time.monotonic()
        with pytest.raises(TeacherUnavailable):
            teacher.teach(FAILURE, ())
        assert time.monotonic() - started < 20


def test_a_slow_call_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    over = threading.Event()
    with pytest.raises(DeadlineError):
        call_within(0.05, over.wait)
    slow = [each for each in threading.enumerate() if each.name.startswith("within")]
    assert all(each.daemon for each in slow)
    over.set()


def test_a_call_in_time_returns_or_raises_what_its_function_does() -> None:
    assert call_within(5, lambda: 7) == 7
    with pytest.raises(TimeoutError, match="its own"):
        call_within(5, _raise_timeout)


def _raise_timeout() -> None:
    raise TimeoutError("its own")

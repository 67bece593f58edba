"""A webhook that does not answer: certificates, names, ports; each with a hint that helps."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest

from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.local import LocalTeacher
from teacher.retry import Retries
from teacher.webhook import WebhookTeacher
from tests.teacher.loopback import Loopback, Reply
from tests.teacher.samples import ADD, FAILURE, make_instant_retries, message_saying

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Reply(body=ADD.encode())

needs_openssl = pytest.mark.skipif(
    not shutil.which("openssl"), reason="openssl, which makes certificates, is not installed"
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP", "HTTPS", "ALL"):
        monkeypatch.delenv(f"{name}_PROXY", raising=False)
        monkeypatch.delenv(f"{name}_proxy".lower(), raising=False)


class Certificate:
    """A self-signed certificate for one name."""

    def __init__(self, folder: Path, name: str, *dates: str) -> None:
        self.file, key = folder / "cert.pem", folder / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        command += ["ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test", *dates]
        command += ["-addext", f"subjectAltName={name}", "-keyout", str(key), "-out"]
        subprocess.run([*command, str(self.file)], check=True, capture_output=True)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.file, key)


def refuse(teacher: WebhookTeacher) -> TeacherError:
    with pytest.raises(TeacherError) as caught:
        teacher.teach(FAILURE, ())
    assert "\n" not in str(caught.value)
    return caught.value


@needs_openssl
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_self_signed_certificate_works_as_its_hint_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    own = Certificate(tmp_path, "IP:127.0.0.1")
    retries, waits = make_instant_retries()
    with Loopback(GOOD, tls=own.server) as workflow:
        error = refuse(WebhookTeacher(workflow.url, retries=retries))
        assert "was not reached" in error.message
        assert "set SSL_CERT_FILE to a PEM file" in error.hint
        assert waits == []  # it cannot pass by itself
        monkeypatch.setenv(variable, str(own.file))
        assert WebhookTeacher(workflow.url).teach(FAILURE, ()).text


@needs_openssl
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_the_local_teacher_trusts_what_the_variables_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    own = Certificate(tmp_path, "IP:127.0.0.1")
    with Loopback(message_saying(ADD), tls=own.server) as model:
        monkeypatch.setenv(variable, str(own.file))
        assert LocalTeacher(api_key="k", base_url=model.url).teach(FAILURE, ()).text


@needs_openssl
def test_a_variable_that_names_other_certificates_is_the_one_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Certificate(other, "IP:127.0.0.1").file))
    with Loopback(GOOD, tls=Certificate(own, "IP:127.0.0.1").server) as workflow:
        error = refuse(WebhookTeacher(workflow.url))
    assert "to what REQUESTS_CA_BUNDLE names" in error.hint


@needs_openssl
def test_a_certificate_for_another_name_is_not_a_matter_of_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Certificate(tmp_path, "DNS:n8n.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(own.file))
    with Loopback(GOOD, tls=own.server) as workflow:
        error = refuse(WebhookTeacher(workflow.url))
    assert "use the name that the certificate is for" in error.hint
    assert "SSL_CERT_FILE" not in error.hint


def test_the_wrong_scheme_for_the_port_is_named(tmp_path: Path) -> None:
    retries, waits = make_instant_retries()
    with Loopback(GOOD) as workflow:
        url = workflow.url.replace("http", "https")
        error = refuse(WebhookTeacher(url, retries=retries))
    assert "does not speak TLS" in error.hint
    assert waits == []


def _know_no_name(*_: object, **__: object) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _know_no_name_now(*_: object, **__: object) -> NoReturn:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://n8n:5678/webhook/x", "use its published port, such as http://127.0.0.1:5678"),
        ("https://n8n.exmaple.org/webhook/x", "correct the host in n8n.webhook_url"),
    ],
)
def test_a_name_that_does_not_exist_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, url: str, hint: str
) -> None:
    retries, waits = make_instant_retries()
    monkeypatch.setattr(socket, "getaddrinfo", _know_no_name)
    monkeypatch.setenv("NO_PROXY", "*")
    error = refuse(WebhookTeacher(url, allow_http=True, retries=retries))
    assert hint in error.hint
    assert waits == []


def test_a_name_that_is_not_known_now_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    retries, waits = make_instant_retries(3)
    monkeypatch.setattr(socket, "getaddrinfo", _know_no_name_now)
    monkeypatch.setenv("NO_PROXY", "*")
    refuse(WebhookTeacher("https://n8n.example/webhook/x", retries=retries))
    assert len(waits) == 2


def test_the_name_of_a_container_that_was_reached_before_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    with monkeypatch.context() as patch, Loopback(GOOD) as workflow:

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            patch.undo()  # the container has started again

        teacher = WebhookTeacher(workflow.url, retries=Retries(3, sleep=sleep))
        assert teacher.teach(FAILURE, ()).text
        patch.setattr(socket, "getaddrinfo", _know_no_name)
        assert teacher.teach(FAILURE, ()).text
    assert len(waits) == 1


def _encode_name(host: str | bytes, *_: object, **__: object) -> list[object]:
    return [(host if isinstance(host, bytes) else host.encode()).decode().encode("idna")]


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "ex\u00e4mple_.example"])
def test_a_name_that_cannot_be_one_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _encode_name)  # as the real one does first
    monkeypatch.setenv("NO_PROXY", "*")
    retries, waits = make_instant_retries()
    error = refuse(WebhookTeacher(f"https://me:hush@{host}/webhook/x", retries=retries))
    assert isinstance(error, TeacherMisconfigured)
    assert "n8n.webhook_url" in error.message
    assert "hush" not in str(error)
    assert waits == []


def test_nobody_there_is_one_clear_line_without_the_secrets_of_the_url() -> None:
    retries, waits = make_instant_retries(tries=3)
    error = refuse(WebhookTeacher("http://me:hush@127.0.0.1:9/hook?key=hush", retries=retries))
    assert "http://***@127.0.0.1:9/hook?*** was not reached" in error.message
    assert "start n8n, or correct host and port" in error.hint
    assert "hush" not in str(error)
    assert len(waits) == 2


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(GOOD) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:hush@"))
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NO_PROXY", "")
        retries, waits = make_instant_retries()
        error = refuse(WebhookTeacher("https://n8n.example/webhook/x", retries=retries))
    assert "check the proxy in https_proxy" in error.hint
    assert "hush" not in str(error)
    assert waits == []


def test_the_local_teacher_prints_no_password_of_its_address() -> None:
    teacher = LocalTeacher(
        api_key="k", base_url="http://me:hush@127.0.0.1:9/?key=hush", retries=Retries(1)
    )
    with pytest.raises(TeacherUnavailable, match=r"http://\*\*\*@127\.0\.0\.1:9") as caught:
        teacher.teach(FAILURE, ())
    assert "hush" not in str(caught.value)

from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from tests.teacher.workflow_scripts import WorkflowScripts

_END = "-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("N8N_WEBHOOK_TOKEN", raising=False)


@pytest.fixture(scope="session")
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificates") / "one.pem"
    first = Path(certifi.where()).read_text(encoding="utf-8").partition(_END)[0]
    path.write_text(first + _END, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def few_certificates(one_certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing here speaks TLS, and each new client would parse all certificates again.
    monkeypatch.setenv("SSL_CERT_FILE", str(one_certificate))


@pytest.fixture(scope="session")
def scripts() -> Iterator[WorkflowScripts]:
    with WorkflowScripts() as scripts:
        yield scripts

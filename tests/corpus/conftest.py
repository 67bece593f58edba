"""What the cases of all corpora run in: a worker's environment, and a folder for each case."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus import leftovers
from tests.corpus.environments import Environment


@pytest.fixture(scope="session")
def shared_environment() -> Iterator[Environment]:
    source = os.environ.get("ORCHESTRATOR_CORPUS_ENVIRONMENT")
    assert source, "the cases need an environment: `make attack` makes it"
    with tempfile.TemporaryDirectory(prefix="cases-") as folder:
        Path(folder).chmod(0o755)
        yield Environment(Path(source), Path(folder) / "environment")


@pytest.fixture
def environment(shared_environment: Environment) -> Path:
    return shared_environment.renew()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter: some cases run tests as somebody else."""
    top = Path(tempfile.mkdtemp(prefix="case-")).resolve()
    top.chmod(0o755)
    (top / "case").mkdir()
    yield top / "case"
    leftovers.clean_up(top)
    leftovers.remove_folder(top)

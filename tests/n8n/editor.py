"""n8n's editor in Debian's Chromium; `editor.cjs` has the steps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from tests.n8n.install import node
from tests.n8n.server import WHERE

if TYPE_CHECKING:
    from types import TracebackType

    from tests.n8n.server import N8n

CHROMIUM: Final = "/usr/bin/chromium"
OWNER: Final = {
    "email": "owner@example.org",
    "firstName": "A",
    "lastName": "B",
    "password": "Loopback-0nly",
}
_SCRIPT: Final = Path(__file__).with_suffix(".cjs")
_END_SECONDS: Final = 20


class EditorError(Exception):
    """A step failed; has the browser's message, and where the picture of the page is."""


class Editor:
    """One page of a browser. Runs while its `with` block runs.

    Args:
        n8n: whose editor is used.
        folder: takes the pictures of pages on which a step failed.
    """

    def __init__(self, n8n: N8n, folder: Path) -> None:
        self._n8n, self._folder = n8n, folder

    def __enter__(self) -> Editor:
        self._process = subprocess.Popen(
            [node(WHERE) / "node", _SCRIPT, self._n8n.url, self._folder, CHROMIUM],
            env={
                "NODE_PATH": str(WHERE / "node_modules"),
                "PATH": os.environ["PATH"],
                "HOME": str(self._folder),
                "NO_PROXY": "127.0.0.1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        commands, answers = self._pipes
        commands.close()  # the browser closes when there are no more steps
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        answers.close()

    def create_owner(self) -> None:
        """Fill the first page of a fresh n8n."""
        self._do("createOwner", OWNER)

    def import_workflow(self, file: Path) -> str:
        """Start a workflow, choose "... > Import > From file", and return its id."""
        return str(self._do("importWorkflow", str(file)))

    def add_credential(self, node: str, kind: str, **fields: str) -> None:
        """Open a node, press "Connect to KIND", and fill the form."""
        self._do("addCredential", node, kind, fields)

    def publish(self) -> None:
        """Press "Publish", and confirm."""
        self._do("publish")

    def choose_settings(self, choices: dict[str, str]) -> None:
        """Choose "... > Settings", then a value in each field that is named by its label."""
        self._do("chooseSettings", choices)

    def call(self, method: str, path: str, data: object = None) -> Any:
        """Call n8n's own REST interface as the page does."""
        return self._do("call", method, path, data)

    def _do(self, step: str, *values: object) -> Any:
        commands, answers = self._pipes
        commands.write(json.dumps([step, *values]) + "\n")
        commands.flush()
        line = answers.readline()
        if not line:
            raise EditorError(f"{step}: the browser ended with {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise EditorError(answer["error"])
        return answer["result"]

    @property
    def _pipes(self) -> tuple[IO[str], IO[str]]:
        commands, answers = self._process.stdin, self._process.stdout
        assert commands is not None
        assert answers is not None
        return commands, answers


def is_possible() -> bool:
    """Return whether there is a browser here."""
    return shutil.which(CHROMIUM) is not None

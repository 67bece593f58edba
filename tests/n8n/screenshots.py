"""Update the screenshots in N8N_SETUP.md: `python -m tests.n8n.screenshots FOLDER`.

Requires Debian's chromium, and in that folder the result of `npm install playwright-core`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestrator.replay import ReplayServer
from tests.n8n.model import make_scenario
from tests.n8n.server import ROOT, N8n

IMAGES = ROOT / "docs" / "images"


def main(playwright: Path) -> None:
    """Import the shipped workflows into a fresh n8n and photograph them."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_suffix(".mjs"), playwright)
    with tempfile.TemporaryDirectory() as home, ReplayServer(make_scenario("nothing")) as model:
        server = N8n(Path(home), model.url, with_editor=True)
        server.import_workflows("prompt-learning-teacher", "prompt-learning-teacher-mcp")
        server.start()
        names = {"promptLearnTeach": "n8n-teacher.png", "promptLearnTeaMc": "n8n-teacher-mcp.png"}
        try:
            subprocess.run(
                ["node", "screenshots.mjs", server.url, home, *names],
                cwd=playwright,
                env={**os.environ, "NO_PROXY": "127.0.0.1"},
                check=True,
            )
        finally:
            server.stop()
        for identity, name in names.items():
            shutil.copy(Path(home) / f"{identity}.png", IMAGES / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Make docs/images/demo.svg: run the real demo and save what it prints. `make picture`."""

import io
import os
import re
import sys
from pathlib import Path

from rich.console import Console as Screen
from rich.terminal_theme import NIGHT_OWLISH

from orchestrator.cli.console import Console
from orchestrator.services.demo import run_demo

TARGET = Path(__file__).parent / "images" / "demo.svg"


def main() -> int:
    """Run the demo, write the picture, and return the demo's exit code."""
    # In the order of the files, as for somebody who has installed the program without its tests.
    os.environ["PYTEST_ADDOPTS"] = "-p no:randomly"
    screen = Screen(record=True, width=104, file=io.StringIO(), highlight=False)
    code = run_demo(keep=False, listener=Console(screen), say=screen.print)
    svg = screen.export_svg(title="make demo", theme=NIGHT_OWLISH, unique_id="demo")
    svg = svg.replace(sys.prefix, ".venv")
    # Load no font from the network: a font of the reader's system is good enough.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    TARGET.write_text(svg, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())

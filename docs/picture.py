"""Makes docs/images/demo.svg: runs the demo for real and keeps what it printed. `make picture`."""

import io
import re
import sys
from pathlib import Path

from rich.console import Console as Screen
from rich.terminal_theme import NIGHT_OWLISH

from orchestrator.cli.console import Console
from orchestrator.services.demo import run_demo

TARGET = Path(__file__).parent / "images" / "demo.svg"


def main() -> int:
    """Run the demo and write the picture; gives the demo's exit code."""
    screen = Screen(record=True, width=104, file=io.StringIO(), highlight=False)
    code = run_demo(keep=False, listener=Console(screen), say=screen.print)
    svg = screen.export_svg(title="make demo", theme=NIGHT_OWLISH, unique_id="demo")
    svg = svg.replace(sys.prefix, ".venv")
    # No picture needs a font from elsewhere: what the reader has is good enough.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    TARGET.write_text(svg, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())

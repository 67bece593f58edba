"""A coding agent in a few lines.

python agent.py LOG (once | taught | never | breaks)     (the prompt comes on standard input)

It is right from the start, right once it was taught, or never; or it breaks what worked before,
until it was taught.
"""

import sys
import time
from pathlib import Path

RULE = "Never answer before asking"


def main() -> None:
    log, kind = Path(sys.argv[1]), sys.argv[2]
    sys.stdin.read()
    with log.open("a", encoding="utf-8") as file:
        file.write("started\n")
    code = Path("answers.py")
    code.write_text("def answer():\n    return 'half done'\n", encoding="utf-8")
    time.sleep(0.15)
    taught = Path("CLAUDE.md").exists() and RULE in Path("CLAUDE.md").read_text(encoding="utf-8")
    right = kind in ("once", "breaks") or (kind == "taught" and taught)
    if kind == "breaks":
        kept = 1 if taught else 0
        Path("kept.py").write_text(f"def kept():\n    return {kept}\n", encoding="utf-8")
    value = 42 if right else 41
    code.write_text(f"def answer():\n    return {value}\n", encoding="utf-8")
    print("done")


main()

"""The hook's former place, which settings.json of earlier installations name.

`orchestrator hooks install` writes the new one. Until then Claude Code runs this file, and without
it nothing would be noted any more, and nobody would be told.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH100, PTH120

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from orchestrator.session_hooks.entry import main

    main()
    os._exit(0)

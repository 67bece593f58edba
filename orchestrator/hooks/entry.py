"""The hook's former file, whose path is in the settings.json of earlier installations.

`orchestrator hooks install` writes the path of `session_hooks/entry.py`. Until then Claude Code
runs this file. Without it nothing would be recorded any more, and nobody would notice: the
installed command hides its errors, so that they do not disturb the session.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH100, PTH120

import os
import sys

if __name__ == "__main__":
    try:
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        sys.path.insert(0, root)
        from orchestrator.session_hooks.entry import main

        main()
    # An upgrade that is under way may have removed the module already.
    except ImportError:
        pass
    os._exit(0)

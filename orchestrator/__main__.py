"""`python -m orchestrator`."""

import os
import sys

# Python puts the working directory in front, where a project's `git.py` or `yaml.py` would be
# imported in the place of a library: and an agent may have written it.
if sys.path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109 -- before anything is imported
    sys.path.append(sys.path.pop(0))

from orchestrator.cli.main import program

program()

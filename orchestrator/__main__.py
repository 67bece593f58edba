"""`python -m orchestrator`."""

import sys

# Python puts the working directory in front, where a project's `git.py` or `yaml.py` would be
# imported in the place of a library: and an agent may have written it.
if not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))

import prompt_learning_loop

prompt_learning_loop.program()

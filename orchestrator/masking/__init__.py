"""Takes secrets out of all that leaves this machine or is kept: one table for every exit.

`shapes.py` says what a secret looks like, `variables.py` which variables hold one, `masker.py`
finds and replaces them, and `lines.py` does so for what a process says by itself. Nothing here is
heavy: the hook that Claude Code calls before each command uses it, and patterns are compiled when a
text first holds a word that hints at them.
"""

from orchestrator.masking.masker import REDACTED, Masker
from orchestrator.masking.process_output import mask_line, mask_text

__all__ = ["REDACTED", "Masker", "mask_line", "mask_text"]
